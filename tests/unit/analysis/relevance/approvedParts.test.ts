import { afterEach, before, test } from "node:test";
import { inspect } from "node:util";
import { rowsOf } from "../../../../src/analysis/provenance";
import {
  accumulateRelevance,
  layerRelevance,
  relevanceOfPatches,
} from "../../../../src/analysis/relevance/attentionGradient";
import { camPixels, enlarge, minMax, scaleCam } from "../../../../src/analysis/relevance/display";
import { curveNames, Faithfulness } from "../../../../src/analysis/relevance/faithfulnessTable";
import { gradCam } from "../../../../src/analysis/relevance/gradCam";
import { siteGradients } from "../../../../src/analysis/relevance/gradients";
import { maskAgreement } from "../../../../src/analysis/relevance/maskAgreement";
import {
  areaUnder,
  blurKernel,
  blurred,
  bySaliency,
  steps,
} from "../../../../src/analysis/relevance/perturbation";
import { predicted } from "../../../../src/analysis/relevance/relevance";
import {
  fuseHeads,
  fuseWithGradient,
  rollout,
  rolloutOfPatches,
} from "../../../../src/analysis/relevance/rollout";
import { showWorkWith } from "../../../../src/core/progress";
import { startBackend, tf } from "../../../../src/core/tf";
import { Calls } from "../../../support/calls";

before(() => startBackend({ backend: "wasm" }));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const wave = (length: number, step = 0.7) =>
  Array.from({ length }, (_, i) => Number((Math.sin(step * i) + i / 70).toFixed(3)));
const numbers = (shape: number[], step = 0.7) =>
  tf.tensor(
    wave(
      shape.reduce((a, b) => a * b, 1),
      step,
    ),
    shape,
  );
const noted = (name: string, calls: Calls, expression: () => unknown) =>
  calls.does(name, () => tf.tidy(() => expression() as tf.Tensor));

test("what maps are made of is approved", async () => {
  const calls = new Calls();
  await noted("layerRelevance", calls, () =>
    layerRelevance(numbers([2, 3, 4, 4]), numbers([2, 3, 4, 4], 1.9)),
  );
  await noted("accumulateRelevance", calls, () =>
    accumulateRelevance([numbers([2, 4, 4]), numbers([2, 4, 4], 1.3), numbers([2, 4, 4], 0.2)]),
  );
  await noted("accumulateRelevance of one row at last", calls, () =>
    accumulateRelevance([numbers([2, 4, 4]), numbers([2, 1, 4], 1.3)]),
  );
  for (const pooling of ["mean", "cls", "attention"] as const) {
    await noted(`relevanceOfPatches ${pooling}`, calls, () =>
      relevanceOfPatches(numbers([2, 5, 5]), pooling),
    );
    await noted(`relevanceOfPatches ${pooling}, registers`, calls, () =>
      relevanceOfPatches(numbers([2, 6, 6]), pooling, 3, 1),
    );
    await noted(`relevanceOfPatches ${pooling}, no class token`, calls, () =>
      relevanceOfPatches(numbers([2, 4, 4]), pooling === "cls" ? "mean" : pooling, 4, 0),
    );
    await noted(`relevanceOfPatches ${pooling}, pool`, calls, () =>
      relevanceOfPatches(numbers([2, 6, 6]), pooling, 3, 1, numbers([2, 1, 5], 0.3)),
    );
    calls.note(`rolloutOfPatches ${pooling}`, [
      rolloutOfPatches(Float64Array.from(wave(25)), 5, pooling),
      rolloutOfPatches(Float64Array.from(wave(36)), 6, pooling, 3, 1),
      rolloutOfPatches(Float64Array.from(wave(36)), 6, pooling, 3, 1, wave(5, 0.3)),
    ]);
  }
  await noted("gradCam", calls, () => gradCam(numbers([2, 5, 3]), numbers([2, 5, 3], 1.9)));
  await noted("gradCam of some", calls, () => gradCam(numbers([2, 6, 3]), numbers([2, 6, 3], 1.9), 4, 0));
  for (const fusion of ["mean", "max", "min"] as const)
    await noted(`fuseHeads ${fusion}`, calls, () => fuseHeads(numbers([2, 3, 3, 3]), fusion));
  await noted("fuseWithGradient", calls, () =>
    fuseWithGradient(numbers([2, 3, 3, 3]), numbers([2, 3, 3, 3], 1.9)),
  );
  const layers = [wave(16).map(Math.abs), wave(16, 1.3).map(Math.abs), wave(16, 0.31).map(Math.abs)];
  for (const options of [
    undefined,
    { discard: 0.5 },
    { discard: 0.99 },
    { discard: 0.05 },
    { discard: 0.0625 },
    { normalize: "official" },
    { discard: 0.5, normalize: "official" },
    { discard: 0.9, spareClass: false },
    { discard: 0.9, spareClass: true },
  ])
    await calls.of(rollout, layers, 4, options);
  await calls.of(rollout, layers.slice(0, 1), 4);
  await calls.of(rollout, [[1, 1, 1, 1]], 2, { discard: 0.5, spareClass: false });
  await noted("predicted", calls, () =>
    predicted(
      tf.tensor([
        [1, 3, 2],
        [5, 5, 1],
        [-3, -2, -1],
      ]),
    ),
  );
  await calls.does("siteGradients", () => {
    const found = tf.tidy(() => {
      const { values, gradients } = siteGradients(
        ({ tap, edit }) => {
          const seen = (name: string, value: tf.Tensor) => {
            const given = edit ? edit(name, value) : value;
            tap?.(name, given);
            return given;
          };
          const a = seen("a", tf.tensor([1, 2, 3]));
          return tf.mul(seen("b", tf.square(a)), seen("c", tf.tensor([2, 0, -1])));
        },
        (name) => name !== "c",
      );
      return [...values].map(([name, value]) => [
        name,
        [...value.dataSync()],
        [...gradients.get(name)!.dataSync()],
      ]);
    });
    return found;
  });
  calls.approve("analysis/relevance/parts");
});

test("how maps are shown, changed and judged is approved", async () => {
  const calls = new Calls();
  const size = (rows: number, columns: number) => ({ rows, columns });
  await calls.of(enlarge, wave(6), size(2, 3), size(5, 4));
  await calls.of(enlarge, wave(6), size(2, 3), size(2, 3));
  await calls.of(enlarge, [3], size(1, 1), size(2, 3));
  for (const values of [[1, 3, 2], [-1, -1], [0], []]) {
    await calls.of(minMax, values);
    await calls.of(scaleCam, values);
  }
  await calls.of(camPixels, [wave(6), wave(6, 1.9)], size(2, 3), size(4, 6));
  await calls.of(camPixels, [[-1, -2, -3, -4]], size(2, 2), size(2, 3));
  for (const [side, sigma] of [
    [11, 5],
    [3, 1],
    [4, 2],
    [5, 0.5],
    [1, 1],
  ])
    await calls.of(blurKernel, side, sigma);
  await calls.of(blurKernel);
  await calls.of(blurred, Float32Array.from(wave(24)), 3, 4, Float64Array.from(wave(9)));
  await calls.of(blurred, Float32Array.from(wave(12)), 3, 4, Float64Array.from(wave(25)));
  await calls.of(blurred, Float32Array.from(wave(12)), 6, 2, Float64Array.from(wave(16)));
  await calls.of(bySaliency, [1, 3, 2, 3, -1, 1]);
  await calls.of(bySaliency, []);
  for (const step of [1, 2, 3, 4, 9])
    await calls.does(
      `steps of ${step}`,
      () =>
        [...steps(Float32Array.from(wave(12)), new Float32Array(12), Uint32Array.of(2, 0, 3, 1), step)]
          .length,
    );
  await calls.does("steps, one by one", () => {
    const all: number[][] = [];
    for (const image of steps(
      Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
      Float32Array.of(10, 20, 30, 40, 50, 60, 70, 80, 90),
      Uint32Array.of(2, 0, 1),
      2,
    ))
      all.push([...image]);
    return all;
  });
  await calls.of(areaUnder, [1, 0.5, 0.25]);
  await calls.of(areaUnder, [0, 1]);
  await calls.of(areaUnder, wave(9));
  const judged = (patches: number[], foreground?: number[], valid?: number[]) =>
    maskAgreement({
      sample: {
        foreground: foreground && Uint8Array.from(foreground),
        valid: valid && Uint8Array.from(valid),
      },
      patches: Float32Array.from(patches),
    } as never);
  await calls.of(judged, [1, 2, 3, 10], [0, 1, 0, 1]);
  await calls.of(judged, [1, 2, 3, 10], [0, 1, 0, 1], [1, 0, 1, 1]);
  await calls.of(judged, [1, 2, 3, 10], [0, 1, 0, 1], [0, 0, 0, 0]);
  await calls.of(judged, [1, 1, 1, 1], [0, 0, 0, 0]);
  await calls.of(judged, [1, 2]);
  calls.note("curveNames", curveNames);
  const row = (
    method: string,
    path: string,
    deletion: number[],
    insertion: number[],
    accuracy: number | null,
    iou: number | null,
  ) =>
    ({
      path,
      method,
      class: 2,
      deletion: areaUnder(deletion),
      insertion: areaUnder(insertion),
      accuracy,
      iou,
      curves: { deletion, insertion },
    }) as never;
  const rows = [
    row("chefer", "a", [1, 0.5, 0], [0, 0.25, 1], 0, null),
    row("chefer", "b", [0.75, 0.5, 0.25, 0, 0.125], [0, 0, 1], 0.5, 0),
    row("rollout", "a", [1, 0], [0, 1], null, null),
    row("chefer", "c", [0.5, 0], [0, 0.5], 1, 0.25),
  ];
  const table = new Faithfulness(rows, { model: "m", data: "d", recipe: "r", seed: 2 });
  const lines = (of: never) =>
    (rowsOf(of) as Record<string, unknown>[]).map(({ commit: _, model, data, recipe, seed, ...rest }) => ({
      from: [model, data, recipe, seed].join(),
      ...rest,
    }));
  for (const part of ["table", "summary", "curves"] as const)
    for (const line of lines(table[part] as never)) calls.note(part, line);
  calls.note("text", String(table).split("\n"));
  calls.note("inspected", inspect(table) === String(table));
  await calls.does("no rows", () => String(new Faithfulness([], {})));
  await calls.does("rows that are none", () => new Faithfulness({} as never, {}));
  calls.approve("analysis/relevance/shown");
});
