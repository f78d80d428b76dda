import type { EngineOptions, ReadyOptions } from "../engine";
import { ready } from "../engine";
import type { Provenance } from "../analysis/provenance";
import type { Classifier } from "../models/classifier";
import { trainedFrom } from "./models";
import type { RunRequest } from "./request";
import { loadConfig, type LoadedConfig } from "./runConfig";

/** A finetuned model that a command looks at. */
export interface Trained<Name extends "evaluate" | "entropy"> extends LoadedConfig<Name> {
  readonly model: Classifier;
  /** Where results go. */
  readonly out: string;
  /** How its analyses run, and what their results say of it. */
  readonly about: EngineOptions & Omit<Provenance, "data"> & { batchSize?: number };
}

/** What commands that look at a model begin with: the configuration, the engine, the model with its weights. */
export async function openTrained<Name extends "evaluate" | "entropy">(
  command: Name,
  request: RunRequest,
): Promise<Trained<Name>> {
  const loaded = loadConfig(command, request.file);
  const { path } = loaded;
  const {
    model: named,
    engine,
    batchSize,
    recipe,
    seed,
    out,
  } = loaded.config as LoadedConfig<"evaluate">["config"];
  request.print(String(await ready(engine as ReadyOptions)));
  const { model, run } = await trainedFrom(named, path);
  for (const note of run?.notes ?? []) request.print(note);
  const about = {
    ...engine,
    batchSize,
    model: named.name,
    recipe: recipe ?? run?.recipe,
    seed: request.seed ?? seed ?? run?.seed,
  };
  return { ...loaded, model, out: request.out ?? path(out), about };
}
