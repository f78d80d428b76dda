import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import * as pixels from "../../../../src/data/pixels";
import { drawErasedBox, erasedBox, erasingDraws } from "../../../../src/data/pixels/augment/erasing";
import { rotation } from "../../../../src/data/pixels/augment/rotation";
import { putWeights, SpanFinder } from "../../../../src/data/pixels/augment/shiftWeights";
import { cropDraws, flipHorizontally, randomCropBox } from "../../../../src/data/pixels/geometry";
import {
  axisWeights,
  bicubicAxis,
  kernels,
  packAxis,
  partOfAxis,
} from "../../../../src/data/pixels/kernels/axisWeights";
import { placePixels } from "../../../../src/data/pixels/kernels/resamplePixels";
import { bytePlanes } from "../../../../src/data/pixels/normalize";
import { nearestPositions } from "../../../../src/data/pixels/resample";
import { Calls } from "../../../support/calls";
import { painted, small } from "./support";

test("geometry of images and of maps of ids", async () => {
  const calls = new Calls();
  for (const value of [0.5, 1.5, 2.5, -0.5, -1.5, 0.49, 0.51, 3, -2.4, 1e9 + 0.5, Number.NaN])
    await calls.of(pixels.roundHalfEven, value);
  for (const [width, height] of [
    [500, 375],
    [375, 500],
    [224, 224],
    [225, 224],
    [1, 999],
    [7, 5],
  ])
    for (const side of [256, 3]) await calls.of(pixels.shorterSideSize, width, height, side);
  for (const [width, height, side] of [
    [256, 341, 224],
    [225, 224, 224],
    [227, 226, 224],
    [5, 9, 4],
    [4, 4, 4],
  ])
    await calls.of(pixels.centerBox, width, height, side);
  const told = (...numbers: number[]) => {
    const log: string[] = [];
    const next = (name: string) => {
      log.push(name);
      return numbers.length > 1 ? numbers.shift()! : numbers[0];
    };
    return {
      log,
      draws: {
        areaFraction: () => next("area"),
        logAspect: () => next("aspect"),
        offset: (limit: number) => {
          log.push(`offset ${limit}`);
          return Math.floor(limit / 2);
        },
      },
    };
  };
  for (const [width, height, ...numbers] of [
    [100, 60, 0.5, 0.1],
    [100, 60, 1, 0.3, 0.25, 0],
    [100, 60, 1, Math.log(100 / 60)],
    [60, 100, 0.0001, -0.2],
    [100, 60, 9, 0],
    [60, 100, 9, 0],
    [100, 90, 9, 0],
    [1, 1, 1, 0],
    [1000, 1, 0.001, 0],
  ]) {
    const crop = told(...numbers);
    calls.note(`randomCropBox of ${width} x ${height} by ${numbers}`, [
      randomCropBox(width, height, crop.draws),
      crop.log.slice(0, 6),
      crop.log.length,
    ]);
    const erased = told(...numbers);
    calls.note(`erasedBox of ${width} x ${height} by ${numbers}`, [
      erasedBox(width, height, erased.draws),
      erased.log.slice(0, 6),
      erased.log.length,
    ]);
  }
  for (const [name, draws] of [
    ["crop", cropDraws(new Rng(3), [0.2, 0.9])],
    ["erasing", erasingDraws(new Rng(3))],
  ] as const)
    calls.note(`${name} draws`, [
      draws.areaFraction(),
      draws.logAspect(),
      draws.offset(9),
      draws.offset(0),
      draws.offset(1),
    ]);
  for (const seed of [1, 2, 3])
    await calls.does(`boxes of ${seed}`, () => [
      randomCropBox(90, 70, cropDraws(new Rng(seed), [0.08, 1])),
      drawErasedBox(90, 70, new Rng(seed), 0.7),
    ]);
  for (const probability of [0, 1])
    calls.note(`erased with ${probability}`, drawErasedBox(9, 7, new Rng(1), probability));
  await calls.of(flipHorizontally, small);
  await calls.of(flipHorizontally, painted(1, 2));
  const map = { ids: Int32Array.from({ length: 15 }, (_, i) => 100 * i - 300), width: 5, height: 3 };
  for (const [width, height] of [
    [5, 3],
    [3, 5],
    [10, 6],
    [1, 1],
    [2, 2],
  ])
    await calls.of(pixels.resizeIds, map, width, height);
  await calls.of(pixels.cropIds, map, { left: 1, top: 1, width: 3, height: 2 });
  await calls.of(pixels.cropIds, map, { left: 4, top: 0, width: 1, height: 3 });
  await calls.of(pixels.flipIds, map);
  for (const [start, extent, length] of [
    [0, 10, 4],
    [1.5, 3, 3],
    [0, 4, 10],
    [2, 1, 2],
    [0.25, 0.5, 1],
  ])
    await calls.of(nearestPositions, start, extent, length);
  calls.approve("data/pixels/geometry");
});

test("resizing, cutting and normalizing", async () => {
  const calls = new Calls();
  const image = painted(9, 7);
  for (const filter of ["nearest", "box", "bilinear", "bicubic", undefined] as const)
    for (const [width, height] of [
      [9, 7],
      [4, 11],
      [13, 2],
      [1, 1],
      [20, 20],
    ])
      await calls.does(
        `resize to ${width} x ${height} by ${filter}`,
        () => pixels.resize(image, width, height, { filter }).data,
      );
  for (const filter of ["nearest", "box", "bilinear", "bicubic"] as const) {
    await calls.does(
      `a part by ${filter}`,
      () => pixels.resize(image, 3, 4, { filter, box: { left: 1.5, top: 0.25, width: 6.5, height: 5 } }).data,
    );
    await calls.does(
      `40 x 50 to 3 x 2 by ${filter}`,
      () => pixels.resize(painted(40, 50), 3, 2, { filter }).data,
    );
  }
  const box = { left: 1, top: 2, width: 3, height: 4 };
  await calls.of(pixels.cropBox, small, { left: 1, top: 1, width: 4, height: 2 });
  for (const wrong of [
    { ...box, left: -1 },
    { ...box, top: 4 },
    { ...box, left: 7 },
    { ...box, width: 0 },
    { left: 0 },
    7,
    null,
  ])
    await calls.does(`cropBox ${JSON.stringify(wrong)}`, () => pixels.cropBox(image, wrong as never));
  for (const wrong of [{ filter: "lanczos" }, { box: 3 }, { size: 3 }, 7])
    await calls.does(`resize ${JSON.stringify(wrong)}`, () => pixels.resize(image, 2, 2, wrong as never));
  for (const side of [0, -1, 1.5, Number.NaN])
    await calls.does(`resize to ${side}`, () => pixels.resize(image, side, 3));
  for (const wrong of [null, {}, { data: [1, 2, 3], width: 1, height: 1 }])
    for (const called of [
      (one: never) => pixels.resize(one, 1, 1),
      (one: never) => pixels.cropBox(one, box),
      pixels.normalize,
    ])
      await calls.does(`${called.name || "of"} ${JSON.stringify(wrong)}`, () => called(wrong as never));
  await calls.of(pixels.normalize, small);
  await calls.of(pixels.normalize, painted(17, 2));
  await calls.of(pixels.unnormalize, pixels.normalize(small), 5, 3);
  await calls.of(pixels.unnormalize, Float32Array.of(-9, 9, 0.004, 0.007, 0, 1), 2, 1);
  await calls.of(pixels.unnormalize, new Float32Array(6), 3, 1);
  await calls.of(pixels.unnormalize, [1, 2, 3], 1, 1);
  calls.note("mean and deviation", [pixels.imageNetMean, pixels.imageNetStd]);
  const reversed = Uint8Array.from({ length: 768 }, (_, i) => (255 - (i % 256)) ^ (i >> 8));
  for (const mirrored of [false, true])
    for (const [what, one] of [
      ["5 x 3", small],
      ["19 x 2", painted(19, 2)],
    ] as const) {
      const placed = <T>(step: (memory: pixels.PixelMemory, at: pixels.PlacedPixels) => T) =>
        pixels.PixelMemory.use((memory) =>
          step(memory, placePixels(memory, { ...one, offset: 0, line: 3 * one.width })),
        );
      const { length } = one.data;
      await calls.does(`bytes of ${what}, ${mirrored}`, () =>
        placed((memory, at) => memory.bytes(bytePlanes(memory, at, mirrored), length).slice()),
      );
      for (const table of [undefined, reversed])
        await calls.does(`numbers of ${what}, ${mirrored}, ${table !== undefined}`, () =>
          placed((memory, at) =>
            memory.floats(pixels.normalizePlaced(memory, at, mirrored, table), length).slice(),
          ),
        );
      await calls.does(`${what} in its place, ${mirrored}`, () =>
        placed((memory, at) => {
          if (mirrored) pixels.flipInPlace(memory, at);
          return memory.bytes(at.address, length).slice();
        }),
      );
    }
  const steps = pixels.normalizedLast(pixels.randomCrop([0.5, 1]), (memory, part) => ({
    pixels: pixels.resized(memory, part, 4, 4),
    mirrored: true,
  }));
  await calls.does("steps to numbers", () => pixels.applySteps(steps, 4, image, new Rng(5)));
  await calls.does("steps to bytes", () => {
    const planes = new Uint8Array(48);
    pixels.applyStepsInto(planes, steps, image, new Rng(5));
    return planes;
  });
  await calls.does("whole", () => pixels.whole(7, 5, new Rng(1)));
  await calls.does("a part of a resizing", () =>
    pixels.PixelMemory.use((memory) => {
      const part = { left: 2, top: 1, width: 6, height: 3 };
      const found = pixels.resizedPart(
        memory,
        placePixels(memory, { ...image, offset: 0, line: 27 }),
        { width: 12, height: 5 },
        part,
      );
      return [found.line, found.width, found.height, memory.bytes(found.address, 54).slice()];
    }),
  );
  calls.approve("data/pixels/resizing");
});

test("weights of resizing and of moving", async () => {
  const calls = new Calls();
  for (const [name, { support, weight }] of Object.entries(kernels))
    calls.note(name, [
      support,
      [-2.1, -2, -1.5, -1, -0.75, -0.5, 0, 0.25, 0.5, 1, 1.25, 2, 2.1].map((x) => weight(x) + 0),
    ]);
  for (const name of ["box", "bilinear", "bicubic"] as const)
    for (const [inputs, start, extent, outputs] of [
      [5, 0, 5, 3],
      [3, 0, 3, 5],
      [7, 1.5, 4, 2],
      [4, 0, 4, 4],
      [20, 0, 20, 3],
      [1, 0, 1, 2],
    ]) {
      await calls.does(`${name} ${inputs}, ${start}, ${extent}, ${outputs}`, () =>
        axisWeights(inputs, start, extent, outputs, kernels[name]),
      );
      await calls.does("  packed", () =>
        packAxis(axisWeights(inputs, start, extent, outputs, kernels[name])),
      );
    }
  await calls.does("a part", () => partOfAxis(axisWeights(9, 0, 9, 6, kernels.bilinear), 2, 3));
  await calls.of(bicubicAxis, 6, 4);
  for (const share of [0, 0.25, 0.499, 0.5, 0.75, 0.999])
    for (const apart of [1, 3])
      await calls.does(`putWeights ${share}, ${apart}`, () => {
        const numbers = new Int32Array(3 * apart + 2);
        putWeights(share, numbers, 1, apart);
        return numbers;
      });
  for (const growing of [true, false]) {
    const spans = new SpanFinder(6, 4, growing);
    for (const from of [0, -2, 3, 9, -9, 1.5])
      calls.note(
        `span ${growing} ${from}`,
        spans.find((x) => from + (growing ? x : -x)),
      );
  }
  for (const degrees of [0, 30, -30, 90, 180, 270, 360, 400, -90, 0.1])
    await calls.of(rotation, degrees, 7, 4);
  calls.approve("data/pixels/weights");
});
