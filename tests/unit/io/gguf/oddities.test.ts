import assert from "node:assert/strict";
import { test } from "node:test";
import { memorySource } from "../../../../src/io/bytes/byteSource";
import { openGguf } from "../../../../src/io/gguf/gguf";
import { GgufInput, HeaderGoesOn, type NumberType, numberBytes } from "../../../../src/io/gguf/input";
import { type Entry, f32, ggufFile, text, u32, type WrittenTensor } from "../ggufWriter";
import { assertRejects } from "../support";

const open = (
  entries: Record<string, Entry>,
  tensors: Record<string, WrittenTensor>,
  options?: { alignment?: number },
) => openGguf(memorySource("odd.gguf", ggufFile(entries, tensors, options)));

const floats = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer);
const scalar: WrittenTensor = { shape: [], type: 0, bytes: floats(7) };
const two: WrittenTensor = { shape: [2], type: 0, bytes: floats(1, 2) };

test("a file without tensors, and one without entries, is a file", async () => {
  const file = await open({ "general.name": text("nothing") }, {});
  assert.deepEqual([file.names, file.metadata.get("general.name")], [[], "nothing"]);
  assert.equal((await file.readTensors()).size, 0);
  assert.equal((await open({}, { two })).metadata.size, 0);
});

test("a number without axes, and tensors with an axis of length 0, are read", async () => {
  const none = new Uint8Array(0);
  const empty: Record<string, WrittenTensor> = {
    rows: { shape: [0, 4], type: 0, bytes: none },
    columns: { shape: [4, 0], type: 0, bytes: none },
    quantized: { shape: [0, 32], type: 2, bytes: none },
  };
  const file = await open({}, { ...empty, scalar, two });
  const tensors = await file.readTensors();
  for (const [name, { shape }] of Object.entries(empty)) {
    assert.deepEqual([tensors.get(name)!.shape, tensors.get(name)!.data.length], [shape, 0], name);
  }
  assert.deepEqual([tensors.get("scalar")!.shape, [...tensors.get("scalar")!.data]], [[], [7]]);
  assert.deepEqual([...tensors.get("two")!.data], [1, 2]);
  const quantized = { shape: [], type: 2, bytes: new Uint8Array(18) };
  await assertRejects(() => open({}, { quantized }), "bad-file", "rows are no multiple of 32");
});

test("numbers that lie at odd bytes are read as they are", async () => {
  const bytes: WrittenTensor = { shape: [3], type: 24, bytes: Uint8Array.of(1, 2, 255) };
  const double: WrittenTensor = {
    shape: [1],
    type: 28,
    bytes: new Uint8Array(Float64Array.of(Math.PI).buffer),
  };
  const file = await open({ "general.alignment": u32(1) }, { bytes, two, double }, { alignment: 1 });
  const tensors = await file.readTensors();
  assert.deepEqual([...tensors.get("bytes")!.data], [1, 2, -1]);
  assert.deepEqual([...tensors.get("two")!.data], [1, 2]);
  assert.ok(Math.abs(tensors.get("double")!.data[0] - Math.PI) < 1e-6);
});

test("an alignment is a power of two", async () => {
  for (const alignment of [1, 8, 64, 4096]) {
    const file = await open({ "general.alignment": u32(alignment) }, { two, scalar }, { alignment });
    assert.deepEqual([...(await file.readTensors(["scalar"])).get("scalar")!.data], [7]);
  }
  for (const wrong of [u32(0), u32(3), u32(48), u32(2 ** 21), f32(0.5), text("32")]) {
    await assertRejects(() => open({ "general.alignment": wrong }, { two }), "bad-file", "power of two");
  }
});

test("an entry that is there twice, or is of a type that nobody knows, is named", async () => {
  const good = ggufFile({ "a.one": u32(1), "a.two": u32(2) }, { two });
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good);
    change(bytes);
    return () => openGguf(memorySource("odd.gguf", Uint8Array.from(bytes)));
  };
  const twice = changed((bytes) => bytes.write("a.one", bytes.indexOf("a.two")));
  await assertRejects(twice, "bad-file", "a.one is there twice");
  const foreign = changed((bytes) => bytes.writeUInt32LE(99, bytes.indexOf("a.one") + 5));
  await assertRejects(foreign, "bad-file", "a.one has the unknown type 99");
  const axes = { shape: [1, 1, 1, 1, 2], type: 0, bytes: floats(1, 2) };
  await assertRejects(() => open({}, { axes }), "bad-file", "axes has 5 axes, 0 to 4 are possible");
});

test("of a vocabulary of any length only the length is kept", async () => {
  const value = Array.from({ length: 100_000 }, (_, i) => `token ${i}`);
  const file = await open(
    { list: { type: "strings", value }, short: { type: "strings", value: ["a"] } },
    { two },
  );
  assert.deepEqual(file.metadata.get("list"), { length: 100_000 });
  assert.deepEqual(file.metadata.get("short"), ["a"]);
  assert.deepEqual([...(await file.readTensors()).get("two")!.data], [1, 2]);
});

test("every type of number is read with its sign and width, also where the header begins within other bytes", () => {
  const written: [type: NumberType, bytes: ArrayBufferView, value: number][] = [
    ["UINT8", Uint8Array.of(200), 200],
    ["INT8", Int8Array.of(-100), -100],
    ["UINT16", Uint16Array.of(60_000), 60_000],
    ["INT16", Int16Array.of(-30_000), -30_000],
    ["UINT32", Uint32Array.of(4e9), 4e9],
    ["INT32", Int32Array.of(-2e9), -2e9],
    ["FLOAT32", Float32Array.of(-0.5), -0.5],
    ["BOOL", Uint8Array.of(1), 1],
    ["UINT64", BigUint64Array.of(2n ** 52n), 2 ** 52],
    ["INT64", BigInt64Array.of(-(2n ** 40n)), -(2 ** 40)],
    ["FLOAT64", Float64Array.of(0.1), 0.1],
  ];
  const all = Buffer.concat(written.map(([, { buffer }]) => Buffer.from(buffer)));
  const bytes = Buffer.concat([Buffer.alloc(3, 0xff), all, Buffer.alloc(9, 0xff)]).subarray(
    3,
    3 + all.length,
  );
  const input = new GgufInput({ name: "x", size: all.length }, bytes);
  for (const [type, { byteLength }, value] of written) {
    assert.equal(numberBytes[type], byteLength, type);
    assert.equal(input.number(type, type), value, type);
  }
  assert.equal(input.left, 0);
  assert.throws(() => input.number("UINT8", "more"), /more takes 1 bytes, the file has 0 left/);
  const longer = new GgufInput({ name: "x", size: all.length + 1 }, bytes);
  longer.skip(all.length, "all");
  assert.throws(() => longer.number("UINT8", "more"), HeaderGoesOn);
});

test("a header may take 256 MiB and not a byte more, however it is made up", () => {
  const most = 256 * 2 ** 20;
  const input = new GgufInput({ name: "x", size: 2 * most }, new Uint8Array(16));
  assert.throws(() => input.skip(most, "one text"), HeaderGoesOn, "of the file, not of the bytes at hand");
  assert.throws(() => input.skip(most + 1, "one text"), /the header is longer than 268435456 bytes/);
  input.position = most - 4;
  assert.throws(() => input.uint32("the last number"), HeaderGoesOn);
  assert.throws(() => input.uint64("one more"), /the header is longer than 268435456 bytes/);
  assert.equal(input.position, most - 4, "what cannot be read is not passed over");
});

test("lists of up to 1024 entries are kept, of longer ones their length", async () => {
  for (const length of [1, 1023, 1024, 1025]) {
    const numbers = Array.from({ length }, (_, i) => i / 2);
    const texts = numbers.map(String);
    const file = await open(
      { a: { type: "floats", value: numbers }, b: { type: "strings", value: texts } },
      { two },
    );
    const kept = length <= 1024;
    assert.deepEqual(file.metadata.get("a"), kept ? numbers : { length });
    assert.deepEqual(file.metadata.get("b"), kept ? texts : { length });
    assert.deepEqual([...(await file.readTensors()).get("two")!.data], [1, 2]);
  }
});
