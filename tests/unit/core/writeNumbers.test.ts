import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
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
