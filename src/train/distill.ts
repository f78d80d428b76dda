import { LuvitError, listOffenders } from "../core/errors";
import { checkOptions, entry, flag, object, optionsOf, type Rule } from "../core/options";
import type { Tensor } from "../core/tf";
import { datasetField, type ImageDataset } from "../data/dataset";
import { engineOf } from "../engine";
import { type Classifier, classifierField } from "../models/classifier";
import { softTargetCrossEntropy } from "../nn/losses";
import { expectClassOrder } from "./checkSizes";
import {
  type Asked,
  type FeatureMatch,
  featureMatches,
  keepingLayers,
  lossWeight,
  type SettledMatch,
  settleMatches,
} from "./featureMatches";
import { type FinetuneOptions, finetuneOptions } from "./finetuneOptions";
import { finetuneTask } from "./finetuneTask";
import { type LogitMatch, logitMatch, type SettledLogits, settleLogits } from "./logitMatch";
import { startRun } from "./loop";
import type { Run } from "./run";
import type { TrainingTask } from "./steps";
import { expectOwnWeights, logitTerm, sumOf, Taught, teacherWeights, weighted, whatDecides } from "./taught";
import { type Answers, ask, KeptAnswers } from "./teacherAnswers";

/** What distillation adds to finetuning. At least one of `features` and `logits` is needed. */
export interface DistillOptions extends FinetuneOptions {
  /** Layers of the student that are to become like layers of the teacher. */
  features?: readonly FeatureMatch[];
  /** The student's logits are to become like the teacher's. */
  logits?: LogitMatch;
  /** Cross entropy with the images' labels; default weight 1. With 0 no labels are needed. */
  labels?: { weight: number };
  /**
   * Asks the teacher about every image once, before the first step, and keeps its answers in memory; only for images
   * that are not augmented. Default false: the teacher is part of every step.
   */
  cache?: boolean;
}

const something: Rule<DistillOptions> = ({ features = [], logits, labels }) => {
  if (features.length === 0 && !logits) return [["features", "layers to match, or logits to match"]];
  const weights = [logits ? (logits.weight ?? 1) : 0, ...features.map((match) => match?.weight ?? 1)];
  if (labels?.weight !== 0 || weights.some((weight) => weight !== 0)) return [];
  return [["labels", "a weight above 0, because all others are 0"]];
};

const unaugmented: Rule<DistillOptions> = ({ cache, mix, augment, repeatedAugmentation = 1 }) => {
  if (!cache) return [];
  const problem = "nothing, because cache keeps one answer for each image";
  return [
    ...(mix ? [["mix", problem] as const] : []),
    ...(augment ? [["augment", problem] as const] : []),
    ...(repeatedAugmentation > 1 ? [["repeatedAugmentation", problem] as const] : []),
  ];
};

export const distillOptions = optionsOf<DistillOptions>(
  finetuneOptions.required,
  {
    ...finetuneOptions.optional,
    features: featureMatches,
    logits: entry(logitMatch, "logits are to become alike"),
    labels: entry(
      object({ weight: entry(lossWeight, "of the cross entropy with the labels", 1) }, {}),
      "what labels count",
    ),
    cache: entry(flag, "the teacher is asked about every image once; only without augmentation", false),
  },
  ...(finetuneOptions.rules as Rule<DistillOptions>[]),
  something,
  unaugmented,
);

/**
 * Trains a student to become like a teacher, e.g. a plain ViT like a finetuned LUViT, so that the gain is kept without
 * the language model's cost (LUViT C.2 names this as its next step). The loss is a weighted sum: labels' cross entropy,
 * logits, layers. The teacher sees the same augmented and mixed images, drops nothing and stays as it is; it is part of
 * the step's graph, so that `frozen` and `precision` count for it too. Maps between different widths are trained with
 * the student, saved with the checkpoints and thrown away in the end.
 *
 * @throws LuvitError("bad-argument") for options that cannot be, layers that are not there (with those that are), and
 * models or data that do not fit each other.
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy");
 * const teacher = luvit.classifier.create({ encoder: luvit.vit.toy, fusion: block, classes: 6 });
 * const student = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6, seed: 1 });
 * const transform = luvit.data.transforms.finetune(64);
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform });
 * const options = { ...luvit.recipes.distillToy, epochs: 1, out: false } as const;
 * const { history } = await luvit.train.distill(student, teacher, images.take(32), options).done;
 */
export function distill(
  student: Classifier,
  teacher: Classifier,
  images: ImageDataset,
  options: DistillOptions,
): Run<Classifier> {
  for (const model of [student, teacher]) checkOptions("distill", classifierField, model);
  checkOptions("distill", datasetField, images);
  checkOptions("distill", distillOptions, options);
  return startRun(distillTask(student, teacher, images, options), options);
}

function distillTask(
  student: Classifier,
  teacher: Classifier,
  images: ImageDataset,
  options: DistillOptions,
): TrainingTask<Classifier> {
  const { features = [], labels: { weight: labels } = { weight: 1 }, cache = false } = options;
  const logits = settleLogits(options.logits);
  expectOwnWeights("distill", student, teacher);
  expectAlike(student, teacher, images, logits, labels !== 0);
  const matches = settleMatches("distill", features, asked(teacher), asked(student));
  const isTaught = logits !== undefined || matches.length > 0;
  const inGraph = isTaught && !cache ? teacher : undefined;
  const taught = new Taught(student, matches, options.seed ?? 0, inGraph);
  const task = finetuneTask("distill", student, images, options, { labeled: labels !== 0, whole: taught });
  if (labels === 0 && logits) student.classNames ??= teacher.classNames && [...teacher.classNames];
  const kept = cache && isTaught ? new KeptAnswers(teacher, task.dataset, matches, !!logits) : undefined;
  return {
    ...task,
    rules: taught.withoutTeacher(task.rules),
    frozen: isTaught ? teacherWeights(teacher) : undefined,
    settings: {
      ...task.settings,
      labels,
      logits,
      features: matches.map(({ shape: _, ...match }) => match),
      teacher: isTaught ? whatDecides(teacher.describe()) : undefined,
    },
    async prepare(request) {
      await task.prepare?.(request);
      await kept?.prepare(task.plan.batchSize, engineOf(options), request);
    },
    feeds: (batch, micro) => ({ ...task.feeds(batch, micro), ...kept?.feeds(batch) }),
    loss: distillLoss(
      taught,
      { labels, logits, matches },
      (fed) => kept?.of(fed) ?? ask(teacher, fed.images),
    ),
  };
}

/** The terms of a loss and their weights. */
export interface LossTerms {
  /** Weight of the labels. */
  readonly labels: number;
  readonly logits: SettledLogits | undefined;
  readonly matches: readonly SettledMatch[];
}

/** The weighted sum of labels, logits and layers; `answers` is asked only where the teacher plays a part. */
export function distillLoss(
  taught: Taught<Classifier, Classifier>,
  { labels, logits, matches }: LossTerms,
  answers: (fed: Readonly<Record<string, Tensor>>) => Answers,
) {
  return (fed: Readonly<Record<string, Tensor>>): Tensor => {
    const layers = new Map<string, Tensor>();
    const given = taught.student.forward(fed.images, keepingLayers(layers, { dropPath: fed.dropPath }));
    const labelTerms = labels === 0 ? [] : [weighted(softTargetCrossEntropy(given, fed.targets), labels)];
    if (!logits && matches.length === 0) return sumOf(labelTerms);
    const wanted = answers(fed);
    return sumOf([
      ...labelTerms,
      ...(logits ? [logitTerm(logits, given, wanted.logits)] : []),
      ...taught.featureTerms(matches, layers, wanted.layers),
    ]);
  };
}

/** One forward pass over whole images. */
export function asked(model: Classifier): Asked {
  const side = model.encoder.config.imageSize;
  return {
    model,
    inputs: { images: { shape: [1, 3, side, side] } },
    forward: ({ images }, context) => model.forward(images, context),
  };
}

/** @throws LuvitError("bad-argument") listing everything in which student, teacher and images do not fit each other. */
function expectAlike(
  student: Classifier,
  teacher: Classifier,
  images: ImageDataset,
  logits: SettledLogits | undefined,
  labeled: boolean,
): void {
  const problems: string[] = [];
  const both = [teacher, student];
  const [large, small] = both.map(({ encoder }) => encoder.config.imageSize);
  if (large !== small) {
    problems.push(`the teacher takes ${large} px, the student ${small} px; both see the same images`);
  }
  const [wanted, given] = both.map(({ preprocessing: { mean, std } }) => JSON.stringify({ mean, std }));
  if (wanted !== given)
    problems.push(`the teacher's images are normalized by ${wanted}, the student's by ${given}`);
  if (logits && teacher.classes !== student.classes) {
    problems.push(
      `logits: the teacher tells ${teacher.classes} classes apart, the student ${student.classes}`,
    );
  }
  if (problems.length > 0) throw new LuvitError("bad-argument", `distill:\n${listOffenders(problems)}`);
  if (logits && labeled) expectClassOrder(images, teacher, "distill");
}
