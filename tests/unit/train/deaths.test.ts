import assert from "node:assert/strict";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { startBackend } from "../../../src/core/tf";
import { listTrainingCheckpoints } from "../../../src/io/runs/trainingCheckpoint";
import type { TrainOptions } from "../../../src/train/plan";
import { pretrain } from "../../../src/train/pretrain";
import { RunStore } from "../../../src/train/runFolder";
import { Stepper } from "../../../src/train/stepper";
import { assertRejects, images, losses, pretraining, readLines, temporaryFolder, tinyMae } from "./support";

before(async () => void (await startBackend()));

/** Three steps in each of three epochs, saved after each. */
const options: TrainOptions = { ...pretraining, epochs: 3, engine: "eager" };

/** Lets the engine die in place of these steps, counted from 1, one after the other. Tells every step begun. */
function dieAt(t: TestContext, steps: readonly number[]): number[] {
  const left = [...steps];
  const begun: number[] = [];
  const { step } = Stepper.prototype;
  t.mock.method(
    Stepper.prototype,
    "step",
    function (this: Stepper<never>, ...asked: Parameters<typeof step>) {
      const number = stepsOf(this) + 1;
      begun.push(number);
      if (number !== left[0]) return step.apply(this, asked);
      left.shift();
      return Promise.reject(new LuvitError("engine-died", "the engine's process has ended"));
    },
  );
  return begun;
}

/** Steps that a stepper's optimizer has made. */
function stepsOf(stepper: Stepper<never>): number {
  return (stepper as unknown as { steps: { optimizer: { step: number } } }).steps.optimizer.step;
}

const numbers = (history: readonly { step: number }[]) => history.map(({ step }) => step);
const nine = [1, 2, 3, 4, 5, 6, 7, 8, 9];

test("an engine that dies goes on from the last saved step, whose record stays, and makes the same steps", async (t) => {
  const set = await images();
  const undisturbed = await pretrain(tinyMae(), set, { ...options, out: false }).done;
  const begun = dieAt(t, [5, 9]);
  const out = join(temporaryFolder(), "run");
  const run = pretrain(tinyMae(), set, { ...options, out });
  const { history } = await run.done;
  assert.deepEqual(begun, [1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 7, 8, 9]);
  assert.deepEqual(numbers(history), nine);
  assert.deepEqual(numbers(readLines(out)), nine);
  assert.deepEqual(losses(history), losses(undisturbed.history));
  assert.deepEqual(await run.model.stateDict(), await undisturbed.model.stateDict());
  assert.deepEqual(run.notes, [
    "after step 4: the engine's process has ended; started again from step 3",
    "after step 8: the engine's process has ended; started again from step 6",
  ]);
});

test("deaths with a saved step between them are not in a row", async (t) => {
  const begun = dieAt(t, [2, 2, 5, 5, 8, 8]);
  const run = pretrain(tinyMae(), await images(), { ...options, out: false });
  assert.deepEqual(numbers((await run.done).history), nine);
  assert.equal(run.notes.length, 6);
  assert.equal(begun.length, 9 + 2 * 6);
});

test("the third death in a row ends a run, which keeps what was saved and no more", async (t) => {
  const begun = dieAt(t, [5, 4, 5]);
  const out = join(temporaryFolder(), "run");
  const run = pretrain(tinyMae(), await images(), { ...options, out });
  const error = await assertRejects(run.done, "engine-died", "It died 3 times after step 3.");
  assert.equal((error.cause as LuvitError).message, "the engine's process has ended");
  assert.doesNotMatch(error.message, /batchSize/);
  assert.deepEqual(
    begun,
    [1, 2, 3, 4, 5, 4, 4, 5],
    "once after a step more, once at once, once after a step again",
  );
  assert.equal(run.state, "failed");
  assert.deepEqual(numbers(await listTrainingCheckpoints(out)), [3]);
});

test("no step is saved twice, and a run that goes on at its end saves nothing", async (t) => {
  const saved: number[] = [];
  const { save } = RunStore.prototype;
  t.mock.method(
    RunStore.prototype,
    "save",
    function (this: RunStore<never>, ...asked: Parameters<typeof save>) {
      saved.push(asked[0]);
      return save.apply(this, asked);
    },
  );
  const out = join(temporaryFolder(), "run");
  const run = pretrain(tinyMae(), await images(), { ...options, out });
  await run.done;
  assert.deepEqual(saved, [3, 6, 9]);
  await pretrain(tinyMae(), await images(), { ...options, out, resume: true }).done;
  assert.deepEqual(saved, [3, 6, 9]);
});
