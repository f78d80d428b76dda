import { type Tensor, tf } from "../../src/core/tf";
import {
  maskedPatchLoss,
  normalizedPixels,
  smoothedTargets,
  softTargetCrossEntropy,
} from "../../src/nn/losses";
import { gelu, layerNorm, rmsNorm, silu } from "../../src/nn/ops";
import { patchesForEmbedding, patchify } from "../../src/nn/patches";
import { dropPathFactors, dropPathRates } from "../../src/train/dropPath";
import { type CaseRunner, type Check, maxAbsError, relativeToRowMax } from "./harness";
import { load, tensor } from "./support";

type Gradients = (inputs: Tensor[]) => Tensor[];

export const runPrimitives: CaseRunner = async (folder, { config, recommended_tolerance: tolerance }) => {
  const golden = load(folder, "tensors.safetensors");
  const get = (name: string) => tensor(golden.get(name)!);
  const width = golden.get("norm_weight")!.shape[0];
  /** The tensor whose name begins so and goes on with a setting, e.g. label_smoothing_0_1. */
  const named = (beginning: string) => {
    const name = [...golden.keys()].find((key) => key.startsWith(beginning))!;
    return { name, number: Number(name.slice(beginning.length).replace("_", ".")) };
  };
  const checks: Check[] = [];
  const check = (name: string, actual: ArrayLike<number>) => {
    const bound = tolerance[name];
    const expected = golden.get(name)!.data;
    checks.push({ name, error: maxAbsError(actual, expected), tolerance: bound === "exact" ? 0 : bound.abs });
    const byRow = Object.entries(bound as Record<string, number>).find(([key]) =>
      key.startsWith("rel_to_row_max"),
    );
    if (!byRow) return;
    const left = [...byRow[0].matchAll(/row_(\d+)/g)].map(([, row]) => Number(row));
    checks.push({
      name: `${name} by row`,
      error: relativeToRowMax(actual, expected, width, left),
      tolerance: byRow[1],
    });
  };
  const checkGradients = (
    names: string[],
    f: (...x: Tensor[]) => Tensor,
    inputs: Tensor[],
    upstream: Tensor,
  ) => {
    const gradients = tf.grads((...x: Tensor[]) => tf.sum(tf.mul(f(...x), upstream))) as unknown as Gradients;
    for (const [i, gradient] of gradients(inputs).entries()) check(names[i], gradient.dataSync());
  };

  const [x, weight, bias, upstream] = ["norm_input", "norm_weight", "norm_bias", "norm_grad_output"].map(get);
  const eps = config.norm_eps;
  check("layer_norm", layerNorm(x, weight, bias, eps).dataSync());
  const layerNormNames = ["layer_norm_grad_input", "layer_norm_grad_weight", "layer_norm_grad_bias"];
  checkGradients(layerNormNames, (a, w, b) => layerNorm(a, w, b, eps), [x, weight, bias], upstream);
  check("rms_norm", rmsNorm(x, weight, eps).dataSync());
  checkGradients(
    ["rms_norm_grad_input", "rms_norm_grad_weight"],
    (a, w) => rmsNorm(a, w, eps),
    [x, weight],
    upstream,
  );

  const act = get("act_input");
  const ones = get("act_grad_output");
  check("gelu", gelu(act).dataSync());
  check("silu", silu(act).dataSync());
  checkGradients(["gelu_derivative"], gelu, [act], ones);
  checkGradients(["silu_derivative"], silu, [act], ones);

  const logits = get("logits");
  const labels = golden.get("labels")!.data;
  const classes = logits.shape[1]!;
  const hard = (smoothing: number) =>
    tf.tensor(smoothedTargets(labels, classes, smoothing), [labels.length, classes]);
  check("softmax", tf.softmax(logits).dataSync());
  check("soft_cross_entropy", softTargetCrossEntropy(logits, get("soft_targets")).dataSync());
  check("cross_entropy", softTargetCrossEntropy(logits, hard(0)).dataSync());
  const smoothed = named("label_smoothing_");
  check(smoothed.name, softTargetCrossEntropy(logits, hard(smoothed.number)).dataSync());
  const lossOf = (l: Tensor) => softTargetCrossEntropy(l, get("soft_targets"));
  checkGradients(["soft_cross_entropy_grad"], lossOf, [logits], tf.scalar(1));

  const patches = patchify(get("patch_images"), config.patch);
  const target = normalizedPixels(patches);
  check("norm_pix_target", target.dataSync());
  const everything = tf.ones(target.shape.slice(0, 2));
  check(
    "norm_pix_loss_of_zero_prediction",
    maskedPatchLoss(tf.zerosLike(target), target, everything).dataSync(),
  );
  check("patchify_order", patchify(get("order_image"), config.patch).dataSync());
  check("patch_conv_order", patchesForEmbedding(get("order_image"), config.patch).dataSync());

  const drawn = golden.get("droppath_uniform")!.data;
  const factors = dropPathFactors(drawn, config.droppath);
  const dropped = tf.mul(get("droppath_input"), tf.reshape(tf.tensor1d(factors), [-1, 1, 1]));
  check(named("droppath_0").name, dropped.dataSync());
  const { name: ratesName } = named("droppath_rates_");
  const rates = golden.get(ratesName)!.data;
  check(ratesName, dropPathRates(rates.length, rates[rates.length - 1]));
  return checks;
};
