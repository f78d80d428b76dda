import { type OpRule, type OpValue, ownOpRules } from "../../core/opRegistry";
import { elementwiseRules } from "./elementwise";
import { imageRules } from "./images";
import { productRules } from "./products";
import { reduceRules } from "./reduce";
import type { ShapeRule, ShapeRules } from "./rule";
import { structureRules } from "./structure";

export { elementwiseRules } from "./elementwise";
export type { KernelCall, KernelResult, ShapeRule, ValueInfo } from "./rule";

const stockRules: ShapeRules = {
  ...elementwiseRules,
  ...structureRules,
  ...reduceRules,
  ...productRules,
  ...imageRules,
};

/** Names of every kernel whose shapes are known, this library's own ops among them. */
export function knownKernels(): string[] {
  return [...Object.keys(stockRules), ...ownOpRules.keys()];
}

/** The rule of a kernel. */
export function shapeRule(kernel: string): ShapeRule {
  const own = ownOpRules.get(kernel);
  return own ? ownRule(own) : stockRules[kernel];
}

function ownRule(rule: OpRule): ShapeRule {
  return ({ inputs, attributes }) => ({
    outputs: rule.outputs(inputs as unknown as Record<string, OpValue>, attributes),
  });
}
