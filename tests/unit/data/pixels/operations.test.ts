import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { Canvas } from "../../../../src/data/pixels/augment/canvas";
import { operations } from "../../../../src/data/pixels/augment/operations";
import {
  type AugmentOp,
  type AugmentStep,
  applyAugmentation,
  augmentArgument,
  augmentOps,
  drawRandAugment,
} from "../../../../src/data/pixels/augment/randAugment";
import { flipHorizontally } from "../../../../src/data/pixels/geometry";
import { PixelMemory } from "../../../../src/data/pixels/kernels/pixelMemory";
import { placePixels } from "../../../../src/data/pixels/kernels/resamplePixels";
import { imageNetMean, imageNetStd, normalize } from "../../../../src/data/pixels/normalize";
import type { RgbImage } from "../../../../src/data/pixels/rgbImage";
import { plainOperations } from "./plainOperations";

/** Noise, bytes of the extremes alone, soft slopes, few levels with flat places, or one color. */
function randomImage(rng: Rng, width: number, height: number): RgbImage {
  const kind = rng.integer(5);
  const [wave, few] = [rng.between(0.02, 0.3), 1 << rng.integer(7)];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / (3 * width))];
    const slope = 127.5 * (1 + Math.sin(wave * (x + (i % 3) * y)));
    if (kind === 0) return rng.integer(256);
    if (kind === 1) return 255 * rng.integer(2);
    if (kind === 2) return slope + rng.integer(3);
    return kind === 3 ? slope & -few : 3 * few;
  });
  return { data, width, height };
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

function expectPlain(image: RgbImage, op: AugmentOp, argument: number): void {
  const { data } = applyAugmentation(image, { op, argument });
  const expected = plainOperations[op](image, argument);
  if (same(data, expected)) return;
  const at = data.findIndex((byte, i) => byte !== expected[i]);
  const [x, y] = [Math.floor(at / 3) % image.width, Math.floor(at / (3 * image.width))];
  assert.fail(
    `${op} ${argument}, ${image.width} x ${image.height}: column ${x}, row ${y}, channel ${at % 3} is ` +
      `${data[at]}, expected ${expected[at]}`,
  );
}

describe("every operation of RandAugment", () => {
  for (const op of augmentOps) {
    it(`is what its definition gives, byte for byte: ${op}`, () => {
      const rng = new Rng(1).fork(op);
      for (let i = 0; i < 60; i++) {
        const image = randomImage(rng, 1 + rng.integer(70), 1 + rng.integer(50));
        expectPlain(image, op, augmentArgument(op, rng.between(0, 10), rng.uniform() < 0.5));
      }
    });
  }
});

it("take what timm gives them at each magnitude, those with a direction both ways", () => {
  // timm 0.3.2 data/auto_augment.py: _rotate_level_to_arg and the like, with translate_pct 0.45.
  const arguments_: Record<AugmentOp, [none: number, nine: number, turned?: number]> = {
    AutoContrast: [0, 0],
    Equalize: [0, 0],
    Invert: [0, 0],
    Rotate: [0, 27, -27],
    PosterizeIncreasing: [4, 1],
    SolarizeIncreasing: [256, 26],
    SolarizeAdd: [0, 99],
    ColorIncreasing: [1, 1.81, 0.19],
    ContrastIncreasing: [1, 1.81, 0.19],
    BrightnessIncreasing: [1, 1.81, 0.19],
    SharpnessIncreasing: [1, 1.81, 0.19],
    ShearX: [0, 0.27, -0.27],
    ShearY: [0, 0.27, -0.27],
    TranslateXRel: [0, 0.405, -0.405],
    TranslateYRel: [0, 0.405, -0.405],
  };
  assert.deepEqual([...augmentOps], Object.keys(arguments_));
  const drawn = new Map<AugmentOp, Set<number>>();
  const rng = new Rng(1);
  for (let i = 0; i < 900; i++)
    for (const { op, argument } of drawRandAugment(rng, { magnitude: 9, magnitudeStd: 0, probability: 1 }))
      drawn.set(op, (drawn.get(op) ?? new Set()).add(Math.round(1000 * argument) / 1000));
  for (const [name, [none, nine, turned]] of Object.entries(arguments_)) {
    const op = name as AugmentOp;
    const close = (found: number, expected: number) =>
      assert.ok(Math.abs(found - expected) < 1e-9, `${op}: ${found}, expected ${expected}`);
    close(augmentArgument(op, 0), none);
    close(augmentArgument(op, 9), nine);
    close(augmentArgument(op, 9, true), turned ?? nine);
    const expected = turned === undefined ? [nine] : [turned, nine];
    assert.deepEqual(
      [...(drawn.get(op) ?? [])].sort((a, b) => a - b),
      expected,
      op,
    );
  }
});

describe("operations on single bytes", () => {
  /** Every byte in every channel, beside other bytes of the other channels. */
  const everyByte: RgbImage = {
    data: Uint8Array.from({ length: 3 * 256 }, (_, i) => (Math.floor(i / 3) * [1, 77, 155][i % 3]) & 255),
    width: 16,
    height: 16,
  };
  const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
  const factors = Array.from({ length: 300 }, (_, i) => (i * 2) / 299);
  const cases: [AugmentOp, readonly number[]][] = [
    ["PosterizeIncreasing", upTo(9)],
    ["SolarizeIncreasing", upTo(257)],
    ["SolarizeAdd", upTo(129)],
    ["Invert", [0]],
    ["BrightnessIncreasing", factors],
    ["ContrastIncreasing", factors],
  ];
  for (const [op, values] of cases) {
    it(`are right for every byte and argument: ${op}`, () => {
      for (const argument of values) expectPlain(everyByte, op, argument);
    });
  }

  it("saturate every byte against every gray", () => {
    const data = Uint8Array.from({ length: 3 * 65536 }, (_, i) => {
      const [byte, other] = [Math.floor(i / 3) & 255, Math.floor(i / 768)];
      return i % 3 === other % 3 ? byte : other;
    });
    for (let i = 0; i < 25; i++) expectPlain({ data, width: 256, height: 256 }, "ColorIncreasing", i / 12);
  });

  it("sharpen every byte among every other", () => {
    const side = 3 * 256;
    const data = Uint8Array.from({ length: 3 * side * side }, (_, i) => {
      const [x, y] = [Math.floor(i / 3) % side, Math.floor(i / (3 * side))];
      return Math.floor((x % 3 === 1 && y % 3 === 1 ? x : y) / 3);
    });
    for (const amount of [0.1, 0.55, 1.81, 2]) {
      expectPlain({ data, width: side, height: side }, "SharpnessIncreasing", amount);
    }
  });
});

describe("moves that leave much to decide", () => {
  const images = Array.from({ length: 12 }, (_, i) => randomImage(new Rng(7).fork(i), 40, 36));
  const cases: [AugmentOp, readonly number[]][] = [
    ["TranslateXRel", [0, 1, -1, 2, -3, 0.5, -2.5, 0.25, 0.125, 39, 39.75, 40, -40, 1e9].map((x) => x / 40)],
    ["TranslateYRel", [0, 1, -1, 2, -3, 0.5, -2.5, 0.25, 0.125, 35, 35.75, 36, -36, 1e9].map((y) => y / 36)],
    ["ShearX", [0, 0.5, -0.25, 0.125, 1, -2, 1e-9, -1e-12, 30]],
    ["ShearY", [0, 0.5, -0.25, 0.125, 1, -2, 1e-9, -1e-12, 30]],
    ["Rotate", [0, 90, 180, 270, 360, -90, 45, 1e-9, 89.999999999]],
  ];
  for (const [op, values] of cases) {
    it(`are Pillow's too: ${op} by parts of pixels that sums of bytes fill exactly, and far out`, () => {
      for (const image of images) for (const argument of values) expectPlain(image, op, argument);
    });
  }
});

/** Mirrored and augmented on its way to normalized numbers, as finetuning does it. */
function planesAfter(image: RgbImage, mirrored: boolean, steps: readonly AugmentStep[]): Float32Array {
  return PixelMemory.use((memory) => {
    const placed = placePixels(memory, { ...image, offset: 0, line: 3 * image.width });
    const canvas = new Canvas(memory, placed, mirrored);
    for (const { op, argument } of steps) operations[op].apply(canvas, argument);
    return memory.floats(canvas.planes(), image.data.length).slice();
  });
}

describe("operations in a row", () => {
  it("give what one after the other gives, mirrored or not", () => {
    const rng = new Rng(2);
    for (let i = 0; i < 300; i++) {
      const image = randomImage(rng, 1 + rng.integer(40), 1 + rng.integer(40));
      const steps = drawRandAugment(rng, { layers: 3, probability: 1, magnitudeStd: 3 });
      for (const mirrored of [false, true]) {
        let plain = mirrored ? flipHorizontally(image) : image;
        for (const { op, argument } of steps)
          plain = { ...plain, data: plainOperations[op](plain, argument) };
        const what = `${JSON.stringify(steps)} ${mirrored} ${image.width} x ${image.height}`;
        assert.deepEqual(planesAfter(image, mirrored, steps), normalize(plain), what);
      }
    }
  });
});

describe("normalization", () => {
  const every = (width: number, height: number): RgbImage => ({
    data: Uint8Array.from({ length: 3 * width * height }, (_, i) => Math.floor(i / 3) + 85 * (i % 3)),
    width,
    height,
  });
  const expected = ({ data, width, height }: RgbImage) =>
    Float32Array.from({ length: data.length }, (_, i) => {
      const channel = Math.floor(i / (width * height));
      const unit = Math.fround(data[3 * (i % (width * height)) + channel] / 255);
      const difference = Math.fround(unit - Math.fround(imageNetMean[channel]));
      return difference / Math.fround(imageNetStd[channel]);
    });

  it("is exact in single precision for every byte of every channel, at any width", () => {
    for (let width = 1; width <= 35; width++) {
      const image = every(width, Math.ceil(256 / width));
      assert.deepEqual(normalize(image), expected(image), `width ${width}`);
    }
  });

  it("mirrors on its way", () => {
    for (let width = 1; width <= 35; width++) {
      const image = every(width, 9);
      assert.deepEqual(planesAfter(image, true, []), expected(flipHorizontally(image)), `width ${width}`);
    }
  });
});
