import assert from "node:assert/strict";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { drawJitter, fitGeometry, jitterGeometry, placeObjects } from "../../../../src/data/detection";
import { pointIn } from "../../../../src/data/detection/geometry";
import { fitSquare, largeScaleJitter } from "../../../../src/data/transforms";
import { paintedImage } from "../support";

const square = (x: number, y: number, side: number) => [x, y, x + side, y, x + side, y + side, x, y + side];
const plain = { flip: 1, scale: 1, crop: 0 };

test("boxes are drawn around what is left of outlines, not taken from the file", () => {
  const geometry = jitterGeometry({ width: 100, height: 50 }, 100, { flip: 1, scale: 2, crop: 0.5 });
  assert.deepEqual([geometry.resized, geometry.left, geometry.top], [{ width: 200, height: 100 }, 50, 0]);
  const objects = [
    { box: [0, 0, 1, 1] as const, label: 3, polygons: [square(20, 10, 20)] },
    { box: [0, 0, 1, 1] as const, label: 4, polygons: [square(0, 0, 20)] }, // cut away
    { box: [0, 0, 1, 1] as const, label: 5, polygons: [square(5, 0, 10), square(60, 30, 5)] }, // one part left
  ];
  const { boxes, labels, polygons } = placeObjects(objects, geometry, 100);
  assert.deepEqual([...labels], [3, 5]);
  assert.deepEqual([...boxes], [0, 20, 30, 60, 70, 60, 80, 70]);
  assert.deepEqual(
    polygons.map((parts) => parts!.length),
    [1, 1],
  );
});

test("mirrored outlines go from the right: x becomes width - x", () => {
  const geometry = jitterGeometry({ width: 100, height: 100 }, 100, { ...plain, flip: 0.49 });
  const { boxes } = placeObjects(
    [{ box: [0, 0, 1, 1], label: 0, polygons: [square(10, 20, 5)] }],
    geometry,
    100,
  );
  assert.deepEqual([...boxes], [85, 20, 90, 25]);
});

test("objects without an outline keep their box, cut off at the image", () => {
  const geometry = jitterGeometry({ width: 100, height: 50 }, 100, { ...plain, flip: 0 });
  const { boxes, polygons } = placeObjects(
    [
      { box: [-20, 10, 40, 100], label: 0 },
      { box: [150, 10, 10, 10], label: 1 },
    ],
    geometry,
    100,
  );
  assert.deepEqual([...boxes], [80, 10, 100, 50]);
  assert.deepEqual(polygons, [undefined]);
});

test("draws follow from the stream alone and stay in their ranges", () => {
  const draws = Array.from({ length: 500 }, (_, i) => drawJitter(new Rng(i), [0.1, 2]));
  assert.deepEqual(drawJitter(new Rng(7), [0.1, 2]), draws[7]);
  assert.ok(draws.every(({ scale }) => scale >= 0.1 && scale < 2));
  assert.ok(Math.abs(draws.filter(({ flip }) => flip < 0.5).length - 250) < 60);
  assert.ok(new Set(draws.map(({ crop }) => crop)).size > 490);
});

test("an image of one pixel, and one a thousand times as wide as high, still have a size", () => {
  for (const from of [
    { width: 1, height: 1 },
    { width: 4000, height: 3 },
    { width: 2, height: 9000 },
  ]) {
    for (const { covered } of [fitGeometry(from, 64), jitterGeometry(from, 64, { ...plain, scale: 0.1 })])
      assert.ok(covered.width >= 1 && covered.height >= 1 && covered.width <= 64 && covered.height <= 64);
  }
});

test("an image is padded right and below with 0, and what it covers is the image", () => {
  const image = paintedImage(40, 20, (x, y) => [6 * x, 12 * y, 255]);
  const planes = fitSquare(40).apply(image, new Rng(0));
  assert.equal(planes.length, 3 * 40 * 40);
  for (let channel = 0; channel < 3; channel++) {
    for (let y = 0; y < 40; y++) {
      for (let x = 0; x < 40; x++) {
        const value = planes[(channel * 40 + y) * 40 + x];
        if (y >= 20) assert.equal(value, 0);
        else if (channel === 2) assert.ok(Math.abs(value - (1 - 0.406) / 0.225) < 1e-6);
        else if (channel === 0)
          assert.ok(Math.abs(value - ((6 * x) / 255 - 0.485) / 0.229) < 1e-6, `${x} ${y}`);
      }
    }
  }
});

test("a jittered image is the same with and without knowledge of its size, and others are refused then", () => {
  const image = paintedImage(37, 23, (x, y) => [6 * x, 11 * y, (x * y) % 256]);
  const transform = largeScaleJitter(48);
  for (let seed = 0; seed < 20; seed++) {
    const known = transform.expecting({ width: 37, height: 23 }).apply(image, new Rng(seed));
    assert.deepEqual(known, transform.apply(image, new Rng(seed)));
  }
  assert.throws(
    () => transform.expecting({ width: 23, height: 37 }).apply(image, new Rng(0)),
    /the image has 37 x 23 pixels, its annotations are for 23 x 37/,
  );
  assert.throws(() => largeScaleJitter(48, { scale: [2, 1] }), /the lower number first/);
  assert.throws(() => largeScaleJitter(0), /size: expected a whole number/);
});

test("the longer side fills the square, the other is rounded, nothing is mirrored or cut", () => {
  for (const [width, height, covered] of [
    [100, 50, [40, 20]],
    [50, 100, [20, 40]],
    [30, 30, [40, 40]],
    [3, 2, [40, 27]], // 26.67
    [16, 5, [40, 13]], // 12.5
    [1000, 1, [40, 1]],
  ] as const) {
    const size = { width: covered[0], height: covered[1] };
    const from = { width, height };
    assert.deepEqual(fitGeometry(from, 40), {
      from,
      mirrored: false,
      resized: size,
      left: 0,
      top: 0,
      covered: size,
    });
  }
});

test("jitter fits an image into a square of its scale, and cuts along both axes by one number", () => {
  const geometry = (from: [number, number], draws: object) => {
    const { resized, left, top, covered } = jitterGeometry({ width: from[0], height: from[1] }, 100, {
      ...plain,
      ...draws,
    });
    return [resized.width, resized.height, left, top, covered.width, covered.height];
  };
  assert.deepEqual(geometry([100, 50], { scale: 0.5 }), [50, 25, 0, 0, 50, 25]);
  assert.deepEqual(geometry([50, 100], { scale: 0.5, crop: 1 }), [25, 50, 0, 0, 25, 50]);
  assert.deepEqual(geometry([40, 40], { scale: 2, crop: 0.3 }), [200, 200, 30, 30, 100, 100]);
  assert.deepEqual(geometry([40, 30], { scale: 2, crop: 1 }), [200, 150, 100, 50, 100, 100]);
  assert.deepEqual(geometry([40, 15], { scale: 2, crop: 0.5 }), [200, 75, 50, 0, 100, 75]);
  assert.deepEqual(geometry([15, 40], { scale: 2, crop: 0.5 }), [75, 200, 0, 50, 75, 100]);
  const at = (flip: number) => jitterGeometry({ width: 40, height: 30 }, 100, { ...plain, flip }).mirrored;
  assert.deepEqual([at(0), at(0.4999), at(0.5), at(0.999)], [true, true, false, false]);
});

test("points go where their pixels go, along either axis by its own factor", () => {
  const geometry = {
    from: { width: 10, height: 20 },
    mirrored: false,
    resized: { width: 30, height: 40 },
    ...{ left: 7, top: 3 },
    covered: { width: 23, height: 37 },
  };
  assert.deepEqual(pointIn(geometry, 4, 5), [4 * 3 - 7, 5 * 2 - 3]);
  assert.deepEqual(pointIn({ ...geometry, mirrored: true }, 4, 5), [6 * 3 - 7, 5 * 2 - 3]);
});

test("draws come in their order from a stream: mirroring, scale, cut", () => {
  const rng = new Rng(3);
  const expected = { flip: rng.uniform(), scale: rng.between(0.5, 3), crop: rng.uniform() };
  assert.deepEqual(drawJitter(new Rng(3), [0.5, 3]), expected);
});

test("objects narrower or lower than a hundred-thousandth of a pixel are none", () => {
  const geometry = fitGeometry({ width: 50, height: 50 }, 50);
  const placed = (width: number, height: number) =>
    placeObjects([{ box: [10, 10, width, height], label: 2 }], geometry, 50).labels.length;
  assert.deepEqual(
    [placed(1e-6, 5), placed(5, 1e-6), placed(0, 0), placed(5, 5), placed(1e-4, 1e-4)],
    [0, 0, 0, 1, 1],
  );
  const gone = placeObjects([{ box: [10, 10, 5, 5], label: 2, polygons: [] }], geometry, 50);
  assert.deepEqual([gone.boxes.length, gone.labels.length, gone.polygons.length], [0, 0, 0]);
});
