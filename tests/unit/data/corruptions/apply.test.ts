import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { corruptions } from "../../../../src/data";
import { glassBlur } from "../../../../src/data/corruptions/blur";
import { drawsFrom } from "../../../../src/data/corruptions/draws";
import { canny, distanceToZero, equalize } from "../../../../src/data/corruptions/edges";
import { warpAffine } from "../../../../src/data/corruptions/elastic";
import { correlateLines, gaussianBlur, gaussianWeights } from "../../../../src/data/corruptions/filters";
import { toUnit } from "../../../../src/data/corruptions/image";
import { motionBlurred } from "../../../../src/data/corruptions/motion";
import type { RgbImage } from "../../../../src/data/pixels/rgbImage";
import { benchmarkCorruptions, corruptionTypes } from "../../../../src/data/sets";
import { paintedImage } from "../support";

const image = paintedImage(64, 64, (x, y) => [4 * x, 4 * y, ((x >> 3) + (y >> 3)) % 2 ? 200 : 60]);
const ice = paintedImage(80, 80, (x, y) => [x, y, x ^ y]);
const corrupt = (type: (typeof corruptionTypes)[number], severity: number, seed = 1) =>
  corruptions.apply(image, type, severity, new Rng(seed), { frost: [ice] });

const meanDifference = (a: RgbImage, b: RgbImage) =>
  a.data.reduce((sum, byte, i) => sum + Math.abs(byte - b.data[i]), 0) / a.data.length;

describe("corruptions", () => {
  it("are the 19 of ImageNet-C, 15 of them in the benchmark", () => {
    assert.equal(new Set(corruptionTypes).size, 19);
    assert.deepEqual(
      [benchmarkCorruptions.length, benchmarkCorruptions.includes("jpeg_compression")],
      [15, true],
    );
  });

  for (const type of corruptionTypes) {
    it(`${type} changes the image, keeps its size and follows from the seed alone`, async () => {
      for (const severity of [1, 5]) {
        const once = await corrupt(type, severity);
        assert.deepEqual([once.width, once.height, once.data.length], [64, 64, 64 * 64 * 3]);
        assert.ok(meanDifference(once, image) > 0.5, `severity ${severity}`);
        assert.deepEqual((await corrupt(type, severity)).data, once.data);
      }
    });
  }

  it("of noise and blur grow with severity", async () => {
    for (const type of [
      "gaussian_noise",
      "shot_noise",
      "impulse_noise",
      "gaussian_blur",
      "contrast",
    ] as const) {
      const differences: number[] = [];
      for (const severity of [1, 2, 3, 4, 5]) {
        differences.push(meanDifference(await corrupt(type, severity), image));
      }
      assert.deepEqual(
        differences,
        [...differences].sort((a, b) => a - b),
        type,
      );
    }
  });

  it("refuse what they cannot do, all of it at once", async () => {
    const tiny = paintedImage(8, 8, () => [1, 2, 3]);
    await assert.rejects(
      // biome-ignore lint/suspicious/noExplicitAny: what JavaScript callers might give
      corruptions.apply(tiny, "rain" as any, 6, new Rng(0)),
      /no corruption rain; there are gaussian_noise.*severity must be.*got 6.*at least 32 pixels.*8 x 8/,
    );
    await assert.rejects(
      corruptions.apply(image, "frost", 1, new Rng(0)),
      /frost needs photographs of frost/,
    );
    const small = { frost: [image] };
    await assert.rejects(
      corruptions.apply(image, "frost", 1, new Rng(0), small),
      /has 64 x 64 pixels, the image 64 x 64; it must be larger/,
    );
    for (const [width, height] of [
      [64, 65],
      [65, 64],
    ]) {
      const photograph = { width, height, data: new Uint8Array(3 * width * height) };
      await assert.rejects(
        corruptions.apply(image, "frost", 1, new Rng(0), { frost: [photograph] }),
        new RegExp(`has ${width} x ${height} pixels, the image 64 x 64; it must be larger`),
      );
    }
  });

  it("draw Poisson numbers with the asked mean and variance", () => {
    const draws = drawsFrom(new Rng(3));
    for (const mean of [0, 0.4, 7, 60]) {
      const values = Array.from({ length: 20000 }, () => draws.poisson(mean));
      const average = values.reduce((a, b) => a + b) / values.length;
      const variance = values.reduce((sum, x) => sum + (x - average) ** 2, 0) / values.length;
      assert.ok(Math.abs(average - mean) <= 0.02 * mean + 0.01, `mean ${average} for ${mean}`);
      assert.ok(Math.abs(variance - mean) <= 0.05 * mean + 0.01, `variance ${variance} for ${mean}`);
    }
  });
});

describe("parts of corruptions", () => {
  const line = (length: number, value: (i: number) => number) => ({
    data: Float64Array.from({ length }, (_, i) => value(i)),
    width: length,
    height: 1,
    channels: 1,
  });

  it("motion blur looks along its angle, one-sided, and cuts fractions off", () => {
    const spike = line(9, (i) => (i === 4 ? 255 : 0));
    const right = motionBlurred(spike, { radius: 1, sigma: 1, angle: 0 }).data;
    const weights = [1, Math.exp(-0.5), Math.exp(-2)];
    const sum = weights.reduce((a, b) => a + b);
    const expected = weights.map((weight) => Math.floor((255 * weight) / sum));
    assert.deepEqual([...right], [0, 0, expected[2], expected[1], expected[0], 0, 0, 0, 0]);
    const down = motionBlurred(spike, { radius: 1, sigma: 1, angle: 90 }).data;
    assert.deepEqual([...down], [...spike.data]);
  });

  it("Gaussian blur adds the middle first, then pairs from the outside in, to the last bit", () => {
    const weights = gaussianWeights(1.1, 4);
    const values = Float64Array.from({ length: 9 }, (_, i) => (37 * i * i) % 255);
    const blurred = correlateLines({ ...line(9, (i) => values[i]) }, weights, "rows", "nearest").data[4];
    let expected = values[4] * weights[4];
    for (let k = 0; k < 4; k++) expected += (values[k] + values[8 - k]) * weights[k];
    assert.equal(blurred, expected);
  });

  it("glass blur of an even image loses a level exactly where the weighted sum falls short of it", () => {
    for (const [severity, sigma] of [0.7, 0.9, 1, 1.1, 1.5].entries()) {
      for (const level of [10, 89, 90, 199, 200, 254]) {
        const even = paintedImage(32, 32, () => [level, level, level]);
        const once = gaussianBlur(toUnit(even), sigma).data[0];
        const { data } = glassBlur(even, severity + 1, drawsFrom(new Rng(0)));
        assert.equal(Math.round(data[0]), Math.trunc(once * 255), `level ${level}, sigma ${sigma}`);
      }
    }
  });

  it("an affine map moves by whole pixels exactly and mirrors about the edge pixel", () => {
    const ramp = line(6, (i) => i);
    assert.deepEqual([...warpAffine(ramp, [1, 0, 2, 0, 1, 0]).data], [2, 1, 0, 1, 2, 3]);
    assert.deepEqual([...warpAffine(ramp, [1, 0, 0.5, 0, 1, 0]).data], [0.5, 0.5, 1.5, 2.5, 3.5, 4.5]);
  });

  it("edges of a square are its outline, and distances count from there", () => {
    const [width, height] = [20, 20];
    const inSquare = (i: number) => i % 20 >= 6 && i % 20 < 14 && i / 20 >= 6 && i / 20 < 14;
    const data = Uint8Array.from({ length: 400 }, (_, i) => (inSquare(i) ? 200 : 0));
    const edges = canny({ data, width, height }, 50, 150);
    assert.ok(edges[10 * 20 + 6] + edges[10 * 20 + 5] === 255, "one pixel on the left side");
    assert.equal(edges[10 * 20 + 10], 0);
    const lone = new Uint8Array(400).fill(255);
    lone[0] = 0;
    const distance = distanceToZero({ data: lone, width, height });
    assert.deepEqual([...distance.slice(0, 3)], [0, 1, 2]);
    assert.ok(Math.abs(distance[21] - 1.4) < 1e-6 && Math.abs(distance[22] - 2.1969) < 1e-6);
  });

  it("equalizing spreads values over all bytes and leaves one value alone", () => {
    assert.deepEqual([...equalize(Uint8Array.from([3, 3, 9, 200]))], [0, 0, 128, 255]);
    assert.deepEqual([...equalize(Uint8Array.from([7, 7]))], [7, 7]);
  });
});
