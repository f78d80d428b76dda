import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { hsvToRgb, rgbToHsv } from "../../../../src/data/corruptions/color";
import { drawsFrom } from "../../../../src/data/corruptions/draws";
import { canny, distanceToZero } from "../../../../src/data/corruptions/edges";
import { correlate, correlateLines, gaussianBlur, inside } from "../../../../src/data/corruptions/filters";
import type { Layer } from "../../../../src/data/corruptions/image";
import { zoomedCenter } from "../../../../src/data/corruptions/zoom";

const layer = (width: number, height: number, value: (i: number) => number, channels = 1): Layer => ({
  data: Float64Array.from({ length: width * height * channels }, (_, i) => value(i)),
  width,
  height,
  channels,
});

const close = (found: ArrayLike<number>, expected: readonly number[], error = 1e-12) => {
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(found[i] - value) <= error, `${i}: ${found[i]}, expected ${value}`);
};

describe("filters", () => {
  it("go on beyond the edge with the edge again, or mirrored with or without it, however far", () => {
    const row = (border: Parameters<typeof inside>[2], length: number) =>
      Array.from({ length: 3 * length + 4 }, (_, i) => inside(i - length - 2, length, border));
    assert.deepEqual(row("nearest", 3), [0, 0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]);
    assert.deepEqual(row("reflect", 3), [1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
    assert.deepEqual(row("reflect101", 3), [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
    for (const border of ["nearest", "reflect", "reflect101"] as const)
      assert.deepEqual(row(border, 1), Array(7).fill(0), border);
    assert.deepEqual(
      [-7, -6, 6, 13].map((place) => inside(place, 3, "reflect")),
      [0, 0, 0, 1],
    );
  });

  it("correlate each channel with a kernel as it stands, not turned round", () => {
    const kernel = [1, 2, 3, 0, 5, 6, 7, 8, 9];
    const image = layer(4, 3, (i) => (i * i) % 11, 2);
    for (const border of ["nearest", "reflect101"] as const) {
      const { data } = correlate(image, kernel, 3, border);
      const expected = [...image.data].map((_, i) => {
        const [c, x, y] = [i % 2, Math.floor(i / 2) % 4, Math.floor(i / 8)];
        return kernel.reduce((sum, weight, k) => {
          const column = inside(x + (k % 3) - 1, 4, border);
          const row = inside(y + Math.floor(k / 3) - 1, 3, border);
          return sum + weight * image.data[2 * (4 * row + column) + c];
        }, 0);
      });
      close(data, expected);
    }
  });

  it("go along rows or columns of every channel, and keep what they are given", () => {
    const weights = Float64Array.of(0.25, 0.5, 0.25);
    const image = layer(4, 3, (i) => (i * 7) % 13, 2);
    const before = image.data.slice();
    for (const along of ["rows", "columns"] as const) {
      const { data } = correlateLines(image, weights, along, "nearest");
      const [length, step] = along === "rows" ? [4, 2] : [3, 8];
      const expected = [...image.data].map((value, i) => {
        const place = Math.floor(i / step) % length;
        const at = (by: number) => image.data[i + (inside(place + by, length, "nearest") - place) * step];
        return 0.5 * value + 0.25 * (at(-1) + at(1));
      });
      close(data, expected);
    }
    assert.deepEqual(image.data, before);
  });

  it("of Gauss reach as many deviations as asked for, rounded, four without", () => {
    const spike = layer(41, 1, (i) => (i === 20 ? 1 : 0));
    const reach = (sigma: number, truncate?: number) =>
      gaussianBlur(spike, sigma, truncate === undefined ? {} : { truncate }).data.filter((x) => x > 0).length;
    assert.deepEqual([reach(1), reach(1.1), reach(1.2), reach(1.5)], [9, 9, 11, 13]);
    assert.deepEqual([reach(1, 3), reach(1.5, 3), reach(1.2, 3)], [7, 11, 9]);
    const single = gaussianBlur(spike, 1.3, { single: true }).data;
    assert.ok(single.every((value) => value === Math.fround(value)));
    const double = gaussianBlur(spike, 1.3).data;
    assert.ok(double.some((value) => value !== Math.fround(value)));
    const edge = layer(9, 1, (i) => (i === 0 ? 1 : 0));
    const mirrored = gaussianBlur(edge, 1, { border: "reflect" }).data;
    close(
      [...mirrored],
      [...gaussianBlur(edge, 1).data].map((value, i) => (i < 5 ? mirrored[i] : value)),
      1e-3,
    );
    assert.notDeepEqual(mirrored, gaussianBlur(edge, 1).data);
  });
});

describe("edges", () => {
  const side = 16;
  const edgesOf = (value: (x: number, y: number) => number, low = 50, high = 150) => {
    const data = Uint8Array.from({ length: side * side }, (_, i) => value(i % side, Math.floor(i / side)));
    const found = canny({ data, width: side, height: side }, low, high);
    return Array.from({ length: side }, (_, y) => [...found.subarray(y * side, (y + 1) * side)]);
  };

  it("are thin across slopes of every direction, diagonal ones both ways", () => {
    const middle = (rows: number[][]) => rows.slice(3, -3).map((row) => row.slice(2, -2));
    for (const value of [
      (x: number, y: number) => (x > y ? 200 : 0),
      (x: number, y: number) => (x + y > side ? 200 : 0),
      (x: number) => (x > 7 ? 200 : 0),
    ])
      for (const row of middle(edgesOf(value))) {
        const count = row.filter((edge) => edge === 255).length;
        assert.ok(count >= 1 && count <= 2, `${count} in a row: ${value}`);
      }
    const lying = edgesOf((_, y) => (y > 7 ? 200 : 0));
    for (let x = 3; x < side - 3; x++)
      assert.equal(lying.filter((row) => row[x] === 255).length, 1, `column ${x}`);
  });

  it("begin above the high threshold and go on above the low one, each exclusive", () => {
    // A step of `height` has a gradient of four times that; it is weaker in its lower half.
    const step = (upper: number, lower: number) => (x: number, y: number) =>
      x > 7 ? (y < side / 2 ? upper : lower) : 0;
    const rowsWith = (upper: number, lower: number, low: number, high: number) =>
      edgesOf(step(upper, lower), low, high).filter((row) => row.includes(255)).length;
    assert.equal(rowsWith(40, 40, 100, 159), side);
    assert.equal(rowsWith(40, 40, 100, 160), 0);
    assert.equal(rowsWith(40, 40, 159, 159), side);
    assert.ok(rowsWith(60, 30, 119, 200) >= side - 1, "on along the weaker half");
    assert.ok(rowsWith(60, 30, 121, 200) <= side / 2 + 1, "not on");
    assert.equal(rowsWith(30, 30, 50, 200), 0, "nothing begins there");
  });

  it("are as far away as straight, diagonal and knight's steps lead, in any direction", () => {
    const [straight, diagonal, knight] = [1, 1.4, 2.1969];
    const way = (dx: number, dy: number) => {
      const [long, short] = [Math.max(dx, dy), Math.min(dx, dy)];
      const knights = Math.min(short, long - short);
      return knights * knight + (short - knights) * diagonal + (long - short - knights) * straight;
    };
    const [width, height] = [11, 9];
    for (const [column, row] of [
      [0, 0],
      [width - 1, height - 1],
      [0, height - 1],
      [5, 4],
      [8, 1],
    ]) {
      const data = new Uint8Array(width * height).fill(255);
      data[row * width + column] = 0;
      const expected = Array.from({ length: width * height }, (_, i) =>
        way(Math.abs((i % width) - column), Math.abs(Math.floor(i / width) - row)),
      );
      close(distanceToZero({ data, width, height }), expected, 1e-5);
    }
    const two = new Uint8Array(7).fill(9);
    two[0] = two[6] = 0;
    assert.deepEqual([...distanceToZero({ data: two, width: 7, height: 1 })], [0, 1, 2, 3, 2, 1, 0]);
  });
});

describe("colors", () => {
  it("have hue, saturation and value, and are made of them again in every sector", () => {
    for (const [rgb, hsv] of [
      [
        [1, 0, 0],
        [0, 1, 1],
      ],
      [
        [1, 1, 0],
        [1 / 6, 1, 1],
      ],
      [
        [0, 1, 0],
        [2 / 6, 1, 1],
      ],
      [
        [0, 1, 1],
        [3 / 6, 1, 1],
      ],
      [
        [0, 0, 1],
        [4 / 6, 1, 1],
      ],
      [
        [1, 0, 1],
        [5 / 6, 1, 1],
      ],
      [
        [0.5, 0.25, 0.375],
        [11 / 12, 0.5, 0.5],
      ],
      [
        [0.25, 0.5, 0.375],
        [5 / 12, 0.5, 0.5],
      ],
      [
        [0.375, 0.25, 0.5],
        [9 / 12, 0.5, 0.5],
      ],
      [
        [0.3, 0.3, 0.3],
        [0, 0, 0.3],
      ],
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
    ] as [[number, number, number], [number, number, number]][]) {
      close(rgbToHsv(...rgb), hsv);
      close(hsvToRgb(...hsv), rgb);
    }
    close(hsvToRgb(1, 1, 1), [1, 0, 0]);
  });
});

describe("enlargements", () => {
  it("are 0 in a last row or column that rounding puts behind the crop, as scipy's are", () => {
    for (const [length, factor] of [
      [36, 1.2000000000000002],
      [71, 1.2100000000000002],
      [160, 1.2800000000000002],
    ]) {
      const ones = new Array<number>(length - 1).fill(1);
      assert.deepEqual(
        [
          ...zoomedCenter(
            layer(length, 1, () => 1),
            factor,
          ).data,
        ],
        [...ones, 0],
      );
      assert.deepEqual(
        [
          ...zoomedCenter(
            layer(1, length, () => 1),
            factor,
          ).data,
        ],
        [...ones, 0],
      );
      const inside = zoomedCenter(
        layer(length + 1, 1, () => 1),
        factor,
      ).data;
      assert.ok(inside.every((value) => Math.abs(value - 1) < 1e-12));
    }
  });

  it("keep the center: whole pixels of the middle, spread from its first to its last", () => {
    const row = layer(8, 1, (i) => 10 * i);
    assert.deepEqual([...zoomedCenter(row, 1).data], [...row.data]);
    close(
      zoomedCenter(row, 2).data,
      Array.from({ length: 8 }, (_, i) => 10 * (2 + (3 / 7) * i)),
      1e-9,
    );
    const column = layer(1, 8, (i) => 10 * i);
    close(zoomedCenter(column, 2).data, [...zoomedCenter(row, 2).data]);
    const both = zoomedCenter(
      layer(8, 6, (i) => (i % 8) + 100 * Math.floor(i / 8)),
      2,
    );
    close(
      both.data,
      Array.from({ length: 48 }, (_, i) => 2 + (3 / 7) * (i % 8) + 100 * (1 + (2 / 5) * Math.floor(i / 8))),
      1e-9,
    );
    const colors = zoomedCenter(
      layer(8, 1, (i) => Math.floor(i / 3) * (i % 3), 3),
      2,
    );
    close(
      [...colors.data].filter((_, i) => i % 3 === 2),
      Array.from({ length: 8 }, (_, i) => 2 * (2 + (3 / 7) * i)),
      1e-9,
    );
  });
});

describe("draws", () => {
  it("come from a stream, whole numbers below the upper end, Poisson's by their cumulative shares", () => {
    const draws = drawsFrom(new Rng(1));
    const numbers = Array.from({ length: 500 }, () => draws.integer(-3, 2));
    assert.deepEqual(
      [...new Set(numbers)].sort((a, b) => a - b),
      [-3, -2, -1, 0, 1],
    );
    const spread = Array.from({ length: 500 }, () => draws.between(2, 5));
    assert.ok(Math.min(...spread) >= 2 && Math.max(...spread) < 5 && Math.max(...spread) > 4.9);
    const poisson = (uniform: number, mean: number) =>
      drawsFrom({ uniform: () => uniform } as unknown as Rng).poisson(mean);
    const none = Math.exp(-2);
    for (const [uniform, count] of [
      [0, 0],
      [none - 1e-9, 0],
      [none, 1],
      [none * 3 - 1e-9, 1],
      [none * 3 + 1e-9, 2],
      [none * 5 + 1e-9, 3],
    ])
      assert.equal(poisson(uniform, 2), count, `${uniform}`);
    assert.equal(poisson(0.999, 0), 0);
    assert.ok(poisson(1, 3) >= 100, "no number is without end");
  });
});
