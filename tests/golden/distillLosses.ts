import { type Tensor, tf } from "../../src/core/tf";
import {
  type FeatureDistance,
  type FeatureLossOptions,
  featureLoss,
  hardTargetDistance,
  type Reduction,
  softTargetDistance,
} from "../../src/nn/distillation";
import { smoothedTargets, softTargetCrossEntropy } from "../../src/nn/losses";
import { linear } from "../../src/nn/ops";
import type { CaseFile } from "./harness";
import type { GoldenTensor } from "./readTensors";
import type { GoldenTensors } from "./support";

type Named = Readonly<Record<string, Tensor>>;

/** A loss of given tensors, and the gradients that a golden case has of it. */
export interface LossSample {
  name: string;
  /** By the case's names. */
  inputs: Record<string, GoldenTensor>;
  loss(inputs: Named): Tensor;
  expected: GoldenTensor;
  /** Gradients by input. */
  gradients: Record<string, GoldenTensor>;
}

const half = (a: Tensor, b: Tensor, share: number) => tf.add(tf.mul(a, 1 - share), tf.mul(b, share));

/** Every loss of `distill_soft`; what is not understood is an error. */
export function softSamples({ config, files }: CaseFile, io: GoldenTensors): LossSample[] {
  const labels = smoothedTargets(io.get("labels")!.data, config.classes, 0);
  const hard: GoldenTensor = { shape: [config.batch, config.classes], dtype: "F32", data: labels };
  return lossNames(io).map((name) => {
    const official = /^(soft|hard)_t([\d.]+)_a([\d.]+)_(soft_)?labels$/.exec(name);
    const batch = /^batch_t([\d.]+)$/.exec(name);
    const distance = (
      kind: string,
      temperature: number,
      reduction: Reduction,
      inputs: Named,
      from: string,
    ) =>
      kind === "hard"
        ? hardTargetDistance(inputs[from], inputs.teacher)
        : softTargetDistance(inputs[from], inputs.teacher, { temperature, reduction });
    const [student, distilled, teacher] = ["student", "student_distilled", "teacher"].map(
      (key) => io.get(key)!,
    );
    const inputs = { student, student_distilled: distilled, teacher, targets: hard };
    if (official) {
      const [, kind, temperature, alpha, isSoft] = official;
      const targets = isSoft ? io.get("soft_labels")! : hard;
      const loss = (fed: Named) =>
        half(
          softTargetCrossEntropy(fed.student, fed.targets),
          distance(kind, Number(temperature), "deit", fed, "student_distilled"),
          Number(alpha),
        );
      return sample(name, io, { ...inputs, targets }, loss);
    }
    if (batch) {
      const loss = (fed: Named) => distance("soft", Number(batch[1]), "batch", fed, "student_distilled");
      return sample(name, io, inputs, loss);
    }
    // Temperature and share are said in the case's text alone.
    const said = /temperature ([\d.]+), alpha ([\d.]+)/.exec(
      files["tensors.safetensors"].tensors[`${name}.loss`].meaning,
    );
    if (name !== "shared" || !said) throw new Error(`distill_soft: loss ${name} is not understood`);
    const loss = (fed: Named) =>
      half(
        softTargetCrossEntropy(fed.student, fed.targets),
        distance("soft", Number(said[1]), "deit", fed, "student"),
        Number(said[2]),
      );
    return sample(name, io, inputs, loss);
  });
}

const distances: Record<string, FeatureLossOptions & { loss: FeatureDistance }> = {
  cosine: { loss: "cosine" },
  mse: { loss: "mse" },
  mse_normed_teacher: { loss: "mse", normalize: "layer" },
  smooth_l1: { loss: "smoothL1" },
  l1: { loss: "l1" },
  dmae_l1: { loss: "l1", normalize: "unit" },
  dmae_l2: { loss: "mse", normalize: "unit" },
};

/** Every loss of `distill_hidden`, with and without the student's map. */
export function hiddenSamples({ config }: CaseFile, io: GoldenTensors): LossSample[] {
  const { beta, layer_norm_eps: eps } = config;
  return lossNames(io).map((name) => {
    const [kind, mapped] = name.split(".");
    const options = distances[kind];
    if (!options) throw new Error(`distill_hidden: loss ${name} is not understood`);
    const teacher = io.get("teacher")!;
    if (!mapped) {
      const loss = ({ student, teacher }: Named) => featureLoss(student, teacher, { ...options, beta, eps });
      return sample(name, io, { student: io.get("student")!, teacher }, loss);
    }
    const [student, weight, bias] = ["student_narrow", "map.weight", "map.bias"].map((key) => io.get(key)!);
    const loss = (fed: Named) =>
      featureLoss(linear(fed.student, fed.weight, fed.bias), fed.teacher, { ...options, beta, eps });
    return sample(name, io, { student, weight, bias, teacher }, loss);
  });
}

function lossNames(io: GoldenTensors): string[] {
  return [...io.keys()]
    .filter((name) => name.endsWith(".loss"))
    .map((name) => name.slice(0, -".loss".length));
}

function sample(
  name: string,
  io: GoldenTensors,
  inputs: Record<string, GoldenTensor>,
  loss: LossSample["loss"],
): LossSample {
  const gradients = Object.keys(inputs).flatMap((input) => {
    const golden = io.get(`${name}.grad_${input}`);
    return golden ? [[input, golden] as const] : [];
  });
  return { name, inputs, loss, expected: io.get(`${name}.loss`)!, gradients: Object.fromEntries(gradients) };
}

/** Loss and gradients by the names of the sample's inputs, `d <name>`; traced or at once. */
export function withGradients({ loss, gradients }: LossSample, inputs: Named): Record<string, Tensor> {
  const names = Object.keys(gradients);
  const { value, grads } = tf.valueAndGrads(
    (...given: Tensor[]) =>
      loss({ ...inputs, ...Object.fromEntries(names.map((name, i) => [name, given[i]])) }) as tf.Scalar,
  )(names.map((name) => inputs[name]));
  return { loss: value, ...Object.fromEntries(names.map((name, i) => [`d ${name}`, grads[i]])) };
}
