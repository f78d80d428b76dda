import assert from "node:assert/strict";
import { before, test } from "node:test";
import { analysis, benchmark, coco } from "../../../src";
import { entropyOptions } from "../../../src/analysis/attentionEntropy";
import { detectorEvaluationOptions } from "../../../src/analysis/detection/evaluateDetector";
import { entropyShareOptions } from "../../../src/analysis/entropyShares";
import { gradientSignalOptions } from "../../../src/analysis/gradientSignal";
import { patchMapOptions, reconstructOptions } from "../../../src/analysis/options";
import { segmentationOptions } from "../../../src/analysis/segmentation/evaluate";
import { suiteOptions } from "../../../src/analysis/suite/options";
import { type Field, problemsOf } from "../../../src/core/options";
import { startBackend } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { segmenter } from "../../../src/models";
import { isLuvitError } from "../nn/support";
import { scenes, smallDetector } from "../train/detection/support";
import { tinyViT } from "../train/support";
import { maskedImages, temporaryFolder, tinyClassifier, tinyMae, writeImages } from "./support";

before(() => startBackend());

type Wrong = Readonly<Record<string, readonly unknown[]>>;
const engine: Wrong = { engine: ["none", 3], threads: [-1, 0.5] };
const batchSize: Wrong = { batchSize: [0, -1, 1.5, Number.NaN, "2", 2_000_000] };
const looking: Wrong = { ...engine, positions: ["square", 1], graphs: [0, 1.5] };
const about: Wrong = { model: [3, ""], recipe: [3, ""], seed: [-1, 0.5, "1"] };
const provenance: Wrong = { ...about, data: [3, ""] };
const keeping: Wrong = { out: [3, ""], keepEvery: [0, 1.5], signal: [{}, 3] };
const names: readonly unknown[] = [[], "blocks.0", [3], [""]];
const choice = (field: string, ...more: unknown[]): Wrong => ({ [field]: ["other", 3, ...more] });
const shard: Wrong = { shard: [{ index: 2, count: 1 }, { index: 0, count: 2 }, {}, 1] };

const features = { values: [1, 2, 3, 4], dim: 1, labels: [0, 1, 0, 1] } as never;

async function given() {
  const set = await imageFolder(await writeImages(temporaryFolder(), 1), {
    transform: transforms.evaluation(16),
  });
  const masked = await maskedImages([["object", "ground", "ground", "ground"]]);
  const model = tinyClassifier();
  const segmenting = segmenter.create({ encoder: tinyViT, classes: 2 });
  const detector = smallDetector();
  const boxes = await scenes("val", 1);
  const { truth } = boxes;
  const of = (options: unknown) => options as never;
  // biome-ignore format: a line each
  const calls: [name: string, call: (options: unknown) => unknown, wrong: Wrong][] = [
    ["relevance", (o) => analysis.relevance(model, set, of(o)), { ...looking, ...batchSize, layers: names, ...choice("method"), ...choice("score"), ...choice("heads"), ...choice("gradient"), ...choice("normalize"), discard: [-0.1, 1, 1.5, "0"], class: [-1, 0.5, "best"] }],
    ["faithfulness", (o) => analysis.faithfulness(model, set, of(o)), { ...looking, ...provenance, ...batchSize, methods: [[], ["other"], "chefer"], step: [0, 1.5], signal: [{}] }],
    ["lens", (o) => analysis.lens(model, set, of(o)), { ...looking, ...batchSize, sites: names }],
    ["trainLensProbes", (o) => analysis.trainLensProbes(model, set, of(o)), { ...engine, ...batchSize, sites: names, test: [{}, 3], epochs: [0, 1.5], warmupEpochs: [-1], baseLr: [0, -1], weightDecay: [-1], seed: [-1], signal: [{}] }],
    ["ablateHeads", (o) => analysis.ablateHeads(model, set, of(o)), { ...looking, ...keeping, ...provenance, layers: names, ...choice("replaceBy") }],
    ["patchActivations", (o) => analysis.patchActivations(model, set, set, of(o)), { ...engine, ...keeping, ...provenance, ...batchSize, sites: names, ...choice("tokens") }],
    ["tokenNorms", (o) => analysis.tokenNorms(model, set, of(o)), { ...looking, ...batchSize, above: [[], [-1], [Number.NaN], 3] }],
    ["attentionDistances", (o) => analysis.attentionDistances(model, set, of(o)), { ...looking, ...batchSize }],
    ["patchFeatures", (o) => analysis.patchFeatures(model, set, of(o)), { ...looking, ...batchSize, layer: [3, ""] }],
    ["trainProbe", (o) => analysis.trainProbe(features, of(o)), { ...engine, test: [{}, 3], epochs: [0, 1.5], warmupEpochs: [-1, 0.5], baseLr: [0, -1], batchSize: [1, 2.5], weightDecay: [-1, Number.NaN], seed: [-1], signal: [{}] }],
    ["nearestNeighbors", (o) => analysis.nearestNeighbors(features, features, of(o)), { ...engine, k: [[], [0], [1.5], 3], temperature: [0, 0.001], classes: [0, 1.5] }],
    ["cka", (o) => analysis.cka([features], of(o)), { debiased: [1, "yes"] }],
    ["extractFeatures", (o) => analysis.extractFeatures(tinyMae(), set, of(o)), { ...looking, ...batchSize, layer: [3, ""], ...choice("pool") }],
    ["pseudoMaskIou", (o) => analysis.pseudoMaskIou(model, masked, of(o)), { ...looking, ...keeping, ...provenance, ...batchSize, ...shard, layer: [3], kinds: [[], ["other"]], ...choice("mean") }],
    ["entropyShares", (o) => analysis.entropyShares(model, { masked }, of(o)), { ...looking, ...keeping, ...about, ...batchSize, ...shard, layer: [3], data: ["mine"] }],
    ["gradientSignal", (o) => analysis.gradientSignal(model, set, of(o)), { ...engine, ...provenance, groupSize: [0, 1.5], groups: [1, 2.5], signal: [{}] }],
    ["segmentation", (o) => benchmark.segmentation(segmenting, masked, of(o)), { ...engine, ...keeping, ...about, ...batchSize, ...shard, ...choice("protocol"), data: [3], shorterSide: [0, 1.5], graphs: [0] }],
    ["suite", (o) => benchmark.suite(model, { in1k: set }, of(o)), { ...engine, ...keeping, ...about, ...batchSize, ...shard, onProgress: [3, "x"] }],
    ["coco.evaluateDetector", (o) => coco.evaluateDetector(detector, boxes, of(o)), { ...engine, ...keeping, ...about, ...shard, data: ["mine"] }],
    ["coco.evaluate", (o) => coco.evaluate(truth, [], { kind: "bbox", ...of(o) as object }), { ...provenance, ...choice("kind"), maxDetections: [[1, 2], 3], signal: [{}] }],
    ["coco.errorsByKind", (o) => coco.errorsByKind(truth, [], of(o)), { ...choice("kind"), signal: [{}], seed: [1] }],
  ];
  return calls;
}

test("an option that cannot be is refused by its name, before anything is computed", async () => {
  for (const [name, call, wrong] of await given()) {
    for (const [field, values] of [...Object.entries(wrong), ["unknownOption", [1]] as const])
      for (const value of values) {
        const what = `${name}, ${field}: ${JSON.stringify(value)}`;
        await assert.rejects(
          async () => {
            await call({ [field]: value });
            assert.fail(`${what} was taken`);
          },
          isLuvitError("bad-argument", name, field),
        );
      }
  }
});

test("results are made of what an analysis has found, and of nothing else", () => {
  const from = "from analysis";
  const made: [name: string, make: () => unknown, said?: string][] = [
    ["Faithfulness", () => new analysis.Faithfulness(3 as never, {}), from],
    ["HeadAblation", () => new analysis.HeadAblation(3 as never, {} as never, {}, []), from],
    ["ActivationPatching", () => new analysis.ActivationPatching({} as never, {}, []), "patchActivations"],
    ["GradientSignal", () => new analysis.GradientSignal({} as never)],
    ["LensProbes", () => new analysis.LensProbes({} as never, new Map())],
    ["SuiteResult", () => new benchmark.SuiteResult({} as never)],
    ["SuiteRun", () => new benchmark.SuiteRun(3 as never, async () => ({}) as never)],
    ["SuiteRun", () => new benchmark.SuiteRun([], 3 as never)],
    ["SegmentationEvaluation", () => new benchmark.SegmentationEvaluation({} as never, {} as never)],
    ["DetectorEvaluation", () => new coco.DetectorEvaluation({} as never)],
    ["lastViTLayer", () => analysis.lastViTLayer({} as never)],
    ["summarizeEntropy", () => analysis.summarizeEntropy({} as never, "blocks.0")],
    ["layersOf", () => analysis.layersOf([] as never)],
    ["rowWeights", () => analysis.rowWeights({} as never, 0)],
    ["rolloutThrough", () => analysis.rolloutThrough([] as never)],
    ["seedStatistics", () => analysis.seedStatistics(3 as never)],
    ["classAttentionMap", () => analysis.classAttentionMap(3 as never, 2)],
    ["classAttentionMap", () => analysis.classAttentionMap([1], 0)],
    ["pseudoMaskOverlap", () => analysis.pseudoMaskOverlap(3 as never, 0.5, [1])],
    ["pseudoMaskOverlap", () => analysis.pseudoMaskOverlap([1], 0.5, 3 as never)],
    ["massMask", () => analysis.massMask([1], 2), "mass"],
    ["massMask", () => analysis.massMask([-1], 0.5), "weights"],
    ["overSeeds", () => benchmark.overSeeds([3 as never])],
  ];
  for (const [name, make, said = name] of made)
    assert.throws(make, isLuvitError("bad-argument", name, said), name);
});

test("a share in which there is no image is whole, and has no row", async () => {
  const set = await maskedImages([["object", "ground", "ground", "ground"]]);
  const options = { shard: { index: 1, count: 2 }, engine: "eager" } as const;
  const { table, complete, unreadable } = await analysis.entropyShares(tinyClassifier(), { set }, options);
  assert.deepEqual([table.numRows, complete, unreadable], [0, true, { set: 0 }]);
});

test("what is left to its default may be said, and counts may be as large as a set", () => {
  const looking = { positions: "mae", graphs: 4 };
  const keeping = { out: "kept", keepEvery: 2048, signal: new AbortController().signal };
  const about = { model: "m", recipe: "r", seed: 0 };
  const usual: [Field<never>, object][] = [
    [entropyOptions, { ...looking, layers: ["blocks.0"], batchSize: 16 }],
    [patchMapOptions, { ...looking, layer: "blocks.0", batchSize: 16 }],
    [reconstructOptions, { ...looking, seed: 0 }],
    [entropyShareOptions, { ...looking, ...keeping, ...about, layer: "blocks.0", batchSize: 16 }],
    [gradientSignalOptions, { ...about, data: "d", groupSize: 1, groups: 64 }],
    [detectorEvaluationOptions, { ...about, out: "kept", keepEvery: 64, shard: { index: 1, count: 1 } }],
    [
      segmentationOptions,
      { ...about, ...keeping, protocol: "whole", shorterSide: 256, batchSize: 4, graphs: 4 },
    ],
    [suiteOptions, { ...about, ...keeping, shard: { index: 2, count: 3 } }],
  ].map(([options, said]) => [options as unknown as Field<never>, said as object]);
  for (const [options, said] of usual) {
    assert.deepEqual(problemsOf(options, said), []);
    for (const [name, value] of Object.entries(said).filter(([key]) => key !== "seed")) {
      if (typeof value !== "number") continue;
      assert.deepEqual(problemsOf(options, { [name]: 1_000_000 }), [], name);
      assert.match(problemsOf(options, { [name]: 1_000_001 }).join(), new RegExp(`^${name}: `));
      assert.match(problemsOf(options, { [name]: 0 }).join(), new RegExp(`^${name}: `));
    }
  }
});

test("what has no encoder is looked at by nothing", async () => {
  const set = await imageFolder(await writeImages(temporaryFolder(), 1), {
    transform: transforms.evaluation(16),
  });
  for (const model of [{}, null, "vit", { blocks: [] }]) {
    const refused = isLuvitError("bad-argument", "a classifier or a masked auto-encoder");
    await assert.rejects(analysis.extractFeatures(model as never, set), refused);
    await assert.rejects(analysis.attentionMaps(model as never, set), refused);
    await assert.rejects(analysis.entropyShares(model as never, { set }), refused);
  }
});
