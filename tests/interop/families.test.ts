import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { HostTensor, StateDict } from "../../src/core/hostTensor";
import { startBackend, type Tensor, tf } from "../../src/core/tf";
import { openCheckpoint } from "../../src/io/checkpoint/checkpoint";
import { convertRowOrder, hfToMetaName } from "../../src/io/llama/keymap";
import { readLanguageModel, readLlamaBlocks } from "../../src/io/llama/weights";
import { loadBlock } from "../../src/models/llama";
import type { LlamaBlocks } from "../../src/models/llamaBlock";
import { lossAndGradients } from "../../src/optim/gradients";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("torch", "transformers", "safetensors");
const skipGguf = skip || unlessPythonHas("gguf");

/** Relative to the largest number of a tensor: float32 in another order of sums. */
const TOLERANCE = 2e-5;

const folder = mkdtempSync(join(tmpdir(), "luvit-families-"));
let io: StateDict = new Map();
after(() => rmSync(folder, { recursive: true, force: true }));
before(async () => {
  await startBackend();
  if (skip) return;
  runPython("families.py", folder);
  io = await readAll(join(folder, "io.safetensors"));
});

async function readAll(path: string): Promise<StateDict> {
  const file = await openCheckpoint(path);
  const tensors = await file.readTensors(file.names);
  await file.close();
  return tensors;
}

const toTensor = ({ shape, data }: HostTensor): Tensor => tf.tensor(data, [...shape]);

function assertAlike(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void {
  assert.equal(actual.length, expected.length, what);
  const largest = Math.max(...Array.from(expected, Math.abs));
  let worst = 0;
  for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(actual[i] - expected[i]));
  assert.ok(worst <= TOLERANCE * largest, `${what}: off by ${worst}, numbers up to ${largest}`);
}

/** Output and gradients of a block against what transformers computed, under `prefix` in io.safetensors. */
function compareBlock(block: LlamaBlocks, model: string, prefix: string): void {
  const { heads, kvHeads = heads, rowOrder } = block.config;
  const [x, upstream] = [io.get(`${model}.input`)!, io.get(`${model}.upstream`)!].map(toTensor);
  assertAlike(block.forward(x).dataSync(), io.get(`${prefix}.output`)!.data, `${prefix} output`);
  const input = tf.variable(x);
  const variables = new Map([...block.namedParameters()].map(([path, { value }]) => [path, value]));
  const { gradients } = lossAndGradients(
    () => tf.sum(tf.mul(block.forward(input), upstream)),
    new Map([...variables, ["input", input]]),
  );
  assertAlike(gradients.get("input")!.dataSync(), io.get(`${prefix}.grad.input`)!.data, `${prefix} input`);
  const reference: StateDict = new Map();
  for (const [name, tensor] of io) {
    if (!name.startsWith(`${prefix}.grad.`) || name.endsWith(".input")) continue;
    reference.set(hfToMetaName(`model.layers.0.${name.slice(prefix.length + 6)}`)!, tensor);
  }
  const expected = convertRowOrder(reference, { heads, kvHeads }, "hf", rowOrder);
  assert.deepEqual([...variables.keys()].sort(), [...expected.keys()].sort(), `${prefix}: parameters`);
  for (const [path, { data }] of expected) {
    if (path.endsWith("wk.bias") && !block.config.rope) continue; // softmax ignores it: the true gradient is zero
    assertAlike(gradients.get(path)!.dataSync(), data, `${prefix} ${path}`);
  }
}

const asLanguageModel = { block: 2, causal: true, rope: true };

for (const model of ["llama1", "llama2", "llama3", "mistral", "qwen2", "qwen3"]) {
  test(`a block of ${model} computes what transformers does, forward and backward`, { skip }, async () => {
    const path = join(folder, model);
    compareBlock(await loadBlock(path, asLanguageModel), model, `${model}.causal`);
    compareBlock(await loadBlock(path, { block: 2 }), model, `${model}.open`);
  });

  test(`a block of ${model} from GGUF computes the same`, { skip: skipGguf }, async () => {
    const path = join(folder, `${model}.gguf`);
    compareBlock(await loadBlock(path, asLanguageModel), model, `${model}.causal`);
    compareBlock(await loadBlock(path, { block: 2 }), model, `${model}.open`);
    const [file, hf] = [await readLanguageModel(path), await readLanguageModel(join(folder, model))];
    const own = convertRowOrder(file.tensors, file.config, file.rowOrder, "hf");
    assert.deepEqual([...own.keys()].sort(), [...hf.tensors.keys()].sort());
    for (const [name, { data }] of hf.tensors) assert.deepEqual(own.get(name)!.data, data, name);
    const quantized = await loadBlock(join(folder, `${model}.Q5_1.gguf`), asLanguageModel);
    compareBlock(quantized, model, `${model}.Q5_1`);
  });
}

test("every GGUF type becomes the numbers that the gguf package makes of it, to the bit", {
  skip: skipGguf,
}, async () => {
  const [own, expected] = [
    await readAll(join(folder, "types.gguf")),
    await readAll(join(folder, "types.safetensors")),
  ];
  assert.deepEqual([...own.keys()].sort(), [...expected.keys()].sort());
  assert.ok(own.size === 15);
  for (const [name, { shape, data }] of expected) {
    assert.deepEqual([...own.get(name)!.shape], [...shape], name);
    assert.deepEqual(own.get(name)!.data, data, name);
  }
});

test("a config overridden by the caller is what is loaded", { skip }, async () => {
  const read = await readLlamaBlocks(join(folder, "llama3"), { heads: 2, normEps: 1e-4, ropeTheta: 7 });
  const { heads, kvHeads, headDim, normEps, ropeTheta } = read.config;
  assert.deepEqual([heads, kvHeads, headDim, normEps, ropeTheta], [2, 1, undefined, 1e-4, 7]);
});
