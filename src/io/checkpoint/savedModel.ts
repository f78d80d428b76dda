import { existsSync } from "node:fs";
import { join } from "node:path";
import { differences } from "../../core/differences";
import { LuvitError, listOffenders } from "../../core/errors";
import type { StateDict, TensorStream } from "../../core/hostTensor";
import { writeJsonAtomically } from "../../core/writeAtomically";
import { type JsonObject, KeptFile, readJsonObject } from "../bytes";
import { keepSafetensors, writeTensorStream } from "../safetensors";

/** Names of Hugging Face's `save_pretrained`. */
export const MODEL_FILE = "model.safetensors";
export const CONFIG_FILE = "config.json";

/** Where the header of the weights keeps the config that they were saved with. */
const HEADER_KEY = "luvit";

/** Weights and what they are of. */
export interface SavedModel {
  readonly config: JsonObject;
  readonly tensors: TensorStream;
}

/** Weights in a file that stays open, each to be read when it is needed. */
export interface KeptWeights {
  readonly tensors: StateDict;
  /** What was not read by then can no longer be; files that nobody has weights of any more close by themselves. */
  close(): Promise<void>;
}

/** Writes model.safetensors, whose header holds the config too, and then config.json. */
export async function writeSavedModel(folder: string, { config, tensors }: SavedModel): Promise<void> {
  await writeWeights(join(folder, MODEL_FILE), tensors, config);
  await writeJsonAtomically(join(folder, CONFIG_FILE), config);
}

/** Writes weights whose header says what they are of. */
export async function writeWeights(path: string, tensors: TensorStream, config?: JsonObject): Promise<void> {
  const metadata = config && { format: "pt", [HEADER_KEY]: JSON.stringify(config) };
  await writeTensorStream(path, tensors, { metadata });
}

/**
 * The config in a folder; undefined where there is none.
 *
 * @throws LuvitError("bad-file") for one that is no JSON object.
 */
export async function readConfig(folder: string): Promise<JsonObject | undefined> {
  const path = join(folder, CONFIG_FILE);
  return existsSync(path) ? (await readJsonObject(path)).value : undefined;
}

/**
 * Weights that belong to a config. The file's length and header are looked at, no tensor is read.
 *
 * @throws LuvitError("missing-file" | "bad-file") naming the file at fault.
 * @throws LuvitError("key-mismatch") listing where the config is not the one that the weights were saved with.
 */
export async function keepWeights(path: string, config?: JsonObject): Promise<KeptWeights> {
  const file = new KeptFile(path);
  try {
    const { tensors, metadata } = await keepSafetensors(file);
    const kept = metadata[HEADER_KEY];
    if (config && kept !== undefined) expectSameConfig(path, kept, config);
    return { tensors, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function expectSameConfig(path: string, kept: string, config: JsonObject): void {
  let saved: unknown;
  try {
    saved = JSON.parse(kept);
  } catch (cause) {
    throw new LuvitError("bad-file", `${path}: the config in its header is not JSON`, { cause });
  }
  const changed = differences(saved, config);
  if (changed.length === 0) return;
  throw new LuvitError(
    "key-mismatch",
    `${path}: these weights were saved with another ${CONFIG_FILE} than lies beside them\n${listOffenders(changed)}`,
  );
}
