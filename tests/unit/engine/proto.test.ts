import assert from "node:assert/strict";
import { test } from "node:test";
import type { OnnxModel } from "../../../src/engine/onnx/model";
import { encodeModel } from "../../../src/engine/onnx/proto";
import { Message } from "../../../src/engine/protobuf";

const model: OnnxModel = {
  name: "g",
  nodes: [
    {
      op: "Gemm",
      domain: "com.microsoft",
      inputs: ["x", "", "w"],
      outputs: ["y"],
      attributes: { axis: -1, alpha: { float: 0.5 }, perm: [1, 300], mode: "add" },
    },
  ],
  inputs: [{ name: "x", shape: [2, 300], dtype: "float32" }],
  outputs: [{ name: "y", shape: [], dtype: "int64" }],
  initializers: [{ name: "w", shape: [1], dtype: "float32", data: Float32Array.of(1.5) }],
};

/** One field of a message: its number and its bytes or integer. */
function fields(bytes: Uint8Array): [number, Uint8Array | bigint][] {
  const found: [number, Uint8Array | bigint][] = [];
  let at = 0;
  const integer = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      value |= BigInt(bytes[at] & 127) << shift;
      if (bytes[at++] < 128) return BigInt.asIntN(64, value);
    }
  };
  while (at < bytes.length) {
    const key = Number(integer());
    const length = key % 8 === 0 ? 0 : key % 8 === 5 ? 4 : Number(integer());
    found.push([key >> 3, key % 8 === 0 ? integer() : bytes.subarray(at, at + length)]);
    at += length;
  }
  return found;
}

const all = (bytes: Uint8Array, field: number) =>
  fields(bytes).flatMap(([number, value]) => (number === field ? [value as Uint8Array] : []));
const first = (bytes: Uint8Array, ...path: number[]) =>
  path.reduce<Uint8Array>((message, field) => all(message, field)[0], bytes);
const integer = (bytes: Uint8Array, field: number) => all(bytes, field)[0] as unknown as bigint;
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

test("a model has its IR version, its opsets and its graph's name", () => {
  const bytes = encodeModel(model);
  assert.ok(integer(bytes, 1) <= 13n);
  assert.equal(text(first(bytes, 7, 2)), "g");
  assert.deepEqual(
    all(bytes, 8).map((opset) => [text(first(opset, 1)), integer(opset, 2)]),
    [
      ["", 18n],
      ["com.microsoft", 1n],
    ],
  );
});

test("a node has its operands, an empty one included, its domain and its attributes by kind", () => {
  const node = first(encodeModel(model), 7, 1);
  assert.deepEqual(all(node, 1).map(text), ["x", "", "w"]);
  assert.deepEqual(all(node, 2).map(text), ["y"]);
  assert.deepEqual([text(first(node, 4)), text(first(node, 7))], ["Gemm", "com.microsoft"]);
  const [axis, alpha, perm, mode] = all(node, 5);
  assert.deepEqual([text(first(axis, 1)), integer(axis, 3), integer(axis, 20)], ["axis", -1n, 2n]);
  assert.deepEqual([...first(alpha, 2), integer(alpha, 20)], [0, 0, 0, 63, 1n]);
  assert.deepEqual([[...first(perm, 8)], integer(perm, 20)], [[1, 0xac, 2], 7n]);
  assert.deepEqual([text(first(mode, 4)), integer(mode, 20)], ["add", 3n]);
});

test("values have shapes and element types, initializers their numbers as raw bytes", () => {
  const graph = first(encodeModel(model), 7);
  const type = (field: number) => first(graph, field, 2, 1);
  const dimensions = (field: number) =>
    all(first(type(field), 2), 1).map((dimension) => integer(dimension, 1));
  assert.deepEqual([integer(type(11), 1), dimensions(11)], [1n, [2n, 300n]]);
  assert.deepEqual([integer(type(12), 1), dimensions(12)], [7n, []]);
  const weight = first(graph, 5);
  assert.deepEqual([[...first(weight, 1)], integer(weight, 2), text(first(weight, 8))], [[1], 1n, "w"]);
  assert.deepEqual([...first(weight, 9)], [0, 0, 0xc0, 63]);
});

test("integers take seven bits a byte, low ones first; lengths of texts and messages are such integers", () => {
  const bytes = (message: Message) => [...message.finish()];
  const known: [value: number, varint: number[]][] = [
    [0, [0]],
    [1, [1]],
    [127, [0x7f]],
    [128, [0x80, 1]],
    [129, [0x81, 1]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 1]],
    [2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
    [-1, [...Array<number>(9).fill(0xff), 1]],
  ];
  for (const [value, varint] of known) {
    assert.deepEqual(bytes(new Message().integer(3, value)), [0x18, ...varint], `${value}`);
    assert.deepEqual(bytes(new Message().integers(3, [value, 1])), [0x1a, varint.length + 1, ...varint, 1]);
  }
  assert.deepEqual(bytes(new Message().integer(20, 5)), [0xa0, 1, 5], "a field beyond the fifteenth");
  assert.deepEqual(bytes(new Message().text(1, "é")), [0x0a, 2, 0xc3, 0xa9]);
  assert.deepEqual(bytes(new Message().float(2, 1)), [0x15, 0, 0, 0x80, 0x3f]);
  const long = bytes(new Message().message(2, new Message().bytes(1, new Uint8Array(130))));
  assert.deepEqual(long.slice(0, 6), [0x12, 0x85, 1, 0x0a, 0x82, 1]);
  const whole = new Message().messages(1, [new Message().integer(1, 7), new Message()]);
  assert.deepEqual(bytes(whole), [0x0a, 2, 8, 7, 0x0a, 0]);
  assert.equal(whole.length, 6);
});
