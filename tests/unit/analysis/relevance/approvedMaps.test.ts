import { afterEach, before, test } from "node:test";
import { inspect } from "node:util";
import { rowsOf } from "../../../../src/analysis/provenance";
import { faithfulness } from "../../../../src/analysis/relevance/faithfulness";
import { leGrad } from "../../../../src/analysis/relevance/legrad";
import { explainerOf } from "../../../../src/analysis/relevance/methods";
import { predicted, RelevanceMap, relevance } from "../../../../src/analysis/relevance/relevance";
import { showWorkWith } from "../../../../src/core/progress";
import { startBackend, tf } from "../../../../src/core/tf";
import { Calls } from "../../../support/calls";
import { inMemory, smallClassifier, smallLuvit, smallViT } from "../imagesInMemory";

before(() => startBackend({ backend: "wasm" }));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const eager = { engine: "eager" } as const;
const wave = (length: number, step = 0.7) =>
  Array.from({ length }, (_, i) => Number((Math.sin(step * i) + i / 70).toFixed(3)));
const numbers = (shape: number[], step = 0.7) =>
  tf.tensor(
    wave(
      shape.reduce((a, b) => a * b, 1),
      step,
    ),
    shape,
  );

test("maps of every method and choice are approved", async () => {
  const calls = new Calls();
  const [luvit, set] = [smallLuvit(), inMemory({ count: 2 })];
  const shown = async (...given: unknown[]) =>
    (await relevance(...(given as Parameters<typeof relevance>))).map((map) => ({
      text: String(map),
      label: map.label,
      patches: map.patches,
      pixels: map.pixels(),
      grid: map.grid,
      size: map.size,
    }));
  const methods = ["chefer", "legrad", "gradcam", "rollout", "gradient-rollout"] as const;
  const models = {
    luvit,
    cls: smallClassifier({ pooling: "cls" }),
    attention: smallClassifier({ pooling: "attention" }),
    registers: smallClassifier({ encoder: { ...smallViT, registers: 2 } }),
    bare: smallClassifier({ encoder: { ...smallViT, classToken: false } }),
  };
  for (const [name, model] of Object.entries(models))
    for (const method of methods)
      await calls.once(`${name}, ${method}`, () =>
        shown(model, name === "luvit" ? set : set.take(1), { method, ...eager }),
      );
  for (const options of [
    { class: 0 },
    { class: 2, batchSize: 1 },
    { class: "label" },
    { class: "predicted" },
    { layers: ["blocks.1"] },
    { method: "legrad", layers: ["llama.layers.0", "blocks.0"] },
    { method: "legrad", score: "all-tokens" },
    { method: "legrad", score: "clip" },
    { method: "legrad", score: "model" },
    { method: "gradcam", layers: ["blocks.0"] },
    { method: "gradcam", layers: ["blocks.0", "llama.layers.0"] },
    { method: "rollout", heads: "max" },
    { method: "rollout", heads: "min", discard: 0.7 },
    { method: "rollout", normalize: "official" },
    { method: "gradient-rollout", gradient: "aligned", discard: 0.5, class: 1 },
  ])
    await calls.once(JSON.stringify(options), () => shown(luvit, set.take(1), { ...options, ...eager }));
  await calls.once("official gradient-rollout", () =>
    shown(models.cls, set.take(1), { method: "gradient-rollout", gradient: "official", ...eager }),
  );
  for (const options of [
    { class: 3 },
    { class: -1 },
    { class: 1.5 },
    { class: "x" },
    { method: "x" },
    { layers: ["x"] },
    { layers: [] },
    { discard: 1 },
    { discard: -0.1 },
    { heads: "sum" },
    { score: "x" },
    { gradient: "x" },
    { normalize: "x" },
    { batchSize: 0 },
    { other: 1 },
  ])
    await calls.does(JSON.stringify(options), () => relevance(luvit, set, { ...options, ...eager } as never));
  const picture = (width: number, height: number) => ({
    width,
    height,
    data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37) % 256),
  });
  await calls.once("of an image", () => shown(luvit, picture(12, 12), eager));
  await calls.once("of images", () => shown(luvit, [picture(12, 12), picture(12, 12)], eager));
  await calls.does("of images without labels", () =>
    relevance(luvit, picture(12, 12), { class: "label", ...eager }),
  );
  await calls.does("of no images", () => relevance(luvit, [], eager));
  await calls.once("of whole images", () =>
    shown(
      luvit,
      inMemory({
        count: 3,
        shapes: [
          [8, 12],
          [4, 8],
        ],
      }),
      { ...eager, positions: "dino", class: "label" },
    ),
  );
  const sample = { path: "a\n.png", image: new Float32Array(3) } as never;
  await calls.does(
    "a map without its parts",
    () =>
      new RelevanceMap(
        {} as never,
        "chefer",
        0,
        0.5,
        { rows: 1, columns: 1 },
        { rows: 1, columns: 1 },
        {} as never,
        {},
      ),
  );
  await calls.does(
    "a map without what explains it",
    () =>
      new RelevanceMap(
        sample,
        "chefer",
        0,
        0.5,
        { rows: 1, columns: 1 },
        { rows: 1, columns: 1 },
        {} as never,
        {},
      ),
  );
  await calls.does("a map's text", () => {
    const explainer = { patches: () => Float32Array.of(1), pixels: () => Float32Array.of(2) } as never;
    const map = new RelevanceMap(
      sample,
      "legrad",
      3,
      0.12345,
      { rows: 1, columns: 1 },
      { rows: 1, columns: 1 },
      explainer,
      {},
    );
    return [String(map), inspect(map), map.pixels(), map.patches];
  });
  for (const score of [undefined, "all-tokens", "clip"] as const)
    await calls.does(`leGrad ${score}`, () => {
      const images = numbers([2, 3, 12, 12]);
      const found = tf.tidy(() => {
        const { layers, logits } = leGrad(luvit, images, predicted, score);
        return {
          layers: [...layers].map(([name, value]) => [name, Array.from(value.dataSync())]),
          logits: [...logits.dataSync()],
        };
      });
      images.dispose();
      return found;
    });
  await calls.does("explainerOf no such layer", () => explainerOf(luvit, "chefer", { layers: ["blocks.2"] }));
  calls.approve("analysis/relevance/maps");
});

test("faithfulness is approved", async () => {
  const calls = new Calls();
  const [model, set] = [smallClassifier(), inMemory({ count: 2, masks: 4 })];
  const log: unknown[] = [];
  showWorkWith((work) => {
    log.push(work);
    return { advance: (done) => void log.push(done), end: (state) => void log.push(state) };
  });
  const found = async (options: object = {}, of: object = model, from = set) => {
    const { table, curves } = await faithfulness(of as never, from, {
      ...eager,
      methods: ["gradcam"],
      ...options,
    });
    const rows = rowsOf(table).map(({ commit: _, ...row }) => row);
    return { rows, steps: curves.numRows, curves: rowsOf(curves).map(({ mean }) => mean) };
  };
  for (const options of [
    {},
    { step: 40, batchSize: 3 },
    { step: 144 },
    { step: 1000, batchSize: 1 },
    { methods: ["chefer", "rollout"], step: 72, model: "m", data: "d", recipe: "r", seed: 3 },
  ]) {
    await calls.once(JSON.stringify(options), () => found(options));
    calls.note("shown", log.splice(0));
  }
  await calls.once("by itself", async () =>
    rowsOf((await faithfulness(model, set.take(1), { step: 144, ...eager })).summary).map(
      ({ method, measure, images }) => `${method} ${measure} ${images}`,
    ),
  );
  log.splice(0);
  await calls.once("of whole images", () =>
    found(
      { step: 32, positions: "dino", graphs: 1 },
      model,
      inMemory({
        count: 2,
        masks: 4,
        shapes: [
          [8, 12],
          [8, 4],
        ],
      }),
    ),
  );
  log.splice(0);
  await calls.once("aborted", () =>
    found({ signal: AbortSignal.abort(), methods: ["rollout", "gradcam"], step: 144 }),
  );
  calls.note("shown", log.splice(0));
  for (const options of [
    { step: 0 },
    { step: 1.5 },
    { methods: [] },
    { methods: ["x"] },
    { batchSize: 0 },
    { class: 1 },
  ])
    await calls.does(JSON.stringify(options), () => found(options));
  await calls.does("none can be read", () => found({}, model, inMemory({ count: 2, broken: [0, 1] })));
  await calls.does("of no classifier", () => found({}, {}));
  calls.approve("analysis/relevance/faithfulness");
});
