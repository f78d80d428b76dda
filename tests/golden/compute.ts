import { onHost, type Tensor, tf } from "../../src/core/tf";
import type { EngineOptions } from "../../src/engine";
import { compile } from "../../src/nn/compile";
import type { Module } from "../../src/nn/module";

type Numbers = Readonly<Record<string, ArrayLike<number>>>;

/** A computation of named inputs with a model: op by op on tfjs, or as one graph on an engine. */
export interface Computation {
  run(feeds: Numbers): Promise<Record<string, ArrayLike<number>>>;
  dispose(): Promise<void>;
}

export async function openComputation(
  model: Module,
  shapes: Readonly<Record<string, readonly number[]>>,
  body: (inputs: Readonly<Record<string, Tensor>>) => Record<string, Tensor>,
  engine?: EngineOptions,
): Promise<Computation> {
  if (!engine) {
    const run = (feeds: Numbers) =>
      onHost(() => {
        const inputs = Object.entries(shapes).map(([name, shape]) => [
          name,
          tf.tensor(Float32Array.from(feeds[name]), [...shape]),
        ]);
        const results = body(Object.fromEntries(inputs));
        return Object.fromEntries(Object.entries(results).map(([name, t]) => [name, t.dataSync().slice()]));
      });
    return { run: async (feeds) => run(feeds), dispose: async () => {} };
  }
  const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { shape }]));
  const compiled = await compile("golden", { inputs, model, body }, engine);
  return {
    run: async (feeds) => {
      const arrays = Object.entries(feeds).map(([name, numbers]) => [name, Float32Array.from(numbers)]);
      const results = await compiled.run(Object.fromEntries(arrays));
      return Object.fromEntries(
        Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]),
      );
    },
    dispose: () => compiled.dispose(),
  };
}
