import { inspect } from "node:util";
import { LuvitError, listOffenders } from "../core/errors";
import { formatShape, type StateDict } from "../core/hostTensor";
import { checkOptions, instance, list, optionsOf, partsWith, text } from "../core/options";
import type { Module } from "./module";

export interface LoadOptions {
  /** Only keys that start with this are taken; the rest of the model keeps its values. */
  only?: string;
  /** Keys the file may lack, by prefix, e.g. ["head.", "fc_norm."]. */
  allowMissing?: readonly string[];
  /** Keys the model may lack, by prefix, e.g. ["decoder_"]. */
  allowUnexpected?: readonly string[];
  /** Named in errors and remembered by each parameter. */
  source?: string;
  /** What tensors are called in the file, where it is otherwise than here; for errors. */
  fileNames?: ReadonlyMap<string, string>;
  /** What else is to be said about where the tensors are from. */
  notes?: readonly string[];
}

export const loadOptions = optionsOf<LoadOptions>(
  {},
  {
    only: text,
    allowMissing: list(text),
    allowUnexpected: list(text),
    source: text,
    notes: list(text),
    fileNames: instance<ReadonlyMap<string, string>>(Map, "a Map of names"),
  },
);

/** What a load did. Prints as one line. */
export class LoadReport {
  readonly loaded: readonly string[];
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly source: string;
  /** What was found in the file, and what follows from it that is easily overlooked. */
  readonly notes: readonly string[];

  constructor(parts: {
    loaded: readonly string[];
    missing: readonly string[];
    unexpected: readonly string[];
    source: string;
    notes?: readonly string[];
  }) {
    checkOptions("LoadReport", partsWith("loaded", "missing", "unexpected", "source"), parts);
    const { loaded, missing, unexpected, source, notes = [] } = parts;
    this.loaded = loaded;
    this.missing = missing;
    this.unexpected = unexpected;
    this.source = source;
    this.notes = notes;
  }

  toString(): string {
    const rest = [
      ...this.notes,
      this.missing.length > 0 ? `${this.missing.length} kept as they were` : "",
      this.unexpected.length > 0 ? `${this.unexpected.length} in the file not used` : "",
    ].filter(Boolean);
    const details = rest.length > 0 ? ` (${rest.join(", ")})` : "";
    return `loaded ${this.loaded.length} tensors from ${this.source}${details}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * See `Module.load`.
 *
 * @throws LuvitError("key-mismatch") listing every offending key; the model is then unchanged.
 */
export function loadStateDict(model: Module, state: StateDict, options: LoadOptions): LoadReport {
  checkOptions("load", instance(Map, "a Map of tensors by name"), state);
  checkOptions("load", loadOptions, options);
  const { only = "", allowMissing = [], allowUnexpected = [], source = "the state dict", notes } = options;
  const inFile = (key: string) => {
    const name = options.fileNames?.get(key);
    return name === undefined ? key : `${key} (in the file ${name})`;
  };
  const startsWithAny = (key: string, prefixes: readonly string[]) => prefixes.some((p) => key.startsWith(p));
  const parameters = new Map([...model.namedParameters()].filter(([path]) => path.startsWith(only)));
  const offered = new Map([...state].filter(([key]) => key.startsWith(only)));

  const missing = [...parameters.keys()].filter((path) => !offered.has(path));
  const unexpected = [...offered.keys()].filter((key) => !parameters.has(key));
  const misshapen = [...offered].flatMap(([key, tensor]) => {
    const expected = parameters.get(key)?.shape;
    const same = !expected || formatShape(expected) === formatShape(tensor.shape);
    return same
      ? []
      : [`${inFile(key)}: file has ${formatShape(tensor.shape)}, model expects ${formatShape(expected)}`];
  });
  const unreadable = [...offered].flatMap(([key, { problem }]) =>
    problem !== undefined && parameters.has(key) ? [`${inFile(key)}: ${problem}`] : [],
  );
  const problems = [
    ...missing.filter((key) => !startsWithAny(key, allowMissing)).map((key) => `missing: ${key}`),
    ...unexpected
      .filter((key) => !startsWithAny(key, allowUnexpected))
      .map((key) => `unexpected: ${inFile(key)}`),
    ...misshapen,
    ...unreadable,
  ];
  if (problems.length > 0) {
    throw new LuvitError(
      misshapen.length === problems.length ? "shape-mismatch" : "key-mismatch",
      `${source} does not fit ${model.constructor.name}: ${problems.length} keys\n${listOffenders(problems)}\n` +
        "Check the model's configuration, or allow keys by prefix with allowMissing / allowUnexpected.",
    );
  }
  const loaded = [...parameters].filter(([path]) => offered.has(path));
  for (const [path, parameter] of loaded) parameter.load(offered.get(path)!, options.source);
  return new LoadReport({ loaded: loaded.map(([path]) => path), missing, unexpected, source, notes });
}
