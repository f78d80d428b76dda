import { LuvitError, listOffenders } from "../../core/errors";
import type { WeightFile } from "./checkpoint";

/** What DistributedDataParallel and torch.compile put before the names of the model inside. */
const MECHANICAL = ["module.", "_orig_mod."];

/** The same of models inside models: Lightning's, MoCo's. */
const ALL = [...MECHANICAL, "model.", "base_encoder."];

/** MoCo keeps three networks; the first is the one that is used afterwards. */
const MOCO = /^(base_encoder|momentum_encoder|predictor)\./;

/** What torch's AveragedModel counts, beside the names of the model inside. */
const COUNTERS = ["n_averaged"];

/** Beginnings of names that are worth telling apart; a model's own are more, or have no dot. */
const MOST_BEGINNINGS = 5;

/** Names of a checkpoint without what wrappers put before all of them. */
export interface Unwrapped {
  /** Name in the model -> name in the file. */
  readonly names: ReadonlyMap<string, string>;
  /** What was taken away, e.g. "module._orig_mod.". */
  readonly wrapper: string;
  /** Other beginnings of names, one of which all have, that are not known: "student.". */
  readonly unknown: readonly string[];
  /** Names of other networks in the file. */
  readonly leftOut: readonly string[];
}

/** Takes the known wrappers away that are common to all names, one around the other; `asked` comes before them. */
export function unwrap(all: readonly string[], asked = "", wrappers: readonly string[] = ALL): Unwrapped {
  const names = all.filter((name) => !COUNTERS.includes(name));
  let wrapper = asked;
  for (;;) {
    const inside = insideOf(names, wrapper);
    const known = wrappers.find((each) => inside.length > 0 && inside.every((name) => name.startsWith(each)));
    const isMoco =
      inside.some((name) => name.startsWith("base_encoder.")) && inside.every((name) => MOCO.test(name));
    const taken = known ?? (isMoco && wrappers.includes("base_encoder.") ? "base_encoder." : undefined);
    if (taken === undefined) break;
    wrapper += taken;
  }
  const inside = insideOf(names, wrapper);
  return {
    names: new Map(inside.map((name) => [name, wrapper + name])),
    wrapper,
    unknown: beginningsOf(inside),
    leftOut: names.filter((name) => !name.startsWith(wrapper)),
  };
}

/**
 * What follows `key` in the names of a file.
 *
 * @throws LuvitError("key-mismatch") where none begins with it.
 */
export function unwrapUnder(source: string, names: readonly string[], key: string): Unwrapped {
  const unwrapped = unwrap(names, `${key}.`);
  if (unwrapped.names.size > 0) return unwrapped;
  const holds = listOffenders(names, 10);
  throw new LuvitError(
    "key-mismatch",
    `${source}: no names that begin with "${key}."; the file holds\n${holds}`,
  );
}

/** A file as it was before DistributedDataParallel or torch.compile put something before all its names. */
export function withoutWrappers(file: WeightFile): WeightFile {
  const { names, wrapper } = unwrap(file.names, "", MECHANICAL);
  if (wrapper === "") return file;
  const stored = (wanted: readonly string[]) => wanted.map((name) => wrapper + name);
  const plain = <Value>(found: Map<string, Value>) =>
    new Map([...found].map(([name, value]) => [name.slice(wrapper.length), value]));
  const changed: Partial<WeightFile> = {
    names: [...names.keys()],
    info: (name) => file.info(wrapper + name),
    infos: async (wanted) => plain(await file.infos(stored(wanted))),
    readTensors: async (wanted, seen) =>
      plain(
        await file.readTensors(stored(wanted), (name, tensor) => seen?.(name.slice(wrapper.length), tensor)),
      ),
  };
  return Object.assign(Object.create(file), changed);
}

function insideOf(names: readonly string[], wrapper: string): string[] {
  return names.filter((name) => name.startsWith(wrapper)).map((name) => name.slice(wrapper.length));
}

/** The parts up to the first dot, where all names have one and there are few. */
function beginningsOf(names: readonly string[]): string[] {
  const beginnings = new Set(names.map((name) => name.slice(0, name.indexOf(".") + 1)));
  const few = beginnings.size <= Math.min(MOST_BEGINNINGS, names.length - 1);
  return few && !beginnings.has("") ? [...beginnings] : [];
}
