import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import sharp from "sharp";
import { countImage, emptyCounts, SegmentationScores } from "../../../../src/analysis/segmentation";
import { type SegmentationOptions, segmentation } from "../../../../src/analysis/suite";
import { Rng } from "../../../../src/core/rng";
import { startBackend, tf } from "../../../../src/core/tf";
import { imageNetS, transforms } from "../../../../src/data";
import { decodeMaskIds } from "../../../../src/data/masks";
import { normalize, resize, shorterSideSize } from "../../../../src/data/pixels";
import { segmenter } from "../../../../src/models";
import { predictIds } from "../../../../src/models/predictIds";
import { assertRejects, temporaryFolder } from "../../io/support";
import { perturb } from "../../models/support";

before(async () => void (await startBackend()));

const vit = { imageSize: 16, patchSize: 4, dim: 16, depth: 1, heads: 2, mlpRatio: 2 };
const classes = 3;
/** Squares, rectangles, one that is nearly square, some of one shape. */
const sizes = [
  [24, 24],
  [24, 40],
  [40, 24],
  [24, 40],
  [27, 25],
  [18, 18],
  [24, 40],
  [60, 20],
];

function model() {
  const made = segmenter.create({ encoder: vit, classes });
  perturb(made);
  return made;
}

/** `<root>/validation/<a|b>/*.png` of random pixels and masks of blocks, some ignored. */
async function writeSet(root: string): Promise<string> {
  const rng = new Rng(5);
  for (const [i, [height, width]] of sizes.entries()) {
    const name = join(i % 2 === 0 ? "a" : "b", `${i}.png`);
    for (const part of ["validation", "validation-segmentation"])
      mkdirSync(join(root, part, name, ".."), { recursive: true });
    const raw = { width, height, channels: 3 as const };
    const pixels = Buffer.from(Uint8Array.from({ length: 3 * width * height }, () => rng.integer(256)));
    await sharp(pixels, { raw })
      .png()
      .toFile(join(root, "validation", name));
    const ids = Array.from({ length: width * height }, (_, at) => {
      const [x, y] = [at % width, Math.floor(at / width)];
      return x + y < 6 ? 1000 : x > 10 ? 1 + (i % 2) : 0;
    });
    const mask = Buffer.from(ids.flatMap((id) => [id % 256, id >> 8, 0]));
    await sharp(mask, { raw })
      .png()
      .toFile(join(root, "validation-segmentation", name));
  }
  return root;
}

const root = temporaryFolder();
const written = writeSet(root);
const open = async (place = root) => {
  await written;
  return imageNetS({ root: place, patch: 4, transform: transforms.evaluation(16) });
};
const score = async (options: SegmentationOptions = {}) => segmentation(model(), await open(), options);

test("whole images are scored as one by one, whatever shapes they have and however they are put together", async () => {
  const set = await open();
  const one = model();
  const counts = emptyCounts(classes);
  for (let i = 0; i < set.length; i++) {
    const { image, mask } = await set.pair(i);
    const to = shorterSideSize(image.width, image.height, 18);
    const resized = resize(image, to.width, to.height, { filter: "bilinear" });
    const logits = one.forward(tf.tensor(normalize(resized), [1, 3, to.height, to.width]));
    const [, , rows, columns] = logits.shape as number[];
    const planes = { logits: logits.dataSync() as Float32Array, rows, columns };
    countImage(counts, predictIds(planes, mask.height, mask.width), mask.ids, mask.height, mask.width);
  }
  const expected = new SegmentationScores(counts, set.classes);
  for (const options of [{}, { batchSize: 1, graphs: 1 }, { batchSize: 3, graphs: 2, keepEvery: 5 }]) {
    const found = await score(options);
    assert.deepEqual([...found.scores.ious], [...expected.ious]);
    assert.ok(Math.abs(found.summary.F - expected.summary.F) < 1e-9);
    assert.equal(
      Object.values(found.shapes).reduce((a, b) => a + b),
      sizes.length,
    );
    assert.ok(found.complete && /whole images, shorter side 18, \d shapes/.test(String(found)));
  }
});

test("squares are another number, and said to be", async () => {
  const [whole, square] = [await score(), await score({ protocol: "square" })];
  assert.deepEqual(square.shapes, { "16 x 16": sizes.length });
  assert.notEqual(square.summary.mIoU, whole.summary.mIoU);
  assert.match(String(square), /squares of 16 px, which is not ImageNet-S's protocol/);
  const columns = square.table.schema.fields.map(({ name }) => name);
  assert.ok(["id", "name", "iou", "pixels", "model"].every((name) => columns.includes(name)));
  assert.deepEqual([...square.table.getChild("name")!], ["other", "a", "b"]);
});

test("an evaluation that was stopped goes on to the numbers of one that was not", async () => {
  const out = temporaryFolder();
  const whole = await score();
  const stop = new AbortController();
  stop.abort();
  const none = await score({ out, keepEvery: 3, signal: stop.signal });
  assert.deepEqual([none.complete, none.missing], [false, ["images 0 to 7"]]);
  await score({ out, keepEvery: 3, shard: { index: 1, count: 2 } });
  const kept = join(out, "segmentation", "kept");
  assert.deepEqual(readdirSync(kept).sort(), ["000000-000003.arrow", "000003-000004.arrow"]);
  rmSync(join(kept, "000000-000003.arrow"));
  const rest = await score({ out, keepEvery: 3 });
  assert.deepEqual([...rest.scores.ious], [...whole.scores.ious]);
  assert.ok(existsSync(join(out, "segmentation", "segmentation.arrow")));
  const again = await score({ out });
  assert.deepEqual([again.summary, again.shapes], [rest.summary, {}]);
});

test("shards in folders of their own give the whole when their files are put together", async () => {
  const [a, b] = [temporaryFolder(), temporaryFolder()];
  for (const [i, out] of [a, b].entries()) await score({ out, shard: { index: i + 1, count: 2 } });
  cpSync(join(b, "segmentation", "kept"), join(a, "segmentation", "kept"), { recursive: true });
  const merged = await score({ out: a });
  assert.deepEqual([...merged.scores.ious], [...(await score()).scores.ious]);
  assert.deepEqual(merged.shapes, {});
});

test("kept counts of another model or protocol are not added to", async () => {
  const out = temporaryFolder();
  await score({ out });
  await assertRejects(() => score({ out, protocol: "square" }), "bad-argument", "protocol");
  await assertRejects(() => score({ out, shorterSide: 20 }), "bad-argument", "shorterSide");
  const other = segmenter.create({ encoder: vit, classes, seed: 9 });
  const set = await open();
  await assertRejects(() => segmentation(other, set, { out }), "bad-argument", "weights");
});

test("unreadable images are left out and told; ids that are no class stop it by the image's name", async () => {
  await written;
  const place = temporaryFolder();
  cpSync(root, place, { recursive: true });
  writeFileSync(join(place, "validation", "a", "0.png"), "no image");
  const found = await segmentation(model(), await open(place));
  assert.equal(found.scores.counts.images.count, sizes.length - 1);
  assert.ok(found.unreadable.length === 1 && found.unreadable[0].includes("0.png"));
  assert.match(String(found), /1 images could not be read/);
  const { width, height } = await decodeMaskIds(join(place, "validation-segmentation", "b", "1.png"));
  const mask = Buffer.alloc(3 * width * height, 7);
  const raw = { width, height, channels: 3 as const };
  await sharp(mask, { raw })
    .png()
    .toFile(join(place, "validation-segmentation", "b", "1.png"));
  const wrong = async () => segmentation(model(), await open(place));
  await assertRejects(wrong, "bad-argument", "1.png", "1799");
});
