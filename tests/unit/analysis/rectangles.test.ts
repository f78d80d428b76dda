import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import sharp from "sharp";
import { attentionEntropy, patchMaps } from "../../../src/analysis/attentionEntropy";
import { attentionMaps } from "../../../src/analysis/attentionMaps";
import { entropyShares } from "../../../src/analysis/entropyShares";
import { extractFeatures } from "../../../src/analysis/features";
import { gradientSignal } from "../../../src/analysis/gradientSignal";
import { ablateHeads, patchActivations } from "../../../src/analysis/interventions";
import { lens } from "../../../src/analysis/lens";
import { rowsOf } from "../../../src/analysis/provenance";
import { pseudoMaskIou } from "../../../src/analysis/pseudoMaskIou";
import { rowWeights } from "../../../src/analysis/quantizedRows";
import { reconstruct } from "../../../src/analysis/reconstruction";
import { faithfulness, type RelevanceMethod, relevance } from "../../../src/analysis/relevance";
import { attentionDistances, tokenNorms } from "../../../src/analysis/representations";
import { segmentationMaps } from "../../../src/analysis/segmentation";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { imageFolder } from "../../../src/data/imageFolder";
import { batches } from "../../../src/data/loader";
import { preview } from "../../../src/data/preview";
import { imageNetS, type MaskedDataset } from "../../../src/data/segmentation";
import * as transforms from "../../../src/data/transforms";
import { type WholeSample, wholeImages } from "../../../src/data/wholeImages";
import { entropyMaps, entropyOverlays } from "../../../src/figures/entropyMaps";
import { reconstructionGrid } from "../../../src/figures/maps";
import { segmentation as segmentationFigure } from "../../../src/figures/segmentation";
import { segmenter } from "../../../src/models";
import { evaluate } from "../../../src/train/evaluate";
import { tinyViT } from "../train/support";
import { assertRejects, temporaryFolder, tinyClassifier, tinyLuvit, tinyMae } from "./support";

before(async () => void (await startBackend()));

/** Width and height; patches of 8 px. The last but one leaves pixels that fill no patch. */
const sizes: readonly (readonly [number, number])[] = [
  [24, 16],
  [16, 32],
  [24, 16],
  [16, 16],
  [27, 21],
  [24, 16],
];
const grids = [
  [2, 3],
  [4, 2],
  [2, 3],
  [2, 2],
  [2, 3],
  [2, 3],
];

/** Images of these sizes whose left half belongs to an object, with their masks. */
async function rectangles(): Promise<MaskedDataset> {
  const root = temporaryFolder();
  const [images, masks] = [join(root, "images"), join(root, "masks")];
  for (const folder of [images, masks]) await mkdir(join(folder, "class"), { recursive: true });
  for (const [number, [width, height]] of sizes.entries()) {
    const draw = async (folder: string, color: (x: number, y: number) => number[]) => {
      const pixels = Array.from({ length: width * height }, (_, i) =>
        color(i % width, Math.floor(i / width)),
      );
      const raw = { width, height, channels: 3 } as const;
      const file = join(folder, "class", `${number}.png`);
      await sharp(Buffer.from(pixels.flat()), { raw }).png().toFile(file);
    };
    await draw(images, (x, y) => [(37 * x + 11 * y) % 256, (5 * x * y) % 256, (90 * number) % 256]);
    await draw(masks, (x) => [x < 8 ? 1 : 0, 0, 0]);
  }
  return imageNetS({ images, masks, patch: 8, transform: transforms.evaluation(16) });
}

const whole = async () => wholeImages(await rectangles(), { patch: 8 });

/** Entropies [P] of the last block's attention, mean over heads, straight from the model. */
function entropyOf(image: Float32Array, height: number, width: number): Float32Array {
  let found: Tensor | undefined;
  const tap = (name: string, value: Tensor) => {
    if (name === "blocks.1.attn.pattern") found = value;
  };
  tinyLuvit().tokens(tf.tensor(image, [1, 3, height, width]), { tap, positions: "mae" });
  const rows = tf.neg(tf.sum(tf.mul(found!, tf.log(found!)), -1));
  const mean = tf.mean(rows, 1).dataSync();
  return Float32Array.from(mean.slice(1));
}

function assertClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < actual.length; i++)
    assert.ok(Math.abs(actual[i] - expected[i]) <= tolerance, `${i}: ${actual[i]} and ${expected[i]}`);
}

test("whole images keep their shapes, and masks go along; what fills no patch is left out", async () => {
  const set = await whole();
  for (const [i, [rows, columns]] of grids.entries()) {
    const sample = (await set.load(i, new Rng(0))) as Awaited<ReturnType<typeof set.load>> & {
      foreground: Uint8Array;
    };
    assert.deepEqual([sample.height, sample.width], [8 * rows, 8 * columns]);
    assert.equal(sample.image.length, 3 * sample.height * sample.width);
    const left = Array.from({ length: rows * columns }, (_, patch) => Number(patch % columns === 0));
    assert.deepEqual([...sample.foreground], left);
  }
  const [shown] = await preview(wholeImages(await rectangles(), { patch: 8, shorterSide: 16 }).subset([4]));
  assert.deepEqual([shown.width, shown.height], [16, 16], "20 x 16 px, of which 16 x 16 fill patches");
});

test("maps of rectangles are those that the model makes of each alone, in the order of the set", async () => {
  const set = await whole();
  for (const options of [{}, { batchSize: 2 }, { batchSize: 1, graphs: 1 }]) {
    const maps = await patchMaps(tinyLuvit(), set, options);
    assert.deepEqual(
      maps.map(({ grid: { rows, columns } }) => [rows, columns]),
      grids,
    );
    for (const [i, { sample, shape, entropy, norm }] of maps.entries()) {
      assert.equal(sample.index, i);
      assertClose(entropy, entropyOf(sample.image, shape.height, shape.width));
      assert.ok(entropy.every((value) => value <= Math.log(entropy.length + 1) + 1e-6));
      assert.equal(norm.length, entropy.length);
    }
    const figures = [await entropyMaps(maps), await entropyOverlays(maps)];
    for (const figure of figures) assert.match(await figure.toSvg(), /<svg/);
  }
});

test("a square among them is looked at as a set of squares is", async () => {
  const masked = await rectangles();
  const [own] = await patchMaps(tinyLuvit(), masked.withTransform(transforms.none(16)).subset([3]));
  const [, , , same] = await patchMaps(tinyLuvit(), wholeImages(masked, { patch: 8 }));
  assertClose(same.entropy, own.entropy);
});

test("entropies, shares, pseudo-masks, features, norms and distances take them", async () => {
  const [set, model] = [await whole(), tinyLuvit()];
  const table = await attentionEntropy(model, set, { layers: ["blocks.1"], batchSize: 2 });
  const patches = grids.map(([rows, columns]) => rows * columns);
  assert.equal(table.numRows, 2 * patches.reduce((a, b) => a + b, 0));
  const counts = patches.map(
    (_, i) => rowsOf(table).filter(({ index, head }) => index === i && head === 0).length,
  );
  assert.deepEqual(counts, patches);

  const shares = await entropyShares(model, { mine: set }, { batchSize: 2 });
  for (const [i, { foreground, background }] of rowsOf(shares.table).entries()) {
    const { image, height, width } = await set.load(i, new Rng(0));
    const entropy = entropyOf(image, height, width);
    const mean = (inside: boolean) => {
      const own = entropy.filter((_, patch) => (patch % (width / 8) === 0) === inside);
      return own.reduce((a, b) => a + b, 0) / own.length;
    };
    assertClose([foreground as number, background as number], [mean(true), mean(false)]);
  }

  const columns = await pseudoMaskIou(model, set, { kinds: ["magnitude", "attention"], mean: "column" });
  assert.equal(columns.table.numRows, sizes.length * 2 * 9);
  const { values, dim } = await extractFeatures(model, set, { batchSize: 4 });
  const { image, height, width } = await set.load(1, new Rng(0));
  const seen = model.fc_norm!.forward(
    model.pool(tf.tensor(image, [1, 3, height, width]), { positions: "mae" }),
  );
  assertClose(values.subarray(dim, 2 * dim), seen.dataSync());
  const norms = await tokenNorms(model, set);
  assert.equal(
    norms.norms.get("embed")!.length,
    patches.reduce((a, b) => a + b, 0),
  );
  const [first] = rowsOf(await attentionDistances(model, set));
  assert.ok((first.rescaled as number) >= (first.distance as number));
  assert.equal(first.images, sizes.length);
});

test("relevance by every method, faithfulness and the lens take them", async () => {
  const [set, model] = [(await whole()).subset([0, 1, 3]), tinyLuvit()];
  const methods: RelevanceMethod[] = ["chefer", "legrad", "gradcam", "rollout", "gradient-rollout"];
  for (const method of methods) {
    const maps = await relevance(model, set, { method, batchSize: 2 });
    assert.deepEqual(
      maps.map(({ patches, size }) => [patches.length, size.rows, size.columns]),
      [
        [6, 16, 24],
        [8, 32, 16],
        [4, 16, 16],
      ],
    );
    for (const map of maps) assert.equal(map.pixels().length, map.size.rows * map.size.columns);
  }
  const found = await faithfulness(model, set, { methods: ["rollout"], step: 64 });
  assert.equal(found.table.numRows, 3);
  const [, tall] = await lens(model, set);
  assert.deepEqual([tall.grid.rows, tall.grid.columns, tall.labels("blocks.1.out").length], [4, 2, 8]);
  const { image, height, width } = await set.load(1, new Rng(0));
  const logits = model.forward(tf.tensor(image, [1, 3, height, width]), { positions: "mae" });
  assertClose(tall.sites.at(-1)!.pooled, logits.dataSync());
});

test("attention, its rollout and its entropy take them", async () => {
  const set = await whole();
  const maps = await attentionMaps(tinyLuvit(), set, { index: 1 });
  assert.deepEqual([maps.grid, maps.tokens, maps.layers.length], [{ rows: 4, columns: 2 }, 9, 3]);
  const last = maps.layers[1];
  const { image, height, width } = await set.load(1, new Rng(0));
  const perHead = Array.from({ length: last.heads }, (_, head) =>
    last.entropy.subarray(head * 9 + 1, (head + 1) * 9),
  );
  const mean = Float32Array.from({ length: 8 }, (_, i) => (perHead[0][i] + perHead[1][i]) / 2);
  assertClose(mean, entropyOf(image, height, width));
  for (let row = 0; row < 9; row++)
    assertClose([rowWeights(last.rollout, row).reduce((a, b) => a + b, 0)], [1], 0.02);
});

test("single images of any size are looked at whole where they are given so", async () => {
  const data = Uint8Array.from({ length: 3 * 24 * 16 }, (_, i) => (7 * i) % 256);
  const [map] = await relevance(tinyLuvit(), wholeImages({ data, width: 24, height: 16 }, { patch: 8 }));
  assert.deepEqual([map.grid.rows, map.grid.columns, map.sample.path], [2, 3, "image"]);
});

test("heads are switched off over rectangles, by zero", async () => {
  const [set, model] = [await whole(), tinyClassifier()];
  const found = await ablateHeads(model, set, { layers: ["blocks.1"] });
  assert.deepEqual(
    rowsOf(found.table)
      .map(({ images }) => images)
      .slice(-2),
    [6, 6],
  );
  await assertRejects(
    ablateHeads(model, set, { replaceBy: "mean" }),
    "bad-argument",
    "a mean by place",
    "squares",
  );
});

test("positions may be made by another rule, and a segmenter makes its own", async () => {
  const set = await whole();
  const [mae, sines] = await Promise.all(
    (["mae", "sincos"] as const).map((positions) => patchMaps(tinyLuvit(), set.subset([1]), { positions })),
  );
  assert.notDeepEqual([...mae[0].entropy], [...sines[0].entropy]);
  const model = segmenter.create({ encoder: tinyViT, classes: 2 });
  const [one] = await segmentationMaps(model, set.subset([1]));
  assert.deepEqual([one.prediction.length, one.truth.length, one.entropy.length], [512, 512, 8]);
  assert.match(await (await segmentationFigure(model, set, { images: 2 })).toSvg(), /<svg/);
});

test("masked images are reconstructed in their shapes", async () => {
  const shown = await reconstruct(tinyMae(), (await whole()).subset([0, 1]));
  assert.deepEqual(
    shown.map(({ combined: { width, height } }) => [width, height]),
    [
      [24, 16],
      [16, 32],
    ],
  );
  assert.match(await (await reconstructionGrid(shown)).toSvg(), /<svg/);
});

test("an image that cannot be read, or holds no patch, is left out and named", async () => {
  const masked = await rectangles();
  writeFileSync(masked.path(1), "no image");
  const maps = await patchMaps(tinyLuvit(), wholeImages(masked, { patch: 8 }), { batchSize: 1 });
  assert.deepEqual(
    maps.map(({ sample }) => sample.index),
    [0, 2, 3, 4, 5],
  );
  assert.match(String(masked.report), /1\.png/);
  const large = wholeImages(await rectangles(), { patch: 24 });
  await assertRejects(
    patchMaps(tinyLuvit(), large.subset([1])),
    "bad-dataset",
    "none of the 1 images can be read",
  );
  assert.match(String(large.report), /16 x 32 pixels hold no whole patch of 24 px; give shorterSide/);
});

test("what takes squares only says so, and what to do", async () => {
  const set = await whole();
  const classifier = tinyClassifier();
  for (const promise of [
    evaluate(classifier, set),
    gradientSignal(classifier, set),
    patchActivations(classifier, set, set),
    (async () => batches(set, { batchSize: 2 }))(),
  ])
    await assertRejects(
      promise,
      "bad-argument",
      "takes squares",
      "withTransform(data.transforms.evaluation(",
    );
  await assertRejects(
    patchMaps(tinyLuvit(), wholeImages(await rectangles(), { patch: 4 })),
    "bad-argument",
    "open it with patch: 8",
  );
  const folder = await imageFolder((await rectangles()).images.root);
  await assertRejects(
    segmentationMaps(segmenter.create({ encoder: tinyViT, classes: 2 }), wholeImages(folder, { patch: 8 })),
    "bad-argument",
    "has no mask",
  );
});

test("whole images are cut to patches of 16 pixels where nothing is said, and have the size of their shorter side", () => {
  const image = (width: number, height: number) => ({
    data: new Uint8Array(width * height * 3),
    width,
    height,
  });
  const sizes = [{}, { patch: 8 }, { patch: 8, shorterSide: 72 }].map(
    (options) => wholeImages(image(50, 33), options).size,
  );
  assert.deepEqual(sizes, [16, 8, 72]);
  assert.match(inspect(wholeImages(image(50, 33))), /1 images in their own shapes, cut to patches of 16 px/);
});

test("an image as small as one patch is whole, a smaller one is refused", async () => {
  const load = (width: number, height: number) =>
    wholeImages({ data: new Uint8Array(width * height * 3), width, height }).load(0, new Rng(0));
  const { width, height } = (await load(16, 16)) as WholeSample;
  assert.deepEqual([width, height], [16, 16]);
  for (const [w, h] of [
    [15, 16],
    [16, 15],
  ])
    await assert.rejects(load(w, h), /hold no whole patch of 16 px; give shorterSide/);
});
