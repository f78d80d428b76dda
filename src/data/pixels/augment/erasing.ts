import { checkOptions, instance } from "../../../core/options";
import { rngField } from "../../../core/options/rng";
import type { Rng } from "../../../core/rng";
import { roundHalfEven } from "../geometry";
import { PixelMemory } from "../kernels/pixelMemory";
import type { Box } from "../resample";
import { placeNoise } from "./noise";

/** Random numbers of one erased box, in the order the reference draws them. */
export interface ErasingDraws {
  /** Share of the image's area, uniform between 0.02 and 1/3. */
  areaFraction(): number;
  /** Natural log of height / width, uniform between log(0.3) and log(1/0.3). */
  logAspect(): number;
  /** Uniform integer in 0 … limit, both included: first the top, then the left offset. */
  offset(limit: number): number;
}

/** Erasing draws from a stream. */
export function erasingDraws(rng: Rng): ErasingDraws {
  return {
    areaFraction: () => rng.between(0.02, 1 / 3),
    logAspect: () => rng.between(Math.log(0.3), -Math.log(0.3)),
    offset: (limit) => rng.integer(limit + 1),
  };
}

/** The box to erase: up to ten tries of one that is smaller than the image both ways; undefined when none is. */
export function erasedBox(width: number, height: number, draws: ErasingDraws): Box | undefined {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = draws.areaFraction() * width * height;
    const aspect = Math.exp(draws.logAspect());
    const boxHeight = roundHalfEven(Math.sqrt(area * aspect));
    const boxWidth = roundHalfEven(Math.sqrt(area / aspect));
    if (boxWidth >= width || boxHeight >= height) continue;
    const top = draws.offset(height - boxHeight);
    return { left: draws.offset(width - boxWidth), top, width: boxWidth, height: boxHeight };
  }
  return undefined;
}

/** The box to erase with the given probability. */
export function drawErasedBox(width: number, height: number, rng: Rng, probability: number): Box | undefined {
  return rng.uniform() < probability ? erasedBox(width, height, erasingDraws(rng)) : undefined;
}

/**
 * Random erasing: with the given probability a box of the normalized image [3, height, width] becomes standard normal
 * noise, in place. Reference: timm 0.3.2 data/random_erasing.py, mode "pixel", one box.
 */
export function randomErasing(
  planes: Float32Array,
  width: number,
  height: number,
  rng: Rng,
  probability: number,
): void {
  checkOptions("randomErasing", instance(Float32Array, "a Float32Array [3, H, W]"), planes);
  checkOptions("randomErasing", rngField, rng);
  const box = drawErasedBox(width, height, rng, probability);
  if (!box) return;
  PixelMemory.use((memory) => {
    const count = 3 * box.height * box.width;
    const noise = memory.floats(placeNoise(memory, count, rng), count);
    for (let row = 0; row < 3 * box.height; row++) {
      const [channel, y] = [Math.floor(row / box.height), row % box.height];
      const from = noise.subarray(row * box.width, (row + 1) * box.width);
      planes.set(from, (channel * height + box.top + y) * width + box.left);
    }
  });
}
