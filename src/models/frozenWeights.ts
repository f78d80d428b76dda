import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import { parameterDigest } from "../nn/digest";
import type { Module } from "../nn/module";
import type { Parameter } from "../nn/parameter";

/** A frozen weight that a checkpoint names instead of holding it. */
export interface FrozenWeight {
  /** The file it was read from; of a trained model's that is frozen here, the model. */
  source: string;
  /** Of its float32 values, so that another file's weight is not taken for it. */
  sha256: string;
}

/** Frozen parameters that came from a file and so need not be saved again, by path. */
export function frozenFromFiles(model: Module): Map<string, Parameter> {
  return new Map([...model.namedParameters()].filter(([, p]) => !p.trainable && p.source !== undefined));
}

/** What a checkpoint notes about them. */
export async function noteFrozenWeights(
  weights: ReadonlyMap<string, Parameter>,
): Promise<Record<string, FrozenWeight>> {
  const notes: Record<string, FrozenWeight> = {};
  for (const [path, parameter] of weights) {
    const source = parameter.source ?? "a model in memory";
    // As seen from anywhere: whoever opens it may stand in another folder.
    const place = existsSync(source) ? resolve(source) : source;
    notes[path] = { source: place, sha256: await parameterDigest(parameter) };
  }
  return notes;
}

/** @throws LuvitError("key-mismatch") naming every frozen weight whose values are not those the run was made with. */
export async function expectFrozenWeights(
  parameters: ReadonlyMap<string, Parameter>,
  noted: Readonly<Record<string, FrozenWeight>>,
  where: string,
): Promise<void> {
  const wrong: string[] = [];
  for (const [path, { source, sha256 }] of Object.entries(noted)) {
    const parameter = parameters.get(path);
    if (parameter && (await parameterDigest(parameter)) === sha256) continue;
    wrong.push(
      `${path}: was read from ${source}${parameter ? `, now ${parameter.source ?? "initialized here"}` : ""}`,
    );
  }
  if (wrong.length === 0) return;
  throw new LuvitError(
    "key-mismatch",
    `${where}: the frozen weights are not those the run was made with\n${listOffenders(wrong)}\n` +
      "Load the same files before.",
  );
}
