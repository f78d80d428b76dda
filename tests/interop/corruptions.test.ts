import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Rng } from "../../src/core/rng";
import { layerCorruptions } from "../../src/data/corruptions/apply";
import { type Draws, drawsFrom } from "../../src/data/corruptions/draws";
import { seededRng } from "../support/seededRng";
import { runPython, unlessPythonHas } from "./python";

/** The corruptions that the golden cases leave out, and zoom blur at all severities. */
const types = ["motion_blur", "zoom_blur", "snow", "elastic_transform", "spatter"] as const;
const skip = unlessPythonHas("cv2", "skimage", "scipy", "PIL");
const folder = mkdtempSync(join(tmpdir(), "luvit-corruptions-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const side = 96;
let result: { opencv: number; differences: Record<string, number | null> };

before(() => {
  if (skip) return;
  const rng = seededRng(11);
  const rough = Uint8Array.from({ length: 12 * 12 * 3 }, () => rng.integer(256));
  const data = Uint8Array.from({ length: side * side * 3 }, (_, i) => {
    const [pixel, c] = [Math.floor(i / 3), i % 3];
    const block = Math.floor(pixel / side / 8) * 12 + Math.floor((pixel % side) / 8);
    return Math.min(255, rough[3 * block + c] * 0.8 + rng.integer(50));
  });
  writeFileSync(join(folder, "image"), data);
  for (const type of types) {
    for (const severity of [1, 2, 3, 4, 5]) {
      const drawn: number[] = [];
      const layer = layerCorruptions[type](
        { data, width: side, height: side },
        severity,
        noted(severity, drawn),
      );
      writeFileSync(join(folder, `${type}-${severity}.values`), layer.data);
      writeFileSync(join(folder, `${type}-${severity}.draws`), Float64Array.from(drawn));
    }
  }
  result = runPython("corruptions.py", folder);
});

/** Draws that leave a copy of every number. */
function noted(seed: number, drawn: number[]): Draws {
  const draws = drawsFrom(new Rng(seed));
  const note = (value: number) => {
    drawn.push(value);
    return value;
  };
  return {
    normal: () => note(draws.normal()),
    between: (low, high) => note(draws.between(low, high)),
    integer: (low, high) => note(draws.integer(low, high)),
    poisson: (mean) => note(draws.poisson(mean)),
  };
}

for (const type of types) {
  test(`scipy, scikit-image, OpenCV and ImageMagick compute the same ${type}`, { skip }, (t) => {
    // From version 5 on OpenCV no longer rounds the positions of an affine map to 1/32 pixel.
    const bound = type === "elastic_transform" && result.opencv >= 5 ? 6 : 1e-4;
    for (const severity of [1, 2, 3, 4, 5]) {
      const difference = result.differences[`${type}-${severity}`];
      if (difference === null) return t.skip("no ImageMagick (LUVIT_MAGICK names one)");
      assert.ok(difference <= bound, `severity ${severity}: ${difference} of 255`);
    }
  });
}
