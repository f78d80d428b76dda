import { LuvitError } from "../core/errors";
import { checkOptions, optionsOf } from "../core/options";
import { type HubOptions, hubOptions } from "../io/hub";
import { source as sourceArgument } from "../io/options";
import type { Llavit } from "./llavit/llavit";
import { openLlava } from "./llavit/openLlava";
import {
  isSavedFolder,
  type LoadModelOptions,
  loadModel,
  type OpenModelOptions,
  openModel,
  openOptions,
} from "./openModel";

/**
 * The model that `model.save(folder)` wrote: the same answers, bit for bit.
 *
 * @throws LuvitError as `classifier.load`.
 */
export function loadLlavitFolder(folder: string, options: LoadModelOptions = {}): Promise<Llavit> {
  return loadModel("luvit-llavit", folder, options);
}

/** Of this library's folders: `block`, `averaged`. Of a LLaVA on the hub: `revision`, `hub`, `signal`. */
export interface OpenLlavitOptions extends OpenModelOptions, HubOptions {}

const openLlavitOptions = optionsOf<OpenLlavitOptions>(
  {},
  { ...openOptions.optional, ...hubOptions.optional },
);

/**
 * The model of a run's folder (its newest checkpoint), of a folder that `model.save` wrote, or a LLaVA-1.5 in Hugging Face's
 * layout, safetensors or .bin. Of the latter nothing but headers is read: a tensor comes into memory when it is used, so that
 * a model that this machine cannot run can still be counted, and looked into block by block. A repository of the hub
 * (`org/name`, `hf://org/name@revision`) is fetched into the hub's cache first, whole, once its config and the headers of
 * its files say that it can be opened.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "refused-file" | "key-mismatch" | "shape-mismatch") listing what does not
 * fit, LuvitError("bad-argument") for options that do not apply, "network" or "no-access" saying what the hub refused, and
 * what `load` throws.
 */
export async function openLlavit(path: string, options: OpenLlavitOptions = {}): Promise<Llavit> {
  checkOptions("llavit.open", sourceArgument, { path });
  checkOptions("llavit.open", openLlavitOptions, options);
  const { revision, hub, signal, ...own } = options;
  const isSaved = await isSavedFolder(path);
  const [strange, of] = isSaved
    ? [{ revision, hub, signal }, "is a folder of this library, not a repository of the hub"]
    : [own, "is no folder of this library"];
  const given = Object.entries(strange).filter(([, value]) => value !== undefined);
  if (given.length > 0) {
    const names = given.map(([name]) => name).join(", ");
    throw new LuvitError("bad-argument", `${path}: ${of}, to which alone these options apply: ${names}`);
  }
  return isSaved ? openModel("luvit-llavit", path, own) : openLlava(path, { revision, hub, signal });
}
