import {
  accumulateRelevance,
  layerRelevance,
  relevanceOfPatches,
} from "../../src/analysis/relevance/attentionGradient";
import { camPixels, enlarge, minMax, scaleCam } from "../../src/analysis/relevance/display";
import { gradCam } from "../../src/analysis/relevance/gradCam";
import { siteGradients } from "../../src/analysis/relevance/gradients";
import { type LeGradScore, leGrad } from "../../src/analysis/relevance/legrad";
import { explainerOf, type MethodOptions, type RelevanceMethod } from "../../src/analysis/relevance/methods";
import { fuseHeads, type HeadFusion, rollout, rolloutOfPatches } from "../../src/analysis/relevance/rollout";
import { type Tensor, tf } from "../../src/core/tf";
import type { EngineOptions } from "../../src/engine";
import type { Classifier } from "../../src/models/classifier";
import { goldenClassifiers, type Kind } from "./classifiers";
import { openComputation } from "./compute";
import { type CaseFile, type CaseRunner, type Check, maxAbsError, relativeToTensorMax } from "./harness";
import { runPerturbation } from "./perturbation";
import { atStep, type GoldenTensors, load } from "./support";

type Numbers = ArrayLike<number>;

/** Class-specific maps and curves of faithfulness, on tfjs or through an engine. */
export const runRelevance =
  (engine?: EngineOptions): CaseRunner =>
  async (folder, meta) => {
    const files = ["io", "chefer", "legrad", "gradcam", "rollout", "insertion_deletion"];
    const golden: GoldenTensors = new Map(files.flatMap((file) => [...load(folder, `${file}.safetensors`)]));
    const checks: Check[] = [];
    for (const [kind, model] of goldenClassifiers(folder, meta.config)) {
      const found = await mapsOf(kind, model, golden, meta, engine);
      for (const [name, values] of Object.entries(found)) {
        const expected = golden.get(`${kind}.${name}`);
        if (expected) checks.push(compare(`${kind}.${name}`, values, expected.data, meta));
        const stored = golden.get(`${kind}.${storedAs[name]}`);
        if (stored) checks.push(compare(`${kind}.${name}`, values, summedOver(stored, name), meta));
      }
      if (kind === "cls") checks.push(...(await runPerturbation(model, golden, meta, engine)));
    }
    const compared = checks.map(({ name }) => name);
    const given = ["images", "rise.saliency"];
    const missing = [...golden.keys()].filter(
      (name) => !given.includes(name) && !name.endsWith(".classes") && !compared.includes(name),
    );
    return [...checks, { name: `not compared: ${missing}`, error: missing.length, tolerance: 0 }];
  };

/** Maps by the public choice of methods, and the tensors that they are, or of whose layers they are the sums. */
const storedAs: Readonly<Record<string, string>> = {
  chefer_chosen: "chefer_map",
  legrad_chosen: "legrad_classifier_layers",
};

/** [images, targets, P] as it is, or [images, targets, layers, P] summed over the layers. */
function summedOver({ shape, data }: { shape: readonly number[]; data: Numbers }, name: string): Numbers {
  if (name !== "legrad_chosen") return data;
  const [layers, patches] = shape.slice(-2);
  const sums = new Float64Array(data.length / layers);
  for (const [i, x] of Array.from(data).entries())
    sums[Math.floor(i / (layers * patches)) * patches + (i % patches)] += x;
  return sums;
}

/** The bound of a tensor of the case, by its name. */
function compare(
  name: string,
  actual: Numbers,
  expected: Numbers,
  { recommended_tolerance: bounds }: CaseFile,
): Check {
  const kinds: [RegExp, string][] = [
    [/logits/, "logits_abs"],
    [/(pattern|score)_grad$/, "pattern_grad_rel_to_tensor_max"],
    [/pattern$/, "pattern_abs"],
    [/chefer_pixels/, "chefer_pixels_abs"],
    [/chefer/, "chefer_rel_to_tensor_max"],
    [/legrad.*pixels/, "legrad_pixels_abs"],
    [/legrad/, "legrad_rel_to_tensor_max"],
    [/gradcam_raw/, "gradcam_raw_rel_to_tensor_max"],
    [/gradcam/, "gradcam_scaled_abs"],
    [/grad_rollout/, "grad_rollout_abs"],
    [/rollout_mask/, "rollout_mask_abs"],
    [/rollout/, "rollout_abs"],
  ];
  const bound = kinds.find(([pattern]) => pattern.test(name))![1];
  const error = bound.includes("_rel_")
    ? relativeToTensorMax(actual, expected)
    : maxAbsError(actual, expected);
  return { name, error, tolerance: bounds[bound] };
}

/** Everything of one model, images first, targets second, as the case stacks it. */
async function mapsOf(
  kind: Kind,
  model: Classifier,
  golden: GoldenTensors,
  { config }: CaseFile,
  engine?: EngineOptions,
): Promise<Record<string, number[]>> {
  const images = golden.get("images")!;
  const classes = golden.get(`${kind}.classes`)!;
  const own = kind === "luvit" ? config.luvit : config;
  const grid = { rows: own.img_size / own.patch_size, columns: own.img_size / own.patch_size };
  const size = { rows: own.img_size, columns: own.img_size };
  const inner = await openComputation(
    model,
    { images: [1, ...images.shape.slice(1)], target: [1, model.classes] },
    ({ images, target }) => inGraph(model, images, target),
    engine,
  );
  const methods = await openMethods(model, config, engine);
  const found: Record<string, number[]> = {};
  const add = (name: string, values: Numbers) => {
    found[name] = [...(found[name] ?? []), ...Array.from(values)];
  };
  for (let image = 0; image < images.shape[0]; image++) {
    const pixels = atStep(images, image).data;
    for (let target = 0; target < classes.shape[1]; target++) {
      const label = classes.data[image * classes.shape[1] + target];
      const oneHot = Float32Array.from({ length: model.classes }, (_, k) => Number(k === label));
      const results = await inner.run({ images: pixels, target: oneHot });
      for (const [name, values] of Object.entries(results)) {
        if (/^(logits|pattern|llama_pattern)$/.test(name) && target > 0) continue;
        if (!name.startsWith("fused.") && name !== "gradcam_before") add(name, values);
      }
      add("chefer_pixels", minMax(enlarge(results.chefer_map, grid, size)));
      const all = Float32Array.from({ length: grid.rows * grid.columns }, (_, i) =>
        Array.from(results.legrad_official_layers).reduce(
          (sum, x, at) => sum + (at % (grid.rows * grid.columns) === i ? x : 0),
          0,
        ),
      );
      add("legrad_official_pixels", minMax(enlarge(all, grid, size)));
      const raw = results.gradcam_raw;
      add("gradcam_patches", scaleCam(Float32Array.from(raw, (x) => Math.max(0, x))));
      add("gradcam_pixels", camPixels([raw], grid, size));
      add("gradcam_two_layers_pixels", camPixels([results.gradcam_before, raw], grid, size));
      for (const { name, run } of methods) add(name, await run(pixels, oneHot));
      if (target === 0)
        for (const [name, values] of rollouts(results, config.rollout, 1 + grid.rows * grid.columns))
          add(name, values);
    }
  }
  await inner.dispose();
  for (const { close } of methods) await close();
  return found;
}

function inGraph(model: Classifier, images: Tensor, target: Tensor): Record<string, Tensor> {
  const { depth } = model.encoder.config;
  const norms = [depth - 2, depth - 1].map((k) => `blocks.${k}.norm1`);
  const wanted = (name: string) => /\.(pattern|scores)$/.test(name) || norms.includes(name);
  let logits: Tensor | undefined;
  const { values, gradients } = siteGradients((context) => {
    const answer = model.forward(images, context);
    logits ??= answer;
    return tf.mul(answer, target);
  }, wanted);
  const of = (from: ReadonlyMap<string, Tensor>, pattern: RegExp) =>
    [...from].filter(([name]) => pattern.test(name)).map(([, value]) => value);
  const patterns = of(values, /\.pattern$/);
  const slopes = of(gradients, /\.pattern$/);
  const parts = patterns.map((pattern, l) => layerRelevance(pattern, slopes[l]));
  const relevance = accumulateRelevance(parts);
  const legrads = (score: LeGradScore) =>
    tf.stack([...leGrad(model, images, () => target, score).layers.values()]);
  const [before, last] = norms.map((name) => gradCam(values.get(name)!, gradients.get(name)!));
  const llama = of(values, /^llama.*\.pattern$/);
  const heads = ["mean", "max", "min"].map((fusion) => [
    `fused.${fusion}`,
    tf.stack(patterns.map((pattern) => fuseHeads(pattern, fusion as HeadFusion))),
  ]);
  return {
    logits: logits!,
    pattern: tf.stack(of(values, /^blocks.*\.pattern$/)),
    pattern_grad: tf.stack(of(gradients, /^blocks.*\.pattern$/)),
    score_grad: tf.stack(of(gradients, /^blocks.*\.scores$/)),
    ...(llama.length > 0 && {
      llama_pattern: llama[0],
      llama_pattern_grad: of(gradients, /^llama.*\.pattern$/)[0],
      chefer_map_vit_only: relevanceOfPatches(accumulateRelevance(parts.slice(0, depth)), model.pooling),
    }),
    chefer_layers: tf.stack(parts),
    chefer_R: relevance,
    chefer_map: relevanceOfPatches(relevance, model.pooling),
    legrad_official_layers: legrads("clip"),
    legrad_classifier_layers: legrads("model"),
    legrad_classifier_all_layers: legrads("all-tokens"),
    gradcam_before: before,
    gradcam_raw: last,
    ...Object.fromEntries(heads),
  };
}

function rollouts(
  results: Readonly<Record<string, Numbers>>,
  { fusions, discard_ratios }: CaseFile["config"],
  tokens: number,
): [string, Float64Array][] {
  const found: [string, Float64Array][] = [];
  for (const fusion of fusions) {
    const fused = Float32Array.from(results[`fused.${fusion}`]);
    const area = tokens * tokens;
    const layers = Array.from({ length: fused.length / area }, (_, l) =>
      fused.slice(l * area, (l + 1) * area),
    );
    for (const discard of discard_ratios) {
      const official = rollout(layers, tokens, { discard, normalize: "official" });
      const mask = rolloutOfPatches(official, tokens, "cls");
      const most = Math.max(...mask);
      found.push(["rollout_R", official], ["rollout_mask", mask.map((x) => x / most)]);
      found.push(["rollout_R_row_normalised", rollout(layers, tokens, { discard })]);
    }
  }
  return found;
}

/** Maps through the public choice of methods. */
async function openMethods(
  model: Classifier,
  { img_size, rollout }: CaseFile["config"],
  engine?: EngineOptions,
) {
  const wanted = (["official", "aligned"] as const).flatMap((gradient) =>
    (rollout.discard_ratios as number[]).map((discard): [string, RelevanceMethod, MethodOptions] => [
      `grad_rollout_${gradient}`,
      "gradient-rollout",
      { gradient, discard, normalize: "official" },
    ]),
  );
  const chosen = (["chefer", "legrad"] as const).map((method): [string, RelevanceMethod, MethodOptions] => [
    `${method}_chosen`,
    method,
    {},
  ]);
  return Promise.all(
    [...wanted, ...chosen].map(async ([name, method, options]) => {
      const explainer = explainerOf(model, method, options);
      const { run, dispose } = await openComputation(
        model,
        { images: [1, 3, img_size, img_size], target: [1, model.classes] },
        ({ images, target }) => explainer.traced(images, () => target),
        engine,
      );
      const map = async (images: Numbers, target: Numbers) => {
        const results = await run({ images, target });
        const floats = Object.entries(results).map(([key, values]) => [key, Float32Array.from(values)]);
        return explainer.patches(Object.fromEntries(floats));
      };
      return { name, run: map, close: dispose };
    }),
  );
}
