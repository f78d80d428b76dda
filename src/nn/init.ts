import { checkOptions, instance, list, whole } from "../core/options";
import { rngField } from "../core/options/rng";
import type { Initializer } from "./parameter";

const dimensions = list(whole(0, Number.MAX_SAFE_INTEGER), 1);
const numbers = instance<Float32Array>(Float32Array, "a Float32Array to be filled");

/** Filled with zeros. */
export const zeros: Initializer = () => {};

/** Filled with ones. */
export const ones: Initializer = (values) => {
  checkOptions("ones", numbers, values);
  values.fill(1);
};

/** N(0, std²). timm's trunc_normal_ cuts at absolute ±2, so with std 0.02 it is this normal for every practical purpose. */
export function normal(std: number): Initializer {
  return (values, _shape, rng) => rng.fillNormal(values, std);
}

/** U(-bound, bound). */
export function uniform(bound: number): Initializer {
  return (values, _shape, rng) => rng.fillBetween(values, -bound, bound);
}

/** Glorot uniform over a weight [out, ...in], flattened to [out, prod(in)]: bound sqrt(6 / (in + out)). */
export const xavierUniform: Initializer = (values, shape, rng) => {
  checkOptions("xavierUniform", numbers, values);
  checkOptions("xavierUniform", dimensions, shape);
  checkOptions("xavierUniform", rngField, rng);
  const bound = Math.sqrt(6 / (values.length / shape[0] + shape[0]));
  uniform(bound)(values, shape, rng);
};

/** torch's kaiming_uniform_(a=sqrt 5) of a weight [out, in]: U(±1/sqrt(in)); the start of LoRA's A. */
export const kaimingUniform: Initializer = (values, shape, rng) => {
  checkOptions("kaimingUniform", numbers, values);
  checkOptions("kaimingUniform", dimensions, shape);
  checkOptions("kaimingUniform", rngField, rng);
  uniform(1 / Math.sqrt(values.length / shape[0]))(values, shape, rng);
};

/** Copies fixed values, e.g. a position table. */
export function constant(table: () => Float32Array): Initializer {
  return (values) => values.set(table());
}
