import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../src/core/packageRoot";
import { ablations, ablationsStudy } from "../../../studies/ablations";
import type { DrawnSizes } from "../../../studies/ablations/drawings";
import { rows } from "../../../studies/ablations/rows";
import { agreement } from "../../../studies/core/agreement";
import { readClaims } from "../../../studies/core/claims";
import { resultsOf } from "../../../studies/core/results";
import { runStudy } from "../../../studies/core/run";
import { languageStudy } from "../../../studies/language";
import { temporaryFolder } from "../data/support";

const tiny: DrawnSizes = {
  ...{ size: 48, patch: 8, classes: 12, ownBackground: 0.7 },
  ...{ train: 120, val: 24, swapped: 12, corrupted: 4 },
};

const runOnly = async (only: string, out: string) =>
  (await runStudy(ablations(tiny), {
    size: { seeds: 1, epochs: 1 },
    ...{ out, only, commit: "c", machine: "m", print: () => {} },
  }))!;

test("the study of ablations has every row from every seed, each behind what it needs", () => {
  const trials = ablationsStudy.trials({ seeds: 5, epochs: 4 });
  const names = trials.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.equal(names.length, 1 + 4 + 5 * Object.keys(rows).length);
  for (const [i, { needs = [] }] of trials.entries())
    for (const needed of needs) assert.ok(names.slice(0, i).includes(needed), `${names[i]} needs ${needed}`);
});

test("every claim that was written down compares rows that are there", () => {
  for (const study of ["ablations", "language"]) {
    const claims = readClaims(join(packageRoot(), "data", "studies", `${study}.claims.json`));
    for (const { comparisons, sign } of claims) {
      assert.ok(sign === "higher" || sign === "lower");
      for (const side of comparisons.flat()) assert.ok(typeof side === "number" || side in rows, `${side}`);
    }
  }
});

test("the study of language takes rows from seeds that the ablations do not have", () => {
  const names = languageStudy.trials(languageStudy.size).map(({ name }) => name);
  const before = new Set(ablationsStudy.trials(ablationsStudy.size).map(({ name }) => name));
  const shared = names.filter((name) => before.has(name));
  assert.deepEqual(shared, names.slice(0, 5));
  assert.ok(shared.every((name) => /^(drawings|language-)/.test(name)));
  assert.equal(new Set(names).size, 5 + 5 * 10);
  assert.ok(names.includes("luvit-5") && names.includes("four-times-the-steps-14"));
});

test("a row run from scratch gives the same numbers to the bit, and two rows do not", async () => {
  const [first, second] = [temporaryFolder(), temporaryFolder()];
  const done = await runOnly("luvit-0", first);
  assert.deepEqual(
    done.map(({ trial }) => trial),
    ["drawings", "luvit-0"],
  );
  const kept = resultsOf(done);
  assert.match(
    agreement(resultsOf(await runOnly("luvit-0", second)), kept),
    /^\d\d+ numbers are those .* to the bit, 0 are not$/,
  );
  const others = await runOnly("lora-finetuning-only-0", second);
  assert.deepEqual(
    others.map(({ trial }) => trial),
    ["drawings", "vit-0", "lora-finetuning-only-0"],
  );
  assert.match(agreement(resultsOf(others), kept), /^0 numbers are those/);
});
