import type { Rng } from "../../core/rng";
import { type Box, nearestPositions } from "./resample";
import type { RgbImage } from "./rgbImage";

/** Rounds to the nearest integer, halves to the even one, as Python's `round`. */
export function roundHalfEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

/** Size after the shorter side became `side`; the longer one is cut to whole pixels, as torchvision's Resize. */
export function shorterSideSize(
  width: number,
  height: number,
  side: number,
): { width: number; height: number } {
  return width <= height
    ? { width: side, height: Math.trunc((side * height) / width) }
    : { width: Math.trunc((side * width) / height), height: side };
}

/** The centered square of `side` pixels; odd margins are halved and rounded half to even. */
export function centerBox(width: number, height: number, side: number): Box {
  const left = roundHalfEven((width - side) / 2);
  const top = roundHalfEven((height - side) / 2);
  return { left, top, width: side, height: side };
}

/** Random numbers of one crop, in the order the reference draws them. */
export interface CropDraws {
  /** Share of the image's area, uniform in the scale range. */
  areaFraction(): number;
  /** Natural log of width / height, uniform between log(3/4) and log(4/3). */
  logAspect(): number;
  /** Uniform integer in 0 … limit, both included: first the top, then the left offset. */
  offset(limit: number): number;
}

const aspects: readonly [number, number] = [3 / 4, 4 / 3];

/** Crop draws from a stream, for a range of area shares. */
export function cropDraws(rng: Rng, scale: readonly [number, number]): CropDraws {
  return {
    areaFraction: () => rng.between(scale[0], scale[1]),
    logAspect: () => rng.between(Math.log(aspects[0]), Math.log(aspects[1])),
    offset: (limit) => rng.integer(limit + 1),
  };
}

/**
 * The box of a random resized crop: up to ten tries of a random area and a log-uniform aspect; when none fits, the
 * largest centered box whose aspect is allowed.
 *
 * Reference: timm 0.3.2 data/transforms.py RandomResizedCropAndInterpolation; torchvision RandomResizedCrop.
 */
export function randomCropBox(width: number, height: number, draws: CropDraws): Box {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = draws.areaFraction() * width * height;
    const aspect = Math.exp(draws.logAspect());
    const boxWidth = roundHalfEven(Math.sqrt(area * aspect));
    const boxHeight = roundHalfEven(Math.sqrt(area / aspect));
    if (boxWidth < 1 || boxHeight < 1 || boxWidth > width || boxHeight > height) continue;
    const top = draws.offset(height - boxHeight);
    return { left: draws.offset(width - boxWidth), top, width: boxWidth, height: boxHeight };
  }
  return fallbackBox(width, height);
}

function fallbackBox(width: number, height: number): Box {
  const aspect = width / height;
  const boxHeight = aspect < aspects[0] ? roundHalfEven(width / aspects[0]) : height;
  const boxWidth = aspect > aspects[1] ? roundHalfEven(height * aspects[1]) : width;
  return {
    left: Math.floor((width - boxWidth) / 2),
    top: Math.floor((height - boxHeight) / 2),
    width: boxWidth,
    height: boxHeight,
  };
}

/** Mirrors an image left to right. */
export function flipHorizontally({ data, width, height }: RgbImage): RgbImage {
  const mirrored = new Uint8Array(3 * width * height);
  const line = 3 * width;
  for (let start = 0; start < mirrored.length; start += line) {
    for (let to = start, from = start + line - 3; to < start + line; to += 3, from -= 3) {
      mirrored[to] = data[from];
      mirrored[to + 1] = data[from + 1];
      mirrored[to + 2] = data[from + 2];
    }
  }
  return { data: mirrored, width, height };
}

/** A map of integers over an image, e.g. segmentation ids: `ids` [H, W]. */
export interface IdMap {
  readonly ids: Int32Array;
  readonly width: number;
  readonly height: number;
}

/** Resizes an id map by picking the nearest pixel, as Pillow's NEAREST. */
export function resizeIds(map: IdMap, width: number, height: number): IdMap {
  const columns = nearestPositions(0, map.width, width);
  const rows = nearestPositions(0, map.height, height);
  const ids = new Int32Array(width * height);
  for (let i = 0; i < ids.length; i++) {
    ids[i] = map.ids[rows[Math.floor(i / width)] * map.width + columns[i % width]];
  }
  return { ids, width, height };
}

/** Cuts a box out of an id map. */
export function cropIds(map: IdMap, box: Box): IdMap {
  const ids = new Int32Array(box.width * box.height);
  for (let row = 0; row < box.height; row++) {
    const from = (box.top + row) * map.width + box.left;
    ids.set(map.ids.subarray(from, from + box.width), row * box.width);
  }
  return { ids, width: box.width, height: box.height };
}

/** Mirrors an id map left to right. */
export function flipIds({ ids, width, height }: IdMap): IdMap {
  const mirrored = new Int32Array(ids.length);
  for (let start = 0; start < ids.length; start += width) {
    for (let x = 0; x < width; x++) mirrored[start + x] = ids[start + width - 1 - x];
  }
  return { ids: mirrored, width, height };
}
