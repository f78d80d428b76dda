import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import { latestTrainingCheckpoint, readTrainingCheckpoint } from "../io/trainingCheckpoint";
import { modelField } from "../models/options";
import type { Module } from "../nn/module";
import { expectFrozenWeights, type FrozenWeight } from "./frozenWeights";
import { runWeightsOptions } from "./options";

/** Where weights that a run left came from. */
export interface RunWeights {
  /** The checkpoint's folder. */
  readonly folder: string;
  readonly step: number;
  readonly recipe?: string;
  readonly seed?: number;
  /** Damaged newer checkpoints that were passed over. */
  readonly notes: readonly string[];
}

/** Whether a path is a run's folder, or one of its checkpoints. */
export function isRunFolder(path: string): boolean {
  return existsSync(join(path, "metrics.jsonl")) || existsSync(join(path, "state.json"));
}

export interface RunWeightsOptions {
  /** The moving average that the run kept, in place of the weights; default false. */
  averaged?: boolean;
}

/**
 * Puts the weights of a run (its newest checkpoint) or of one checkpoint folder into a model of the same parts. Frozen
 * weights that the run took from a file are not in its checkpoints and must be in the model already.
 *
 * @throws LuvitError("missing-file") where nothing, or no average, was saved; "key-mismatch" or "shape-mismatch" for another model.
 */
export async function loadRunWeights(
  model: Module,
  folder: string,
  options: RunWeightsOptions = {},
): Promise<RunWeights> {
  checkOptions("loadRunWeights", modelField, model);
  checkOptions("loadRunWeights", runWeightsOptions, options);
  const { averaged = false } = options;
  const isCheckpoint = existsSync(join(folder, "state.json"));
  const found = isCheckpoint
    ? { ...(await readTrainingCheckpoint(folder)), notes: [] }
    : await latestTrainingCheckpoint(folder);
  if (!found) throw new LuvitError("missing-file", `${folder}: no checkpoint of a run is there`);
  const {
    external = {},
    recipe,
    rng,
  } = found.state as {
    external?: Record<string, FrozenWeight>;
    recipe?: string | null;
    rng?: { seed: number };
  };
  const weights = averaged ? found.average : found.model;
  if (!weights) {
    const advice = "the run was started without emaDecay; load its weights themselves";
    throw new LuvitError(
      "missing-file",
      `${found.folder}: no averaged weights (average.safetensors) are there; ${advice}`,
    );
  }
  await expectFrozenWeights(model, external, found.folder);
  model.load(weights, { allowMissing: Object.keys(external), source: found.folder });
  const { step, notes } = found;
  return { folder: found.folder, step, recipe: recipe ?? undefined, seed: rng?.seed, notes };
}
