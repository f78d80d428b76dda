import assert from "node:assert/strict";
import { before, test } from "node:test";
import { faithfulness } from "../../../../src/analysis";
import type { RelevanceMap } from "../../../../src/analysis/relevance";
import { maskAgreement } from "../../../../src/analysis/relevance/maskAgreement";
import {
  areaUnder,
  blurKernel,
  blurred,
  bySaliency,
  steps,
} from "../../../../src/analysis/relevance/perturbation";
import { startBackend } from "../../../../src/core/tf";
import { perturb } from "../../models/support";
import { maskedImages, tinyClassifier } from "../support";

before(() => startBackend());

test("equal pixels keep their order", () => {
  assert.deepEqual([...bySaliency([1, 3, 1, 3, 2])], [1, 3, 4, 0, 2]);
});

test("the curve begins at the start, ends at the end, and changes all channels of a pixel at once", () => {
  const images = [...steps(Float32Array.of(1, 2, 3, 4), new Float32Array(4), Uint32Array.of(1, 0), 1)].length;
  assert.equal(images, 3);
  const seen = [...map(steps(Float32Array.of(1, 2, 3, 4), new Float32Array(4), Uint32Array.of(1, 0), 1))];
  assert.deepEqual(seen, [
    [1, 2, 3, 4],
    [1, 0, 3, 0],
    [0, 0, 0, 0],
  ]);
});

function* map(images: Iterable<Float32Array>): Generator<number[]> {
  for (const image of images) yield Array.from(image);
}

test("the area under a line is its middle", () => {
  assert.ok(Math.abs(areaUnder([1, 0.75, 0.5, 0.25, 0]) - 0.5) < 1e-12);
});

test("the blur sums to one, and leaves the middle of an even plane as it is", () => {
  const kernel = blurKernel();
  assert.ok(Math.abs(kernel.reduce((a, b) => a + b, 0) - 1) < 1e-12);
  const soft = blurred(new Float32Array(900).fill(2), 30, 30, kernel);
  assert.ok(Math.abs(soft[15 * 30 + 15] - 2) < 1e-5);
  assert.ok(soft[0] < 1, "zeros lie around it");
});

test("patches above the mean are compared with the object's; ignored ones do not count", () => {
  const given = (foreground: number[], valid: number[], patches: number[]) =>
    maskAgreement({
      sample: { foreground: Uint8Array.from(foreground), valid: Uint8Array.from(valid) },
      patches: Float32Array.from(patches),
    } as unknown as RelevanceMap);
  assert.deepEqual(given([1, 0, 0, 0], [1, 1, 1, 1], [9, 0, 8, 0]), { accuracy: 0.75, iou: 0.5 });
  assert.deepEqual(given([1, 0, 0, 0], [1, 1, 0, 1], [9, 0, 8, 0]), { accuracy: 1, iou: 1 });
  assert.deepEqual(maskAgreement({ sample: {}, patches: new Float32Array(4) } as unknown as RelevanceMap), {
    accuracy: null,
    iou: null,
  });
});

test("a set with masks gives a row per image and method, and intervals over the images", async () => {
  const model = tinyClassifier();
  perturb(model);
  const images = await maskedImages([
    ["object", "ground", "ground", "ignored"],
    ["ground", "object", "ground", "ground"],
    ["ground", "object", "object", "ground"],
  ]);
  const options = { methods: ["chefer", "gradcam"], step: 32, engine: "eager" } as const;
  const found = await faithfulness(model, images, options);
  assert.equal(found.table.numRows, 6);
  for (const row of found.table.toArray()) {
    for (const measure of ["deletion", "insertion", "accuracy"])
      assert.ok(row[measure] >= 0 && row[measure] <= 1);
  }
  const rows = found.summary.toArray();
  assert.equal(rows.length, 8);
  for (const { mean, low, high, images } of rows) {
    assert.ok(low <= mean && mean <= high);
    assert.equal(images, 3);
  }
  assert.match(String(found), /chefer\s+deletion/);
});
