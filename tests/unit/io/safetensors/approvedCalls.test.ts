import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { fileSource, KeptFile } from "../../../../src/io/bytes";
import { memorySource } from "../../../../src/io/bytes/byteSource";
import {
  keepSafetensors,
  openSafetensors,
  writeSafetensors,
  writeTensorStream,
} from "../../../../src/io/safetensors";
import { parseSafetensorsHeader } from "../../../../src/io/safetensors/header";
import { Calls } from "../../../support/calls";
import { eighths, temporaryFolder, withoutEnginesWords } from "../support";

const folder = temporaryFolder();

test("what a header says, and what is wrong with it, is approved", async () => {
  const calls = new Calls();
  const parse = (text: string, start = 100, size = 124) =>
    calls.does(`${text} from ${start} of ${size}`, () => parseSafetensorsHeader("x", text, start, size));
  const one = (dtype: unknown, shape: unknown, offsets: unknown, size = 124) =>
    parse(JSON.stringify({ a: { dtype, shape, data_offsets: offsets } }), 100, size);
  calls.title("types");
  for (const [dtype, bytes] of Object.entries({
    F64: 8,
    F32: 4,
    F16: 2,
    BF16: 2,
    I64: 8,
    I32: 4,
    I16: 2,
    I8: 1,
    U8: 1,
    BOOL: 1,
  }))
    for (const length of [6 * bytes, 6 * bytes + 1]) await one(dtype, [2, 3], [0, length], 100 + length);
  for (const [dtype, bits] of Object.entries({
    U16: 16,
    U32: 32,
    U64: 64,
    C64: 64,
    F8_E4M3: 8,
    F8_E4M3FNUZ: 8,
    F8_E5M2FNUZ: 8,
    F8_E5M2: 8,
    F8_E8M0: 8,
    F6_E2M3: 6,
    F6_E3M2: 6,
    F4: 4,
  }))
    for (const more of [0, 1]) await one(dtype, [4, 2], [0, bits + more], 100 + bits + more);
  for (const dtype of ["F6_E2M3", "F4"]) await one(dtype, [3], [0, 2], 102);
  for (const dtype of ["F128", "N", "X".repeat(32), "X".repeat(33), "f32", "_F", "F-1", "", 3, null])
    await one(dtype, [5], [0, 7], 107);
  calls.title("shapes and places");
  for (const shape of [
    [],
    [0],
    [0, 2 ** 53 - 1],
    [24],
    [2, 3, 4],
    [-1],
    [1.5],
    ["2"],
    null,
    "24",
    {},
    [2 ** 53],
    [2 ** 52, 2 ** 52],
  ])
    await one("U8", shape, [0, 24]);
  await one("U8", [], [0, 1], 101);
  await one("U8", [0, 5], [0, 0], 100);
  for (const offsets of [
    [0],
    [0, 12, 24],
    [24, 0],
    [0, 25],
    [-1, 23],
    [0.5, 24.5],
    "0,24",
    null,
    [1, 25],
    [0, 23],
  ])
    await one("U8", [24], offsets);
  calls.title("holes and overlaps");
  const rows = (...ends: [number, number][]) =>
    parse(
      JSON.stringify(
        Object.fromEntries(
          ends.map(([start, end], i) => [
            `t${i}`,
            { dtype: "U8", shape: [end - start], data_offsets: [start, end] },
          ]),
        ),
      ),
    );
  await rows([0, 10], [10, 24]);
  await rows([10, 24], [0, 10]);
  await rows([0, 10], [11, 24]);
  await rows([0, 10], [8, 24]);
  await rows([0, 24], [3, 5], [5, 24]);
  await rows([0, 10], [10, 20]);
  await rows([1, 24]);
  await rows([0, 0], [0, 24], [24, 24]);
  await rows();
  calls.title("the text");
  const tensor = '"a":{"dtype":"U8","shape":[24],"data_offsets":[0,24]}';
  for (const text of [
    "",
    "null",
    "[]",
    "3",
    '"x"',
    "{",
    "{}",
    `{${tensor}}`,
    `{${tensor},${tensor}}`,
    `\r\n{${tensor}}  \n`,
    `\ufeff{${tensor}}`,
    `{"__metadata__":{"format":"pt","é\u20ac":"\\u00fc"},${tensor}}`,
    `{"__metadata__":null,${tensor}}`,
    `{"__metadata__":[],${tensor}}`,
    `{"__metadata__":{"a":1},${tensor}}`,
    `{"__metadata__":"pt",${tensor}}`,
    '{"a":{"dtype":"U8","shape":[24.0],"data_offsets":[0,24]}}',
    '{"a":{"dtype":"U8","shape":[24],"data_offsets":[-0,24]}}',
    '{"a":{"dtype":"U8","shape":[2e1,1],"data_offsets":[0,20]}}',
    '{"a":{"shape":[1.0],"dtype":"x"},"b":4,"c":null,"d":[1]}',
    `{"__metadata__":{"shape":"[1.5]"},${tensor}}`,
    `{"\\ud83d":{"dtype":"U8","shape":[24],"data_offsets":[0,24]}}`,
    `{"\\uD83D\\uDE00":{"dtype":"U8","shape":[24],"data_offsets":[0,24]}}`,
    `{"__metadata__":{"a":"\\udc00\\udc00\\ud800"},${tensor}}`,
    `{"__metadata__":{"a":"\\\\ud800"},${tensor}}`,
    '{"a":{"dtype":"U8","shape":[24],"data_offsets":[0,24],"dtype":"U8"}}',
  ])
    await parse(text);
  const many = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`t${i}`, { dtype: "F32", shape: [i], data_offsets: [0, 3] }]),
  );
  await calls.does("30 wrong", () => parseSafetensorsHeader("x", JSON.stringify(many), 0, 3));
  withoutEnginesWords(calls);
  calls.approve("io/safetensors/header");
});

const file = (text: string, data: number, claimed?: number) => {
  const json = Buffer.from(text);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(claimed ?? json.length));
  return Buffer.concat([
    length,
    json,
    Buffer.from(Array.from({ length: data }, (_, i) => (37 * i + 11) % 127)),
  ]);
};
const TWO =
  '{"b":{"dtype":"F16","shape":[2,3],"data_offsets":[8,20]},"é":{"dtype":"I16","shape":[4],"data_offsets":[0,8]},"f":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[20,23]},"__metadata__":{"k":"v"}}';

test("what an open file says and reads is approved", async () => {
  const calls = new Calls({ tmp: folder });
  const open = (bytes: Uint8Array) => openSafetensors(memorySource("x", bytes));
  for (const size of [0, 7, 8, 9]) await calls.does(`${size} zeros`, () => open(new Uint8Array(size)));
  for (const claimed of [1, 2, 3, 100_000_000, 100_000_001, 2 ** 52])
    await calls.does(`{} said to be ${claimed} long`, () => open(file("{}", 0, claimed)));
  await calls.does("no UTF-8", () => open(Buffer.from([2, 0, 0, 0, 0, 0, 0, 0, 0xc3, 0x28])));
  await calls.does("BOM", () => open(file("\ufeff{}", 0)));
  await calls.does("no source", () => openSafetensors("x" as never));
  await calls.does("no size", () =>
    openSafetensors({ name: "x", read: async () => new Uint8Array() } as never),
  );
  const opened = await open(file(TWO, 23));
  calls.note("names", opened.names);
  calls.note("metadata", opened.metadata);
  for (const name of ["b", "é", "f", "g", "__metadata__"])
    await calls.does(`info ${name}`, () => opened.info(name));
  for (const name of ["b", "é", "f", "g"])
    await calls.does(`readTensor ${name}`, async () =>
      numbers(new Map([[name, await opened.readTensor(name)]])),
    );
  for (const names of [["b", "é"], ["é"], [], ["b", "b"], ["b", "x", "y"], undefined])
    await calls.does(`readTensors ${names}`, async () => numbers(await opened.readTensors(names)));
  const seen: string[] = [];
  await opened.readTensors(["b", "é"], (name, { shape }) => seen.push(`${name} [${shape}]`));
  calls.note("seen", seen);
  const path = join(folder, "kept.safetensors");
  writeFileSync(path, file(TWO.replace("F8_E4M3", "U8"), 23));
  const source = await fileSource(path);
  const kept = await keepSafetensors(source.keep!()!);
  await source.close();
  calls.note("kept", numbers(kept.tensors));
  calls.note("kept metadata", kept.metadata);
  writeFileSync(join(folder, "foreign.safetensors"), file(TWO, 23));
  const foreign = new KeptFile(join(folder, "foreign.safetensors"));
  await calls.does("kept types that cannot be read", () => keepSafetensors(foreign));
  foreign.close();
  calls.approve("io/safetensors/safetensors");
});

const numbers = (tensors: StateDict) =>
  new Map(
    [...tensors].map(([name, { shape, data, dtype }]) => [
      name,
      `${dtype} [${shape}] ${[...data].map((x) => Number(x.toPrecision(6)))}`,
    ]),
  );

test("what is written is approved", async () => {
  const own = temporaryFolder();
  const calls = new Calls({ own });
  const write = (label: string, tensors: unknown, options?: unknown, name = "w.safetensors") =>
    calls.does(label, async () => {
      await writeSafetensors(join(own, name), tensors as StateDict, options as never);
      const bytes = readFileSync(join(own, name));
      const length = Number(bytes.readBigUInt64LE(0));
      return [
        length,
        bytes.subarray(8, 8 + length).toString(),
        [...bytes.subarray(8 + length)].join(" "),
        readdirSync(own),
      ];
    });
  const two: StateDict = new Map([
    ["z", eighths([2, 3])],
    ["a.b", eighths([])],
    ["Ω漢😀", eighths([0, 4])],
  ]);
  for (const options of [
    undefined,
    {},
    { dtype: "F32" },
    { dtype: "F16" },
    { dtype: "BF16" },
    { metadata: {} },
    { metadata: { format: "pt", ключ: '漢"\n' } },
  ])
    await write(JSON.stringify(options) ?? "default", two, options);
  await write("none", new Map());
  await write(
    "awkward",
    new Map([["x", { shape: [5], data: Float32Array.of(1e-8, -0, 65520, 3.1401, Number.NaN) }]]),
    { dtype: "F16" },
  );
  for (const options of [
    { dtype: "F64" },
    { dtype: "f32" },
    { metadata: { a: 1 } },
    { metadata: "x" },
    { dtyp: "F32" },
    null,
    3,
  ])
    await write(JSON.stringify(options), two, options);
  for (const tensors of [{}, null, [["a", eighths([1])]]])
    await write(`tensors ${JSON.stringify(tensors)}`, tensors);
  await write(
    "shapes",
    new Map([
      ["a", { shape: [2, 2], data: new Float32Array(3) }],
      ["b", { shape: [], data: new Float32Array(0) }],
      ["__metadata__", eighths([1])],
    ]),
  );
  calls.note("files left", readdirSync(own));
  await calls.does("path", () => writeSafetensors(3 as never, two));
  await calls.does("stream of a reserved name", () =>
    writeTensorStream(join(own, "s"), {
      shapes: new Map([["__metadata__", [1]]]),
      read: async function* () {},
    } as never),
  );
  calls.note("files in the end", readdirSync(own));
  calls.approve("io/safetensors/write");
});
