import { breathe } from "../core/loop";
import type { tf } from "../core/tf";
import type { Engine } from "../engine";
import type { Module } from "./module";
import { Parameter } from "./parameter";

/** A model's parameters as state entries of a graph: path -> shape. No memory is taken for them. */
export function parameterShapes(model: Module): Record<string, { shape: readonly number[] }> {
  return Object.fromEntries([...model.namedParameters()].map(([path, { shape }]) => [path, { shape }]));
}

/** Runs `body` with the model's parameters being entries of a traced state. */
export function withTracedParameters<Result>(
  model: Module,
  state: Readonly<Record<string, tf.Variable>>,
  body: () => Result,
): Result {
  const substitutes = [...model.namedParameters()].map(
    ([path, parameter]) => [parameter, state[path]] as const,
  );
  return Parameter.withSubstitutes(substitutes, body);
}

/** Parameters, and moments of an optimizer, by the names of an executor's state. */
export type NamedParameters = Iterable<readonly [string, Parameter]>;

/** Hands parameters to an executor one by one, so that they are never all in memory twice. */
export async function sendParameters(executor: Engine, parameters: NamedParameters): Promise<void> {
  for (const [name, parameter] of parameters) await executor.writeState({ [name]: await parameter.peek() });
}

/** Brings parameters up to date with an executor's state; all of them, or none when the executor fails on the way. */
export async function fetchState(executor: Engine, parameters: NamedParameters): Promise<void> {
  const fetched: [Parameter, Float32Array][] = [];
  for (const [name, parameter] of parameters) {
    fetched.push([parameter, (await executor.readState([name]))[name]]);
  }
  for (const [parameter, data] of fetched) {
    parameter.load({ shape: parameter.shape, data }, parameter.source);
    await breathe();
  }
}
