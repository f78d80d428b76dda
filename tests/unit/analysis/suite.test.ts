import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { entropyShares } from "../../../src/analysis/entropyShares";
import { columnsOf, resultTable, rowsOf } from "../../../src/analysis/provenance";
import { seedStatistics } from "../../../src/analysis/statistics";
import {
  mergeSuites,
  openSuiteSets,
  overSeeds,
  type SuiteResult,
  suite as startSuite,
} from "../../../src/analysis/suite";
import { alexNetErrors } from "../../../src/analysis/suite/corruptionErrors";
import { metricsOf, type SuiteAnswers } from "../../../src/analysis/suite/metrics";
import type { SuiteSets } from "../../../src/analysis/suite/sets";
import { startBackend, tf } from "../../../src/core/tf";
import { sliceMapping } from "../../../src/data/classMapping";
import type { ImageDataset } from "../../../src/data/dataset";
import { FolderDataset, imageFolder } from "../../../src/data/imageFolder";
import { benchmarkCorruptions, imageNetWnids } from "../../../src/data/sets";
import { imageNetAMapping, imageNetRMapping } from "../../../src/data/sets/mappings";
import * as transforms from "../../../src/data/transforms";
import { readTable } from "../../../src/io/tables/table";
import { classifier } from "../../../src/models";
import { evaluate } from "../../../src/train/evaluate";
import { filesIn, layOut } from "../data/sets/standIns";
import { flatPng } from "../data/support";
import { repository } from "../io/support";
import { assertThrows, tinyViT } from "../train/support";
import { assertRejects, temporaryFolder, writeImages } from "./support";

before(async () => void (await startBackend()));

const model = (seed = 0) => classifier.create({ encoder: tinyViT, classes: 2, seed });
const suite = (...args: Parameters<typeof startSuite>) => startSuite(...args).done;
const mapping = sliceMapping("slice", [0, 1], 2);

async function images(): Promise<FolderDataset> {
  return imageFolder(await writeImages(temporaryFolder()), { transform: transforms.evaluation(16) });
}

/** Small sets in the places of the published ones. */
async function sets(set: FolderDataset): Promise<SuiteSets> {
  const mapped = new FolderDataset({
    root: set.root,
    classes: set.classes,
    files: set.files,
    transform: set.transform,
    cache: set.cache,
    report: set.report,
    mapping,
  });
  return {
    in1k: set,
    a: mapped.take(7),
    in9: { original: set, mixed_same: set.take(5), mixed_rand: set.subset([0, 1, 2]) },
    c: { types: ["fog", "snow"], severities: [1, 5], open: (_, severity) => set.take(severity + 3) },
  };
}

const values = (result: SuiteResult) =>
  result.metrics.map(({ data, metric, value }) => [data, metric, value]);

test("the rows are what evaluating each set by itself gives, beside the paper's numbers", async () => {
  const [set, net] = [await images(), model()];
  const given = await sets(set);
  const result = await suite(net, given, { recipe: "finetuneLuvit", seed: 0, batchSize: 5 });
  const top1 = async (one: ImageDataset) => (await evaluate(net, one)).top1;
  const found = new Map(result.metrics.map(({ data, metric, value }) => [`${data}, ${metric}`, value]));
  assert.equal(found.get("ImageNet-1K, top-1"), await top1(set));
  assert.equal(found.get("ImageNet-1K, top-5"), 100);
  assert.equal(found.get("ImageNet-A, top-1"), await top1(given.a!));
  const [same, rand] = [await top1(given.in9!.mixed_same!), await top1(given.in9!.mixed_rand!)];
  assert.equal(found.get("ImageNet-9, gap mixed_same - mixed_rand"), same - rand);
  assert.equal(found.get("ImageNet-9, gap original - mixed_rand"), (await top1(set)) - rand);
  const fog = ((await top1(set.take(4))) + (await top1(set.take(8)))) / 2;
  assert.equal(found.get("ImageNet-C, top-1, fog"), fog);
  assert.equal(found.get("ImageNet-C, top-1, mean of 2 corruptions"), fog);
  assert.ok(!found.has("ImageNet-C, mCE of 15 corruptions"), "there are only two");
  assert.ok(result.complete);
  const rows = rowsOf(result.table);
  assert.deepEqual([rows[0].paperViT, rows[0].seed, rows[0].recipe], [null, 0, "finetuneLuvit"]);
  assert.match(inspect(result), /finetuneLuvit · seed 0\ndata .* paper: ViT {2}LUViT\n/);
  assert.equal(result.answers("in9/mixed_rand").numRows, 3);
});

test("a suite that is stopped keeps its answers and goes on where it was; a second time nothing is computed", async () => {
  const [set, net, out] = [await images(), model(), join(temporaryFolder(), "suite")];
  const given = await sets(set);
  const whole = await suite(net, given);
  const stop = new AbortController();
  let batches = 0;
  const options = { out, batchSize: 4, keepEvery: 6, seed: 1 };
  const part = await suite(net, given, {
    ...options,
    signal: stop.signal,
    onProgress: () => void (++batches === 5 && stop.abort()),
  });
  assert.equal(batches, 5);
  assert.ok(
    !part.complete &&
      part.missing.includes("a: images 4 to 6") &&
      part.missing.includes("c/fog/1: all of it"),
  );
  assert.ok(!existsSync(join(out, "results.arrow")));
  const places: string[] = [];
  const rest = await suite(net, given, {
    ...options,
    onProgress: (p) => places.push(`${p.part} ${p.done}/${p.total}`),
  });
  assert.equal(places[0], "a 3/3");
  assert.deepEqual(values(rest), values(whole));
  assert.deepEqual(rowsOf(await readTable(join(out, "results.arrow"))), rowsOf(rest.table));
  const again = await suite(net, given, {
    ...options,
    onProgress: () => assert.fail("nothing is left to do"),
  });
  assert.deepEqual(values(again), values(whole));
});

test("shards of any number put together give the whole, and what is missing is named", async () => {
  const [set, net, root] = [await images(), model(), temporaryFolder()];
  const given = await sets(set);
  const whole = await suite(net, given);
  const folders = [1, 2, 3].map((index) => join(root, `${index}`));
  for (const [i, out] of folders.entries()) {
    const one = await suite(net, given, { out, shard: { index: i + 1, count: 3 } });
    assert.ok(one.complete && !existsSync(join(out, "results.arrow")));
  }
  assert.deepEqual([whole.unreadable, whole.skipped], [{}, []], "all of them could be read");
  const merged = await mergeSuites(folders, root);
  assert.deepEqual(values(merged), values(whole));
  assert.ok(merged.complete && existsSync(join(root, "results.arrow")));
  const turned = await mergeSuites([...folders].reverse());
  for (const part of whole.parts)
    assert.deepEqual(rowsOf(turned.answers(part)), rowsOf(whole.answers(part)), `${part}, in order`);
  const two = await mergeSuites([folders[0], folders[2]]);
  assert.ok(two.missing.includes("in1k: images 4 to 7") && !two.complete);
  const shared = join(root, "shared");
  for (const index of [1, 2]) await suite(net, given, { out: shared, shard: { index, count: 2 } });
  assert.deepEqual(values(await mergeSuites([shared, folders[1]])), values(whole), "overlaps agree");
  await assertRejects(mergeSuites([join(root, "nowhere")]), "missing-file", "nowhere");
});

test("answers about another model, other images or another seed are not mixed in", async () => {
  const [set, out] = [await images(), join(temporaryFolder(), "suite")];
  await suite(model(), { in1k: set }, { out, seed: 0 });
  const again = (net: ReturnType<typeof model>, one: ImageDataset, seed: number) =>
    suite(net, { in1k: one }, { out, seed });
  await assertRejects(again(model(1), set, 2), "bad-argument", "weights (sha256)", "seed: was 0, now 2");
  await assertRejects(again(model(), set.take(5), 0), "bad-argument", "in1k, images: was 12, now 5");
  const other = join(temporaryFolder(), "other");
  await suite(model(1), { in1k: set }, { out: other, seed: 0 });
  await assertRejects(mergeSuites([out, other]), "bad-argument", "weights");
});

test("an unreadable image is counted, a killed writer's leftovers are not read, no set at all is refused", async () => {
  const [set, out] = [await images(), join(temporaryFolder(), "suite")];
  writeFileSync(set.path(5), "not an image");
  const fresh = await imageFolder(set.root, { transform: transforms.evaluation(16) });
  const { unreadable, metrics, skipped } = await suite(model(), { in1k: fresh }, { out });
  assert.deepEqual([unreadable, metrics[0].images], [{ in1k: 1 }, 11]);
  assert.equal(skipped.length, 1);
  assert.match(skipped[0], /5\.png: cannot be decoded/);
  const [file] = readdirSync(join(out, "answers", "in1k"));
  writeFileSync(join(out, "answers", "in1k", `${file}.tmp-1-0`), "torn");
  const again = await suite(model(), { in1k: fresh }, { out });
  assert.deepEqual(again.unreadable, { in1k: 1 });
  assert.match(String(again), /in1k: 1 unreadable\n .*5\.png: cannot be decoded/);
  rmSync(join(out, "answers", "in1k", file));
  assert.deepEqual((await mergeSuites([out])).missing, ["in1k: images 0 to 11"]);
  assertThrows(() => suite(model(), {}), "bad-argument", "no data set");
  const wrong = { shard: { index: 3, count: 2 }, batchSize: 0 };
  assertThrows(
    () => suite(model(), { in1k: fresh }, wrong),
    "bad-argument",
    "batchSize: expected a whole number",
    "shard.index: expected at most count (2), got 3",
  );
});

test("a model of 1000 classes is shown beside the paper's row for its recipe, others beside none", () => {
  const part = new Map([[0, { index: 0, label: 0, prediction: 0, inTop5: null, loss: null }]]);
  const answers: SuiteAnswers = new Map(
    ["in1k", "in9/mixed_same", "in9/mixed_rand", "own/mine"].map((key) => [key, part]),
  );
  const paper = (recipe: string, classes: number) =>
    metricsOf(answers, { recipe, classes }).map(({ data, metric, paper }) => [
      data,
      metric,
      paper.ViT,
      paper.LUViT,
    ]);
  assert.deepEqual(paper("finetuneLuvit", 1000), [
    ["ImageNet-1K", "top-1", 83.2, undefined],
    ["ImageNet-9", "top-1, mixed_same", 87.8, 89.2],
    ["ImageNet-9", "top-1, mixed_rand", 83.2, 85.3],
    ["ImageNet-9", "gap mixed_same - mixed_rand", 4.6, 3.9],
    ["mine", "top-1", undefined, undefined],
  ]);
  assert.ok(paper("finetuneLuvit", 6).every(([, , ViT, LUViT]) => ViT === undefined && LUViT === undefined));
  assert.equal(paper("supervised", 1000)[0][2], undefined, "the paper's number is not known here");
});

test("corruption errors are divided by AlexNet's: a net as good as AlexNet has 100", () => {
  const answers: SuiteAnswers = new Map(
    benchmarkCorruptions.map((type) => {
      const right = Math.round(1000 * (1 - alexNetErrors[type]!));
      const answer = (index: number) => ({
        index,
        label: 0,
        prediction: index < right ? 0 : 1,
        inTop5: true,
        loss: 1,
      });
      return [`c/${type}/3`, new Map(Array.from({ length: 1000 }, (_, i) => [i, answer(i)]))];
    }),
  );
  const metric = (name: string) =>
    metricsOf(answers, { recipe: "supervised", classes: 1000 }).find((one) => one.metric === name)!;
  assert.ok(Math.abs(metric("mCE of 15 corruptions").value - 100) < 0.05);
  const errors = benchmarkCorruptions.map((type) => Math.round(1000 * alexNetErrors[type]!) / 10);
  const mean = errors.reduce((sum, x) => sum + x, 0) / 15;
  assert.ok(Math.abs(metric("mean error of 15 corruptions").value - mean) < 1e-9);
  const accuracy = metric("top-1, mean of 15 corruptions");
  assert.ok(Math.abs(accuracy.value - (100 - mean)) < 1e-9);
  assert.deepEqual(accuracy.paper, { ViT: 60.5 });
});

test("ImageNet-1K may lie in tables of the Hugging Face hub", async () => {
  const root = temporaryFolder();
  const hub = join(repository, "tests", "unit", "data", "tables", "fixtures", "hub", "data");
  const shard = "test-00000-of-00001.parquet";
  await mkdir(join(root, "data"));
  await cp(join(hub, shard), join(root, "data", shard.replace("test", "validation")));
  const { in1k } = await openSuiteSets({ in1k: root }, { size: 16 });
  assert.deepEqual([in1k!.length, in1k!.classes], [3, ["cat", "dog", "owl"]]);
});

test("everything that is wrong with the folders of a suite is said at once", async () => {
  const root = temporaryFolder();
  await mkdir(join(root, "photographs"));
  const folders = { in1k: join(root, "none"), a: root, c: root, in9: root };
  const missing = ["ImageNet-1K val", "ImageNet-A", "ImageNet-C", "ImageNet-9 original"];
  await assertRejects(openSuiteSets(folders), "bad-dataset", ...missing, `${root} holds photographs`);
});

test("corruptions that are not unpacked are named before anything is evaluated, or left out as a whole", async () => {
  const [root, set] = [temporaryFolder(), await images()];
  await assertRejects(openSuiteSets({ c: root }), "bad-dataset", "19 corruptions", "frost (weather.tar)");
  for (const severity of [1, 2, 3, 4, 5]) {
    for (const type of ["fog", "blur/zoom_blur"])
      await cp(set.root, join(root, type, `${severity}`), { recursive: true });
    if (severity !== 4) await mkdir(join(root, "snow", `${severity}`), { recursive: true });
  }
  await assertRejects(openSuiteSets({ c: root }), "bad-dataset", "snow: severity 4", "partial: true");
  const { c } = await openSuiteSets({ c: root }, { partial: true });
  assert.deepEqual(c!.types, ["zoom_blur", "fog"]);
});

test("results of several seeds give means and intervals per number, and a seed counts once", async () => {
  const set = await images();
  const results = await Promise.all(
    [0, 1, 2].map((seed) => suite(model(seed), { in1k: set }, { seed, model: "tiny", recipe: "supervised" })),
  );
  const tables = results.map(({ table }) => table);
  const { rows, table } = overSeeds(tables);
  const top1 = results.map(({ metrics }) => metrics[0].value);
  const mean = top1.reduce((sum, x) => sum + x, 0) / 3;
  assert.deepEqual([rows[0].n, rows[0].seeds, rows[0].metric], [3, [0, 1, 2], "top-1"]);
  assert.ok(Math.abs(rows[0].mean - mean) < 1e-9);
  assert.equal(rowsOf(table)[0].seeds, "0 1 2");
  assert.match(inspect(overSeeds(tables)), /99 % interval\n/);
  assert.throws(() => overSeeds([tables[0], tables[0]]), /tiny, ImageNet-1K, top-1: seed 0 twice/);
  const one = { model: "m", recipe: "r", data: "d", metric: "top-1" };
  for (const other of [
    { model: "n" },
    { recipe: "s" },
    { recipe: null },
    { data: "e" },
    { metric: "top-5" },
  ]) {
    const twice = [one, { ...one, ...other }].flatMap((row, i) =>
      [0, 1].map((seed) => ({ ...row, seed, value: 10 * i + seed })),
    );
    const apart = overSeeds([
      resultTable(columnsOf(twice, ["model", "recipe", "data", "metric", "seed", "value"]), {}),
    ]);
    assert.deepEqual(
      apart.rows.map(({ n, mean }) => [n, mean]),
      [
        [2, 0.5],
        [2, 10.5],
      ],
      JSON.stringify(other),
    );
    assert.deepEqual(apart.rows[1], { ...apart.rows[1], ...one, ...other });
  }
  const row = rowsOf(overSeeds(tables, 0.9).table)[0];
  const statistics = seedStatistics(top1, 0.9);
  const { n, std, standardError, paperStandardError } = statistics;
  const [low, high] = statistics.interval;
  assert.deepEqual(
    { ...row },
    { ...row, n, std, standardError, paperStandardError, mean: statistics.mean, low, high, confidence: 0.9 },
  );
});

test("a suite can be watched: parts, what was kept, and numbers as soon as they are final", async () => {
  const [set, net, out] = [await images(), model(), join(temporaryFolder(), "suite")];
  const given = await sets(set);
  const options = { out, batchSize: 4, keepEvery: 4 };
  const first = startSuite(net, given, options);
  const seen: string[] = [];
  first.onProgress(({ part, done }) => {
    const { metrics } = first;
    seen.push(`${part} ${done}: ${metrics.map(({ data, metric }) => `${data} ${metric}`).join(", ")}`);
    if (part === "a") void first.stop();
  });
  assert.match(inspect(first), /^SuiteRun running · 0 of 9 parts$/);
  assert.ok(first.parts.every(({ state, total }) => state === "waiting" && total === undefined));
  const stopped = await first.done;
  assert.equal(first.state, "stopped");
  assert.deepEqual(seen, ["in1k 4: ", "in1k 8: ", "in1k 12: ", "a 4: ImageNet-1K top-1, ImageNet-1K top-5"]);
  assert.ok(!stopped.complete);
  const second = startSuite(net, given, options);
  const result = await second.done;
  assert.equal(second.state, "done");
  assert.deepEqual(second.metrics, result.metrics);
  assert.deepEqual(
    second.parts
      .slice(0, 3)
      .map(({ key, data, state, total, done, kept }) => [key, data, state, total, done, kept]),
    [
      ["in1k", "ImageNet-1K", "done", 12, 12, 12],
      ["a", "ImageNet-A", "done", 7, 7, 4],
      ["in9/original", "ImageNet-9", "done", 12, 12, 0],
    ],
  );
  assert.match(inspect(second), /^SuiteRun done · 9 of 9 parts · /);
  const failing = startSuite(model(1), given, options);
  await assertRejects(failing.done, "bad-argument", "weights (sha256)");
  assert.equal(failing.state, "failed");
});

test("a suite leaves no tensor behind", async () => {
  const given = { in1k: await images() };
  await suite(model(), given, { engine: "eager" });
  const net = model();
  await suite(net, given, { engine: "eager" });
  const { numTensors } = tf.memory();
  await suite(net, given, { engine: "eager" });
  assert.equal(tf.memory().numTensors, numTensors);
});

test("sets of one's own whose names are no folders are refused where answers are kept, before any image is read", async () => {
  const [set, root] = [await images(), temporaryFolder()];
  const out = join(root, "suite");
  for (const name of ["../x", "a/b", "", "."]) {
    const start = () => startSuite(model(), { own: { fine: set, [name]: set } }, { out });
    assertThrows(start, "bad-argument", JSON.stringify(name));
    await assertRejects(entropyShares(model(), { [name]: set }, { out }), "bad-argument", "become folders");
  }
  assert.deepEqual(readdirSync(root), []);
});

test("every set of a suite is opened as it was published, with the options given", async () => {
  const root = temporaryFolder();
  const folderOf = (name: string) => join(root, name);
  const image = await flatPng(16, 16, [4, 5, 6]);
  const wnids = imageNetWnids();
  const inSlice = { a: imageNetAMapping, r: imageNetRMapping };
  layOut(folderOf("in1k/val"), filesIn([wnids[3]], 1), image);
  for (const name of ["a", "r"] as const)
    layOut(folderOf(name), filesIn([wnids[inSlice[name].mappedClasses[7]]], 1), image);
  layOut(folderOf("v2"), filesIn(["3"], 1), image);
  layOut(folderOf("sketch"), filesIn([wnids[3]], 1), image);
  layOut(
    folderOf("c"),
    filesIn(
      [1, 2, 3, 4, 5].map((severity) => `fog/${severity}/${wnids[3]}`),
      1,
    ),
    image,
  );
  const splits = ["original", "mixed_same", "mixed_rand", "mixed_next"] as const;
  const classes = Array.from({ length: 9 }, (_, i) => `0${i}_class`);
  layOut(
    folderOf("in9"),
    filesIn(
      splits.flatMap((split) => classes.map((name) => `${split}/val/${name}`)),
      1,
    ),
    image,
  );
  const names = ["in1k", "a", "r", "v2", "sketch", "c", "in9"];
  const folders = Object.fromEntries(names.map((name) => [name, folderOf(name)]));
  const options = { size: 16, partial: true, cache: 12_345 };
  const sets = await openSuiteSets(folders, options);
  const plain = [sets.in1k, sets.a, sets.r, sets.v2, sets.sketch] as FolderDataset[];
  const whole = [await sets.c!.open("fog", 2), ...splits.map((split) => sets.in9![split])] as FolderDataset[];
  const settings = (set: FolderDataset) => [set.transform.name, set.size];
  assert.deepEqual(
    plain.map(settings),
    plain.map(() => ["evaluation", 16]),
    "resized and cropped",
  );
  assert.deepEqual(
    whole.map(settings),
    whole.map(() => ["none", 16]),
    "which are of the final size already",
  );
  assert.deepEqual(
    [...plain, whole[0]].map((set) => set.label(0)),
    [3, 7, 7, 3, 3, 3],
  );
  assert.match(whole[0].path(0), /fog\/2\//);
  for (const [i, split] of splits.entries())
    assert.ok(whole[i + 1].path(0).includes(`/${split}/val/`), split);
});
