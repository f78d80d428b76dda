import assert from "node:assert/strict";
import { before, test } from "node:test";
import sharp from "sharp";
import * as luvit from "../../../../src";
import { Rng } from "../../../../src/core/rng";
import { temporaryFolder } from "../../train/support";

/*
 * Public functions with good arguments, of which one after the first, or one entry of an object, is then put wrong. They
 * say so, or do what they can; they never stumble inside the library.
 */

const folder = temporaryFolder();
const size = 16;
const encoder = { imageSize: size, patchSize: 8, dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const decoder = { dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const engine = { engine: "eager" as const };

const wrong: readonly [shown: string, value: unknown][] = [
  ["null", null],
  ["NaN", Number.NaN],
  ['""', ""],
  ["{}", {}],
  ["[]", []],
  ["[null]", [null]],
  ["a Promise", Promise.resolve(5)],
];

type Call = readonly [name: string, ...given: unknown[]];

/** Every public function that takes more than one argument, with arguments that it takes. */
async function calls(): Promise<Call[]> {
  const { baselines, classifier, data, figures, llama, llavit, mae, nn, optim, tf } = luvit;
  const image = await data.decodeImage(`${folder}/one.png`);
  const shape = { ...llama.llama7b, dim: 16, heads: 2, hiddenDim: 32 };
  const images = await data.imageFolder(`${folder}/toy/train`, {
    transform: data.transforms.evaluation(size),
  });
  const tuned = classifier.create({ encoder, classes: 6 });
  const masked = mae.create({ encoder, decoder });
  const block = baselines.randomBlock(shape);
  const language = new llama.LlamaLanguageModel({ ...shape, depth: 1, vocabulary: 256 });
  const seeing = new llama.LlamaLanguageModel({
    ...shape,
    depth: 1,
    vocabulary: 256,
    causal: true,
    rope: true,
  });
  const sighted = await llavit.create({ tower: tuned, language: seeing });
  const rng = new Rng(1);
  const linear = new nn.Linear(4, 4, rng);
  const values = new Float32Array(12);
  const planes = new Float32Array(3 * size * size);
  const variable = tf.variable(tf.ones([2]));
  const tensor = tf.zeros([2, 4]);
  const wide = tf.zeros([1, 3, size, size]);
  const state = new Map([["weight", { shape: [2], data: new Float32Array(2) }]]);
  const rules = optim.pretrainRules(linear, 0.1);
  const schedule = { lr: 0.1, minLr: 0, warmupEpochs: 1, epochs: 10 };
  const drawing = { magnitude: 9, layers: 2, magnitudeStd: 0.5, probability: 0.5 };
  const trace = { x: [1, 2], y: [1, 2], type: "scatter" };
  const figure = figures.lossCurves({ series: [{ name: "a", steps: [0, 1], values: [1, 2] }] });
  const records = [{ a: 1, b: "x" }];
  const heads = { qk: tf.zeros([1, 2, 4, 8]) };
  return [
    ["analysis.attentionEntropy", tuned, images, { layers: ["blocks.0"], batchSize: 2, ...engine }],
    ["analysis.attentionMaps", tuned, image, { layers: ["blocks.0"], ...engine }],
    ["analysis.BackgroundReliance", 0.5, 0.4, 0.3],
    ["analysis.backgroundReliance", tuned, { original: images, mixed_same: images, mixed_rand: images }],
    ["analysis.entropyShares", tuned, { a: images }, { layer: "blocks.0", batchSize: 2, ...engine }],
    ["analysis.extractFeatures", tuned, images, { layer: "blocks.0", batchSize: 2, ...engine }],
    ["analysis.gradientSignal", tuned, images, { groupSize: 2, groups: 2, seed: 1, ...engine }],
    ["analysis.pseudoMaskIou", tuned, images, { batchSize: 2, ...engine }],
    ["analysis.classAttentionMap", new Float32Array(2 * 5 * 5), 2],
    ["analysis.pseudoMaskOverlap", values, 0.6, values, values],
    ["analysis.reconstruct", masked, images, { seed: 1, ...engine }],
    ["analysis.seedStatistics", [1, 2, 3], 0.95],
    ["benchmark.mergeSuites", [folder], `${folder}/merged`],
    ["benchmark.overSeeds", [], 0.95],
    ["benchmark.openSuiteSets", { in1k: folder }, { transform: data.transforms.evaluation(size) }],
    ["benchmark.suite", tuned, { in1k: images }, { out: `${folder}/suite`, batchSize: 2, ...engine }],
    ["LuvitError", "bad-argument", "text", { cause: 1 }],
    ["data.ClassMapping", "name", new Int32Array(2), "mapped"],
    ["data.corruptions.apply", image, "gaussian_noise", 1, rng, { frost: [] }],
    [
      "data.corruptions.generate",
      `${folder}/toy/val`,
      `${folder}/c`,
      { types: ["contrast"], severities: [1], workers: 1 },
    ],
    ["data.shard", images, { index: 1, count: 2 }],
    [
      "data.imageFolder",
      `${folder}/toy/train`,
      { transform: data.transforms.evaluation(size), exif: "honor", cache: false },
    ],
    [
      "data.batches",
      images,
      { batchSize: 2, shuffle: true, seed: 1, epoch: 0, workers: 0, prefetch: 1, dropLast: true },
    ],
    ["data.batchesPerEpoch", 10, 2, true],
    ["data.maskCells", new Int32Array(size * size), size, 8],
    ["data.drawMix", rng, size, size, { mixupAlpha: 0.8, cutmixAlpha: 1, switchProbability: 0.5 }],
    ["data.applyAugmentation", image, { op: "Invert", argument: 0 }],
    ["data.cropBox", image, { left: 0, top: 0, width: 2, height: 2 }],
    ["data.drawRandAugment", rng, drawing],
    ["data.randomErasing", planes, size, size, rng, 0.5],
    ["data.resize", image, 4, 4, { filter: "bicubic", box: { left: 0, top: 0, width: 2, height: 2 } }],
    ["data.unnormalize", planes, size, size],
    ["data.preview", images, { seed: 1 }],
    ["data.decodeImage", `${folder}/one.png`, { applyExif: true }],
    ["data.MaskedDataset", images, ["x"], data.transforms.evaluation(size), 8],
    ["data.huggingFace", `${folder}/toy`, { split: "train", transform: data.transforms.evaluation(size) }],
    ["data.imageNet1k", folder, "val", { transform: data.transforms.evaluation(size) }],
    ["data.imageNet9", folder, "original", { transform: data.transforms.evaluation(size) }],
    ["data.imageNetA", folder, { transform: data.transforms.evaluation(size) }],
    ["data.imageNetC", folder, "gaussian_noise", 1, { transform: data.transforms.evaluation(size) }],
    ["data.imageNetR", folder, { transform: data.transforms.evaluation(size) }],
    ["data.imageNetSketch", folder, { transform: data.transforms.evaluation(size) }],
    ["data.imageNetV2", folder, { transform: data.transforms.evaluation(size) }],
    [
      "data.writeToySet",
      `${folder}/one.png/no-folder`,
      { size: 8, train: 1, validation: 1, imageNet9: 1, seed: 1 },
    ],
    ["data.transforms.finetune", size, { randAugment: { magnitude: 9, layers: 2 }, erasing: 0.25 }],
    ["data.transforms.evaluation", size, { cropRatio: 0.875 }],
    ["figures.colormap", "viridis", 0.5],
    [
      "figures.figure",
      [trace],
      { title: { text: "t" }, xaxis: {}, width: 300 },
      "what it shows",
      { rows: 1, columns: 1 },
    ],
    ["analysis.answerAttention", sighted, image, "what is it?", { answer: "star", ...engine }],
    ["analysis.visualTokens", sighted, image, ["red", "blue"], { ...engine }],
    [
      "figures.attentionMask",
      nn.prefixMask({ image: [[0, 1, 1]] }),
      { sequence: 0, parts: [], tokens: ["a", "b", "c"], title: "t" },
    ],
    ["figures.historyCurves", { a: [] }, { metric: "loss", title: "t" }],
    ["figures.imageGrid", [[image]], { cell: 20, alt: "t", columnTitles: ["a"], rowLabels: ["b"], scale: 2 }],
    ["figures.reconstructionGrid", [], { cell: 20 }],
    ["figures.entropyMaps", [], { cell: 20 }],
    ["figures.entropyOverlays", [], { cell: 20, alpha: 0.5, columns: 2 }],
    [
      "figures.lookInside",
      tuned,
      image,
      { lens: true, norms: true, heads: true, ablate: true, classes: [0], classNames: [..."abcdef"] },
    ],
    ["figures.attentionViewer", [], { title: "t", maxBytes: 1e6 }],
    ["figures.renderSvg", figure, { width: 300, theme: "light" }],
    ["figures.saveFigure", figure, `${folder}/f.svg`],
    ["io.readMaeCheckpoint", `${folder}/none`, { part: "encoder" }],
    ["io.readLanguageModel", `${folder}/none`, { revision: "main" }],
    ["io.readLlamaBlocks", `${folder}/none`, { blocks: [1] }],
    ["io.writeHuggingFaceCheckpoint", `${folder}/hf`, state, shape, { dtype: "F32" }],
    ["io.readAdapter", `${folder}/none`, () => true],
    ["io.writeAdapter", `${folder}/adapter`, { tensors: state, config: { r: 1 } }],
    ["io.writeSafetensors", `${folder}/a.safetensors`, state, { dtype: "F32", metadata: { a: "b" } }],
    ["io.writeTable", `${folder}/t.arrow`, luvit.io.readTable],
    ["io.writeTorchCheckpoint", `${folder}/t.pth`, state, { dtype: "F32", extras: { epoch: 1 } }],
    ["baselines.frozenBlock", block, { residual: true, seed: 1 }],
    ["baselines.mlpL", { dim: 16 }, shape, { activation: "gelu" }],
    ["baselines.mlpP", shape, { activation: "gelu" }],
    ["baselines.randomBlock", shape, { depth: 1, seed: 1 }],
    ["classifier.Classifier", masked.encoder, { classes: 2 }, 0.02],
    ["classifier.fromPretrained", masked, { classes: 2, classNames: ["a", "b"], pooling: "cls", seed: 1 }],
    ["classifier.load", `${folder}/none`, { dtype: "float32" }],
    ["classifier.open", `${folder}/none`, { key: "a", averaged: true }],
    ["classifier.loadCheckpoint", tuned, `${folder}/none`, { positions: "mae", key: "a" }],
    ["classifier.saveCheckpoint", tuned, `${folder}/saved.safetensors`, { dtype: "F32" }],
    ["fusion.FusionPath", 16, { width: 16, residual: true, activation: "gelu" }],
    ["fusion.mlp", 16, { activation: "gelu" }],
    ["fusion.through", block, { residual: true }],
    ["llama.LlamaLanguageModel", { ...shape, depth: 1, vocabulary: 256 }, 1],
    ["llama.loadBlock", `${folder}/none`, { block: 1, heads: 2, normEps: 1e-6 }],
    ["llama.LlamaAttention", shape, rng],
    ["llama.LlamaBlock", shape, rng],
    ["llama.LlamaFeedForward", shape, rng],
    ["llama.load", `${folder}/none`, { dtype: "float32" }],
    ["lora.loadAdapter", tuned, `${folder}/none`],
    ["lora.saveAdapter", tuned, `${folder}/none`],
    ["lora.attach", block, { rank: 2, alpha: 2, targets: ["wq"], seed: 1 }],
    ["lora.LoraLinear", linear, { rank: 2, alpha: 4 }, rng],
    ["mae.drawNoise", 2, 4, rng],
    ["mae.maskFromNoise", new Float32Array(8), 2, 0.5],
    ["mae.load", `${folder}/none`, { dtype: "float32" }],
    ["mae.open", `${folder}/none`, { encoder }],
    ["mae.loadCheckpoint", masked, `${folder}/none`, { key: "a" }],
    ["mae.saveCheckpoint", masked, `${folder}/saved.safetensors`, { dtype: "F32" }],
    ["vit.Attention", 16, 2, rng, nn.xavierUniform],
    ["vit.Block", { dim: 16, heads: 2, mlpRatio: 2 }, rng, { linear: nn.xavierUniform }],
    ["vit.Mlp", 16, 32, rng, nn.xavierUniform],
    ["vit.PatchEmbed", 8, 16, rng, { linear: nn.xavierUniform }],
    ["nn.scaledDotProductAttention", heads.qk, heads.qk, heads.qk, { causal: true }],
    ["nn.kaimingUniform", values, [3, 4], rng],
    ["nn.ones", values, [3, 4], rng],
    ["nn.xavierUniform", values, [3, 4], rng],
    ["nn.zeros", values, [3, 4], rng],
    ["nn.LayerNorm", 16, 1e-6],
    ["nn.Linear", 4, 4, rng, { bias: true }],
    ["nn.RMSNorm", 16, 1e-6],
    ["nn.loadStateDict", linear, state, { allowMissing: ["bias"], allowUnexpected: ["weight"], source: "x" }],
    ["nn.maskedPatchLoss", tf.zeros([1, 4, 12]), tf.zeros([1, 4, 12]), tf.zeros([1, 4])],
    ["nn.smoothedTargets", [0, 1], 2, 0.1],
    ["nn.softTargetCrossEntropy", tensor, tensor],
    ["nn.layerNorm", tensor, tf.zeros([4]), tf.zeros([4]), 1e-6],
    ["nn.linear", tensor, tf.zeros([4, 4]), tf.zeros([4])],
    ["nn.rmsNorm", tensor, tf.zeros([4]), 1e-6],
    ["nn.Parameter", [2, 2], nn.zeros, 1],
    ["nn.patchify", wide, 8],
    ["nn.unpatchify", tf.zeros([1, 4, 192]), 8, 3, { rows: 2, columns: 2 }],
    [
      "nn.resizePositionTable",
      { shape: [1, 5, 4], data: new Float32Array(20) },
      { rows: 3, columns: 3 },
      1,
      "bicubic",
    ],
    ["nn.sinCosPositionTable", 16, 2],
    ["nn.positionsOfGrid", tf.zeros([1, 5, 4]), { rows: 3, columns: 2 }, "mae", 1],
    [
      "compile",
      "step",
      { inputs: { x: { shape: [2], dtype: "float32" } }, body: ({ x }: { x: unknown }) => ({ x }) },
      engine,
    ],
    [
      "graph.trace",
      "step",
      { inputs: { x: { shape: [2], dtype: "float32" } }, body: ({ x }: { x: unknown }) => ({ x }) },
    ],
    ["graph.interpret", { nodes: [] }, { inputs: {} }],
    ["graph.optimize", { nodes: [] }, { keep: [] }],
    ["optim.AdamW", linear, rules, { betas: [0.9, 0.95], eps: 1e-8 }],
    ["optim.accumulate", new Map([["a", tensor]]), new Map([["a", tensor]])],
    ["optim.clipGradNorm", new Map([["a", tensor]]), 1],
    ["optim.lossAndGradients", () => variable.square().sum() as never, new Map([["a", variable]])],
    ["optim.finetuneRules", tuned, { weightDecay: 0.05, layerDecay: 0.75, depth: 1 }],
    ["optim.pretrainRules", linear, 0.05],
    ["optim.epochCosine", { lr: 0.1, minLr: 0, warmupEpochs: 1, epochs: 10, warmupLr: 0 }, 3],
    ["optim.rateAt", schedule, 3],
    ["optim.scaledRate", 0.1, 256],
    ["optim.warmupCosine", schedule, 3],
    ["train.drawDropPath", 2, 0.1, 2, rng],
    ["train.evaluate", tuned, images, { batchSize: 2, ...engine }],
    ["train.finetune", tuned, images, { out: `${folder}/run`, epochs: 1, batchSize: 2, lr: 0.1, ...engine }],
    ["train.pretrain", masked, images, { out: `${folder}/run`, epochs: 1, batchSize: 2, lr: 0.1, ...engine }],
    [
      "train.trainLanguageModel",
      language,
      new Uint8Array(99),
      { steps: 1, batchSize: 1, length: 4, lr: 0.1, ...engine },
    ],
    ["train.costOf", { epochs: 1, batchSize: 2 }, 10],
    ["train.loadRunWeights", masked, `${folder}/none`, { averaged: true }],
    ["classify", tuned, image, { top: 1, ...engine }],
    ["onComm", "target", () => {}],
    ["openComm", "target", {}, { metadata: {}, buffers: [] }],
    ["progress", [1], { label: "t", total: 1 }],
    ["table", records, { title: "t", columns: ["a"], digits: 2 }],
  ] as Call[];
}

type Callable = ((...values: unknown[]) => unknown) & (new (...values: unknown[]) => unknown);

const memberOf = (name: string) =>
  name.split(".").reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], luvit);

const isClass = (value: unknown) => Function.prototype.toString.call(value).startsWith("class");

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

const replaced = (given: readonly unknown[], place: number, value: unknown) =>
  given.map((good, index) => (index === place ? value : good));

/** The arguments with one of them wrong, or one entry of it. */
function* mistakes(given: readonly unknown[]): Generator<[shown: string, values: unknown[]]> {
  for (const [place, good] of given.entries()) {
    for (const [shown, value] of wrong) {
      if (place > 0) yield [`argument ${place + 1}: ${shown}`, replaced(given, place, value)];
      if (!isPlain(good)) continue;
      for (const key of Object.keys(good))
        yield [`argument ${place + 1}.${key}: ${shown}`, replaced(given, place, { ...good, [key]: value })];
    }
  }
}

/** What a call ends in that is no LuvitError, as a line. */
async function rawError(name: string, shown: string, values: readonly unknown[]): Promise<string[]> {
  const called = memberOf(name) as Callable;
  try {
    const made = isClass(called) ? new called(...values) : called(...values);
    if (made !== null && typeof made === "object" && "done" in made) await (made as { done: unknown }).done;
    await made;
  } catch (error) {
    if (!(error instanceof luvit.LuvitError)) return [`${name}, ${shown}: ${String(error).split("\n")[0]}`];
  }
  return [];
}

before(async () => {
  process.chdir(folder);
  await luvit.ready({ backend: "cpu", engine: "eager" });
  const few = {
    train: 1,
    validation: 1,
    imageNet9: 1,
    trainSemi: 1,
    scenes: 2,
    validationScenes: 1,
    sceneSize: 64,
  };
  await luvit.data.writeToySet(`${folder}/toy`, { size, ...few });
  await sharp(Buffer.alloc(3 * size * size), { raw: { width: size, height: size, channels: 3 } }).toFile(
    "one.png",
  );
});

test("no public function stumbles over a later argument, or an entry of an object, that cannot be", async () => {
  const found: string[] = [];
  for (const [name, ...given] of await calls()) {
    for (const [shown, values] of mistakes(given)) found.push(...(await rawError(name, shown, values)));
  }
  assert.deepEqual(found, []);
});
