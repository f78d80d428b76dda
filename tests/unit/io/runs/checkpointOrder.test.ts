import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { listTrainingCheckpoints } from "../../../../src/io/runs/trainingCheckpoint";
import { temporaryFolder } from "../support";

test("checkpoints are listed by their steps, not by their names", async () => {
  const folder = temporaryFolder();
  for (const name of [
    "checkpoint-1000000",
    "checkpoint-999999",
    "checkpoint-000010",
    "checkpoint-000009.old.tmp-7",
  ])
    mkdirSync(join(folder, name));
  assert.deepEqual(
    (await listTrainingCheckpoints(folder)).map(({ step }) => step),
    [9, 10, 999_999, 1_000_000],
  );
});
