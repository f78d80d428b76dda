import type { StateDict } from "../core/hostTensor";
import { fileSource } from "./byteSource";
import { openSafetensors } from "./safetensors";
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
 * Reads a .pth of the official MAE code (weights under the key `model`) or a safetensors file with the same names. The
 * optimizer state in a training checkpoint is not read.
 * Throws LuvitError "missing-file", "bad-file", "refused-file" or "key-mismatch".
 * Reference: facebookresearch/mae util/misc.py `save_model`.
 */
export async function readMaeCheckpoint(path: string): Promise<MaeCheckpoint> {
  const source = await fileSource(path);
  try {
    if (path.endsWith(".safetensors"))
      return { tensors: await (await openSafetensors(source)).readTensors() };
    const file = await openTorchFile(source);
    const tensors = await file.readTensors(file.stateDict());
    return { tensors, ...describeTraining(file) };
  } finally {
    await source.close();
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
