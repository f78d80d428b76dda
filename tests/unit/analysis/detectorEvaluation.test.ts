import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { evaluateDetector } from "../../../src/analysis/detection/evaluateDetector";
import { ResultsFolder } from "../../../src/analysis/detection/resultsFolder";
import { startBackend } from "../../../src/core/tf";
import { readResults } from "../../../src/data/coco";
import { temporaryFolder } from "../../support/temporaryFolder";
import { isLuvitError } from "../nn/support";
import { scenes, smallDetector } from "../train/detection/support";

before(() => startBackend({ backend: "wasm" }));

const folder = () => join(temporaryFolder("found"), "found");
const engine = { engine: "onnxruntime", threads: 1 } as const;

test("shards and a stop in between find what one pass finds, and write COCO's files when all is done", async () => {
  const set = await scenes("val", 5);
  const model = smallDetector();
  const whole = await evaluateDetector(model, set, engine);
  assert.ok(whole.complete && whole.results.length > 0);
  assert.equal(whole.boxes!.images, 5, "objects of the images that were left out are not missed");
  const out = folder();
  const half = await evaluateDetector(model, set, {
    ...engine,
    out,
    keepEvery: 1,
    shard: { index: 2, count: 2 },
  });
  assert.equal(half.complete, false);
  assert.match(String(half), /missing: images 0 to/);
  assert.ok(!existsSync(join(out, "results.bbox.json")));
  const rest = await evaluateDetector(model, set, { ...engine, out });
  assert.deepEqual(rest.results, whole.results);
  assert.deepEqual(rest.boxes!.summary, whole.boxes!.summary);
  assert.deepEqual(rest.masks!.summary, whole.masks!.summary);
  const written = await readResults(join(out, "results.bbox.json"), set.truth);
  assert.equal(written.length, whole.results.length);
  assert.ok(readFileSync(join(out, "results.segm.json"), "utf8").includes("counts"));
});

test("a part of a set is held against the objects of its own images alone", async () => {
  const set = await scenes("val", 2);
  const { boxes } = await evaluateDetector(smallDetector(), set, engine);
  assert.equal(boxes!.images, 2);
  const objects = set.images.reduce((sum, { id }) => sum + set.truth.of(id).length, 0);
  const all = boxes!.curves.flatMap((ofClass) => ofClass[0][0][2] ?? []);
  assert.ok(all.length > 0 && all.length <= objects);
});

test("a signal ends it, and what was found is kept", async () => {
  const set = await scenes("val", 3);
  const model = smallDetector({ masks: false });
  const stop = new AbortController();
  stop.abort();
  const out = folder();
  const stopped = await evaluateDetector(model, set, { ...engine, out, signal: stop.signal });
  assert.deepEqual([stopped.complete, stopped.results.length], [false, 0]);
  const kept = readdirSync(out, { recursive: true }).map(String);
  assert.deepEqual(
    kept.filter((name) => name.endsWith(".arrow")),
    [],
    "nothing is kept of images that nobody looked at",
  );
  const done = await evaluateDetector(model, set, { ...engine, out });
  assert.equal(done.complete, true);
  assert.equal(done.masks, undefined);
});

test("a folder that is about another model is refused", async () => {
  const set = await scenes("val", 1);
  const out = folder();
  await evaluateDetector(smallDetector({ seed: 1 }), set, { ...engine, out });
  await assert.rejects(
    evaluateDetector(smallDetector({ seed: 2 }), set, { ...engine, out }),
    isLuvitError("bad-argument", "something else", "sha256"),
  );
});

test("scores say who made them; an image that cannot be read is told, and nothing is found in it", async () => {
  const set = await scenes("val", 2);
  set.report.add(set.path(1), "torn.png: torn");
  const out = folder();
  const about = { model: "m", recipe: "r", seed: 3 };
  const found = await evaluateDetector(smallDetector(), set, { ...engine, ...about, out, keepEvery: 1 });
  assert.ok(found.complete && found.results.length > 0);
  assert.ok(found.results.every(({ imageId }) => imageId === set.images[0].id));
  assert.equal(found.unreadable.length, 1);
  for (const scores of [found.boxes!, found.masks!]) {
    const { model, recipe, seed, data } = scores.table.toArray()[0];
    assert.deepEqual([model, recipe, seed, data], ["m", "r", 3, scores.kind]);
  }
  assert.match(String(found), /scores of boxes[\s\S]*scores of masks[\s\S]*torn$/);
  assert.deepEqual(readdirSync(join(out, "found")).sort(), ["000000-000001.arrow", "000001-000002.arrow"]);
  await assert.rejects(
    evaluateDetector(smallDetector(), set.take(1), { ...engine, out }),
    isLuvitError("bad-argument", "something else", "images: was 2, now 1"),
  );
});

test("an evaluation that is stopped in between keeps whole and begun pieces, and goes on behind them", async () => {
  const set = await scenes("val", 4);
  const stop = new AbortController();
  const load: typeof set.load = (index, ...rest) => {
    if (index === 2) stop.abort();
    return set.load(index, ...rest);
  };
  const watched = Object.assign(Object.create(set) as typeof set, { load });
  const out = folder();
  const model = smallDetector({ masks: false });
  const part = await evaluateDetector(model, watched, { ...engine, out, keepEvery: 2, signal: stop.signal });
  assert.deepEqual([part.complete, part.missing], [false, ["images 3 to 3"]]);
  assert.deepEqual(readdirSync(join(out, "found")).sort(), ["000000-000002.arrow", "000002-000003.arrow"]);
  const rest = await evaluateDetector(model, set, { ...engine, out });
  assert.deepEqual(rest.results, (await evaluateDetector(model, set, engine)).results);
  assert.equal(rest.boxes!.table.toArray()[0].model, model.toString());
});

test("a folder that is there already is taken, empty or not, and what is about it is noted once", async () => {
  const model = smallDetector({ masks: false });
  const out = folder();
  mkdirSync(join(out, "found"), { recursive: true });
  writeFileSync(join(out, "mine.txt"), "");
  assert.deepEqual(await (await ResultsFolder.open(out, model, 3)).read(), []);
  const noted = readFileSync(join(out, "detection.json"), "utf8");
  assert.equal(JSON.parse(noted).images, 3);
  const mask = { height: 2, width: 3, counts: Uint32Array.of(1, 2, 3) };
  const kept = { imageId: 1, categoryId: 2, score: 0.5, box: [0, 1, 2, 3] as const };
  await (await ResultsFolder.open(out, model, 3)).keep({
    start: 1,
    end: 2,
    results: [{ ...kept, mask }, kept],
  });
  const [range, ...others] = await (await ResultsFolder.open(out, model, 3)).read();
  assert.deepEqual([range.start, range.end, others.length], [1, 2, 0]);
  assert.deepEqual(range.results, [{ ...kept, mask }, kept], "a mask higher or wider than the other way");
  assert.equal(readFileSync(join(out, "detection.json"), "utf8"), noted);
});
