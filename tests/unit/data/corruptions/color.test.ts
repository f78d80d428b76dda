import assert from "node:assert/strict";
import { test } from "node:test";
import { brightness, contrast, saturate } from "../../../../src/data/corruptions/color";
import { paintedImage } from "../support";

const close = (actual: ArrayLike<number>, expected: readonly number[], what: string) => {
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(actual[i] - value) < 1e-6, `${what}: ${actual[i]}`);
};

test("saturation, brightness and contrast change by what each severity says", () => {
  const pale = paintedImage(1, 1, () => [200, 180, 180]);
  for (const [i, saturation] of [0.03, 0.01, 0.2, 0.6, 1].entries()) {
    const low = 200 * (1 - saturation);
    close(saturate(pale, i + 1).data, [200, low, low], `saturate ${i + 1}`);
  }
  const gray = paintedImage(2, 1, (x) => [51 + 51 * x, 51, 51]);
  const flat = paintedImage(1, 1, () => [51, 51, 51]);
  for (const [i, plus] of [0.1, 0.2, 0.3, 0.4, 0.5].entries())
    close(brightness(flat, i + 1).data, Array<number>(3).fill(51 + 255 * plus), `brightness ${i + 1}`);
  for (const [i, share] of [0.4, 0.3, 0.2, 0.1, 0.05].entries())
    close(
      contrast(gray, i + 1).data,
      [76.5 - 25.5 * share, 51, 51, 76.5 + 25.5 * share],
      `contrast ${i + 1}`,
    );
});
