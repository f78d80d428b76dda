import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../../src/core/rng";
import { batches, toy, transforms } from "../../../../src/data";
import { backgroundFamilies, backgroundNames } from "../../../../src/data/toy/backgrounds";
import { moreShapes } from "../../../../src/data/toy/moreShapes";

const size = 24;
const all = (set: toy.DrawingSet) => Array.from({ length: set.length }, (_, i) => i);
const hash = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

test("a drawing follows from seed and number alone, whatever else is drawn, and another seed gives others", () => {
  const one = toy.drawings(5, 40, { size });
  const other = toy.drawings(5, 60, { size }).subset([31]);
  assert.equal(hash(other.pixels(0).data), hash(one.pixels(31).data));
  assert.notEqual(hash(toy.drawings(6, 40, { size }).pixels(31).data), hash(one.pixels(31).data));
});

test("classes take turns and all twelve are there", () => {
  const set = toy.drawings(1, 24, { size });
  assert.equal(set.classes.length, 12);
  assert.deepEqual(
    all(set).map((i) => set.classes[set.label(i)]),
    [...set.classes, ...set.classes],
  );
  assert.deepEqual(
    all(set).map((i) => set.facts(i).shape),
    [...set.classes, ...set.classes],
  );
});

test("every further shape lies in the unit circle and is no speck", () => {
  for (const shape of moreShapes) {
    let inside = 0;
    for (let i = 0; i < 10_000; i++) {
      const [u, v] = [((i % 100) + 0.5) / 50 - 1, (Math.floor(i / 100) + 0.5) / 50 - 1];
      if (!shape.contains(u, v)) continue;
      inside++;
      assert.ok(Math.hypot(u, v) <= 1, `${shape.name} at ${u}, ${v}`);
    }
    assert.ok(inside > 2000, shape.name);
  }
});

test("the share of images on their class's background is the one asked for", () => {
  const own = (share: number) => {
    const set = toy.drawings(3, 600, { size: 8, patch: 1, ownBackground: share });
    const usual = (i: number) => backgroundNames[set.label(i) % backgroundFamilies.length];
    return all(set).filter((i) => set.facts(i).background === usual(i)).length / set.length;
  };
  assert.equal(own(1), 1);
  for (const share of [0, 0.7]) assert.ok(Math.abs(own(share) - (share + (1 - share) / 6)) < 0.06);
});

test("other backgrounds leave the object as it is, and strangers' are of another family", () => {
  const set = (background: toy.DrawnBackground) =>
    toy.drawings(4, 48, { size, ownBackground: 1, background });
  const [own, same, rand] = [set("original"), set("mixed_same"), set("mixed_rand")];
  for (const i of all(own)) {
    assert.deepEqual(same.drawing(i).covered, own.drawing(i).covered);
    assert.deepEqual(rand.drawing(i).covered, own.drawing(i).covered);
    assert.equal(same.facts(i).background, own.facts(i).background);
    assert.notEqual(rand.facts(i).background, own.facts(i).background);
    assert.notEqual(hash(same.pixels(i).data), hash(own.pixels(i).data));
    const inner = [...own.drawing(i).covered.keys()].filter((pixel) =>
      [0, -1, 1, -size, size].every((step) => own.drawing(i).covered[pixel + step]),
    );
    const alike = inner.filter((pixel) => same.pixels(i).data[3 * pixel] === own.pixels(i).data[3 * pixel]);
    assert.ok(alike.length > 0.8 * inner.length, `${i}: ${alike.length} of ${inner.length}`);
  }
});

test("samples have masks where nothing is random, and none where crops are", async () => {
  const set = toy.drawings(2, 12, { size, patch: 6 });
  const { foreground, rows, columns } = await set.load(3, new Rng(0));
  assert.deepEqual([foreground!.length, rows, columns], [16, 4, 4]);
  const seen = foreground!.reduce((sum, cell) => sum + cell, 0) / 16;
  assert.ok(seen >= set.facts(3).area && seen < 1);
  const cropped = await set.withTransform(transforms.mae(size)).load(3, new Rng(0));
  assert.equal(cropped.foreground, undefined);
  assert.equal(cropped.label, 3);
  for await (const { labels } of batches(set, { batchSize: 6 })) assert.equal(labels.length, 6);
});

test("options that cannot be are refused by name", () => {
  assert.throws(() => toy.drawings(1, 0), /count/);
  assert.throws(() => toy.drawings(1, 12, { classes: 13 }), /classes/);
  assert.throws(() => toy.drawings(1, 12, { ownBackground: 2 }), /ownBackground/);
});

test("a set of drawings says what it draws; views share what was drawn, and have the numbers they were made of", async () => {
  const set = toy.drawings(5, 30, { size: 20 });
  assert.equal(
    inspect(set),
    "DrawingSet(30 drawings, 12 classes, 50 % on their class's background, original; seed 5, 20 px)",
  );
  assert.deepEqual([set.plan.patch, toy.drawings(5, 1, { size: 8 }).plan.patch, set.size], [2, 1, 20]);
  assert.equal(toy.drawings(1, 1).size, 64);
  assert.equal(set.path(3), "toy drawing 3 of seed 5, original");
  const part = set.subset([13, 2]).take(1);
  assert.deepEqual([part.length, part.number(0), part.label(0), part.path(0)], [1, 13, 1, set.path(13)]);
  assert.equal(part.drawing(0), set.drawing(13), "drawn once");
  const other = part.withTransform(transforms.evaluation(8));
  assert.deepEqual([other.drawing(0) === set.drawing(13), other.size, other.number(0)], [true, 8, 13]);
  assert.deepEqual(
    [set.preprocessing, other.preprocessing],
    [transforms.none(20).preprocessing, transforms.evaluation(8).preprocessing],
  );
  const { index, label, path } = await part.load(0, new Rng(0));
  assert.deepEqual([index, label, path], [0, 1, set.path(13)]);
  assert.throws(() => part.number(1), /image 1 does not exist/);
  const few = toy.drawings(5, 6, { classes: 4, size: 8, background: "mixed_rand", ownBackground: 0 });
  assert.deepEqual(few.classes, set.classes.slice(0, 4));
  assert.match(inspect(few), /4 classes, 0 % on their class's background, mixed_rand/);
});

test("a drawing's object covers what its mask says: half of a pixel and more, a tenth to a third of the image", () => {
  const set = toy.drawings(7, 48, { size });
  for (const i of all(set)) {
    const { area } = set.facts(i);
    assert.equal(area, set.drawing(i).covered.reduce((sum, x) => sum + x, 0) / size ** 2);
    assert.ok(area > 0.07 && area < 0.36, `${area}`);
  }
});
