import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { writeTable } from "../../../src/io/tables";
import { agreement } from "../../../studies/core/agreement";
import { joinedResults, keptAfter, readResults } from "../../../studies/core/kept";
import { resultsOf, resultsTable, resultsText } from "../../../studies/core/results";
import { finished, type RunOptions, runStudy } from "../../../studies/core/run";
import { Stopped, type Study } from "../../../studies/core/study";
import { distillStudy } from "../../../studies/distill";

const out = mkdtempSync(join(tmpdir(), "luvit-study-"));
after(() => rmSync(out, { recursive: true, force: true }));

/** Of every seed `taught` is ten points better than `plain`, `same` now better, now worse. */
function counting(ran: string[], failing?: string, error: Error = new Stopped()): Study {
  const values = { plain: [50, 52, 51], taught: [60.1, 62.2, 60.9], same: [50.5, 51.5, 51.1] };
  const trial = (variant: keyof typeof values, seed: number) => ({
    name: `${variant}-${seed}`,
    seed,
    async run() {
      if (`${variant}-${seed}` === failing) throw error;
      ran.push(`${variant}-${seed}`);
      return [{ variant, metric: "top-1 (%)", value: values[variant][seed] }];
    },
  });
  return {
    name: "counting",
    size: { seeds: 3, epochs: 1 },
    baseline: "plain",
    trials: ({ seeds }) =>
      Array.from({ length: seeds }, (_, seed) =>
        (["plain", "taught", "same"] as const).map((variant) => trial(variant, seed)),
      ).flat(),
  };
}

const options = (folder: string, epochs = 1): RunOptions => ({
  size: { seeds: 3, epochs },
  out: join(out, folder),
  commit: "0123456789ab",
  machine: "a machine",
  print: () => {},
});

test("a study that was stopped or that failed goes on where it was, and runs nothing twice", async () => {
  const ran: string[] = [];
  assert.equal(await runStudy(counting(ran, "taught-1"), options("a")), undefined);
  assert.deepEqual(ran, ["plain-0", "taught-0", "same-0", "plain-1"]);
  await assert.rejects(runStudy(counting(ran, "same-1", new Error("no power")), options("a")), /no power/);
  const done = await runStudy(counting(ran), options("a"));
  assert.equal(ran.length, 9);
  assert.equal(new Set(ran).size, 9);
  assert.equal(done!.length, 9);
  assert.equal(readdirSync(join(out, "a")).filter((name) => name.endsWith(".json")).length, 9);
});

test("two runs of one study share its trials, and both end with all of them", async () => {
  const ran: string[] = [];
  const slow = counting(ran);
  const study: Study = {
    ...slow,
    trials: (size) =>
      slow.trials(size).map((trial) => ({
        ...trial,
        run: async (folder) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          return trial.run(folder);
        },
      })),
  };
  const both = await Promise.all([runStudy(study, options("shared")), runStudy(study, options("shared"))]);
  assert.equal(ran.length, 9);
  assert.deepEqual(both[0], both[1]);
  assert.equal(readdirSync(join(out, "shared")).filter((name) => name.endsWith(".json")).length, 9);
});

test("a trial waits for those that it needs, and is run alone with them", async () => {
  const ran: string[] = [];
  const plain = counting(ran);
  const needs: Record<string, string[]> = { "plain-0": ["same-2"], "same-2": ["taught-1"] };
  const study: Study = {
    ...plain,
    trials: (size) => plain.trials(size).map((trial) => ({ ...trial, needs: needs[trial.name] })),
  };
  const done = await runStudy(study, { ...options("only"), only: "plain-0" });
  assert.deepEqual(ran, ["taught-1", "same-2", "plain-0"]);
  assert.equal(done!.length, 3);
  await assert.rejects(
    runStudy(study, { ...options("only"), only: "plain-7" }),
    /no trial plain-7; it has plain-0/,
  );
  await runStudy(study, options("needed"));
  assert.ok(ran.lastIndexOf("plain-0") > ran.lastIndexOf("same-2"));
});

test("what is done so far can be had without running the rest", async () => {
  const ran: string[] = [];
  assert.equal(await runStudy(counting(ran, "taught-1"), options("so far")), undefined);
  const found = finished(counting(ran), options("so far"));
  assert.deepEqual(
    found.map(({ trial }) => trial),
    ["plain-0", "taught-0", "same-0", "plain-1"],
  );
  assert.equal(ran.length, 4);
});

test("trials of another size are not taken for these", async () => {
  await runStudy(counting([]), options("b"));
  await assert.rejects(runStudy(counting([]), options("b", 2)), /of 1 epochs, asked for are 2/);
});

test("results are a row per measure with seed, commit and machine", async () => {
  const table = resultsTable(resultsOf((await runStudy(counting([]), options("c")))!));
  assert.equal(table.numRows, 9);
  const row = table.get(1)!.toJSON();
  const expected = { variant: "taught", seed: 0, metric: "top-1 (%)", layer: null, value: 60.1, epochs: 1 };
  assert.deepEqual({ ...row }, { seconds: 0, ...expected, commit: "0123456789ab", machine: "a machine" });
});

test("a part that is run again comes into the kept table in the place of its numbers, and the rest stays", async () => {
  const file = join(out, "kept.arrow");
  assert.deepEqual(await readResults(file), []);
  const kept = resultsOf((await runStudy(counting([]), options("e")))!);
  await writeTable(file, resultsTable(kept));
  assert.deepEqual(await readResults(file), kept);
  const again = { ...kept[4], value: 70, commit: "ba9876543210" };
  const more = { ...again, variant: "other", layer: "blocks.1" };
  const joined = joinedResults(kept, [more, again]);
  assert.deepEqual(joined, [...kept.slice(0, 4), again, ...kept.slice(5), more]);
  assert.equal(
    agreement([again, more, kept[0]], kept),
    [
      "1 numbers are those kept to the bit, 2 are not",
      `taught, seed 1, top-1 (%): 70, kept is ${kept[4].value}`,
      "other, seed 1, top-1 (%), blocks.1: 70, not kept",
    ].join("\n"),
  );
  const longer = { ...again, epochs: 2 };
  assert.throws(() => joinedResults(kept, [longer]), /results of 1 and 2 epochs .*--epochs 1/);
  assert.match(agreement([longer], kept), /^0 numbers .*\n.*kept is one of 1 epochs$/);
});

test("fewer trials than the study has by itself leave the others kept, all of them take their place", async () => {
  const study = counting([]);
  const done = (await runStudy(study, options("f")))!;
  const gone = { ...resultsOf(done)[0], variant: "no longer there" };
  const kept = [...resultsOf(done), gone];
  const some = done.filter(({ seed }) => seed === 0);
  assert.deepEqual(keptAfter(study, some, kept), { results: kept, isWhole: false });
  assert.deepEqual(keptAfter(study, done, kept), { results: resultsOf(done), isWhole: true });
});

test("a difference whose interval holds 0 is called none that was seen", async () => {
  const text = resultsText(resultsOf((await runStudy(counting([]), options("d")))!), "plain");
  const line = (variant: string) => text.split("\n").find((one) => one.includes(variant))!;
  assert.match(line("taught"), /61\.07 ± .*\+10\.07 ± 0\.88$/);
  assert.match(line("same"), /none seen$/);
});

test("the study of distillation has four variants of every seed, teachers before their students", () => {
  const names = distillStudy.trials({ seeds: 5, epochs: 1 }).map(({ name }) => name);
  assert.equal(names.length, 20);
  for (let seed = 0; seed < 5; seed++)
    assert.ok(names.indexOf(`teacher-${seed}`) < names.indexOf(`student-${seed}`));
});
