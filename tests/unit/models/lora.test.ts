import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { permuteRowsMetaToHf } from "../../../src/io/llama/keymap";
import { readAdapter } from "../../../src/io/peft/peft";
import { loadAdapter, saveAdapter } from "../../../src/models/adapter";
import * as classifier from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import { LlamaBlocks } from "../../../src/models/llamaBlock";
import * as lora from "../../../src/models/lora";
import * as mae from "../../../src/models/mae";
import { Linear } from "../../../src/nn/layers";
import type { Module } from "../../../src/nn/module";
import { trainableVariables } from "../../../src/nn/variables";
import {
  assertClose,
  assertSameState,
  isLuvitError,
  maxDifference,
  randomTensor,
  valuesOf,
} from "../nn/support";
import {
  hostGradients,
  perturb,
  tinyBlock,
  tinyDecoder,
  tinyImages,
  tinyInputs,
  tinyLlama,
  tinyViT,
} from "./support";

before(() => startBackend());

const temporary: string[] = [];
after(() => {
  for (const folder of temporary) rmSync(folder, { recursive: true, force: true });
});

function temporaryFolder(): string {
  temporary.push(mkdtempSync(join(tmpdir(), "luvit-lora-")));
  return temporary.at(-1)!;
}

const x = () => randomTensor([2, 5, tinyLlama.dim], 3);
const outputOf = (block: LlamaBlocks) => valuesOf(() => block.forward(x()));
const isLora = (path: string) => path.includes("lora_");
const trainablePaths = (model: Module) => [...trainableVariables(model).keys()];

test("a fresh adapter changes nothing, a trained one does", () => {
  const block = tinyBlock();
  const plain = outputOf(block);
  const report = lora.attach(block, { rank: 4 });
  assert.deepEqual(report.paths, ["layers.0.attention.wq", "layers.0.attention.wv"]);
  assert.match(
    inspect(report),
    /^LoRA on layers\.0\.attention\.wq, layers\.0\.attention\.wv: 384 trainable of 5\d\d\d \(/,
  );
  assert.deepEqual(outputOf(block), plain);
  perturb(block, isLora);
  assert.ok(maxDifference(outputOf(block), plain) > 1e-2);
});

test("merged equals unmerged, and unmerging restores the weights and the output", async () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 4, alpha: 6, targets: ["wq", "wk", "wv", "wo", "w1", "w2", "w3"] });
  perturb(block, isLora);
  const state = await block.stateDict();
  const unmerged = outputOf(block);
  lora.merge(block);
  const once = await block.stateDict();
  lora.merge(block);
  assertSameState(await block.stateDict(), once);
  assertClose(outputOf(block), unmerged, 1e-5);
  lora.unmerge(block);
  lora.unmerge(block);
  assertClose(outputOf(block), unmerged, 1e-5);
  for (const [path, { data }] of await block.stateDict())
    assertClose(data, state.get(path)!.data, 1e-6, path);
});

test("the update is alpha / rank times B A, or alpha / sqrt(rank) when stabilized", async () => {
  for (const [options, scale] of [
    [{ rank: 4 }, 1],
    [{ rank: 4, alpha: 6 }, 1.5],
    [{ rank: 4, alpha: 0 }, 0],
    [{ rank: 4, alpha: -2 }, -0.5],
    [{ rank: 4, alpha: 6, rankStabilized: true }, 3],
  ] as const) {
    const linear = new Linear(5, 3, new Rng(1), { bias: true });
    const layer = new lora.LoraLinear(linear, { rank: 4, alpha: 4 }, new Rng(2));
    const block = tinyBlock();
    lora.attach(block, options);
    assert.equal(lora.adapters(block)[0][1].scaling, scale);

    const scaled = new lora.LoraLinear(linear, { rank: 4, alpha: 4 * scale }, new Rng(2));
    for (const each of [layer, scaled]) perturb(each, (path) => isLora(path) || path === "bias");
    const [a, b] = [scaled.lora_A.weight.value, scaled.lora_B.weight.value] as tf.Tensor2D[];
    const full = tf.add(linear.weight.value, tf.mul(tf.matMul(b, a), scale)) as tf.Tensor2D;
    const input = randomTensor([7, 5]) as tf.Tensor2D;
    const expected = tf.add(tf.matMul(input, full, false, true), scaled.bias!.value);
    assertClose(scaled.forward(input).dataSync(), expected.dataSync(), 1e-5);
  }
});

test("only lora_ parameters train, and gradients reach every one of them", () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 4 });
  perturb(block, isLora);
  assert.ok(trainablePaths(block).every(isLora));
  assert.equal(trainablePaths(block).length, 4);
  const gradients = hostGradients(() => tf.sum(tf.square(block.forward(x()))), trainableVariables(block));
  assert.deepEqual([...gradients.keys()].sort(), trainablePaths(block).sort());
  for (const [path, values] of gradients)
    assert.ok(
      values.some((g) => g !== 0),
      path,
    );
});

test("at the start the gradient of A is zero and that of B is not", () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 4 });
  const gradients = hostGradients(() => tf.sum(tf.square(block.forward(x()))), trainableVariables(block));
  for (const [path, values] of gradients) {
    assert.equal(
      values.every((g) => g === 0),
      path.includes("lora_A"),
      path,
    );
  }
});

test("Hugging Face's and the original names mean the same linears", () => {
  const pairs = {
    q_proj: "wq",
    k_proj: "wk",
    v_proj: "wv",
    o_proj: "wo",
    gate_proj: "w1",
    down_proj: "w2",
    up_proj: "w3",
  };
  for (const [hf, original] of Object.entries(pairs)) {
    const [a, b] = [tinyBlock(), tinyBlock()];
    assert.deepEqual(lora.attach(a, { targets: [hf] }).paths, lora.attach(b, { targets: [original] }).paths);
    assert.ok(lora.adapters(a)[0][0].endsWith(`.${original}`));
  }
});

test("a target that names no linear is an error that lists the names there are, and nothing is attached", () => {
  const block = tinyBlock();
  for (const targets of [["query"], ["q_proj", "query"], ["q"]]) {
    const texts = [targets.at(-1)!, "wq, wk, wv, wo, w1, w2, w3"];
    assert.throws(() => lora.attach(block, { targets }), isLuvitError("bad-argument", ...texts));
  }
  assert.equal(lora.adapters(block).length, 0);
  const model = classifier.create({ encoder: tinyViT, classes: 3 });
  assert.throws(
    () => lora.attach(model, { targets: ["qkv", "v"] }),
    isLuvitError("bad-argument", "no linear named v;"),
  );
  for (const rank of [0, 1.5, -4]) {
    assert.throws(
      () => lora.attach(block, { rank }),
      isLuvitError("bad-argument", "rank: expected a whole number", `got ${rank}`),
    );
  }
});

test("any named linear of a ViT takes an adapter, by its last name or by its path", () => {
  const model = classifier.create({ encoder: tinyViT, classes: 3 });
  const plain = valuesOf(() => model.forward(tinyImages()));
  const { paths } = lora.attach(model, { rank: 2, targets: ["qkv", "fc1", "head", "blocks.1.mlp.fc2"] });
  assert.deepEqual([...paths].sort(), [
    "blocks.0.attn.qkv",
    "blocks.0.mlp.fc1",
    "blocks.1.attn.qkv",
    "blocks.1.mlp.fc1",
    "blocks.1.mlp.fc2",
    "head",
  ]);
  assert.deepEqual(
    valuesOf(() => model.forward(tinyImages())),
    plain,
  );
  assert.ok(trainablePaths(model).every(isLora));
});

test("attaching without freezing stops the adapted weights alone", () => {
  const model = classifier.create({ encoder: tinyViT, classes: 3 });
  const all = trainablePaths(model);
  lora.attach(model, { rank: 2, targets: ["head"], freeze: false });
  const gone = all.filter((path) => !trainablePaths(model).includes(path));
  assert.deepEqual(gone.sort(), ["head.bias", "head.weight"]);
});

test("an adapter attached to a block is in the models built on it, before and after", () => {
  const block = tinyBlock();
  const built = mae.create({ encoder: tinyViT, fusion: block, decoder: tinyDecoder });
  lora.attach(block, { rank: 2 });
  const later = mae.create({ encoder: tinyViT, fusion: block, decoder: tinyDecoder });
  for (const model of [built, later]) assert.equal(lora.adapters(model).length, 2);
});

test("merging in a model leaves a model that shares its frozen weights as it was", async () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  const pretrained = mae.create({ encoder: tinyViT, fusion: through(block), decoder: tinyDecoder });
  perturb(pretrained, isLora);
  const model = await classifier.fromPretrained(pretrained, { classes: 3 });
  const before = await pretrained.stateDict();
  const logits = valuesOf(() => model.forward(tinyImages()));
  lora.merge(model);
  assertClose(
    valuesOf(() => model.forward(tinyImages())),
    logits,
    1e-5,
  );
  assertSameState(await pretrained.stateDict(), before);
  pretrained.dispose();
  assertClose(
    valuesOf(() => model.forward(tinyImages())),
    logits,
    1e-5,
  );
  lora.unmerge(model);
  assertClose(
    valuesOf(() => model.forward(tinyImages())),
    logits,
    1e-5,
  );
});

test("a merged weight is no longer the file's, the others are", () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 2, targets: ["q_proj"] });
  const frozen = [...block.namedParameters()].filter(([, parameter]) => !parameter.trainable);
  for (const [, parameter] of frozen) parameter.source = "model.safetensors";
  lora.merge(block);
  const own = [...block.namedParameters()].filter(([, { source }]) => source === undefined);
  assert.deepEqual(
    own.map(([path]) => path).filter((path) => !isLora(path)),
    ["layers.0.attention.wq.weight"],
  );
});

/** A block read as layers 30 and 31 of its language model. */
function loadedBlock(rowOrder: "hf" | "meta", indices: number[]): LlamaBlocks {
  const block = new LlamaBlocks({
    config: { ...tinyLlama, rowOrder },
    depth: indices.length,
    rng: new Rng(1),
    origin: "a test",
    layerIndices: indices,
  });
  block.freeze();
  return block;
}

for (const rowOrder of ["hf", "meta"] as const) {
  test(`an adapter of a block in ${rowOrder} order is saved as PEFT's and loaded back`, async () => {
    const folder = temporaryFolder();
    const block = loadedBlock(rowOrder, [30, 31]);
    lora.attach(block, { rank: 4, alpha: 8, targets: ["q_proj", "v_proj", "down_proj"] });
    perturb(block, isLora);
    await saveAdapter(block, folder);

    const config = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
    assert.deepEqual([config.r, config.lora_alpha], [4, 8]);
    assert.deepEqual(config.target_modules, ["down_proj", "q_proj", "v_proj"]);
    assert.deepEqual(config.layers_to_transform, [30, 31]);
    const { tensors } = await readAdapter(folder);
    assert.equal(tensors.size, 12);
    const path = "layers.1.attention.wq.lora_B.weight";
    const b = new Map(block.namedParameters()).get(path)!;
    const saved = tensors.get("model.layers.31.self_attn.q_proj.lora_B.weight")!;
    const own = await b.read();
    const expected = rowOrder === "meta" ? permuteRowsMetaToHf(own, tinyLlama.heads) : own;
    assert.deepEqual(saved.data, expected.data);

    const other = loadedBlock(rowOrder, [30, 31]);
    const report = await loadAdapter(other, folder);
    assert.equal(report.paths.length, 6);
    assert.ok(trainablePaths(other).every(isLora));
    assertSameState(await other.stateDict(), await block.stateDict());
    assert.deepEqual(outputOf(other), outputOf(block));

    await loadAdapter(other, folder);
    assert.deepEqual(outputOf(other), outputOf(block), "a second load replaces the first");
    lora.merge(other);
    await loadAdapter(other, folder);
    assertClose(outputOf(other), outputOf(block), 1e-5, "a load after a merge starts from the base weight");

    const last = loadedBlock(rowOrder, [31]);
    assert.deepEqual([...(await loadAdapter(last, folder)).paths].sort(), [
      "layers.0.attention.wq",
      "layers.0.attention.wv",
      "layers.0.feed_forward.w2",
    ]);
    const renumbered = (await last.stateDict()).get("layers.0.attention.wq.lora_B.weight")!;
    assert.deepEqual(renumbered.data, own.data);
  });
}

test("layers of another rank or scale are saved as PEFT's patterns and loaded back", async () => {
  const folder = temporaryFolder();
  const block = loadedBlock("hf", [30, 31]);
  lora.attach(block, { rank: 4, alpha: 8, targets: ["q_proj"] });
  lora.attach(block, { rank: 3, alpha: 7, targets: ["v_proj"] });
  perturb(block, isLora);
  await saveAdapter(block, folder);
  const config = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
  const v = [30, 31].map((layer) => `model.layers.${layer}.self_attn.v_proj`);
  assert.deepEqual([config.r, config.lora_alpha], [4, 8]);
  assert.deepEqual(config.rank_pattern, { [v[0]]: 3, [v[1]]: 3 });
  assert.deepEqual(config.alpha_pattern, { [v[0]]: 7, [v[1]]: 7 });
  const other = loadedBlock("hf", [30, 31]);
  await loadAdapter(other, folder);
  assert.deepEqual(outputOf(other), outputOf(block));
});

test("an adapter moved between row orders gives the same block output", async () => {
  const folder = temporaryFolder();
  const hf = loadedBlock("hf", [31]);
  lora.attach(hf, { rank: 4 });
  perturb(hf, isLora);
  await saveAdapter(hf, folder);
  const meta = loadedBlock("meta", [31]);
  const [hfState, state] = [await hf.stateDict(), await loadedBlock("hf", [31]).stateDict()];
  const { permuteRowsHfToMeta } = await import("../../../src/io/llama/keymap");
  for (const w of ["wq", "wk"]) {
    const path = `layers.0.attention.${w}.weight`;
    state.set(path, permuteRowsHfToMeta(hfState.get(path)!, tinyLlama.heads));
  }
  meta.loadStateDict(state);
  await loadAdapter(meta, folder);
  assertClose(outputOf(meta), outputOf(hf), 1e-5);
});

test("an adapter for another layer or another width is an error, and the block stays without one", async () => {
  const folder = temporaryFolder();
  const block = loadedBlock("hf", [31]);
  lora.attach(block, { rank: 4 });
  await saveAdapter(block, folder);
  const elsewhere = loadedBlock("hf", [7]);
  await assert.rejects(
    loadAdapter(elsewhere, folder),
    isLuvitError("key-mismatch", "no tensor for a block of this model"),
  );
  const wide = new LlamaBlocks({
    config: { ...tinyLlama, dim: 32 },
    depth: 1,
    rng: new Rng(1),
    origin: "a test",
    layerIndices: [31],
  });
  const texts = [
    "layers.0.attention.wq: adapter is for [24, 24], the weight is [32, 32]",
    "layers.0.attention.wv",
  ];
  await assert.rejects(loadAdapter(wide, folder), isLuvitError("key-mismatch", ...texts));
  for (const each of [elsewhere, wide]) assert.equal(lora.adapters(each).length, 0);
  await assert.rejects(saveAdapter(elsewhere, folder), isLuvitError("bad-argument", "no LoRA"));
});

test("a LUViT's adapter trains while its block's own weights have no gradient", () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  const model = mae.create({ encoder: tinyViT, fusion: block, decoder: tinyDecoder });
  perturb(model, isLora);
  const gradients = hostGradients(() => model.loss(tinyInputs(model)), trainableVariables(model));
  const inBlock = [...gradients.keys()].filter((path) => path.startsWith("llama."));
  assert.equal(inBlock.length, 4);
  assert.ok(inBlock.every(isLora));
});
