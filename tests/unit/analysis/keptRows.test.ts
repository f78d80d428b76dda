import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, before, test } from "node:test";
import type { Table } from "apache-arrow";
import { entropyShares } from "../../../src/analysis/entropyShares";
import { gradientSignal } from "../../../src/analysis/gradientSignal";
import { rowsOf } from "../../../src/analysis/provenance";
import { pseudoMaskIou } from "../../../src/analysis/pseudoMaskIou";
import { showWorkWith, type Work } from "../../../src/core/progress";
import { startBackend } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import { wholeImages } from "../../../src/data/wholeImages";
import { onnxRuntimeProblem } from "../../../src/engine";
import { readTable } from "../../../src/io/tables/table";
import { assertRejects, maskedImages, type Region, temporaryFolder, tinyLuvit } from "./support";

before(async () => void (await startBackend()));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const quarters: Region[][] = Array.from({ length: 11 }, (_, i) => [
  i % 2 === 0 ? "object" : "ground",
  "ground",
  i % 3 === 0 ? "object" : "ground",
  i === 4 ? "ignored" : "object",
]);

/** What was shown of activities, and what to do after so many images. */
function watchActivities(after = new Map<number, () => void>()) {
  const shown: { activity: Work; advanced: number[]; state?: string }[] = [];
  showWorkWith((activity) => {
    const one: (typeof shown)[number] = { activity, advanced: [] };
    shown.push(one);
    return {
      advance(done) {
        one.advanced.push(done);
        after.get(done)?.();
      },
      end: (state) => {
        one.state = state;
      },
    };
  });
  return shown;
}

interface Analysed {
  table: Table;
  complete: boolean;
}

const analyses = {
  "entropy shares": (set: ImageDataset, options: object, out?: string): Promise<Analysed> =>
    entropyShares(tinyLuvit(), { mine: set }, { ...options, out }),
  "pseudo-masks": (set: ImageDataset, options: object, out?: string): Promise<Analysed> =>
    pseudoMaskIou(tinyLuvit(), set, { ...options, out: out && join(out, "mine"), data: "mine" }),
};
const files = { "entropy shares": "entropy", "pseudo-masks": "pseudo-masks" };

for (const engine of ["eager", "onnxruntime"] as const) {
  const skip = engine === "onnxruntime" && (onnxRuntimeProblem() ?? false);
  for (const [name, analyse] of Object.entries(analyses) as [
    keyof typeof analyses,
    (typeof analyses)["pseudo-masks"],
  ][]) {
    test(`${engine}: ${name} that are stopped within a set go on there, to the same bits`, {
      skip,
    }, async () => {
      const [set, out] = [await maskedImages(quarters), temporaryFolder()];
      const options = { engine, batchSize: 2, keepEvery: 3 };
      const whole = await analyse(set, options);
      const table = join(out, "mine", `${files[name]}.arrow`);
      for (const [after, missing] of [
        [2, "images 2 to 10"],
        [4, "images 6 to 10"],
      ] as const) {
        const stop = new AbortController();
        watchActivities(new Map([[after, () => stop.abort()]]));
        const part = await analyse(set, { ...options, signal: stop.signal }, out);
        assert.ok(!part.complete && String(part).includes(missing), String(part));
        assert.ok(!existsSync(table));
      }
      const shown = watchActivities();
      const rest = await analyse(set, options, out);
      assert.deepEqual(shown, [
        {
          activity: { label: `${files[name]}, mine`, total: 11, kept: 6 },
          advanced: [2, 4, 5],
          state: "done",
        },
      ]);
      assert.deepEqual(rowsOf(rest.table), rowsOf(whole.table));
      assert.equal(String(rest), String(whole));
      assert.deepEqual(rowsOf(await readTable(table)), rowsOf(whole.table));
      watchActivities(new Map([[1, () => assert.fail("nothing is left to do")]]));
      assert.deepEqual(rowsOf((await analyse(set, options, out)).table), rowsOf(whole.table));
    });
  }
}

test("an analysis that is killed has lost no more than the file it was at", async () => {
  const [set, out] = [await maskedImages(quarters), temporaryFolder()];
  const options = { engine: "eager", batchSize: 2, keepEvery: 4 } as const;
  const dying = Object.create(set, {
    load: {
      value: (...args: Parameters<typeof set.load>) =>
        args[0] === 7 ? Promise.reject(new Error("killed")) : set.load(...args),
    },
  }) as typeof set;
  const shown = watchActivities();
  await assert.rejects(entropyShares(tinyLuvit(), { mine: dying }, { ...options, out }), /killed/);
  assert.equal(shown[0].state, "failed");
  assert.deepEqual(readdirSync(join(out, "mine", "entropy", "kept")), ["000000-000004.arrow"]);
  const again = watchActivities();
  const rest = await entropyShares(tinyLuvit(), { mine: set }, { ...options, out });
  assert.equal(again[0].activity.kept, 4);
  const whole = await entropyShares(tinyLuvit(), { mine: set }, options);
  assert.deepEqual(rowsOf(rest.table), rowsOf(whole.table));
});

test("kept numbers of another model, layer or set are not mixed in", async () => {
  const [set, out] = [await maskedImages(quarters), temporaryFolder()];
  const model = tinyLuvit();
  await entropyShares(model, { mine: set }, { out });
  const again = (options: object, images: ImageDataset = set) =>
    entropyShares(model, { mine: images }, { ...options, out });
  const about = "the results there are about something else";
  await assertRejects(
    again({ layer: "blocks.0" }),
    "bad-argument",
    about,
    'layer: was "blocks.1", now "blocks.0"',
  );
  await assertRejects(again({}, set.take(5)), "bad-argument", "images: was 11, now 5");
  (await model.stateDict()).get("head.bias")!.data[0] = 1;
  model.loadStateDict(new Map([["head.bias", { shape: [2], data: Float32Array.of(1, 2) }]]), {
    only: "head.bias",
  });
  await assertRejects(again({}), "bad-argument", "the model's weights (sha256)");
  await assertRejects(
    entropyShares(model, { mine: set }, { keepEvery: 0 }),
    "bad-argument",
    "keepEvery: expected a whole number from 1",
  );
});

test("where several sets are looked at, a stop leaves out the later ones, and says so", async () => {
  const set = await maskedImages(quarters);
  const stop = new AbortController();
  stop.abort();
  const shares = await entropyShares(tinyLuvit(), { first: set, second: set }, { signal: stop.signal });
  assert.deepEqual(shares.missing, ["first: images 0 to 10", "second: all of it"]);
  assert.match(String(shares), /first +– +0 +0[\s\S]*not looked at: second: all of it/);
});

test("gradient signal that is stopped gives the ratios until then, of two groups at least", async () => {
  const set = await maskedImages(quarters);
  const stop = new AbortController();
  const shown = watchActivities(new Map([[2, () => stop.abort()]]));
  const options = { groupSize: 2, engine: "eager", seed: 1 } as const;
  const stopped = await gradientSignal(tinyLuvit(), set, { ...options, signal: stop.signal });
  assert.deepEqual([stopped.groups, shown[0].activity.total, shown[0].state], [2, 10, "stopped"]);
  const short = await gradientSignal(tinyLuvit(), set, { ...options, groups: 2 });
  assert.deepEqual(stopped.layers, short.layers);
});

for (const [name, analyse] of Object.entries(analyses) as [
  keyof typeof analyses,
  (typeof analyses)["pseudo-masks"],
][])
  test(`shards of ${name} share a folder; the call without one gives the numbers of all, and does what none has done`, async () => {
    const [set, out] = [await maskedImages(quarters), temporaryFolder()];
    const options = { engine: "eager", batchSize: 2 };
    const whole = await analyse(set, options);
    const table = join(out, "mine", `${files[name]}.arrow`);
    const images = new Set<unknown>();
    for (const index of [1, 2, 4]) {
      const part = await analyse(set, { ...options, shard: { index, count: 4 } }, out);
      assert.ok(part.complete && !existsSync(table));
      for (const { index: image } of rowsOf(part.table)) images.add(image);
    }
    assert.equal(images.size, set.length - 2, "the third has a batch of two");
    const shown = watchActivities();
    const all = await analyse(set, options, out);
    assert.deepEqual(rowsOf(all.table), rowsOf(whole.table));
    assert.ok(all.complete && existsSync(table));
    assert.equal(shown[0].activity.kept, set.length - 2);
  });

test("kept rows were made of the same set in the same way, or are refused with what is another", async () => {
  const [set, root] = [await maskedImages(quarters.slice(0, 2)), temporaryFolder()];
  const model = tinyLuvit();
  const whole = wholeImages(set, { patch: 8 });
  const masks = (options: object) =>
    pseudoMaskIou(model, set, { data: "mine", engine: "eager", out: join(root, "masks"), ...options });
  const shares = (options: object) =>
    entropyShares(model, { mine: whole }, { engine: "eager", out: join(root, "shares"), ...options });
  const made = rowsOf((await masks({})).table);
  await shares({});
  assert.deepEqual(rowsOf((await masks({ mean: "all" })).table), made, "as where nothing is said");
  for (const [again, named] of [
    [() => masks({ data: "other" }), 'data: was "mine", now "other"'],
    [() => masks({ layer: "blocks.0" }), "layer"],
    [() => masks({ mean: "column" }), "mean"],
    [() => masks({ kinds: ["attention"] }), "kinds"],
    [() => shares({ positions: "dino" }), "positions"],
    [() => shares({ layer: "blocks.0" }), "layer"],
    [() => entropyShares(model, { mine: set }, { engine: "eager", out: join(root, "shares") }), "whole"],
  ] as const)
    await assertRejects(again(), "bad-argument", "about something else", named);
});
