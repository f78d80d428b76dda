import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import type { TensorStream } from "../../../../src/core/hostTensor";
import { fileSource, memorySource } from "../../../../src/io/bytes/byteSource";
import { openSafetensors, writeSafetensors, writeTensorStream } from "../../../../src/io/safetensors";
import { temporaryFolder } from "../support";

type Written = readonly [dtype: string, shape: readonly number[], bytes: ArrayBufferLike];

/** Tensors one behind the other, nothing between them. */
function fileOf(tensors: Readonly<Record<string, Written>>, metadata?: Record<string, string>): Uint8Array {
  let at = 0;
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  for (const [name, [dtype, shape, bytes]] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.byteLength] };
    at += bytes.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, ...Object.values(tensors).map(([, , bytes]) => Buffer.from(bytes))]);
}

const open = (...given: Parameters<typeof fileOf>) =>
  openSafetensors(memorySource("odd.safetensors", fileOf(...given)));

test("numbers that lie at odd bytes are read as they are, in every type", async () => {
  const tensors: Record<string, Written> = {
    odd: ["U8", [1], Uint8Array.of(9).buffer],
    single: ["F32", [2], Float32Array.of(1.5, -2).buffer],
    double: ["F64", [1], Float64Array.of(0.1).buffer],
    long: ["I64", [1], BigInt64Array.of(-7n).buffer],
    short: ["I16", [1], Int16Array.of(-300).buffer],
    brain: ["BF16", [2], Uint16Array.of(0x3f80, 0xc000).buffer],
    half: ["F16", [1], Uint16Array.of(0x3c00).buffer],
    truth: ["BOOL", [3], Uint8Array.of(0, 1, 1).buffer],
  };
  const found = await (await open(tensors)).readTensors();
  const numbers = Object.fromEntries([...found].map(([name, { data }]) => [name, [...data]]));
  assert.deepEqual(numbers, {
    odd: [9],
    single: [1.5, -2],
    double: [Math.fround(0.1)],
    long: [-7],
    short: [-300],
    brain: [1, -2],
    half: [1],
    truth: [0, 1, 1],
  });
});

test("tensors without numbers, without axes and with many axes are read", async () => {
  const none = new ArrayBuffer(0);
  const one = Float32Array.of(3).buffer;
  const many = Array.from({ length: 100 }, () => 1);
  const found = await (
    await open({
      rows: ["F32", [0, 4], none],
      columns: ["BF16", [4, 0], none],
      huge: ["F32", [0, Number.MAX_SAFE_INTEGER], none],
      scalar: ["F32", [], one],
      many: ["F32", many, one],
    })
  ).readTensors();
  assert.deepEqual(
    [...found].map(([name, { shape, data }]) => [name, shape, [...data]]),
    [
      ["rows", [0, 4], []],
      ["columns", [4, 0], []],
      ["huge", [0, Number.MAX_SAFE_INTEGER], []],
      ["scalar", [], [3]],
      ["many", many, [3]],
    ],
  );
});

test("as many entries of metadata, and as many tensors, as anybody writes are read", async () => {
  const metadata = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`key ${i}`, "value"]));
  const tensors = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, i): [string, Written] => [
      `t${i}`,
      ["U8", [1], Uint8Array.of(i).buffer],
    ]),
  );
  const file = await open(tensors, metadata);
  assert.equal(file.names.length, 20_000);
  assert.deepEqual([...(await file.readTensors(["t19999"])).get("t19999")!.data], [19_999 % 256]);
});

test("tensors are written in the order of their names' characters, whatever language the machine speaks", async () => {
  const names = ["a.2", "a.10", "B", "a", "_", "é", "Z", "z", "A.b", "a-b", "aB", "0"];
  const path = join(temporaryFolder(), "x.safetensors");
  await writeSafetensors(
    path,
    new Map(names.map((name) => [name, { shape: [0], data: new Float32Array(0) }])),
  );
  const file = await openSafetensors(await fileSource(path));
  await file.close();
  assert.deepEqual(file.names, ["0", "A.b", "B", "Z", "_", "a", "a-b", "a.10", "a.2", "aB", "z", "é"]);
});

test("numbers that a stream writes by itself are asked for as float32 only, at their places in a file that has its header", async () => {
  const folder = temporaryFolder();
  const written: { path: string; header: string; places: [string, number, number][] }[] = [];
  const stream = (fails = false): TensorStream => ({
    shapes: new Map([
      ["b", [2]],
      ["a", [1]],
    ]),
    read: async (names) =>
      Object.fromEntries(
        names.map((name) => [name, name === "a" ? Float32Array.of(1) : Float32Array.of(2, 3)]),
      ),
    async writeInto(path, places) {
      const bytes = readFileSync(path);
      const header = bytes.subarray(8, 8 + bytes.readUInt32LE(0)).toString();
      const all = [...places].map(([name, { start, end }]): [string, number, number] => [name, start, end]);
      written.push({ path, header, places: all });
      if (fails) throw new RangeError("the engine died");
      return [];
    },
  });
  for (const dtype of ["F16", "BF16"] as const) {
    const path = join(folder, dtype);
    await writeTensorStream(path, stream(), { dtype });
    const file = await openSafetensors(await fileSource(path));
    const found = [...(await file.readTensors())].map(([name, { data }]) => [name, [...data]]);
    await file.close();
    assert.deepEqual(found, [
      ["a", [1]],
      ["b", [2, 3]],
    ]);
  }
  assert.equal(written.length, 0, "halves are encoded from what is read");
  for (const options of [{ dtype: "F32" } as const, {}])
    await writeTensorStream(join(folder, "F32"), stream(), options);
  assert.equal(written.length, 2);
  for (const { path, header, places } of written) {
    assert.notEqual(basename(path), "F32", "the file has its name when it is complete");
    assert.equal(dirname(path), folder);
    const start = 8 + header.length;
    assert.deepEqual(places, [
      ["a", start, start + 4],
      ["b", start + 4, start + 12],
    ]);
    assert.deepEqual(JSON.parse(header), {
      a: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
      b: { dtype: "F32", shape: [2], data_offsets: [4, 12] },
    });
  }
  await assert.rejects(writeTensorStream(join(folder, "failed"), stream(true)));
  assert.deepEqual(readdirSync(folder).sort(), ["BF16", "F16", "F32"]);
});
