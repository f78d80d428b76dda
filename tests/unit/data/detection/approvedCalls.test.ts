import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import {
  drawJitter,
  fitGeometry,
  fitSquare,
  jitterGeometry,
  largeScaleJitter,
  placeObjects,
  rebuildSquare,
} from "../../../../src/data/detection";
import { clipPolygon } from "../../../../src/data/detection/clipPolygon";
import { pointIn } from "../../../../src/data/detection/geometry";
import { squareSteps } from "../../../../src/data/detection/steps";
import { Calls } from "../../../support/calls";
import { paintedImage } from "../support";

test("where images, boxes and outlines go in squares is approved", async () => {
  const calls = new Calls();
  for (const seed of [1, 2, 3]) calls.note(`drawJitter ${seed}`, drawJitter(new Rng(seed), [0.1, 2]));
  calls.note("drawJitter of one scale", drawJitter(new Rng(1), [1.5, 1.5]));
  const sizes = [
    [20, 10],
    [10, 20],
    [7, 7],
    [1, 900],
    [900, 1],
    [3, 5],
  ].map(([width, height]) => ({ width, height }));
  for (const from of sizes) {
    for (const draws of [
      { flip: 0.49, scale: 0.1, crop: 0 },
      { flip: 0.5, scale: 1, crop: 0.3 },
      { flip: 0, scale: 2, crop: 0.75 },
      { flip: 1, scale: 1.37, crop: 1 },
    ])
      await calls.of(jitterGeometry, from, 12, draws);
    for (const size of [1, 12, 33]) await calls.of(fitGeometry, from, size);
  }
  const plain = jitterGeometry({ width: 20, height: 10 }, 12, { flip: 1, scale: 2, crop: 0.5 });
  const mirrored = jitterGeometry({ width: 20, height: 10 }, 12, { flip: 0, scale: 2, crop: 0.5 });
  for (const [x, y] of [
    [0, 0],
    [20, 10],
    [3, 7.5],
    [-1, 11],
  ])
    calls.note(`pointIn ${x}, ${y}`, [pointIn(plain, x, y), pointIn(mirrored, x, y)]);
  const window = { left: 0, top: 1, right: 10, bottom: 8 };
  const polygons: readonly number[][] = [
    [1, 2, 5, 2, 5, 6],
    [0, 1, 10, 1, 10, 8, 0, 8],
    [-5, -5, 20, -5, 20, 20, -5, 20],
    [-5, 3, 15, 3, 15, 5, -5, 5],
    [20, 20, 30, 20, 30, 30],
    [0, 0, 0, 20, 20, 0],
    [5, 2, 5, 2, 8, 2, 8, 6, 5, 2],
    [-2, 2, 4, 2, 4, 3, -1, 3, -1, 5, 4, 5, 4, 7, -2, 7],
    [2, 2, 12, 2, 12, 3, 4, 3, 4, 6, 12, 6, 12, 7, 2, 7],
    [-3, 4, 0, 4, -3, 6],
    [10, 2, 15, 2, 15, 7, 10, 7],
    [3, 3, 5, 5, 7, 7],
    [3, 3],
    [3, 3, 3, 3, 3, 3],
    [-1, 0, 11, 0, 11, 1, -1, 1],
    [5, -3, 15, 4.5, 5, 12, -5, 4.5],
  ];
  for (const polygon of polygons) await calls.of(clipPolygon, polygon, window);
  const objects = [
    { box: [1, 2, 5, 4], label: 3 },
    { box: [-4, -4, 6, 7], label: 0 },
    { box: [18, 8, 9, 9], label: 7 },
    { box: [30, 1, 2, 2], label: 1 },
    { box: [5, 5, 0, 3], label: 2 },
    { box: [5, 5, 3, 0], label: 2 },
    { box: [5, 5, 1e-5, 3], label: 2 },
    { box: [0, 0, 1, 1], label: 4, polygons: [[2, 2, 9, 2, 9, 8]] },
    {
      box: [0, 0, 1, 1],
      label: 5,
      polygons: [
        [2, 2, 3, 2, 3, 3],
        [16, 5, 19, 5, 19, 9],
      ],
    },
    { box: [0, 0, 9, 9], label: 6, polygons: [] },
    { box: [0, 0, 9, 9], label: 8, polygons: [[50, 2, 60, 2, 60, 9]] },
    { box: [0, 0, 9, 9], label: 9, polygons: [[3, 3, 3, 9, 3, 5]] },
  ] as never;
  for (const [name, geometry] of Object.entries({
    fit: fitGeometry({ width: 20, height: 10 }, 12),
    plain,
    mirrored,
    small: jitterGeometry({ width: 20, height: 10 }, 12, { flip: 0, scale: 0.5, crop: 0.5 }),
  }))
    await calls.does(`placeObjects ${name}`, () => placeObjects(objects, geometry, 12));
  await calls.does("placeObjects of none", () => placeObjects([], plain, 12));
  calls.approve("data/detection/geometry");
});

test("images in squares are approved", async () => {
  const calls = new Calls();
  const image = paintedImage(10, 5, (x, y) => [20 * x, 50 * y, 100]);
  const told = (planes: Float32Array, size: number) =>
    [0, 1, 2].map((channel) =>
      Array.from({ length: size }, (_, y) =>
        Array.from(planes.subarray((channel * size + y) * size, (channel * size + y + 1) * size), (value) =>
          value === 0 ? "." : "#",
        ).join(""),
      ),
    );
  const mean = (planes: Float32Array) => planes.reduce((sum, value) => sum + value, 0) / planes.length;
  const { name, size, spec, scale, preprocessing } = fitSquare(10);
  calls.note("fitSquare", [
    name,
    size,
    spec,
    scale,
    preprocessing,
    Object.isFrozen(fitSquare(10)),
    fitSquare().size,
  ]);
  const jitter = largeScaleJitter(8, { scale: [0.5, 0.5] });
  calls.note("largeScaleJitter", [
    jitter.name,
    jitter.size,
    jitter.spec,
    Object.isFrozen(jitter),
    largeScaleJitter().spec,
  ]);
  await calls.does("apply at its own size", () => fitSquare(10).apply(image, new Rng(1)));
  for (const seed of [1, 2, 3, 4]) {
    await calls.does(`apply jitter ${seed}`, () => told(jitter.apply(image, new Rng(seed)), 8));
    const wide = largeScaleJitter(8, { scale: [1.2, 2] });
    const planes = wide.apply(image, new Rng(seed));
    calls.note(`apply wide jitter ${seed}`, [
      wide.geometry(image, new Rng(seed)),
      told(planes, 8)[0],
      mean(planes).toFixed(1),
    ]);
  }
  calls.note("geometry of fit", fitSquare(12).geometry({ width: 3, height: 4 }, new Rng(1)));
  for (const transform of [fitSquare(10), jitter]) {
    const expecting = transform.expecting({ width: 10, height: 5 });
    calls.note("expecting", [expecting.spec, expecting.size, expecting.name]);
    await calls.does("applied", () => expecting.apply(image, new Rng(1)).length);
    await calls.does("applied to another width", () =>
      transform.expecting({ width: 9, height: 5 }).apply(image, new Rng(1)),
    );
    await calls.does("applied to another height", () =>
      transform.expecting({ width: 10, height: 6 }).apply(image, new Rng(1)),
    );
    const again = rebuildSquare(expecting.spec as never);
    calls.note("rebuilt", [
      again.spec,
      JSON.stringify([...again.apply(image, new Rng(3))]) ===
        JSON.stringify([...expecting.apply(image, new Rng(3))]),
    ]);
  }
  for (const size of [0, 16385, 1.5, Number.NaN]) {
    await calls.does(`fitSquare ${size}`, () => fitSquare(size));
    await calls.does(`largeScaleJitter ${size}`, () => largeScaleJitter(size));
  }
  for (const scale of [[0, 1], [1, 10], [1, 10.5], [2, 1], [1], [1, "2"], 3])
    await calls.does(`scale ${JSON.stringify(scale)}`, () => largeScaleJitter(8, { scale } as never).spec);
  await calls.does("another option", () => largeScaleJitter(8, { crop: 1 } as never));
  calls.note("squareSteps", Object.keys(squareSteps(4, (from) => fitGeometry(from, 4))));
  calls.approve("data/detection/squares");
});
