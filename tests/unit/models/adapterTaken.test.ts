import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { adapterDefaults } from "../../../src/io/peft/config";
import { classifier, llama, lora } from "../../../src/models";
import { applyAdapter, loadAdapter, saveAdapter } from "../../../src/models/adapter";
import { temporaryFolder } from "../../support/temporaryFolder";
import { assertClose, isLuvitError } from "../nn/support";
import { perturb, tinyLlama } from "./support";

before(() => startBackend());

const blockOf = (layers: number[], config = {}) =>
  new llama.LlamaBlocks({
    config: { ...tinyLlama, ...config },
    depth: layers.length,
    rng: new Rng(1),
    origin: "a test",
    layerIndices: layers,
  });
const pair = (path: string, rank = 2, dim = 24) =>
  [
    [`${path}.lora_A.weight`, { shape: [rank, dim], data: new Float32Array(rank * dim).fill(1) }],
    [`${path}.lora_B.weight`, { shape: [dim, rank], data: new Float32Array(rank * dim).fill(1) }],
  ] as const;
const q = (layer: number) => `model.layers.${layer}.self_attn.q_proj`;

test("an adapter's rank, its pattern and rsLoRA's scale are taken, the rest of the model is frozen", () => {
  const block = blockOf([0, 1]).unfreeze();
  const config = { ...adapterDefaults, r: 2, lora_alpha: 6, use_rslora: true, rank_pattern: { [q(1)]: 4 } };
  applyAdapter(block, { config, tensors: new Map([...pair(q(0)), ...pair(q(1), 4)]) });
  const layers = lora.adapters(block).map(([, { rank, alpha, scaling }]) => [rank, alpha, scaling]);
  assert.deepEqual(layers, [
    [2, 6, 6 / Math.sqrt(2)],
    [4, 6, 3],
  ]);
  const trained = [...block.namedParameters()].filter(([, p]) => p.trainable).map(([path]) => path);
  assert.equal(trained.length, 4);
  assert.ok(trained.every((path) => path.includes("lora_")));
});

test("an adapter that does not fit is refused with each misfit, what is left out, and nothing attached", () => {
  const block = blockOf([0]);
  const config = { ...adapterDefaults, r: 2 };
  const tensors = new Map([...pair(q(0), 2, 30), ...pair(q(7)), ...pair("model.layers.0.self_attn.query")]);
  const refused = () =>
    applyAdapter(block, {
      config,
      tensors: new Map([...pair(q(0), 2, 30), ...pair(q(7))]),
      leftOut: ["other.weight"],
    });
  assert.throws(
    refused,
    isLuvitError(
      "key-mismatch",
      "layers.0.attention.wq: adapter is for [30, 30], the weight is [24, 24]",
      "of other parts of the model it holds",
      "other.weight",
      `${q(7)}.lora_A.weight`,
    ),
  );
  assert.throws(() => applyAdapter(block, { config, tensors }), isLuvitError("key-mismatch"));
  assert.equal(lora.adapters(block).length, 0);
  const halves = new Map([
    [`${q(0)}.lora_A.weight`, { shape: [2, 24], data: new Float32Array(48) }],
    [`${q(0)}.lora_B.weight`, { shape: [30, 2], data: new Float32Array(60) }],
  ]);
  assert.throws(
    () => applyAdapter(block, { config, tensors: halves }),
    isLuvitError("key-mismatch", "adapter is for [30, 24]"),
  );
  assert.throws(
    () => applyAdapter(block, { config, tensors: new Map() }),
    isLuvitError("key-mismatch", "it holds no tensor for a block of this model"),
  );
});

test("layers of an adapter are told as numbers, in their order, and none where a module lies outside of them", async () => {
  const read = async (model: Parameters<typeof saveAdapter>[0]) => {
    const folder = temporaryFolder("adapter");
    await saveAdapter(model, folder);
    return JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
  };
  const block = blockOf([10, 9, 2]);
  lora.attach(block, { rank: 2, alpha: 3, rankStabilized: true, targets: ["v_proj", "q_proj"] });
  const config = await read(block);
  assert.deepEqual(config.layers_to_transform, [2, 9, 10]);
  assert.deepEqual(config.target_modules, ["q_proj", "v_proj"]);
  // Written with plain scales: alpha / rank of PEFT is alpha / sqrt(rank) here.
  assert.ok(Math.abs(config.lora_alpha / config.r - 3 / Math.sqrt(2)) < 1e-12);
  assert.deepEqual([config.rank_pattern, config.alpha_pattern], [{}, {}]);
  const language = new llama.LlamaLanguageModel({ ...tinyLlama, causal: true, depth: 1, vocabulary: 6 });
  lora.attach(language, { rank: 2, targets: ["output", "q_proj"] });
  const outer = await read(language);
  assert.deepEqual([outer.layers_to_transform, outer.target_modules], [null, ["lm_head", "q_proj"]]);
});

test("an adapter takes the place of a merged one, whose memory is given back and whose update is gone", async () => {
  const folder = temporaryFolder("adapter");
  const block = blockOf([0]);
  const wq = async () => (await block.stateDict()).get("layers.0.attention.wq.weight")!.data;
  const plain = await wq();
  lora.attach(block, { rank: 2, targets: ["q_proj"] });
  perturb(block, (path) => path.includes("lora_"));
  await saveAdapter(block, folder);
  const [, first] = lora.adapters(block)[0];
  lora.merge(block);
  assert.notDeepEqual(await wq(), plain);
  await loadAdapter(block, folder);
  assertClose(await wq(), plain, 1e-6);
  const [, second] = lora.adapters(block)[0];
  assert.ok(second !== first && !second.merged);
  for (const gone of [first.lora_A.weight, first.lora_B.weight])
    await assert.rejects(gone.read(), isLuvitError("bad-argument", "disposed"));
});

test("a merged weight is the base's with scaled B A, read without changing anything", async () => {
  const block = blockOf([0]);
  lora.attach(block, { rank: 2, alpha: 3, targets: ["q_proj"] });
  perturb(block, (path) => path.includes("lora_"));
  const [[path, layer]] = lora.adapters(block);
  const before = (await layer.weight.read()).data;
  const [a, b] = [layer.lora_A, layer.lora_B].map(({ weight }) => weight.value.arraySync() as number[][]);
  const expected = b
    .flatMap((row) => a[0].map((_, i) => 1.5 * (row[0] * a[0][i] + row[1] * a[1][i])))
    .map((x, i) => x + before[i]);
  assertClose((await layer.mergedWeight()).data, expected, 1e-5);
  const state = await classifier.mergedState(block);
  assertClose(state.get(`${path}.weight`)!.data, expected, 1e-5);
  assert.ok(![...state.keys()].some((key) => key.includes("lora_")));
  assert.deepEqual((await layer.weight.read()).data, before);
  assert.equal(layer.merged, false);
  lora.merge(block);
  assertClose((await layer.mergedWeight()).data, expected, 1e-5);
  assert.equal(layer.forward(tf.ones([1, 24])).shape[1], 24);
});
