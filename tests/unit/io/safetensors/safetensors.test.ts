import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { Rng } from "../../../../src/core/rng";
import { fileSource, memorySource } from "../../../../src/io/bytes/byteSource";
import { openSafetensors, writeSafetensors } from "../../../../src/io/safetensors";
import {
  assertRejects,
  assertSameTensors,
  countedFile,
  eighths,
  randomTensor,
  temporaryFolder,
} from "../support";

const folder = temporaryFolder();

function fileWith(header: unknown, dataBytes: number): Uint8Array {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

const openBytes = (bytes: Uint8Array) => openSafetensors(memorySource("x.safetensors", bytes));

test("what is written is read back, in every type it can be written in", async () => {
  const tensors: StateDict = new Map([
    ["b.weight", eighths([3, 5])],
    ["a", eighths([7])],
    ["scalar", eighths([])],
    ["empty", eighths([0, 4])],
  ]);
  for (const dtype of ["F32", "F16", "BF16"] as const) {
    const path = join(folder, `${dtype}.safetensors`);
    await writeSafetensors(path, tensors, { dtype, metadata: { format: "pt" } });
    const file = await openSafetensors(await fileSource(path));
    assertSameTensors(await file.readTensors(), tensors);
    assert.equal(file.info("a").dtype, dtype);
    assert.deepEqual(file.metadata, { format: "pt" });
    await file.close();
  }
});

test("the header is padded to 8 bytes and the names are sorted, as in the official library", async () => {
  const path = join(folder, "layout.safetensors");
  await writeSafetensors(
    path,
    new Map([
      ["z", eighths([1])],
      ["a", eighths([2])],
    ]),
  );
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  assert.equal(length % 8, 0);
  const header = bytes.subarray(8, 8 + length).toString();
  assert.equal(
    header.trimEnd(),
    '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"z":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}',
  );
});

test("an empty state dict is a valid file", async () => {
  const path = join(folder, "none.safetensors");
  await writeSafetensors(path, new Map());
  assert.deepEqual((await openSafetensors(await fileSource(path))).names, []);
});

test("reading one tensor reads its bytes and the header, neighbors come in one read", async () => {
  const rng = new Rng(3);
  const tensors: StateDict = new Map();
  for (let i = 0; i < 50; i++) tensors.set(`layer.${String(i).padStart(2, "0")}`, randomTensor(rng, [8, 8]));
  const path = join(folder, "many.safetensors");
  await writeSafetensors(path, tensors);
  const source = await countedFile(path);
  const file = await openSafetensors(source);
  const header = source.bytesRead;
  assert.deepEqual((await file.readTensor("layer.20")).data, tensors.get("layer.20")!.data);
  assert.equal(source.bytesRead - header, 8 * 8 * 4);
  const reads = source.reads;
  const some = await file.readTensors(["layer.32", "layer.30", "layer.31"]);
  assert.deepEqual([...some.keys()], ["layer.32", "layer.30", "layer.31"]);
  assert.deepEqual(some.get("layer.32")!.data, tensors.get("layer.32")!.data);
  assert.equal(source.reads - reads, 1);
  await file.close();
});

test("all faults of a header are listed in one error", async () => {
  const header = {
    a: { dtype: "F32", shape: [2], data_offsets: [8, 0] },
    b: { dtype: 7, shape: [2], data_offsets: [0, 8] },
    c: { dtype: "F32", shape: [-1], data_offsets: [0, 8] },
    d: { dtype: "F32", shape: [3], data_offsets: [0, 8] },
    e: { dtype: "F32", shape: [2], data_offsets: [96, 104] },
    f: 7,
  };
  await assertRejects(
    () => openBytes(fileWith(header, 16)),
    "bad-file",
    "a: data_offsets are reversed",
    "b: unknown dtype 7",
    "c: shape",
    "d: F32 [3] needs 12 bytes",
    "e: data_offsets end",
    "f: entry is not an object",
  );
});

test("holes, overlaps and bytes at the end are refused", async () => {
  const at = (begin: number, end: number) => ({
    dtype: "U8",
    shape: [end - begin],
    data_offsets: [begin, end],
  });
  await assertRejects(
    () => openBytes(fileWith({ a: at(0, 4), b: at(6, 8) }, 8)),
    "bad-file",
    "b: 2 bytes before it",
  );
  await assertRejects(() => openBytes(fileWith({ a: at(0, 4), b: at(2, 8) }, 8)), "bad-file", "b: overlaps");
  await assertRejects(() => openBytes(fileWith({ a: at(0, 4) }, 8)), "bad-file", "4 bytes at the end");
});

test("absurd headers are refused without allocating", async () => {
  const huge = { a: { dtype: "F64", shape: [2 ** 40, 2 ** 40], data_offsets: [0, 8] } };
  await assertRejects(() => openBytes(fileWith(huge, 8)), "bad-file", "a: F64");
  const claims = Buffer.alloc(16);
  claims.writeBigUInt64LE(2n ** 63n);
  await assertRejects(() => openBytes(claims), "bad-file", "header claims");
  await assertRejects(() => openBytes(fileWith("[1]", 0)), "bad-file", "not a JSON object");
  await assertRejects(() => openBytes(fileWith("{]", 0)), "bad-file", "not JSON");
  const nested = `{"a":{"dtype":${"[".repeat(20000)}${"]".repeat(20000)},"shape":[],"data_offsets":[0,0]}}`;
  await assertRejects(() => openBytes(fileWith(nested, 0)), "bad-file", "a: unknown dtype");
  const polluted = '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}';
  assert.deepEqual((await openBytes(fileWith(polluted, 1))).names, ["__proto__"]);
});

test("a type that exists but cannot be widened is reported when it is read", async () => {
  const file = await openBytes(fileWith({ a: { dtype: "F8_E4M3", shape: [4], data_offsets: [0, 4] } }, 4));
  assert.equal(file.info("a").dtype, "F8_E4M3");
  await assertRejects(() => file.readTensors(), "bad-file", "a: F8_E4M3");
});

test("a type that nobody here knows has the bytes it claims, and harms only who asks for it", async () => {
  for (const dtype of ["F8_E4M3FNUZ", "F8_E5M2FNUZ", "F99", "INT4_OF_THE_FUTURE"]) {
    const header = {
      a: { dtype, shape: [4], data_offsets: [0, 4] },
      b: { dtype: "U8", shape: [2], data_offsets: [4, 6] },
    };
    const file = await openBytes(fileWith(header, 6));
    assert.deepEqual([...(await file.readTensors(["b"])).get("b")!.data], [0, 0]);
    await assertRejects(() => file.readTensors(), "bad-file", `a: ${dtype}`);
    await assertRejects(() => openBytes(fileWith(header, 7)), "bad-file", "1 bytes at the end");
  }
  const wrong = { a: { dtype: "F8_E4M3FNUZ", shape: [4], data_offsets: [0, 5] } };
  await assertRejects(() => openBytes(fileWith(wrong, 5)), "bad-file", "needs 4 bytes");
  for (const dtype of ["", "f32", "F 32", "\u001b[31m", "A".repeat(33)]) {
    const header = { a: { dtype, shape: [4], data_offsets: [0, 4] } };
    await assertRejects(() => openBytes(fileWith(header, 4)), "bad-file", "unknown dtype");
  }
});

test("metadata may be null, and the header may begin with a space", async () => {
  const tensor = '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  for (const header of [`{"__metadata__":null,${tensor}}`, ` {${tensor}}`, `\n\t{${tensor}}  `]) {
    const file = await openBytes(fileWith(header, 1));
    assert.deepEqual([file.names, file.metadata], [["a"], {}]);
  }
  await assertRejects(
    () => openBytes(fileWith(`{"__metadata__":7,${tensor}}`, 1)),
    "bad-file",
    "__metadata__",
  );
});

test("half a character in the header is refused as the official reader does, a whole one is read", async () => {
  const entry = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
  for (const half of ["a\\ud800", "\\udc00x", "\\ud800\\ud800", "\\ud800\\u0041", "\\\\\\uDFFF"]) {
    const headers = [`{"${half}":${entry}}`, `{"__metadata__":{"a":"${half}"},"a":${entry}}`];
    for (const header of headers)
      await assertRejects(() => openBytes(fileWith(header, 4)), "bad-file", "half of a character");
  }
  const whole = await openBytes(fileWith(`{"a\\ud83d\\ude00\\\\ud800":${entry}}`, 4));
  assert.deepEqual([...whole.names], ["a😀\\ud800"]);
});

test("a key that is there twice is refused, at any place and however it is written", async () => {
  const tensor = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
  const refuse = (header: string, named: string) =>
    assertRejects(() => openBytes(fileWith(header, 1)), "bad-file", `"${named}" is there twice`);
  await refuse(`{"a":${tensor},"a":${tensor}}`, "a");
  await refuse(`{"a":${tensor},"\\u0061":${tensor}}`, "a");
  await refuse('{"a":{"dtype":"U8","shape":[1],"dtype":"U8","data_offsets":[0,1]}}', "a.dtype");
  await refuse(`{"__metadata__":{"k":"1","k":"2"},"a":${tensor}}`, "__metadata__.k");
  const alike = `{"__metadata__":{"a":"\\"a\\":{","b":"a: a"},"a":${tensor}}`;
  assert.deepEqual((await openBytes(fileWith(alike, 1))).metadata, { a: '"a":{', b: "a: a" });
});

test("numbers with a point or an exponent, a byte-order mark and bytes that are no UTF-8 are refused", async () => {
  const header = (shape: string, offsets: string) =>
    `{"a":{"dtype":"U8","shape":${shape},"data_offsets":${offsets}}}`;
  const refuse = (text: string, named: string) =>
    assertRejects(() => openBytes(fileWith(text, 1)), "bad-file", named);
  for (const offsets of ["[0,1.0]", "[0, 1e0]", "[-0,1]", "[0.0,1]", "[0,10E-1]"]) {
    await refuse(header("[1]", offsets), "data_offsets must be whole numbers");
  }
  await refuse(header("[1.0]", "[0,1]"), "shape must be whole numbers");
  await refuse(`\ufeff${header("[1]", "[0,1]")}`, "not JSON");
  const bytes = fileWith(header("[1]", "[0,1]"), 1);
  bytes[bytes.indexOf(0x61, 8)] = 0xff;
  await assertRejects(() => openBytes(bytes), "bad-file", "not UTF-8");
  const told = `{"__metadata__":{"shape":"[1.0]","v":"data_offsets:[0.5]"},${header("[1]", "[0,1]").slice(1)}`;
  assert.deepEqual((await openBytes(fileWith(told, 1))).names, ["a"]);
});

test("unknown names are listed", async () => {
  const file = await openBytes(fileWith({}, 0));
  await assertRejects(() => file.readTensors(["x", "y"]), "key-mismatch", "  x", "  y");
});

test("a shape that does not fit its numbers is not written, and no temporary file stays", async () => {
  const path = join(folder, "wrong", "wrong.safetensors");
  const wrong: StateDict = new Map([["w", { shape: [2, 2], data: new Float32Array(3) }]]);
  await assertRejects(
    () => writeSafetensors(path, wrong),
    "shape-mismatch",
    "w: shape [2, 2] with 3 numbers",
  );
  await writeSafetensors(path, new Map());
  assert.deepEqual(readdirSync(join(folder, "wrong")), ["wrong.safetensors"]);
});

test("a header that is JSON but no object, and offsets that are no pair of numbers, are refused", async () => {
  for (const header of ["[]", "null", "7", '"a"'])
    await assertRejects(
      () => openBytes(fileWith(header, 0)),
      "bad-file",
      "the safetensors header is not a JSON object",
    );
  for (const data_offsets of [undefined, null, "08", [0], [0, 8, 8], [0, "8"], [0, null], { 0: 0, 1: 8 }])
    await assertRejects(
      () => openBytes(fileWith({ a: { dtype: "F32", shape: [2], data_offsets } }, 8)),
      "bad-file",
      "a: data_offsets must be two whole numbers, got ",
    );
});

test("tensors may stand in the header in another order than in the file, also those of no bytes", async () => {
  const at = (begin: number, end: number) => ({
    dtype: "U8",
    shape: [end - begin],
    data_offsets: [begin, end],
  });
  const header = { c: at(5, 8), none: at(5, 5), a: at(0, 2), b: at(2, 5) };
  const bytes = fileWith(header, 8);
  bytes.set([1, 2, 3, 4, 5, 6, 7, 8], bytes.length - 8);
  const file = await openBytes(bytes);
  assert.deepEqual(file.names, ["c", "none", "a", "b"]);
  const read = await file.readTensors();
  assert.deepEqual(
    [...read].map(([name, { data }]) => [name, [...data]]),
    [
      ["c", [6, 7, 8]],
      ["none", []],
      ["a", [1, 2]],
      ["b", [3, 4, 5]],
    ],
  );
});

test("types of less than a byte, and of many, have the bytes that their definition gives them", async () => {
  const bytes: Record<string, number> = {
    ...{ U16: 16, U32: 32, U64: 64, C64: 64 },
    ...{ F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8, F6_E2M3: 6, F6_E3M2: 6, F4: 4 },
  };
  for (const [dtype, long] of Object.entries(bytes)) {
    const entry = { a: { dtype, shape: [8], data_offsets: [0, long] } };
    assert.equal((await openBytes(fileWith(entry, long))).info("a").dtype, dtype);
    const short = { a: { dtype, shape: [7], data_offsets: [0, long] } };
    await assertRejects(() => openBytes(fileWith(short, long)), "bad-file", `a: ${dtype} [7] needs`);
  }
});

test("what is no tensor is refused before a file is made", async () => {
  const folder = temporaryFolder();
  for (const wrong of [1, null, [1, 2], { shape: [1] }, { data: new Float32Array(1) }]) {
    const tensors = new Map([["a", wrong]]) as unknown as StateDict;
    const write = () => writeSafetensors(join(folder, "x.safetensors"), tensors);
    await assertRejects(write, "bad-argument", "a Map of tensors by name");
  }
  assert.deepEqual(readdirSync(folder), []);
});
