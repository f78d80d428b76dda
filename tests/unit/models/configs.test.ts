import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { classifier, detector, fusion, lora, mae, segmenter } from "../../../src/models";
import {
  type ModelConfig,
  modelDifferences,
  parseModelConfig,
  sharedDifferences,
} from "../../../src/models/config";
import { describeLlama, llamaConfigFrom } from "../../../src/models/describe";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { ClipTower } from "../../../src/models/llavit/clip";
import { isLuvitError } from "../nn/support";
import { tinyLanguage, tinyLlavit } from "./llavit/support";
import { tinyBlock, tinyDecoder, tinyHead, tinyLlama, tinyViT } from "./support";

before(() => startBackend());

type Path = readonly (string | number)[];

/** A copy with other values at some places; undefined takes an entry away. */
function changed(config: object, changes: readonly (readonly [path: string, value: unknown])[]): object {
  const copy = structuredClone(config);
  for (const [path, value] of changes) {
    const keys: Path = path.split(".");
    const holder = keys
      .slice(0, -1)
      .reduce<Record<string, unknown>>((at, key) => at[key] as never, copy as never);
    if (value === undefined) delete holder[keys.at(-1)!];
    else holder[keys.at(-1)!] = value;
  }
  return copy;
}

const attached = () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  return block;
};
const clip = {
  imageSize: 12,
  patchSize: 4,
  dim: 8,
  depth: 2,
  heads: 2,
  hiddenDim: 16,
  normEps: 1e-5,
} as const;

const configs = {
  classifier: () => classifier.create({ encoder: tinyViT, fusion: attached(), classes: 3 }).describe(),
  segmenter: () => segmenter.create({ encoder: tinyViT, classes: 3 }).describe(),
  mae: () => mae.create({ encoder: tinyViT, decoder: tinyDecoder }).describe(),
  detector: () =>
    detector.create({ encoder: tinyViT, fusion: fusion.mlp(6), classes: 3, ...tinyHead }).describe(),
  language: () =>
    new LlamaLanguageModel({ ...tinyLlama, causal: true, rope: true, depth: 1, vocabulary: 9 }).describe(),
};

const numbers = { count: [0, -1, 1.5, 1e7, "2", null], positive: [0, -1, "1", null], share: [0, 1.5, -1] };
const { count, positive, share } = numbers;

/** By kind, entries that are refused with each of these values, and taken with each of those. */
const rules: Record<
  keyof typeof configs,
  Record<string, { not: readonly unknown[]; but: readonly unknown[] }>
> = {
  classifier: {
    ...Object.fromEntries(
      ["imageSize", "patchSize", "dim", "heads"].map((name) => [
        `encoder.${name}`,
        { not: count, but: [1, 7, 1e6] },
      ]),
    ),
    "encoder.depth": { not: [0, 1.5, 1001], but: [1, 1000] },
    "encoder.mlpRatio": { not: positive, but: [0.5, 4304 / 1152] },
    "encoder.normEps": { not: positive, but: [1e-12] },
    "encoder.finalNorm": { not: [1, "true", null], but: [true, false] },
    "encoder.registers": { not: count, but: [undefined, 4] },
    "encoder.layerScale": { not: positive, but: [undefined, 1e-5] },
    "encoder.mlp": { not: ["gelu", "relu", null], but: [undefined, "swiglu", "quick-gelu", "gelu-tanh"] },
    "encoder.classToken": { not: [true, null], but: [undefined, false] },
    "encoder.preNorm": { not: [false, null], but: [undefined, true] },
    "encoder.fusion": { not: [{}, undefined, 1], but: [null] },
    "encoder.fusion.after": { not: [-1, 0.5], but: [0, 2] },
    "encoder.fusion.activation": { not: ["relu", null], but: ["none", "gelu", "gelu-norm"] },
    "encoder.fusion.width": { not: count, but: [1] },
    "encoder.fusion.block": { not: [undefined, {}], but: [null] },
    ...Object.fromEntries(
      ["dim", "heads", "kvHeads", "headDim", "hiddenDim"].map((name) => [
        `encoder.fusion.block.${name}`,
        { not: count, but: [1, 7] },
      ]),
    ),
    "encoder.fusion.block.depth": { not: [0, 1001], but: [3] },
    "encoder.fusion.block.normEps": { not: positive, but: [1e-5] },
    "encoder.fusion.block.ropeTheta": { not: positive, but: [0.5, 5e5, 5e6, 1e12] },
    "encoder.fusion.block.slidingWindow": { not: [0, 1.5, undefined], but: [null, 1] },
    "encoder.fusion.block.rowOrder": { not: ["gguf"], but: ["hf", "meta"] },
    "encoder.fusion.block.ropeScaling": {
      not: [
        { type: "linear" },
        { type: "linear", factor: 0 },
        { type: "llama3", factor: 8 },
        { type: "divisors", divisors: [1, 0] },
        { type: "other", name: 1 },
        { type: "new" },
        {},
      ],
      but: [
        null,
        { type: "linear", factor: 0.25 },
        {
          type: "llama3",
          factor: 1.5,
          lowFrequencyFactor: 0.5,
          highFrequencyFactor: 2.5,
          originalLength: 4e6,
        },
        { type: "llama3", factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalLength: 8192 },
        { type: "divisors", divisors: [0.5, 2, 1e7] },
        { type: "other", name: "yarn" },
      ],
    },
    classes: { not: [1, 0, 2.5], but: [2, 1000] },
    pooling: { not: ["max", null], but: ["mean", "cls", "attention"] },
    classNames: { not: [["a", 1], "a", undefined], but: [null, ["a", "b", "c"]] },
    "preprocessing.size": { not: count, but: [1] },
    "preprocessing.resize": { not: ["longerSide"], but: ["shorterSide", "none"] },
    "preprocessing.cropRatio": { not: [0, -1, 1.01], but: [0.5, 1] },
    "preprocessing.interpolation": { not: ["bilinear"], but: ["bicubic"] },
    "preprocessing.mean": {
      not: [
        [0, 0],
        [0, 0, 0, 0],
        [0, 0, "0"],
      ],
      but: [[0, -1, 2]],
    },
    "preprocessing.std": {
      not: [
        [1, 1],
        [1, 1, 0],
        [1, 1, 1, 1],
      ],
      but: [[0.1, 1, 2]],
    },
    luvitVersion: { not: ["", 1, undefined], but: ["9.9.9"] },
    frozen: { not: [[""], "head", undefined], but: [[], ["head"]] },
    lora: {
      not: [{ a: { rank: 1 } }, { a: { rank: 0, alpha: 1, rankStabilized: true, merged: true } }, []],
      but: [{}],
    },
    blockSource: { not: [{}, undefined], but: [null] },
    "blockSource.checkpoint": { not: ["", undefined], but: [null, "a"] },
    "blockSource.blocks": { not: [[0], [1.5], undefined], but: [[], [1, 32]] },
    "blockSource.options": {
      not: [{ heads: 0 }, { normEps: 0 }, { ropeTheta: 0 }, { revision: "" }, { block: 1 }],
      but: [{}, { heads: 1, normEps: 1e-6, ropeTheta: 1e4, revision: "main" }],
    },
    external: {
      not: [
        { a: { source: "", sha256: "0".repeat(64) } },
        { a: { source: "x", sha256: "0".repeat(63) } },
        { a: { source: "x", sha256: "G".repeat(64) } },
        { a: { source: "x", sha256: `${"0".repeat(64)}0` } },
      ],
      but: [{}, { a: { source: "x", sha256: "0123456789abcdef".repeat(4) } }],
    },
    modelType: { not: ["luvit", undefined], but: [] },
  },
  segmenter: { classes: { not: [1], but: [2] }, pooling: { not: ["mean"], but: [undefined] } },
  mae: {
    maskRatio: { not: [-0.1, 1.1, "1", null], but: [0, 0.75, 1] },
    normPixLoss: { not: [1, null], but: [true, false] },
    decoderIsFresh: { not: [0, undefined], but: [true, false] },
    "decoder.dim": { not: count, but: [8] },
    "decoder.depth": { not: [0, 1001], but: [8] },
    "decoder.normEps": { not: positive, but: [1e-6] },
  },
  detector: {
    ...Object.fromEntries(
      ["classes", "pyramid", "encoder.windowSize", "encoder.pretrainImageSize", "encoder.dim"].map((name) => [
        `settings.${name}`,
        { not: count, but: [1, 5] },
      ]),
    ),
    "settings.masks": { not: [1, undefined], but: [true, false] },
    "settings.normEps": { not: positive, but: [1e-5] },
    "settings.encoder.globalBlocks": { not: [[-1], [0.5], 1], but: [[], [0, 1]] },
    "settings.regions.sizes": {
      not: [[[1]], [[1], [1], [1], [1], []], [[1], [1], [1], [1], [0]]],
      but: [[[1], [2], [3], [4], [5, 6]]],
    },
    "settings.regions.ratios": { not: [[], [0], [-1]], but: [[1]] },
    "settings.regions.thresholds": { not: [[], [0.1, 0.2, 0.3], [0], [1.5]], but: [[0.5], [0.3, 1]] },
    "settings.regions.weights": {
      not: [
        [1, 1, 1],
        [1, 1, 1, 0],
      ],
      but: [[10, 10, 5, 5]],
    },
    "settings.regions.objectShare": { not: share, but: [0.5, 1] },
    "settings.regions.perImage": { not: count, but: [1] },
    "settings.regions.overlap": { not: share, but: [0.7, 1] },
    "settings.regions.perLevel": {
      not: [{ train: 1 }, { train: 1, test: 0 }, 1],
      but: [{ train: 1, test: 1 }],
    },
    "settings.regions.proposals": { not: [{ test: 1 }], but: [{ train: 1, test: 1 }] },
    "settings.regions.offset": { not: ["0"], but: [0, 0.5, -1] },
    "settings.rois.convolutions": { not: [-1, 101, 0.5], but: [0, 4] },
    "settings.rois.canonicalLevel": { not: [0.5], but: [0, 4, -1] },
    "settings.rois.canonicalSize": { not: positive, but: [224] },
    "settings.rois.detections.scoreThreshold": { not: [-0.1], but: [0, 0.05] },
    "settings.rois.detections.threshold": { not: share, but: [0.5] },
    "settings.rois.detections.perImage": { not: count, but: [1] },
    classNames: { not: [[1]], but: [null, ["a"]] },
  },
  language: {
    vocabulary: { not: count, but: [1] },
    depth: { not: [0, 1001], but: [1] },
    tiedEmbeddings: { not: [false, null], but: [undefined, true] },
    maxPositions: { not: count, but: [undefined, 4096] },
  },
};

/** Every value is put in alone. */
function expectRules(config: object, all: (typeof rules)["mae"]): void {
  for (const [path, { not, but }] of Object.entries(all)) {
    const with_ = (value: unknown) => parseModelConfig("config.json", changed(config, [[path, value]]));
    for (const value of but) with_(value);
    for (const value of not)
      assert.throws(
        () => with_(value),
        isLuvitError("bad-file", "config.json", path.split(".")[0]),
        `${path} ${value}`,
      );
  }
}

for (const kind of Object.keys(configs) as (keyof typeof configs)[])
  test(`a config of a ${kind} takes what a model may be, up to its borders, and nothing beyond`, () => {
    const config = JSON.parse(JSON.stringify(configs[kind]()));
    assert.deepEqual(parseModelConfig("config.json", config), config);
    expectRules(config, rules[kind]);
  });

test("a config of a model that sees takes layer 0, every kind of mask and either tower", async () => {
  const vit = JSON.parse(JSON.stringify((await tinyLlavit({ visionQkv: "lora", rank: 2 })).describe()));
  expectRules(vit, {
    layers: { not: [[], [-1], [0.5]], but: [[0], [1, 0, 2]] },
    visionMask: { not: ["all"], but: ["bidirectional", "causal", "none"] },
    visionQkv: { not: [{}, undefined], but: [null] },
    "visionQkv.kind": { not: ["none"], but: ["full", "lora"] },
    "visionQkv.blocks": { not: [[], [0]], but: [[1, 3]] },
    "visionQkv.rank": { not: [0, 1.5], but: [null, 1] },
    "visionQkv.alpha": { not: ["1"], but: [null, 0, -2] },
    "template.before": { not: [null], but: ["", "a"] },
    "template.end": { not: ["", null], but: ["</s>"] },
    tokenizer: { not: [""], but: ["bytes"] },
    "tower.kind": { not: ["clip", "cnn"], but: ["vit"] },
    "language.vocabulary": { not: count, but: [256] },
  });
  const tower = new ClipTower({ ...clip, activation: "gelu" });
  const seeing = JSON.parse(JSON.stringify((await tinyLlavit({ tower })).describe()));
  expectRules(seeing, {
    "tower.clip.activation": { not: ["gelu-tanh"], but: ["gelu", "quick-gelu"] },
    "tower.clip.hiddenDim": { not: count, but: [1] },
    "tower.clip.normEps": { not: positive, but: [1e-6] },
    "tower.clip.depth": { not: [0, 1001], but: [24] },
  });
});

test("two configs differ where they compute otherwise or name classes otherwise, not where they come from", () => {
  const was = JSON.parse(JSON.stringify(configs.classifier())) as ModelConfig;
  const differences = (...changes: [string, unknown][]) =>
    modelDifferences(was, changed(was, changes) as ModelConfig);
  const silent: [string, unknown][] = [
    ["luvitVersion", "0.0.1"],
    ["frozen", ["head"]],
    ["blockSource", null],
    ["external", { a: { source: "x", sha256: "0".repeat(64) } }],
    ["classNames", ["a", "b", "c"]],
    ["preprocessing.size", 99],
  ];
  for (const one of silent) assert.deepEqual(differences(one), [], one[0]);
  assert.deepEqual(differences(["encoder.heads", 4]), ["encoder.heads: was 2, now 4"]);
  assert.equal(differences(["lora", {}]).length, 2);
  assert.deepEqual(differences(["pooling", "cls"]), [`pooling: was "mean", now "cls"`]);
  const named = changed(was, [["classNames", ["a", "b", "c"]]]) as ModelConfig;
  const renamed = changed(was, [["classNames", ["a", "x", "c"]]]) as ModelConfig;
  assert.equal(modelDifferences(named, renamed).length, 1);
  assert.match(modelDifferences(named, renamed)[0], /^classNames: was \["a","b","c"\], now \["a","x","c"\]$/);
  assert.deepEqual(modelDifferences(named, was), []);
  const auto = JSON.parse(JSON.stringify(configs.mae())) as ModelConfig;
  for (const one of [
    ["maskRatio", 0.5],
    ["decoderIsFresh", false],
  ] as [string, unknown][])
    assert.deepEqual(modelDifferences(auto, changed(auto, [one]) as ModelConfig), []);
  assert.equal(modelDifferences(auto, changed(auto, [["normPixLoss", false]]) as ModelConfig).length, 1);
});

test("what models of two kinds have in common is encoder, updates and decoder, whatever the image's size", () => {
  const [auto, plain] = [configs.mae(), configs.segmenter()].map((one) => JSON.parse(JSON.stringify(one)));
  assert.deepEqual(sharedDifferences(auto, plain), [], "final norm and decoder apart");
  for (const [path, value] of [
    ["encoder.imageSize", 24],
    ["encoder.finalNorm", true],
  ] as const)
    assert.deepEqual(sharedDifferences(auto, changed(plain, [[path, value]]) as never), []);
  assert.deepEqual(sharedDifferences(auto, changed(plain, [["encoder.heads", 4]]) as never), [
    "encoder.heads: was 2, now 4",
  ]);
  assert.deepEqual(sharedDifferences(auto, changed(auto, [["decoder.heads", 4]]) as never), [
    "decoder.heads: was 2, now 4",
  ]);
  assert.equal(sharedDifferences(auto, { ...plain, lora: { head: {} } }).length, 1);
});

test("a description of a LLaMA says what its config leaves to defaults, and gives the config back", () => {
  const described = describeLlama(tinyLlama);
  assert.deepEqual(described, {
    ...{ dim: 24, heads: 2, kvHeads: 2, headDim: 12, hiddenDim: 40, normEps: 1e-6, causal: false },
    ...{ slidingWindow: null, rope: false, ropeTheta: 10000, ropeScaling: null, rowOrder: "hf" },
    ...{ qkvBias: false, outputBias: false, mlpBias: false, qkNorm: false },
  });
  const scaling = { type: "linear", factor: 2 } as const;
  const features = { qkvBias: true, outputBias: true, mlpBias: true, qkNorm: true };
  const own = { ...tinyLlama, kvHeads: 1, headDim: 6, slidingWindow: 3, ropeScaling: scaling, ...features };
  assert.deepEqual(llamaConfigFrom(describeLlama(own)), own);
  for (const alone of [{ slidingWindow: 3 }, { ropeScaling: scaling }])
    assert.deepEqual(describeLlama({ ...tinyLlama, ...alone }), { ...described, ...alone });
  assert.equal(llamaConfigFrom({ ...described, slidingWindow: 3 }).slidingWindow, 3);
  for (const name of Object.keys(features) as (keyof typeof features)[])
    assert.deepEqual(describeLlama({ ...tinyLlama, [name]: true }), { ...described, [name]: true });
  assert.ok(
    !("slidingWindow" in llamaConfigFrom(described)) && !("ropeScaling" in llamaConfigFrom(described)),
  );
});

test("a language model says that its table is its output layer, and how far it reads, only where it is so", () => {
  const sizes = (more: object) => tinyLanguage(more).sizes() as unknown as Record<string, unknown>;
  for (const name of ["tiedEmbeddings", "maxPositions"])
    assert.ok(!(name in sizes({ tiedEmbeddings: false })), name);
  const own = sizes({ tiedEmbeddings: true, maxPositions: 7 });
  assert.deepEqual([own.tiedEmbeddings, own.maxPositions, own.depth, own.vocabulary], [true, 7, 3, 256]);
});
