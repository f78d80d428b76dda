import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Canvas } from "../../../../src/data/pixels/augment/canvas";
import { applyColors, grayOut } from "../../../../src/data/pixels/augment/colorJitter";
import { gaussianBlur } from "../../../../src/data/pixels/augment/gaussianBlur";
import { turnHue } from "../../../../src/data/pixels/augment/hue";
import { rotation } from "../../../../src/data/pixels/augment/rotation";
import { PixelMemory } from "../../../../src/data/pixels/kernels/pixelMemory";
import { placePixels } from "../../../../src/data/pixels/kernels/resamplePixels";
import type { RgbImage } from "../../../../src/data/pixels/rgbImage";
import { paintedImage } from "../support";

const canvasOf = (memory: PixelMemory, image: RgbImage) =>
  new Canvas(memory, placePixels(memory, { ...image, offset: 0, line: 3 * image.width }));

/** What a change of a canvas makes of an image. */
const changed = (image: RgbImage, change: (canvas: Canvas) => void) =>
  PixelMemory.use((memory) => {
    const canvas = canvasOf(memory, image);
    change(canvas);
    return [...canvas.image().data];
  });

const colorsOf = (colors: readonly (readonly number[])[]): RgbImage => ({
  data: Uint8Array.from(colors.flat()),
  width: colors.length,
  height: 1,
});

describe("counts of bytes", () => {
  it("have every pixel once, be their number even or odd, and go through the tables that wait", () => {
    for (let width = 1; width <= 9; width++) {
      const image = paintedImage(width, 1, (x) => [7 * x, 255 - x, x === width - 1 ? 99 : 3]);
      const counts = PixelMemory.use((memory) => {
        const canvas = canvasOf(memory, image);
        const before = canvas.histograms();
        const [plain, turned] = [(byte: number) => byte, (byte: number) => 255 - byte].map((value) =>
          Uint8Array.from({ length: 256 }, (_, byte) => value(byte)),
        );
        canvas.lookUp([turned, plain, turned]);
        return [before, canvas.histograms()];
      });
      for (const [k, found] of counts.entries())
        for (const c of [0, 1, 2]) {
          const expected = new Uint32Array(256);
          for (let i = c; i < image.data.length; i += 3)
            expected[k === 1 && c !== 1 ? 255 - image.data[i] : image.data[i]]++;
          assert.deepEqual(found[c], expected, `${width} pixels, channel ${c}`);
        }
    }
  });
});

describe("colors", () => {
  const pure = [
    [255, 0, 0],
    [255, 255, 0],
    [0, 255, 0],
    [0, 255, 255],
    [0, 0, 255],
    [255, 0, 255],
  ];

  it("of full strength become those a third of the circle on, or back, and gray stays", () => {
    const turned = (share: number) => changed(colorsOf(pure), (canvas) => turnHue(canvas, share));
    const moved = (by: number) => pure.flatMap((_, i) => pure[(i + by + 6) % 6]);
    for (const [share, by] of [
      [0, 0],
      [1 / 3, 2],
      [-1 / 3, -2],
      [0.5, 3],
    ])
      for (const [i, value] of turned(share).entries())
        assert.ok(Math.abs(value - moved(by)[i]) <= 12, `${share}: ${i} is ${value}`); // hues have 255 steps
    assert.deepEqual(turned(1 / 3).slice(0, 3), [0, 255, 0]);
    const grays = [0, 1, 128, 255].map((level) => [level, level, level]);
    assert.deepEqual(
      changed(colorsOf(grays), (canvas) => turnHue(canvas, 0.3)),
      grays.flat(),
    );
  });

  it("keep their largest channel, and nearly their strength, wherever the hue is turned to", () => {
    const colors = [
      [200, 30, 90],
      [10, 240, 100],
      [77, 60, 211],
      [100, 101, 102],
    ];
    for (const share of [-0.5, -0.2, 0.1, 0.2, 0.49])
      for (const [i, color] of colors.entries()) {
        const found = changed(colorsOf(colors), (canvas) => turnHue(canvas, share)).slice(3 * i, 3 * i + 3);
        assert.equal(Math.max(...found), Math.max(...color));
        assert.ok(Math.abs(Math.min(...found) - Math.min(...color)) <= 2, `${color} by ${share}: ${found}`);
      }
  });

  it("become gray by the weights of ITU-R 601 in 16 bits", () => {
    assert.deepEqual(
      changed(colorsOf([...pure, [12, 200, 31]]), grayOut),
      [76, 226, 150, 179, 29, 105, 125].flatMap((gray) => [gray, gray, gray]),
    );
  });

  it("are jittered in the order that was drawn, then grayed, then blurred", () => {
    const image = paintedImage(9, 6, (x, y) => [30 * x, 40 * y, (70 * x * y) % 256]);
    const one = (jitter: [change: "brightness" | "contrast" | "saturation" | "hue", factor: number]) =>
      changed(image, (canvas) => applyColors(canvas, { jitter: [jitter], gray: false }));
    const [bright, strong] = [one(["brightness", 1.5]), one(["contrast", 0.5])];
    assert.notDeepEqual(bright, strong);
    assert.equal(bright[0], 0, "brightness moves away from black");
    const after = (data: number[], jitter: Parameters<typeof one>[0]) =>
      changed({ ...image, data: Uint8Array.from(data) }, (canvas) =>
        applyColors(canvas, { jitter: [jitter], gray: false }),
      );
    const both = changed(image, (canvas) =>
      applyColors(canvas, {
        jitter: [
          ["contrast", 0.5],
          ["brightness", 1.5],
        ],
        gray: false,
      }),
    );
    assert.deepEqual(both, after(strong, ["brightness", 1.5]));
    assert.notDeepEqual(both, after(bright, ["contrast", 0.5]));
    for (const change of ["brightness", "contrast", "saturation"] as const)
      assert.deepEqual(one([change, 1]), [...image.data], change);
    const gray = changed(image, grayOut);
    const grayThenBlur = changed({ ...image, data: Uint8Array.from(gray) }, (canvas) =>
      gaussianBlur(canvas, 1.3),
    );
    assert.deepEqual(
      changed(image, (canvas) => applyColors(canvas, { jitter: [], gray: true, blur: 1.3 })),
      grayThenBlur,
    );
    const saturated = one(["saturation", 0]);
    assert.deepEqual(saturated, gray, "without saturation nothing but gray is left");
  });
});

/** Three averages over 2 r + 1 pixels, r a fraction, along each axis: in double precision, bytes rounded in between. */
function blurredPlainly({ data, width, height }: RgbImage, deviation: number): number[] {
  const variance = deviation ** 2 / 3;
  const whole = Math.floor((Math.sqrt(12 * variance + 1) - 1) / 2);
  // Of weights 1 within `whole` and `part` at the two beside them: sum of squared distances over their sum is the variance.
  const inner = (whole * (whole + 1) * (2 * whole + 1)) / 3;
  const part = (variance * (2 * whole + 1) - inner) / (2 * ((whole + 1) ** 2 - variance));
  const sum = 2 * whole + 1 + 2 * part;
  let bytes = [...data];
  for (const [length, step] of [
    [width, 3],
    [height, 3 * width],
  ])
    for (let pass = 0; pass < 3; pass++)
      bytes = bytes.map((_, i) => {
        const place = Math.floor(i / step) % length;
        const at = (by: number) => bytes[i + (Math.min(length - 1, Math.max(0, place + by)) - place) * step];
        let total = part * (at(-whole - 1) + at(whole + 1));
        for (let by = -whole; by <= whole; by++) total += at(by);
        return Math.round(total / sum);
      });
  return bytes;
}

describe("a Gaussian blur", () => {
  it("is three averages of the asked deviation along each axis, its edges repeated", () => {
    const image = paintedImage(13, 8, (x, y) => [(97 * x * y) % 256, x > 6 ? 255 : 0, y === 3 ? 200 : 10]);
    for (const deviation of [0.1, 0.5, 0.9, 1.4, 2, 3.7, 6]) {
      const expected = blurredPlainly(image, deviation);
      const found = changed(image, (canvas) => gaussianBlur(canvas, deviation));
      for (const [i, value] of found.entries())
        assert.ok(Math.abs(value - expected[i]) <= 1, `${deviation}: ${i} is ${value}, not ${expected[i]}`);
    }
    assert.deepEqual(
      changed(image, (canvas) => gaussianBlur(canvas, 0)),
      [...image.data],
    );
  });
});

describe("a rotation", () => {
  it("turns counter-clockwise about the center by any angle, right angles exactly", () => {
    for (const [width, height] of [
      [40, 30],
      [7, 12],
    ])
      for (const degrees of [0, 17.3, 90, 133, 180, 269.5, 270, 360, 371, -1, -90, -350]) {
        const [cos, sin] = [Math.cos, Math.sin].map((of) => of((degrees * Math.PI) / 180));
        const [a, b, c, d, e, f] = rotation(degrees, width, height);
        for (const [found, expected] of [
          [a, cos],
          [b, -sin],
          [d, sin],
          [e, cos],
          [a * (width / 2) + b * (height / 2) + c, width / 2],
          [d * (width / 2) + e * (height / 2) + f, height / 2],
        ])
          assert.ok(Math.abs(found - expected) < 1e-12, `${degrees}: ${found}, not ${expected}`);
        if (degrees % 90 === 0)
          assert.deepEqual(
            [a, b, d, e].map((value) => Math.abs(value)),
            degrees % 180 === 0 ? [1, 0, 0, 1] : [0, 1, 1, 0],
          );
      }
  });
});
