import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { randomErasing } from "../../../../src/data/pixels/augment/erasing";
import { eraseRandomly } from "../../../../src/data/pixels/augment/placedErasing";
import {
  applyAugmentation,
  augmentArgument,
  augmentOps,
  drawRandAugment,
  type RandAugmentRecipe,
} from "../../../../src/data/pixels/augment/randAugment";
import { PixelMemory } from "../../../../src/data/pixels/kernels/pixelMemory";
import * as transforms from "../../../../src/data/transforms";
import { paintedImage } from "../support";

const image = paintedImage(31, 23, (x, y) => [8 * x, 11 * y, (x * y) & 255]);
const draw = (count: number, recipe?: RandAugmentRecipe) =>
  Array.from({ length: count }, (_, i) => drawRandAugment(new Rng(5).fork(i), recipe));

describe("RandAugment", () => {
  it("does half of two operations, each of the fifteen about equally often", () => {
    const steps = draw(6000).flat();
    assert.ok(Math.abs(steps.length / 6000 - 1) < 0.05);
    assert.equal(augmentOps.length, 15);
    for (const op of augmentOps) {
      const share = steps.filter((step) => step.op === op).length / steps.length;
      assert.ok(Math.abs(share - 1 / 15) < 0.015, `${op} ${share}`);
    }
  });

  it("draws magnitudes about nine, never above ten, and either direction", () => {
    const angles = draw(6000)
      .flat()
      .filter(({ op }) => op === "Rotate")
      .map(({ argument }) => argument);
    const sizes = angles.map(Math.abs);
    assert.ok(Math.abs(sizes.reduce((a, b) => a + b) / sizes.length - 27) < 0.3);
    assert.ok(Math.max(...sizes) <= 30 && Math.min(...sizes) > 18);
    const left = angles.filter((angle) => angle < 0).length / angles.length;
    assert.ok(Math.abs(left - 0.5) < 0.1);
  });

  it("follows its recipe", () => {
    assert.ok(draw(50, { probability: 0 }).every((steps) => steps.length === 0));
    const all = draw(50, { probability: 1, layers: 3, magnitude: 4, magnitudeStd: 0 });
    assert.ok(all.every((steps) => steps.length === 3));
    const shears = all.flat().filter(({ op }) => op === "ShearX");
    assert.ok(shears.length > 0 && shears.every(({ argument }) => Math.abs(argument) === 0.12));
  });

  it("keeps the image it is given and its size, under every operation", () => {
    const before = [...image.data];
    for (const op of augmentOps) {
      const result = applyAugmentation(image, { op, argument: augmentArgument(op, 9, true) });
      assert.deepEqual([result.width, result.height, result.data.length], [31, 23, 31 * 23 * 3], op);
      assert.notDeepEqual([...result.data], before, op);
    }
    const buffer = Buffer.from(image.data);
    for (const op of augmentOps) applyAugmentation({ ...image, data: buffer }, { op, argument: 1.5 });
    assert.deepEqual([...image.data, ...buffer], [...before, ...before]);
  });

  it("names everything that is wrong with a recipe", () => {
    assert.throws(
      () => transforms.finetune(32, { randAugment: { layers: 1.5, magnitude: 11, probability: -1 } }),
      /layers: .*got 1.5\n.*magnitude: .*got 11\n.*probability: .*got -1/,
    );
    assert.throws(() => transforms.finetune(32, { erasing: 2 }), /erasing: .*got 2/);
  });
});

describe("random erasing", () => {
  const erase = (seed: number, probability: number) => {
    const planes = new Float32Array(3 * 40 * 30).fill(100);
    randomErasing(planes, 40, 30, new Rng(seed), probability);
    return planes;
  };

  it("fills one box of all channels with noise, in the given share of images", () => {
    const shares = Array.from({ length: 400 }, (_, seed) => {
      const erased = erase(seed, 0.25).map((value) => (value === 100 ? 0 : 1));
      const [red, green, blue] = [0, 1, 2].map((c) => erased.subarray(c * 1200, (c + 1) * 1200));
      assert.deepEqual([red, red], [green, blue]);
      return red.reduce((a, b) => a + b) / 1200;
    });
    const hit = shares.filter((share) => share > 0);
    assert.ok(Math.abs(hit.length / 400 - 0.25) < 0.06);
    assert.ok(Math.min(...hit) > 0.015 && Math.max(...hit) < 0.36);
  });

  it("does the same to planes that lie in a memory", () => {
    for (let seed = 0; seed < 40; seed++) {
      const erased = PixelMemory.use((memory) => {
        const planes = memory.take(4 * 3600);
        memory.floats(planes, 3600).fill(100);
        eraseRandomly(memory, planes, 40, 30, new Rng(seed), 0.5);
        return memory.floats(planes, 3600).slice();
      });
      assert.deepEqual(erased, erase(seed, 0.5), `seed ${seed}`);
    }
  });

  it("uses standard normal numbers", () => {
    const values = Array.from({ length: 50 }, (_, seed) => [...erase(seed, 1)]).flat();
    const noise = values.filter((value) => value !== 100);
    const mean = noise.reduce((a, b) => a + b) / noise.length;
    const variance = noise.reduce((a, b) => a + (b - mean) ** 2, 0) / noise.length;
    assert.ok(Math.abs(mean) < 0.03 && Math.abs(variance - 1) < 0.05);
  });
});

describe("transforms.finetune", () => {
  it("comes with RandAugment and erasing unless told otherwise", () => {
    const seeds = Array.from({ length: 40 }, (_, seed) => seed);
    const outputs = (transform: ReturnType<typeof transforms.finetune>) =>
      seeds.map((seed) => transform.apply(image, new Rng(seed)));
    const plain = outputs(transforms.finetune(16, { randAugment: null, erasing: 0 }));
    const differing = (others: Float32Array[]) =>
      others.filter((other, i) => other.some((value, k) => value !== plain[i][k])).length / 40;
    assert.ok(differing(outputs(transforms.finetune(16, { randAugment: null }))) < 0.5);
    assert.ok(differing(outputs(transforms.finetune(16, { erasing: 0 }))) > 0.5);
    assert.ok(differing(outputs(transforms.finetune(16))) > 0.6);
  });
});
