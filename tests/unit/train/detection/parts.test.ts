import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { startBackend, tf } from "../../../../src/core/tf";
import { CocoAnnotations, type DetectionDataset } from "../../../../src/data/coco";
import { batches } from "../../../../src/data/loader";
import { rescaleBoxes } from "../../../../src/models/detection/detections";
import { expectClassOrder } from "../../../../src/train/checkSizes";
import { DetectorFeeds } from "../../../../src/train/detection/feeds";
import { ObjectFinder } from "../../../../src/train/detection/finder";
import { averagePrecision, expectHeldOut, resultsOf } from "../../../../src/train/detection/validate";
import { drawDropPath } from "../../../../src/train/dropPath";
import { isLuvitError } from "../../nn/support";
import { scenes, smallDetector } from "./support";

before(() => startBackend({ backend: "cpu" }));

/** Images 7 and 3 of 10 x 10 pixels, and objects [image, category, box]. */
function truthOf(
  objects: readonly (readonly [image: number, category: number, box: readonly number[], crowd?: boolean])[],
) {
  const images = [7, 3].map((id) => ({ id, fileName: `${id}.jpg`, width: 10, height: 10 }));
  const categories = [2, 5].map((id) => ({ id, name: `class ${id}` }));
  const annotations = objects.map(([imageId, categoryId, box, crowd = false], i) => ({
    ...{ id: i + 1, imageId, categoryId, box: box as [number, number, number, number], area: 50, crowd },
  }));
  return new CocoAnnotations(images, categories, annotations);
}

const result = (imageId: number, categoryId: number, score: number, box: readonly number[]) => ({
  ...{ imageId, categoryId, score, box: box as [number, number, number, number] },
});

test("average precision is the share of ten overlaps at which all are found, the mean of classes with objects", async () => {
  const whole = [0, 0, 10, 10];
  const ap = async (objects: Parameters<typeof truthOf>[0], results: ReturnType<typeof result>[]) =>
    Math.round(1e6 * (await averagePrecision(truthOf(objects), results, "bbox"))) / 1e6;
  const one = [[7, 5, whole]] as const;
  assert.equal(await ap(one, [result(7, 5, 0.5, whole)]), 100);
  // 72 of 100 pixels: at 0.5, 0.55, 0.6, 0.65 and 0.7.
  assert.equal(await ap(one, [result(7, 5, 0.5, [0, 0, 10, 7.2])]), 50);
  assert.equal(await ap(one, [result(7, 2, 0.5, whole), result(3, 5, 0.9, whole)]), 0);
  assert.ok(Number.isNaN(await ap([], [result(7, 5, 0.5, whole)])), "of nothing");
  // One of two objects found with a better one that is wrong: a precision of a half at 51 of 101 recalls.
  const two = [...one, [3, 5, whole]] as const;
  const wrong = result(3, 5, 0.9, [8, 8, 2, 2]);
  assert.equal(await ap(two, [result(7, 5, 0.5, whole), wrong]), 25.247525);
  assert.equal(
    await ap([...one, [7, 2, whole]], [result(7, 5, 0.5, whole)]),
    50,
    "a class with nothing found",
  );
  assert.equal(
    await ap([...one, [3, 2, whole, true]], [result(7, 5, 0.5, whole)]),
    100,
    "a crowd is not missed",
  );
  // The hundred best of an image count.
  const many = (count: number) => Array.from({ length: count }, () => result(7, 5, 0.9, [8, 8, 1, 1]));
  assert.equal(await ap(one, [...many(100), result(7, 5, 0.5, whole)]), 0);
  assert.ok((await ap(one, [...many(99), result(7, 5, 0.5, whole)])) > 0.9);
});

/** A set of one image, 40 wide and 30 high, that was put into a square; `index` is what was read. */
const setOf = (index: number) => {
  const truth = {
    ...truthOf([]),
    categories: [{ id: 5 }, { id: 9 }],
    image: () => ({ height: 30, width: 40 }),
  };
  const sample = {
    index,
    imageId: 7,
    image: Float32Array.of(1, 2, 3),
    geometry: { covered: { width: 20, height: 15 } },
  };
  return { truth, load: async () => sample } as unknown as DetectionDataset;
};

test("what is found in an image has its id, its categories' ids, boxes with sides, and masks where there are some", async () => {
  const asked: unknown[] = [];
  const masks = ["first", "second"] as never;
  const found = (withMasks: boolean) => ({
    boxes: Float32Array.of(1, 2, 4, 8, 10, 20, 30, 25),
    scores: Float32Array.of(0.75, 0.5),
    labels: Int32Array.of(1, 0),
    ...(withMasks && { masks }),
  });
  const finderWith = (withMasks: boolean) =>
    ({ find: async (image: unknown) => asked.push(image) && found(withMasks) }) as unknown as ObjectFinder;
  const expected = [
    { imageId: 7, categoryId: 9, score: 0.75, box: [1, 2, 3, 6] },
    { imageId: 7, categoryId: 5, score: 0.5, box: [10, 20, 20, 5] },
  ];
  assert.deepEqual(await resultsOf(finderWith(false), setOf(0), 0), expected);
  assert.deepEqual(asked, [
    {
      values: Float32Array.of(1, 2, 3),
      covered: { width: 20, height: 15 },
      original: { height: 30, width: 40 },
    },
  ]);
  const drawn = await resultsOf(finderWith(true), setOf(0), 0);
  assert.deepEqual(
    drawn,
    expected.map((one, i) => ({ ...one, mask: masks[i] })),
  );
  assert.deepEqual(
    await resultsOf(finderWith(true), setOf(1), 0),
    [],
    "another image in place of an unreadable one",
  );
});

test("a set to be evaluated on has the detector's size and classes, in its order, and is not drawn at random", async () => {
  const [held, jittered] = [await scenes("val", 2), await scenes("train", 2)];
  const { settings } = smallDetector();
  const { classes: names } = held;
  const asked = (classNames?: readonly string[], classes = 6) => ({
    settings,
    classes,
    classNames: classNames && [...classNames],
  });
  expectHeldOut(held, asked(), "here");
  expectHeldOut(held, asked(names), "here");
  const refused = (set: DetectionDataset, model: ReturnType<typeof asked>, ...says: string[]) =>
    assert.throws(() => expectHeldOut(set, model, "here"), isLuvitError("bad-argument", "here: ", ...says));
  const large = { ...settings, encoder: { ...settings.encoder, imageSize: 64 } };
  refused(held, { ...asked(), settings: large }, "gives 48 px images, the model takes 64 px");
  refused(held, asked(undefined, 7), "the set has 6 classes, the detector tells 7 apart");
  refused(held, asked([...names].reverse()), "in another order");
  refused(
    held,
    asked([...names.slice(0, 5), "cod"]),
    `class 5 is cod for the detector, ${names[5]} in the set`,
  );
  refused(jittered, asked(names), "cut and mirrored at random", "fitSquare(48)");
});

test("classes in another order are refused unless names are others, as many others, or answered through a mapping", () => {
  const check = (classes: string[], classNames?: string[], mapping?: object) =>
    expectClassOrder({ classes, mapping } as never, { classNames }, "here");
  for (const known of [undefined, ["a", "b"], ["a", "b", "c"], ["a", "x"], []]) check(["a", "b"], known);
  check(["a", "b"], ["b", "a"], {});
  const says = isLuvitError(
    "bad-argument",
    "here: the classes are in another order: class 1 is c for the model, b in",
  );
  assert.throws(() => check(["a", "b", "c"], ["a", "c", "b"]), says);
});

test("a step's second feeds propose with the images and branches of the first, and draw each image by itself", async () => {
  const images = await scenes("train", 2);
  const model = smallDetector();
  const feeds = new DetectorFeeds(model, { dropPath: 0.5, normalize: "image" });
  const [rng, depth] = [new Rng(4), 2];
  const { imageSize } = model.settings.encoder;
  for await (const batch of batches(images, { batchSize: 2, shuffle: false })) {
    const first = feeds.first(batch, rng);
    assert.deepEqual(first, feeds.first(batch, rng), "the same of the same stream");
    assert.notDeepEqual(first, feeds.first(batch, new Rng(5)));
    assert.deepEqual(first.images, { data: batch.images, shape: [2, 3, imageSize, imageSize] });
    const factors = drawDropPath(depth, 0.5, 2, rng.fork("drop path"));
    assert.deepEqual(first.dropPath, { data: factors, shape: [2 * depth, 2] });
    const programs = feeds.proposing(2);
    const asked: unknown[] = [];
    const refined = await feeds.refined(first, batch, rng, async (name, fed) => {
      asked.push(name, Object.keys(fed).sort());
      assert.equal(fed.images, first.images);
      assert.equal(fed.dropPath, first.dropPath);
      const operands = Object.fromEntries(
        Object.entries(fed).map(([key, { data, shape }]) => [key, tf.tensor(data, [...shape])]),
      );
      const { logits, deltas } = tf.tidy(() => programs.body(operands)) as Record<string, tf.Tensor>;
      return { logits: logits.dataSync() as Float32Array, deltas: deltas.dataSync() as Float32Array };
    });
    assert.deepEqual(asked, ["proposals", ["dropPath", "images"]]);
    const shapes = (fed: typeof first) =>
      Object.fromEntries(Object.entries(fed).map(([key, { shape, dtype }]) => [key, [shape, dtype]]));
    assert.deepEqual(shapes(refined), shapes(first));
    for (const key of Object.keys(first).filter((name) => name.startsWith("regions.")))
      assert.equal(refined[key], first[key], key);
    assert.notDeepEqual(refined["rois.classes"], first["rois.classes"], "proposals are among the samples");
    const without = new DetectorFeeds(model, { dropPath: 0, normalize: "image" });
    assert.equal(without.first(batch, rng).dropPath, undefined);
    await without.refined(without.first(batch, rng), batch, rng, async (_, fed) => {
      assert.deepEqual(Object.keys(fed), ["images"]);
      return propose(model, fed.images.data as Float32Array);
    });
  }
});

function propose(model: ReturnType<typeof smallDetector>, images: Float32Array) {
  const { imageSize } = model.settings.encoder;
  const { logits, deltas } = tf.tidy(() => ({
    ...model.regions(
      model.maps(tf.tensor(images, [images.length / (3 * imageSize ** 2), 3, imageSize, imageSize])),
    ),
  })) as unknown as Record<string, tf.Tensor>;
  return { logits: logits.dataSync() as Float32Array, deltas: deltas.dataSync() as Float32Array };
}

test("what a finder finds lies in the image as it is on disk: larger where that is larger, in one of its ways alone", async () => {
  const model = smallDetector();
  const finder = await ObjectFinder.open(model, { engine: "eager" });
  const [set] = [await scenes("val", 1)];
  const { image } = await set.load(0, new Rng(0));
  const side = 48;
  const find = (covered: { width: number; height: number }, original = covered) =>
    finder.find({ values: image, covered, original });
  const square = { width: side, height: side };
  const plain = await find(square);
  const wide = await find(square, { width: 3 * side, height: 2 * side });
  assert.ok(plain.scores.length > 0 && plain.scores.length <= 5);
  assert.deepEqual([wide.scores, wide.labels], [plain.scores, plain.labels]);
  assert.deepEqual(
    [...plain.scores].sort((a, b) => b - a),
    [...plain.scores],
  );
  const scaled = rescaleBoxes(plain.boxes.slice(), square, { width: 3 * side, height: 2 * side }).boxes;
  for (const [i, value] of wide.boxes.entries()) assert.ok(Math.abs(value - scaled[i]) < 1e-3, `${i}`);
  for (const { height, width } of wide.masks!) assert.deepEqual([height, width], [2 * side, 3 * side]);
  assert.equal(wide.masks!.length, wide.scores.length);
  const cut = await find({ width: side, height: 20 });
  for (let i = 0; i < cut.boxes.length; i += 4)
    assert.ok(cut.boxes[i + 3] <= 20, "nothing is found in the padding");
  const far = await find({ width: side, height: 20 }, { width: 2 * side, height: 400 });
  assert.deepEqual([far.scores, far.labels], [cut.scores, cut.labels]);
  assert.match(finder.engine, /op by op/);
  await finder.dispose();
  const bare = await ObjectFinder.open(smallDetector({ masks: false }), { engine: "eager" });
  assert.equal("masks" in (await bare.find({ values: image, covered: square, original: square })), false);
  await bare.dispose();
});
