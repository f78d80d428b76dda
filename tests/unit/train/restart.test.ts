import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { engineProcesses, onnxRuntimeProblem, stopEngineProcesses } from "../../../src/engine";
import { pretrain } from "../../../src/train/pretrain";
import type { Run } from "../../../src/train/run";
import { images, losses, pretraining, temporaryFolder, tinyMae } from "./support";

const problem = onnxRuntimeProblem();
if (problem) console.log(`SKIPPED: runs whose engine dies: ${problem}`);
const compiled = { skip: problem ?? false };

before(async () => void (await startBackend({ backend: "wasm" })));
after(() => stopEngineProcesses());

const killEngine = () => {
  for (const { pid } of engineProcesses()) process.kill(pid, "SIGKILL");
};

/** Kills the engine after each of these steps, the first time they are reached. */
function killAfter(run: Run<never>, steps: readonly number[]): void {
  const left = new Set(steps);
  run.onRecord(({ step }) => {
    if (left.delete(step)) killEngine();
  });
}

test(
  "a run whose engine is killed goes on from its last checkpoint and ends where it would have",
  compiled,
  async () => {
    const set = await images();
    const options = { ...pretraining, engine: "onnxruntime", epochs: 4 } as const;
    const undisturbed = await pretrain(tinyMae(), set, { ...options, out: false }).done;
    const out = join(temporaryFolder(), "run");
    const run = pretrain(tinyMae(), set, { ...options, out });
    const { length } = undisturbed.history;
    killAfter(run as Run<never>, [2, length - 1]);
    const { history, stopped } = await run.done;
    assert.equal(stopped, false);
    assert.deepEqual(losses(history), losses(undisturbed.history));
    assert.deepEqual(await run.model.stateDict(), await undisturbed.model.stateDict());
    assert.equal(run.notes.length, 2);
    assert.match(run.notes[0], /^after step 2: .*SIGKILL.* started again from step \d+$/s);
    const logged = readFileSync(join(out, "metrics.jsonl"), "utf8").trim().split("\n");
    assert.deepEqual(
      logged.map((line) => JSON.parse(line).step),
      history.map(({ step }) => step),
    );
  },
);

test("without a folder it goes on from what was last brought up to date", compiled, async () => {
  const set = await images();
  const options = { ...pretraining, engine: "onnxruntime", out: false } as const;
  const undisturbed = await pretrain(tinyMae(), set, options).done;
  const run = pretrain(tinyMae(), set, options);
  killAfter(run as Run<never>, [1]);
  assert.deepEqual(losses((await run.done).history), losses(undisturbed.history));
});

test(
  "a run whose engine dies again and again gives up, says so, and keeps its checkpoint",
  compiled,
  async () => {
    const set = await images();
    const out = join(temporaryFolder(), "run");
    const run = pretrain(tinyMae(), set, { ...pretraining, engine: "onnxruntime", epochs: 4, out });
    run.onRecord(({ step }) => {
      if (step === 5) killEngine();
    });
    await assert.rejects(run.done, (error: Error) => {
      assert.match(error.message, /SIGKILL.*died 3 times after step \d+/s);
      assert.doesNotMatch(
        error.message,
        /batchSize|recompute/,
        "nothing says that it was for want of memory",
      );
      return true;
    });
    assert.equal(run.state, "failed");
    assert.ok(run.checkpoint);
    const resumed = await pretrain(tinyMae(), set, { ...pretraining, epochs: 4, out, resume: true }).done;
    assert.equal(resumed.history.at(-1)!.step, run.totalSteps);
  },
);
