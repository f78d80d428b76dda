import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import {
  type CropDraws,
  centerBox,
  cropDraws,
  cropIds,
  flipHorizontally,
  flipIds,
  randomCropBox,
  resizeIds,
  roundHalfEven,
  shorterSideSize,
} from "../../../../src/data/pixels/geometry";
import {
  type AxisWeights,
  axisWeights,
  bicubicAxis,
  kernels,
  packAxis,
} from "../../../../src/data/pixels/kernels/axisWeights";
import { normalize, unnormalize } from "../../../../src/data/pixels/normalize";
import { cropBox, resize } from "../../../../src/data/pixels/resample";
import type { RgbImage } from "../../../../src/data/pixels/rgbImage";
import { rebuildTransform } from "../../../../src/data/rebuildTransform";
import * as transforms from "../../../../src/data/transforms";
import { paintedImage } from "../support";

const ramp = paintedImage(9, 5, (x, y) => [20 * x, 50 * y, 7]);

/** Pillow's two bicubic passes, number by number. */
function resizedPlainly({ data, width, height }: RgbImage, toWidth: number, toHeight: number): Buffer {
  const pass = (source: Uint8Array, line: number, lines: number, step: number, axis: AxisWeights) => {
    const outputs = axis.starts.length;
    return Buffer.from(
      Array.from({ length: 3 * outputs * lines }, (_, i) => {
        const [other, x, c] = [Math.floor(i / (3 * outputs)), Math.floor(i / 3) % outputs, i % 3];
        let sum = 2 ** 21;
        for (let k = 0; k < axis.counts[x]; k++) {
          sum += axis.weights[x * axis.stride + k] * source[other * line + (axis.starts[x] + k) * step + c];
        }
        return Math.min(255, Math.max(0, Math.floor(sum / 2 ** 22)));
      }),
    );
  };
  const across = pass(data, 3 * width, height, 3, axisWeights(width, 0, width, toWidth, kernels.bicubic));
  const down = pass(
    across,
    3,
    toWidth,
    3 * toWidth,
    axisWeights(height, 0, height, toHeight, kernels.bicubic),
  );
  const rows = Array.from({ length: toHeight }, (_, y) =>
    Array.from({ length: toWidth }, (_, x) => [
      ...down.subarray(3 * (x * toHeight + y), 3 * (x * toHeight + y) + 3),
    ]),
  );
  return Buffer.from(rows.flat(2));
}

describe("the weights that are kept", () => {
  it("are those of the very sizes that are asked for, small and large, the first time and again", () => {
    const sizes = [1, 2, 3, 976, 1024, 1025, 2000, 2024, 4096].flatMap((inputs) =>
      [1, 2, 24, 976, 1025, 2000].map((outputs) => [inputs, outputs] as const),
    );
    for (const [inputs, outputs] of [...sizes, ...sizes]) {
      const { starts, end, pairs, halves } = packAxis(
        axisWeights(inputs, 0, inputs, outputs, kernels.bicubic),
      );
      const kept = bicubicAxis(inputs, outputs);
      assert.deepEqual([kept.end, kept.pairs], [end, pairs], `${inputs} to ${outputs}`);
      assert.ok(
        Buffer.from(kept.starts.buffer).equals(Buffer.from(starts.buffer)),
        `${inputs} to ${outputs}`,
      );
      assert.ok(
        Buffer.from(kept.halves.buffer).equals(Buffer.from(halves.buffer)),
        `${inputs} to ${outputs}`,
      );
    }
  });
});

describe("resize", () => {
  it("returns the image itself when the size stays", () => {
    for (const filter of ["nearest", "box", "bilinear", "bicubic"] as const) {
      assert.deepEqual([...resize(ramp, 9, 5, { filter }).data], [...ramp.data], filter);
    }
  });

  it("keeps a flat image flat", () => {
    const flat = paintedImage(13, 7, () => [3, 128, 255]);
    for (const filter of ["nearest", "box", "bilinear", "bicubic"] as const) {
      const { data } = resize(flat, 31, 4, { filter });
      assert.deepEqual([...data], [...paintedImage(31, 4, () => [3, 128, 255]).data], filter);
    }
  });

  it("averages all covered pixels when shrinking with the box filter", () => {
    const image = paintedImage(4, 2, (x, y) => [10 * x, 100 * y, 0]);
    assert.deepEqual([...resize(image, 1, 1, { filter: "box" }).data], [15, 50, 0]);
  });

  it("overshoots at edges with the bicubic filter and clips to bytes", () => {
    const step = paintedImage(8, 1, (x) => (x < 4 ? [50, 0, 0] : [200, 255, 0]));
    const { data } = resize(step, 32, 1);
    const reds = [...data].filter((_, i) => i % 3 === 0);
    assert.ok(Math.min(...reds) < 50 && Math.max(...reds) > 200);
    const greens = [...data].filter((_, i) => i % 3 === 1);
    assert.deepEqual([Math.min(...greens), Math.max(...greens)], [0, 255]);
  });

  it("looks only at the box it is given, as far as the kernel reaches", () => {
    const box = { left: 2, top: 1, width: 3, height: 2 };
    assert.deepEqual([...resize(ramp, 3, 2, { box }).data], [...cropBox(ramp, box).data]);
  });

  it("sums weights of 22 bits and rounds after either pass, however many pixels count", () => {
    const rng = new Rng(1);
    const blackOrWhite = () => 255 * rng.integer(2);
    for (const side of [1, 5, 11, 20, 33, 47, 70, 140]) {
      const [width, height] = [side, 1 + rng.integer(2 * side)];
      const image = paintedImage(width, height, () => [blackOrWhite(), blackOrWhite(), rng.integer(256)]);
      for (const to of [7, 16]) {
        const { data } = resize(image, to, to + 1);
        assert.deepEqual(
          Buffer.from(data),
          resizedPlainly(image, to, to + 1),
          `${width} x ${height} to ${to}`,
        );
      }
    }
  });

  it("refuses boxes outside the image", () => {
    assert.throws(
      () => cropBox(ramp, { left: 5, top: 0, width: 5, height: 5 }),
      /does not fit an image of 9 x 5/,
    );
    assert.throws(() => resize(ramp, 0, 5), /bad-argument|does not fit/);
  });
});

describe("geometry", () => {
  it("rounds halves to even", () => {
    assert.deepEqual(
      [0.5, 1.5, 2.5, -0.5, 2.4, 2.6].map(roundHalfEven).map((x) => x + 0),
      [0, 2, 2, 0, 2, 3],
    );
    assert.deepEqual(centerBox(17, 20, 16), { left: 0, top: 2, width: 16, height: 16 });
    assert.deepEqual(centerBox(19, 16, 16), { left: 2, top: 0, width: 16, height: 16 });
  });

  it("cuts the longer side to whole pixels", () => {
    assert.deepEqual(shorterSideSize(301, 200, 64), { width: 96, height: 64 });
    assert.deepEqual(shorterSideSize(97, 131, 64), { width: 64, height: 86 });
  });

  it("keeps random crops inside the image, their area and aspect in range", () => {
    const rng = new Rng(1);
    for (let i = 0; i < 500; i++) {
      const box = randomCropBox(120, 90, cropDraws(rng, [0.2, 1]));
      assert.ok(box.left >= 0 && box.top >= 0 && box.left + box.width <= 120 && box.top + box.height <= 90);
      assert.ok((box.width * box.height) / (120 * 90) > 0.18);
      assert.ok(box.width / box.height > 0.72 && box.width / box.height < 1.4);
    }
  });

  /** Draws that are all the same, noting the limits of offsets. */
  const drawing = (area: number, aspect: number, offsets = [0, 0]) => {
    const asked: number[] = [];
    let tries = 0;
    const draws: CropDraws = {
      areaFraction: () => {
        tries++;
        return area;
      },
      logAspect: () => Math.log(aspect),
      offset: (limit) => offsets[asked.push(limit) - 1],
    };
    return { asked, draws, tries: () => tries };
  };

  it("cuts random crops of up to the whole image, the top drawn before the left, sides rounded half to even", () => {
    for (const [width, height] of [
      [20, 20],
      [36, 27],
      [27, 36],
      [1, 1],
    ]) {
      const all = drawing(1, width / height);
      assert.deepEqual(randomCropBox(width, height, all.draws), { left: 0, top: 0, width, height });
      assert.deepEqual([all.asked, all.tries()], [[0, 0], 1]);
    }
    const part = drawing(0.0625, 1, [6, 3]);
    assert.deepEqual(randomCropBox(10, 10, part.draws), { left: 3, top: 6, width: 2, height: 2 });
    assert.deepEqual(part.asked, [8, 8]);
    const lying = drawing(0.5, 2, [1, 2]);
    assert.deepEqual(randomCropBox(16, 9, lying.draws), { left: 2, top: 1, width: 12, height: 6 });
    assert.deepEqual(lying.asked, [3, 4]);
  });

  it("cuts the middle to the next allowed shape after ten tries that did not fit, too large or too small", () => {
    for (const [width, height, box] of [
      [100, 10, { left: 43, top: 0, width: 13, height: 10 }],
      [10, 100, { left: 0, top: 43, width: 10, height: 13 }],
      [12, 10, { left: 0, top: 0, width: 12, height: 10 }],
    ] as const) {
      for (const [area, aspect] of [
        [1.3, 1],
        [0.9, 40],
        [0.9, 0.02],
        [1e-6, 1],
      ]) {
        const { draws, tries, asked } = drawing(area, aspect);
        assert.deepEqual(randomCropBox(width, height, draws), box, `${width} ${height} ${area} ${aspect}`);
        assert.deepEqual([tries(), asked], [10, []]);
      }
    }
  });

  it("draws areas in their range, aspects from 3/4 to 4/3, and offsets up to their limit", () => {
    const draws = cropDraws(new Rng(3), [0.25, 0.5]);
    const extremes = (draw: () => number) => {
      const values = Array.from({ length: 4000 }, draw);
      return [Math.min(...values), Math.max(...values)];
    };
    const close = ([low, high]: number[], [from, to]: number[]) =>
      assert.ok(low >= from && low < from + 0.01 && high <= to && high > to - 0.01, `${low} ${high}`);
    close(extremes(draws.areaFraction), [0.25, 0.5]);
    close(extremes(draws.logAspect), [Math.log(3 / 4), Math.log(4 / 3)]);
    assert.deepEqual(
      extremes(() => draws.offset(5)),
      [0, 5],
    );
    assert.deepEqual(
      extremes(() => draws.offset(0)),
      [0, 0],
    );
  });

  it("cuts and mirrors maps of ids", () => {
    const map = { ids: Int32Array.from({ length: 12 }, (_, i) => i), width: 4, height: 3 };
    assert.deepEqual(cropIds(map, { left: 1, top: 1, width: 3, height: 2 }), {
      ids: Int32Array.of(5, 6, 7, 9, 10, 11),
      width: 3,
      height: 2,
    });
    assert.deepEqual(flipIds(map), {
      ...map,
      ids: Int32Array.of(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8),
    });
  });

  it("mirrors left to right", () => {
    const twice = flipHorizontally(flipHorizontally(ramp));
    assert.deepEqual([...twice.data], [...ramp.data]);
    assert.equal(flipHorizontally(ramp).data[0], 160);
  });

  it("resizes ids without making new ones", () => {
    const map = { ids: Int32Array.from([1, 1000, 0, 300]), width: 2, height: 2 };
    assert.deepEqual([...resizeIds(map, 4, 2).ids], [1, 1, 1000, 1000, 0, 0, 300, 300]);
  });
});

describe("transforms", () => {
  it("normalizes with the ImageNet mean and deviation and back without loss", () => {
    const planes = normalize(ramp);
    assert.ok(Math.abs(planes[45 + 9] - (50 / 255 - 0.456) / 0.224) < 1e-6);
    assert.deepEqual([...unnormalize(planes, 9, 5).data], [...ramp.data]);
  });

  it("takes masks through the same geometry as images", () => {
    const image = paintedImage(50, 40, (x, y) => (x < 20 ? [0, 0, 0] : [255, 255, y]));
    const ids = Int32Array.from({ length: 2000 }, (_, i) => (i % 50 < 20 ? 0 : 7));
    const transform = transforms.evaluation(32);
    const cropped = transform.pixels(image);
    const mask = transform.ids({ ids, width: 50, height: 40 });
    const disagree = mask.ids.filter((id, i) => (id === 7) !== cropped.data[3 * i] > 127);
    assert.equal(disagree.length, 0);
  });

  it("gives the same result for the same stream and another for another", () => {
    const image = paintedImage(60, 50, (x, y) => [4 * x, 5 * y, x ^ y]);
    for (const transform of [transforms.mae(32), transforms.finetune(32)]) {
      const [a, b, c] = [3, 3, 4].map((seed) => transform.apply(image, new Rng(seed)));
      assert.equal(a.length, 3 * 32 * 32);
      assert.deepEqual(a, b);
      assert.notDeepEqual(a, c);
    }
    assert.deepEqual(
      [transforms.mae(32).scale, transforms.finetune(32).scale],
      [
        [0.2, 1],
        [0.08, 1],
      ],
    );
  });

  it("can be made again from plain data, options and all, and do the same", () => {
    const image = paintedImage(24, 24, (x, y) => [10 * x, 10 * y, (x * y) % 256]);
    const lying = paintedImage(25, 24, () => [0, 0, 0]);
    const recipe = { layers: 3, magnitude: 4, magnitudeStd: 2, probability: 0.9 };
    const size = { width: 24, height: 24 };
    const every = [
      transforms.mae(16),
      transforms.none(24),
      transforms.segment(16),
      transforms.finetune(16),
      transforms.finetune(16, { randAugment: null, erasing: 0 }),
      transforms.finetune(16, { randAugment: recipe, erasing: 0.9 }),
      transforms.evaluation(16),
      transforms.evaluation(16, { cropRatio: 0.7 }),
      transforms.fitSquare(16),
      transforms.fitSquare(16).expecting(size),
      transforms.largeScaleJitter(16),
      transforms.largeScaleJitter(16, { scale: [0.5, 3] }),
      transforms.largeScaleJitter(16, { scale: [0.5, 3] }).expecting(size),
    ];
    for (const transform of every) {
      const what = JSON.stringify(transform.spec);
      const again = rebuildTransform(structuredClone(transform.spec));
      assert.deepEqual(again.spec, transform.spec, what);
      const { name, size: side, scale, preprocessing } = transform;
      const facts = {
        name: again.name,
        size: again.size,
        scale: again.scale,
        preprocessing: again.preprocessing,
      };
      assert.deepEqual(facts, { name, size: side, scale, preprocessing }, what);
      for (let seed = 0; seed < 12; seed++)
        assert.deepEqual(again.apply(image, new Rng(seed)), transform.apply(image, new Rng(seed)), what);
      if (what.includes("expected"))
        assert.throws(
          () => again.apply(lying, new Rng(0)),
          /25 x 24 pixels, its annotations are for 24 x 24/,
        );
    }
    assert.equal(new Set(every.map(({ spec }) => JSON.stringify(spec))).size, every.length);
    const mirrored = every.map((transform) =>
      Array.from({ length: 12 }, (_, seed) => transform.apply(image, new Rng(seed)).join()),
    );
    for (const [i, { name }] of every.entries())
      assert.equal(new Set(mirrored[i]).size > 1, !["none", "evaluation", "fit"].includes(name), name);
  });

  it("takes 7/8 of the shorter side up to 224 pixels and all of it above, unless told otherwise", () => {
    const image = paintedImage(256, 300, (x, y) => [x, y & 255, 0]);
    for (const [transform, side] of [
      [transforms.evaluation(), 256],
      [transforms.evaluation(32), 36],
      [transforms.evaluation(225), 225],
      [transforms.evaluation(32, { cropRatio: 1 }), 32],
      [transforms.evaluation(30, { cropRatio: 0.7 }), 42],
    ] as const) {
      const whole = resize(image, side, Math.trunc((side * 300) / 256));
      const expected = cropBox(whole, centerBox(whole.width, whole.height, transform.size));
      assert.deepEqual(transform.pixels(image), expected, `${transform.size} from ${side}`);
    }
  });

  it("refuses another size where images are used as they are", () => {
    assert.throws(
      () => transforms.none(64).apply(ramp, new Rng(0)),
      /image of 9 x 5 pixels where 64 x 64 is expected/,
    );
  });
});
