import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  boxIou,
  decodeMask,
  maskArea,
  maskBox,
  maskIou,
  rasterizePolygons,
} from "../../../../src/core/masks";
import { Rng } from "../../../../src/core/rng";
import { coco, imageNetS } from "../../../../src/data";
import { drawScene } from "../../../../src/data/toy/crowdedScene";
import { outlines, simplified, twiceArea } from "../../../../src/data/toy/outline";
import { toyClasses } from "../../../../src/data/toy/toySet";
import { fitSquare, segment } from "../../../../src/data/transforms";
import { shapesFolder } from "../support";

test("outlines go around every piece and, the other way, around every hole", () => {
  const rng = new Rng(3);
  for (let i = 0; i < 60; i++) {
    const [width, height] = [1 + rng.integer(24), 1 + rng.integer(24)];
    const cells = Uint8Array.from({ length: width * height }, () => Number(rng.uniform() < 0.5));
    const found = outlines(width, height, (x, y) => cells[y * width + x] === 1);
    const area = found.reduce((sum, outline) => sum + twiceArea(outline) / 2, 0);
    assert.equal(
      area,
      cells.reduce((sum, x) => sum + x, 0),
    );
    for (const outline of found) assert.ok(outline.length >= 8 && outline.length % 2 === 0);
  }
  const ring = outlines(3, 3, (x, y) => x !== 1 || y !== 1);
  assert.deepEqual(
    ring.map((outline) => twiceArea(outline) / 2).sort((a, b) => a - b),
    [-1, 9],
  );
});

test("a simplified line stays as near as it is allowed to", () => {
  const circle = Array.from({ length: 400 }, (_, i) => {
    const angle = (Math.PI * (i >> 1)) / 100;
    return 50 + 40 * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  });
  const few = simplified(circle, 0.5);
  assert.ok(few.length < 80, `${few.length / 2} corners`);
  const area = twiceArea(few) / 2;
  assert.ok(area > Math.PI * 40 ** 2 - 2 * Math.PI * 40 * 0.5 && area < Math.PI * 40 ** 2);
});

test("a scene follows from its stream alone and has one to five objects, all of them seen", () => {
  const counts = new Set<number>();
  for (let seed = 0; seed < 25; seed++) {
    const scene = drawScene(48, new Rng(seed), false);
    assert.deepEqual(drawScene(48, new Rng(seed), false), scene);
    counts.add(scene.objects.length);
    const masks = scene.objects.map(({ polygons }) => rasterizePolygons(polygons, scene.height, scene.width));
    for (const [i, { area, box, polygons }] of scene.objects.entries()) {
      assert.ok(
        Math.abs(maskArea(masks[i]) - area) < 0.2 * area + 4,
        `${maskArea(masks[i])} pixels, area ${area}`,
      );
      const [x, y, width, height] = box;
      assert.ok(x >= 0 && y >= 0 && x + width <= scene.width && y + height <= scene.height);
      assert.ok(polygons.flat().every((value) => 4 * value === Math.round(4 * value)));
    }
    const overlaps = maskIou(
      masks,
      masks,
      masks.map(() => false),
    );
    overlaps.forEach((iou, at) => {
      if (at % (masks.length + 1) !== 0)
        assert.ok(iou < 0.15, `objects overlap by ${iou}: what is hidden is not outlined`);
    });
  }
  for (const count of [1, 2, 3, 4, 5]) assert.ok(counts.has(count), [...counts].join());
});

test("outlines are where the objects are painted", () => {
  const contrast = (shift: number) => {
    let [sum, count] = [0, 0];
    for (let seed = 0; seed < 4; seed++) {
      const { width, height, rgb, objects } = drawScene(64, new Rng(seed));
      const change = (i: number) =>
        [0, 1, 2].reduce((all, c) => all + Math.abs(rgb[3 * i + c] - rgb[3 * i + 6 + c]), 0);
      for (const { polygons } of objects) {
        const mask = decodeMask(rasterizePolygons(polygons, height, width));
        for (let i = 0; i < mask.length - 2; i++) {
          const x = (i % width) + shift;
          if (i % width >= width - 2 || x < 0 || x >= width - 2 || mask[i] === mask[i + 2]) continue;
          sum += change(i + shift);
          count++;
        }
      }
    }
    return sum / count;
  };
  const others = [-6, -5, -4, 4, 5, 6].map(contrast);
  assert.ok(
    contrast(0) > 1.3 * Math.max(...others),
    `${contrast(0)} on outlines, ${others.join()} beside them`,
  );
});

test("the scenes of this checkout are a COCO set whose boxes and masks agree", async () => {
  for (const [part, count] of [
    ["train", 240],
    ["val", 60],
  ] as const) {
    const data = await coco({ root: join(shapesFolder, "coco"), part, transform: fitSquare(96) });
    assert.deepEqual([data.length, data.classes], [count, [...toyClasses]]);
    assert.deepEqual(data.truth.notes(), []);
    assert.equal(data.trainable({ masks: true }).length, count);
    const perClass = new Map<number, number>();
    for (const one of data.truth.annotations) {
      perClass.set(one.categoryId, (perClass.get(one.categoryId) ?? 0) + 1);
      const [iou] = boxIou([maskBox(data.truth.mask(one))], [one.box], [false]);
      assert.ok(iou > 0.7, `annotation ${one.id}: ${iou}`);
    }
    assert.ok(
      [...perClass.values()].every((number) => number > count / 6),
      [...perClass.values()].join(),
    );
    const sample = await data.load(0, new Rng(0));
    assert.equal(sample.boxes.length, 4 * sample.labels.length);
  }
});

test("the annotations come out the same when they are drawn again", async () => {
  const file = join(shapesFolder, "coco", "annotations", "instances_val.json");
  const { annotations } = JSON.parse(readFileSync(file, "utf8"));
  for (const i of [0, 17, 59]) {
    const { objects } = drawScene(96, new Rng(2024).fork("scene", "val", i), false);
    const own = objects.map(({ polygons, area, box }) => ({ segmentation: polygons, area, bbox: [...box] }));
    const stored = annotations.filter((one: { image_id: number }) => one.image_id === i + 1);
    assert.deepEqual(
      stored.map(({ segmentation, area, bbox }: Record<string, unknown>) => ({ segmentation, area, bbox })),
      own,
    );
  }
});

test("ten images of every class are there to train a segmentation with", async () => {
  const set = await imageNetS({ root: shapesFolder, split: "train-semi", patch: 8, transform: segment(64) });
  assert.deepEqual([set.length, set.classes], [60, [...toyClasses]]);
  const ids = new Set<number>();
  for (let i = 0; i < set.length; i++) for (const id of (await set.load(i, new Rng(i))).ids) ids.add(id);
  assert.deepEqual(
    [...ids].sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6, 1000],
  );
  assert.equal(set.report.count, 0);
});
