import type { RgbImage } from "../decode";
import { BORDER } from "../kernels/affineKernel";
import { PixelMemory } from "../kernels/pixelMemory";

/** Output (x, y) shows input (a x + b y + c, d x + e y + f), both at the centres of pixels. */
export type AffineMatrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** A colour for places outside of the picture. */
export type Fill = readonly [red: number, green: number, blue: number];

/**
 * Moves a picture within its frame, as Pillow's `transform(size, AFFINE, matrix, BICUBIC, fillcolor)`: in double
 * precision, by four times four pixels (a = -1) and without widening, cut to bytes, never rounded.
 *
 * Reference: Pillow 12 src/libImaging/Geometry.c, bicubic filter.
 */
export function affine(image: RgbImage, matrix: AffineMatrix, fill: Fill): RgbImage {
  const { width, height } = image;
  return PixelMemory.use((memory) => {
    const place = memory.take(8 * matrix.length);
    const line = 3 * (width + 2 * BORDER);
    const source = memory.take(line * (height + 2 * BORDER) + 16);
    const target = memory.take(3 * width * height + 4);
    memory.doubles(place, matrix.length).set(matrix);
    placeBordered(memory.bytes(source, line * (height + 2 * BORDER)), image);
    const [red, green, blue] = fill;
    const start = source + BORDER * line + 3 * BORDER;
    memory.run.affineCubic(start, line, width, height, place, red | (green << 8) | (blue << 16), target);
    return { data: memory.bytes(target, 3 * width * height).slice(), width, height };
  });
}

/** The picture with its outermost pixels repeated around it. */
function placeBordered(target: Uint8Array, { data, width, height }: RgbImage): void {
  const line = 3 * (width + 2 * BORDER);
  const row = 3 * width;
  for (let y = -BORDER; y < height + BORDER; y++) {
    const from = row * Math.min(height - 1, Math.max(0, y));
    const to = line * (y + BORDER) + 3 * BORDER;
    target.set(data.subarray(from, from + row), to);
    for (let k = 1; k <= BORDER; k++) {
      target.copyWithin(to - 3 * k, to, to + 3);
      target.copyWithin(to + row + 3 * (k - 1), to + row - 3, to + row);
    }
  }
}

/** Rounded to 15 decimals as Python's `round`, which decides what right angles become. */
const round15 = (value: number) => Number(value.toFixed(15));

/** The matrix of Pillow's `rotate(degrees)`: counter-clockwise about the centre, the frame stays. */
export function rotation(degrees: number, width: number, height: number): AffineMatrix {
  const angle = -((((degrees % 360) + 360) % 360) * Math.PI) / 180;
  const [cos, sin] = [round15(Math.cos(angle)), round15(Math.sin(angle))];
  const minusSin = round15(-Math.sin(angle));
  const [x, y] = [width / 2, height / 2];
  return [cos, sin, cos * -x + sin * -y + x, minusSin, cos, minusSin * -x + cos * -y + y];
}
