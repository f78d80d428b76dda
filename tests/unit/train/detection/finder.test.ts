import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { startBackend } from "../../../../src/core/tf";
import { batches } from "../../../../src/data/loader";
import { detectorAnchors } from "../../../../src/models/detector/stages";
import { DetectorFeeds } from "../../../../src/train/detection/feeds";
import { ObjectFinder } from "../../../../src/train/detection/finder";
import type { Feeds } from "../../../../src/train/feeds";
import { scenes, smallDetector } from "./support";

before(() => startBackend({ backend: "cpu" }));

test("boxes are looked at on their own level, moved by the heads' weights, and masks are drawn of their classes", async () => {
  const model = smallDetector();
  const { regions, rois, classes, pyramid } = model.settings;
  const count = detectorAnchors(model.settings).all.length / 4;
  const rng = new Rng(5);
  const logits = Float32Array.from({ length: count }, () => rng.uniform());
  const look = async (moved: number) => {
    const fed: Record<string, Feeds> = {};
    const run = async (name: string, feeds: Feeds): Promise<Record<string, Float32Array>> => {
      fed[name] = feeds;
      const maps = [2, 3, 4, 5].map((level) => [`p${level}`, new Float32Array(256 * pyramid).fill(level)]);
      if (name === "look")
        return { logits, deltas: new Float32Array(4 * count), ...Object.fromEntries(maps) };
      if (name === "masks") return { masks: new Float32Array(5 * (2 * rois.maskBins) ** 2).fill(1) };
      const probabilities = new Float32Array(regions.proposals.test * (classes + 1));
      const deltas = new Float32Array(regions.proposals.test * classes * 4);
      probabilities[4] = 0.9; // the first proposal is of class 4, the second of class 2
      probabilities[classes + 1 + 2] = 0.8;
      deltas[4 * 4] = moved;
      return { probabilities, deltas };
    };
    const size = { width: 48, height: 48 };
    const finder = new ObjectFinder(model, { engine: "none", run, dispose: async () => {} });
    return {
      fed,
      found: await finder.find({ values: new Float32Array(3 * 48 * 48), covered: size, original: size }),
    };
  };
  const { fed, found } = await look(0);
  assert.deepEqual([...found.labels], [4, 2]);
  assert.deepEqual([...fed.masks.classes.data].slice(0, 2), [4, 2]);
  const [boxes, masks] = [fed.boxes.pooled.data, fed.masks.pooled.data];
  assert.deepEqual(
    [masks[0], masks[masks.length / 5]],
    [boxes[0], boxes[boxes.length / regions.proposals.test]],
  );
  assert.equal(Math.round(masks[0]), 2, "a small one");
  const [left, , right] = found.boxes;
  const way = left + right < 48 ? 1 : -1;
  const [there] = (await look(way)).found.boxes;
  assert.ok(Math.abs(there - left - (way * (right - left)) / rois.weights[0]) < 1e-3, `${left} to ${there}`);
});

test("images of a batch that are alike are sampled from apart", async () => {
  const model = smallDetector();
  const anchors = detectorAnchors(model.settings).all.length / 4;
  const feeds = new DetectorFeeds(model, { dropPath: 0, normalize: "image" });
  for await (const batch of batches(await scenes("train", 2), { batchSize: 2, shuffle: false })) {
    const [one] = batch.samples;
    const twice = feeds.first({ ...batch, samples: [one, one] } as never, new Rng(3));
    const places = Array.from(twice["regions.places"].data, (place) => place % anchors);
    const half = places.length / 2;
    assert.notDeepEqual(places.slice(0, half), places.slice(half));
    assert.equal(new Set(places.slice(0, half)).size, half, "no anchor twice");
  }
});
