import { checkOptions, shaped } from "../core/options";
import type { tf } from "../core/tf";
import type { Module } from "./module";

/** The variables gradients are taken for, by parameter path. */
export function trainableVariables(model: Module): Map<string, tf.Variable> {
  checkOptions("trainableVariables", shaped("a model", "namedParameters"), model);
  const trainable = [...model.namedParameters()].filter(([, parameter]) => parameter.trainable);
  return new Map(trainable.map(([path, parameter]) => [path, parameter.value]));
}
