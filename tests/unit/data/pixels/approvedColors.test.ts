import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import * as pixels from "../../../../src/data/pixels";
import { Canvas } from "../../../../src/data/pixels/augment/canvas";
import { applyColors, drawColors, grayOut } from "../../../../src/data/pixels/augment/colorJitter";
import {
  enhanceBrightness,
  enhanceColor,
  enhanceContrast,
  enhanceSharpness,
} from "../../../../src/data/pixels/augment/enhance";
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
import { placePixels } from "../../../../src/data/pixels/kernels/resamplePixels";
import type { RgbImage } from "../../../../src/data/pixels/rgbImage";
import { Calls } from "../../../support/calls";
import { paintedImage } from "../support";
import { painted, small } from "./support";

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
