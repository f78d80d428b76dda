import { test } from "node:test";
import { memorySource } from "../../../../src/io/bytes/byteSource";
import { openGguf } from "../../../../src/io/gguf";
import * as blocks from "../../../../src/io/gguf/blocks";
import { readGgufHeader } from "../../../../src/io/gguf/header";
import { GgufInput, numberBytes } from "../../../../src/io/gguf/input";
import { ggufType, ggufTypes, isReadable, readableGgufTypes } from "../../../../src/io/gguf/types";
import { Calls } from "../../../support/calls";
import { type Entry, f32, ggufFile, half, text, u16, u32 } from "../ggufWriter";

const bytesOf = (length: number, seed = 7) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + 97 * seed + 1, 2654435761) >>> 13) & 255);

test("types, and the numbers of their blocks, are approved", async () => {
  const calls = new Calls();
  for (const [number, { name, elements, bytes, stored, dequantize }] of ggufTypes) {
    calls.note(`${number}`, [
      name,
      elements,
      bytes,
      stored,
      dequantize !== undefined,
      isReadable(ggufType(number)),
    ]);
    if (!dequantize) continue;
    // Two blocks; scales that are halves of moderate size.
    const data = bytesOf(2 * bytes, number);
    const scales: Record<string, number[]> = {
      Q4_1: [0, 2],
      Q5_1: [0, 2],
      Q2_K: [80, 82],
      Q3_K: [108],
      Q4_K: [0, 2],
      Q5_K: [0, 2],
      Q6_K: [208],
    };
    for (const block of [0, bytes])
      for (const [i, at] of (scales[name] ?? [0]).entries())
        data.set(half((block ? 0.5 : -1.25) + i), block + at);
    await calls.does(name, () => {
      const numbers = new Float32Array(2 * elements);
      dequantize(data, numbers);
      return numbers;
    });
  }
  calls.note("readable", readableGgufTypes);
  calls.note("exported", Object.keys(blocks).sort());
  for (const number of [4, 5, 31, 38, 42, -1, 2 ** 31]) await calls.of(ggufType, number);
  const none = new Float32Array(0);
  await calls.does("no block", () => blocks.q40(new Uint8Array(0), none));
  calls.approve("io/gguf/types");
});

test("reading number after number is approved", async () => {
  const calls = new Calls();
  const bytes = bytesOf(40);
  const input = (from = bytes, size = from.length) => new GgufInput({ name: "x", size }, from);
  for (const type of Object.keys(numberBytes) as (keyof typeof numberBytes)[])
    await calls.does(`${type} ${numberBytes[type]}`, () => {
      const cursor = input(bytes.subarray(3));
      return [cursor.number(type, "n"), cursor.number(type, "n"), cursor.position, cursor.left];
    });
  const negative = input(new Uint8Array(16).fill(255));
  calls.note("all ones", [
    negative.number("INT8", ""),
    negative.number("INT16", ""),
    negative.number("INT32", ""),
    negative.number("INT64", ""),
  ]);
  await calls.does("text", () => input(Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0xa9, 65, 66)).text("t"));
  await calls.does("text too long", () =>
    input(Uint8Array.of(5, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0xa9, 65, 66)).text("t"),
  );
  for (const least of [1, 4, 5])
    await calls.does(`8 of ${least}`, () =>
      input(Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0), 40).count("things", least),
    );
  for (const length of [0, 40, 41])
    await calls.does(`skip ${length}`, () => [input().skip(length, "it"), input().position]);
  await calls.does("goes on", () => input(bytes, 41).skip(41, "it"));
  await calls.does("too long", () => input(bytes, 2 ** 29).skip(2 ** 28 + 1, "it"));
  await calls.does("as long as can be", () => input(bytes, 2 ** 29).skip(2 ** 28, "it"));
  await calls.does("fail", () => input().fail("why"));
  calls.approve("io/gguf/input");
});

const open = (bytes: Uint8Array) => openGguf(memorySource("x", bytes));
const tensor = (shape: readonly number[], type: number, bytes: number) => ({
  shape,
  type,
  bytes: bytesOf(bytes),
});
const int = (count: number, value: number | bigint) => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer.subarray(0, count);
};
const string = (value: string) => [int(8, Buffer.byteLength(value)), Buffer.from(value)];

test("what headers say, and what is wrong with them, is approved", async () => {
  const calls = new Calls();
  const read = (name: string, bytes: Uint8Array) =>
    calls.does(name, () => readGgufHeader(memorySource("x", bytes)));
  const head = (version: number, tensors: number, entries: number, ...rest: Buffer[]) =>
    Buffer.concat([Buffer.from("GGUF"), int(4, version), int(8, tensors), int(8, entries), ...rest]);
  for (const size of [0, 3, 4, 8, 23]) await read(`${size} bytes`, head(3, 0, 0).subarray(0, size));
  await read("GGML", Buffer.concat([Buffer.from("GGML"), Buffer.alloc(40)]));
  for (const version of [0, 1, 2, 3, 4, 65536 * 768, 0x03000000, 65536])
    await read(`version ${version}`, head(version, 0, 0));
  for (const [tensors, entries] of [
    [1, 0],
    [0, 1],
    [2 ** 40, 0],
    [0, 2 ** 40],
  ])
    await read(`${tensors} tensors, ${entries} entries`, head(3, tensors, entries));
  for (const [room, tensors] of [
    [24, 1],
    [25, 1],
    [49, 2],
  ])
    await read(`${tensors} in ${room}`, head(3, tensors, 0, Buffer.alloc(room)));
  for (const [room, entries] of [
    [12, 1],
    [13, 1],
  ])
    await read(`${entries} in ${room}`, head(3, 0, entries, Buffer.alloc(room)));
  calls.title("entries");
  const values: [string, number, Buffer][] = [
    ["u8", 0, int(1, 200)],
    ["i8", 1, int(1, 200)],
    ["u16", 2, int(2, 65535)],
    ["i16", 3, int(2, 65535)],
    ["u32", 4, int(4, 4294967295)],
    ["i32", 5, int(4, 4294967295)],
    ["f32", 6, Buffer.from(Float32Array.of(1.5).buffer)],
    ["false", 7, int(1, 0)],
    ["true", 7, int(1, 1)],
    ["two", 7, int(1, 2)],
    ["text", 8, Buffer.concat(string("漢 é\r\n"))],
    ["u64", 10, int(8, 2n ** 53n + 1n)],
    ["i64", 11, int(8, 2n ** 64n - 5n)],
    ["f64", 12, Buffer.from(Float64Array.of(-0.1).buffer)],
    ["13", 13, int(8, 0)],
    ["99", 99, int(8, 0)],
  ];
  for (const [name, type, value] of values)
    await read(name, head(3, 0, 1, ...string(name), int(4, type), value));
  const array = (type: number, count: number | bigint, ...rest: Buffer[]) =>
    Buffer.concat([int(4, type), int(8, count), ...rest]);
  const arrays: [string, Buffer][] = [
    ["no element", array(4, 0)],
    ["bytes", array(0, 3, Buffer.from([1, 2, 250]))],
    ["flags", array(7, 2, Buffer.from([0, 3]))],
    ["texts", array(8, 2, ...string("a"), ...string(""))],
    ["1024", array(0, 1024, Buffer.alloc(1024, 3))],
    ["1025", array(0, 1025, Buffer.alloc(1025, 3))],
    ["1024 texts", array(8, 1024, Buffer.alloc(8 * 1024))],
    ["1025 texts", array(8, 1025, Buffer.alloc(8 * 1025))],
    ["1025 shorts", array(2, 1025, Buffer.alloc(2050))],
    ["1025 shorts cut off", array(2, 1025, Buffer.alloc(2049))],
    ["arrays", array(9, 2, array(0, 1, Buffer.from([5])), array(8, 1, ...string("é")))],
    ["four deep", array(9, 1, array(9, 1, array(9, 1, array(0, 1, Buffer.from([5])))))],
    ["five deep", array(9, 1, array(9, 1, array(9, 1, array(9, 1, array(0, 1, Buffer.from([5]))))))],
    ["unknown", array(13, 1, int(8, 0))],
    ["unknown, none", array(13, 0)],
    ["too many", array(10, 5, Buffer.alloc(39))],
    ["texts too many", array(8, 5, Buffer.alloc(39))],
    ["endless", array(0, 2n ** 63n)],
  ];
  for (const [name, value] of arrays)
    await read(`array ${name}`, head(3, 0, 1, ...string("k"), int(4, 9), value));
  await read(
    "twice",
    head(3, 0, 2, ...string("k"), int(4, 0), int(1, 1), ...string("k"), int(4, 0), int(1, 2)),
  );
  calls.title("tensors");
  const entries: Record<string, Entry> = {
    "general.name": text("n"),
    half: f32(0.5),
    small: u16(3),
    big: { type: "uint64", value: 2 ** 40 },
    minus: { type: "int32", value: 5 },
    yes: { type: "bool", value: 1 },
    list: { type: "strings", value: ["a", "ü"] },
    floats: { type: "floats", value: [1.5, -2] },
  };
  const good = {
    a: tensor([2, 3], 0, 24),
    é: tensor([64], 8, 68),
    s: tensor([], 1, 2),
    none: tensor([0, 5], 0, 0),
    t4: tensor([2, 1, 3, 2], 24, 12),
  };
  await read("good", ggufFile(entries, good));
  await read("good, version 2", ggufFile(entries, good, { version: 2 }));
  for (const alignment of [1, 2, 64])
    await read(
      `alignment ${alignment}`,
      ggufFile({ "general.alignment": u32(alignment) }, { a: good.a, s: good.s }, { alignment }),
    );
  await read(`alignment ${2 ** 20}`, ggufFile({ "general.alignment": u32(2 ** 20) }, {}, { alignment: 32 }));
  for (const alignment of [0, 3, 2 ** 21])
    await read(
      `alignment ${alignment}`,
      ggufFile({ "general.alignment": u32(alignment) }, { s: good.s }, { alignment: 32 }),
    );
  for (const alignment of [text("32"), f32(0.5), { type: "bool", value: 1 }] as const)
    await read(`alignment ${alignment.value}`, ggufFile({ "general.alignment": alignment }, { s: good.s }));
  const entry = (name: string, axes: number[], type: number, offset: number) =>
    Buffer.concat([
      ...string(name),
      int(4, axes.length),
      ...axes.map((axis) => int(8, axis)),
      int(4, type),
      int(8, offset),
    ]);
  const file = (data: number, ...tensors: Buffer[]) => {
    const start = head(3, tensors.length, 0, ...tensors);
    return Buffer.concat([start, Buffer.alloc(Math.ceil(start.length / 32) * 32 - start.length + data)]);
  };
  await read("five axes", file(32, entry("a", [1, 1, 1, 1, 1], 0, 0)));
  await read("a name twice", file(64, entry("a", [1], 0, 0), entry("a", [1], 0, 32)));
  await read("off the alignment", file(64, entry("a", [1], 0, 0), entry("b", [1], 0, 16)));
  await read("rows of 33", file(64, entry("a", [33], 2, 0)));
  await read("rows of 32 x 2", file(36, entry("a", [32, 2], 2, 0)));
  await read("a column of 32", file(36, entry("a", [1, 32], 2, 0)));
  await read("cut off", file(35, entry("a", [32, 2], 2, 0)));
  await read("far away", file(35, entry("a", [2 ** 52, 2 ** 40], 2, 0), entry("b", [1], 0, 2 ** 50)));
  await read("overlap", file(64, entry("a", [16], 0, 0), entry("b", [1], 0, 32), entry("c", [0], 0, 32)));
  await read("touching", file(64, entry("b", [8], 0, 32), entry("a", [8], 0, 0)));
  await read("unknown type", file(64, entry("a", [99], 77, 0), entry("b", [1], 0, 0)));
  const vocabulary = {
    words: { type: "strings", value: Array.from({ length: 1300 }, (_, i) => `${i}`.repeat(300)) },
  } as const;
  await read("longer than one read", ggufFile(vocabulary, { a: good.a }));
  calls.approve("io/gguf/header");
});

test("what an open file says and reads is approved", async () => {
  const calls = new Calls();
  const file = await open(
    ggufFile(
      { k: u32(9) },
      {
        a: { shape: [2, 3], type: 0, bytes: new Uint8Array(Float32Array.of(1, 2.5, -3, 4, 5, 6.25).buffer) },
        q: { shape: [1, 32], type: 8, bytes: Uint8Array.from([...half(0.5), ...bytesOf(32)]) },
        i: { shape: [5], type: 25, bytes: bytesOf(10) },
        x: tensor([256], 16, 66),
        y: tensor([256], 29, 56),
      },
    ),
  );
  calls.note("names", file.names);
  calls.note("metadata", file.metadata);
  for (const name of ["a", "q", "i", "x", "b"]) await calls.does(`info ${name}`, () => file.info(name));
  for (const names of [["a"], ["q"], ["i", "a"], [], ["x"], ["y", "a", "x"], ["a", "b", "c"], undefined])
    await calls.does(
      `read ${names}`,
      async () =>
        new Map(
          [...(await file.readTensors(names))].map(([name, { shape, data, dtype }]) => [
            name,
            [dtype, shape, data],
          ]),
        ),
    );
  const seen: string[] = [];
  await file.readTensors(["q", "a"], (name, { data }) => seen.push(`${name} ${data.length}`));
  calls.note("seen", seen.sort());
  await calls.does("close", () => file.close());
  calls.approve("io/gguf/gguf");
});
