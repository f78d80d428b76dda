import type { TensorStream } from "../core/hostTensor";
import { writeNumbers } from "../core/writeNumbers";
import { type Engine, saveState } from "../engine";
import { streamOfParameters } from "../nn/modelState";
import type { Parameter } from "../nn/parameter";

/**
 * Parameters by the names given, those that are `entries` of the engine's state with the numbers they have there. What the
 * engine writes into a file never comes to this process.
 */
export function liveStream(
  parameters: ReadonlyMap<string, Parameter>,
  engine: Engine,
  entries: ReadonlyMap<Parameter, string>,
): TensorStream {
  const own = streamOfParameters(parameters);
  const entryOf = (name: string) => entries.get(parameters.get(name)!);
  const split = (names: readonly string[]) => {
    const there = names.flatMap((name) => {
      const entry = entryOf(name);
      return entry === undefined ? [] : [{ name, entry }];
    });
    return { there, here: names.filter((name) => entryOf(name) === undefined) };
  };
  return {
    shapes: own.shapes,
    async read(names) {
      const { there, here } = split(names);
      const state = there.length > 0 ? await engine.readState(there.map(({ entry }) => entry)) : {};
      const values = Object.fromEntries(there.map(({ name, entry }) => [name, state[entry]]));
      return { ...values, ...(await own.read(here)) };
    },
    async writeInto(path, places) {
      const { there, here } = split([...places.keys()]);
      const names = new Map(there.map(({ name, entry }) => [entry, name]));
      const state = new Map(there.map(({ name, entry }) => [entry, places.get(name)!]));
      const broken = await saveState(engine, path, state);
      const ownBroken = await writeNumbers(
        path,
        new Map(here.map((name) => [name, places.get(name)!])),
        own.read,
      );
      return [...broken.map((entry) => names.get(entry)!), ...ownBroken];
    },
  };
}
