import type { RgbImage } from "../decode";

/** Output (x, y) shows input (a x + b y + c, d x + e y + f), both at the centres of pixels. */
export type AffineMatrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

/** A colour for places outside of the picture. */
export type Fill = readonly [red: number, green: number, blue: number];

/**
 * Moves a picture within its frame, as Pillow's `transform(size, AFFINE, matrix, BICUBIC, fillcolor)`: in double
 * precision, by four times four pixels and without widening, cut to bytes, never rounded.
 *
 * Reference: Pillow 12 src/libImaging/Geometry.c, bicubic filter.
 */
export function affine(image: RgbImage, matrix: AffineMatrix, fill: Fill): RgbImage {
  const { width, height } = image;
  const [a, b, c, d, e, f] = matrix;
  const data = new Uint8Array(3 * width * height);
  const columns = new Int32Array(4);
  let out = 0;
  for (let y = 0.5; y < height; y++) {
    for (let x = 0.5; x < width; x++, out += 3) {
      const inX = a * x + b * y + c;
      const inY = d * x + e * y + f;
      if (inX < 0 || inX >= width || inY < 0 || inY >= height) data.set(fill, out);
      else interpolate(image, inX - 0.5, inY - 0.5, columns, data, out);
    }
  }
  return { data, width, height };
}

const clamp = (value: number, limit: number) => (value < 0 ? 0 : value < limit ? value : limit - 1);

function interpolate(
  { data, width, height }: RgbImage,
  inX: number,
  inY: number,
  columns: Int32Array,
  result: Uint8Array,
  out: number,
): void {
  const [left, top] = [Math.floor(inX), Math.floor(inY)];
  const [shareX, shareY] = [inX - left, inY - top];
  for (let k = 0; k < 4; k++) columns[k] = 3 * clamp(left + k - 1, width);
  const [c0, c1, c2, c3] = columns;
  const row = (k: number) => 3 * width * clamp(top + k - 1, height);
  const [r0, r1, r2, r3] = [row(0), row(1), row(2), row(3)];
  for (let channel = 0; channel < 3; channel++) {
    const across = (at: number) => cubic(data[at + c0], data[at + c1], data[at + c2], data[at + c3], shareX);
    const value = cubic(
      across(r0 + channel),
      across(r1 + channel),
      across(r2 + channel),
      across(r3 + channel),
      shareY,
    );
    result[out + channel] = value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);
  }
}

/** The cubic through v1 and v2 that Pillow's transforms use, a = -1 by the slopes; in the order of its operations. */
function cubic(v0: number, v1: number, v2: number, v3: number, share: number): number {
  const third = 2 * (v0 - v1) + v2 - v3;
  const fourth = -v0 + v1 - v2 + v3;
  return v1 + share * (-v0 + v2 + share * (third + share * fourth));
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
