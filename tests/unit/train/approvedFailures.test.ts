import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { Stepper } from "../../../src/train/stepper";
import { Calls } from "../../support/calls";
import { DrawnSet, ended, go, listed, logged, type Parts, plain, SIDE, Tiny, told } from "./drawnRuns";
import { temporaryFolder } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

test("runs that evaluate, fail, or meet other folders than they expect", async (t) => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const places = (name: string) => join(folder, name);
  const log: string[] = [];
  const evaluating = (out: string, failAt?: number): Parts => {
    let count = 0;
    return {
      prepare: async () => void log.push("prepare"),
      evaluate: async () => {
        log.push(`evaluate with ${JSON.stringify(logged(out).at(-1))} in the log and ${listed(out)}`);
        if (++count === failAt) throw new LuvitError("bad-dataset", "nothing can be read");
        return { top1: 10 * count, other: count };
      },
    };
  };
  const evaluated = go(
    { ...plain, out: places("evaluated"), checkpointEvery: 2 },
    evaluating(places("evaluated")),
  );
  evaluated.onRecord((record) => log.push(`record ${record.step} ${record.top1}`));
  await ended(calls, "evaluated", evaluated);
  calls.note("  order", log.splice(0));
  calls.note(
    "  last lines",
    readFileSync(join(places("evaluated"), "metrics.jsonl"), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => told(JSON.parse(line)))
      .filter(({ top1 }) => top1),
  );
  const failing = go({ ...plain, out: places("failing") }, evaluating(places("failing"), 1));
  failing.onRecord((record) => log.push(`record ${record.step} ${record.top1}`));
  await ended(calls, "an evaluation that fails", failing);
  calls.note("  order", log.splice(0));
  await ended(
    calls,
    "  resumed",
    go({ ...plain, out: places("failing"), resume: true }, evaluating(places("failing"))),
  );
  calls.note("  order", log.splice(0));

  const tiny = new Tiny();
  const failures: [string, Parts][] = [
    ["a preparation that fails", { prepare: () => Promise.reject(new LuvitError("bad-image", "broken")) }],
    [
      "feeds that fail",
      {
        feeds: () => {
          throw new LuvitError("bad-argument", "no feeds");
        },
      },
    ],
    [
      "a loss that fails",
      {
        loss: () => {
          throw new LuvitError("shape-mismatch", "no loss");
        },
      },
    ],
    [
      "a loss that is no number",
      { model: tiny, loss: ({ images }) => tf.div(tf.sum(tiny.forward(images)), 0) as Tensor },
    ],
  ];
  for (const [what, parts] of failures) await ended(calls, what, go({ ...plain, out: places(what) }, parts));
  const late = go(
    { ...plain, out: places("late") },
    {
      feeds: ({ images, labels, batch }, micro) => ({
        images: { data: micro === 7 ? images.map(() => Number.NaN) : images, shape: [2, 3, SIDE, SIDE] },
        wanted: { data: Float32Array.from(labels, () => batch), shape: [2] },
      }),
    },
  );
  await ended(calls, "a loss that is no number later", late);

  await ended(
    calls,
    "resumed with other options",
    go({ ...plain, out: places("evaluated"), resume: true, lr: 0.01, seed: 4 }, evaluating("")),
  );
  await ended(
    calls,
    "resumed with other settings",
    go({ ...plain, out: places("evaluated"), resume: true }, { settings: { kind: "other", more: 1 } }),
  );
  await ended(
    calls,
    "resumed with other data",
    go({ ...plain, out: places("evaluated"), resume: true }, {}, new DrawnSet(11, [], "moved/elsewhere")),
  );
  await ended(
    calls,
    "resumed with more images",
    go({ ...plain, out: places("evaluated"), resume: true }, {}, new DrawnSet(13)),
  );
  await ended(calls, "resumed where nothing is", go({ ...plain, out: places("nothing"), resume: true }));
  await calls.does("resumed nowhere", () => go({ ...plain, resume: true }));
  await calls.does("resumed by default", () => go({ ...plain, out: undefined, resume: true }));
  const taken = go({ ...plain, out: places("evaluated") });
  calls.note("a folder that is taken", taken.out);
  await ended(calls, "  its run", taken);
  const [one, two] = [go({ ...plain, out: places("twice") }), go({ ...plain, out: places("twice") })];
  calls.note("two at once", [one.out, two.out]);
  await calls.does("resumed while it runs", () => go({ ...plain, out: places("twice"), resume: true }));
  await Promise.all([one.done, two.done]);
  writeFileSync(places("file"), "");
  await ended(calls, "in a file", go({ ...plain, out: join(places("file"), "run") }));

  const some = new DrawnSet(20, [4]);
  const few = go({ ...plain, epochs: 1, out: places("few") }, {}, some);
  await ended(calls, "one image unreadable", few);
  calls.note("  printed", String(few).replace(/eager[^·]*/, "eager "));
  for (const maxUnreadable of [0, 0.15, 1]) {
    const many = go(
      { ...plain, epochs: 1, out: places(`many-${maxUnreadable}`), maxUnreadable },
      {},
      new DrawnSet(20, [4, 7, 12, 15]),
    );
    await ended(calls, `four of 20 unreadable, at most ${maxUnreadable}`, many);
  }
  calls.approve("train/runs that fail");
  t.mock.restoreAll();
});

/** Lets the engine die in place of these steps, counted from 1 over all tries. */
function dieAt(t: TestContext, tries: readonly number[]) {
  const { step } = Stepper.prototype;
  let count = 0;
  t.mock.method(Stepper.prototype, "step", function (this: Stepper<Tiny>, ...given: Parameters<typeof step>) {
    return tries.includes(++count)
      ? Promise.reject(new LuvitError("engine-died", "the engine has ended"))
      : step.apply(this, given);
  });
}

test("runs whose engine dies", async (t) => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  for (const [what, tries] of [
    ["once in the first epoch", [3]],
    ["once in the second", [8]],
    ["twice in a row", [7, 8]],
    ["three times in a row", [7, 8, 9]],
    ["three times, a checkpoint between", [3, 4, 11, 14]],
    ["at the last step", [10]],
  ] as const) {
    dieAt(t, tries);
    const run = go({ ...plain, epochs: 2, out: join(folder, what) }, { emaDecay: 0.5 });
    const seen: number[] = [];
    run.onRecord(({ step }) => seen.push(step));
    await ended(calls, what, run);
    calls.note("  seen", seen);
    calls.note(
      "  history",
      run.history.map(({ step, loss }) => [step, loss]),
    );
    t.mock.restoreAll();
  }
  dieAt(t, [3, 6]);
  await ended(calls, "with nothing written", go(plain));
  t.mock.restoreAll();
  for (const code of ["engine", "non-finite"] as const) {
    t.mock.method(Stepper.prototype, "step", () => Promise.reject(new LuvitError(code, "another failure")));
    await ended(calls, `of ${code}`, go(plain));
    t.mock.restoreAll();
  }
  t.mock.method(Stepper.prototype, "step", () =>
    Promise.reject(new LuvitError("engine-died", "the engine ran out of memory (out of memory)")),
  );
  await ended(calls, "for want of memory", go({ ...plain, out: join(folder, "memory") }));
  t.mock.restoreAll();
  calls.approve("train/runs whose engine dies");
});
