import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { verifyAddon } from "../../../src/engine/install/verify";
import { assertRejects, temporaryFolder } from "../io/support";

/** An addon in plain JavaScript whose products are off by `error` in their last number. */
function addon(folder: string, error: number, gpu: boolean): string {
  const path = join(folder, `addon-${error}-${gpu}.js`);
  const code = `const tensors = [];
exports.TF_Version = "2.99.0";
exports.isUsingGpuDevice = () => ${gpu};
exports.createTensor = (shape, type, values) => tensors.push({ shape, values }) - 1;
exports.executeOp = (op, attributes, [a, b]) => {
  const [left, right] = [tensors[a], tensors[b]];
  const [rows, inner] = left.shape;
  const columns = right.shape[1];
  const product = new Float32Array(rows * columns);
  for (let i = 0; i < product.length; i++)
    for (let k = 0; k < inner; k++)
      product[i] += left.values[Math.floor(i / columns) * inner + k] * right.values[k * columns + (i % columns)];
  product[product.length - 1] += ${error};
  return [{ id: tensors.push({ values: product }) - 1 }];
};
exports.tensorDataSync = (id) => tensors[id].values;
`;
  writeFileSync(path, code);
  return path;
}

test("an addon that multiplies rightly is taken, one that is off in a single number is not", async () => {
  const folder = temporaryFolder();
  const verified = await verifyAddon(addon(folder, 0, false), folder);
  assert.equal(verified.tensorflow, "2.99.0");
  for (const [error, gpu] of [
    [0.01, false],
    [-5, false],
    [1, true],
    [Number.NaN, false],
    [Number.POSITIVE_INFINITY, true],
  ] as const) {
    const refused = () => verifyAddon(addon(folder, error, gpu), folder);
    await assertRejects(refused, "engine", "its matrix product is wrong by", "it was not installed");
  }
  // Tensor cores round the operands to eleven bits.
  assert.equal((await verifyAddon(addon(folder, 0.01, true), folder)).gpu, true);
});
