import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { drawColors } from "../../../../src/data/pixels/augment/colorJitter";
import {
  drawErasedBox,
  type ErasingDraws,
  erasedBox,
  erasingDraws,
  randomErasing,
} from "../../../../src/data/pixels/augment/erasing";
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

  it("takes every number of its recipe up to both ends, and none beyond", () => {
    const ends: Record<keyof RandAugmentRecipe, [low: number, high: number]> = {
      layers: [0, 100],
      magnitude: [0, 10],
      magnitudeStd: [0, 100],
      probability: [0, 1],
    };
    for (const [name, [low, high]] of Object.entries(ends)) {
      for (const value of [low, high]) assert.ok(drawRandAugment(new Rng(1), { [name]: value }), name);
      for (const value of [low - 1, high + 1, Number.NaN])
        assert.throws(
          () => drawRandAugment(new Rng(1), { [name]: value }),
          new RegExp(`drawRandAugment: .*${name}: .*got ${value}`, "s"),
        );
    }
    assert.deepEqual(draw(20, { layers: 0 }), Array(20).fill([]));
    assert.equal(draw(1, { layers: 100, probability: 1 })[0].length, 100);
    const wild = draw(300, { magnitudeStd: 100, probability: 1 }).flat();
    const angles = wild.flatMap(({ op, argument }) => (op === "Rotate" ? [Math.abs(argument)] : []));
    assert.deepEqual([Math.min(...angles), Math.max(...angles)], [0, 30], "cut off at both ends");
    assert.throws(
      () => applyAugmentation(image, { op: "Blur" as never, argument: 1 }),
      /an operation \{ op, argument \}/,
    );
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

describe("the box that is erased", () => {
  const drawing = (areas: number[], aspect: number, offsets = [0, 0]) => {
    const asked: number[] = [];
    let tries = 0;
    const draws: ErasingDraws = {
      areaFraction: () => areas[Math.min(tries++, areas.length - 1)],
      logAspect: () => Math.log(aspect),
      offset: (limit) => offsets[asked.push(limit) - 1],
    };
    return { draws, asked, tries: () => tries };
  };

  it("has the area and the height over width that were drawn, its top drawn before its left", () => {
    const { draws, asked } = drawing([0.02], 4, [3, 11]);
    assert.deepEqual(erasedBox(40, 50, draws), { left: 11, top: 3, width: 3, height: 13 }); // of 3.16 and 12.65
    assert.deepEqual(asked, [50 - 13, 40 - 3]);
  });

  it("is smaller than the image both ways, or there is none after ten tries", () => {
    for (const areas of [[1], [0.99999]]) {
      const none = drawing(areas, 1);
      assert.equal(erasedBox(20, 20, none.draws), undefined);
      assert.deepEqual([none.tries(), none.asked], [10, []]);
    }
    const flat = drawing([0.5], 0.3); // as wide as the image
    assert.equal(erasedBox(10, 60, flat.draws), undefined);
    const high = drawing([0.5], 3);
    assert.equal(erasedBox(60, 10, high.draws), undefined);
    const late = drawing([...Array<number>(9).fill(1), 0.25], 1);
    assert.deepEqual(erasedBox(20, 20, late.draws), { left: 0, top: 0, width: 10, height: 10 });
    const tooLate = drawing([...Array<number>(10).fill(1), 0.25], 1);
    assert.equal(erasedBox(20, 20, tooLate.draws), undefined);
    const largest = drawing([(19 / 20) ** 2], 1);
    assert.deepEqual(erasedBox(20, 20, largest.draws), { left: 0, top: 0, width: 19, height: 19 });
  });

  it("is drawn from a fiftieth to a third of the area, with aspects from 0.3 to its inverse, at any offset", () => {
    const draws = erasingDraws(new Rng(2));
    const expectRange = (draw: () => number, low: number, high: number, near: number) => {
      const values = Array.from({ length: 3000 }, draw);
      const [least, most] = [Math.min(...values), Math.max(...values)];
      assert.ok(
        least >= low && least <= low + near && most <= high && most >= high - near,
        `${least} ${most}`,
      );
    };
    expectRange(draws.areaFraction, 0.02, 1 / 3, 0.005);
    expectRange(draws.logAspect, Math.log(0.3), Math.log(1 / 0.3), 0.02);
    expectRange(() => draws.offset(6), 0, 6, 0);
    const share = (probability: number) =>
      Array.from({ length: 300 }, (_, i) => drawErasedBox(30, 30, new Rng(i), probability)).filter(Boolean)
        .length / 300;
    assert.deepEqual([share(0), share(1)], [0, 1]);
    assert.ok(Math.abs(share(0.7) - 0.7) < 0.08);
  });
});

describe("jitter of colors", () => {
  it("comes 8 times in 10, in any order, gray 2 times and a blur 5 times, each in its range", () => {
    const draws = Array.from({ length: 4000 }, (_, i) => drawColors(new Rng(i)));
    const share = (has: (draw: (typeof draws)[number]) => boolean) => draws.filter(has).length / draws.length;
    const expectShare = (found: number, expected: number) =>
      assert.ok(Math.abs(found - expected) < 0.03, `${found}, expected ${expected}`);
    expectShare(
      share(({ jitter }) => jitter.length === 4),
      0.8,
    );
    expectShare(
      share(({ jitter }) => jitter.length === 0),
      0.2,
    );
    expectShare(
      share(({ gray }) => gray),
      0.2,
    );
    expectShare(
      share(({ blur }) => blur !== undefined),
      0.5,
    );
    const orders = new Set(draws.map(({ jitter }) => jitter.map(([change]) => change).join()));
    assert.equal(orders.size, 24 + 1);
    const expectRange = (values: number[], low: number, high: number) => {
      const [least, most, near] = [Math.min(...values), Math.max(...values), (high - low) / 100];
      assert.ok(least >= low && least < low + near && most <= high && most > high - near, `${least} ${most}`);
    };
    for (const [name, low, high] of [
      ["brightness", 0.2, 1.8],
      ["contrast", 0.2, 1.8],
      ["saturation", 0.2, 1.8],
      ["hue", -0.2, 0.2],
    ] as const)
      expectRange(
        draws.flatMap(({ jitter }) =>
          jitter.filter(([change]) => change === name).map(([, factor]) => factor),
        ),
        low,
        high,
      );
    expectRange(
      draws.flatMap(({ blur }) => blur ?? []),
      0.1,
      2,
    );
  });
});
