import { extname } from "node:path";
import { LuvitError } from "../core/errors";
import type { HostTensor, StateDict } from "../core/hostTensor";
import { checkOptions, list, optionsOf, text } from "../core/options";
import type { WritableDtype } from "../io/bytes";
import { source, storedDtype } from "../io/options";
import { writeSafetensors } from "../io/safetensors";
import { extras, type TorchPlain, writeTorchCheckpoint } from "../io/torch";
import type { Module } from "../nn/module";
import { adapters } from "./lora";
import { modelField } from "./options";

export interface SaveCheckpointOptions {
  /** Stored type; default "F32". */
  dtype?: WritableDtype;
  /** Keys to leave out, by prefix: `["decoder_", "mask_token"]` gives a file like MAE's released encoders. */
  leaveOut?: readonly string[];
  /** Entries beside `model` in a .pth, e.g. `{ epoch: 7 }`. */
  extras?: Readonly<Record<string, TorchPlain>>;
}

export const saveCheckpointOptions = optionsOf<SaveCheckpointOptions>(
  {},
  { dtype: storedDtype, leaveOut: list(text), extras },
);

/** A model's parameters by path with LoRA added into the weights it is on, as if there had never been any. */
export async function mergedState(model: Module): Promise<StateDict> {
  checkOptions("mergedState", modelField, model);
  const lora = new Map(adapters(model));
  const state: StateDict = new Map();
  for (const [path, parameter] of model.namedParameters()) {
    const owner = /^(.*?)\.?(weight|bias|lora_[AB]\.weight)$/.exec(path);
    const layer = owner && lora.get(owner[1]);
    if (layer && owner[2].startsWith("lora_")) continue;
    state.set(path, layer && owner[2] === "weight" ? await layer.mergedWeight() : await parameter.read());
  }
  return state;
}

/**
 * Writes a model, LoRA merged, under the official names: .pth (`{"model": …}`, which torch.load, MAE's code and timm
 * read) or .safetensors. A ViT without fusion path is then exactly MAE's or timm's; the fusion path's keys,
 * `llama_dim_mapper1.*`, `llama.*` and `llama_dim_mapper2.*`, come with it where there is one. The model stays as it is.
 *
 * @throws LuvitError("bad-argument") for other endings, LuvitError("bad-file") when the disk refuses.
 */
export async function saveCheckpoint(
  model: Module,
  path: string,
  options: SaveCheckpointOptions = {},
): Promise<string[]> {
  checkOptions("saveCheckpoint", modelField, model);
  checkOptions("saveCheckpoint", source, { path });
  checkOptions("saveCheckpoint", saveCheckpointOptions, options);
  const { dtype, leaveOut = [], extras } = options;
  const ending = extname(path);
  if (![".pth", ".pt", ".bin", ".safetensors"].includes(ending)) {
    throw new LuvitError("bad-argument", `${path}: a checkpoint ends in .pth, .pt, .bin or .safetensors`);
  }
  const merged = await mergedState(model);
  const kept = [...merged].filter(([key]) => !leaveOut.some((prefix) => key.startsWith(prefix)));
  const state: Map<string, HostTensor> = new Map(kept);
  if (ending === ".safetensors") await writeSafetensors(path, state, { dtype, metadata: { format: "pt" } });
  else await writeTorchCheckpoint(path, state, { dtype, extras });
  return [...state.keys()];
}
