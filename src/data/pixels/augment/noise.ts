import type { Rng } from "../../../core/rng";
import { GENERATORS, STATE_WORDS } from "../kernels/noiseKernel";
import type { PixelMemory } from "../kernels/pixelMemory";

/** The address of standard normal float32 numbers, by generators that the stream gives a state. */
export function placeNoise(memory: PixelMemory, count: number, rng: Rng): number {
  const words = STATE_WORDS * GENERATORS;
  const state = memory.take(4 * words);
  const target = memory.take(4 * count + 32);
  const view = memory.ints(state, words);
  for (let i = 0; i < words; i++) view[i] = rng.uint32();
  if (count > 0) memory.run.noise(state, target, count);
  return target;
}
