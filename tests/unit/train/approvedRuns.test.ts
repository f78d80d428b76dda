import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { inspect } from "node:util";
import { LuvitError } from "../../../src/core/errors";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { type ImageDataset, SkipReport } from "../../../src/data/dataset";
import { Linear, Module } from "../../../src/nn";
import { pretrainRules } from "../../../src/optim";
import { claimRunFolder, expectClaimed, releaseRunFolder } from "../../../src/train/claimFolder";
import { compareFiles, filesOf } from "../../../src/train/dataFiles";
import { startRun } from "../../../src/train/loop";
import { openRun } from "../../../src/train/openRun";
import { settlePlan, type TrainOptions } from "../../../src/train/plan";
import { Run, type StepRecord } from "../../../src/train/run";
import { factsOf } from "../../../src/train/runFacts";
import { loadRunWeights } from "../../../src/train/runWeights";
import { Stepper } from "../../../src/train/stepper";
import { prepareStepper, stepBatches, type TrainingTask } from "../../../src/train/steps";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

const SIDE = 2;

/** Images of numbers that are drawn for each, two classes in turn; some of which cannot be read. */
class DrawnSet implements ImageDataset {
  readonly classes = ["even", "odd"];
  readonly size = SIDE;
  readonly report = new SkipReport();
  readonly loads: string[] = [];
  constructor(
    readonly length: number,
    private readonly broken: readonly number[] = [],
    private readonly root = "drawn",
  ) {}
  path = (index: number) => `${this.root}/${this.label(index)}/${index}.png`;
  label = (index: number) => index % 2;
  async load(index: number, rng: Rng) {
    this.loads.push(`${index}`);
    const path = this.path(index);
    if (this.broken.includes(index)) {
      this.report.add(path, `${path}: cannot be decoded`);
      const other = (index + 2) % this.length;
      return this.sample(other, rng);
    }
    return this.sample(index, rng);
  }
  private sample(index: number, rng: Rng) {
    const image = Float32Array.from(
      { length: 3 * SIDE * SIDE },
      (_, i) => (index + 1) / 8 + (i % 3) / 4 + 0.1 * rng.uniform(),
    );
    return { image, label: this.label(index), path: this.path(index), index };
  }
  take = () => this;
  subset = () => this;
  withTransform = () => this;
}

/** Two weights for each of three channels. */
class Tiny extends Module {
  readonly layer: Linear;
  constructor(seed = 1) {
    super();
    this.layer = new Linear(3, 2, new Rng(seed));
  }
  forward(images: Tensor): Tensor {
    return this.layer.forward(tf.mean(images, [2, 3]));
  }
}

type Parts = Partial<TrainingTask<Tiny>>;

function task(set: DrawnSet, options: TrainOptions, parts: Parts = {}): TrainingTask<Tiny> {
  const model = parts.model ?? new Tiny();
  const plan = settlePlan(set, options, [0.9, 0.95]);
  return {
    name: "tiny",
    model,
    dataset: set,
    plan,
    settings: { kind: "drawn" },
    rules: pretrainRules(model, plan.weightDecay),
    feeds: ({ images, labels }, micro) => ({
      images: { data: images, shape: [images.length / 12, 3, SIDE, SIDE] },
      wanted: { data: Float32Array.from(labels, (label) => label + micro / 100), shape: [labels.length] },
    }),
    loss: ({ images, wanted }) =>
      tf.mean(tf.square(tf.sub(tf.sum(model.forward(images), 1), wanted))) as Tensor,
    ...parts,
  };
}

/** Five batches of 2 in an epoch, one a step. */
const plain: TrainOptions = { epochs: 2, batchSize: 2, lr: 0.05, engine: "eager", out: false };

const go = (options: TrainOptions, parts: Parts = {}, set = new DrawnSet(11)) =>
  startRun(task(set, options, parts), options);

const told = ({ imagesPerSecond, ...record }: StepRecord): Record<string, unknown> => ({
  ...record,
  timed: imagesPerSecond > 0,
});
const logged = (folder: string) =>
  existsSync(join(folder, "metrics.jsonl"))
    ? readFileSync(join(folder, "metrics.jsonl"), "utf8")
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line).step)
    : [];
const listed = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => !name.includes("lock"))
        .sort()
    : "none";

/** The step of weights, or why there are none; files close by themselves when nobody needs them. */
const said = (loaded: Promise<{ step: number }>) =>
  loaded.then(
    ({ step }) => step,
    (error: unknown) => error,
  );

/** What is there of a run, once it has ended. */
async function ended(calls: Calls, what: string, run: Run<Tiny>) {
  const line = await run.done.then(
    ({ stopped, checkpoint, history, averaged }) => ({
      stopped,
      checkpoint,
      steps: history.length,
      averaged,
    }),
    (error: unknown) => error,
  );
  calls.note(what, line);
  calls.note("  state", [
    run.state,
    run.latest?.step,
    run.checkpoint,
    run.notes,
    run.totalSteps,
    run.epochs,
    run.name,
  ]);
  if (run.out) calls.note("  folder", [listed(run.out), logged(run.out)]);
}

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

test("batches of steps, handles of runs and folders", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const set = new DrawnSet(23);
  for (const [options, step, place] of [
    [{ accumulate: 1 }, 0, undefined],
    [{ accumulate: 1 }, 9, undefined],
    [{ accumulate: 2 }, 0, undefined],
    [{ accumulate: 2 }, 3, undefined],
    [{ accumulate: 2 }, 7, undefined],
    [{ accumulate: 4 }, 0, { rank: 0, size: 2 }],
    [{ accumulate: 4 }, 0, { rank: 1, size: 2 }],
    [{ accumulate: 4 }, 1, { rank: 1, size: 4 }],
  ] as const) {
    const one = task(set, { ...plain, ...options });
    const groups: unknown[] = [];
    for await (const group of stepBatches(one, step, place))
      groups.push(group.map(({ batch, indices, paths }) => [batch, indices.slice(), paths.length]));
    calls.note(`batches of ${JSON.stringify(options)} from ${step} for ${JSON.stringify(place)}`, groups);
  }
  for (const repeats of [undefined, 2]) {
    const groups: unknown[] = [];
    for await (const group of stepBatches(task(set, plain, { repeats }), 6))
      groups.push(group.map(({ batch, indices }) => [batch, indices.slice()]));
    calls.note(`batches with ${repeats} repeats`, groups.slice(0, 3));
  }
  const micros: number[] = [];
  const prepared = { prepare: async () => {} } as unknown as Stepper<Tiny>;
  const noting: Parts = {
    feeds(_, micro) {
      micros.push(micro);
      return {};
    },
  };
  for (const step of [0, 3, 11])
    await prepareStepper(task(set, { ...plain, accumulate: 2 }, noting), prepared, step);
  calls.note("prepared for batches", micros);
  const refined: string[] = [];
  const fed = go(
    { ...plain, epochs: 1, accumulate: 2 },
    {
      functions: {
        sum: {
          inputs: { images: { shape: [2, 3, SIDE, SIDE] } },
          body: ({ images }) => ({ sum: tf.sum(images) }),
        },
      },
      refine: async (feeds, { batch }, micro, call) => {
        const { sum } = await call("sum", { images: feeds.images });
        refined.push(`${batch} ${micro} ${sum.length} ${sum[0].toFixed(2)}`);
        return { ...feeds, wanted: { data: Float32Array.of(sum[0], 1), shape: [2] } };
      },
    },
  );
  await fed.done;
  calls.note("refined", [refined, fed.history.map(({ loss }) => loss)]);

  const report = new SkipReport();
  const handle = (body: ConstructorParameters<typeof Run<Tiny>>[0]["body"], more: object = {}) =>
    new Run<Tiny>({ name: "own", model: new Tiny(), totalSteps: 2, out: undefined, report, body, ...more });
  const record = (step: number): StepRecord => ({
    step,
    epoch: 0,
    loss: 1 / step,
    lr: 1,
    imagesPerSecond: 1,
  });
  const tell = async (what: string, run: Run<Tiny>) => {
    const end = await run.done.then(
      ({ seconds, model, ...rest }) => ({ ...rest, timed: seconds >= 0, model: model === run.model }),
      (error: unknown) => error,
    );
    calls.note(what, [end, run.state, String(run), inspect(run), run.latest]);
  };
  await tell(
    "nothing done",
    handle(async () => {}),
  );
  await tell(
    "half done",
    handle(async ({ record: note }) => note(record(1))),
  );
  await tell(
    "done",
    handle(
      async ({ record: note, run }) => {
        note(record(1));
        note(record(2));
        run.checkpoint = "somewhere";
        run.engine = "abacus";
        run.notes.push("a note");
      },
      { out: "folder", epochs: 1 },
    ),
  );
  await tell(
    "taken back",
    handle(async ({ record: note, rewind }) => {
      for (const step of [1, 2, 3, 4]) note(record(step));
      rewind(2);
      rewind(5);
      note(record(3));
      rewind(0);
    }),
  );
  await tell(
    "failed",
    handle(async () => {
      throw new LuvitError("non-finite", "no good");
    }),
  );
  for (const count of [1, 2]) {
    report.add(`p${count}`, "cut");
    await tell(
      `${count} unreadable`,
      handle(async () => {}),
    );
  }
  const order: string[] = [];
  const heard = handle(async ({ record: note, request }) => {
    note(record(1));
    await Promise.resolve();
    order.push(`stopped ${request.stopped}`);
    note(record(2));
  });
  const offs = ["a", "b"].map((name) => heard.onRecord(({ step }) => void order.push(`${name} ${step}`)));
  const end = heard.stop();
  calls.note("stop gives done", end === heard.done);
  heard.onRecord(({ step }) => {
    if (step === 1) offs[0]();
  });
  await end;
  calls.note("heard", order);
  await calls.does("parts missing", () => new Run({ name: "x" } as never));

  const claim = (what: string, name: string, options: object) =>
    calls.once(what, () => {
      const got = claimRunFolder(name, options as never);
      return [got?.replace(/\d{4}-.*/, "(time)"), existsSync(got ?? "")];
    });
  const out = join(folder, "a", "b");
  await claim("a new folder", "x", { out });
  await claim("the same again", "x", { out });
  await claim("resumed while it is had", "x", { out, resume: true });
  releaseRunFolder(out);
  calls.note("released", [listed(join(folder, "a"))]);
  await claim("resumed", "x", { out, resume: true });
  writeFileSync(join(out, "kept"), "");
  releaseRunFolder(out);
  releaseRunFolder(out);
  await claim("where something is", "x", { out });
  releaseRunFolder(`${out}-2`);
  releaseRunFolder(`${out}-3`);
  calls.note("left", listed(join(folder, "a")));
  mkdirSync(join(folder, "empty"));
  await claim("an empty one", "x", { out: join(folder, "empty") });
  releaseRunFolder(join(folder, "empty"));
  calls.note("stays", existsSync(join(folder, "empty")));
  writeFileSync(join(folder, "file"), "");
  await claim("below a file", "x", { out: join(folder, "file", "run") });
  await calls.once("  said once", () => expectClaimed(join(folder, "file", "run")));
  await calls.once("  and no more", () => expectClaimed(join(folder, "file", "run")));
  await claim("none", "x", { out: false });
  await claim("none resumed", "x", { out: false, resume: true });
  releaseRunFolder(undefined);

  for (const name of ["0", "1"]) mkdirSync(join(folder, "set", name), { recursive: true });
  const files = new DrawnSet(4, [], join(folder, "set"));
  for (const index of [0, 1, 2]) writeFileSync(files.path(index), "x".repeat(3 * index + 1));
  await calls.does("filesOf", () => filesOf(files));
  await calls.does("filesOf none", () => filesOf(new DrawnSet(0)));
  const runs = join(folder, "data");
  mkdirSync(runs);
  for (const resumed of [false, true])
    await calls.once(`compared, resumed ${resumed}`, () =>
      compareFiles(runs, { training: files, validation: new DrawnSet(2) }, resumed),
    );
  writeFileSync(files.path(2), "longer than before");
  rmSync(files.path(1));
  await calls.once("compared after a change", () =>
    compareFiles(runs, { training: files, validation: new DrawnSet(4) }, true),
  );
  await calls.once("compared with a set more", () =>
    compareFiles(runs, { training: files, other: files }, true),
  );
  writeFileSync(join(runs, "data.json"), "not JSON");
  await calls.once("compared with nothing that can be read", () =>
    compareFiles(runs, { training: files }, true),
  );
  await calls.does("factsOf", async () => {
    const { luvit, ...facts } = await factsOf(
      task(set, plain, {
        frozen: new Map(
          [...new Linear(1, 2, new Rng(3)).namedParameters()].map(([path, one]) => [`teacher.${path}`, one]),
        ),
      }),
      { training: set },
      plain,
      "eager",
    );
    return facts;
  });
  await calls.does("factsOf told", async () => {
    const { checkpointEvery, sums } = await factsOf(
      task(set, plain),
      {},
      { ...plain, checkpointEvery: 3, sums: "bfloat16" },
      "eager",
    );
    return [checkpointEvery, sums];
  });
  calls.approve("train/steps and handles");
});
