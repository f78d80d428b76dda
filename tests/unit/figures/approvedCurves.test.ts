import { test } from "node:test";
import { errorsByKind, evaluate } from "../../../src/analysis/detection";
import { Faithfulness, type Row } from "../../../src/analysis/relevance/faithfulnessTable";
import { TokenNorms } from "../../../src/analysis/representations/tokenNorms";
import { barComparison } from "../../../src/figures/barComparison";
import { detectionErrors } from "../../../src/figures/detectionErrors";
import { entropyStrip } from "../../../src/figures/entropyStrip";
import { faithfulnessCurves } from "../../../src/figures/faithfulnessCurves";
import { historyCurves } from "../../../src/figures/historyCurves";
import { lossCurves, movingMean, smoothingWindow, thin } from "../../../src/figures/lossCurves";
import { precisionRecall } from "../../../src/figures/precisionRecall";
import { tokenNormCurves } from "../../../src/figures/tokenNormCurves";
import { Calls } from "../../support/calls";
import { annotations, result } from "../analysis/detection/support";

const wave = (length: number, step = 0.7, offset = 0) =>
  Array.from({ length }, (_, i) => Number((offset + Math.sin(step * i) + i / length).toFixed(3)));

test("bars, curves and strips are approved, with each of their options", async () => {
  const calls = new Calls();
  const series = [
    { name: "ViT <b>", values: [72.5, -3, 0.25] },
    { name: "LUViT", values: [80, 85, 12], errors: [1, 2, 30] },
    { name: "c", values: [1, Number.NaN, 3] },
  ];
  const bars = { yTitle: "%", categories: ["a", "b <c>", "d"], series };
  for (const more of [
    {},
    { title: "Top<br>two" },
    { width: 300 },
    { height: 200 },
    { series: [] },
    { series: series.slice(0, 1) },
    { series: [{ name: "", values: [1234.5, 12, 0.001] }] },
    { series: [{ name: "small", values: [0.00123, 0.5, 0] }] },
    { series: [{ name: "0", values: [0, 0, 0] }] },
    { series: [{ name: "n", values: [Number.NaN] }] },
    { series: [{ name: "exact", values: [0.5, 0.25, 0.125] }] },
    { width: 15 },
    { width: 16 },
    { height: 20_001 },
    { yTitle: 3 },
    { categories: "abc" },
    { series: [{ name: "x" }] },
    { other: 1 },
  ])
    await calls.of(barComparison, { ...bars, ...more });
  await calls.of(barComparison, undefined);
  const curve = (name: string, length: number) => ({
    name,
    steps: Array.from({ length }, (_, i) => 10 * i + 5),
    values: wave(length, 0.3, 2),
  });
  for (const given of [
    { series: [] },
    { series: [curve("a", 3)] },
    { series: [curve("a", 1)] },
    { series: [curve("a", 0)] },
    { series: [curve("a", 19), curve("b", 20)] },
    { series: [curve("a", 150)] },
    { series: [curve("a", 30)], smoothing: 1 },
    { series: [curve("a", 30)], smoothing: 7, maxPoints: 6 },
    {
      series: [curve("a", 3)],
      yScale: "log",
      xTitle: "epoch",
      yTitle: "MSE",
      title: "T",
      width: 500,
      height: 300,
    },
    { series: [{ name: "gaps", steps: [1, 2, 3], values: [1, Number.NaN, Number.POSITIVE_INFINITY] }] },
    { series: [{ name: "x", steps: [1], values: [1, 2] }] },
    { series: [curve("a", 3)], smoothing: 0 },
    { series: [curve("a", 3)], maxPoints: 1 },
    { series: [curve("a", 3)], yScale: "square" },
  ])
    await calls.of(lossCurves, given);
  for (const length of [0, 1, 19, 20, 124, 125, 137, 138, 1000]) await calls.of(smoothingWindow, length);
  for (const window of [1, 2, 3, 5, 9, 100])
    await calls.of(movingMean, [1, 2, 4, 8, 16, Number.NaN, 64, 128, 256, 512], window);
  await calls.of(movingMean, [], 3);
  for (const [length, most] of [
    [0, 5],
    [5, 5],
    [6, 5],
    [100, 7],
    [3, 2],
  ])
    await calls.of(thin, length, most);
  const history = wave(6, 1, 2).map((loss, i) => ({
    step: i + 1,
    loss,
    ...(i % 3 === 2 ? { top1: 10 * i } : {}),
  }));
  for (const options of [
    undefined,
    { metric: "top1" },
    { metric: "top1", yTitle: "top-1 (%)", title: "T" },
    { metric: "none" },
    { other: 1 },
  ])
    await calls.of(historyCurves, { ViT: history, LUViT: history.slice(3) }, options);
  await calls.of(historyCurves, { long: wave(25).map((loss, step) => ({ step, loss })) });
  await calls.of(historyCurves, { a: [{ loss: 1 }] });
  await calls.of(historyCurves, [history]);
  const blocks = [
    { block: "0", heads: [3, 3.5, 4] },
    { block: "llama 0", heads: [2, 2.5] },
  ];
  for (const given of [
    { series: [] },
    {
      series: [
        { name: "ViT", blocks: blocks.slice(0, 1) },
        { name: "LUViT", blocks },
      ],
    },
    { series: [{ name: "one", blocks }], title: "T", yTitle: "nats", width: 300, height: 250 },
    { series: [{ name: "none", blocks: [] }] },
    { series: [{ name: "x", blocks: [{ block: 1, heads: [] }] }] },
  ])
    await calls.of(entropyStrip, given);
  const norms = new TokenNorms(
    undefined as never,
    new Map([
      ["embed", Float32Array.of(3, 1, 2, 10)],
      ["blocks.0.out", Float32Array.of(5)],
      ["fusion.mapper1", Float32Array.from({ length: 41 }, (_, i) => (i * 7) % 41)],
      ["llama.layers.3.out", Float32Array.of(1, 2)],
      ["fusion.out", Float32Array.of(4, 9)],
    ]),
  );
  for (const options of [undefined, { title: "N" }, { width: 1 }])
    await calls.does(`tokenNormCurves ${JSON.stringify(options)}`, () =>
      tokenNormCurves(norms, options as never),
    );
  const many = new TokenNorms(
    undefined as never,
    new Map(Array.from({ length: 33 }, (_, i) => [`blocks.${i}.out`, Float32Array.of(i, 2 * i)])),
  );
  await calls.does("tokenNormCurves of many", () => tokenNormCurves(many).layout);
  await calls.does("tokenNormCurves of nothing", () => tokenNormCurves({} as never));
  calls.approve("figures/curves");
});

test("curves of detectors and of maps are approved, with each of their options", async () => {
  const calls = new Calls();
  const truth = annotations([
    { box: [10, 10, 20, 20] },
    { box: [40, 40, 30, 30], label: 1 },
    { box: [70, 10, 60, 55] },
    { box: [5, 80, 100, 110] },
  ]);
  const found = [
    result([10, 10, 20, 20], 0.9),
    result([42, 41, 30, 30], 0.8, 1),
    result([5, 70, 12, 12], 0.3),
    result([41, 40, 30, 29], 0.2),
    result([72, 12, 60, 50], 0.7),
    result([5, 80, 60, 110], 0.6),
  ];
  const [scores, other, masks] = [
    await evaluate(truth, found, { kind: "bbox" }),
    await evaluate(truth, found.slice(1), { kind: "bbox" }),
    await evaluate(truth, [], { kind: "bbox" }),
  ];
  for (const options of [
    {},
    { by: "iou", ious: [0.6, 0.9] },
    { by: "class" },
    { by: "size" },
    { by: "class", classes: [] },
    { by: "class", classes: ["none"] },
    { columns: 1, title: "T" },
    { by: "x" },
    { ious: [2] },
    { columns: 0 },
  ])
    await calls.does(`precisionRecall ${JSON.stringify(options)}`, () => {
      const { data, layout } = precisionRecall({
        scores: { ViT: scores, "<b>": other },
        ...options,
      } as never);
      return {
        data: data.map(({ x, y, ...rest }) => ({
          ...rest,
          x: x?.length,
          y: y?.filter((_, i) => i % 20 === 0),
        })),
        layout,
      };
    });
  await calls.does("precisionRecall of one", () => precisionRecall({ scores: { ViT: masks } }).layout);
  for (const given of [{ scores: {} }, { scores: { a: 1 } }, {}])
    await calls.does(`precisionRecall ${JSON.stringify(given)}`, () => precisionRecall(given as never));
  const [errors, others] = [
    await errorsByKind(truth, found),
    await errorsByKind(truth, [
      ...found.slice(1),
      result([10, 10, 20, 20], 0.6, 1),
      result([60, 90, 30, 80], 0.5),
    ]),
  ];
  await calls.does("detectionErrors", () => detectionErrors({ errors: { ViT: errors } }));
  await calls.does("detectionErrors of two", () =>
    detectionErrors({ errors: { ViT: errors, LUViT: others }, title: "T" }),
  );
  for (const given of [{ errors: {} }, { errors: { a: 1 } }, { errors: { a: errors }, width: 3 }])
    await calls.does(`detectionErrors ${Object.keys(given)}`, () => detectionErrors(given as never));
  const row = (method: string, path: string, deletion: number[], insertion: number[]) =>
    ({
      path,
      method,
      class: 2,
      deletion: 0.25,
      insertion: 0.5,
      accuracy: 1,
      iou: null,
      curves: { deletion, insertion },
    }) as unknown as Row;
  const one = [row("chefer", "a", [1, 0.5, 0], [0, 0.25, 1])];
  const two = [
    ...one,
    row("chefer", "b", [0.75, 0.5, 0.25], [0, 0.125, 1]),
    row("rollout", "a", [1, 0.9, 0], [0, 0.5, 1]),
    row("rollout", "b", [1, 0.8, 0.1], [0, 0.5, 0.9]),
  ];
  for (const rows of [one, two])
    await calls.does(`faithfulnessCurves of ${rows.length}`, () =>
      faithfulnessCurves(new Faithfulness(rows, {})),
    );
  await calls.does(
    "faithfulnessCurves with a title",
    () => faithfulnessCurves(new Faithfulness(one, {}), { title: "T" }).layout.title,
  );
  await calls.does("faithfulnessCurves of nothing", () => faithfulnessCurves({} as never));
  await calls.does("faithfulnessCurves with more", () =>
    faithfulnessCurves(new Faithfulness(one, {}), { width: 1 } as never),
  );
  calls.approve("figures/detectors");
});
