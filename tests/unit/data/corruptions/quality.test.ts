import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { corruptions } from "../../../../src/data";
import { encodeJpeg } from "../../../../src/data/corruptions/digital";
import { decodeImage } from "../../../../src/data/reading/decode";
import { temporaryFolder, writeImages } from "../../train/support";

/** The first luminance steps of the JPEG standard's annex K, in zigzag order. */
const standard = [16, 11, 12, 14, 12, 10, 16, 14];

/** libjpeg's steps at a quality from 50: a standard step times (200 - 2 quality) percent. */
const stepsAt = (quality: number) =>
  standard.map((step) => Math.max(1, Math.floor((step * (200 - 2 * quality) + 50) / 100)));

function firstSteps(jpeg: Uint8Array): number[] {
  const at = Buffer.from(jpeg).indexOf(Buffer.from([0xff, 0xdb]));
  return [...jpeg.subarray(at + 5, at + 5 + standard.length)];
}

test("corrupted images are saved in quality 85, as the benchmark's files are", async () => {
  const folder = temporaryFolder();
  const source = await writeImages(join(folder, "images"), 1);
  const options = { types: ["brightness"], severities: [1], size: 32, workers: 1 } as const;
  const run = await corruptions.generate(source, join(folder, "c"), options);
  const paths: string[] = [];
  for await (const { path } of run) paths.push(path);
  assert.ok(paths.length > 0);
  for (const path of paths) {
    const file = join(folder, "c", "brightness", "1", `${path}.JPEG`);
    assert.deepEqual(firstSteps(readFileSync(file)), stepsAt(85));
  }
});

test("the corruption by compression has the qualities 25, 18, 15, 10 and 7", async () => {
  const side = 32;
  const data = Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * 7919) % 251);
  const image = { data, width: side, height: side };
  for (const [i, quality] of [25, 18, 15, 10, 7].entries()) {
    const found = await corruptions.apply(image, "jpeg_compression", i + 1, new Rng(0));
    const expected = await decodeImage(await encodeJpeg(image, quality));
    assert.deepEqual([...found.data], [...expected.data], `severity ${i + 1}`);
  }
});
