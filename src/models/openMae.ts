import type { LlamaLanguageModel } from "./languageModel";
import type { MaskedAutoencoder } from "./mae";
import { type LoadModelOptions, loadModel, type OpenModelOptions, openModel } from "./openModel";

/**
 * The masked auto-encoder that `model.save(folder)` wrote.
 *
 * @throws LuvitError as `classifier.load`.
 */
export function loadMaeFolder(folder: string, options: LoadModelOptions = {}): Promise<MaskedAutoencoder> {
  return loadModel("luvit-mae", folder, options);
}

/** The masked auto-encoder of a run's folder (its newest checkpoint), or of a folder that `model.save` wrote. */
export function openMae(path: string, options: OpenModelOptions = {}): Promise<MaskedAutoencoder> {
  return openModel("luvit-mae", path, options);
}

/**
 * The language model that `model.save(folder)` wrote.
 *
 * @throws LuvitError as `classifier.load`.
 */
export function loadLanguageModel(
  folder: string,
  options: LoadModelOptions = {},
): Promise<LlamaLanguageModel> {
  return loadModel("luvit-language-model", folder, options);
}
