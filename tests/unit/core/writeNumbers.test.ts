import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { type Place, writeNumbers } from "../../../src/core/writeNumbers";

const folder = mkdtempSync(join(tmpdir(), "luvit-numbers-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, "numbers");

/** 1300 entries of 0, 1, 2, 3, … 6 numbers again and again, with eight bytes free behind every hundredth. */
function entries() {
  const places = new Map<string, Place>();
  const numbers: Record<string, Float32Array> = {};
  let at = 4;
  for (let i = 0; i < 1300; i++) {
    numbers[i] = Float32Array.from({ length: i % 7 }, (_, k) => 10 * i + k);
    places.set(`${i}`, { start: at, end: at + numbers[i].byteLength });
    at += numbers[i].byteLength + (i % 100 === 99 ? 8 : 0);
  }
  return { places, numbers };
}

async function assertWritten(): Promise<void> {
  const { places, numbers } = entries();
  writeFileSync(file, "");
  assert.deepEqual(await writeNumbers(file, places, async () => numbers), []);
  const bytes = readFileSync(file);
  for (const [name, { start, end }] of places) {
    const found = new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end));
    assert.deepEqual(found, numbers[name], name);
  }
}

test("entries of any number and size are at their places", assertWritten);

test("a system that writes less than it was given is given the rest", async (t) => {
  const handle = await open(__filename);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const write = prototype.write as unknown as (
    ...asked: [bytes: Uint8Array, from: number, count: number, at: number]
  ) => Promise<{ bytesWritten: number }>;
  let calls = 0;
  t.mock.method(prototype, "writev", async function (this: FileHandle, pieces: Uint8Array[], at: number) {
    const some = Buffer.concat(pieces).subarray(0, 1 + (calls++ % 1500));
    return write.call(this, some, 0, some.length, at);
  });
  await assertWritten();
  assert.ok(calls > 20);
});

test("other numbers than have a place are refused, also where the place would end between two chunks", async () => {
  const chunk = 2 ** 22;
  writeFileSync(file, "");
  const misfits: [numbers: number, bytes: number][] = [
    [3, 8],
    [2, 12],
    [1, 0],
    [chunk + 5, 4 * chunk],
    [chunk, 4 * (chunk + 5)],
  ];
  for (const [length, bytes] of misfits) {
    const place = new Map([["w", { start: 4, end: 4 + bytes }]]);
    await assert.rejects(
      writeNumbers(file, place, async () => ({ w: new Float32Array(length) })),
      {
        code: "shape-mismatch",
        message: `w: ${length} numbers do not fit the ${bytes} bytes of their shape`,
      },
    );
  }
});

/** Two entries of 80 MB, read one after the other; what happens meanwhile, in order. */
async function writeLarge(t: TestContext, datasync: (calls: string[]) => Promise<void>) {
  const calls: string[] = [];
  const handle = await open(__filename);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  t.mock.method(prototype, "datasync", async () => datasync(calls));
  const bytes = 80e6;
  const places = new Map(["a", "b"].map((name, i) => [name, { start: i * bytes, end: (i + 1) * bytes }]));
  writeFileSync(file, "");
  const written = writeNumbers(file, places, async ([name]) => {
    calls.push(`read ${name}`);
    return { [name]: new Float32Array(bytes / 4).fill(name === "a" ? 1 : 2) };
  });
  return { calls, written, bytes };
}

test("the disk begins with the first entries before the last ones are read", async (t) => {
  const { calls, written, bytes } = await writeLarge(t, async (all) => void all.push("disk"));
  assert.deepEqual(await written, []);
  assert.deepEqual(calls, ["read a", "disk", "read b", "disk"]);
  const numbers = new Float32Array(readFileSync(file).buffer);
  assert.equal(numbers.length, bytes / 2);
  assert.ok(numbers.every((number, i) => number === (i < bytes / 4 ? 1 : 2)));
});

test("a disk that refuses on the way is heard of, though all was written", async (t) => {
  const { written } = await writeLarge(t, async () => {
    throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
  });
  await assert.rejects(written, {
    code: "bad-file",
    message: `${file}: cannot be written (EIO: i/o error, fdatasync)`,
  });
});
