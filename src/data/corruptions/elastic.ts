import { type RgbImage, roundHalfEven } from "../pixels";
import type { Draws } from "./draws";
import { type Border, gaussianBlur, inside } from "./filters";
import { type Layer, plane, toByteRange, toSingle, toUnit } from "./image";

/** The original measures in parts of 244 pixels, whatever the image's size. */
const elastics = [
  { strength: 244 * 2, sigma: 244 * 0.7, corners: 244 * 0.1 },
  { strength: 244 * 2, sigma: 244 * 0.08, corners: 244 * 0.2 },
  { strength: 244 * 0.05, sigma: 244 * 0.01, corners: 244 * 0.02 },
  { strength: 244 * 0.07, sigma: 244 * 0.01, corners: 244 * 0.02 },
  { strength: 244 * 0.12, sigma: 244 * 0.01, corners: 244 * 0.02 },
];

/** Moves three points at random, the image with them, then every pixel along a smooth random field. */
export function elasticTransform(image: RgbImage, severity: number, draws: Draws): Layer {
  const { strength, sigma, corners } = elastics[severity - 1];
  const { width, height } = image;
  const moved = warpAffine(toSingle(toUnit(image)), randomAffine(width, height, corners, draws));
  const field = () => {
    const noise = plane(width, height, () => draws.between(-1, 1));
    const smooth = gaussianBlur(noise, sigma, { border: "reflect", truncate: 3 });
    return smooth.data.map((value) => Math.fround(value * strength));
  };
  const dx = field();
  const dy = field();
  const shifted = new Float64Array(moved.data.length);
  for (let pixel = 0; pixel < dx.length; pixel++) {
    const [x, y] = [(pixel % width) + dx[pixel], Math.floor(pixel / width) + dy[pixel]];
    const place = fourPixels(moved, x, y, "reflect");
    for (let c = 0; c < 3; c++) shifted[3 * pixel + c] = between4(moved, place, c);
  }
  return toByteRange({ ...moved, data: shifted });
}

/** Between four pixels of one channel, given the positions that stand for rows and columns outside. */
function between4({ data, width, channels }: Layer, place: FourPixels, c: number): number {
  const { top, below, left, right, down, across } = place;
  const at = (row: number, column: number) => data[(row * width + column) * channels + c];
  const upper = at(top, left) * (1 - across) + at(top, right) * across;
  const lower = at(below, left) * (1 - across) + at(below, right) * across;
  return upper * (1 - down) + lower * down;
}

/** Rows and columns around a position, and its shares of the lower and the right ones. */
interface FourPixels {
  readonly top: number;
  readonly below: number;
  readonly left: number;
  readonly right: number;
  readonly down: number;
  readonly across: number;
}

function fourPixels({ width, height }: Layer, x: number, y: number, border: Border): FourPixels {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  return {
    top: inside(top, height, border),
    below: inside(top + 1, height, border),
    left: inside(left, width, border),
    right: inside(left + 1, width, border),
    down: y - top,
    across: x - left,
  };
}

/** x' = a x + b y + c and y' = d x + e y + f, as [a, b, c, d, e, f]. */
export type Affine = readonly [number, number, number, number, number, number];

/** The map that takes three points around the center to where they were drawn to. */
function randomAffine(width: number, height: number, reach: number, draws: Draws): Affine {
  const center = [Math.floor(height / 2), Math.floor(width / 2)];
  const side = Math.floor(Math.min(width, height) / 3);
  const from = [
    [center[0] + side, center[1] + side],
    [center[0] + side, center[1] - side],
    [center[0] - side, center[1] - side],
  ];
  const to = from.map((point) =>
    point.map((value) => Math.fround(value + Math.fround(draws.between(-reach, reach)))),
  );
  return affineThrough(from, to);
}

/** Cramer's rule for both rows. */
function affineThrough(from: number[][], to: number[][]): Affine {
  const [[x1, y1], [x2, y2], [x3, y3]] = from;
  const determinant = x1 * (y2 - y3) + x2 * (y3 - y1) + x3 * (y1 - y2);
  const row = (axis: 0 | 1) => {
    const [u1, u2, u3] = to.map((point) => point[axis]);
    return [
      (u1 * (y2 - y3) + u2 * (y3 - y1) + u3 * (y1 - y2)) / determinant,
      (u1 * (x3 - x2) + u2 * (x1 - x3) + u3 * (x2 - x1)) / determinant,
      (u1 * (x2 * y3 - x3 * y2) + u2 * (x3 * y1 - x1 * y3) + u3 * (x1 * y2 - x2 * y1)) / determinant,
    ] as const;
  };
  return [...row(0), ...row(1)];
}

/** Bits of the fixed-point coordinates, and of the fraction that picks the weights. */
const coordinateBits = 10;
const fractionBits = 5;

/**
 * Moves a layer by an affine map with linear interpolation; positions are rounded to 1/32 pixel and the image is
 * mirrored about its edge pixels, as OpenCV's warpAffine has it (up to version 4.10).
 */
export function warpAffine(layer: Layer, affine: Affine): Layer {
  const { data, width, height, channels } = layer;
  const [a, b, c, d, e, f] = inverse(affine);
  const scale = 1 << coordinateBits;
  const half = scale >> (fractionBits + 1);
  const parts = 1 << fractionBits;
  const fixed = (value: number) => roundHalfEven(value * scale);
  const result = new Float64Array(data.length);
  for (let y = 0; y < height; y++) {
    const rowX = fixed(b * y + c) + half;
    const rowY = fixed(e * y + f) + half;
    for (let x = 0; x < width; x++) {
      const X = (rowX + fixed(a * x)) >> (coordinateBits - fractionBits);
      const Y = (rowY + fixed(d * x)) >> (coordinateBits - fractionBits);
      const place = fourPixels(layer, X / parts, Y / parts, "reflect101");
      for (let channel = 0; channel < channels; channel++) {
        result[(y * width + x) * channels + channel] = Math.fround(between4(layer, place, channel));
      }
    }
  }
  return { ...layer, data: result };
}

function inverse([a, b, c, d, e, f]: Affine): Affine {
  const determinant = a * e - b * d;
  const [ia, ib, id, ie] = [e / determinant, -b / determinant, -d / determinant, a / determinant];
  return [ia, ib, -ia * c - ib * f, id, ie, -id * c - ie * f];
}
