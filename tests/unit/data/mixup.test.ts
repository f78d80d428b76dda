import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rng } from "../../../src/core/rng";
import { cutBox, drawMix, mixBatch } from "../../../src/data/mixup";

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
