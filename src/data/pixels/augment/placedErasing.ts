import type { Rng } from "../../../core/rng";
import type { PixelMemory } from "../kernels/pixelMemory";
import { drawErasedBox } from "./erasing";
import { placeNoise } from "./noise";

/** Random erasing of planes [3, height, width] at an address of a memory, as `randomErasing` does it. */
export function eraseRandomly(
  memory: PixelMemory,
  planes: number,
  width: number,
  height: number,
  rng: Rng,
  probability: number,
): void {
  const box = drawErasedBox(width, height, rng, probability);
  if (!box) return;
  const noise = placeNoise(memory, 3 * box.height * box.width, rng);
  const line = 4 * box.width;
  for (let channel = 0; channel < 3; channel++) {
    const to = planes + 4 * ((channel * height + box.top) * width + box.left);
    memory.run.copyRows(noise + channel * box.height * line, line, to, 4 * width, line, box.height);
  }
}
