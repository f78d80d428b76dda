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

test("numbers of every type are read, from small elements too", () => {
  const matrixOf = (type: number, bytes: Uint8Array) =>
    matrix(REAL, "x", [1, 1], element(type, Buffer.from(bytes)));
  const numbersOf = (type: number, bytes: { buffer: ArrayBufferLike }) => [
    ...(readMat("a.mat", file(matrixOf(type, new Uint8Array(bytes.buffer)))).get("x") as Float64Array),
  ];
  assert.deepEqual(numbersOf(1, Int8Array.of(-1, 5, -128)), [-1, 5, -128]);
  assert.deepEqual(numbersOf(2, Uint8Array.of(255, 5)), [255, 5]);
  assert.deepEqual(numbersOf(3, Int16Array.of(-300, 300)), [-300, 300]);
  assert.deepEqual(numbersOf(4, Uint16Array.of(65535)), [65535]);
  assert.deepEqual(numbersOf(5, Int32Array.of(-70000)), [-70000]);
  assert.deepEqual(numbersOf(6, Uint32Array.of(2 ** 32 - 1)), [2 ** 32 - 1]);
  assert.deepEqual(numbersOf(7, Float32Array.of(0.5, -2)), [0.5, -2]);
  assert.deepEqual(numbersOf(9, Float64Array.of(0.1)), [0.1]);
  assert.deepEqual(numbersOf(12, BigInt64Array.of(-5n, 2n ** 40n)), [-5, 2 ** 40]);
  assert.deepEqual(numbersOf(13, BigUint64Array.of(2n ** 52n)), [2 ** 52]);
  assert.deepEqual(numbersOf(17, Uint16Array.of(97)), [97]);
  const small = Buffer.from([2, 0, 3, 0, 7, 8, 9, 0]); // three bytes in the tag itself
  assert.deepEqual(
    [...(readMat("a.mat", file(matrix(REAL, "x", [1, 3], small))).get("x") as Float64Array)],
    [7, 8, 9],
  );
});

test("matrices without values are empty, those of other kinds left out, and damage is said", () => {
  const found = readMat(
    "a.mat",
    file(
      matrix(REAL, "none", [0, 0]),
      matrix(CHAR, "silent", [0, 0]),
      matrix(SPARSE, "other", [1, 1]),
      matrix(15, "last", [1, 1], element(1, Buffer.from([9]))),
      matrix(16, "beyond", [1, 1]),
    ),
  );
  assert.deepEqual([...found.keys()], ["none", "silent", "last"]);
  assert.deepEqual(
    [found.get("none"), found.get("silent"), found.get("last")],
    [new Float64Array(), "", Float64Array.of(9)],
  );
  assert.deepEqual(
    readMat("a.mat", file(element(MATRIX, Buffer.alloc(0)), element(INT8, Buffer.from([1])))).size,
    0,
  );
  const fails = (bytes: Buffer, reason: string) =>
    assert.throws(
      () => readMat("a.mat", bytes),
      (error: unknown) =>
        error instanceof LuvitError && error.message === `a.mat: cannot be read as a MAT file (${reason})`,
    );
  fails(Buffer.alloc(127), "no MAT 5 header");
  fails(Buffer.alloc(128), "no MAT 5 header");
  fails(file(matrix(REAL, "x", [1, 1], element(8, Buffer.from([1])))), "numbers of unknown type 8");
  fails(
    file(element(MATRIX, element(UINT32, Buffer.alloc(8)))),
    "a matrix without flags, dimensions or name",
  );
  fails(
    Buffer.concat([file(), Buffer.from([14, 0, 0, 0, 9, 0, 0, 0, 1])]),
    "an element of 9 bytes where 1 are left",
  );
  assert.equal(readMat("a.mat", file()).size, 0);
});
