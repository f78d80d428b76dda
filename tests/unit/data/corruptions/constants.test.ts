import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { pixelate } from "../../../../src/data/corruptions/digital";
import { fog, plasma, underCloud } from "../../../../src/data/corruptions/fog";
import { frost } from "../../../../src/data/corruptions/frost";
import { gaussianNoise, impulseNoise, shotNoise, speckleNoise } from "../../../../src/data/corruptions/noise";
import { snow } from "../../../../src/data/corruptions/snow";
import { spatter } from "../../../../src/data/corruptions/spatter";
import { resize } from "../../../../src/data/pixels";
import { paintedImage } from "../support";
import { close, drawing, flat } from "./support";

/*
 * The numbers of each severity, as make_imagenet_c.py of hendrycks/robustness has them, seen through draws that are
 * chosen here.
 */

describe("noise", () => {
  const image = paintedImage(3, 2, (x, y) => [51, 102 + 10 * x, 100 * y]);

  it("of Gauss and of speckles has these deviations, the latter in parts of each value", () => {
    for (const [i, sigma] of [0.08, 0.12, 0.18, 0.26, 0.38].entries()) {
      const { data } = gaussianNoise(image, i + 1, drawing({ normal: () => 0.5 }).draws);
      for (const [k, value] of data.entries())
        close(value, Math.min(255, image.data[k] + 255 * 0.5 * sigma), `gaussian ${i + 1}`);
      const dark = gaussianNoise(image, i + 1, drawing({ normal: () => -9 }).draws).data;
      assert.ok(dark.every((value) => value === 0));
    }
    for (const [i, sigma] of [0.15, 0.2, 0.35, 0.45, 0.6].entries()) {
      const { data } = speckleNoise(image, i + 1, drawing({ normal: () => 0.5 }).draws);
      for (const [k, value] of data.entries())
        close(value, image.data[k] * (1 + 0.5 * sigma), `speckle ${i + 1}`);
    }
  });

  it("of shots counts so many photons of white, and as many as are drawn make a value", () => {
    for (const [i, photons] of [60, 25, 12, 5, 3].entries()) {
      const { draws, asked } = drawing({ poisson: () => 2 });
      const { data } = shotNoise(image, i + 1, draws);
      for (const [k, value] of data.entries()) {
        close(asked[k][1]!, (image.data[k] / 255) * photons, `shot ${i + 1}`);
        close(value, 255 * (2 / photons), `shot ${i + 1}`);
      }
    }
  });

  it("of impulses hits so large a share of the values, half of those with white", () => {
    for (const [i, amount] of [0.03, 0.06, 0.09, 0.17, 0.27].entries()) {
      const hit = [amount, amount + 1e-9, 0, 0, 1, amount];
      const white = [0.5, 0.5, 0.5 + 1e-9, 0, 0, 1];
      const size = image.data.length;
      let next = 0;
      const { draws, asked } = drawing({
        between: () => {
          const at = next++;
          return at < size ? hit[at % 6] : white[(at - size) % 6];
        },
      });
      const { data } = impulseNoise(image, i + 1, draws);
      assert.deepEqual(new Set(asked.map((one) => one.join())), new Set(["between,0,1"]));
      assert.equal(asked.length, 2 * size, "first which are hit, then which of them are white");
      for (const [k, value] of data.entries())
        close(value, [255, image.data[k], 0, 255, image.data[k], 0][k % 6], `impulse ${i + 1}, ${k}`);
    }
  });
});

describe("weather", () => {
  it("snow whitens by these shares, and falls where noise is above its least height", () => {
    const constants = [
      [0.1, 0.3, 0.5, 0.8],
      [0.2, 0.3, 0.5, 0.7],
      [0.55, 0.3, 0.9, 0.7],
      [0.55, 0.3, 0.85, 0.65],
      [0.55, 0.3, 0.85, 0.55],
    ];
    const image = flat(100, 20, 60);
    const gray = (0.299 * 100 + 0.587 * 20 + 0.114 * 60) / 255;
    for (const [i, [mean, sigma, least, share]] of constants.entries()) {
      const height = (least - mean) / sigma;
      const { draws, asked } = drawing({ normal: () => height - 1e-6, between: () => -90 });
      const none = snow(image, i + 1, draws);
      assert.deepEqual(asked.at(-1), ["between", -135, -45]);
      assert.equal(asked.length, 32 * 32 + 1);
      for (const c of [0, 1, 2]) {
        const x = [100, 20, 60][c] / 255;
        const white = share * x + (1 - share) * Math.max(x, gray * 1.5 + 0.5);
        close(none.data[c], 255 * Math.min(1, white), `${i + 1}, channel ${c}`, 1e-4);
      }
      const all = snow(image, i + 1, drawing({ normal: () => height + 1e-6, between: () => -90 }).draws);
      assert.ok(all.data[0] > 254, `${i + 1}: flakes from both sides`);
      // Flakes over the upper half alone: the lower half has them once, turned round.
      let drawn = 0;
      const upper = drawing({ normal: () => (drawn++ < 16 * 32 ? height + 1e-6 : -99), between: () => -90 });
      const black = snow(flat(0), i + 1, upper.draws);
      const flake = Math.trunc(255 * (least + 3e-7)) / 255;
      for (const y of [1, 30])
        close(
          black.data[3 * (32 * y + 9)],
          255 * Math.min(1, (1 - share) * 0.5 + flake),
          `${i + 1}, row ${y}`,
          1.01,
        );
    }
  });

  it("frost is a part of one of five photographs, mixed in these shares", () => {
    const image = paintedImage(32, 34, (x, y) => [x, y, 90]);
    const photographs = Array.from({ length: 6 }, (_, k) =>
      paintedImage(40 + k, 50, (x, y) => [2 * x, y, 10 * k]),
    );
    for (const [i, [own, ice]] of [
      [1, 0.4],
      [0.8, 0.6],
      [0.7, 0.7],
      [0.65, 0.7],
      [0.6, 0.75],
    ].entries()) {
      const answers = [3, 7, 5];
      const { draws, asked } = drawing({ integer: () => answers[asked.length - 1] });
      const { data } = frost(image, i + 1, draws, photographs);
      assert.deepEqual(asked, [
        ["integer", 0, 5],
        ["integer", 0, 50 - 34],
        ["integer", 0, 43 - 32],
      ]);
      for (const [x, y] of [
        [0, 0],
        [31, 33],
        [12, 20],
      ])
        for (const [c, cold] of [2 * (x + 5), y + 7, 30].entries())
          close(
            data[3 * (32 * y + x) + c],
            own * [x, y, 90][c] + ice * cold,
            `${i + 1}: ${x} ${y} ${c}`,
            1e-9,
          );
    }
    const two = drawing({ integer: () => 0 });
    const bright = frost(flat(250), 1, two.draws, [flat(250, 250, 250, 40, 40), photographs[0]]);
    assert.deepEqual(two.asked[0], ["integer", 0, 2]);
    assert.equal(bright.data[0], 255, "no more than white");
  });

  it("fog adds so much of a cloud and keeps the image's maximum", () => {
    const image = paintedImage(3, 2, (x, y) => [100 + x, 50 * y, 204]);
    for (const [i, strength] of [1.5, 2, 2.5, 2.5, 3].entries()) {
      const cloud = Float64Array.from({ length: 16 }, (_, k) => k / 15);
      const { data } = underCloud(image, i + 1, cloud, 4);
      for (const [k, value] of data.entries()) {
        const [x, y] = [Math.floor(k / 3) % 3, Math.floor(k / 9)];
        const thick = (4 * y + x) / 15;
        const expected = ((image.data[k] / 255 + strength * thick) * 0.8) / (0.8 + strength);
        close(value, 255 * Math.min(1, expected), `${i + 1}: ${k}`);
      }
    }
  });

  it("clouds are drawn coarse to fine, three parts of a step at a time, each step by so much less", () => {
    for (const [i, decay] of [2, 2, 1.7, 1.5, 1.4].entries()) {
      let next = 0;
      const { draws, asked } = drawing({ between: () => (next++ % 5) - 2 });
      fog(flat(90, 90, 90, 33, 20), i + 1, draws);
      assert.equal(asked.length, 64 * 64 - 1, "of the next power of two of the longer side");
      let at = 0;
      for (let [cells, wibble] = [1, 100]; cells <= 32 * 32; cells *= 4, wibble /= decay)
        for (let k = 0; k < 3 * cells; k++, at++) {
          close(asked[at][2]!, wibble, `${i + 1}: draw ${at}`, 1e-9);
          assert.equal(asked[at][1], -asked[at][2]!);
        }
    }
    for (const [width, height, size] of [
      [33, 20, 64],
      [20, 33, 64],
      [32, 20, 32],
      [20, 32, 32],
      [40, 40, 64],
    ]) {
      let next = 0;
      const { draws, asked } = drawing({ between: () => (next++ % 5) - 2 });
      const { data } = fog(flat(90, 90, 90, width, height), 1, draws);
      assert.equal(asked.length, size * size - 1, `${width} x ${height}`);
      assert.ok(data.every(Number.isFinite), `${width} x ${height}`);
    }
    // A cloud of 2 x 2: the middle is drawn first, then the other two, each by 100 times what is drawn.
    const values = [3, 1, -2];
    const { draws, asked } = drawing({ between: () => values[asked.length - 1] });
    const cloud = plasma(2, 2, draws);
    const middle = 300;
    const [right, below] = [middle / 2 + 100, (middle + 0) / 2 - 200];
    const all = [0, right, below, middle]; // each of the latter two lies between the middle and the corner, twice
    const [least, most] = [Math.min(...all), Math.max(...all)];
    for (const [k, height] of all.entries())
      close(cloud[k], (height - least) / (most - least), `height ${k}`, 1e-12);
  });

  it("spatter is water or mud, where noise is above its least height", () => {
    const image = flat(40, 80, 120);
    for (const [i, [mean, sigma, least, strength, isMud]] of [
      [0.65, 0.3, 0.69, 0.6, 0],
      [0.65, 0.3, 0.68, 0.6, 0],
      [0.65, 0.3, 0.68, 0.5, 0],
      [0.65, 0.3, 0.65, 1.5, 1],
      [0.67, 0.4, 0.65, 1.5, 1],
    ].entries()) {
      const height = (least - mean) / sigma;
      const dry = spatter(image, i + 1, drawing({ normal: () => height - 1e-4 }).draws);
      const wet = spatter(image, i + 1, drawing({ normal: () => height + 1e-4 }).draws);
      for (const c of [0, 1, 2]) {
        const own = [40, 80, 120][c];
        close(dry.data[c], own, `${i + 1}: dry, channel ${c}`, 1e-4);
        const under = isMud ? [63, 42, 20][c] : Math.min(255, own + strength * [175, 238, 238][c]);
        close(wet.data[3 * (32 * 16 + 16) + c], under, `${i + 1}: wet, channel ${c}`, 1e-3);
      }
    }
  });
});

test("pixels are made of these shares of the image, cut to whole ones, by boxes both ways", () => {
  const image = paintedImage(37, 33, (x, y) => [(7 * x) % 256, (x * y) % 256, (11 * y) % 256]);
  for (const [i, share] of [0.6, 0.5, 0.4, 0.3, 0.25].entries()) {
    const box = { filter: "box" } as const;
    const small = resize(image, Math.trunc(37 * share), Math.trunc(33 * share), box);
    assert.deepEqual(pixelate(image, i + 1), resize(small, 37, 33, box), `severity ${i + 1}`);
  }
});
