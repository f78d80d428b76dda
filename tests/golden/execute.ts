import { type Tensor, tf } from "../../src/core/tf";
import type { EngineOptions } from "../../src/engine";
import { compile } from "../../src/nn/compile";
import type { Module } from "../../src/nn/module";
import { trainableVariables } from "../../src/nn/variables";
import { lossAndGradients } from "../../src/optim/gradients";
import type { GoldenTensor } from "./readTensors";

/** A computation of a golden case, by tfjs op by op or as one graph of an engine. */
export interface Computation {
  /** For messages. */
  name: string;
  model?: Module;
  inputs: Record<string, GoldenTensor>;
  body(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
}

/** All results of a computation, by name. */
export type Results = Map<string, GoldenTensor["data"]>;

export type Execute = (computation: Computation) => Promise<Results>;

const dtypeOf = ({ dtype }: GoldenTensor) => (dtype === "I32" ? "int32" : "float32");

/** Op by op. */
export const eagerly: Execute = async ({ inputs, body }) => {
  const results: Results = new Map();
  tf.tidy(() => {
    const fed = Object.fromEntries(
      Object.entries(inputs).map(([name, golden]) => [
        name,
        tf.tensor(golden.data as Float32Array, golden.shape, dtypeOf(golden)),
      ]),
    );
    for (const [name, result] of Object.entries(body(fed)))
      results.set(name, result.dataSync().slice() as Float32Array);
  });
  return results;
};

/** As one graph. */
export const compiledFor =
  (options: EngineOptions): Execute =>
  async ({ name, model, inputs, body }) => {
    const specs = Object.fromEntries(
      Object.entries(inputs).map(([key, golden]) => [
        key,
        { shape: golden.shape, dtype: dtypeOf(golden) as "int32" },
      ]),
    );
    const compiled = await compile(name, { model, inputs: specs, body }, options);
    try {
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([key, { data }]) => [key, data as Float32Array]),
      );
      const results = await compiled.run(feeds);
      console.log(`     ${name} ran on ${compiled.runsOn}`);
      return new Map(Object.entries(results).map(([key, { data }]) => [key, data as Float32Array]));
    } finally {
      await compiled.dispose();
    }
  };

/**
 * A loss with the gradients of all trainable parameters, as "grad.<path>", and of the inputs that are named, as
 * "grad.<name>".
 */
export function withGradients(
  model: Module,
  inputs: Readonly<Record<string, Tensor>>,
  names: readonly string[],
  loss: (inputs: Readonly<Record<string, Tensor>>) => Tensor,
): Record<string, Tensor> {
  const parameters = lossAndGradients(() => loss(inputs), trainableVariables(model)).gradients;
  const results = Object.fromEntries([...parameters].map(([path, gradient]) => [`grad.${path}`, gradient]));
  if (names.length === 0) return results;
  const ofInputs = tf.grads((...values: Tensor[]) =>
    loss({ ...inputs, ...Object.fromEntries(names.map((name, i) => [name, values[i]])) }),
  ) as unknown as (values: Tensor[]) => Tensor[];
  ofInputs(names.map((name) => inputs[name])).forEach((gradient, i) => {
    results[`grad.${names[i]}`] = gradient;
  });
  return results;
}
