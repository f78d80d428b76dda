import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defocusBlur, defocusKernel, gaussianBlur, glassBlur } from "../../../../src/data/corruptions/blur";
import type { Layer } from "../../../../src/data/corruptions/image";
import { motionBlur } from "../../../../src/data/corruptions/motion";
import { zoomBlur } from "../../../../src/data/corruptions/zoom";
import { paintedImage } from "../support";
import { close, drawing, flat } from "./support";

/*
 * The numbers of each severity, as make_imagenet_c.py of hendrycks/robustness has them, seen through draws that are
 * chosen here.
 */

describe("blurs", () => {
  /** One white pixel on black. */
  const spot = (x: number, y: number, side = 65) =>
    paintedImage(side, side, (column, row) => (column === x && row === y ? [255, 255, 255] : [0, 0, 0]));
  const reds = ({ data, width }: Layer, x: number, y: number) => data[3 * (y * width + x)];

  it("of Gauss have these deviations and reach four of them", () => {
    for (const [i, sigma] of [1, 2, 3, 4, 6].entries()) {
      const blurred = gaussianBlur(spot(32, 32), i + 1);
      const reach = 4 * sigma;
      let sum = 0;
      for (let k = -reach; k <= reach; k++) sum += Math.exp(-(k * k) / (2 * sigma ** 2));
      const weight = (k: number) => (Math.abs(k) > reach ? 0 : Math.exp(-(k * k) / (2 * sigma ** 2)) / sum);
      for (const [dx, dy] of [
        [0, 0],
        [sigma, 0],
        [0, -sigma],
        [2, 1],
        [reach, 0],
        [reach + 1, 0],
      ])
        close(reds(blurred, 32 + dx, 32 + dy), 255 * weight(dx) * weight(dy), `${i + 1}: ${dx} ${dy}`, 1e-9);
      const edge = gaussianBlur(spot(0, 32), i + 1);
      let beyond = 0;
      for (let k = -reach; k <= 0; k++) beyond += weight(k);
      close(reds(edge, 0, 32), 255 * beyond * weight(0), `${i + 1}: the edge again`, 1e-9);
    }
  });

  it("out of focus are disks of these radii, softened at their edges", () => {
    for (const [i, [radius, alias]] of [
      [3, 0.1],
      [4, 0.5],
      [6, 0.5],
      [8, 0.5],
      [10, 0.5],
    ].entries()) {
      const kernel = defocusKernel(i + 1);
      const reach = Math.max(8, radius);
      assert.deepEqual([kernel.width, kernel.height], [2 * reach + 1, 2 * reach + 1]);
      let area = 0;
      for (let y = -radius; y <= radius; y++)
        for (let x = -radius; x <= radius; x++) if (x * x + y * y <= radius ** 2) area++;
      const half = radius <= 8 ? 1 : 2;
      const raw = Array.from({ length: 2 * half + 1 }, (_, k) =>
        Math.exp(-((k - half) ** 2) / (2 * alias ** 2)),
      );
      const soft = raw.map((weight) => weight / raw.reduce((a, b) => a + b));
      const disk = (x: number, y: number) => (x * x + y * y <= radius ** 2 ? 1 / area : 0);
      for (const [x, y] of [
        [0, 0],
        [radius - 1, 0],
        [radius, 0],
        [0, -radius],
        [radius - 2, radius - 2],
        [Math.floor(radius * 0.7), Math.ceil(radius * 0.7)],
      ]) {
        let expected = 0;
        for (let dy = -half; dy <= half; dy++)
          for (let dx = -half; dx <= half; dx++) {
            // Beyond the kernel's edge lies its mirror image.
            const [column, row] = [x + dx, y + dy].map((at) =>
              Math.abs(at) > reach ? Math.sign(at) * (2 * reach - Math.abs(at)) : at,
            );
            expected += soft[dx + half] * soft[dy + half] * disk(column, row);
          }
        close(kernel.data[(y + reach) * kernel.width + x + reach], expected, `${i + 1}: ${x} ${y}`, 1e-8);
      }
      const blurred = defocusBlur(spot(32, 32), i + 1);
      close(reds(blurred, 32, 32), 255 * kernel.data[reach * kernel.width + reach], `${i + 1}: on an image`);
      const [corner] = defocusBlur(flat(90), i + 1).data;
      close(corner, 90 * kernel.data.reduce((a, b) => a + b), `${i + 1}: at a corner`, 1e-4);
    }
  });

  it("of glass draw neighbors this far away, this many times, from the last pixel to the first", () => {
    for (const [i, [reach, passes]] of [
      [1, 2],
      [2, 1],
      [2, 3],
      [3, 2],
      [4, 2],
    ].entries()) {
      const [width, height] = [20, 16];
      const { draws, asked } = drawing({ integer: (low) => low });
      glassBlur(flat(9, 9, 9, width, height), i + 1, draws);
      assert.equal(asked.length, 2 * passes * (width - 2 * reach) * (height - 2 * reach), `${i + 1}`);
      assert.deepEqual(new Set(asked.map((one) => one.join())), new Set([`integer,${-reach},${reach}`]));
    }
    // Pixels come from the left: columns of one color each, moved by one wherever pixels are drawn, both passes.
    const columns = paintedImage(40, 32, (x) => [x % 2 === 0 ? 0 : 255, 0, 0]);
    let next = 0;
    const fromLeft = drawing({ integer: () => (next++ % 2 === 0 ? -1 : 0) });
    const moved = glassBlur(columns, 1, fromLeft.draws);
    const still = glassBlur(columns, 1, drawing({ integer: () => 0 }).draws);
    for (const x of [15, 16, 17])
      close(reds(moved, x, 16), reds(still, x - 2, 16), `column ${x} moved twice`, 3);
    let turn = 0;
    const fromAbove = drawing({ integer: () => (turn++ % 2 === 0 ? 0 : -1) });
    const same = glassBlur(columns, 1, fromAbove.draws);
    for (const x of [15, 16]) close(reds(same, x, 16), reds(still, x, 16), `column ${x} stays`, 3);
  });

  it("of motion have these radii and deviations, at an angle of up to 45 degrees either way", () => {
    for (const [i, [radius, sigma]] of [
      [10, 3],
      [15, 5],
      [15, 8],
      [15, 12],
      [20, 15],
    ].entries()) {
      const { draws, asked } = drawing({ between: () => 0 });
      const blurred = motionBlur(spot(50, 32), i + 1, draws);
      assert.deepEqual(asked, [["between", -45, 45]]);
      const weights = Array.from({ length: 2 * radius + 1 }, (_, k) => Math.exp(-(k * k) / (2 * sigma ** 2)));
      const sum = weights.reduce((a, b) => a + b);
      for (const [k, weight] of weights.entries())
        close(reds(blurred, 50 - k, 32), Math.floor((255 * weight) / sum), `${i + 1}: ${k}`, 1);
      assert.deepEqual([reds(blurred, 51, 32), reds(blurred, 50, 33)], [0, 0]);
    }
  });

  it("of zooming average this many enlargements and the image", () => {
    for (const [i, [end, step]] of [
      [1.11, 0.01],
      [1.16, 0.01],
      [1.21, 0.02],
      [1.26, 0.02],
      [1.31, 0.03],
    ].entries()) {
      const count = Math.ceil((end - 1) / step); // of numpy.arange(1, end, step)
      // Brightness rises to the right, by one a pixel: each enlargement flattens the slope about the center.
      const ramp = paintedImage(201, 33, (x) => [x, x, x]);
      const blurred = zoomBlur(ramp, i + 1);
      const slope = (blurred.data[3 * (16 * 201 + 150)] - blurred.data[3 * (16 * 201 + 50)]) / 100;
      let expected = 1;
      for (let k = 0; k < count; k++) expected += 1 / (1 + k * step);
      close(slope, expected / (count + 1), `${i + 1}`, 0.004);
    }
  });
});
