import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { packageRoot } from "../../../src/core/packageRoot";
import { Rng } from "../../../src/core/rng";
import { startBackend } from "../../../src/core/tf";
import { imageFolder, transforms } from "../../../src/data";
import { openCoco } from "../../../src/data/coco";
import { fitSquare } from "../../../src/data/detection";
import { imageNetS } from "../../../src/data/segmentation";
import type { Workers } from "../../../src/engine";
import { classifier, segmenter, vit } from "../../../src/models";
import { Agreement, type Sharing } from "../../../src/train/agreement";
import type { ObjectFinder } from "../../../src/train/detection/finder";
import { validate } from "../../../src/train/detection/validate";
import { evaluateWith, type Scores } from "../../../src/train/evaluate";
import { squareIoU } from "../../../src/train/squareIoU";

const shapes = join(packageRoot(), "data", "shapes");
const transform = transforms.evaluation(64);

/** Workers of one process: what each gathers comes back when all have. */
function workersOf(size: number): Sharing[] {
  let waiting: { own: unknown; resolve(all: unknown[]): void }[] = [];
  const all: { own: unknown; resolve(all: unknown[]): void }[][] = [];
  return Array.from({ length: size }, (_, rank) => ({
    ...{ rank, size },
    gather: <T>(own: T) =>
      new Promise<T[]>((resolve) => {
        waiting[rank] = { own, resolve: resolve as (all: unknown[]) => void };
        if (Object.keys(waiting).length < size) return;
        all.push(waiting);
        waiting = [];
        for (const one of all.at(-1)!) one.resolve(all.at(-1)!.map((each) => structuredClone(each.own)));
      }),
  }));
}

/** Numbers that follow from an image's pixels alone. */
function drawn(images: Float32Array, of: number, count: number): Float32Array {
  const numbers = new Float32Array((images.length / of) * count);
  for (let i = 0; i < images.length / of; i++) {
    const rng = new Rng(Math.round(1e6 * Math.abs(images[i * of + 7] + images[i * of + 4000])));
    for (let k = 0; k < count; k++) numbers[i * count + k] = Math.log(rng.uniform() + 1e-3);
  }
  return numbers;
}

const pixels = 3 * 64 * 64;

describe("an evaluation that workers share gives the numbers of one alone, to the digit", () => {
  before(() => startBackend());

  /** Results of one worker, and of each of 2, 3 and 7. */
  async function expectSame<T>(evaluate: (sharing: Sharing) => Promise<T>): Promise<T> {
    const [alone] = await Promise.all(workersOf(1).map(evaluate));
    for (const size of [2, 3, 7])
      for (const shared of await Promise.all(workersOf(size).map(evaluate))) assert.deepEqual(shared, alone);
    return alone;
  }

  test("accuracy and loss of a classifier", async () => {
    const images = (await imageFolder(join(shapes, "val"), { transform })).take(29);
    const model = classifier.create({ encoder: vit.toy, classes: 6 });
    const scores: Scores = async ({ images: fed }) => ({
      scores: drawn(fed.data as Float32Array, pixels, 6),
    });
    const found = await expectSame((sharing) => evaluateWith(scores, model, images, 4, sharing));
    assert.equal(found.labels.length, 29);
    assert.ok(found.top1 > 0 && found.top1 < 100 && found.loss > 0, String(found));
  });

  test("overlap of a segmenter", async () => {
    const places = { images: join(shapes, "val"), masks: join(shapes, "segmentation", "validation") };
    const set = (await imageNetS({ ...places, patch: 8, transform })).take(11);
    const model = segmenter.create({ encoder: vit.toy, classes: set.classes.length + 1 });
    const logits = async (feeds: { images: { data: unknown } }) =>
      drawn(feeds.images.data as Float32Array, pixels, model.classes * 64);
    const found = await expectSame((sharing) => squareIoU(logits as never, model, set, 2, sharing));
    assert.ok(found > 0 && found < 100, String(found));
  });

  test("average precision of a detector", async () => {
    const set = (await openCoco({ root: join(shapes, "coco"), part: "val", transform: fitSquare(96) })).take(
      9,
    );
    const keyOf = (values: Float32Array) => [7, 4000, 9000].map((at) => values[at]).join(" ");
    const truths = new Map<string, { box: readonly number[]; label: number }[]>();
    for (let i = 0; i < set.length; i++) {
      const { image } = await set.load(i, new Rng(0));
      const ofImage = set.truth.of(set.images[i].id);
      const label = (id: number) => set.truth.categories.findIndex((one) => one.id === id);
      truths.set(
        keyOf(image),
        ofImage.map(({ box, categoryId }) => ({ box, label: label(categoryId) })),
      );
    }
    const finder = {
      find: async ({ values }: { values: Float32Array }) => {
        const objects = truths.get(keyOf(values))!;
        const rng = new Rng(Math.round(1e6 * Math.abs(values[4000])));
        return {
          boxes: Float32Array.from(
            objects.flatMap(({ box: [x, y, w, h] }) => [x, y, x + w, y + h * rng.uniform()]),
          ),
          scores: Float32Array.from(objects, () => rng.uniform()),
          labels: Int32Array.from(objects, ({ label }) => label),
        };
      },
    } as unknown as ObjectFinder;
    const found = await expectSame((sharing) => validate(finder, set, false, sharing));
    assert.ok(found.boxAP > 0 && found.boxAP < 100, JSON.stringify(found));
  });
});

/** What an agreement asks of workers. */
const agreements = (size: number) =>
  workersOf(size).map((sharing) => new Agreement(sharing as unknown as Workers));

test("workers that were started with other settings, or without some, are named with what differs", async () => {
  const facts = { lr: 0.1, seed: 1, "training data, class cat": { files: 3, names: "ab" } };
  const others = [facts, facts, { lr: 0.1, "training data, class cat": { files: 4, names: "ab" } }];
  const all = await Promise.allSettled(agreements(3).map((one, i) => one.expectAlike(others[i])));
  for (const outcome of all) {
    assert.equal(outcome.status, "rejected");
    const { message } = (outcome as PromiseRejectedResult).reason;
    assert.match(message, /seed: none at worker 3, 1 at the first/);
    assert.match(message, /class cat: .*"files":4.* at worker 3, .*"files":3.* at the first/);
    assert.doesNotMatch(message, /worker 2|lr:/);
  }
  await Promise.all(agreements(3).map((one) => one.expectAlike(facts)));
});

test("what one worker could not read, all know after the epoch, each file once", async () => {
  const [first, second] = await Promise.all([
    imageFolder(join(shapes, "val"), { transform }),
    imageFolder(join(shapes, "val"), { transform }),
  ]);
  first.report.add("a.png", "a.png: broken");
  first.report.add("b.png", "b.png: broken");
  second.report.add("b.png", "b.png: broken");
  second.report.add("c.png", "c.png: broken");
  await Promise.all(agreements(2).map((one, i) => one.shareReports([[first, second][i]])));
  for (const { report } of [first, second])
    assert.deepEqual(report.skipped.map(({ path }) => path).sort(), ["a.png", "b.png", "c.png"]);
});
