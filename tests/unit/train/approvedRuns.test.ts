import { basename, join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../src/core/rng";
import { startBackend } from "../../../src/core/tf";
import { Linear } from "../../../src/nn";
import { openRun } from "../../../src/train/openRun";
import type { TrainOptions } from "../../../src/train/plan";
import type { Run } from "../../../src/train/run";
import { loadRunWeights } from "../../../src/train/runWeights";
import { Calls } from "../../support/calls";
import { ended, go, listed, logged, plain, Tiny, told } from "./drawnRuns";
import { temporaryFolder } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

/** The step of weights, or why there are none; files close by themselves when nobody needs them. */
const said = (loaded: Promise<{ step: number }>) =>
  loaded.then(
    ({ step }) => step,
    (error: unknown) => error,
  );

/** Asks a run to stop once it has made a step. */
const stopAt = (run: Run<Tiny>, step: number) => {
  run.onRecord((record) => {
    if (record.step === step) void run.stop();
  });
  return run;
};

test("runs step by step: what is logged, saved and known at each", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const places = (name: string) => join(folder, name);
  const whole = go({ ...plain, out: places("whole"), warmupEpochs: 1, minLr: 1e-3 });
  calls.note("begun", [whole.state, whole.latest, String(whole), whole.out]);
  const off = whole.onRecord((record) => {
    calls.note("step", [
      told(record),
      logged(places("whole")).length,
      listed(places("whole")),
      whole.checkpoint,
      whole.state,
    ]);
    if (record.step === 7) off();
  });
  await ended(calls, "whole", whole);
  calls.note("printed", String(whole).replace(/eager[^·]*/, "eager "));
  calls.note("numbers", (await whole.model.layer.weight.read()).data);
  const saved = await openRun(places("whole"));
  calls.note("opened", { ...saved, history: saved.history.map(told), settings: saved.settings });
  calls.note("  printed", [String(saved), inspect(saved), saved.done]);
  const losses = (run: Run<Tiny>) => run.history.map(({ loss }) => loss);
  const same = (run: Run<Tiny>) => JSON.stringify(losses(run)) === JSON.stringify(losses(whole));

  for (const step of [1, 5, 7]) {
    const out = places(`stopped-${step}`);
    const options = { ...plain, out, warmupEpochs: 1, minLr: 1e-3 };
    await ended(calls, `stopped at ${step}`, stopAt(go(options), step));
    const rest = go({ ...options, resume: true }, { model: new Tiny(9) });
    await ended(calls, `  resumed`, rest);
    calls.note("  the same as whole", same(rest));
    await ended(calls, `  resumed again`, go({ ...options, resume: true }, { model: new Tiny(9) }));
  }
  const stopped = go({ ...plain, out: places("at once") });
  void stopped.stop();
  await ended(calls, "stopped at once", stopped);
  await ended(calls, "  resumed", go({ ...plain, out: places("at once"), resume: true }));

  for (const [name, more] of [
    ["every second epoch", { epochs: 5, checkpointEvery: 2 }],
    ["one kept", { epochs: 3, keepCheckpoints: 1 }],
    ["three kept", { epochs: 4, keepCheckpoints: 3 }],
    ["two batches a step", { accumulate: 2 }],
    ["a cool-down", { epochs: 1, cooldownEpochs: 1 }],
    ["clipped", { clipGradNorm: 0.1 }],
    ["other betas and decay", { betas: [0.5, 0.6], weightDecay: 0.5 }],
    ["another seed", { seed: 3 }],
    ["another name", { name: "mine" }],
  ] as const) {
    const run = go({ ...plain, ...more, out: places(name) } as TrainOptions);
    await ended(calls, name, run);
    calls.note(
      "  records",
      run.history.map(({ epoch, loss, lr }) => [epoch, loss, lr]),
    );
  }
  await ended(calls, "nothing written", go(plain));
  const averaged = go({ ...plain, out: places("averaged") }, { emaDecay: 0.75 });
  await ended(calls, "averaged", averaged);
  const again = new Tiny(5);
  const place = places("averaged");
  for (const options of [{}, { averaged: true }, { averaged: false }]) {
    const { folder: from, ...rest } = await loadRunWeights(again, place, options);
    calls.note(`loaded ${JSON.stringify(options)}`, [
      basename(from),
      rest,
      (await again.layer.weight.read()).data,
    ]);
  }
  for (const [what, from, options] of [
    ["no folder", places("none"), {}],
    ["no average", places("whole"), { averaged: true }],
    ["one checkpoint", join(places("whole"), "checkpoint-000005"), {}],
  ] as const)
    calls.note(`loadRunWeights of ${what}`, await said(loadRunWeights(again, from, options)));
  const other = loadRunWeights(new Linear(3, 2, new Rng(1)), places("whole"));
  calls.note("loadRunWeights into another model", await said(other));
  await calls.does("loadRunWeights of a number", () => loadRunWeights(again, 3 as never));
  calls.approve("train/runs");
});
