import type { StateDict } from "../../core/hostTensor";
import { checkOptions, optionsOf, text } from "../../core/options";
import { UnreadableTensor } from "../bytes";
import { source } from "../options";
import { isStoredDtype, toPlainValue } from "../torch";
import { openCheckpoint, type WeightFile } from "./checkpoint";
import type { WeightPartOptions } from "./part";
import { type Unwrapped, unwrap, unwrapUnder } from "./wrappers";

const weightPart = optionsOf<WeightPartOptions>({}, { key: text });

/** A checkpoint of the MAE code: pretraining, finetuning or the released encoder. */
export interface MaeCheckpoint {
  /** Official names and layouts, e.g. `blocks.0.attn.qkv.weight` [3 D, D]. Types that cannot be read have a `problem`. */
  readonly tensors: StateDict;
  /** Epochs finished are this plus one; absent in released files. */
  readonly epoch?: number;
  /** The command line it was trained with; absent in released files. */
  readonly args?: Record<string, unknown>;
  /** Which of the weights in the file were taken, where there was a choice, and what was taken from their names. */
  readonly notes: readonly string[];
  /** The path, for messages about names: says what they all begin with where that is no known wrapper. */
  readonly source: string;
  /** The config.json beside the weights, where there is one. */
  readonly configPath?: string;
}

/**
 * Reads a .pth (.pt, .bin) of the official MAE code or of timm (weights under the key `model`, `state_dict` or none), a
 * safetensors file with the same names, or a folder of one of them as timm's are on the Hugging Face hub. What wrappers
 * put before all names (`module.`, `_orig_mod.`, `model.`, `base_encoder.`) is taken away. The optimizer state in a
 * training checkpoint is not read.
 * Reference: facebookresearch/mae util/misc.py `save_model`; timm models/_helpers.py `load_state_dict`.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "refused-file" | "key-mismatch")
 */
export async function readMaeCheckpoint(
  path: string,
  options: WeightPartOptions = {},
): Promise<MaeCheckpoint> {
  checkOptions("readMaeCheckpoint", source, { path });
  checkOptions("readMaeCheckpoint", weightPart, options);
  const file = await openCheckpoint(path, options);
  try {
    return await readMaeFile(file, path, options);
  } finally {
    await file.close();
  }
}

/** The same of weights that were opened, from wherever; `path` is for messages. */
export async function readMaeFile(
  file: WeightFile,
  path: string,
  { key }: WeightPartOptions = {},
): Promise<MaeCheckpoint> {
  const isPrefix = key !== undefined && !file.torch;
  const unwrapped = isPrefix ? unwrapUnder(path, file.names, key) : unwrap(file.names);
  return {
    tensors: await readAll(file, unwrapped.names),
    ...describeTraining(file.torch?.root),
    notes: notesOf(file, unwrapped),
    source: path + askedFor(unwrapped),
    configPath: file.configPath,
  };
}

/** For messages about names: what they begin with where that is no known wrapper. */
function askedFor({ unknown }: Unwrapped): string {
  if (unknown.length === 0) return "";
  const said = unknown.map((beginning) => `"${beginning}"`).join(", ");
  return ` (where all names begin with ${said}: { key: "${unknown[0].slice(0, -1)}" }?)`;
}

async function readAll(file: WeightFile, names: ReadonlyMap<string, string>): Promise<StateDict> {
  const infos = await file.infos([...names.values()]);
  const isReadable = (stored: string) => file.ggufMetadata || isStoredDtype(infos.get(stored)!.dtype);
  const found = await file.readTensors([...names.values()].filter(isReadable));
  const tensors: StateDict = new Map();
  for (const [name, stored] of names) {
    const { shape, dtype } = infos.get(stored)!;
    tensors.set(name, found.get(stored) ?? new UnreadableTensor(`${file.source}: ${name}`, shape, dtype));
  }
  return tensors;
}

function notesOf({ torch }: WeightFile, { wrapper, leftOut }: Unwrapped): string[] {
  const notes: string[] = [];
  if (torch?.where && torch.others.length > 0) {
    const others = torch.others.map((other) => `"${other}"`).join(", ");
    notes.push(`taken from "${torch.where}"; ${others} would be taken with { key }`);
  } else if (torch?.where) notes.push(`taken from "${torch.where}"`);
  if (wrapper) notes.push(`names without "${wrapper}"`);
  if (leftOut.length > 0) notes.push(`${leftOut.length} tensors of other networks left out`);
  return notes;
}

function describeTraining(root: unknown): Pick<MaeCheckpoint, "epoch" | "args"> {
  if (!(root instanceof Map)) return {};
  const epoch = root.get("epoch");
  const args = toPlainValue(root.get("args"));
  const isRecord = typeof args === "object" && args !== null && !Array.isArray(args);
  return {
    ...(typeof epoch === "number" && { epoch }),
    ...(isRecord && { args: args as Record<string, unknown> }),
  };
}
