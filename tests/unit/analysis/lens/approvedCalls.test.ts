import { before, test } from "node:test";
import { inspect } from "node:util";
import { isLensSite, LensMaps, lens, lensOf } from "../../../../src/analysis/lens/lens";
import { probedMaps } from "../../../../src/analysis/lens/probedMaps";
import { LensProbes, trainLensProbes } from "../../../../src/analysis/lens/probes";
import { residuals } from "../../../../src/analysis/lens/residuals";
import { rowsOf } from "../../../../src/analysis/provenance";
import { startBackend, tf } from "../../../../src/core/tf";
import { Calls } from "../../../support/calls";
import { inMemory, smallClassifier, smallLuvit, smallViT } from "../imagesInMemory";

before(() => startBackend({ backend: "wasm" }));

const eager = { engine: "eager" } as const;
const shown = (maps: readonly LensMaps[]) =>
  maps.map((map) => ({
    text: String(map),
    grid: map.grid,
    sites: map.sites,
    labels: map.sites.map(({ site }) => map.labels(site)),
    one: map.at(map.sites[0].site, 1),
  }));

test("what patches say by the model's own head is approved", async () => {
  const calls = new Calls();
  for (const name of [
    "embed",
    "blocks.0.out",
    "blocks.11.out",
    "fusion.in",
    "fusion.mapper1",
    "fusion.block",
    "fusion.out",
    "llama.layers.0.middle",
    "llama.layers.0.out",
    "blocks.0.attn.out",
    "blocks.x.out",
    "xembed",
    "embeds",
    "llama.layers.0.outs",
  ])
    await calls.of(isLensSite, name);
  const models = {
    luvit: smallLuvit(),
    cls: smallClassifier({ pooling: "cls" }),
    attention: smallClassifier({ pooling: "attention" }),
    registers: smallClassifier({ encoder: { ...smallViT, registers: 2 } }),
    bare: smallClassifier({ encoder: { ...smallViT, classToken: false } }),
  };
  const set = inMemory({ count: 3 });
  for (const [name, model] of Object.entries(models)) {
    await calls.once(name, async () => shown(await lens(model, set.take(name === "luvit" ? 3 : 1), eager)));
    const images = tf.tensor(
      Array.from({ length: 432 }, (_, i) => Math.sin(i)),
      [1, 3, 12, 12],
    );
    await calls.does(`${name}, lensOf`, () =>
      tf.tidy(() =>
        [...lensOf(model, images)].map(
          ([site, { logits, pooled }]) => `${site} ${logits.shape} ${pooled.shape}`,
        ),
      ),
    );
    await calls.does(`${name}, residuals`, () =>
      tf.tidy(() => [...residuals(model, images, {})].map(([site, value]) => `${site} ${value.shape}`)),
    );
    images.dispose();
  }
  const model = models.luvit;
  for (const options of [
    { sites: ["fusion.out"] },
    { sites: ["llama.layers.0.middle", "embed"], batchSize: 1 },
    { sites: ["blocks.9.out"] },
    { sites: [] },
    { batchSize: 0 },
    { layer: "x" },
  ])
    await calls.once(JSON.stringify(options), async () =>
      shown(await lens(model, set.take(2), { ...options, ...eager } as never)),
    );
  await calls.once("whole images", async () =>
    shown(
      await lens(
        model,
        inMemory({
          count: 3,
          shapes: [
            [4, 12],
            [8, 4],
          ],
        }),
        { sites: ["blocks.1.out"], positions: "dino", ...eager },
      ),
    ),
  );
  await calls.once("an image", async () =>
    shown(
      await lens(
        model,
        { width: 12, height: 12, data: Uint8Array.from({ length: 432 }, (_, i) => (i * 37) % 256) },
        { sites: ["embed"], ...eager },
      ),
    ),
  );
  await calls.does("no classifier", () => lens({} as never, set));
  await calls.does("no images", () => lens(model, [] as never));
  const maps = new LensMaps(
    { path: "a\n.png" } as never,
    3,
    { rows: 1, columns: 2 },
    [
      { site: "embed", logits: Float32Array.of(9, 9, 9, 1, 2, 3, 0, 5, 5), pooled: Float32Array.of(1, 2, 3) },
      { site: "b", logits: new Float32Array(9), pooled: new Float32Array(3) },
    ],
    1,
  );
  for (const [site, patch] of [
    ["embed", 0],
    ["embed", 1],
    ["b", 1],
    ["embed", 2],
    ["embed", -1],
    ["embed", 0.5],
    ["x", 0],
  ] as const)
    await calls.does(`at ${site} ${patch}`, () => maps.at(site, patch));
  await calls.does("labels", () => [maps.labels("embed"), maps.labels("b")]);
  await calls.does("labels of no place", () => maps.labels("x"));
  calls.note("text", [String(maps), inspect(maps)]);
  calls.approve("analysis/lens/heads");
});

test("what patches say by probes of their own is approved", async () => {
  const calls = new Calls();
  const [model, set] = [smallLuvit(), inMemory({ count: 7, broken: [2] })];
  const trained = (options: object = {}, of: object = model, from: object = set) =>
    trainLensProbes(of as never, from as never, { epochs: 2, baseLr: 20, ...eager, ...options });
  const summed = async (probes: LensProbes) => ({
    text: String(probes).split("\n"),
    table: rowsOf(probes.table).map(({ commit: _, ...row }) => row),
    state: await Promise.all(
      [...probes.probes].map(async ([site, { probe }]) => [
        site,
        ...[...(await probe.stateDict())].map(([, { data }]) => Array.from(data as Float32Array)),
      ]),
    ),
  });
  await calls.once("all places", async () => summed(await trained()));
  for (const options of [
    { sites: ["blocks.1.out", "embed"], test: inMemory({ count: 4 }), batchSize: 2 },
    { sites: ["llama.layers.0.out"], seed: 3, weightDecay: 0.5, batchSize: 1 },
  ])
    await calls.once(JSON.stringify({ ...options, test: "test" in options }), async () =>
      summed(await trained(options)),
    );
  for (const options of [
    { sites: ["x"] },
    { sites: [] },
    { test: 1 },
    { batchSize: 0 },
    { epochs: 0 },
    { other: 1 },
    { signal: AbortSignal.abort() },
  ])
    await calls.once(JSON.stringify(options), () => trained(options));
  await calls.once("no classifier", () => trained({}, {}));
  await calls.once("no set", () => trained({}, model, [1]));
  const probes = await trained({ sites: ["embed", "fusion.out"], epochs: 1 });
  calls.note("inspected", inspect(probes) === String(probes));
  await calls.once("lens", async () => shown(await probes.lens(inMemory({ count: 2 }), eager)));
  await calls.once("lens on whole images", async () =>
    shown(
      await probedMaps(
        model,
        probes.probes,
        inMemory({
          count: 3,
          shapes: [
            [4, 12],
            [8, 4],
            [12, 4],
          ],
        }),
        { ...eager, positions: "dino", graphs: 1 },
      ),
    ),
  );
  await calls.does("lens on nothing", () => probes.lens([] as never));
  await calls.does("lens with what cannot be", () => probes.lens(set, { batchSize: 2 } as never));
  await calls.does("of no classifier", () => new LensProbes({} as never, new Map()));
  calls.approve("analysis/lens/probes");
});
