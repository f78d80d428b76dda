import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { ErrorCosts } from "../../../../src/analysis/detection/errorCosts";
import { type DetectionErrorKind, errorKinds, mendable } from "../../../../src/analysis/detection/errorKinds";
import { DetectionErrors, errorsByKind } from "../../../../src/analysis/detection/errors";
import { evaluate, evaluationOptions } from "../../../../src/analysis/detection/evaluate";
import {
  DetectorEvaluation,
  detectorEvaluationOptions,
  evaluateDetector,
} from "../../../../src/analysis/detection/evaluateDetector";
import { ResultsFolder } from "../../../../src/analysis/detection/resultsFolder";
import { readResultsTable, resultsTable } from "../../../../src/analysis/detection/resultsTable";
import { DetectionScores } from "../../../../src/analysis/detection/scores";
import { Table2, table2 } from "../../../../src/analysis/detection/table2";
import { Tally } from "../../../../src/analysis/detection/tally";
import { inTurns } from "../../../../src/analysis/detection/turns";
import { rowsOf as allOf } from "../../../../src/analysis/provenance";
import { Turn } from "../../../../src/core/loop";
import { showWorkWith } from "../../../../src/core/progress";
import { startBackend } from "../../../../src/core/tf";
import { CocoAnnotations, type CocoResult } from "../../../../src/data/coco";
import { writeTable } from "../../../../src/io/tables/table";
import { Groups } from "../../../../src/train/detection/groups";
import { matchGroup } from "../../../../src/train/detection/match";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { tinyClassifier } from "../support";
import { annotations, result } from "./support";

before(async () => void (await startBackend()));

/** Two images with three kinds of mistakes each: everything that can become of a result, at least once. */
const truth = annotations(
  [
    { box: [10, 10, 50, 40] },
    { box: [100, 20, 20, 20], label: 1 },
    { box: [20, 120, 60, 60], label: 1 },
    { box: [120, 120, 70, 60], crowd: true },
    { box: [10, 10, 120, 110], image: 2 },
    { box: [150, 150, 20, 30], image: 2 },
    { box: [5, 150, 30, 30], image: 2, label: 1, area: 40 },
  ],
  3,
);
const found = [
  result([10, 10, 50, 40], 0.9),
  result([12, 14, 50, 40], 0.85),
  result([100, 20, 20, 20], 0.8),
  result([104, 26, 20, 20], 0.7, 1),
  result([20, 120, 55, 58], 0.6, 1),
  result([20, 118, 60, 60], 0.95, 1),
  result([125, 125, 40, 40], 0.5),
  result([170, 5, 20, 20], 0.4),
  result([15, 15, 110, 120], 0.75, 0, 2),
  result([148, 140, 20, 30], 0.65, 0, 2),
  result([60, 60, 130, 130], 0.3, 1, 2),
  result([5, 150, 30, 30], 0.2, 0, 2),
  result([1, 1, 30, 30], 0.99, 1, 3),
];

const rowsOf = (table: Parameters<typeof allOf>[0]) => allOf(table).map(({ commit, ...row }) => row);
const told = (scores: DetectionScores) => [
  scores.summary,
  scores.images,
  scores.maxDetections,
  scores.kind,
  scores.classes,
];

test("scores of detections are approved", async () => {
  const calls = new Calls();
  calls.note("options", [Object.keys(evaluationOptions.optional), evaluationOptions.required]);
  const of = (name: string, results: readonly CocoResult[], options: object, about = truth) =>
    calls.does(`evaluate ${name}`, async () => told(await evaluate(about, results, options as never)));
  await of("boxes", found, { kind: "bbox" });
  await of("masks", found, { kind: "segm" });
  await of("boxes, one of an image", found, { kind: "bbox", maxDetections: [1, 1, 1] });
  await of("boxes, two of an image", found, { kind: "bbox", maxDetections: [1, 2, 2] });
  const many = [...Array.from({ length: 104 }, () => result([1, 190, 5, 5], 0.9)), ...found];
  await of("boxes, the best of 103", many, { kind: "bbox", maxDetections: [1, 10, 103] });
  await of("boxes, the best of 300", many, { kind: "bbox", maxDetections: [1, 10, 300] });
  await of("nothing", [], { kind: "bbox" });
  await of("nothing of nothing", [], { kind: "bbox" }, annotations([]));
  await of(
    "all of it",
    truth.annotations.filter(({ crowd }) => !crowd).map((one) => ({ ...one, score: 0.5 })),
    { kind: "bbox" },
  );
  for (const options of [
    {},
    { kind: "keypoints" },
    { kind: "bbox", maxDetections: [1, 10] },
    { kind: "bbox", maxDetections: [0, 1, 2] },
    { kind: "bbox", maxDetections: [3, 2, 4] },
    { kind: "bbox", maxDetections: [1, 2.5, 4] },
    { kind: "bbox", maxDetections: 3 },
    { kind: "bbox", most: 3 },
    { kind: "bbox", seed: -1 },
  ])
    await of(JSON.stringify(options), found, options);
  await calls.does("evaluate of no truth", () => evaluate({} as never, found, { kind: "bbox" }));
  await calls.does("evaluate of no list", () => evaluate(truth, 3 as never, { kind: "bbox" }));
  await of("a result of another class", [{ ...found[0], categoryId: 5 }], { kind: "bbox" });
  await of("a box alone", [{ imageId: 1, categoryId: 10, score: 1, box: [1, 2, 3, 4] }], { kind: "segm" });
  await calls.does("evaluate that is stopped", () =>
    evaluate(truth, found, { kind: "bbox", signal: AbortSignal.abort() }).catch((error) => [
      error.name,
      error.code,
    ]),
  );
  const scores = await evaluate(truth, found, { kind: "bbox", model: "m", recipe: "r", seed: 3 });
  for (const line of String(scores).split("\n")) calls.note("text", line);
  calls.note("inspected", inspect(scores) === String(scores));
  calls.note("table", rowsOf(scores.table));
  calls.note("masks' table", rowsOf((await evaluate(truth, found, { kind: "segm", data: "own" })).table));
  calls.note("perClass", rowsOf(scores.perClass()));
  for (const name of ["a", "b", "c"]) await calls.does(`ofClass ${name}`, () => scores.ofClass(name));
  for (const choice of [
    {},
    { label: "a" },
    { iou: 0.5 },
    { iou: 0.95 },
    { iou: 0.55, label: "b" },
    { size: "large" },
    { size: "small", iou: 0.75, label: "b" },
    { label: "c" },
    { iou: 0.52 },
    { iou: 1.1 },
    { size: "huge" },
    { most: 1 },
  ] as object[]) {
    await calls.does(`averagePrecision ${JSON.stringify(choice)}`, () => scores.averagePrecision(choice));
    await calls.does(`precisionRecall ${JSON.stringify(choice)}`, () => scores.precisionRecall(choice));
  }
  const namesake = new CocoAnnotations(
    truth.images,
    [
      { id: 10, name: "a" },
      { id: 20, name: "a" },
    ],
    truth.annotations,
  );
  await calls.does("a name twice", async () =>
    (await evaluate(namesake, found, { kind: "bbox" })).ofClass("a"),
  );
  await calls.does("of no parts", () => new DetectionScores({} as never));
  calls.title("tally");
  const tally = new Tally();
  for (const group of new Groups(truth, found, "bbox", 100).of(0)) tally.add(group);
  const curves = await tally.curves([1, 2], new Turn());
  calls.note("curves", [
    curves.length,
    curves.map((byArea) =>
      byArea.map((byMost) =>
        byMost.map(
          (curve) => curve && [curve.recall, curve.precision[0], curve.precision[50], curve.precision[100]],
        ),
      ),
    ),
  ]);
  calls.note("curves of nothing", await new Tally().curves([1], new Turn()));
  calls.title("Table 2");
  const segm = await evaluate(truth, found, { kind: "segm" });
  for (const line of String(
    table2({ "my detector": { bbox: scores, segm }, "boxes alone": { bbox: scores } }),
  ).split("\n"))
    calls.note("text", line);
  calls.note("rows", rowsOf(table2({ mine: { segm } }).table));
  calls.note("without its own", [rowsOf(table2().table).length, inspect(table2()) === String(table2())]);
  for (const own of [
    { x: {} },
    { x: { bbox: segm } },
    { x: { segm: scores } },
    { x: { bbox: 3 } },
    { x: 3 },
    3,
  ])
    await calls.does(`table2 of ${JSON.stringify(Object.keys(Object(own)))}`, () => table2(own as never));
  const whole = new DetectionScores({
    kind: "bbox",
    classes: Array.from({ length: 80 }, (_, i) => `c${i}`),
    images: 5000,
    maxDetections: [1, 10, 100],
    curves: [],
  });
  calls.note("val2017", rowsOf(table2({ mine: { bbox: whole } }).table).at(-1));
  await calls.does("Table2 of no rows", () => new Table2(3 as never));
  calls.approve("analysis/detection/scores");
});

test("mistakes of detections, and what they cost, are approved", async () => {
  const calls = new Calls();
  calls.note(
    "kinds",
    errorKinds.map((kind) => [kind, mendable(kind)]),
  );
  const of = (name: string, results: readonly CocoResult[], options: object = {}, about = truth) =>
    calls.does(`errorsByKind ${name}`, async () => {
      const { errors, ap50, gain, right, inCrowds } = await errorsByKind(about, results, options);
      return [
        errors.map(({ kind, imageId, result, truth, iou }) => [kind, imageId, result?.score, truth?.id, iou]),
        ap50,
        gain,
        right.map(({ result, truth, iou }) => [result.score, truth.id, iou]),
        inCrowds.map(({ score }) => score),
      ];
    });
  await of("boxes", found);
  await of("masks", found, { kind: "segm" });
  await of("nothing", []);
  await of("nothing right", found.slice(7, 8));
  await of("the best of three for one object", [
    result([15, 15, 50, 40], 0.5, 1),
    result([10, 10, 50, 40], 0.6, 1),
    result([11, 10, 50, 40], 0.55, 1),
  ]);
  await of("near a crowd", [result([100, 110, 80, 60], 0.6, 1), result([121, 121, 69, 59], 0.5, 1)]);
  await of("another's place", [result([100, 20, 20, 20], 0.6), result([102, 22, 20, 20], 0.5, 1)]);
  await of("at 0.1 and below", [
    result([10, 10, 50, 4], 0.9),
    result([10, 10, 49, 4], 0.8),
    result([10, 10, 50, 20], 0.7),
  ]);
  for (const options of [{ kind: "x" }, { most: 1 }, { signal: 3 }])
    await of(JSON.stringify(options), found, options);
  await calls.does("errorsByKind of no truth", () => errorsByKind(3 as never, found));
  await calls.does("errorsByKind of no list", () => errorsByKind(truth, {} as never));
  await of("a result of no image", [{ ...found[0], imageId: 9 }]);
  await calls.does("errorsByKind that is stopped", () =>
    errorsByKind(truth, found, { signal: AbortSignal.abort() }).catch((error) => [error.name, error.code]),
  );
  const all = await errorsByKind(truth, found);
  for (const line of String(all).split("\n")) calls.note("text", line);
  calls.note("of nothing", [
    String(await errorsByKind(truth, [])),
    String(await errorsByKind(annotations([]), [])),
  ]);
  calls.note("counts", [errorKinds.map((kind) => all.count(kind)), inspect(all) === String(all)]);
  const none = Object.fromEntries(errorKinds.map((kind, i) => [kind, i / 7])) as Record<
    DetectionErrorKind,
    number
  >;
  calls.note("by hand", String(new DetectionErrors([], 0.5, none, [], [])));
  calls.title("costs");
  const groups = new Groups(truth, found, "bbox", 100);
  const matched = [0, 1].flatMap((label) =>
    [...groups.of(label)].map((group) => ({ group, match: matchGroup(group, [0, 1e10], [0.5])[0] })),
  );
  const taken = new Set(
    matched.flatMap(({ group, match }) => [...match.taken].flatMap((at) => group.truths[at] ?? [])),
  );
  const costs = new ErrorCosts(truth, matched, all.errors, taken);
  for (const kind of [undefined, ...errorKinds])
    await calls.does(`ap50 with ${kind} mended`, () => costs.ap50(new Turn(), kind));
  calls.title("turns");
  const log: unknown[] = [];
  showWorkWith((work) => {
    log.push(work);
    return { advance: (done: number) => void log.push(done), end: (how: string) => void log.push(how) };
  });
  await calls.once("inTurns", () =>
    inTurns("L", 3, undefined, async (_, advance) => {
      advance(1);
      advance(3);
      return 7;
    }),
  );
  calls.note("shown", log.splice(0));
  await calls.once("inTurns that fails", () =>
    inTurns("L", 3, undefined, async () => {
      throw new Error("why");
    }),
  );
  calls.note("shown", log.splice(0));
  const stop = new AbortController();
  await calls.once("inTurns that is stopped", () =>
    inTurns("L", 3, stop.signal, async (turn) => {
      stop.abort();
      for (let i = 0; i < 1e6; i++) await turn.pass();
    }).catch((error) => [error.name, error.code]),
  );
  calls.note("shown", log.splice(0));
  showWorkWith(() => ({ advance: () => {}, end: () => {} }));
  calls.approve("analysis/detection/errors");
});

test("what a detector's evaluation keeps and says is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  calls.note("options", Object.keys(detectorEvaluationOptions.optional));
  await calls.does("evaluateDetector of no model", () => evaluateDetector({} as never, {} as never));
  const boxes = await evaluate(truth, found, { kind: "bbox" });
  const masks = await evaluate(truth, found, { kind: "segm" });
  for (const [name, parts] of Object.entries({
    whole: { results: found, boxes },
    "with masks": { results: found, boxes, masks, unreadable: ["a.jpg: why"] },
    missing: { results: found.slice(0, 2), missing: ["images 3 to 5", "image 9"] },
  })) {
    const one = new DetectorEvaluation(parts);
    calls.note(name, [
      one.complete,
      one.missing,
      one.unreadable,
      one.results.length,
      inspect(one) === String(one),
      String(one).split("\n")[0],
      String(one).split("\n").at(-1),
      String(one).split("\n").length,
    ]);
  }
  await calls.does("of no parts", () => new DetectorEvaluation({} as never));
  calls.title("tables");
  const some = [
    found[0],
    { imageId: 2 ** 40, categoryId: 20, score: 1 / 3, box: [0.1, -2, 3.5, 4] as const },
  ];
  calls.note("resultsTable", rowsOf(resultsTable(some)));
  for (const results of [some, []]) {
    await writeTable(join(folder, "r.arrow"), resultsTable(results));
    await calls.does("readResultsTable", () => readResultsTable(join(folder, "r.arrow")));
  }
  calls.title("folders");
  const model = tinyClassifier(1);
  const out = join(folder, "out");
  const opened = await ResultsFolder.open(out, model, 7);
  calls.note("files", [
    readdirSync(out),
    Object.keys(JSON.parse(readFileSync(join(out, "detection.json"), "utf8"))),
  ]);
  await calls.does("read of nothing", () => opened.read());
  await opened.keep({ start: 4, end: 6, results: some });
  await opened.keep({ start: 0, end: 2, results: [] });
  await calls.does("read", () => opened.read());
  await calls.does(
    "read when it is opened again",
    async () => (await (await ResultsFolder.open(out, model, 7)).read()).length,
  );
  await opened.writeResults([found[0]], ["bbox", "segm"]);
  calls.note("written", [
    readdirSync(out, { recursive: true }).sort(),
    existsSync(join(out, "results.bbox.json")),
  ]);
  await calls.does("opened for other images", () => ResultsFolder.open(out, model, 8));
  await calls.does("opened for another model", () =>
    ResultsFolder.open(out, tinyClassifier(2), 7).catch((error) => [
      error.code,
      error.message.replace(/[0-9a-f]{16,}/g, "…"),
    ]),
  );
  writeFileSync(join(out, "detection.json"), "[]");
  await calls.does("opened where something else lies", () => ResultsFolder.open(out, model, 7));
  calls.approve("analysis/detection/folders");
});
