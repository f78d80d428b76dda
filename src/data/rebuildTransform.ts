import type { BuiltInTransform, TransformSpec } from "./imageTransform";
import { evaluation, finetune, mae, none } from "./transforms";

/** Makes a transform of this library again. */
export function rebuildTransform(spec: TransformSpec): BuiltInTransform {
  if (spec.kind === "finetune") return finetune(spec.size, spec);
  if (spec.kind === "evaluation") return evaluation(spec.size, spec);
  return { mae, none }[spec.kind](spec.size);
}
