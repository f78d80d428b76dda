import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rng } from "../../../src/core/rng";
import { cutBox, drawMix, mixBatch, mixTargets } from "../../../src/data/mixup";

const images = Float32Array.from({ length: 4 * 3 * 8 * 6 }, (_, i) => Math.floor(i / (3 * 8 * 6)));
const batch = { images, labels: [0, 1, 2, 2], height: 8, width: 6, classes: 5 };

describe("mixBatch", () => {
  it("blends sample i with sample B-1-i", () => {
    const { images: mixed } = mixBatch({ ...batch, lambda: 0.75 });
    assert.equal(mixed[0], 0.75 * 0 + 0.25 * 3);
    assert.equal(mixed[mixed.length - 1], 0.75 * 3);
    assert.equal(images[0], 0);
  });

  it("makes targets that sum to one, smoothed over all classes", () => {
    const { targets } = mixBatch({ ...batch, lambda: 0.75, smoothing: 0.1 });
    const first = targets.subarray(0, 5);
    assert.ok(Math.abs(first.reduce((a, b) => a + b) - 1) < 1e-6);
    assert.ok(Math.abs(first[0] - (0.75 * 0.92 + 0.25 * 0.02)) < 1e-6);
    assert.ok(Math.abs(first[2] - (0.75 * 0.02 + 0.25 * 0.92)) < 1e-6);
    assert.ok(Math.abs(first[4] - 0.02) < 1e-6);
  });

  it("pastes a clipped box and corrects lambda to the area that stays", () => {
    const { images: mixed, lambda } = mixBatch({ ...batch, lambda: 0.5, center: [0, 5] });
    const box = cutBox(8, 6, 0.5, [0, 5]);
    assert.deepEqual([box.y0, box.y1, box.x0, box.x1], [0, 2, 3, 6]);
    assert.equal(lambda, 1 - 6 / 48);
    const pasted = mixed.subarray(0, 48).filter((value) => value === 3).length;
    assert.equal(pasted, 6);
  });

  it("draws cutmix in half of the batches and always the same for one stream", () => {
    const rng = new Rng(5);
    const draws = Array.from({ length: 400 }, () => drawMix(rng, 8, 6));
    const cut = draws.filter((draw) => draw.center).length;
    assert.ok(cut > 150 && cut < 250, `${cut} of 400`);
    assert.ok(draws.every(({ lambda }) => lambda >= 0 && lambda <= 1));
    assert.deepEqual(mixBatch({ ...batch, rng: new Rng(9) }), mixBatch({ ...batch, rng: new Rng(9) }));
  });

  it("refuses odd batches, foreign labels and missing draws", () => {
    const odd = { ...batch, images: images.subarray(0, 432), labels: [0, 1, 2] };
    assert.throws(() => mixBatch({ ...odd, lambda: 1 }), /batch must be even/);
    assert.throws(() => mixBatch({ ...batch, labels: [0, 1, 2, 5], lambda: 1 }), /label 5 is not in 0 … 4/);
    assert.throws(() => mixBatch(batch), /either lambda or rng/);
  });
});

describe("mixBatch, number by number", () => {
  const [count, channels, height, width] = [4, 3, 5, 7];
  const images = Float32Array.from(
    { length: count * channels * height * width },
    (_, i) => (i * 7919) % 1009,
  );
  const whole = { images, labels: [0, 1, 2, 4], height, width, classes: 5 };
  const at = (b: number, c: number, y: number, x: number) => ((b * channels + c) * height + y) * width + x;

  it("takes what lies in the box from the same place and channel of the partner, and nothing else", () => {
    const before = images.slice();
    for (const [lambda, center] of [
      [0.5, [2, 3]],
      [0.2, [0, 0]],
      [0.3, [4, 6]],
      [0, [2, 3]],
      [1, [2, 3]],
    ] as const) {
      const { y0, y1, x0, x1 } = cutBox(height, width, lambda, center);
      const mixed = mixBatch({ ...whole, lambda, center });
      for (let b = 0; b < count; b++)
        for (let c = 0; c < channels; c++)
          for (let y = 0; y < height; y++)
            for (let x = 0; x < width; x++) {
              const inBox = y >= y0 && y < y1 && x >= x0 && x < x1;
              assert.equal(mixed.images[at(b, c, y, x)], images[at(inBox ? count - 1 - b : b, c, y, x)]);
            }
      assert.equal(mixed.lambda, 1 - ((y1 - y0) * (x1 - x0)) / (height * width));
      assert.deepEqual(mixed.targets, mixTargets(whole.labels, 5, mixed.lambda, 0.1), "smoothed by 0.1");
    }
    assert.deepEqual(images, before);
  });

  it("cuts boxes of whole halves, clipped at each side of the image", () => {
    // Sides of sqrt(1 - 0.36) = 0.8 of 10 and 20 pixels, half of them to each side of the center.
    const sides = ({ y0, y1, x0, x1 }: ReturnType<typeof cutBox>) => [y0, y1, x0, x1];
    assert.deepEqual(sides(cutBox(10, 20, 0.36, [5, 10])), [1, 9, 2, 18]);
    assert.deepEqual(sides(cutBox(10, 20, 0.36, [0, 19])), [0, 4, 11, 20]);
    assert.deepEqual(sides(cutBox(10, 20, 0.36, [9, 0])), [5, 10, 0, 8]);
    assert.deepEqual(sides(cutBox(11, 9, 0, [5, 4])), [0, 10, 0, 8]); // 11 and 9 pixels have halves of 5 and 4
    assert.deepEqual(sides(cutBox(10, 20, 1, [5, 10])), [5, 5, 10, 10]);
    assert.equal(cutBox(10, 20, 0.36, [0, 19]).lambda, 1 - (4 * 9) / 200);
  });

  it("blends every number with its partner's, targets too", () => {
    const { images: mixed, targets, lambda } = mixBatch({ ...whole, lambda: 0.25, smoothing: 0.2 });
    assert.equal(lambda, 0.25);
    const length = images.length / count;
    mixed.forEach((value, i) => {
      const partner = (count - 1 - Math.floor(i / length)) * length + (i % length);
      assert.ok(Math.abs(value - (0.25 * images[i] + 0.75 * images[partner])) < 1e-3, `${i}`);
    });
    const smooth = (label: number) => Array.from({ length: 5 }, (_, k) => (k === label ? 0.84 : 0.04));
    whole.labels.forEach((label, row) => {
      const [own, other] = [smooth(label), smooth(whole.labels[count - 1 - row])];
      for (let k = 0; k < 5; k++)
        assert.ok(Math.abs(targets[5 * row + k] - (0.25 * own[k] + 0.75 * other[k])) < 1e-6);
    });
  });

  it("draws by its recipe: how often which, how strongly, and a center anywhere in the image", () => {
    const draws = (recipe: Parameters<typeof drawMix>[3]) => {
      const rng = new Rng(8);
      return Array.from({ length: 600 }, () => drawMix(rng, 3, 6, recipe));
    };
    const nearHalf = (draw: { lambda: number }) => Math.abs(draw.lambda - 0.5) < 0.1;
    const [narrow, wide] = [1000, 0.05];
    for (const { lambda, center } of draws({ switchProbability: 0, mixupAlpha: narrow, cutmixAlpha: wide }))
      assert.ok(center === undefined && nearHalf({ lambda }));
    const cut = draws({ switchProbability: 1, mixupAlpha: wide, cutmixAlpha: narrow });
    assert.ok(cut.every(nearHalf));
    const places = new Set(cut.map(({ center }) => center!.join()));
    assert.equal(places.size, 18);
    assert.ok(cut.every(({ center }) => center![0] < 3 && center![1] < 6));
    const variance = (all: { lambda: number }[]) =>
      all.reduce((sum, { lambda }) => sum + (lambda - 0.5) ** 2, 0) / all.length;
    // A beta distribution of twice alpha varies by 1 / (4 (2 alpha + 1)).
    assert.ok(Math.abs(variance(draws({ switchProbability: 0 })) - 1 / 10.4) < 0.01);
    assert.ok(Math.abs(variance(draws({ switchProbability: 1 })) - 1 / 12) < 0.01);
    const often = draws({ switchProbability: 0.9 }).filter(({ center }) => center).length;
    assert.ok(often > 500 && often < 580, `${often}`);
    for (const switchProbability of [0, 1]) {
      const { lambda } = mixBatch({
        ...whole,
        rng: new Rng(1),
        switchProbability,
        mixupAlpha: narrow,
        cutmixAlpha: narrow,
      });
      assert.ok(switchProbability === 0 ? nearHalf({ lambda }) : lambda > 0.5);
    }
  });
});
