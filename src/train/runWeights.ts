import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import { checkOptions, flag, optionsOf, path } from "../core/options";
import { latestTrainingCheckpoint, readTrainingCheckpoint } from "../io/runs";
import { Classifier } from "../models/classifier";
import { type ClassifierConfig, type ModelConfig, modelDifferences } from "../models/config";
import { expectFrozenWeights, type FrozenWeight } from "../models/frozenWeights";
import { modelField } from "../models/options";
import { SavableModel } from "../models/savable";
import { Segmenter } from "../models/segmenter";
import type { Module } from "../nn/module";

export { isRunFolder } from "../io/runs";

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

export interface RunWeightsOptions {
  /** The moving average that the run kept, in place of the weights; default false. */
  averaged?: boolean;
}

export const runWeightsOptions = optionsOf<RunWeightsOptions>({}, { averaged: flag });

/**
 * Puts the weights of a run (its newest checkpoint) or of one checkpoint folder into a model of the same parts. Frozen
 * weights that the run took from a file are not in its checkpoints and must be in the model already.
 *
 * @throws LuvitError("missing-file") where nothing, or no average, was saved; "key-mismatch" or "shape-mismatch" for
 * another model, also where its weights have the same names and shapes, listing what it computes otherwise.
 */
export async function loadRunWeights(
  model: Module,
  folder: string,
  options: RunWeightsOptions = {},
): Promise<RunWeights> {
  checkOptions("loadRunWeights", modelField, model);
  checkOptions("loadRunWeights", path, folder);
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
  const unknown = expectSameModel(model, found.config as ModelConfig | undefined, found.folder);
  await expectFrozenWeights(new Map(model.namedParameters()), external, found.folder);
  model.loadStateDict(weights, { allowMissing: Object.keys(external), source: found.folder });
  const { classNames, preprocessing } = (found.config ?? {}) as Partial<ClassifierConfig>;
  if ((model instanceof Classifier || model instanceof Segmenter) && preprocessing) {
    model.classNames ??= classNames ?? undefined;
    model.preprocessing = preprocessing;
  }
  const notes = [...unknown, ...found.notes];
  return { folder: found.folder, step: found.step, recipe: recipe ?? undefined, seed: rng?.seed, notes };
}

/** Gives back what is to be said where the checkpoint does not know its model. */
function expectSameModel(model: Module, saved: ModelConfig | undefined, folder: string): string[] {
  if (!(model instanceof SavableModel)) return [];
  if (!saved)
    return [`${folder}: of an earlier version that did not note what the model is; it was not compared`];
  const changed = modelDifferences(saved, model.describe());
  if (changed.length === 0) return [];
  throw new LuvitError(
    "key-mismatch",
    `${folder}: the weights there are of a model that computes otherwise\n${listOffenders(changed)}\n` +
      "Build the model as it was, or let classifier.open, segmenter.open or mae.open do it.",
  );
}
