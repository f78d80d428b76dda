import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import * as luvit from "../../../src/index";
import { perturb } from "../models/support";
import { temporaryFolder, tinyClassifier, writeImages } from "../train/support";

before(() => luvit.ready());

const photo = { data: new Uint8Array(3 * 40 * 30).map((_, i) => (7 * i) % 256), width: 40, height: 30 };
const { analysis, classifier, data, figures } = luvit;
const images = async () =>
  data.imageFolder(await writeImages(temporaryFolder(), 3), { transform: data.transforms.evaluation(16) });
function trained(seed: number) {
  const model = tinyClassifier(seed);
  perturb(model);
  return model;
}

test("one's own checkpoint: opened and asked, two calls", async () => {
  const file = join(temporaryFolder(), "mine.safetensors");
  await classifier.saveCheckpoint(trained(0), file);
  const model = await classifier.open(file, { heads: 2 });
  const [map] = await analysis.relevance(model, photo);
  assert.ok(map.probability >= 0.5);
});

test("two models on one photo: a map each and a figure, three calls", async () => {
  const one = await analysis.relevance(trained(1), photo);
  const other = await analysis.relevance(trained(2), photo);
  const figure = await figures.relevanceMaps([...one, ...other]);
  assert.equal((await figure.toSvg()).match(/<image/g)!.length, 3);
});

test("the map of a class on a photo: two calls", async () => {
  const maps = await analysis.relevance(trained(1), photo, { class: 1 });
  const figure = await figures.relevanceMaps(maps, { classNames: ["cat", "dog"] });
  assert.match(await figure.toSvg(), /dog \d+ %/);
});

test("a head switched off: every one of them and a figure, two calls", async () => {
  const found = await analysis.ablateHeads(trained(1), (await images()).take(2));
  assert.equal(figures.headGrid(found.table).data[0].z!.length, 2);
});

test("a probe of features: extracted for both sets and trained, three calls", async () => {
  const [model, set] = [trained(1), await images()];
  const train = await analysis.extractFeatures(model, set.subset([0, 1, 3, 4]));
  const held = await analysis.extractFeatures(model, set.subset([2, 5]));
  const probe = await analysis.trainProbe(train, { test: held, epochs: 4, batchSize: 4, warmupEpochs: 1 });
  assert.match(String(probe), /\d/);
});

test("a figure for a paper, as PDF: made and saved, two calls", async () => {
  const found = await analysis.faithfulness(trained(1), (await images()).take(2), { methods: ["chefer"] });
  const path = await figures.faithfulnessCurves(found).save(join(temporaryFolder(), "curves.pdf"));
  assert.equal(readFileSync(path).subarray(0, 5).toString(), "%PDF-");
});
