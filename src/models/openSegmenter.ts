import { type LoadModelOptions, loadModel, type OpenModelOptions, openModel } from "./openModel";
import type { Segmenter } from "./segmenter";

/**
 * The segmenter that `model.save(folder)` wrote.
 *
 * @throws LuvitError as `classifier.load`.
 */
export function loadSegmenterFolder(folder: string, options: LoadModelOptions = {}): Promise<Segmenter> {
  return loadModel("luvit-segmenter", folder, options);
}

/** The segmenter of a run's folder (its newest checkpoint), or of a folder that `model.save` wrote. */
export function openSegmenter(path: string, options: OpenModelOptions = {}): Promise<Segmenter> {
  return openModel("luvit-segmenter", path, options);
}
