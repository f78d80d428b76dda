import assert from "node:assert/strict";
import { LuvitError } from "../../../src/core/errors";
import type { StateDict } from "../../../src/core/hostTensor";
import type { Rng } from "../../../src/core/rng";
import { type ByteSource, memorySource } from "../../../src/io/bytes/byteSource";
import { seededRng } from "../../support/seededRng";
import { bytesTaken, mutate, type Sample } from "./mutations";

/** Mutants per format; LUVIT_FUZZ sets another number. */
const mutants = Number(process.env.LUVIT_FUZZ ?? 1500);

/** Bytes taken per byte of file, and beside it. A number kept in two and a half bits is twelve times as long in float32. */
const MOST_TIMES = 20;
const MOST_BESIDE = 2 ** 17;
/** A mutant that takes this long hangs. */
export const timeout = 120_000 + 30 * mutants;

export type Load = (source: ByteSource) => Promise<StateDict>;

/** Every mutant loads or is refused in this library's words, and takes no more memory than its length justifies. */
export async function fuzz(format: string, samples: readonly Sample[], load: Load): Promise<void> {
  const rng = seededRng(11).fork(format);
  for (const { bytes } of samples) assert.ok((await load(memorySource("whole", bytes))).size > 0);
  let refused = 0;
  for (let i = 0; i < mutants; i++) {
    const sample = samples[i % samples.length];
    const mutant = mutate(sample, samples, rng);
    const source = memorySource(`mutant.${format}`, mutant);
    const taken = await bytesTaken(async () => {
      try {
        for (const [name, { shape, data }] of await load(source)) {
          const count = shape.reduce((product, size) => product * size, 1);
          assert.equal(data.length, count, `mutant ${i} of ${format}: ${name} of shape [${shape}]`);
        }
      } catch (error) {
        assert.ok(error instanceof LuvitError, `mutant ${i} of ${format}: ${(error as Error).stack}`);
        assert.ok(error.message.length > 20 && error.message.length < 20_000, error.message.slice(0, 200));
        refused++;
      }
    });
    const most = MOST_TIMES * mutant.length + MOST_BESIDE;
    assert.ok(taken <= most, `mutant ${i} of ${format}: ${taken} bytes taken for ${mutant.length}`);
  }
  assert.ok(refused > mutants / 5, `only ${refused} of ${mutants} refused: the mutations are too mild`);
}

/** The file with changes near its beginning. */
export const start = (bytes: Uint8Array, length: number): Sample => ({
  bytes,
  focus: [0, Math.min(bytes.length, length)],
});
/** … and near its end. */
export const end = (bytes: Uint8Array, length: number): Sample => ({
  bytes,
  focus: [Math.max(0, bytes.length - length), bytes.length],
});

/** Opcodes put in among those that are there: marks, memo, lists, calls. */
export function insertOpcodes(bytes: Buffer, rng: Rng): Buffer {
  const pieces = [
    "(",
    ")",
    "]",
    "}",
    "t",
    "R",
    "b",
    "Q",
    "s",
    "u",
    "a",
    "e",
    "0",
    "1",
    "2",
    "h\x01",
    "q\x01",
    "K\xff",
  ];
  const more = [
    "J\xff\xff\xff\x7f",
    "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    "ctorch\nFloatStorage\n",
    "X\xff\xff\xff\xff",
  ];
  const all = [...pieces, ...more];
  const at = rng.integer(Math.min(bytes.length, 2000));
  const inserted = Array.from({ length: 1 + rng.integer(4) }, () => all[rng.integer(all.length)]).join("");
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(inserted, "latin1"), bytes.subarray(at)]);
}
