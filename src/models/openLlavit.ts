import type { Llavit } from "./llavit/llavit";
import { type LoadModelOptions, loadModel, type OpenModelOptions, openModel } from "./openModel";

/**
 * The model that `model.save(folder)` wrote: the same answers, bit for bit.
 *
 * @throws LuvitError as `classifier.load`.
 */
export function loadLlavitFolder(folder: string, options: LoadModelOptions = {}): Promise<Llavit> {
  return loadModel("luvit-llavit", folder, options);
}

/** The model of a run's folder (its newest checkpoint), or of a folder that `model.save` wrote. */
export function openLlavit(path: string, options: OpenModelOptions = {}): Promise<Llavit> {
  return openModel("luvit-llavit", path, options);
}
