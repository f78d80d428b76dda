import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { evaluate, evaluateDetector } from "../../../../src/analysis/detection";
import { Rng } from "../../../../src/core/rng";
import { startBackend } from "../../../../src/core/tf";
import { type DetectionDataset, openCoco } from "../../../../src/data/coco";
import { largeScaleJitter } from "../../../../src/data/detection";
import { batches } from "../../../../src/data/loader";
import { openDetector } from "../../../../src/models/detector/checkpoints";
import { Detector } from "../../../../src/models/detector/detector";
import { detect } from "../../../../src/train/detection/detect";
import { DetectorFeeds } from "../../../../src/train/detection/feeds";
import { averagePrecision } from "../../../../src/train/detection/validate";
import { openRun } from "../../../../src/train/openRun";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { isLuvitError, repository } from "../../nn/support";
import { scenes, settings, smallDetector } from "./support";

before(() => startBackend({ backend: "wasm" }));

const folder = () => join(temporaryFolder("detect"), "run");
const losses = (run: { history: readonly { loss: number }[] }) => run.history.map(({ loss }) => loss);

test("a run repeats with its seed, lowers its loss, and knows the classes and itself", async () => {
  const images = await scenes("train", 8);
  const train = (seed: number) =>
    detect(smallDetector(), images, { ...settings, epochs: 6, lr: 5e-3, seed, out: false }).done;
  const [first, again, other] = [await train(1), await train(1), await train(2)];
  assert.deepEqual(losses(first), losses(again));
  assert.notDeepEqual(losses(first), losses(other));
  const mean = (from: number) =>
    losses(first)
      .slice(from, from + 6)
      .reduce((a, b) => a + b, 0) / 6;
  assert.ok(mean(18) < 0.9 * mean(0), `${mean(0)} -> ${mean(18)}`);
  assert.deepEqual(first.model.classNames, images.classes);
});

test("a stopped run goes on exactly where it was", async () => {
  const images = await scenes("train", 6);
  const whole = await detect(smallDetector(), images, { ...settings, out: false }).done;
  const out = folder();
  const begun = detect(smallDetector(), images, { ...settings, out });
  begun.onRecord(({ step }) => {
    if (step === 2) void begun.stop();
  });
  const { stopped } = await begun.done;
  assert.equal(stopped, true);
  const { model, history } = await detect(smallDetector(), images, { ...settings, out, resume: true }).done;
  assert.deepEqual(losses({ history }), losses(whole));
  const [mine, theirs] = [await model.stateDict(), await whole.model.stateDict()];
  for (const [path, { data }] of theirs) assert.deepEqual(mine.get(path)?.data, data, path);
  const opened = await openDetector(out);
  assert.deepEqual(
    (await opened.stateDict()).get("backbone.net.pos_embed")?.data,
    mine.get("backbone.net.pos_embed")?.data,
  );
  const saved = await openRun(out);
  assert.equal(saved.task, "detect");
  assert.equal((await saved.model()).constructor.name, "Detector");
});

test("the rate warms up and falls behind its milestones, by steps", async () => {
  const images = await scenes("train", 4);
  const options = {
    ...settings,
    epochs: 5,
    warmupSteps: 2,
    warmupFactor: 0.5,
    milestones: [0.6, 0.9],
    out: false,
  } as const;
  const { history } = await detect(smallDetector({ masks: false }), images, options).done;
  const rates = history.map(({ lr }) => Number((lr / settings.lr).toFixed(6)));
  assert.deepEqual(rates, [0.5, 0.75, 1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01]);
});

test("accumulated batches weigh every image the same as one batch of them does", async () => {
  const images = await scenes("train", 4);
  const feeds = new DetectorFeeds(smallDetector(), { dropPath: 0, normalize: "image" });
  const together: Record<string, number> = {};
  for await (const batch of batches(images, { batchSize: 4, shuffle: false })) {
    const { "rois.classes": classes, "masks.weights": masks } = feeds.first(batch, new Rng(1));
    const rows = classes.data.length / 4;
    for (let image = 0; image < 4; image++) {
      const sum = Float32Array.from(classes.data)
        .subarray(image * rows, (image + 1) * rows)
        .reduce((a, b) => a + b, 0);
      together[image] = sum;
      assert.ok(Math.abs(sum - 0.25) < 1e-6);
    }
    assert.ok(Array.from(masks.data).some((weight) => weight > 0));
  }
  assert.equal(Object.keys(together).length, 4);
});

test("images of another size, too many classes and rates by epochs are refused by name", async () => {
  const images = await scenes("train", 4);
  const model = smallDetector();
  const other = images.withTransform((await scenes("val", 1)).transform);
  assert.doesNotThrow(() => other);
  assert.throws(
    () => detect(model, images, { ...settings, warmupEpochs: 1 } as never),
    isLuvitError("bad-argument", "warmupEpochs"),
  );
  assert.throws(
    () => detect(model, images, { ...settings, milestones: [0.9, 0.5] }),
    isLuvitError("bad-argument", "milestones"),
  );
});

test("after every epoch a run says what evaluating the detector says, and goes on as without", async () => {
  const [images, validation] = [await scenes("train", 4), await scenes("val", 6)];
  const out = folder();
  const options = { ...settings, lr: 5e-3 };
  const { history, model } = await detect(smallDetector(), images, { ...options, out, validation }).done;
  const { boxes, masks } = await evaluateDetector(model, validation, { engine: "onnxruntime", threads: 1 });
  const ends = history.filter(({ boxAP }) => boxAP !== undefined);
  assert.deepEqual(
    ends.map(({ step }) => step),
    [2, 4],
  );
  assert.ok(Math.abs(ends[1].boxAP - 100 * boxes!.summary.AP) < 1e-9);
  assert.ok(Math.abs(ends[1].maskAP - 100 * masks!.summary.AP) < 1e-9);
  const written = readFileSync(join(out, "metrics.jsonl"), "utf8").trim().split("\n");
  assert.deepEqual(JSON.parse(written[3]).boxAP, ends[1].boxAP);
  const without = await detect(smallDetector(), images, { ...options, out: false }).done;
  assert.deepEqual(losses({ history }), losses(without));
});

test("AP of one kind and the scores of the same results are one number, classes without objects left out", async () => {
  const { truth } = await scenes("val", 20);
  const rng = new Rng(3);
  const results = truth.annotations.flatMap((one) => {
    const [x, y, width, height] = one.box;
    const box = [x + 0.4 * width * rng.uniform(), y, width, height] as const;
    const double = { ...one, box, score: rng.uniform(), mask: truth.mask(one) };
    return rng.uniform() < 0.3 ? [] : [double, { ...double, score: rng.uniform() }];
  });
  for (const kind of ["bbox", "segm"] as const) {
    const { summary } = await evaluate(truth, results, { kind });
    assert.ok(summary.AP > 0.1 && summary.AP < 0.9, String(summary.AP));
    assert.ok(Math.abs((await averagePrecision(truth, results, kind)) - 100 * summary.AP) < 1e-9);
  }
});

/** The same images, of whose objects the first has a box alone. */
async function withoutPolygons(set: DetectionDataset): Promise<DetectionDataset> {
  const content = JSON.parse(
    readFileSync(join(repository, "data/shapes/coco/annotations/instances_train.json"), "utf8"),
  );
  delete content.annotations[0].segmentation;
  const annotations = join(temporaryFolder("boxes"), "instances.json");
  writeFileSync(annotations, JSON.stringify(content));
  return (await openCoco({ images: set.root, annotations, transform: set.transform })).take(4);
}

/** The same images, whose first class has another name. */
async function renamed(set: DetectionDataset): Promise<DetectionDataset> {
  const file = join(repository, "data/shapes/coco/annotations/instances_val.json");
  const content = JSON.parse(readFileSync(file, "utf8"));
  content.categories[0].name = "cod";
  const annotations = join(temporaryFolder("classes"), "instances.json");
  writeFileSync(annotations, JSON.stringify(content));
  return openCoco({ images: set.root, annotations, transform: set.transform });
}

test("sets that cannot be evaluated are refused before anything is trained", async () => {
  const [images, held] = [await scenes("train", 4), await scenes("val", 2)];
  const jittered = held.withTransform(largeScaleJitter(48));
  const wrong: [typeof held, string][] = [
    [jittered, "fitSquare(48)"],
    [await renamed(held), "class 0 is fish for the detector, cod in the set"],
    [held.subset([]), "none of the 0 images to validate with has an object"],
  ];
  for (const [validation, word] of wrong)
    assert.throws(
      () => detect(smallDetector(), images, { ...settings, validation, out: false }),
      isLuvitError("bad-argument", word),
    );
  const seven = new Detector({ ...smallDetector().settings, classes: 7 });
  await assert.rejects(
    evaluateDetector(seven, held),
    isLuvitError("bad-argument", "the set has 6 classes, the detector tells 7 apart"),
  );
  await assert.rejects(
    evaluateDetector(smallDetector(), jittered),
    isLuvitError("bad-argument", "fitSquare(48)"),
  );
});

test("masks are learned from polygons, or the objects without are named before anything is trained; boxes need none", async () => {
  const bare = await withoutPolygons(await scenes("train", 4));
  const start = (masks: boolean) =>
    detect(smallDetector({ masks }), bare, { ...settings, epochs: 1, out: false });
  assert.throws(() => start(true), isLuvitError("bad-dataset", "a box alone", "masks: false"));
  const run = start(false);
  assert.equal((await run.done).history.length, 2);
});
