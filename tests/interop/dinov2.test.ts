import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { tokenNorms } from "../../src/analysis";
import type { StateDict } from "../../src/core/hostTensor";
import { startBackend, type Tensor, tf } from "../../src/core/tf";
import { fileSource } from "../../src/io/bytes/byteSource";
import { openSafetensors } from "../../src/io/safetensors";
import { openBackbone } from "../../src/models/openBackbone";
import { assertClose } from "../unit/nn/support";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("torch", "transformers", "safetensors");
const folder = mkdtempSync(join(tmpdir(), "luvit-dino-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const heads = 4;
let io: StateDict = new Map();
let registers: Record<string, number> = {};

before(async () => {
  await startBackend();
  if (skip) return;
  registers = runPython("dinov2.py", folder);
  const source = await fileSource(join(folder, "io.safetensors"));
  io = await (await openSafetensors(source)).readTensors();
  await source.close();
});

const given = (name: string): Tensor => {
  const { shape, data } = io.get(name)!;
  return tf.tensor(data as Float32Array, [...shape]);
};

/** Tokens in transformers' order, registers behind the class token -> class token and patches. */
function withoutRegisters(tokens: Tensor, count: number): Tensor {
  const [batch, all, dim] = tokens.shape as [number, number, number];
  const patches = tf.slice(tokens, [0, 1 + count, 0], [batch, all - 1 - count, dim]);
  return tf.concat([tf.slice(tokens, [0, 0, 0], [batch, 1, dim]), patches], 1);
}

for (const name of ["plain", "swiglu", "registers", "both"]) {
  test(`DINOv2 (${name}) gives transformers' tokens and attention`, { skip }, async () => {
    const model = await openBackbone(join(folder, name), { heads });
    assert.equal(model.encoder.config.registers ?? 0, registers[name]);
    let pattern: Tensor | undefined;
    const tap = (place: string, value: Tensor) => {
      if (place === "blocks.2.attn.pattern") pattern = value;
    };
    const tokens = model.tokens(given(`${name}.images`), { tap });
    const expected = withoutRegisters(given(`${name}.tokens`), registers[name]);
    assert.deepEqual(tokens.shape, expected.shape);
    assertClose(tokens.dataSync(), expected.dataSync(), 1e-4);
    // What the class token sees of itself and of the registers together does not depend on where they stand.
    const toClass = (x: Tensor) => tf.slice(x, [0, 0, 0, 0], [2, heads, 1, 1]).dataSync();
    assertClose(toClass(pattern!), toClass(given(`${name}.attention`)), 1e-5);
  });
}

test("what it reads is a model of the house: saved, opened, and looked into on an engine", {
  skip,
}, async () => {
  const model = await openBackbone(join(folder, "both"), { heads, classes: 3 });
  const { load } = await import("../../src/models/namespaces/classifier");
  const saved = join(folder, "saved");
  await model.save(saved);
  const again = await load(saved);
  const images = given("both.images");
  assert.deepEqual(again.forward(images).dataSync(), model.forward(images).dataSync());
  const image = { data: new Uint8Array(3 * 42 * 42).map((_, i) => (5 * i) % 256), width: 42, height: 42 };
  const { table } = await tokenNorms(again, image, { engine: "onnxruntime" });
  assert.equal(table.numRows, 4);
});
