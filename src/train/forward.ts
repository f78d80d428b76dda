import { LuvitError } from "../core/errors";
import { type Tensor, tf } from "../core/tf";
import { chooseEngine, type EngineOptions } from "../engine";
import type { InputSpec } from "../graph/trace";
import { compile } from "../nn/compile";
import type { Module } from "../nn/module";
import { arraysOf, type Feeds, tensorsOf } from "./feeds";

/** A computation with a model and without gradients: scores of a batch, its attention entropies, its features. */
export interface ForwardFunction {
  readonly inputs: Readonly<Record<string, InputSpec>>;
  body(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
}

/** A forward function ready to be called. */
export interface Forward {
  /** What it runs on, for people. */
  readonly engine: string;
  run(feeds: Feeds): Promise<Record<string, Float32Array>>;
  dispose(): Promise<void>;
}

/**
 * Gets a forward function ready on an engine; where none was demanded and it does not compile, op by op, saying why.
 * @throws LuvitError("engine") when the engine asked for cannot be had or cannot run it.
 */
export async function openForward(
  name: string,
  model: Module,
  body: ForwardFunction,
  options: EngineOptions = {},
): Promise<Forward> {
  const { engine, demanded, passedOver } = chooseEngine(options);
  if (engine === "eager") return eagerForward(body, demanded ? "asked for" : passedOver.join("; "));
  try {
    const compiled = await compile(name, { ...body, model }, options);
    return {
      engine: `${compiled.engine}, one graph`,
      run: async (feeds) => {
        const results = await compiled.run(arraysOf(feeds));
        return Object.fromEntries(
          Object.entries(results).map(([key, { data }]) => [key, data as Float32Array]),
        );
      },
      dispose: () => compiled.dispose(),
    };
  } catch (error) {
    return eagerForward(body, reasonToGoEager(error, demanded, options));
  }
}

/** Why a computation runs op by op after its compilation failed; throws the error where that is no way out. */
export function reasonToGoEager(error: unknown, demanded: boolean, options: EngineOptions): string {
  const died = error instanceof LuvitError && error.code === "engine-died";
  if (demanded || died || options.precision === "bfloat16" || options.frozen) throw error;
  const [reason] = (error as Error).message.split("\n");
  return `it does not compile: ${reason}`;
}

function eagerForward(body: ForwardFunction, reason: string): Forward {
  return {
    engine: `tfjs ${tf.getBackend()}, op by op (${reason})`,
    run: (feeds) => forwardNow(body, feeds),
    dispose: async () => {},
  };
}

/** Runs a forward function op by op. */
export async function forwardNow(body: ForwardFunction, feeds: Feeds): Promise<Record<string, Float32Array>> {
  const results = tf.tidy(() => body.body(tensorsOf(feeds)) as tf.NamedTensorMap);
  const read = Object.entries(results).map(async ([name, tensor]) => [name, await tensor.data<"float32">()]);
  const arrays = Object.fromEntries(await Promise.all(read));
  tf.dispose(results);
  return arrays;
}
