import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { columnsOf, resultTable, rowsOf } from "../../../src/analysis/provenance";
import { mergeSuites, overSeeds, SuiteResult, SuiteRun, suite } from "../../../src/analysis/suite";
import { dataOf, type Metric, metricsOf } from "../../../src/analysis/suite/metrics";
import type { SuiteProgress } from "../../../src/analysis/suite/run";
import { partsOf, type SuiteSets } from "../../../src/analysis/suite/sets";
import { startBackend } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import { imageFolder } from "../../../src/data/imageFolder";
import * as transforms from "../../../src/data/transforms";
import { isLuvitError } from "../nn/support";
import { tinyClassifier } from "../train/support";
import { temporaryFolder, writeImages } from "./support";

before(async () => void (await startBackend()));

const answer = (index: number, right: boolean, more = {}) => ({
  ...{ index, label: 1, prediction: right ? 1 : 0, inTop5: null, loss: 0.5 },
  ...more,
});
/** Answers to so many images, the first of them right. */
const answered = (images: number, right: number) =>
  new Map(Array.from({ length: images }, (_, i) => [i, answer(i, i < right)]));

test("parts come in the order of the tables, those of one's own by their names, corruptions by severity", async () => {
  const set = (name: string) => ({ name }) as unknown as ImageDataset;
  const opened: unknown[] = [];
  const open = (type: string, severity: number) => {
    opened.push([type, severity]);
    return set(`${type} ${severity}`);
  };
  const sets: SuiteSets = {
    c: { types: ["snow", "fog"], severities: [5, 2], open },
    in9: { original: set("o"), mixed_rand: set("r"), mixed_same: undefined },
    own: { "a b": set("a b"), z: set("z") },
    sketch: set("sketch"),
    v2: set("v2"),
    r: set("r"),
    a: set("a"),
    in1k: set("in1k"),
  };
  const parts = partsOf(sets);
  assert.deepEqual(
    parts.map(({ key }) => `${key}: ${dataOf(key)}`),
    [
      "in1k: ImageNet-1K",
      "a: ImageNet-A",
      "r: ImageNet-R",
      "v2: ImageNet-V2",
      "sketch: ImageNet-Sketch",
      "own/a b: a b",
      "own/z: z",
      "in9/original: ImageNet-9",
      "in9/mixed_rand: ImageNet-9",
      "c/snow/5: ImageNet-C",
      "c/snow/2: ImageNet-C",
      "c/fog/5: ImageNet-C",
      "c/fog/2: ImageNet-C",
    ],
  );
  assert.deepEqual(opened, [], "corruptions are opened when their turn comes");
  const names = await Promise.all(parts.map(async (part) => Reflect.get(await part.open(), "name")));
  assert.deepEqual(names.slice(5), ["a b", "z", "o", "r", "snow 5", "snow 2", "fog 5", "fog 2"]);
  assert.deepEqual(opened, [["snow", 5], ["snow", 2], ["fog", 5], ["fog", 2]]); // biome-ignore format: one list
  const all = partsOf({ c: { open } }).map(({ key }) => key);
  assert.deepEqual([all.length, all[0], all[4], all.at(-1)], [95, "c/gaussian_noise/1", "c/gaussian_noise/5", all.at(-1)]); // biome-ignore format: one list
  assert.equal(new Set(all).size, 95);
});

test("each number has its images and its tables of the paper, and top-5 where every image has a rank", () => {
  const ranked = new Map([[0, answer(0, false, { inTop5: true })], [1, answer(1, true, { inTop5: false })]]); // biome-ignore format: two
  const found = metricsOf(
    new Map([
      ["own/mine", answered(4, 1)],
      ["in1k", ranked],
      ["r", new Map([...ranked, [2, answer(2, true)]])],
      ["c/fog/1", answered(10, 4)],
      ["c/fog/3", answered(2, 2)],
      ["c/snow/1", answered(5, 0)],
      ["in9/original", answered(8, 4)],
      ["in9/mixed_rand", answered(4, 1)],
    ]),
    { recipe: "supervised", classes: 1000 },
  );
  const rows = found.map(({ data, metric, value, images, tables, paper }) => [data, metric, Math.round(value), images, tables, paper.ViT]); // biome-ignore format: one row
  assert.deepEqual(rows, [
    ["ImageNet-1K", "top-1", 50, 2, "1, 3, 4", undefined],
    ["ImageNet-1K", "top-5", 50, 2, "", undefined],
    ["ImageNet-R", "top-1", 67, 3, "1, 3, 4", undefined],
    ["ImageNet-C", "top-1, mean of 2 corruptions", 35, 17, "1, 3, 4", undefined], // of a part of them the paper has none
    ["ImageNet-C", "top-1, fog", 70, 12, "", undefined],
    ["ImageNet-C", "top-1, snow", 0, 5, "", undefined],
    ["ImageNet-9", "top-1, original", 50, 8, "5", 96.5],
    ["ImageNet-9", "top-1, mixed_rand", 25, 4, "5", 83.2],
    ["ImageNet-9", "gap original - mixed_rand", 25, 12, "5", 13.3],
    ["mine", "top-1", 25, 4, "", undefined],
  ]);
  const [one] = metricsOf(new Map([["c/fog/2", answered(1, 1)]]), { classes: 6 });
  assert.equal(one.metric, "top-1, mean of 1 corruption");
});

test("a result prints its numbers, who made them, what is missing, absent and unreadable", () => {
  const given = {
    byPart: new Map([["own/x", answered(4, 3)]]),
    provenance: { model: "m", recipe: "r", seed: 0 },
    classes: 5,
    missing: [],
    unreadable: {},
  };
  const whole = new SuiteResult(given);
  assert.deepEqual([whole.complete, whole.parts, whole.absent, whole.skipped], [true, ["own/x"], [], []]);
  const [row] = rowsOf(whole.table);
  assert.deepEqual(
    [row.data, row.metric, row.value, row.images, row.tables, row.paperViT, row.model, row.recipe, row.seed],
    ["x", "top-1", 75, 4, "", null, "m", "r", 0],
  );
  assert.match(
    String(whole),
    /^m · r · seed 0\ndata +metric +% +images +table +paper: ViT +LUViT\n.*\nx +top-1 +75\.0 +4 +– +–$/,
  );
  const part = new SuiteResult({
    ...given,
    byPart: new Map(),
    provenance: { model: "m" },
    missing: ["a: all of it"],
    absent: ["shard 2/2 never came"],
    unreadable: { r: 2 },
    skipped: ["x.png: torn"],
  });
  assert.equal(part.complete, false);
  assert.match(
    String(part),
    /^m\nno number is finished yet\nr: 2 unreadable\n +x\.png: torn\nnot evaluated:\n +shard 2\/2 never came\n +a: all of it$/,
  );
  assert.deepEqual([part.answers("none").numRows, whole.answers("own/x").numRows], [0, 4]);
});

test("a run tells every listener how far it is, until it is asked no more", async () => {
  const metric = (value: number): Metric => {
    return { data: "d", metric: "m", value, images: 1, tables: "", paper: {} };
  };
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const result = { complete: true } as SuiteResult;
  const seen: SuiteProgress[] = [];
  const texts: string[] = [];
  const run: SuiteRun = new SuiteRun(
    [
      { key: "a", data: "A" },
      { key: "b", data: "B" },
    ],
    async ({ runsOn, opened, advanced, finished }) => {
      await gate;
      runsOn("here");
      opened("a", 10, 4);
      texts.push(String(run));
      advanced("a", 2);
      advanced("a", 4);
      finished("a", () => [metric(1)]);
      assert.deepEqual(run.metrics, [metric(1)]);
      opened("b", 3, 0);
      assert.deepEqual(run.metrics, [metric(1)], "until the next part is finished");
      end();
      advanced("b", 3);
      finished("b", () => [metric(1), metric(2)]);
      texts.push(String(run));
      return result;
    },
  );
  const end = run.onProgress((progress) => void seen.push(progress));
  assert.deepEqual([run.metrics, run.engine, run.state], [[], undefined, "running"]);
  go();
  assert.equal(await run.done, result);
  assert.deepEqual(
    seen.map(({ imagesPerSecond, ...rest }) => rest),
    [2, 6].map((done) => ({ part: "a", partsDone: 0, parts: 2, done, total: 6, engine: "here" })),
  );
  assert.ok(seen.every(({ imagesPerSecond }) => imagesPerSecond > 0));
  assert.deepEqual(texts, [
    "SuiteRun running · 0 of 2 parts · a, 4 of 10 images · here",
    "SuiteRun running · 2 of 2 parts · here",
  ]);
  assert.deepEqual([run.state, run.metrics], ["done", [metric(1), metric(2)]]);
  assert.deepEqual(
    run.parts.map(({ state, total, done, kept }) => [state, total, done, kept]),
    [["done", 10, 10, 4], ["done", 3, 3, 0]],
  ); // biome-ignore format: two rows
});

test("a run that is stopped is told so, and one that fails without anybody waiting ends nothing else", async () => {
  const waiting = new SuiteRun(
    [],
    (_, signal) =>
      new Promise((resolve) =>
        signal.addEventListener("abort", () => resolve({ complete: false } as SuiteResult)),
      ),
  );
  assert.equal((await waiting.stop()).complete, false);
  assert.equal(waiting.state, "stopped");
  const failing = new SuiteRun([], async () => {
    throw new Error("no");
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(failing.state, "failed");
  await assert.rejects(failing.done, /no/);
});

test("results over seeds print by number, and one without a seed is refused", () => {
  const rows = [10, 12, 14].map((value, i) => ({
    ...{ model: "m", recipe: "r", data: "d", metric: "top-1", seed: [4, 0, 2][i], value },
  }));
  const names = ["model", "recipe", "data", "metric", "seed", "value"] as const;
  const table = resultTable(columnsOf(rows, names), {});
  const found = overSeeds([table], 0.9);
  const [{ seeds, mean, std, standardError, paperStandardError, interval }] = found.rows;
  assert.deepEqual([seeds, mean, std], [[4, 0, 2], 12, 2]);
  assert.ok(
    Math.abs(standardError - 2 / Math.sqrt(3)) < 1e-12 && Math.abs(paperStandardError - 2 / 3) < 1e-12,
  );
  const half = (2.91998558 * 2) / Math.sqrt(3); // Student's t of two degrees, 90 %
  assert.ok(Math.abs(interval[0] - (12 - half)) < 1e-6 && Math.abs(interval[1] - (12 + half)) < 1e-6);
  assert.match(String(found), /90 % interval\n.*\nm +d +top-1 +3 +12\.00 +1\.155 +8\.63 to 15\.37$/);
  const without = resultTable(columnsOf([{ ...rows[0], seed: null }], names), {});
  assert.throws(
    () => overSeeds([without]),
    isLuvitError("bad-argument", "m, d, top-1: a result without a seed"),
  );
  assert.throws(() => overSeeds([]), isLuvitError("bad-argument", "overSeeds"));
  const one = overSeeds([resultTable(columnsOf(rows.slice(0, 1), names), {})]);
  assert.match(String(one), /top-1 +1 +10\.00 +– +–$/, "one seed says nothing of others");
});

test("answers of a suite are kept in files of as many images as asked for, and unreadable ones are told again", async () => {
  const folder = await writeImages(temporaryFolder(), 3);
  const root = temporaryFolder();
  const open = () => imageFolder(folder, { transform: transforms.evaluation(16) });
  const set = await open();
  writeFileSync(set.path(4), "no image");
  const out = join(root, "kept");
  const options = {
    out,
    keepEvery: 4,
    batchSize: 4,
    model: "mine",
    recipe: "r",
    seed: 7,
    engine: "eager",
  } as const;
  const first = await suite(tinyClassifier(), { own: { x: await open() } }, options).done;
  for (const name of ["000000-000004.arrow", "000004-000006.arrow"])
    assert.ok(existsSync(join(out, "answers", "own", "x", name)), name);
  assert.deepEqual([first.unreadable, first.skipped.length], [{ "own/x": 1 }, 1]);
  assert.match(first.skipped[0], /cannot be decoded/);
  assert.deepEqual(first.provenance, { model: "mine", recipe: "r", seed: 7 });
  const again = await suite(tinyClassifier(), { own: { x: await open() } }, options).done;
  assert.match(again.skipped[0], /1\.png: could not be read before$/);
  assert.deepEqual(again.metrics, first.metrics);
  const merged = await mergeSuites([out]);
  assert.deepEqual([merged.provenance, merged.unreadable], [first.provenance, { "own/x": 1 }]);
  const plain = await suite(tinyClassifier(), { own: { x: set.take(1) } }, { engine: "eager" }).done;
  assert.equal(plain.provenance.model, tinyClassifier().toString());
});
