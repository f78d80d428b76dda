import assert from "node:assert/strict";
import { test } from "node:test";
import { LuvitError } from "../../../../src/core/errors";
import { readMat } from "../../../../src/data/sets/matFile";

const [INT8, INT32, UINT32, DOUBLE, MATRIX, UTF8] = [1, 5, 6, 9, 14, 16];
const [STRUCT, CHAR, REAL, SPARSE] = [2, 4, 6, 5];

function element(type: number, data: Buffer): Buffer {
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(type, 0);
  tag.writeUInt32LE(data.length, 4);
  return Buffer.concat([tag, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
}

const integers = (...values: number[]) => Buffer.from(Int32Array.from(values).buffer);

function matrix(kind: number, name: string, shape: readonly number[], ...parts: Buffer[]): Buffer {
  const flags = Buffer.alloc(8);
  flags[0] = kind;
  const head = [element(UINT32, flags), element(INT32, integers(...shape)), element(INT8, Buffer.from(name))];
  return element(MATRIX, Buffer.concat([...head, ...parts]));
}

const number = (...values: number[]) =>
  matrix(REAL, "", [1, values.length], element(DOUBLE, Buffer.from(Float64Array.from(values).buffer)));
const text = (value: string) => matrix(CHAR, "", [1, value.length], element(UTF8, Buffer.from(value)));

function struct(
  name: string,
  shape: readonly number[],
  fields: readonly string[],
  cells: readonly Buffer[],
): Buffer {
  const names = Buffer.alloc(16 * fields.length);
  for (const [i, field] of fields.entries()) names.write(field, 16 * i);
  return matrix(STRUCT, name, shape, element(INT32, integers(16)), element(INT8, names), ...cells);
}

function file(...variables: Buffer[]): Buffer {
  const header = Buffer.alloc(128);
  header.write("IM", 126);
  return Buffer.concat([header, ...variables]);
}

test("a struct array gives each field its values, in the order of the elements", () => {
  const cells = [number(3, 4), text("x"), number(5), text("long name"), number(), text("")];
  const found = readMat("a.mat", file(struct("all", [1, 3], ["size", "name"], cells)));
  const all = found.get("all") as Map<string, unknown[]>;
  assert.deepEqual([...all.keys()], ["size", "name"]);
  assert.deepEqual(all.get("size"), [Float64Array.of(3, 4), Float64Array.of(5), new Float64Array()]);
  assert.deepEqual(all.get("name"), ["x", "long name", ""]);
});

test("a struct array without one of its values is refused, and does not shift the others", () => {
  const cells = [number(1), text("x"), number(2)];
  for (const shape of [
    [1, 2],
    [2, 2],
    [1, 1],
  ]) {
    assert.throws(
      () => readMat("a.mat", file(struct("all", shape, ["id", "name"], cells))),
      (error: unknown) =>
        error instanceof LuvitError &&
        error.code === "bad-file" &&
        error.message.includes(
          `a.mat: cannot be read as a MAT file (3 values in a struct array of ${shape[0] * shape[1]} x 2)`,
        ),
    );
  }
});

test("variables of other kinds are left out, the rest is read", () => {
  const sparse = matrix(SPARSE, "sparse", [1, 1]);
  const named = matrix(REAL, "n", [1, 1], element(DOUBLE, Buffer.from(Float64Array.of(7).buffer)));
  assert.deepEqual([...readMat("a.mat", file(sparse, named))], [["n", Float64Array.of(7)]]);
});
