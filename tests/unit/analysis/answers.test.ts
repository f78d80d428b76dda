import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { keepRange, keptRanges } from "../../../src/analysis/keptRanges";
import {
  answersFolder,
  answersTable,
  type PartAnswers,
  readAnswers,
} from "../../../src/analysis/suite/answers";
import { mergeSuites } from "../../../src/analysis/suite/merge";
import { assertRejects, temporaryFolder } from "../train/support";

const answer = (index: number, more = {}) => ({
  index,
  label: 3,
  prediction: 4,
  inTop5: true,
  loss: 0.5,
  ...more,
});

async function kept(...answers: ReturnType<typeof answer>[]) {
  const folder = join(temporaryFolder(), "answers");
  await keepRange(folder, { start: 10, end: 20 }, answersTable(answers));
  return keptRanges(folder)[0];
}

test("answers are read as they were kept, also those without a rank or a loss", async () => {
  const into: PartAnswers = new Map();
  const all = [answer(10), answer(19, { inTop5: null, loss: null })];
  await readAnswers(await kept(...(all as never[])), into);
  assert.deepEqual([...into.values()], all);
});

test("an image answered twice has to have one label and one prediction", async () => {
  const into: PartAnswers = new Map([[12, answer(12)]]);
  await readAnswers(await kept(answer(12)), into);
  for (const [other, said] of [
    [{ label: 5 }, /label 5 as 4, elsewhere 3 as 4/],
    [{ prediction: 5 }, /label 3 as 5, elsewhere 3 as 4/],
  ] as const)
    await assertRejects(readAnswers(await kept(answer(12, other)), new Map(into)), "bad-file", said);
});

test("answers lie in the range that the file's name says", async () => {
  for (const index of [9, 20])
    await assertRejects(
      readAnswers(await kept(answer(index)), new Map()),
      "bad-file",
      `answers image ${index}`,
    );
});

test("images of a whole range that have no answer could not be read; those of a gap are missing", async () => {
  const folder = join(temporaryFolder(), "suite");
  mkdirSync(folder);
  const facts = {
    sha256: "a",
    classes: 1000,
    provenance: { model: "m" },
    commit: "c",
    parts: { in1k: 10, a: 10 },
  };
  writeFileSync(join(folder, "suite.json"), JSON.stringify(facts));
  const keep = (part: string, end: number, indices: number[]) =>
    keepRange(
      answersFolder(folder, part),
      { start: 0, end },
      answersTable(indices.map((index) => answer(index))),
    );
  await keep("in1k", 10, [0, 1, 2, 4, 5, 6, 9]);
  await keep("a", 4, [0, 1, 2, 3]);
  const result = await mergeSuites([folder]);
  assert.deepEqual(result.unreadable, { in1k: 3 });
  assert.deepEqual(result.missing, ["a: images 4 to 9"]);
  assert.equal(result.complete, false);
});
