import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { keepRange, keptRanges } from "../../../../src/analysis/keptRanges";
import { rowsOf as allOf, resultTable } from "../../../../src/analysis/provenance";
import {
  answersFolder,
  answersTable,
  type PartAnswers,
  readAnswers,
} from "../../../../src/analysis/suite/answers";
import { alexNetErrors } from "../../../../src/analysis/suite/corruptionErrors";
import {
  commonFacts,
  noteShard,
  readFacts,
  type SuiteFacts,
  shardsIn,
  writeFacts,
} from "../../../../src/analysis/suite/folder";
import { mergeSuites } from "../../../../src/analysis/suite/merge";
import { dataOf, metricsOf } from "../../../../src/analysis/suite/metrics";
import { suiteOptions } from "../../../../src/analysis/suite/options";
import { SuiteResult } from "../../../../src/analysis/suite/result";
import { type SuiteDriver, SuiteRun } from "../../../../src/analysis/suite/run";
import { overSeeds, SeedTable } from "../../../../src/analysis/suite/seeds";
import { openSuiteSets, partsOf } from "../../../../src/analysis/suite/sets";
import { suite } from "../../../../src/analysis/suite/suite";
import { startBackend } from "../../../../src/core/tf";
import { benchmarkCorruptions } from "../../../../src/data/corruptionTypes";
import type { ImageDataset } from "../../../../src/data/dataset";
import { imageNetWnids } from "../../../../src/data/sets";
import { evaluation } from "../../../../src/data/transforms";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { tinyClassifier } from "../support";

before(async () => void (await startBackend()));

const rowsOf = (table: Parameters<typeof allOf>[0]) => allOf(table).map(({ commit, ...row }) => row);
const answer = (index: number, right: boolean, inTop5: boolean | null = null) => ({
  index,
  label: 1,
  prediction: right ? 1 : 0,
  inTop5,
  loss: index / 8,
});
/** Answers to so many images, the first of them right, and a few more in the first five. */
const answered = (images: number, right: number, five?: number): PartAnswers =>
  new Map(
    Array.from({ length: images }, (_, i) => [i, answer(i, i < right, five === undefined ? null : i < five)]),
  );
const put = (path: string, content: string) => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
};

test("numbers of a suite, their table and what is said of them are approved", async () => {
  const calls = new Calls();
  calls.note("options", Object.keys(suiteOptions.optional));
  calls.note("alexNetErrors", alexNetErrors);
  for (const part of ["in1k", "a", "r", "v2", "sketch", "c/fog/3", "in9/original", "own/my set", "own/a/b"])
    await calls.of(dataOf, part);
  const parts: [string, PartAnswers][] = [
    ["own/mine", answered(3, 2, 3)],
    ["sketch", answered(5, 1)],
    ["in1k", answered(8, 5, 7)],
    ["a", answered(7, 2)],
    ["r", answered(9, 4)],
    ["v2", answered(4, 3)],
  ];
  const some = new Map<string, PartAnswers>([
    ...parts,
    ["c/fog/1", answered(4, 3)],
    ["c/fog/5", answered(4, 1)],
    ["c/snow/2", answered(6, 3)],
    ["in9/mixed_same", answered(5, 4)],
    ["in9/original", answered(10, 9)],
    ["in9/mixed_next", answered(3, 1)],
  ]);
  const whole = new Map<string, PartAnswers>([
    ...benchmarkCorruptions.flatMap((type, i) =>
      [1, 2].map((severity): [string, PartAnswers] => [`c/${type}/${severity}`, answered(20, i + severity)]),
    ),
    ["c/spatter/1", answered(20, 20)],
    ["in9/mixed_same", answered(5, 4)],
    ["in9/mixed_rand", answered(5, 2)],
    ["in9/original", answered(10, 9)],
    ["in1k", answered(8, 5)],
  ]);
  for (const comparison of [
    { recipe: "finetuneLuvit", classes: 1000 },
    { recipe: "supervised", classes: 1000 },
    { recipe: "own", classes: 1000 },
    { recipe: "finetuneLuvit", classes: 10 },
    { classes: 1000 },
  ]) {
    calls.note(`metricsOf some ${JSON.stringify(comparison)}`, metricsOf(some, comparison));
    calls.note(
      `metricsOf whole ${JSON.stringify(comparison)}`,
      metricsOf(whole, comparison).filter(({ metric }) => !/^top-1, [a-z_]*(blur|noise)$/.test(metric)),
    );
  }
  calls.note(
    "metricsOf one corruption",
    metricsOf(new Map([["c/fog/1", answered(4, 3)]]), { classes: 1000 }),
  );
  calls.note("metricsOf nothing", metricsOf(new Map(), { classes: 1000 }));
  calls.title("results");
  const made = (change: object = {}) =>
    new SuiteResult({
      byPart: some,
      provenance: { model: "m", recipe: "finetuneLuvit", seed: 2 },
      classes: 1000,
      missing: [],
      unreadable: {},
      ...change,
    });
  const results = {
    complete: made(),
    missing: made({ missing: ["a: images 5 to 6", "v2: all of it"], absent: ["shard 2/3 never came"] }),
    "many missing": made({ missing: Array.from({ length: 15 }, (_, i) => `p${i}`) }),
    unreadable: made({ unreadable: { a: 2, "own/mine": 1 }, skipped: ["x.jpg: why"] }),
    "no model": made({ provenance: {} }),
    "nothing yet": made({ byPart: new Map() }),
    "seed 0": made({ provenance: { seed: 0 }, byPart: new Map() }),
  };
  for (const [name, result] of Object.entries(results)) {
    calls.note(name, [
      result.complete,
      result.parts.length,
      result.missing,
      result.absent,
      result.unreadable,
      result.skipped,
      inspect(result) === String(result),
    ]);
    for (const line of name === "complete"
      ? String(result).split("\n")
      : [
          String(result).split("\n")[0],
          ...String(result)
            .split("\n")
            .slice(-14)
            .filter((text) => !text.includes("ImageNet-")),
        ])
      calls.note("  text", line);
  }
  calls.note("table", rowsOf(results.complete.table));
  calls.note("answers", rowsOf(results.complete.answers("own/mine")));
  calls.note(
    "answers in their order",
    rowsOf(
      made({
        byPart: new Map([
          [
            "a",
            new Map([
              [7, answer(7, true)],
              [2, answer(2, false)],
            ]),
          ],
        ]),
      }).answers("a"),
    ).map(({ index }) => index),
  );
  calls.note("answers of none", rowsOf(results.complete.answers("c/fog/4")));
  await calls.does("a result of no parts", () => new SuiteResult({} as never));
  calls.title("over seeds");
  const table = (seed: number | null, shift: number, model = "m") =>
    resultTable(
      { metric: ["top-1", "top-5"], value: [50 + shift, 80 - shift] },
      { model, data: "ImageNet-1K", recipe: "r", ...(seed === null ? {} : { seed }) },
    );
  const over = overSeeds([
    table(1, 0),
    table(2, 1),
    table(7, 3.5),
    table(1, 2, "other"),
    table(2, 2.5, "other"),
  ]);
  calls.note("rows", over.rows);
  calls.note("table", rowsOf(over.table));
  for (const line of String(over).split("\n")) calls.note("text", line);
  calls.note(
    "95 %",
    overSeeds([table(1, 0), table(2, 1)], 0.95).rows.map(({ interval }) => interval),
  );
  calls.note("text of 95 %", [
    String(overSeeds([table(1, 0), table(2, 1)], 0.95)).split("\n")[0],
    inspect(over) === String(over),
    String(new SeedTable([], over.table, 0.5)),
  ]);
  for (const [name, tables] of Object.entries({
    "one seed": [table(1, 0)],
    "a seed twice": [table(1, 0), table(1, 1)],
    "no seed": [table(null, 0)],
    none: [],
    "no table": [3],
  }))
    await calls.does(`overSeeds of ${name}`, () =>
      overSeeds(tables as never).rows.map(({ n, interval }) => [n, interval]),
    );
  for (const confidence of [0, 1, 1.5, Number.NaN])
    await calls.does(
      `overSeeds at ${confidence}`,
      () => overSeeds([table(1, 0), table(2, 1)], confidence).rows[0].interval,
    );
  calls.approve("analysis/suite/numbers");
});

test("how a suite's run goes is approved", async () => {
  const out = temporaryFolder();
  const calls = new Calls({ out });
  const result = (missing: string[] = []) =>
    new SuiteResult({ byPart: new Map(), provenance: {}, classes: 10, missing, unreadable: {} });
  const state = (run: SuiteRun) => [
    run.state,
    run.engine,
    run.parts.map((part) => ({ ...part })),
    String(run),
    inspect(run) === String(run),
    run.metrics.length,
  ];
  let driver!: SuiteDriver;
  let signal!: AbortSignal;
  let end!: (result: SuiteResult) => void;
  const run = new SuiteRun(
    [
      { key: "in1k", data: "ImageNet-1K" },
      { key: "a", data: "ImageNet-A" },
    ],
    (given, stop) => {
      [driver, signal] = [given, stop];
      return new Promise((resolve) => {
        end = resolve;
      });
    },
  );
  calls.note("begun", [...state(run), run.name, signal.aborted]);
  const log: unknown[] = [];
  const off = run.onProgress(({ imagesPerSecond, ...progress }) =>
    log.push({ ...progress, isFast: imagesPerSecond > 0 }),
  );
  driver.runsOn("cpu");
  driver.opened("in1k", 9, 4);
  calls.note("opened", state(run));
  driver.advanced("in1k", 3);
  calls.note("advanced", [state(run), log.splice(0)]);
  driver.finished("in1k", () => [{ data: "d", metric: "m", value: 1, images: 2, tables: "", paper: {} }]);
  calls.note("finished", [state(run), run.metrics, run.metrics.length]);
  driver.opened("a", 5, 0);
  driver.advanced("a", 5);
  calls.note("the second", log.splice(0));
  off();
  driver.advanced("a", 0);
  calls.note("nobody listens", log.splice(0));
  driver.finished("a", () => []);
  end(result());
  calls.note("ended", [(await run.done).complete, ...state(run)]);
  const stopped = new SuiteRun(
    [{ key: "a", data: "A" }],
    (_, stop) =>
      new Promise((resolve) => stop.addEventListener("abort", () => resolve(result(["a: all of it"])))),
  );
  calls.note("stopped", [(await stopped.stop()).missing, stopped.state]);
  const failed = new SuiteRun([{ key: "a", data: "A" }], async () => {
    throw new Error("why");
  });
  calls.note("failed", [await failed.done.catch((error) => error.message), failed.state, String(failed)]);
  for (const [parts, body] of [
    [3, async () => result()],
    [[], 3],
  ])
    await calls.does("of none", () => new SuiteRun(parts as never, body as never));
  calls.title("parts");
  const set = (name: string) => ({ name }) as unknown as ImageDataset;
  const opened: unknown[] = [];
  const open = (type: string, severity: number) => {
    opened.push(`${type} ${severity}`);
    return set(type);
  };
  const names = (sets: object) => partsOf(sets as never).map(({ key }) => key);
  calls.note(
    "all",
    names({
      c: { types: ["snow", "fog"], severities: [5, 2], open },
      in9: { original: set("o"), mixed_rand: undefined, mixed_same: set("s") },
      own: { z: set("z"), b: set("b") },
      sketch: set("k"),
      in1k: set("i"),
      r: set("r"),
      v2: set("v"),
      a: set("a"),
    }),
  );
  calls.note("corruptions", [
    names({ c: { open } }).length,
    names({ c: { open, severities: [1] } }).length,
    names({ c: { open, types: ["fog"] } }),
    opened,
  ]);
  await calls.does("opened", async () =>
    (
      await Promise.all(
        partsOf({ c: { types: ["fog"], severities: [3], open }, own: { x: set("x") } }).map((part) =>
          part.open(),
        ),
      )
    ).map((one) => (one as { name?: string }).name),
  );
  for (const sets of [{}, { in9: {} }, { own: {} }, { c: { types: [], open } }])
    await calls.does(`partsOf ${JSON.stringify(sets)}`, () => partsOf(sets as never));
  const model = tinyClassifier(1);
  await calls.does("suite of no model", () => suite({} as never, {}));
  await calls.does("suite of a list", () => suite(model, [] as never));
  await calls.does("suite of nothing", () => suite(model, {}));
  for (const options of [
    { batchSize: 0 },
    { keepEvery: 0 },
    { shard: { index: 2, count: 1 } },
    { onProgress: 3 },
    { seed: -1 },
    { data: "x" },
  ])
    await calls.does(`suite ${JSON.stringify(options)}`, () =>
      suite(model, { a: set("a") }, options as never),
    );
  await calls.does("suite with a name that is no folder", () =>
    suite(model, { own: { "a/../b": set("x") } }, { out: "x" }),
  );
  const images = {
    classes: ["p", "q"],
    length: 5,
    size: 16,
    path: (i: number) => `p${i}`,
    label: (i: number) => i % 2,
    report: { skipped: [], count: 0 },
  } as unknown as ImageDataset;
  const own = {
    ...images,
    subset: (indices: ArrayLike<number>) => ({
      ...own,
      length: indices.length,
      load: async (i: number) => ({
        image: new Float32Array(768).fill(indices[i] / 9),
        label: indices[i] % 2,
        path: `p${indices[i]}`,
        index: i,
      }),
    }),
    take: () => own,
    load: async () => {},
  } as unknown as ImageDataset;
  await suite(model, { own: { mine: own } }).done; // what an engine opens once stays open
  await calls.once("suite of one's own", async () => {
    const seen: unknown[] = [];
    const done = await suite(
      model,
      { own: { mine: own } },
      {
        batchSize: 2,
        keepEvery: 4,
        onProgress: ({ part, done, total, partsDone, parts }) =>
          seen.push([part, done, total, partsDone, parts]),
      },
    ).done;
    return [
      done.parts,
      done.complete,
      rowsOf(done.answers("own/mine")).map(({ index, label, prediction }) => [
        index,
        label,
        prediction === 0 || prediction === 1,
      ]),
      seen,
      done.provenance.recipe,
      done.unreadable,
    ];
  });
  await calls.once("its second shard", async () =>
    rowsOf(
      (await suite(model, { own: { mine: own } }, { shard: { index: 2, count: 2 } }).done).answers(
        "own/mine",
      ),
    ).map(({ index }) => index),
  );
  const unread = {
    ...own,
    report: { skipped: [{ path: "p3", reason: "p3: why" }], count: 1 },
  } as unknown as ImageDataset;
  const kept = async (options: object, sets: object = { own: { mine: own, other: unread } }) => {
    const done = await suite(model, sets, { out, batchSize: 2, keepEvery: 2, ...options }).done;
    const metrics = done.metrics.map(({ data, metric, images }) => [data, metric, images]);
    const files = readdirSync(out, { recursive: true }).map(String).sort();
    return [done.complete, done.missing, done.unreadable, done.skipped, done.parts, metrics, files];
  };
  await calls.once("kept, before it is begun", () => kept({ signal: AbortSignal.abort() }));
  await calls.once("kept, the second shard", () => kept({ shard: { index: 2, count: 2 } }));
  await calls.once("kept, all", () => kept({}));
  const seen: unknown[] = [];
  await calls.once("kept, again", () => kept({ onProgress: (progress: unknown) => seen.push(progress) }));
  calls.note("nothing was done again", seen);
  await calls.once("kept, under another recipe", () => kept({ recipe: "r" }));
  await calls.once("kept, of more images", () => kept({}, { own: { mine: { ...own, length: 6 } } }));
  await calls.once(
    "suite of images of another size",
    () => suite(model, { own: { mine: { ...own, size: 8 } as never } }).done,
  );
  await calls.once(
    "suite of other classes",
    () => suite(model, { own: { mine: { ...own, classes: ["a", "b", "c"] } as never } }).done,
  );
  await calls.once(
    "suite that was stopped",
    async () => (await suite(model, { own: { mine: own } }, { signal: AbortSignal.abort() }).done).missing,
  );
  calls.approve("analysis/suite/runs");
});

const facts = (change: object = {}): SuiteFacts => ({
  sha256: "ab12",
  classes: 10,
  provenance: { model: "m", recipe: "r", seed: 1 },
  commit: "c",
  parts: { a: 6, "own/x": 3 },
  ...change,
});

test("folders of answers, and suites put together from them, are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const at = (...names: string[]) => join(folder, ...names);
  mkdirSync(at("empty"));
  await calls.does("readFacts of none", () => readFacts(at("empty")));
  mkdirSync(at("one"));
  await writeFacts(at("one"), facts());
  await calls.does("readFacts", () => readFacts(at("one")));
  for (const [i, wrong] of [
    "[]",
    "{}",
    JSON.stringify(facts({ classes: 0 })),
    JSON.stringify(facts({ parts: { "../x": 1 } })),
    JSON.stringify(facts({ parts: { a: -1 } })),
    JSON.stringify(facts({ parts: { a: 1.5 } })),
    JSON.stringify(facts({ parts: [] })),
    JSON.stringify(facts({ sha256: "" })),
    JSON.stringify(facts({ more: 1 })),
    JSON.stringify(facts({ provenance: 3 })),
  ].entries()) {
    put(at(`wrong${i}`, "suite.json"), wrong);
    await calls.does(`readFacts ${wrong.slice(0, 160)}`, () => readFacts(at(`wrong${i}`)));
  }
  for (const [name, change] of Object.entries({
    same: {},
    "another commit": { commit: "d" },
    "more parts": { parts: { b: 2 } },
    "other images": { parts: { a: 7, b: 1 } },
    "another model": { sha256: "cd" },
    "other classes": { classes: 11 },
    "another recipe": { provenance: { model: "m", recipe: "q", seed: 1 } },
    "another seed": { provenance: { model: "m", recipe: "r", seed: 2 } },
    "no recipe": { provenance: { model: "m" } },
  }))
    await calls.does(`commonFacts ${name}`, () => commonFacts(facts(), facts(change), "here"));
  await noteShard(at("one"), { index: 2, count: 3 }, { a: 6 });
  put(at("one", "shard-4-of-3.json"), "{}");
  put(at("one", "shard-x-of-3.json"), "{}");
  put(at("one", "shard-1-of-3.json.part"), "{}");
  await calls.does("shardsIn", () => shardsIn(at("one")));
  put(at("bad", "shard-1-of-3.json"), '{"parts":{"a":"x"}}');
  await calls.does("shardsIn of another file", () => shardsIn(at("bad")));
  calls.note("answersFolder", answersFolder("<out>", "c/fog/3"));
  calls.note("answersTable", [
    rowsOf(answersTable([answer(3, true, true), answer(1, false)])),
    rowsOf(answersTable([])),
    answersTable([answer(1, true)]).schema.fields.map(({ name, type }) => `${name} ${type}`),
  ]);
  const keep = (
    place: string,
    part: string,
    start: number,
    end: number,
    answers: ReturnType<typeof answer>[],
  ) => keepRange(answersFolder(at(place), part), { start, end }, answersTable(answers));
  await keep("one", "a", 0, 2, [answer(0, true), answer(1, false)]);
  await keep("one", "own/x", 0, 3, [answer(0, true), answer(2, true)]);
  const read = (name: string, place: string, part: string, known: PartAnswers = new Map()) =>
    calls.does(`readAnswers ${name}`, async () => {
      for (const range of keptRanges(answersFolder(at(place), part))) await readAnswers(range, known);
      return known;
    });
  await read("of a part", "one", "a");
  await read("beside the same", "one", "a", answered(2, 1));
  await read("beside another prediction", "one", "a", answered(2, 0));
  await read("beside another label", "one", "a", new Map([[1, { ...answer(1, false), label: 0 }]]));
  await keep("beyond", "a", 0, 2, [answer(2, true)]);
  await keep("before", "a", 3, 5, [answer(2, true)]);
  await read("beyond its range", "beyond", "a");
  await read("before its range", "before", "a");
  calls.title("merged");
  const merge = (name: string, folders: readonly string[], out?: string) =>
    calls.does(`mergeSuites ${name}`, async () => {
      const result = await mergeSuites(
        folders.map((one) => at(one)),
        out && at(out),
      );
      return [
        result.parts,
        result.complete,
        result.missing,
        result.absent,
        result.unreadable,
        result.provenance,
        result.metrics.map(({ data, metric, value, images }) => [data, metric, value, images]),
      ];
    });
  await merge("of one", ["one"]);
  mkdirSync(at("two"));
  await writeFacts(at("two"), facts({ commit: "e", parts: { a: 6, b: 4 } }));
  await keep("two", "a", 2, 6, [answer(2, true), answer(3, true), answer(4, false), answer(5, false)]);
  await merge("of two", ["one", "two"], "merged");
  calls.note("written", readdirSync(at("merged")));
  await noteShard(at("two"), { index: 1, count: 3 }, { a: 6, v2: 9 });
  await merge("of two shards of three", ["one", "two"]);
  await noteShard(at("two"), { index: 1, count: 4 }, { a: 6 });
  await merge("of shards of three and four", ["one", "two"]);
  mkdirSync(at("other"));
  await writeFacts(at("other"), facts({ sha256: "ff" }));
  await merge("of another model", ["one", "other"]);
  await merge("of a folder without", ["one", "empty"]);
  await merge("of none", []);
  await calls.does("mergeSuites of a number", () => mergeSuites(3 as never));
  calls.approve("analysis/suite/folders");
});

test("how the sets of a suite are opened is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const at = (...names: string[]) => join(folder, ...names);
  const wnids = imageNetWnids();
  const told = (set: unknown) => {
    const { root, length, transform } = set as {
      root: string;
      length: number;
      transform: { name: string; size: number };
    };
    return [root, length, transform.name, transform.size];
  };
  put(at("in1k", "val", wnids[3], "x.JPEG"), "");
  put(at("a", "n01498041", "x.JPEG"), "");
  put(at("v2", "7", "x.JPEG"), "");
  for (const severity of [1, 2, 3, 4, 5]) put(at("c", "fog", String(severity), wnids[2], "x.JPEG"), "");
  for (const split of ["original", "mixed_same", "mixed_rand"])
    put(at("in9", split, "val", "00_dog", "x.JPEG"), "");
  put(at("in9next", "mixed_next", "val", "00_dog", "x.JPEG"), "");
  const opens = (name: string, folders: object, options: object = {}) =>
    calls.does(`openSuiteSets ${name}`, async () => {
      const { c, in9, ...sets } = await openSuiteSets(folders, { partial: true, ...options });
      return [
        Object.fromEntries(Object.entries(sets).map(([key, set]) => [key, set && told(set)])),
        c && [c.types, told(await c.open("fog", 2))],
        in9 && Object.fromEntries(Object.entries(in9).map(([key, set]) => [key, told(set)])),
      ];
    });
  await opens("all", { in1k: at("in1k"), a: at("a"), v2: at("v2"), c: at("c"), in9: at("in9") });
  await opens("of another size", { in1k: at("in1k"), c: at("c"), in9: at("in9") }, { size: 64 });
  await opens("none", {});
  await opens("one that is not there", { a: at("nowhere") });
  await opens("two that are not there", { a: at("nowhere"), r: at("none"), in1k: at("in1k") });
  await opens("corruptions in part", { c: at("c") }, { partial: false });
  await opens("no corruptions", { c: at("in9") });
  await opens("backgrounds in part", { in9: at("in9next") });
  await opens("a number", { a: 3 });
  await calls.does("openSuiteSets of a list", () => openSuiteSets([] as never));
  await calls.does("openSuiteSets with a number", () => openSuiteSets({}, 3 as never));
  calls.note("evaluation", evaluation(64).name);
  calls.approve("analysis/suite/sets");
});
