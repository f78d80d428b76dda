import { backgroundShare, meanOverHeads, patchEntropy, regionMeans } from "../../src/analysis/entropy";
import { imageNet9Mapping, imageNetAMapping, imageNetRMapping } from "../../src/data/sets";
import { type CaseRunner, type Check, maxAbsError } from "./harness";
import { absolute, atStep, type GoldenTensors, load, tensor } from "./support";

export const runAnalysis: CaseRunner = async (
  folder,
  { config, recommended_tolerance: tolerance, results },
) => {
  const golden = load(folder, "tensors.safetensors");
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
  compare("background share", [share.percentBackgroundGreater], [results.entropy.percent_background_greater]);
  compare("images skipped", [share.skipped], [results.entropy.skipped]);
  checks.push(...mappingChecks(golden));
  return checks;
};

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
