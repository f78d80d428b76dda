import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { placeNoise } from "../../../../src/data/pixels/augment/noise";
import { PixelMemory } from "../../../../src/data/pixels/kernels/pixelMemory";

const noiseOf = (count: number, rng: Rng) =>
  PixelMemory.use((memory) => memory.floats(placeNoise(memory, count, rng), count).slice());

/** The generator of one lane: as Rng's, from the words that are drawn for it. */
function lane(words: readonly number[], index: number): Rng {
  const rng = new Rng(0);
  const { state } = rng as unknown as { state: Uint32Array };
  state.set([0, 1, 2, 3].map((word) => words[4 * word + index]));
  return rng;
}

test("noise is Box and Muller's, in single precision", () => {
  const rng = new Rng(4);
  const words = Array.from({ length: 16 }, () => rng.uint32());
  const lanes = [0, 1, 2, 3].map((index) => lane(words, index));
  const noise = noiseOf(40_000, new Rng(4));
  for (let at = 0; at < noise.length; at += 8) {
    for (const [k, generator] of lanes.entries()) {
      const length = Math.sqrt(-2 * Math.log((generator.uint32() + 0.5) / 2 ** 32));
      const draw = generator.uint32();
      const angle = ((draw << 2) * Math.PI) / 2 ** 33;
      const sides = [Math.cos(angle), Math.sin(angle)].map((side) => side * length);
      if (draw & (1 << 30)) sides.reverse();
      const sign = draw & (1 << 31) ? -1 : 1;
      assert.ok(Math.abs(noise[at + k] - sign * sides[0]) < 2e-6 * (1 + length), `number ${at + k}`);
      assert.ok(Math.abs(noise[at + 4 + k] - sign * sides[1]) < 2e-6 * (1 + length), `number ${at + 4 + k}`);
    }
  }
});

test("noise is standard normal up to its tails, and hardly any value comes twice", () => {
  const noise = noiseOf(1_000_000, new Rng(3));
  const shareOf = (holds: (x: number) => boolean) => {
    let count = 0;
    for (const x of noise) if (holds(x)) count++;
    return count / noise.length;
  };
  // Shares of the normal distribution below 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5 and 4.
  const below = [0.5, 0.6914625, 0.8413447, 0.9331928, 0.9772499, 0.9937903, 0.9986501, 0.9997674, 0.9999683];
  for (const [i, expected] of below.entries()) {
    const error = 4.5 * Math.sqrt((expected * (1 - expected)) / noise.length);
    assert.ok(Math.abs(shareOf((x) => x < i / 2) - expected) < error, `below ${i / 2}`);
    assert.ok(Math.abs(shareOf((x) => x > -i / 2) - expected) < error, `above ${-i / 2}`);
  }
  for (const distance of [1, 4, 8]) {
    let sum = 0;
    for (let i = distance; i < noise.length; i++) sum += noise[i] * noise[i - distance];
    assert.ok(Math.abs(sum / noise.length) < 0.0045, `neighbors ${distance} apart`);
  }
  assert.ok(new Set(noise).size > 0.9 * noise.length);
});

test("noise depends on the stream alone, whatever its amount", () => {
  const [long, short, other] = [noiseOf(1000, new Rng(9)), noiseOf(13, new Rng(9)), noiseOf(13, new Rng(8))];
  assert.deepEqual(long.subarray(0, 13), short);
  assert.notDeepEqual(short, other);
  assert.equal(noiseOf(0, new Rng(9)).length, 0);
});
