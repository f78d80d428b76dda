import { rebuildSquare } from "./detection";
import type { BuiltInTransform, TransformSpec } from "./imageTransform";
import { evaluation, finetune, mae, none, segment } from "./transforms";

/** Makes a transform of this library again. */
export function rebuildTransform(spec: TransformSpec): BuiltInTransform {
  if (spec.kind === "finetune") {
    const { size, randAugment, erasing } = spec;
    return finetune(size, { randAugment, erasing });
  }
  if (spec.kind === "evaluation") return evaluation(spec.size, { cropRatio: spec.cropRatio });
  if (spec.kind === "fit" || spec.kind === "jitter") return rebuildSquare(spec);
  return { mae, none, segment }[spec.kind](spec.size);
}
