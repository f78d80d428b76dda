import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import { source as sourceArgument } from "../io/options";
import type { Llavit } from "./llavit/llavit";
import { openLlava } from "./llavit/openLlava";
import {
  isSavedFolder,
  type LoadModelOptions,
  loadModel,
  type OpenModelOptions,
  openModel,
} from "./openModel";

/**
 * The model that `model.save(folder)` wrote: the same answers, bit for bit.
 *
 * @throws LuvitError as `classifier.load`.
 */
export function loadLlavitFolder(folder: string, options: LoadModelOptions = {}): Promise<Llavit> {
  return loadModel("luvit-llavit", folder, options);
}

/**
 * The model of a run's folder (its newest checkpoint), of a folder that `model.save` wrote, or a LLaVA-1.5 in Hugging Face's
 * layout. Of the latter nothing but headers is read: a tensor comes into memory when it is used, so that a model that this
 * machine cannot run can still be counted, and looked into block by block.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "key-mismatch" | "shape-mismatch") listing what does not fit, and what
 * `load` throws.
 */
export async function openLlavit(path: string, options: OpenModelOptions = {}): Promise<Llavit> {
  checkOptions("llavit.open", sourceArgument, { path });
  if (await isSavedFolder(path)) return openModel("luvit-llavit", path, options);
  if (Object.values(options).every((value) => value === undefined)) return openLlava(path);
  throw new LuvitError("bad-argument", `${path}: is no folder of this library, to which alone options apply`);
}
