import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { StateDict } from "../../../src/core/hostTensor";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { openCheckpoint } from "../../../src/io/checkpoint/checkpoint";
import { metaToHfName } from "../../../src/io/llama/keymap";
import { readAdapter, writeAdapter } from "../../../src/io/peft/peft";
import { writeSafetensors } from "../../../src/io/safetensors";
import { applyAdapter, loadAdapter, saveAdapter } from "../../../src/models/adapter";
import { wholeMisfits } from "../../../src/models/adapterParameters";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { LlamaBlocks } from "../../../src/models/llamaBlock";
import { adapters, merge } from "../../../src/models/lora";
import { randomTensor, temporaryFolder, writeBytes } from "../io/support";
import { assertClose, isLuvitError, valuesOf } from "../nn/support";
import { tinyLlama } from "./support";

const VOCABULARY = 11;
const RANK = 2;
const tokens = [3, 1, 7, 10];
const { dim } = tinyLlama;

before(() => startBackend());

const languageModel = (rowOrder: "hf" | "meta" = "hf") => {
  const config = { ...tinyLlama, causal: true, rowOrder, depth: 2, vocabulary: VOCABULARY };
  return new LlamaLanguageModel(config, 3);
};
const block = (...layers: number[]) => {
  const made = new LlamaBlocks({
    config: tinyLlama,
    depth: layers.length,
    rng: new Rng(1),
    origin: "a test",
    layerIndices: layers,
  });
  made.freeze();
  return made;
};
const logits = (model: LlamaLanguageModel) =>
  valuesOf(() => model.forward(tf.tensor(tokens, [1, 4], "int32")));

function loraOn(modules: readonly string[], rng: Rng): StateDict {
  const pairs = modules.flatMap((path): [string, ReturnType<typeof randomTensor>][] => [
    [`${path}.lora_A.weight`, randomTensor(rng, [RANK, dim])],
    [`${path}.lora_B.weight`, randomTensor(rng, [path === "lm_head" ? VOCABULARY : dim, RANK])],
  ]);
  return new Map(pairs);
}

/** A folder as PEFT writes it: LoRA on q and v of both layers and on `outside`, and tensors under PEFT's own names. */
async function adapterFolder(outside: readonly string[], stored: StateDict, config: object = {}) {
  const folder = temporaryFolder();
  const inside = [0, 1].flatMap((layer) =>
    ["q_proj", "v_proj"].map((name) => `model.layers.${layer}.self_attn.${name}`),
  );
  const tensors = loraOn([...inside, ...outside], new Rng(5));
  const all = new Map([...tensors, ...stored]);
  const named: StateDict = new Map([...all].map(([name, tensor]) => [`base_model.model.${name}`, tensor]));
  await writeSafetensors(join(folder, "adapter_model.safetensors"), named);
  const json = { peft_type: "LORA", r: RANK, lora_alpha: 4, target_modules: ["q_proj", "v_proj"], ...config };
  writeBytes(folder, "adapter_config.json", JSON.stringify(json));
  return folder;
}

const head = randomTensor(new Rng(9), [VOCABULARY, dim]);
const savedHead = () =>
  adapterFolder([], new Map([["lm_head.weight", head]]), { modules_to_save: ["lm_head"] });
const loraHead = () => adapterFolder(["lm_head"], new Map([["lm_head.base_layer.weight", head]]));

for (const [kind, make] of [
  ["a whole lm_head", savedHead],
  ["LoRA on lm_head", loraHead],
] as const) {
  test(`of an adapter with ${kind} a block gets its own layers' parts, and is told of the rest`, async () => {
    const folder = await make();
    const own = block(1);
    const report = await loadAdapter(own, folder);
    assert.deepEqual(report.paths, ["layers.0.attention.wq", "layers.0.attention.wv"]);
    assert.match(`${report}`, /left out, not of this block: 4 tensors of layer 0, lm_head$/);
    assert.ok(report.leftOut.every((name) => /^(lm_head|model\.layers\.0)\./.test(name)));
    const expected = (await readAdapter(folder)).tensors.get(
      "model.layers.1.self_attn.q_proj.lora_A.weight",
    )!;
    assert.deepEqual(adapters(own)[0][1].lora_A.weight.value.dataSync(), expected.data);
    const applied = applyAdapter(block(1), await readAdapter(folder));
    assert.deepEqual(applied.paths, report.paths);
    assert.deepEqual([...applied.leftOut].sort(), [...report.leftOut].sort(), "of one read as a whole too");
  });

  test(`a language model gets all of an adapter with ${kind}`, async () => {
    const folder = await make();
    const model = languageModel();
    const before = logits(model);
    const report = await loadAdapter(model, folder);
    assert.deepEqual(report.replaced, ["output.weight"]);
    assert.deepEqual(report.leftOut, []);

    const plain = languageModel();
    const { tensors } = await readAdapter(folder);
    for (const [path, parameter] of plain.namedParameters()) {
      const base = path === "output.weight" ? head : await parameter.read();
      const name = metaToHfName(path)!.replace(/\.weight$/, "");
      const [a, b] = ["A", "B"].map((side) => tensors.get(`${name}.lora_${side}.weight`));
      const update = (i: number) => {
        if (!a || !b) return 0;
        const [row, column] = [Math.floor(i / dim), i % dim];
        let sum = 0;
        for (let k = 0; k < RANK; k++) sum += b.data[row * RANK + k] * a.data[k * dim + column];
        return 2 * sum;
      };
      parameter.load({ shape: base.shape, data: base.data.map((value, i) => value + update(i)) });
    }
    assertClose(logits(model), logits(plain), 1e-4);
    assert.ok(logits(model).some((value, i) => Math.abs(value - before[i]) > 0.01));
  });

  test(`an adapter with ${kind} is saved and loaded again as it was`, async () => {
    const model = languageModel();
    await loadAdapter(model, await make());
    const folder = temporaryFolder();
    await saveAdapter(model, folder);
    const again = languageModel();
    await loadAdapter(again, folder);
    assert.deepEqual(logits(again), logits(model));
    const file = await openCheckpoint(join(folder, "adapter_model.safetensors"));
    const name = kind === "a whole lm_head" ? "lm_head.weight" : "lm_head.base_layer.weight";
    assert.ok(file.names.includes(`base_model.model.${name}`));
    await file.close();
    const config = JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"));
    assert.deepEqual(config.modules_to_save, kind === "a whole lm_head" ? ["lm_head"] : null);
  });
}

test("what a language model has no place for is refused, and the model stays as it was", async () => {
  const rng = new Rng(2);
  const stored: StateDict = new Map([
    ["model.embed_tokens.lora_embedding_A", randomTensor(rng, [RANK, VOCABULARY])],
    ["score.weight", randomTensor(rng, [3, dim])],
  ]);
  const folder = await adapterFolder([], stored);
  const model = languageModel();
  const before = logits(model);
  await assert.rejects(loadAdapter(model, folder), isLuvitError("key-mismatch", "lora_embedding_A"));
  stored.delete("model.embed_tokens.lora_embedding_A");
  const scored = await adapterFolder([], stored);
  await assert.rejects(loadAdapter(model, scored), isLuvitError("key-mismatch", "score.weight"));
  const tied = await adapterFolder([], new Map([["lm_head.weight", head]]), { ensure_weight_tying: true });
  await assert.rejects(loadAdapter(model, tied), isLuvitError("key-mismatch", "ensure_weight_tying"));
  const wide = await adapterFolder([], new Map([["lm_head.weight", randomTensor(rng, [12, dim])]]));
  await assert.rejects(
    loadAdapter(model, wide),
    isLuvitError("key-mismatch", "output.weight: the adapter has [12"),
  );
  assert.deepEqual(logits(model), before);
  for (const each of [folder, scored, tied])
    assert.equal((await loadAdapter(block(0), each)).paths.length, 2);
});

test("an adapter after one that replaced parameters is refused where those would stay", async () => {
  const model = languageModel();
  await loadAdapter(model, await savedHead());
  const plain = await adapterFolder([], new Map());
  await assert.rejects(
    loadAdapter(model, plain),
    isLuvitError("key-mismatch", "output.weight", "base model again"),
  );
  assert.ok(await loadAdapter(model, await loraHead()));
});

test("a norm saved whole goes into the block, and other models that share its numbers keep theirs", async () => {
  const norm = randomTensor(new Rng(4), [dim]);
  const folder = await adapterFolder([], new Map([["model.layers.1.input_layernorm.weight", norm]]));
  const base = block(0, 1);
  const shared = await base.clone(() => true);
  const report = await loadAdapter(shared, folder);
  assert.deepEqual(report.replaced, ["layers.1.attention_norm.weight"]);
  const read = async (model: LlamaBlocks) => (await model.stateDict()).get(report.replaced[0])!.data;
  assert.deepEqual(await read(shared), norm.data);
  assert.notDeepEqual(await read(base), norm.data);
  merge(shared);
});

test("a foreign type outside the block is not judged", async () => {
  const folder = temporaryFolder();
  await writeAdapter(folder, {
    config: { r: RANK },
    tensors: loraOn(["model.layers.0.self_attn.q_proj", "lm_head"], new Rng(1)),
  });
  const path = join(folder, "adapter_model.safetensors");
  const bytes = readFileSync(path);
  const text = bytes
    .toString("latin1")
    .replace('lm_head.lora_A.weight":{"dtype":"F32"', 'lm_head.lora_A.weight":{"dtype":"U32"');
  writeBytes(folder, "adapter_model.safetensors", Buffer.from(text, "latin1"));
  assert.equal((await loadAdapter(block(0), folder)).paths.length, 1);
  await assert.rejects(
    loadAdapter(languageModel(), folder),
    isLuvitError("bad-file", "lm_head.lora_A.weight: U32"),
  );
});

test("whole tensors fit where a parameter of that path and shape is, and each misfit is named", () => {
  const model = languageModel();
  const [path, { shape }] = [...model.namedParameters()][0];
  const tensor = (sizes: readonly number[]) => randomTensor(new Rng(0), [...sizes]);
  assert.deepEqual(wholeMisfits(model, new Map([[path, tensor(shape)]])), []);
  const misfits = wholeMisfits(
    model,
    new Map([
      ["nosuch.weight", tensor([2])],
      [path, tensor([1, ...shape])],
    ]),
  );
  assert.equal(misfits.length, 2);
  assert.match(misfits[0], /^nosuch\.weight: no such parameter in this model$/);
  assert.match(misfits[1], /the adapter has \[1, \d+, \d+\], the model \[\d+, \d+\]/);
});
