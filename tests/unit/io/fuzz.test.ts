import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { Rng } from "../../../src/core/rng";
import { memorySource } from "../../../src/io/byteSource";
import { openSafetensors } from "../../../src/io/safetensors";
import { openTorchFile } from "../../../src/io/torchFile";
import { goldenCases } from "./support";

const checkpoints = join(goldenCases, "checkpoints");
const read = (name: string) => new Uint8Array(readFileSync(join(checkpoints, name)));

/** Most float32 numbers a mutant of a file may yield: tensors may share storage, but not multiply without end. */
const mostNumbers = (bytes: Uint8Array) => 16 * bytes.length;

async function loadSafetensors(bytes: Uint8Array): Promise<number> {
  const file = await openSafetensors(memorySource("mutant.safetensors", bytes));
  return [...(await file.readTensors()).values()].reduce((sum, { data }) => sum + data.length, 0);
}

async function loadTorch(bytes: Uint8Array): Promise<number> {
  const file = await openTorchFile(memorySource("mutant.pth", bytes));
  return [...(await file.readTensors(file.stateDict())).values()].reduce(
    (sum, { data }) => sum + data.length,
    0,
  );
}

/** Changes, cuts, doubles or drops bytes; three times in four near `focus`, where structure is denser. */
function mutate(original: Uint8Array, rng: Rng, focus: readonly [number, number]): Uint8Array {
  const place = () => {
    const [from, to] = rng.integer(4) > 0 ? focus : [0, original.length];
    return from + rng.integer(Math.max(1, to - from));
  };
  const bytes = Buffer.from(original);
  const kind = rng.integer(10);
  if (kind === 0) return bytes.subarray(0, rng.integer(bytes.length));
  if (kind === 1) {
    const at = place();
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + rng.integer(8))]);
  }
  if (kind === 2) {
    const at = place();
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - rng.integer(64)))]);
  }
  const special = [0x00, 0xff, 0x7f, 0x80, 0x28, 0x2e, 0x52, 0x68, 0x30, 0x39];
  for (let i = 0; i <= rng.integer(4); i++) {
    bytes[place()] = rng.integer(2) === 0 ? special[rng.integer(special.length)] : rng.integer(256);
  }
  return bytes;
}

async function fuzz(
  name: string,
  count: number,
  focus: (bytes: Uint8Array) => readonly [number, number],
  load: (bytes: Uint8Array) => Promise<number>,
): Promise<void> {
  const original = read(name);
  const rng = new Rng(11).fork(name);
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const mutant = mutate(original, rng, focus(original));
    try {
      const numbers = await load(mutant);
      assert.ok(numbers <= mostNumbers(original), `${numbers} numbers from ${original.length} bytes`);
    } catch (error) {
      assert.ok(error instanceof LuvitError, `mutant ${i} of ${name}: ${(error as Error).stack}`);
      refused++;
    }
  }
  assert.ok(refused > count / 10, `only ${refused} of ${count} refused: the mutations are too mild`);
  assert.ok((await load(original)) > 0);
}

const start = (length: number) => () => [0, length] as const;
const pickleOf = (bytes: Uint8Array) => [0, Math.min(bytes.length, 1300)] as const;
const directoryOf = (bytes: Uint8Array) => [Math.max(0, bytes.length - 1600), bytes.length] as const;

test("mutated safetensors files load or are refused by LuvitError", () =>
  fuzz("hf_f16/model-00003-of-00003.safetensors", 3000, start(1400), loadSafetensors));

test("mutated zip checkpoints (pickle) load or are refused by LuvitError", () =>
  fuzz("layouts/views.pth", 4000, pickleOf, loadTorch));

test("mutated zip checkpoints (directory) load or are refused by LuvitError", () =>
  fuzz("layouts/views.pth", 2000, directoryOf, loadTorch));

test("mutated old checkpoints load or are refused by LuvitError", () =>
  fuzz("layouts/views_legacy.pth", 4000, start(1700), loadTorch));

test("mutated training checkpoints load or are refused by LuvitError", () =>
  fuzz("mae/checkpoint-7.pth", 300, start(19000), loadTorch));

test("random bytes after a pickle start are refused or read without harm", async () => {
  const rng = new Rng(13);
  for (let i = 0; i < 3000; i++) {
    const bytes = Uint8Array.from({ length: 1 + rng.integer(200) }, () => rng.integer(256));
    bytes.set([0x80, 2].slice(0, bytes.length));
    await assert.rejects(() => loadTorch(bytes), LuvitError);
  }
});
