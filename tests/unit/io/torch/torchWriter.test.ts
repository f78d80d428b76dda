import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { Rng } from "../../../../src/core/rng";
import { fileSource } from "../../../../src/io/bytes/byteSource";
import { openTorchFile } from "../../../../src/io/torch/torchFile";
import { writeTorchCheckpoint } from "../../../../src/io/torch/torchWriter";
import { locateEntryData, readZipDirectory } from "../../../../src/io/torch/zipArchive";
import { tableCrc32, ZipWriter } from "../../../../src/io/torch/zipWriter";
import { assertRejects, assertSameTensors, eighths, randomTensor, temporaryFolder } from "../support";

const tensors = () =>
  new Map([
    ["blocks.0.attn.qkv.weight", randomTensor(new Rng(1), [6, 2])],
    ["scalar", { shape: [], data: Float32Array.of(3) }],
    ["empty", { shape: [0, 4], data: new Float32Array(0) }],
    ["größe 300", randomTensor(new Rng(2), [300, 2, 1, 3])],
  ]);

test("a written checkpoint comes back: tensors under model, the rest beside it", async () => {
  const path = join(temporaryFolder(), "checkpoint.pth");
  const extras = { epoch: 399, rate: 1.5e-4, name: "mae", best: true, none: null, large: 2 ** 40, below: -3 };
  await writeTorchCheckpoint(path, tensors(), { extras });
  const file = await openTorchFile(await fileSource(path));
  assert.deepEqual(
    new Map([...(file.root as Map<string, unknown>)].slice(1)),
    new Map(Object.entries(extras)),
  );
  const read = await file.readTensors(file.state("model").tensors);
  await file.close();
  assertSameTensors(read, tensors());
});

test("whole numbers of every size, and sides of 255, 256 and 257, come back as they are", async () => {
  const path = join(temporaryFolder(), "checkpoint.pth");
  const numbers = [
    0,
    1,
    254,
    255,
    256,
    257,
    65_535,
    65_536,
    -1,
    -256,
    2 ** 31,
    -(2 ** 31),
    2 ** 53 - 1,
    0.1,
    1e300,
  ];
  const extras = Object.fromEntries(numbers.map((number) => [`of ${number}`, number]));
  const sides = [255, 256, 257].map((side) => [`${side}`, randomTensor(new Rng(side), [side, 1])] as const);
  await writeTorchCheckpoint(path, new Map(sides), { extras });
  const file = await openTorchFile(await fileSource(path));
  const root = file.root as Map<string, unknown>;
  for (const [name, value] of Object.entries(extras)) assert.equal(root.get(name), value, name);
  const read = await file.readTensors(file.state("model").tensors);
  await file.close();
  assertSameTensors(read, new Map(sides));
});

test("sixteen-bit checkpoints keep numbers that fit", async () => {
  const exact = new Map([["x", eighths([31, 3])]]);
  for (const dtype of ["F16", "BF16"] as const) {
    const path = join(temporaryFolder(), "checkpoint.pth");
    await writeTorchCheckpoint(path, exact, { dtype });
    const file = await openTorchFile(await fileSource(path));
    const read = await file.readTensors(file.state().tensors);
    await file.close();
    assert.equal(read.get("x")!.dtype, dtype);
    assertSameTensors(read, exact);
  }
});

test("data begin at multiples of 64 bytes and carry their checksums; equal contents are equal files", async () => {
  const folder = temporaryFolder();
  for (const name of ["a.pth", "b.pth"]) await writeTorchCheckpoint(join(folder, name), tensors());
  const [bytes, again] = ["a.pth", "b.pth"].map((name) => readFileSync(join(folder, name)));
  assert.ok(bytes.equals(again));
  const source = await fileSource(join(folder, "a.pth"));
  for (const entry of (await readZipDirectory(source)).values()) {
    const start = await locateEntryData(source, entry);
    assert.equal(start % 64, 0, entry.name);
    const stored = bytes.readUInt32LE(entry.headerStart + 14);
    assert.equal(stored, tableCrc32(bytes.subarray(start, start + entry.size), 0), entry.name);
  }
  await source.close();
});

test("the checksum of our own is that of zlib, also in pieces", {
  skip: !crc32 && "this Node has no zlib.crc32",
}, () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 37) & 255);
  assert.equal(tableCrc32(bytes, 0), crc32(bytes));
  assert.equal(tableCrc32(bytes.subarray(300), tableCrc32(bytes.subarray(0, 300), 0)), crc32(bytes));
});

test("sizes and positions too wide for the plain fields are in those of ZIP64", async () => {
  const path = join(temporaryFolder(), "wide.zip");
  const handle = await open(path, "w");
  const zip = new ZipWriter(handle, 100);
  const contents = { small: Buffer.alloc(20, 1), large: Buffer.alloc(300, 2), last: Buffer.alloc(5, 3) };
  for (const [name, bytes] of Object.entries(contents)) await zip.add(name, () => [bytes]);
  await zip.finish();
  await handle.close();
  const source = await fileSource(path);
  const entries = await readZipDirectory(source);
  assert.deepEqual([...entries.keys()], Object.keys(contents));
  for (const [name, bytes] of Object.entries(contents)) {
    const start = await locateEntryData(source, entries.get(name)!);
    assert.deepEqual(Buffer.from(await source.read(start, start + entries.get(name)!.size)), bytes);
  }
  await source.close();
});

test("a shape that does not fit its numbers is refused before anything is written", async () => {
  const folder = temporaryFolder();
  const wrong = new Map([["x", { shape: [2, 2], data: new Float32Array(3) }]]);
  await assertRejects(
    () => writeTorchCheckpoint(join(folder, "x.pth"), wrong),
    "shape-mismatch",
    "x: [2, 2], 3 numbers",
  );
  assert.deepEqual(readdirSync(folder), []);
});
