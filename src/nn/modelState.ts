import type { FilePlace, TensorStream } from "../core/hostTensor";
import { inGroups } from "../core/inGroups";
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

/** The values of parameters, read when they are asked for. */
export function streamOfParameters(parameters: ReadonlyMap<string, Parameter>): TensorStream {
  return {
    shapes: new Map([...parameters].map(([name, { shape }]) => [name, shape])),
    read: (names) => peekAll(names.map((name) => [name, parameters.get(name)!] as const)),
  };
}

/** Parameters in groups that cross to an executor, or back, at once. */
const groupsOf = (parameters: NamedParameters) => inGroups([...parameters], ([, { size }]) => 4 * size);

async function peekAll(parameters: NamedParameters): Promise<Record<string, Float32Array>> {
  const values: Record<string, Float32Array> = {};
  for (const [name, parameter] of parameters) {
    values[name] = await parameter.peek();
    await breathe();
  }
  return values;
}

/** Bytes that may be ready and not have crossed: while an executor is still being opened, and then. */
const MOST_WAITING = { opening: 320e6, open: 128e6 };

/**
 * Hands parameters to an executor, a group after the other, so that they are never all in memory twice: the next group is
 * read, drawn or widened while one crosses, and the first ones while the executor is being opened. Those that lie in files
 * an engine in another process reads itself.
 */
export async function sendParameters(
  opening: Engine | Promise<Engine>,
  parameters: NamedParameters,
): Promise<void> {
  const executor = Promise.resolve(opening);
  const all = [...parameters];
  const places = new Map(all.flatMap(([name, parameter]) => placed(name, parameter)));
  const left = executor.then((ready) => ready.loadState?.(places) ?? [...places.keys()]);
  left.catch(() => {});
  await sendGroups(
    executor,
    all.filter(([name]) => !places.has(name)),
  );
  const names = new Set(await left);
  await sendGroups(
    executor,
    all.filter(([name]) => names.has(name)),
  );
}

function placed(name: string, parameter: Parameter): [string, FilePlace][] {
  const place = parameter.place();
  return place ? [[name, place]] : [];
}

async function sendGroups(executor: Promise<Engine>, parameters: NamedParameters): Promise<void> {
  let most = MOST_WAITING.opening;
  executor.then(
    () => (most = MOST_WAITING.open),
    () => {}, // whoever awaits it hears of it
  );
  const crossing: { sent: Promise<void>; bytes: number }[] = [];
  const waiting = () => crossing.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const group of groupsOf(parameters)) {
    const bytes = group.reduce((sum, [, { size }]) => sum + 4 * size, 0);
    while (crossing.length > 0 && waiting() + bytes > most) await crossing.shift()!.sent;
    const values = await peekAll(group);
    const sent = executor.then((ready) => ready.writeState(values));
    sent.catch(() => {});
    crossing.push({ sent, bytes });
  }
  await Promise.all(crossing.map(({ sent }) => sent));
}

/** Brings parameters up to date with an executor's state; all of them, or none when the executor fails on the way. */
export async function fetchState(executor: Engine, parameters: NamedParameters): Promise<void> {
  const fetched: [Parameter, Float32Array][] = [];
  for (const group of groupsOf(parameters)) {
    const values = await executor.readState(group.map(([name]) => name));
    for (const [name, parameter] of group) fetched.push([parameter, values[name]]);
  }
  for (const [parameter, data] of fetched) {
    parameter.load({ shape: parameter.shape, data }, parameter.source);
    await breathe();
  }
}
