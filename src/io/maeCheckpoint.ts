import type { StateDict } from "../core/hostTensor";
import { extname } from "node:path";
import { fileSource } from "./byteSource";
import { openCheckpoint } from "./checkpointFiles";
import { openTorchFile, type TorchFile } from "./torchFile";
import { toPlainValue } from "./plainValue";

/** A checkpoint of the MAE code: pretraining, finetuning or the released encoder. */
export interface MaeCheckpoint {
  /** Official names and layouts, e.g. `blocks.0.attn.qkv.weight` [3 D, D]. */
  readonly tensors: StateDict;
  /** Epochs finished are this plus one; absent in released files. */
  readonly epoch?: number;
  /** The command line it was trained with; absent in released files. */
  readonly args?: Record<string, unknown>;
}

/**
 * Reads a .pth (.pt, .bin) of the official MAE code or of timm (weights under the key `model`, `state_dict` or none), a
 * safetensors file with the same names, or a folder of one of them as timm's are on the Hugging Face hub. The optimizer
 * state in a training checkpoint is not read.
 * Throws LuvitError "missing-file", "bad-file", "refused-file" or "key-mismatch".
 * Reference: facebookresearch/mae util/misc.py `save_model`; timm models/_helpers.py `load_state_dict`.
 */
export async function readMaeCheckpoint(path: string): Promise<MaeCheckpoint> {
  if (![".pth", ".pt", ".bin"].includes(extname(path))) return readPlainCheckpoint(path);
  const source = await fileSource(path);
  try {
    const file = await openTorchFile(source);
    const tensors = await file.readTensors(file.stateDict());
    return { tensors, ...describeTraining(file) };
  } finally {
    await source.close();
  }
}

async function readPlainCheckpoint(path: string): Promise<MaeCheckpoint> {
  const file = await openCheckpoint(path);
  try {
    return { tensors: await file.readTensors(file.names) };
  } finally {
    await file.close();
  }
}

function describeTraining({ root }: TorchFile): Pick<MaeCheckpoint, "epoch" | "args"> {
  if (!(root instanceof Map)) return {};
  const epoch = root.get("epoch");
  const args = toPlainValue(root.get("args"));
  const isRecord = typeof args === "object" && args !== null && !Array.isArray(args);
  return {
    ...(typeof epoch === "number" && { epoch }),
    ...(isRecord && { args: args as Record<string, unknown> }),
  };
}
