import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { type SuiteOptions, suite } from "../../../../src/analysis/suite";
import { startBackend } from "../../../../src/core/tf";
import type { Classifier } from "../../../../src/models/classifier";
import { inMemory, smallClassifier } from "../imagesInMemory";
import { temporaryFolder } from "../support";

let model: Classifier;
before(async () => {
  await startBackend();
  model = smallClassifier();
});

/** Five images by twos: three batches. */
const begin = (options: SuiteOptions = {}) =>
  suite(model, { own: { x: inMemory(), y: inMemory() } }, { engine: "eager", batchSize: 2, ...options });
const rest = ["own/x: images 2 to 4", "own/y: all of it"];

test("a suite that has a signal is ended by it, and by its own stop as well", async () => {
  const asked = begin({ signal: new AbortController().signal });
  asked.onProgress(() => void asked.stop());
  assert.deepEqual((await asked.done).missing, rest);
  assert.equal(asked.state, "stopped");
  const control = new AbortController();
  const aborted = begin({ signal: control.signal, onProgress: () => control.abort() });
  assert.deepEqual((await aborted.done).missing, rest);
  assert.equal(aborted.state, "stopped");
  const left = begin({ signal: new AbortController().signal });
  assert.deepEqual((await left.done).missing, []);
  assert.equal(left.state, "done");
});

test("stop gives the result that done gives, before the suite has begun and after it has ended", async () => {
  const early = begin();
  const result = await early.stop();
  assert.equal(result, await early.done);
  assert.deepEqual([result.missing, result.parts], [["own/x: all of it", "own/y: all of it"], []]);
  const late = begin();
  const whole = await late.done;
  assert.equal(await late.stop(), whole);
  assert.deepEqual([late.state, whole.complete], ["done", true]);
});

test("a suite that ends with its last batch is done, though it was asked to stop", async () => {
  const run = suite(model, { own: { x: inMemory() } }, { engine: "eager", batchSize: 5 });
  run.onProgress(() => void run.stop());
  const result = await run.done;
  assert.deepEqual([run.state, result.missing, result.answers("own/x").numRows], ["done", [], 5]);
});

test("what was answered of a piece is kept under its own range, and no table is written of a part of a suite", async () => {
  const out = join(temporaryFolder(), "suite");
  const control = new AbortController();
  await begin({ out, signal: control.signal, onProgress: () => control.abort() }).done;
  const files = () => readdirSync(join(out, "answers", "own", "x")).sort();
  assert.deepEqual(files(), ["000000-000002.arrow"]);
  assert.ok(!existsSync(join(out, "results.arrow")));
  const seen: number[][] = [];
  const whole = await begin({
    out,
    keepEvery: 2,
    onProgress: ({ done, total }) => void seen.push([done, total]),
  }).done;
  assert.deepEqual(files(), ["000000-000002.arrow", "000002-000004.arrow", "000004-000005.arrow"]);
  assert.deepEqual(seen, [[2, 3], [3, 3], [2, 5], [4, 5], [5, 5]]); // biome-ignore format: pairs
  assert.ok(whole.complete && existsSync(join(out, "results.arrow")));
});

test("a set of one's own may have any name where nothing is kept, and its numbers are under that name", async () => {
  const own = { "../x": inMemory({ count: 2 }), "a/b": inMemory({ count: 3 }), "": inMemory({ count: 1 }) };
  const run = suite(model, { own }, { engine: "eager" });
  const { metrics, complete } = await run.done;
  const images = metrics.filter(({ metric }) => metric === "top-1").map((one) => [one.data, one.images]);
  assert.deepEqual(images, [["../x", 2], ["a/b", 3], ["", 1]]); // biome-ignore format: pairs
  assert.ok(complete);
});
