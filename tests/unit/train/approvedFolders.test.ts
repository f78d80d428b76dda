import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { LuvitError } from "../../../src/core/errors";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { SkipReport } from "../../../src/data/dataset";
import { Linear } from "../../../src/nn";
import { claimRunFolder, expectClaimed, releaseRunFolder } from "../../../src/train/claimFolder";
import { compareFiles, filesOf } from "../../../src/train/dataFiles";
import { Run, type StepRecord } from "../../../src/train/run";
import { factsOf } from "../../../src/train/runFacts";
import type { Stepper } from "../../../src/train/stepper";
import { prepareStepper, stepBatches } from "../../../src/train/steps";
import { Calls } from "../../support/calls";
import { DrawnSet, go, listed, type Parts, plain, SIDE, Tiny, task } from "./drawnRuns";
import { temporaryFolder } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

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

  const sourced = new Tiny();
  sourced.layer.weight.source = "a file" as never;
  const forgetting = go({ ...plain, epochs: 1 }, { model: sourced });
  calls.note("a weight's file before", sourced.layer.weight.source);
  await forgetting.done;
  calls.note("and when it is trained", sourced.layer.weight.source);

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
  const rows = Object.create(files, {
    path: { value: (index: number) => `${join(folder, "set", "0", "0.png")}#${index}` },
  });
  await calls.does("filesOf rows of a table", () => filesOf(rows));
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
