import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
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

/** The fields of a zip archive's header, up to the length of the name; `at`: where they begin. */
function fieldsAt(bytes: Buffer, at: number) {
  const [version, flags, method] = [0, 2, 4].map((place) => bytes.readUInt16LE(at + place));
  const [packed, size] = [14, 18].map((place) => bytes.readUInt32LE(at + place));
  return { version, flags, method, date: bytes.readUInt32LE(at + 6), packed, size };
}

/** Extra fields by their numbers. */
function extrasIn(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt16LE(at + 2);
    found.set(bytes.readUInt16LE(at), bytes.subarray(at + 4, end));
    at = end;
  }
  return found;
}

test("fields are wide from the limit on and not below it, each where the format has it", async () => {
  const limit = 300;
  const path = join(temporaryFolder(), "limits.zip");
  const handle = await open(path, "w");
  const zip = new ZipWriter(handle, limit);
  const names = ["below", "at"];
  for (const [i, name] of names.entries()) await zip.add(name, () => [Buffer.alloc(limit - 1 + i, 7)]);
  await zip.finish();
  await handle.close();
  const bytes = readFileSync(path);
  const source = await fileSource(path);
  const entries = await readZipDirectory(source);
  await source.close();
  const common = { flags: 0x0800, method: 0, date: 0x00210000 };
  const sizes = Buffer.alloc(16);
  for (const at of [0, 8]) sizes.writeBigUInt64LE(BigInt(limit), at);
  for (const [i, name] of names.entries()) {
    const { headerStart: at, size } = entries.get(name)!;
    assert.equal(size, limit - 1 + i);
    const told = i === 0 ? size : 0xffffffff;
    assert.deepEqual(fieldsAt(bytes, at + 4), { ...common, version: [20, 45][i], packed: told, size: told });
    const extraStart = at + 30 + name.length;
    const extras = extrasIn(bytes.subarray(extraStart, extraStart + bytes.readUInt16LE(at + 28)));
    assert.deepEqual(
      [...extras.keys()],
      i === 0 ? [0x4246] : [1, 0x4246],
      "the padding is a field of its own",
    );
    assert.deepEqual(extras.get(1), i === 0 ? undefined : sizes);
    const central = bytes.indexOf(Buffer.from(name), extraStart + size) - 46;
    assert.deepEqual(fieldsAt(bytes, central + 6), {
      ...common,
      version: [20, 45][i],
      packed: told,
      size: told,
    });
  }
  const end = bytes.length - 22;
  assert.deepEqual([bytes.readUInt16LE(end + 8), bytes.readUInt16LE(end + 10)], [0xffff, 0xffff]);
  assert.deepEqual([bytes.readUInt32LE(end + 12), bytes.readUInt32LE(end + 16)], [0xffffffff, 0xffffffff]);
  const [wide, locator] = [end - 76, end - 20];
  const start = Number(bytes.readBigUInt64LE(wide + 48));
  assert.equal(bytes.readUInt32LE(start), 0x02014b50, "the directory begins there");
  assert.deepEqual(
    [24, 32, 40].map((at) => Number(bytes.readBigUInt64LE(wide + at))),
    [2, 2, wide - start],
  );
  assert.deepEqual([Number(bytes.readBigUInt64LE(locator + 8)), bytes.readUInt32LE(locator + 16)], [wide, 1]);
});

test("an archive of nothing, and one whose pieces come in parts, are archives", async () => {
  const folder = temporaryFolder();
  for (const contents of [{}, { a: [Buffer.alloc(3, 1), Buffer.alloc(0), Buffer.alloc(5, 2)] }] as const) {
    const path = join(folder, "small.zip");
    const handle = await open(path, "w");
    const zip = new ZipWriter(handle);
    for (const [name, pieces] of Object.entries(contents)) await zip.add(name, () => pieces);
    await zip.finish();
    await handle.close();
    const source = await fileSource(path);
    const entries = await readZipDirectory(source);
    assert.deepEqual(
      [...entries.values()].map(({ name, size }) => [name, size]),
      Object.keys(contents).map((name) => [name, 8]),
    );
    const end = source.size - 22;
    const told = Buffer.from(await source.read(end, source.size));
    assert.equal(told.readUInt16LE(10), entries.size, "no wide fields where none are needed");
    await source.close();
  }
});

test("an archive of 65535 entries says so in the fields of ZIP64, one of an entry less in the plain ones", async () => {
  const written: Uint8Array[] = [];
  const write = async (bytes: Uint8Array) => {
    if (written.push(bytes) > 2) written.shift();
    return { bytesWritten: bytes.length };
  };
  const zip = new ZipWriter({ write } as unknown as FileHandle);
  await zip.add("x", () => []);
  const { entries } = zip as unknown as { entries: unknown[] };
  while (entries.length < 65534) entries.push(entries[0]);
  const ending = async () => {
    await zip.finish();
    const [wide, end] = written.map((bytes) => Buffer.from(bytes));
    const hasWide = wide.readUInt32LE(0) === 0x06064b50;
    return [end.readUInt16LE(8), end.readUInt16LE(10), hasWide && wide.readBigUInt64LE(32)];
  };
  assert.deepEqual(await ending(), [65534, 65534, false]);
  await zip.add("y", () => []); // what is behind the first ending is another archive
  assert.deepEqual(await ending(), [65535, 65535, 65535n]);
});
