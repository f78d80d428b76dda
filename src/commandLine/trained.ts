import type { Provenance } from "../analysis/provenance";
import { type EngineOptions, type ReadyOptions, ready } from "../engine";
import type { Classifier } from "../models/classifier";
import type { ViTConfig } from "../models/vit";
import { shapeOf, trainedFrom } from "./models";
import type { RunRequest } from "./request";
import { type LoadedConfig, loadConfig } from "./runConfig";

/** A finetuned model that a command looks at. */
export interface Trained<Name extends "evaluate" | "entropy"> extends LoadedConfig<Name> {
  readonly model: Classifier;
  /** Where results go. */
  readonly out: string;
  /** How its analyses run, and what their results say of it. */
  readonly about: EngineOptions & Omit<Provenance, "data"> & { batchSize?: number };
}

/**
 * What commands that look at a model begin with: the configuration, the engine, the images, and then the model with its
 * weights, which may take long to load.
 */
export async function openTrained<Name extends "evaluate" | "entropy", Images>(
  command: Name,
  request: RunRequest,
  openImages: (
    loaded: LoadedConfig<Name>,
    shape: Pick<ViTConfig, "imageSize" | "patchSize">,
  ) => Promise<Images>,
): Promise<Trained<Name> & { readonly images: Images }> {
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
  const images = await openImages(loaded, await shapeOf(named, path));
  const { model, run } = await trainedFrom(named, path, request.print);
  for (const note of run?.notes ?? []) request.print(note);
  const about = {
    ...engine,
    batchSize,
    model: named.name,
    recipe: recipe ?? run?.recipe,
    seed: request.seed ?? seed ?? run?.seed,
  };
  return { ...loaded, images, model, out: request.out ?? path(out), about };
}
