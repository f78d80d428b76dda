import { LuvitError } from "../core/errors";
import { entry, list, optionsOf } from "../core/options";
import type { Tensor } from "../core/tf";
import { type MaeInputs, type MaskedAutoencoder, maeField } from "../models/mae";
import { patchCount } from "../models/vit";
import { type Asked, type FeatureMatch, featureMatch, keepingLayers, settleMatches } from "./featureMatches";
import type { TrainingTask } from "./steps";
import { expectOwnWeights, sumOf, Taught, teacherWeights, whatDecides } from "./taught";

/** What a masked auto-encoder is taught while it is pretrained. */
export interface MaeTeaching {
  /** Frozen. It sees the patches that the student sees, in the same order. */
  teacher: MaskedAutoencoder;
  /** Layers that are to become alike, e.g. `{ teacher: "blocks.8", student: "blocks.8", loss: "l1", normalize: "unit" }`. */
  features: readonly FeatureMatch[];
}

export const maeTeaching = entry(
  optionsOf<MaeTeaching>({ teacher: maeField, features: list(featureMatch, 1) }, {}),
  "a teacher, and layers of visible patches that are to become like its",
);

/** What teaching changes of a pretraining task. */
export type TaughtParts = Pick<TrainingTask<MaskedAutoencoder>, "whole" | "frozen" | "loss"> & {
  readonly whole: Taught<MaskedAutoencoder, MaskedAutoencoder>;
  readonly settings: Record<string, unknown>;
};

/**
 * Distillation of visible patches during pretraining: the student's pixel loss plus the distances of layers, the
 * class token among the tokens. Reference: UCSC-VLAA/DMAE models_mae_distill.py.
 *
 * @throws LuvitError("bad-argument") for layers that are not there and models that do not fit each other.
 */
export function taughtParts(
  student: MaskedAutoencoder,
  { teacher, features }: MaeTeaching,
  seed: number,
): TaughtParts {
  expectOwnWeights("pretrain", student, teacher);
  expectSamePatches(student, teacher);
  const kept = Math.trunc(patchCount(student.encoder.config) * (1 - student.maskRatio));
  const matches = settleMatches("pretrain: distill", features, asked(teacher, kept), asked(student, kept));
  const isTaught = matches.length > 0;
  const whole = new Taught(student, matches, seed, isTaught ? teacher : undefined);
  return {
    whole,
    frozen: isTaught ? teacherWeights(teacher) : undefined,
    settings: {
      features: matches.map(({ shape: _, ...match }) => match),
      teacher: isTaught ? whatDecides(teacher.describe()) : undefined,
    },
    loss: (inputs) => taughtLoss(whole, matches, inputs as unknown as MaeInputs),
  };
}

function taughtLoss(
  whole: Taught<MaskedAutoencoder, MaskedAutoencoder>,
  matches: ReturnType<typeof settleMatches>,
  inputs: MaeInputs,
): Tensor {
  const [given, wanted] = [new Map<string, Tensor>(), new Map<string, Tensor>()];
  const pixels = whole.student.loss(inputs, keepingLayers(given));
  whole.teacher?.encode(inputs, keepingLayers(wanted));
  return sumOf([pixels, ...whole.featureTerms(matches, given, wanted)]);
}

/** One forward pass over `kept` patches. */
function asked(model: MaskedAutoencoder, kept: number): Asked {
  const side = model.encoder.config.imageSize;
  return {
    model,
    inputs: { images: { shape: [1, 3, side, side] }, keepRows: { shape: [kept], dtype: "int32" } },
    forward: (fed, context) => model.encode(fed as unknown as MaeInputs, context),
  };
}

function expectSamePatches(student: MaskedAutoencoder, teacher: MaskedAutoencoder): void {
  const [wanted, given] = [teacher, student].map(({ encoder }) => {
    const { imageSize, patchSize } = encoder.config;
    return `${imageSize} px in patches of ${patchSize}`;
  });
  if (wanted === given) return;
  const message = `the teacher takes ${wanted}, the student ${given}; both see the same patches`;
  throw new LuvitError("bad-argument", `pretrain: distill: ${message}`);
}
