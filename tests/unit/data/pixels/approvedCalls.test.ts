import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import files from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { createMemory } from "../../../../src/core/wasm/binary";
import * as pixels from "../../../../src/data/pixels";
import { Canvas } from "../../../../src/data/pixels/augment/canvas";
import { applyColors, drawColors, grayOut } from "../../../../src/data/pixels/augment/colorJitter";
import {
  enhanceBrightness,
  enhanceColor,
  enhanceContrast,
  enhanceSharpness,
} from "../../../../src/data/pixels/augment/enhance";
import { drawErasedBox, erasedBox, erasingDraws } from "../../../../src/data/pixels/augment/erasing";
import { gaussianBlur } from "../../../../src/data/pixels/augment/gaussianBlur";
import { turnHue } from "../../../../src/data/pixels/augment/hue";
import * as lookup from "../../../../src/data/pixels/augment/lookup";
import { placeNoise } from "../../../../src/data/pixels/augment/noise";
import {
  applyAugmentation,
  augmentArgument,
  augmentOps,
  drawRandAugment,
} from "../../../../src/data/pixels/augment/randAugment";
import { rotation } from "../../../../src/data/pixels/augment/rotation";
import { putWeights, SpanFinder } from "../../../../src/data/pixels/augment/shiftWeights";
import { cropDraws, flipHorizontally, randomCropBox } from "../../../../src/data/pixels/geometry";
import { expectImageFile } from "../../../../src/data/pixels/imageFile";
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
import type { RgbImage } from "../../../../src/data/pixels/rgbImage";
import { Calls } from "../../../support/calls";
import { paintedImage, temporaryFolder } from "../support";

const painted = (width: number, height: number) =>
  paintedImage(width, height, (x, y) => [
    (7 + 31 * x + 5 * y) % 256,
    (200 + 11 * x * y) % 256,
    (255 - 17 * x + 40 * y) & 255,
  ]);
const small = painted(5, 3);

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

/** What a change of a canvas makes of an image. */
const changed = (image: RgbImage, change: (canvas: Canvas) => void, mirrored = false) =>
  pixels.PixelMemory.use((memory) => {
    const canvas = new Canvas(
      memory,
      placePixels(memory, { ...image, offset: 0, line: 3 * image.width }),
      mirrored,
    );
    change(canvas);
    return [canvas.width, canvas.height, canvas.pixelCount, canvas.image().data];
  });

test("changes of colors", async () => {
  const calls = new Calls();
  const image = painted(11, 7);
  const flat = paintedImage(4, 2, () => [9, 200, 77]);
  const one = (name: string, change: (canvas: Canvas) => void) =>
    calls.does(name, () => [
      changed(small, change)[3],
      changed(flat, change)[3],
      changed(painted(2, 5), change, true)[3],
    ]);
  for (const amount of [0, 0.5, 1, 1.7, -0.3])
    for (const change of [enhanceBrightness, enhanceColor, enhanceContrast, enhanceSharpness])
      await one(`${change.name} ${amount}`, (canvas) => change(canvas, amount));
  for (const share of [0, 0.1, -0.1, 0.5, -0.5, 0.002])
    await one(`turnHue ${share}`, (canvas) => turnHue(canvas, share));
  for (const deviation of [0, 0.1, 0.5, 1.3, 2, 5])
    await one(`gaussianBlur ${deviation}`, (canvas) => gaussianBlur(canvas, deviation));
  for (const change of [lookup.autoContrast, lookup.equalize, lookup.invert, grayOut])
    await one(change.name, change);
  await calls.does("equalized", () => changed(painted(40, 30), lookup.equalize)[3]);
  for (const bits of [0, 1, 4, 8]) await one(`posterize ${bits}`, (canvas) => lookup.posterize(canvas, bits));
  for (const at of [0, 1, 128, 255, 256])
    await one(`solarize ${at}`, (canvas) => lookup.solarize(canvas, at));
  for (const amount of [0, 60, 110, 200])
    await one(`solarizeAdd ${amount}`, (canvas) => lookup.solarizeAdd(canvas, amount));
  await one("two in a row", (canvas) => {
    lookup.invert(canvas);
    lookup.posterize(canvas, 3);
    enhanceContrast(canvas, 1.5);
    lookup.solarize(canvas, 99);
  });
  await calls.does("histograms", () =>
    pixels.PixelMemory.use((memory) => {
      const canvas = new Canvas(memory, placePixels(memory, { ...image, offset: 0, line: 33 }));
      const before = canvas.histograms();
      lookup.posterize(canvas, 2);
      return [before, canvas.histograms()];
    }),
  );
  for (const mirrored of [false, true])
    await calls.does(`numbers, mirrored ${mirrored}`, () =>
      pixels.PixelMemory.use((memory) => {
        const canvas = new Canvas(memory, placePixels(memory, { ...image, offset: 0, line: 33 }), mirrored);
        lookup.invert(canvas);
        return memory.floats(canvas.planes(), image.data.length).slice();
      }),
    );
  for (let seed = 0; seed < 12; seed++)
    await calls.does(`drawColors of ${seed}`, () => drawColors(new Rng(seed)));
  const jitter = [
    ["hue", 0],
    ["contrast", 1],
    ["saturation", 1.5],
    ["brightness", 0.5],
  ] as const;
  await one("applyColors", (canvas) => applyColors(canvas, { jitter, gray: false }));
  await one("applyColors, gray and blurred", (canvas) =>
    applyColors(canvas, { jitter: [], gray: true, blur: 1 }),
  );
  await one("applyColors, nothing", (canvas) => applyColors(canvas, { jitter: [], gray: false }));
  calls.approve("data/pixels/colors");
});

test("RandAugment and erasing", async () => {
  const calls = new Calls();
  for (const op of augmentOps) {
    calls.note(
      op,
      [0, 0.3, 5, 9, 9.9, 10].flatMap((magnitude) => [
        augmentArgument(op, magnitude),
        augmentArgument(op, magnitude, true),
      ]),
    );
    for (const [magnitude, negative] of [
      [9, false],
      [4.4, true],
    ] as const)
      for (const image of [painted(13, 9), painted(3, 40), painted(1, 1)]) {
        const argument = augmentArgument(op, magnitude, negative);
        await calls.does(
          `  ${op} ${magnitude} of ${image.width} x ${image.height}`,
          () => applyAugmentation(image, { op, argument }).data,
        );
      }
  }
  for (const step of [{ op: "Blur", argument: 1 }, {}, null, { op: "toString", argument: 1 }])
    await calls.does(JSON.stringify(step), () => applyAugmentation(small, step as never));
  await calls.does("no image", () => applyAugmentation({} as never, { op: "Invert", argument: 0 }));
  for (let seed = 0; seed < 5; seed++) await calls.does(`of ${seed}`, () => drawRandAugment(new Rng(seed)));
  for (const recipe of [
    { layers: 0 },
    { layers: 5 },
    { magnitude: 0 },
    { magnitude: 10, magnitudeStd: 0 },
    { magnitudeStd: 100 },
    { probability: 1 },
    { probability: 0 },
  ])
    await calls.does(JSON.stringify(recipe), () => drawRandAugment(new Rng(2), recipe));
  for (const recipe of [
    { layers: -1 },
    { layers: 1.5 },
    { layers: 101 },
    { magnitude: 10.1 },
    { magnitude: -1 },
    { magnitudeStd: 101 },
    { probability: 1.1 },
    { strength: 2 },
    3,
  ])
    await calls.does(JSON.stringify(recipe), () => drawRandAugment(new Rng(2), recipe as never));
  await calls.does("no stream", () => drawRandAugment(7 as never));
  for (const count of [1, 7, 33])
    await calls.does(`noise of ${count}`, () =>
      pixels.PixelMemory.use((memory) => memory.floats(placeNoise(memory, count, new Rng(4)), count).slice()),
    );
  const erased = (probability: number, seed: number) => {
    const planes = Float32Array.from({ length: 3 * 12 * 9 }, (_, i) => i);
    pixels.randomErasing(planes, 12, 9, new Rng(seed), probability);
    return planes;
  };
  for (const seed of [1, 2])
    for (const probability of [0, 1])
      await calls.does(`randomErasing of ${seed}, ${probability}`, () => erased(probability, seed));
  await calls.does("in a memory", () =>
    pixels.PixelMemory.use((memory) => {
      const planes = memory.take(4 * 324 + 64);
      memory.floats(planes, 324).set(Float32Array.from({ length: 324 }, (_, i) => i));
      pixels.eraseRandomly(memory, planes, 12, 9, new Rng(1), 1);
      return Buffer.compare(memory.bytes(planes, 1296), new Uint8Array(erased(1, 1).buffer));
    }),
  );
  await calls.does("of other numbers", () => pixels.randomErasing([1] as never, 1, 1, new Rng(1), 1));
  await calls.does("of no stream", () => pixels.randomErasing(new Float32Array(3), 1, 1, 3 as never, 1));
  calls.approve("data/pixels/augment");
});

test("files of images and memory of pixels", async (t) => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const stats = (kind: "file" | "folder" | "pipe", size: number) =>
    ({ size, isFile: () => kind === "file", isDirectory: () => kind === "folder" }) as never;
  for (const kind of ["file", "folder", "pipe"] as const)
    for (const size of [0, 2 ** 30, 2 ** 30 + 1])
      await calls.does(`${kind} of ${size}`, () => expectImageFile(stats(kind, size)));
  for (const code of ["EMFILE", "ENFILE", "ENOMEM", "ENOENT", "EAGAIN", undefined])
    await calls.does(`isShortage ${code}`, () => pixels.isShortage(Object.assign(new Error(), { code })));
  for (const error of [null, undefined, "EMFILE", {}]) await calls.of(pixels.isShortage, error);
  await calls.of(pixels.unreadable, "no good");
  const path = join(folder, "bild é.bin");
  writeFileSync(path, Buffer.from("abc"));
  mkdirSync(join(folder, "inner"));
  const large = join(folder, "large");
  writeFileSync(large, "");
  truncateSync(large, 2 ** 30 + 1);
  writeFileSync(join(folder, "empty"), "");
  for (const one of ["bild é.bin", "inner", "none", "large", "empty"]) {
    await calls.does(`readImageFile ${one}`, () => pixels.readImageFile(join(folder, one)));
    await calls.does(`placeFile ${one}`, () =>
      pixels.PixelMemory.use((memory) => {
        const { address, length } = pixels.placeFile(memory, join(folder, one));
        return [length, memory.bytes(address, length).slice()];
      }),
    );
  }
  const { open } = files;
  for (const [times, code] of [
    [1, "EMFILE"],
    [3, "ENFILE"],
    [1, "ENOENT"],
  ] as const) {
    let count = 0;
    t.mock.method(files, "open", (...given: Parameters<typeof open>) =>
      count++ < times ? Promise.reject(Object.assign(new Error(`${code}: no`), { code })) : open(...given),
    );
    await calls.once(`readImageFile after ${times} times ${code}`, () => pixels.readImageFile(path));
    calls.note("  tried", count);
    t.mock.restoreAll();
  }
  const memory = new pixels.PixelMemory(100);
  calls.note("places", [
    memory.take(1),
    memory.take(16),
    memory.take(17),
    memory.take(0),
    memory.takeResult(3),
    memory.isTooLarge,
  ]);
  calls.note(
    "again",
    memory.perform((same) => [same.take(5), same.takeResult(5)]),
  );
  calls.note(
    "with a result's place",
    memory.perform((same) => [same.take(5), same.takeResult(5), same.takeResult(9)], 32),
  );
  const region = new pixels.PixelMemory(0, {
    memory: createMemory(2 ** 17, true),
    start: 64,
    end: 160,
  });
  calls.note("of a region", [region.take(16), region.take(16)]);
  await calls.does("beyond its end", () => region.perform((same) => [same.take(40), same.take(41)]));
  await calls.does("up to its end", () => region.perform((same) => [same.take(40), same.take(32)]));
  const outer = pixels.PixelMemory.use((first) => pixels.PixelMemory.use((second) => first === second));
  calls.note("one within another", outer);
  await calls.does("after an error", () =>
    pixels.PixelMemory.use(() => {
      throw new Error("too bad");
    }),
  );
  await calls.does("placedNumbers", () => {
    memory.bytes(0, 16).set(Array.from({ length: 16 }, (_, i) => i));
    return [true, false].map((isBytes) => pixels.placedNumbers({ memory, address: 4, length: 3, isBytes }));
  });
  calls.approve("data/pixels/files and memory");
});
