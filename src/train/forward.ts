import type { Tensor } from "../core/tf";
import type { EngineOptions } from "../engine";
import type { InputSpec } from "../graph/trace";
import { compile } from "../nn/compile";
import type { Module } from "../nn/module";
import { arraysOf, type Feeds } from "./feeds";

/** A computation with a model and without gradients: scores of a batch, its attention entropies, its features. */
export interface ForwardFunction {
  readonly inputs: Readonly<Record<string, InputSpec>>;
  body(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
}

/** One that also keeps something from run to run, or reads what another one kept. */
export interface KeepingFunction extends Pick<ForwardFunction, "inputs"> {
  /** Shapes of what is kept, by name: common to all functions that name it, and zero at first. */
  readonly kept?: Readonly<Record<string, readonly number[]>>;
  /** A result under the name of something kept is its new value. */
  body(
    inputs: Readonly<Record<string, Tensor>>,
    kept: Readonly<Record<string, Tensor>>,
  ): Record<string, Tensor>;
}

/** A forward function ready to be called. */
export interface Forward {
  /** What it runs on, for people. */
  readonly engine: string;
  /** Whether it runs as one graph, not op by op. */
  readonly isGraph: boolean;
  run(feeds: Feeds): Promise<Record<string, Float32Array>>;
  dispose(): Promise<void>;
}

/**
 * Gets a forward function ready on an engine.
 * @throws LuvitError("engine") when the engine asked for cannot be had or cannot run it.
 */
export async function openForward(
  name: string,
  model: Module,
  body: ForwardFunction,
  options: EngineOptions = {},
): Promise<Forward> {
  const compiled = await compile(name, { ...body, model }, options);
  return {
    engine: compiled.runsOn,
    isGraph: compiled.isGraph,
    run: async (feeds) => {
      const results = await compiled.run(arraysOf(feeds));
      return Object.fromEntries(
        Object.entries(results).map(([key, { data }]) => [key, data as Float32Array]),
      );
    },
    dispose: () => compiled.dispose(),
  };
}
