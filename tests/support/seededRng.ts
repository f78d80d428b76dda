import { Rng } from "../../src/core/rng";

/** LUVIT_SEED, else what is given; undefined draws one. */
export function testSeed(otherwise: number = Date.now() % 2 ** 32): number {
  const asked = process.env.LUVIT_SEED;
  const seed = asked === undefined ? otherwise : Number(asked);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new Error(`LUVIT_SEED=${asked}: expected an integer from 0 below 2^32`);
  process.once("exit", (status) => {
    if (status !== 0) console.error(`drawn with seed ${seed} (LUVIT_SEED=${seed} draws the same)`);
  });
  return seed;
}

/** The numbers of a test that draws. A test file that fails says their seed at its end. */
export const seededRng = (otherwise?: number): Rng => new Rng(testSeed(otherwise));
