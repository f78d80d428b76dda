import { readFileSync } from "node:fs";
import { join } from "node:path";
import { boundaryBands, countImage, emptyCounts, SegmentationScores } from "../../src/analysis/segmentation";
import { nearestIndices, resizePlanes } from "../../src/core/resample";
import { type Tensor, tf } from "../../src/core/tf";
import { predictIds } from "../../src/models/predictIds";
import type { Module } from "../../src/nn/module";
import { resizeBilinear } from "../../src/nn/resizeBilinear";
import { finetuneRules } from "../../src/optim/groups";
import { type CaseRunner, type Check, maxAbsError } from "./harness";
import type { GoldenTensor } from "./readTensors";
import { type GoldenTensors, load } from "./support";

const exact = (name: string, actual: ArrayLike<number>, expected: ArrayLike<number>): Check => ({
  name,
  error: maxAbsError(actual, expected),
  tolerance: 0,
});

/** The `seg_metric` case: ids of logits, scores, borders and sizes of ImageNet-S. */
export const runSegMetric: CaseRunner = async (
  folder,
  { config, results, recommended_tolerance: tolerance },
) => {
  const golden = load(folder, "tensors.safetensors");
  const numbers = Array.from({ length: config.pictures }, (_, i) => i);
  const checks: Check[] = [];
  const percent = (name: string, actual: ArrayLike<number>, expected: ArrayLike<number>) => {
    checks.push({ name, error: maxAbsError(actual, expected), tolerance: tolerance.percent_abs });
  };
  for (const [mode, longest] of Object.entries(config.max_res as Record<string, number>)) {
    const counts = emptyCounts(config.classes);
    for (const i of numbers) {
      const target = golden.get(`target${i}`)!;
      const { data, shape } = golden.get(`logits${i}`)!;
      const [height, width] = target.shape;
      const planes = { logits: data as Float32Array, rows: shape[1], columns: shape[2] };
      const ids = predictIds(planes, height, width, longest);
      checks.push(exact(`${mode} prediction ${i}`, ids, golden.get(`${mode}.prediction${i}`)!.data));
      countImage(counts, ids, target.data as Int32Array, height, width);
    }
    const names = Array.from({ length: config.objects }, (_, i) => `${i + 1}`);
    const { ious, summary } = new SegmentationScores(counts, names);
    percent(`${mode} IoU`, ious, results[mode].IoUs);
    percent(`${mode} mIoU and F`, [summary.mIoU, summary.F], [results[mode].mIoU, results[mode].FMeasure]);
    if (mode !== "full") continue;
    for (const [theirs, own] of Object.entries(evaluatorNames))
      percent(`evaluator's ${theirs}`, [summary[own]], [results.evaluator[theirs]]);
  }
  return [...checks, ...numbers.flatMap((i) => boundaryChecks(golden, i))];
};

const evaluatorNames = {
  Acc: "accuracy",
  mIoU: "mIoU",
  mBIoU: "boundaryMIoU",
  FMeasure: "F",
  S: "S",
  MS: "MS",
  ML: "ML",
  L: "L",
  BS: "boundaryS",
  BMS: "boundaryMS",
  BML: "boundaryML",
  BL: "boundaryL",
} as const;

function boundaryChecks(golden: GoldenTensors, i: number): Check[] {
  return [
    [`target${i}`, `boundary.target${i}`],
    [`full.prediction${i}`, `boundary.prediction${i}`],
  ].map(([map, band]) => {
    const { data, shape } = golden.get(map)!;
    return exact(band, boundaryBands(data as Int32Array, shape[0], shape[1]), golden.get(band)!.data);
  });
}

/** The `seg_resize` case: bilinear and nearest resizing, and the gradient of doubling. */
export const runSegResize: CaseRunner = async (folder, { config, recommended_tolerance: tolerance }) => {
  const golden = load(folder, "tensors.safetensors");
  const check = (name: string, actual: ArrayLike<number>): Check => {
    return { name, error: maxAbsError(actual, golden.get(name)!.data), tolerance: tolerance.bilinear_abs };
  };
  const [input, free, map] = ["double.input", "free.input", "nearest.input"].map((name) => golden.get(name)!);
  const [, , height, width] = input.shape;
  const doubled = { rows: 2 * height, columns: 2 * width };
  const channelsLast = ({ data, shape }: GoldenTensor) =>
    tf.transpose(tf.tensor(data as Float32Array, shape), [0, 2, 3, 1]);
  const double = (maps: Tensor) => resizeBilinear(maps, doubled.rows, doubled.columns);
  const gradient = tf.grad((maps) =>
    tf.sum(tf.mul(double(maps), channelsLast(golden.get("double.grad_output")!))),
  );
  const planes = (maps: Tensor) => tf.transpose(maps, [0, 3, 1, 2]).dataSync();
  return [
    check("double.output", resizePlanes(input.data, height, width, doubled.rows, doubled.columns)),
    { ...check("double.output", planes(double(channelsLast(input)))), name: "the op's double.output" },
    check("double.grad_input", planes(gradient(channelsLast(input)))),
    ...config.free_sizes.map(([rows, columns]: [number, number]) =>
      check(`free.${rows}x${columns}`, resizePlanes(free.data, free.shape[2], free.shape[3], rows, columns)),
    ),
    ...config.nearest_sizes.map(([rows, columns]: [number, number]) => {
      const [y, x] = [nearestIndices(map.shape[0], rows), nearestIndices(map.shape[1], columns)];
      const picked = Array.from(y, (row) =>
        Array.from(x, (column) => map.data[row * map.shape[1] + column]),
      ).flat();
      return exact(`nearest.${rows}x${columns}`, picked, golden.get(`nearest.${rows}x${columns}`)!.data);
    }),
  ];
};

interface GroupRow {
  name: string;
  shape: number[];
  layer_id: number;
  lr_scale: number;
  weight_decay: number;
}

/** The `seg_groups` case: rates and decay of every parameter of the full-size model. */
export const runSegGroups: CaseRunner = async (folder, { config, recommended_tolerance: tolerance }) => {
  const text = readFileSync(join(folder, "param_groups.json"), "utf8");
  const groups = (JSON.parse(text) as { layer_decay: Record<string, GroupRow[]> }).layer_decay;
  return (config.layer_decays as string[]).flatMap((decay) => {
    const rows = groups[decay];
    const parameters = rows.map(({ name, shape }) => [name, { shape, trainable: true }] as const);
    const model = { namedParameters: () => parameters } as unknown as Module; // names and shapes are all that is asked for
    const depth = new Set(rows.flatMap(({ name }) => /^blocks\.(\d+)\./.exec(name)?.[1] ?? [])).size;
    const rules = finetuneRules(model, {
      weightDecay: config.weight_decay,
      layerDecay: Number(decay),
      depth,
    });
    const own = rows.map(({ name }) => rules.get(name)!);
    const column = (
      name: string,
      actual: (number | undefined)[],
      expected: number[],
      bound: number,
    ): Check => {
      return {
        name: `${name} at ${decay}`,
        error: maxAbsError(actual as number[], expected),
        tolerance: bound,
      };
    };
    return [
      exact(`parameters at ${decay}`, [rules.size], [rows.length]),
      column(
        "layers",
        own.map(({ layer }) => layer),
        rows.map((row) => row.layer_id),
        0,
      ),
      column(
        "rates",
        own.map(({ lrScale }) => lrScale),
        rows.map((row) => row.lr_scale),
        tolerance.lr_scale_abs,
      ),
      column(
        "decay",
        own.map(({ weightDecay }) => weightDecay),
        rows.map((row) => row.weight_decay),
        0,
      ),
    ];
  });
};
