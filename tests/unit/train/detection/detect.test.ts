import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { startBackend } from "../../../../src/core/tf";
import { batches } from "../../../../src/data/loader";
import { openDetector } from "../../../../src/models/detector/checkpoints";
import { detect } from "../../../../src/train/detection/detect";
import { DetectorFeeds } from "../../../../src/train/detection/feeds";
import { openRun } from "../../../../src/train/openRun";
import { isLuvitError } from "../../nn/support";
import { scenes, settings, smallDetector } from "./support";

before(() => startBackend({ backend: "wasm" }));

const folder = () => join(mkdtempSync(join(tmpdir(), "luvit-detect-")), "run");
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
