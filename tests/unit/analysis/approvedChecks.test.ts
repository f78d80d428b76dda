import { before, test } from "node:test";
import { inspect } from "node:util";
import { lastViTLayer, layersOf, summarizeEntropy } from "../../../src/analysis/attentionEntropy";
import { AttentionMaps } from "../../../src/analysis/attentionMaps";
import { BackgroundReliance } from "../../../src/analysis/backgrounds";
import { tableOf } from "../../../src/analysis/columns";
import { engineOf } from "../../../src/analysis/engineOf";
import { EntropyShares } from "../../../src/analysis/entropyShares";
import { expectLabel } from "../../../src/analysis/expectLabel";
import { expectUsualTokens } from "../../../src/analysis/expectUsualTokens";
import { readable, setOf } from "../../../src/analysis/givenImages";
import { GradientSignal } from "../../../src/analysis/gradientSignal";
import { GraphsByShape } from "../../../src/analysis/graphsByShape";
import { gridOf, runVariants } from "../../../src/analysis/lookGraphs";
import * as paper from "../../../src/analysis/paper";
import { expectLayers, tapPatterns } from "../../../src/analysis/patterns";
import { PseudoMaskIou } from "../../../src/analysis/pseudoMaskIou";
import { brokenImage, expectCells } from "../../../src/analysis/squareSamples";
import { Rng } from "../../../src/core/rng";
import { startBackend } from "../../../src/core/tf";
import { Calls } from "../../support/calls";

before(() => startBackend({ backend: "wasm" }));

const fails = (message: string) => () => Promise.reject(new Error(message));

test("small checks and tables of what the paper says are approved", async () => {
  const calls = new Calls();
  for (const [name, value] of Object.entries(paper)) calls.note(name, value);
  for (const label of [0, 2, 3, -1, 0.5, Number.NaN, "1"])
    await calls.of(expectLabel, "class of x", label, 3);
  for (const config of [
    {},
    { registers: 0 },
    { registers: 1 },
    { registers: 4, classToken: true },
    { classToken: false },
    { classToken: false, registers: 2 },
  ])
    await calls.of(expectUsualTokens, config);
  await calls.of(expectLayers, "what", undefined, ["blocks.0"]);
  await calls.of(expectLayers, "what", ["blocks.0"], ["blocks.0", "blocks.1"]);
  await calls.of(expectLayers, "what", ["blocks.7", "blocks.0", "x"], ["blocks.0", "blocks.1"]);
  const seen: unknown[] = [];
  const tap = tapPatterns((layer, value) => void seen.push([layer, value]));
  for (const name of [
    "blocks.3.attn.pattern",
    "llama.layers.0.attention.pattern",
    "attn_pool.pattern",
    "blocks.3.attn.patterns",
    "blocks.3.attn.scores",
    "attn.pattern",
    "x.attn.pattern.y",
  ])
    tap(name, name as never);
  calls.note("patterns seen", seen);
  await calls.of(engineOf, {
    engine: "eager",
    threads: 3,
    provider: "cpu",
    precision: "float32",
    frozen: "int8",
    tf32: false,
    batchSize: 3,
    positions: "mae",
  });
  await calls.of(engineOf, { engine: undefined, threads: 0 });
  for (const [height, width, patch] of [
    [24, 16, 8],
    [23, 17, 8],
    [7, 8, 8],
  ])
    await calls.of(gridOf, { height, width }, patch);
  await calls.of(expectCells, { path: "a.png" }, 4, 8);
  await calls.of(expectCells, { path: "a.png", foreground: new Uint8Array(4) }, 4, 8);
  await calls.of(expectCells, { path: "a.png", foreground: new Uint8Array(9) }, 4, 8);
  await calls.of(
    brokenImage,
    ["a", "b\n", "c"].map((path, i) => ({
      path,
      image: Float32Array.of(1, [1, Number.NaN, Number.NEGATIVE_INFINITY][i]),
    })),
  );
  await calls.does("variants", async () => {
    const fed: unknown[] = [];
    const forward = { run: async (feeds: unknown) => ({ y: Float32Array.of(fed.push(feeds)) }) };
    const samples = [{ path: "a" }, { path: "bc" }];
    const options = {
      batchSize: 3,
      beside: { width: 2, of: ({ path }: { path: string }) => [path.length, 7] },
      variants: { shape: [1, 2], feeds: [Float32Array.of(1, 2), Float32Array.of(3, 4)] },
    };
    const images = { images: { data: new Float32Array(3), shape: [3] } };
    const found = [
      await runVariants(forward as never, images, samples as never, 3, options as never),
      await runVariants(forward as never, images, samples as never, 3, { batchSize: 3 }),
    ];
    return { found, fed };
  });
  const column = (...values: (string | number | null)[]) => values as never;
  const rows = tableOf({
    layer: column("a", "a", "a", "b", "a", "a"),
    index: column(4, 4, 4, 4, 9, 9),
    image: column("x", "x", "x", "x", "y", "y"),
    entropy: column(1, 2, 4, 50, 3, 5),
    foreground: column(1, 0, null, 1, 0, 0),
  });
  await calls.does("layersOf", () => layersOf(rows));
  for (const layer of ["a", "b", "c", ""])
    await calls.does(`summarizeEntropy ${layer}`, () => summarizeEntropy(rows, layer));
  await calls.of(layersOf, {});
  await calls.of(summarizeEntropy, [], "a");
  await calls.of(lastViTLayer, { encoder: { config: { depth: 7 } }, head: 0, classes: 2 });
  await calls.of(lastViTLayer, {});
  calls.approve("analysis/checks");
});

test("what results print as is approved", async () => {
  const calls = new Calls();
  const printed = (name: string, value: object) => {
    calls.note(name, value);
    calls.note(`${name}, as text`, String(value));
    calls.note(`${name}, inspected`, inspect(value) === String(value));
  };
  printed("reliance", new BackgroundReliance(96.54, 87.81, 83.26));
  printed("reliance below", new BackgroundReliance(0, 10, 20.06));
  const sample = { path: "a\nb.png", index: 1, label: 0, image: new Float32Array(3) };
  const maps = new AttentionMaps(sample, { rows: 2, columns: 3 }, [
    { layer: "blocks.0", heads: 3 },
    { layer: "llama.layers.0", heads: 32 },
  ] as never);
  printed("maps", maps);
  calls.note("tokens", maps.tokens);
  const share = (percentBackgroundGreater: number, counted: number, skipped: number) => ({
    percentBackgroundGreater,
    counted,
    skipped,
  });
  const shares = {
    "ImageNet-S-50": share(84.26, 752, 3),
    mine: share(Number.NaN, 0, 2),
    "ImageNet-S-919": share(0, 1, 0),
  };
  const none = undefined as never;
  const complete = new EntropyShares(none, shares, "blocks.11");
  printed("shares", complete);
  const stopped = new EntropyShares(
    none,
    { a: share(50, 2, 0) },
    "blocks.1",
    ["a: images 3 to 4", "b: all of it"],
    { a: 2, c: 0, b: 1 },
  );
  printed("shares stopped", stopped);
  calls.note("complete", [complete.complete, stopped.complete]);
  const summary = (kind: string, fixed: number) =>
    ({ kind, images: 3, bestPerImage: 51.26, fixed, fixedThreshold: 0.3 }) as never;
  for (const data of [undefined, "", "ImageNet-S-50", "ImageNet-S-300", "mine"])
    printed(
      `masks of ${data}`,
      new PseudoMaskIou(
        none,
        [summary("magnitude", 42.34), summary("frequency", Number.NaN), summary("attention", 0)],
        data,
      ),
    );
  const part = new PseudoMaskIou(none, [], "mine", ["images 3 to 4"], 1);
  printed("masks stopped", part);
  calls.note("masks complete", [part.complete, new PseudoMaskIou(none, [], "mine").complete]);
  const table = {} as never;
  printed(
    "signal",
    new GradientSignal({
      table,
      layers: [
        { layer: "patch_embed", parameters: 12, gsnr: 0.00123456 },
        { layer: "head", parameters: 3, gsnr: 12.5 },
      ],
      mean: 0.5,
      groups: 7,
      groupSize: 3,
    }),
  );
  await calls.does("no parts", () => new GradientSignal({ table } as never));
  await calls.does("no parts at all", () => new GradientSignal(undefined as never));
  calls.approve("analysis/printed");
});

test("images that are given as they are become sets", async () => {
  const calls = new Calls();
  const picture = (width: number, height: number, shift = 0) => ({
    width,
    height,
    data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37 + shift) % 256),
  });
  const shown = async (set: ReturnType<typeof setOf>) => ({
    ...set,
    all: await Promise.all(Array.from({ length: set.length }, (_, i) => set.load(i, new Rng(0)))),
  });
  await calls.does("one that fits", () => shown(setOf([picture(3, 3)], 3)));
  await calls.does("two that fit", () => shown(setOf([picture(3, 3), picture(3, 3, 5)], 3)));
  await calls.does("others are made to fit", async () => {
    const { all } = await shown(setOf([picture(9, 6), picture(3, 6), picture(6, 3)], 6));
    return all.map(({ image, ...rest }) => ({ ...rest, numbers: image.length }));
  });
  await calls.does("an image", () => shown(readable(picture(3, 3), 3) as never));
  await calls.does("images", () => shown(readable([picture(3, 3), picture(3, 3, 5)], 3) as never));
  const set = { load: () => undefined, length: 2 } as never;
  calls.note("a set stays", readable(set, 3) === set);
  calls.approve("analysis/given");
});

test("graphs by shape are opened once, and the least used ones closed", async () => {
  const calls = new Calls();
  const log: string[] = [];
  let broken = false;
  const graphs = new GraphsByShape(async ({ height, width }, batch) => {
    log.push(`open ${batch} of ${height} x ${width}`);
    if (broken) await fails("no memory")();
    return {
      batch,
      run: async () => ({}),
      dispose: async () => void log.push(`close ${batch} of ${height} x ${width}`),
    } as never;
  }, 2);
  const asked = async (height: number, width: number, batch: number, images: number) => {
    await calls.once(
      `graph for ${images} images of ${height} x ${width}, ${batch} at a time`,
      async () =>
        ((await graphs.graphFor({ height, width }, batch, images)) as unknown as { batch: number }).batch,
    );
    calls.note("log", log.splice(0));
  };
  await asked(8, 16, 2, 2);
  await asked(16, 8, 2, 5);
  await asked(8, 16, 2, 2);
  await asked(8, 16, 1, 1);
  await asked(8, 16, 2, 1);
  await asked(16, 8, 2, 9);
  broken = true;
  await asked(24, 24, 1, 1);
  broken = false;
  await asked(24, 24, 1, 3);
  calls.note("shapes", graphs.shapes);
  await Promise.all([asked(40, 40, 1, 1), asked(40, 40, 1, 1)]);
  await calls.once("dispose", () => graphs.dispose());
  calls.note("log", log.splice(0));
  await calls.once("dispose twice", () => graphs.dispose());
  calls.note("log", log.splice(0));
  await asked(8, 16, 2, 2);
  calls.approve("analysis/graphs");
});
