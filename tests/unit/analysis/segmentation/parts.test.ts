import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, before, test } from "node:test";
import sharp from "sharp";
import {
  countImage,
  emptyCounts,
  SegmentationEvaluation,
  SegmentationScores,
  segmentationMaps,
} from "../../../../src/analysis/segmentation";
import { countsFrom, countsTable } from "../../../../src/analysis/segmentation/countsTable";
import { squares, wholeImages } from "../../../../src/analysis/segmentation/prepare";
import { type SegmentationOptions, segmentation } from "../../../../src/analysis/suite";
import { LuvitError } from "../../../../src/core/errors";
import { showWorkWith } from "../../../../src/core/progress";
import { Rng } from "../../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { imageNetS, transforms } from "../../../../src/data";
import { readTable, writeTable } from "../../../../src/io/tables/table";
import { segmenter } from "../../../../src/models";
import { predictIds } from "../../../../src/models/predictIds";
import { perturb } from "../../models/support";
import { assertClose, isLuvitError } from "../../nn/support";
import { maskedImages, temporaryFolder } from "../support";

before(async () => void (await startBackend()));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const vit = { imageSize: 16, patchSize: 8, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };

function model(classes = 2) {
  const made = segmenter.create({ encoder: vit, classes });
  perturb(made);
  return made;
}

/** Images of these heights and widths, the object in their left half. */
async function setOf(sizes: readonly (readonly [number, number])[]) {
  const root = temporaryFolder();
  const rng = new Rng(2);
  for (const part of ["validation", "validation-segmentation"]) {
    mkdirSync(join(root, part, "a"), { recursive: true });
    for (const [i, [height, width]] of sizes.entries()) {
      const of = (x: number) => (part === "validation" ? Array.from({ length: 3 }, () => rng.integer(256)) : [Number(x < width / 2), 0, 0]); // biome-ignore format: one choice
      const data = Array.from({ length: height * width }, (_, at) => of(at % width)).flat();
      await sharp(Buffer.from(data), { raw: { width, height, channels: 3 } })
        .png()
        .toFile(join(root, part, "a", `${i}.png`));
    }
  }
  return imageNetS({ root, patch: 8, transform: transforms.evaluation(16) });
}

/** Counts of random maps of four classes, in which some class is found that is nowhere. */
function randomCounts(classes = 4) {
  const rng = new Rng(7);
  const counts = emptyCounts(classes);
  for (let i = 0; i < 5; i++) {
    const ids = (most: number) => Int32Array.from({ length: 400 }, () => rng.integer(most));
    countImage(counts, ids(classes), ids(classes - 1), 20, 20);
  }
  return counts;
}

test("counts are read as they were kept, those of classes that were only predicted among them", async () => {
  const counts = randomCounts();
  assert.ok(counts.whole.prediction[3] > 0 && counts.whole.target[3] === 0);
  const file = join(temporaryFolder(), "counts.arrow");
  await writeTable(file, countsTable(counts));
  assert.deepEqual(countsFrom(await readTable(file), 4), counts);
});

test("bands and sizes have numbers of their own, each the mean of its classes", () => {
  const counts = randomCounts();
  const pixels = (both: number[], target: number[], prediction: number[]) => ({
    both: Float64Array.from(both),
    target: Float64Array.from(target),
    prediction: Float64Array.from(prediction),
  });
  const none = pixels([0, 0], [0, 0], [0, 0]);
  const of = (share: number) => pixels([share, share], [100, 100], [share, share]);
  const scores = new SegmentationScores(
    {
      ...counts,
      whole: pixels([50, 10], [100, 20], [50, 20]),
      bands: of(20),
      sizes: { S: of(1), MS: of(2), ML: pixels([9, 0], [100, 0], [9, 50]), L: none },
      sizeBands: { S: of(5), MS: none, ML: of(7), L: of(8) },
      images: { f: 1.5, right: 3, count: 4 },
    },
    ["a"],
    { model: "m", data: "d", recipe: "r", seed: 1 },
  );
  const expected = {
    mIoU: (50 + 100 / 3) / 2,
    boundaryMIoU: 20,
    F: 37.5,
    accuracy: 75,
    S: 1,
    MS: 2,
    ML: 9,
    L: Number.NaN,
    boundaryS: 5,
    boundaryMS: Number.NaN,
    boundaryML: 7,
    boundaryL: 8,
  };
  assert.deepEqual(Object.keys(scores.summary), Object.keys(expected));
  for (const [name, value] of Object.entries(expected)) {
    const found = scores.summary[name as "S"];
    assert.ok(Number.isNaN(value) ? Number.isNaN(found) : Math.abs(found - value) < 1e-6, `${name} ${found}`);
  }
  const rows = scores.table.toArray().map(({ id, name, iou, pixels, model, data, recipe, seed }) => {
    return [id, name, Math.round(iou), pixels, model, data, recipe, seed];
  });
  assert.deepEqual(rows, [[0, "other", 50, 100, "m", "d", "r", 1], [1, "a", 33, 20, "m", "d", "r", 1]]); // biome-ignore format: two rows
  assert.match(String(scores), /^segmentation of 4 images, percent\nmetric +%\n[─ ]+\nmIoU +41\.7\n/);
  assert.match(String(scores), /boundaryMS +–/);
});

test("an evaluation prints its protocol, its shapes, what was not looked at and what could not be read", () => {
  const made = (shapes: Record<string, number>, missing: string[], unreadable: string[]) =>
    new SegmentationEvaluation(randomCounts(), {
      classes: ["a", "b", "c"],
      about: {},
      protocol: "as they are",
      shapes,
      missing,
      unreadable,
    });
  assert.match(String(made({}, [], [])), /\nas they are$/);
  assert.match(String(made({ "8 x 8": 2 }, [], [])), /\nas they are, 1 shape of images$/);
  const part = made({ "8 x 8": 2, "8 x 16": 1 }, ["images 3 to 4"], ["x.png: torn"]);
  assert.match(
    String(part),
    /as they are, 2 shapes of images\nnot looked at: images 3 to 4\n1 images could not be read:\n.*x\.png: torn$/,
  );
  assert.deepEqual([made({}, [], []).complete, part.complete], [true, false]);
});

test("whole images keep what fills patches, and a pixel more where they would be taken for squares", async () => {
  const sizes = [[16, 16], [16, 27], [40, 16], [19, 18], [18, 19], [32, 48]] as const; // biome-ignore format: one list
  const set = await setOf(sizes);
  const shapes = await Promise.all(
    sizes.map(async (_, i) => {
      const { height, width, pixels, target } = (await wholeImages(set, model(), 18)(i))!;
      assert.equal(pixels.length, 3 * height * width);
      assert.deepEqual([target.height, target.width], sizes[i], "the mask stays as it is");
      return [height, width];
    }),
  );
  // Shorter sides of 18: 18 x 18, 18 x 30, 45 x 18, 19 x 18, 18 x 19, 18 x 27.
  assert.deepEqual(shapes, [[16, 16], [16, 24], [40, 16], [17, 16], [16, 17], [16, 24]]); // biome-ignore format: one list
  const one = (await squares(set)(1))!;
  const { image, ids } = await set.load(1, new Rng(0));
  assert.deepEqual([one.height, one.width, one.index, one.path], [16, 16, 1, set.path(1)]);
  assert.deepEqual([one.pixels, one.target.ids], [image, ids]);
  const failing = Object.assign(Object.create(set) as typeof set, {
    pair: async () => {
      throw new LuvitError("missing-file", "gone");
    },
  });
  await assert.rejects(wholeImages(failing, model(), 18)(0), isLuvitError("missing-file", "gone"));
});

test("maps are what the model makes of each image, with the entropy of the layer that is asked for", async () => {
  const of = model();
  const set = await maskedImages([
    ["object", "ground", "ground", "ground"],
    ["ground", "object", "object", "ignored"],
    ["ground", "ground", "object", "object"],
  ]);
  const entropies: string[] = [];
  for (const layer of [undefined, "blocks.0"]) {
    const maps = await segmentationMaps(of, set, { layer, batchSize: 2, engine: "eager" });
    assert.equal(maps.length, 3);
    for (const [i, { sample, truth, prediction, entropy, grid, shape }] of maps.entries()) {
      let pattern: Tensor | undefined;
      const tap = (name: string, value: Tensor) => {
        if (name === `${layer ?? "blocks.1"}.attn.pattern`) pattern = value;
      };
      const logits = of.forward(tf.tensor(sample.image, [1, 3, 16, 16]), { tap }).dataSync() as Float32Array;
      assert.deepEqual(prediction, predictIds({ logits, rows: 2, columns: 2 }, 16, 16));
      const rows = tf.neg(tf.sum(tf.mul(pattern!, tf.log(pattern!)), -1));
      assertClose(entropy, tf.mean(rows, 1).dataSync().slice(1), 1e-5);
      const own = await set.load(i, new Rng(0));
      assert.deepEqual([truth, sample.path], [own.ids, set.path(i)]);
      assert.deepEqual(
        [grid, shape],
        [
          { rows: 2, columns: 2 },
          { height: 16, width: 16 },
        ],
      );
    }
    entropies.push(String(maps[0].entropy));
  }
  assert.notEqual(entropies[0], entropies[1]);
  await assert.rejects(
    segmentationMaps(of, set, { layer: "blocks.2" }),
    isLuvitError("bad-argument", "segmentationMaps", "blocks.2", "blocks.1"),
  );
});

test("shards in one folder count their own images, a stopped one the pieces that it has finished", async () => {
  const set = await setOf([[16, 16], [16, 24], [16, 16], [16, 24]]); // biome-ignore format: one list
  const out = temporaryFolder();
  const about = { model: "m", recipe: "r", seed: 4, data: "mine" };
  const run = (options: SegmentationOptions) =>
    segmentation(model(), set, { engine: "eager", ...about, ...options });
  const count = async (options: SegmentationOptions) => (await run(options)).scores.counts.images.count;
  assert.equal(await count({ out, shard: { index: 1, count: 2 } }), 2);
  assert.equal(await count({ out, shard: { index: 2, count: 2 } }), 2);
  const file = join(out, "segmentation", "segmentation.arrow");
  assert.ok(!existsSync(file));
  const whole = await run({ out });
  assert.equal(whole.scores.counts.images.count, 4);
  const [row] = (await readTable(file)).toArray();
  assert.deepEqual([row.model, row.recipe, row.seed, row.data], ["m", "r", 4, "mine"]);
  assert.deepEqual(whole.shapes, {}, "nothing was looked at again");
  const seen: unknown[] = [];
  const stop = new AbortController();
  showWorkWith(({ label, total, kept }) => {
    seen.push([label, total, kept]);
    return {
      advance: (done) => {
        seen.push(done);
        if (done === 3) stop.abort();
      },
      end: (state) => void seen.push(state),
    };
  });
  const place = temporaryFolder();
  const part = await run({ out: place, keepEvery: 2, signal: stop.signal });
  assert.deepEqual(seen, [["segmentation, mine", 4, 0], 1, 2, 3, "stopped"]);
  assert.deepEqual([part.missing, part.scores.counts.images.count], [["images 2 to 3"], 2]);
  seen.length = 0;
  assert.deepEqual((await run({ out: place, keepEvery: 2 })).summary, whole.summary);
  assert.deepEqual(seen, [["segmentation, mine", 4, 2], 1, 2, "done"]);
  await assert.rejects(run({ out: place, data: "other" }), isLuvitError("bad-argument", 'data: was "mine"'));
});
