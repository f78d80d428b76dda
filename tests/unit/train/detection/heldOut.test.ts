import assert from "node:assert/strict";
import { before, mock, test } from "node:test";
import { decodeMask } from "../../../../src/core/masks";
import { Rng } from "../../../../src/core/rng";
import { startBackend } from "../../../../src/core/tf";
import type { DetectionDataset } from "../../../../src/data/coco";
import { batches } from "../../../../src/data/loader";
import { Detector } from "../../../../src/models/detector/detector";
import { detectorAnchors } from "../../../../src/models/detector/stages";
import { type Sharing, unshared } from "../../../../src/train/agreement";
import { detect } from "../../../../src/train/detection/detect";
import { DetectorFeeds } from "../../../../src/train/detection/feeds";
import { type FoundObjects, ObjectFinder } from "../../../../src/train/detection/finder";
import { validate } from "../../../../src/train/detection/validate";
import type { Forwards } from "../../../../src/train/forwards";
import type * as Loop from "../../../../src/train/loop";
import type { TrainingTask } from "../../../../src/train/steps";
import { isLuvitError } from "../../nn/support";
import { scenes, settings, smallDetector } from "./support";

before(() => startBackend({ backend: "cpu" }));

/** A set whose images hold nothing but their place in it, and a finder that finds in each what the set says, but for those skipped. */
function knownScenes(set: DetectionDataset, skipped: readonly number[] = []) {
  const loaded: number[] = [];
  const load = async (index: number) => {
    loaded.push(index);
    const geometry = { covered: { width: 1, height: 1 } };
    return { index, imageId: set.images[index].id, image: Float32Array.of(index), geometry };
  };
  const find = async ({ values: [index] }: { values: Float32Array }): Promise<FoundObjects> => {
    const found = skipped.includes(index) ? [] : set.truth.of(set.images[index].id);
    return {
      boxes: Float32Array.from(
        found.flatMap(({ box: [x, y, width, height] }) => [x, y, x + width, y + height]),
      ),
      scores: new Float32Array(found.length).fill(0.5),
      labels: Int32Array.from(found, ({ categoryId }) => set.truth.label(categoryId)!),
      masks: found.map((one) => set.truth.mask(one)),
    };
  };
  const dataset = Object.assign(Object.create(set) as DetectionDataset, { load });
  return { dataset, finder: { find } as unknown as ObjectFinder, loaded };
}

/** So many who hand each other what they have. */
function together(size: number): Sharing[] {
  const parts: unknown[] = [];
  let all: (parts: unknown[]) => void;
  const everybody = new Promise<unknown[]>((resolve) => {
    all = resolve;
  });
  return Array.from({ length: size }, (_, rank) => ({
    ...{ rank, size },
    gather: <T>(own: T) => {
      parts[rank] = own;
      if (Object.keys(parts).length === size) all(parts);
      return everybody as Promise<T[]>;
    },
  }));
}

test("a part of a set is held against its own objects alone: all found is 100, however many share the images", async () => {
  const part = (await scenes("val", 20)).subset([3, 0, 11, 7, 5]);
  for (const size of [1, 2, 3]) {
    const { dataset, finder, loaded } = knownScenes(part);
    const all = await Promise.all(together(size).map((one) => validate(finder, dataset, true, one)));
    assert.deepEqual(loaded.sort(), [0, 1, 2, 3, 4], "each image is looked at by one of them");
    for (const { boxAP, maskAP } of all) {
      assert.ok(boxAP > 99.9, `${size}: ${boxAP}`);
      assert.ok(maskAP > 99.9, `${size}: ${maskAP}`);
    }
  }
});

test("objects of an image in which nothing is found are missed; masks are scored where they are drawn", async () => {
  const part = (await scenes("val", 20)).subset([3, 0, 11, 7, 5]);
  const scores: Record<string, number>[] = [];
  for (const size of [1, 2]) {
    const { dataset, finder } = knownScenes(part, [1, 2]);
    scores.push(...(await Promise.all(together(size).map((one) => validate(finder, dataset, false, one)))));
  }
  for (const one of scores) assert.deepEqual(one, scores[0]);
  assert.deepEqual(Object.keys(scores[0]), ["boxAP"]);
  assert.ok(scores[0].boxAP > 0 && scores[0].boxAP < 95, String(scores[0].boxAP));
});

test("so many of the images to validate with may be unreadable as a run allows", async () => {
  const [images, validation] = [await scenes("train", 2), await scenes("val", 4)];
  validation.report.add(validation.path(1), "torn.jpg: torn");
  const start = (maxUnreadable?: number) => {
    const run = detect(smallDetector(), images, { ...settings, validation, maxUnreadable, out: false });
    return run.stop();
  };
  const says = isLuvitError(
    "bad-dataset",
    "1 of 4 images cannot be read (25 %); at most 10 % may be",
    "torn",
  );
  await assert.rejects(start(), says);
  await assert.rejects(start(0.2), isLuvitError("bad-dataset", "at most 20 % may be"));
  assert.equal((await start(0.25)).stopped, true);
});

/** The small detector with other numbers of proposals, and room for all of them. */
function proposing(train: number, test: number): Detector {
  const { settings } = smallDetector({ masks: false });
  const regions = { ...settings.regions, overlap: 1, proposals: { train, test } };
  return new Detector({ ...settings, regions, rois: { ...settings.rois, perImage: 100 } });
}

test("a step samples from as many proposals as are meant for training, and the objects themselves", async () => {
  const set = await scenes("train", 2);
  for (const [train, test] of [
    [4, 11],
    [11, 4],
  ]) {
    const model = proposing(train, test);
    const feeds = new DetectorFeeds(model, { dropPath: 0, normalize: "image" });
    const count = (2 * detectorAnchors(model.settings).all.length) / 4;
    const [rng, deltas] = [new Rng(7), new Float32Array(4 * count)];
    const logits = Float32Array.from({ length: count }, () => rng.uniform());
    for await (const batch of batches(set, { batchSize: 2, shuffle: false })) {
      const first = feeds.first(batch, rng);
      const refined = await feeds.refined(first, batch, rng, async () => ({ logits, deltas }));
      for (const [fed, proposals] of [
        [first, 0],
        [refined, train],
      ] as const) {
        const weights = Float32Array.from(fed["rois.classes"].data);
        const rows = weights.length / 2 / 100;
        for (const [i, sample] of (batch.samples as unknown as { labels: Int32Array }[]).entries()) {
          const own = weights.subarray(100 * rows * i, 100 * rows * (i + 1));
          const samples = own.filter((weight) => weight > 0).length;
          assert.equal(samples, proposals + sample.labels.length, `image ${i}, ${train} and ${test}`);
        }
      }
    }
  }
});

/** Functions of a detector that find three objects in every image, the second of them far below it; with masks that are full but for the second's. */
function threeObjects(model: Detector) {
  const { regions, rois, classes } = model.settings;
  const [side, count] = [2 * rois.maskBins, detectorAnchors(model.settings).all.length / 4];
  const most = rois.detections.perImage;
  return async (name: string): Promise<Record<string, Float32Array>> => {
    if (name === "look") {
      const rng = new Rng(5);
      const logits = Float32Array.from({ length: count }, () => rng.uniform());
      const maps = Object.fromEntries(
        [2, 3, 4, 5].map((level) => [`p${level}`, new Float32Array(16 ** 2 * model.settings.pyramid)]),
      );
      return { logits, deltas: new Float32Array(4 * count), ...maps };
    }
    if (name === "boxes") {
      const probabilities = new Float32Array(regions.proposals.test * (classes + 1));
      const deltas = new Float32Array(regions.proposals.test * classes * 4);
      for (const [row, [label, score]] of [
        [0, 0.9],
        [3, 0.8],
        [1, 0.7],
      ].entries()) {
        probabilities[row * (classes + 1) + label] = score;
        if (row === 1) deltas[4 * (row * classes + label) + 1] = 1e5; // far below the image
      }
      return { probabilities, deltas };
    }
    const masks = new Float32Array(most * side * side);
    masks.fill(1, 0, side * side).fill(1, 2 * side * side, 3 * side * side);
    return { masks };
  };
}

test("an object that lies outside its image is none, and the others keep scores, classes and masks of their own", async () => {
  const model = smallDetector();
  const { encoder } = model.settings;
  const programs = { engine: "none", run: threeObjects(model), dispose: async () => {} } as Forwards;
  const square = { width: encoder.imageSize, height: encoder.imageSize };
  const values = new Float32Array(3 * encoder.imageSize ** 2);
  const found = await new ObjectFinder(model, programs).find({ values, covered: square, original: square });
  assert.deepEqual([...found.labels], [0, 1]);
  assert.deepEqual([...found.scores], [Math.fround(0.9), Math.fround(0.7)]);
  assert.equal(found.boxes.length, 8);
  for (const mask of found.masks!)
    assert.ok(
      decodeMask(mask).some((pixel) => pixel === 1),
      "the empty one is gone",
    );
});

test("a run scores boxes, and masks where its detector draws them", async () => {
  const [images, validation] = [await scenes("train", 2), await scenes("val", 2)];
  const loop = require("../../../../src/train/loop") as typeof Loop;
  for (const masks of [true, false]) {
    const model = smallDetector({ masks });
    const begun = mock.method(loop, "startRun", () => undefined as never);
    detect(model, images, { ...settings, validation, out: false });
    const [task] = begun.mock.calls[0].arguments as unknown as [TrainingTask<Detector>];
    begun.mock.restore();
    assert.deepEqual(Object.keys(task.functions!), [
      "proposals",
      "look",
      "boxes",
      ...(masks ? ["masks"] : []),
    ]);
    const found = await task.evaluate!({ call: threeObjects(model) } as never, unshared);
    assert.deepEqual(Object.keys(found), masks ? ["boxAP", "maskAP"] : ["boxAP"]);
  }
});

test("a detector learns no classes in another order than it knows, nor more, nor images of another size", async () => {
  const images = await scenes("train", 2);
  const refused = (change: (model: Detector) => void, set: DetectionDataset, ...says: string[]) => {
    const model = smallDetector();
    change(model);
    const before = model.classNames;
    assert.throws(
      () => detect(model, set, { ...settings, out: false }),
      isLuvitError("bad-argument", "detect: ", ...says),
    );
    assert.equal(model.classNames, before);
  };
  const turned = [...images.classes].reverse();
  refused(
    (model) => {
      model.classNames = turned;
    },
    images,
    "in another order",
    `class 0 is ${turned[0]} for the model`,
  );
  const more = Object.create(images, { classes: { value: [...images.classes, "cod"] } }) as DetectionDataset;
  refused(() => {}, more, "7 classes, the model's head has 6");
  refused(() => {}, Object.create(images, { size: { value: 64 } }) as DetectionDataset, "64 px", "48 px");
});

test("a detector takes the names of all its classes from what it learns, and keeps its own where they are fewer", async () => {
  const images = await scenes("train", 2);
  const few = Object.create(images, {
    classes: { value: images.classes.slice(0, 5) },
    trainable: { value: () => few },
  }) as DetectionDataset;
  const loop = require("../../../../src/train/loop") as typeof Loop;
  const begun = mock.method(loop, "startRun", () => undefined as never);
  const named = (known: readonly string[] | undefined, set: DetectionDataset) => {
    const model = smallDetector();
    model.classNames = known;
    detect(model, set, { ...settings, out: false });
    return model.classNames;
  };
  const other = ["a", "b", "c", "d", "e", "f"];
  assert.deepEqual([named(undefined, images), named(other, images)], [images.classes, images.classes]);
  assert.deepEqual([named(undefined, few), named(other, few)], [undefined, other]);
  begun.mock.restore();
});
