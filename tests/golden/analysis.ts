import { join } from "node:path";
import { backgroundShare, meanOverHeads, patchEntropy, regionMeans } from "../../src/analysis/entropy";
import { rowPhases } from "../../src/analysis/fourier";
import { signalToNoiseOf } from "../../src/analysis/gsnr";
import {
  classAttentionMap,
  distancesFromMean,
  frequencyMap,
  magnitudeMap,
  pseudoMaskOverlap,
} from "../../src/analysis/pseudoMasks";
import { decodeMaskIds, maskCells } from "../../src/data/masks";
import { imageNet9Mapping, imageNetAMapping, imageNetRMapping } from "../../src/data/sets";
import { type CaseFile, type CaseRunner, type Check, maxAbsError, relativeToTensorMax } from "./harness";
import { absolute, atStep, type GoldenTensors, load, tensor } from "./support";

export const runAnalysis: CaseRunner = async (folder, meta) => {
  const golden = load(folder, "tensors.safetensors");
  return [
    ...entropyChecks(golden, meta),
    ...pseudoMaskChecks(golden, meta),
    ...signalChecks(golden, meta),
    ...(await maskChecks(join(folder, "imagenet_s_mask.png"), golden, meta)),
  ];
};

function entropyChecks(golden: GoldenTensors, meta: CaseFile): Check[] {
  const { config, recommended_tolerance: tolerance, results } = meta;
  const perHead = patchEntropy(tensor(golden.get("attention")!));
  const bound = tolerance.entropy_abs;
  const checks: Check[] = [absolute("entropy per head", perHead, golden.get("entropy_per_head")!, bound)];
  const values = perHead.dataSync();
  const size = values.length / config.n;
  const means = Array.from({ length: config.n }, (_, i) =>
    meanOverHeads(values.slice(i * size, (i + 1) * size), config.heads),
  );
  const flat = means.flatMap((m) => [...m]);
  const expected = golden.get("entropy_mean_over_heads")!.data;
  checks.push({ name: "mean over heads", error: maxAbsError(flat, expected), tolerance: bound });
  if (config.heads > 1) {
    const confused = maxAbsError(flat, golden.get("entropy_of_mean_map")!.data) > bound ? 0 : 1;
    checks.push({ name: "not the entropy of the mean map", error: confused, tolerance: 0 });
  }

  const regions = means.map((m, i) => regionMeans(m, atStep(golden.get("masks")!, i).data));
  const compare = (name: string, actual: (number | null)[], wanted: (number | null)[]) => {
    const error = (i: number) =>
      actual[i] === null || wanted[i] === null
        ? actual[i] === wanted[i]
          ? 0
          : Number.POSITIVE_INFINITY
        : Math.abs(actual[i]! - wanted[i]!);
    checks.push({ name, error: Math.max(...wanted.map((_, i) => error(i))), tolerance: bound });
  };
  compare(
    "foreground mean",
    regions.map((r) => r.foreground),
    results.entropy.foreground_mean,
  );
  compare(
    "background mean",
    regions.map((r) => r.background),
    results.entropy.background_mean,
  );
  const share = backgroundShare(regions);
  const percent = share.counted === 0 ? null : share.percentBackgroundGreater;
  compare("background share", [percent], [results.entropy.percent_background_greater]);
  compare("images skipped", [share.skipped], [results.entropy.skipped]);
  checks.push(...mappingChecks(golden));
  return checks;
}

/** Which classes the sets have, and what 1000 scores answer for them. */
function mappingChecks(golden: GoldenTensors): Check[] {
  const exact = (name: string, actual: ArrayLike<number>, expected: string): Check => ({
    name,
    error: maxAbsError(actual, golden.get(expected)!.data),
    tolerance: 0,
  });
  const predictions = (mapping: typeof imageNet9Mapping, scores: string) => {
    const { data, shape } = golden.get(scores)!;
    return Array.from({ length: shape[0] }, (_, i) =>
      mapping.predict(data.subarray(1000 * i, 1000 * (i + 1))),
    );
  };
  return [
    exact("ImageNet-A classes", imageNetAMapping.mappedClasses, "indices_a"),
    exact("ImageNet-R classes", imageNetRMapping.mappedClasses, "indices_r"),
    exact("ImageNet-9 classes", imageNet9Mapping.labels, "in9_map"),
    exact("ImageNet-A predictions", predictions(imageNetAMapping, "logits_a_r"), "pred_a"),
    exact("ImageNet-R predictions", predictions(imageNetRMapping, "logits_a_r"), "pred_r"),
    exact("ImageNet-9 predictions", predictions(imageNet9Mapping, "logits_in9"), "pred_in9"),
  ];
}

type Overlaps = Record<string, number[] & number[][] & number>;

function pseudoMaskChecks(
  golden: GoldenTensors,
  { config, recommended_tolerance, results }: CaseFile,
): Check[] {
  const { maps_abs: maps, fft_angle_abs: angle, iou_abs: overlap } = recommended_tolerance;
  const { channels, heads, n } = config;
  const features = Array.from({ length: n }, (_, i) => atStep(golden.get("features")!, i).data);
  const patterns = Array.from({ length: n }, (_, i) => atStep(golden.get("attention")!, i).data);
  const compare = (name: string, actual: Float64Array[], tolerance: number): Check => {
    const flat = actual.flatMap((values) => [...values]);
    return { name, error: maxAbsError(flat, golden.get(name)!.data), tolerance };
  };
  const phases = features.map((x) => rowPhases(x, channels));
  const checks = [
    compare("fft_angle", phases, angle),
    compare(
      "magnitude_raw",
      features.map((x) => distancesFromMean(x, channels)),
      maps,
    ),
    compare(
      "frequency_raw",
      phases.map((x) => distancesFromMean(x, channels)),
      maps,
    ),
  ];
  const kinds: Record<string, Float64Array[]> = {
    magnitude: features.map((x) => magnitudeMap(x, channels)),
    magnitude_column_mean: features.map((x) => magnitudeMap(x, channels, { mean: "column" })),
    frequency: features.map((x) => frequencyMap(x, channels)),
    attention: patterns.map((x) => classAttentionMap(x, heads)),
  };
  for (const [kind, found] of Object.entries(kinds)) {
    checks.push(compare(`map_${kind}`, found, maps));
    const { thresholds } = results.pseudo_masks;
    const masks = golden.get("masks")!;
    const overlaps = found.map((map, i) =>
      thresholds.map((t: number) => pseudoMaskOverlap(map, t, atStep(masks, i).data)),
    );
    for (const check of overlapChecks(overlaps, thresholds, results.pseudo_masks[kind])) {
      checks.push({ name: `${kind}: ${check.name}`, error: check.error, tolerance: overlap });
    }
  }
  return checks;
}

function overlapChecks(overlaps: number[][], thresholds: number[], expected: Overlaps) {
  const mean = (values: number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const best = overlaps.map((row) => Math.max(...row));
  const atHalf = overlaps.map((row) => row[thresholds.indexOf(0.5)]);
  const check = (name: string, actual: number[], wanted: number[]) => ({
    name,
    error: maxAbsError(actual, wanted),
  });
  return [
    check("iou per threshold", overlaps.flat(), expected.iou_per_threshold.flat()),
    check("best iou", best, expected.best_iou),
    check(
      "best threshold",
      overlaps.map((row, i) => thresholds[row.indexOf(best[i])]),
      expected.best_threshold,
    ),
    check("mean of the best", [mean(best)], [expected.mean_best_iou]),
    check("iou at 0.5", atHalf, expected.iou_at_0_5),
    check("mean iou at 0.5", [mean(atHalf)], [expected.mean_iou_at_0_5]),
  ];
}

function signalChecks(golden: GoldenTensors, { recommended_tolerance, results }: CaseFile): Check[] {
  const gradients = golden.get("per_sample_grads")!;
  return (["unbiased", "biased"] as const).flatMap((variance) => {
    const found = signalToNoiseOf(gradients.data, gradients.shape[1], variance);
    const mean = found.reduce((sum, x) => sum + x, 0) / found.length;
    const expected = results.gsnr[`mean_${variance}`];
    const tolerance = recommended_tolerance.gsnr_relative;
    const perParameter = relativeToTensorMax(found, golden.get(`gsnr_${variance}`)!.data);
    return [
      { name: `gsnr, ${variance} variance`, error: perParameter, tolerance },
      { name: `mean gsnr, ${variance} variance`, error: Math.abs(mean / expected - 1), tolerance },
    ];
  });
}

async function maskChecks(path: string, golden: GoldenTensors, { results }: CaseFile): Promise<Check[]> {
  const { ids, width } = await decodeMaskIds(path);
  const { foreground } = maskCells(ids, width, results.imagenet_s.cell_size);
  const exact = (name: string, actual: ArrayLike<number>, expected: ArrayLike<number>): Check => ({
    name,
    error: maxAbsError(actual, expected),
    tolerance: 0,
  });
  const among = (wanted: (id: number) => boolean) => Array.from(ids, (id) => (wanted(id) ? 1 : 0));
  const present = [...new Set(ids)].sort((a, b) => a - b);
  return [
    exact("mask ids", ids, golden.get("imagenet_s_ids")!.data),
    exact("ids present", present, results.imagenet_s.ids_present),
    exact(
      "foreground pixels",
      among((id) => id !== 0 && id !== 1000),
      golden.get("imagenet_s_foreground")!.data,
    ),
    exact(
      "ignored pixels",
      among((id) => id === 1000),
      golden.get("imagenet_s_ignore")!.data,
    ),
    exact("foreground cells", foreground, golden.get("imagenet_s_cells")!.data),
  ];
}
