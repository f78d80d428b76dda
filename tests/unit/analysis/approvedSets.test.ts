import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, before, test } from "node:test";
import type { Table } from "apache-arrow";
import { backgroundReliance } from "../../../src/analysis/backgrounds";
import { entropyShares } from "../../../src/analysis/entropyShares";
import { extractFeatures } from "../../../src/analysis/features";
import { gradientSignal } from "../../../src/analysis/gradientSignal";
import { rowsOf } from "../../../src/analysis/provenance";
import { pseudoMaskIou } from "../../../src/analysis/pseudoMaskIou";
import { showWorkWith } from "../../../src/core/progress";
import { startBackend } from "../../../src/core/tf";
import { mae } from "../../../src/models";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";
import { perturb } from "../models/support";
import { inMemory, smallClassifier, smallLuvit, smallViT } from "./imagesInMemory";

before(() => startBackend({ backend: "wasm" }));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const eager = { engine: "eager" } as const;
const lines = (table: Table) => rowsOf(table).map(({ commit: _, ...row }) => row);
const smallMae = (options: object = {}) => {
  const model = mae.create({
    encoder: smallViT,
    decoder: { dim: 8, depth: 1, heads: 2, mlpRatio: 2 },
    ...options,
  });
  perturb(model);
  return model;
};
/** What is shown of work, and what happens at an advance. */
function watched(at: (done: number) => void = () => {}): unknown[] {
  const log: unknown[] = [];
  showWorkWith((work) => {
    log.push(work);
    const advance = (done: number) => {
      log.push(done);
      at(done);
    };
    return { advance, end: (state) => void log.push(state) };
  });
  return log;
}

test("what sets show is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const [model, set, masked] = [
    smallLuvit(),
    inMemory({ count: 4 }),
    inMemory({ count: 4, masks: 4, broken: [1] }),
  ];
  const asRun = { model: "m", recipe: "r", seed: 3 };
  const shares = async (sets: object, options: object = {}, of = model) => {
    const { table, ...found } = await entropyShares(of, sets as never, { ...asRun, ...eager, ...options });
    return { ...found, rows: lines(table) };
  };
  for (const options of [
    {},
    { layer: "blocks.0", batchSize: 3 },
    { layer: "llama.layers.0" },
    { layer: "blocks.2" },
    { batchSize: 0 },
    { data: "x" },
  ])
    await calls.once(`entropyShares ${JSON.stringify(options)}`, () =>
      shares({ mine: masked, "ImageNet-S-50": masked.take(1) }, options),
    );
  await calls.once("entropyShares without masks", () => shares({ set }));
  await calls.once("entropyShares aborted", () =>
    shares({ mine: masked, other: masked }, { signal: AbortSignal.abort() }),
  );
  await calls.once("entropyShares of nothing", () => shares({}));
  await calls.once("entropyShares that cannot be folders", () => shares({ "a/b": masked }, { out: folder }));
  await calls.once("entropyShares of what is no set", () => shares({ a: 1 }));
  await calls.once("entropyShares by itself", async () => {
    const { table, layer } = await entropyShares(model, { mine: masked }, eager);
    return [layer, lines(table)[0]];
  });
  await calls.once("entropyShares kept", () =>
    shares({ mine: masked, other: masked.take(1) }, { out: folder }),
  );
  calls.note("files", readdirSync(folder, { recursive: true }).map(String).sort());
  await calls.once("entropyShares of a shard", () =>
    shares({ mine: masked }, { out: join(folder, "shard"), shard: { index: 1, count: 2 }, batchSize: 1 }),
  );
  calls.note("files", readdirSync(join(folder, "shard"), { recursive: true }).map(String).sort());
  const masks = async (options: object = {}, of = masked) => {
    const { table, ...found } = await pseudoMaskIou(model, of, { ...asRun, ...eager, ...options });
    return { ...found, rows: lines(table).filter((_, i) => i % 5 === 0), count: table.numRows };
  };
  for (const options of [
    {},
    { kinds: ["attention"] },
    { kinds: ["frequency", "attention", "magnitude"], layer: "blocks.0", batchSize: 1 },
    { mean: "column" },
    { mean: "all", data: "ImageNet-S-50" },
    { kinds: [] },
    { kinds: ["x"] },
    { layer: "llama.layers.0" },
    { layer: "blocks.2" },
    { layer: "llama.layers.0", kinds: ["attention"] },
    { layer: "llama.layers.0", kinds: ["magnitude", "attention"] },
    { mean: "row" },
  ])
    await calls.once(`pseudoMaskIou ${JSON.stringify(options)}`, () => masks(options));
  await calls.once("pseudoMaskIou without masks", () => masks({}, set));
  await calls.once("pseudoMaskIou of whole images", () =>
    masks(
      { mean: "column", kinds: ["magnitude", "attention"] },
      inMemory({
        masks: 4,
        shapes: [
          [8, 12],
          [4, 12],
        ],
      }),
    ),
  );
  await calls.once("pseudoMaskIou aborted", () => masks({ signal: AbortSignal.abort() }));
  await calls.once("pseudoMaskIou kept", () => masks({ out: join(folder, "masks"), mean: "all" }));
  await calls.once("pseudoMaskIou kept, as where nothing is said", () =>
    masks({ out: join(folder, "masks") }),
  );
  await calls.once("pseudoMaskIou kept, otherwise", () =>
    masks({ out: join(folder, "masks"), mean: "column" }),
  );
  calls.note("files", readdirSync(join(folder, "masks"), { recursive: true }).map(String).sort());
  const aMae = smallMae();
  const features = (options: object = {}, of: object = model, from = masked) =>
    extractFeatures(of as never, from, { ...eager, ...options });
  for (const options of [
    {},
    { batchSize: 1 },
    { pool: "class" },
    { pool: "patches" },
    { layer: "blocks.0" },
    { layer: "blocks.1", pool: "class" },
    { layer: "llama.layers.0" },
    { layer: "x" },
    { pool: "x" },
  ])
    await calls.once(`extractFeatures ${JSON.stringify(options)}`, () => features(options));
  await calls.once("extractFeatures of a mae", () => features({}, aMae));
  for (const pooling of ["cls", "attention"] as const) {
    const pooled = smallClassifier({ pooling });
    await calls.once(`extractFeatures, pooling ${pooling}`, () => features({}, pooled));
  }
  const bare = smallClassifier({ encoder: { ...smallViT, classToken: false } });
  const registers = smallClassifier({ encoder: { ...smallViT, registers: 2 } });
  for (const pool of ["class", "patches"]) {
    await calls.once(`extractFeatures without a class token, ${pool}`, () => features({ pool }, bare));
    await calls.once(`extractFeatures with registers, ${pool}`, () => features({ pool }, registers));
  }
  await calls.once("extractFeatures of whole images", () =>
    features(
      { positions: "dino" },
      model,
      inMemory({
        shapes: [
          [4, 8],
          [8, 4],
        ],
      }),
    ),
  );
  const reliance = (of: object, splits: object) => backgroundReliance(of as never, splits as never);
  const plain = smallClassifier();
  const splits = { original: set, mixed_same: inMemory({ count: 7 }), mixed_rand: inMemory({ count: 5 }) };
  calls.note("backgroundReliance", await reliance(plain, splits));
  await calls.once("backgroundReliance of other classes", () =>
    reliance(model, { ...splits, mixed_same: inMemory({ classes: ["a", "b"] }) }),
  );
  await calls.once("backgroundReliance of a split too few", () =>
    reliance(model, { original: set, mixed_same: set }),
  );
  await calls.once("backgroundReliance of no classifier", () => reliance(aMae, splits));
  calls.approve("analysis/sets");
});

test("gradient signals are approved", async () => {
  const calls = new Calls();
  const [model, set] = [smallClassifier(), inMemory({ count: 7 })];
  const signal = async (options: object = {}, of: object = model, from = set) => {
    const { table, ...found } = await gradientSignal(of as never, from, { ...eager, ...options });
    return { ...found, rows: lines(table).length, first: lines(table)[0], last: lines(table).at(-1) };
  };
  for (const options of [
    {},
    { groups: 2 },
    { groups: 3, groupSize: 2, seed: 4 },
    { groupSize: 3, model: "m", data: "d", recipe: "r", seed: 1 },
    { groupSize: 4 },
    { groups: 1 },
    { groupSize: 0 },
    { groups: 2.5 },
  ])
    await calls.once(`gradientSignal ${JSON.stringify(options)}`, () => signal(options));
  const aMae = smallMae();
  const log = watched();
  await calls.once("of a mae", () => signal({ groups: 2, groupSize: 2, seed: 5 }, aMae));
  calls.note("shown", log);
  const luvit = smallLuvit();
  for (const [path, parameter] of luvit.namedParameters())
    if (!path.startsWith("llama") && !path.startsWith("head"))
      (parameter as { trainable: boolean }).trainable = false;
  await calls.once("of a part", () => signal({ groups: 2 }, luvit));
  const stop = new AbortController();
  const stopped = watched((done) => {
    if (done === 6) stop.abort();
  });
  await calls.once("stopped", () =>
    signal({ groupSize: 2, signal: stop.signal, seed: 0 }, model, inMemory({ count: 20 })),
  );
  calls.note("shown", stopped);
  await calls.once("of other sizes", () => signal({}, model, inMemory({ size: 16 })));
  await calls.once("of more classes", () => signal({}, model, inMemory({ classes: ["a", "b", "c", "d"] })));
  await calls.once("of whole images", () => signal({}, model, inMemory({ shapes: [[8, 4]] })));
  calls.approve("analysis/gradientSignal");
});
