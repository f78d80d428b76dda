import { existsSync } from "node:fs";
import { join } from "node:path";
import { differences } from "../../core/differences";
import { LuvitError, listOffenders } from "../../core/errors";
import type { StateDict } from "../../core/hostTensor";
import { writeJsonAtomically } from "../../core/writeAtomically";
import { fileSource, type JsonObject, readJsonObject } from "../bytes";
import { openSafetensors, type SafetensorsFile, writeSafetensors } from "../safetensors";

/** Names of Hugging Face's `save_pretrained`. */
export const MODEL_FILE = "model.safetensors";
export const CONFIG_FILE = "config.json";

/** Where the header of the weights keeps the config that they were saved with. */
const HEADER_KEY = "luvit";

/** Weights and what they are of. */
export interface SavedModel {
  readonly config: JsonObject;
  readonly tensors: StateDict;
}

/** Writes model.safetensors, whose header holds the config too, and then config.json. */
export async function writeSavedModel(folder: string, { config, tensors }: SavedModel): Promise<void> {
  await writeWeights(join(folder, MODEL_FILE), tensors, config);
  await writeJsonAtomically(join(folder, CONFIG_FILE), config);
}

/** Writes weights whose header says what they are of. */
export async function writeWeights(path: string, tensors: StateDict, config?: JsonObject): Promise<void> {
  const metadata = config && { format: "pt", [HEADER_KEY]: JSON.stringify(config) };
  await writeSafetensors(path, tensors, { metadata });
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
 * Reads weights that belong to a config.
 * @throws LuvitError("key-mismatch") listing where the config is not the one that the weights were saved with.
 */
export function readWeights(path: string, config?: JsonObject): Promise<StateDict> {
  return withWeights(path, config, (file) => file.readTensors());
}

/** Throws what `readWeights` would throw of the file's length, header and config, without reading a tensor. */
export function checkWeights(path: string, config?: JsonObject): Promise<void> {
  return withWeights(path, config, async () => {});
}

async function withWeights<Result>(
  path: string,
  config: JsonObject | undefined,
  use: (file: SafetensorsFile) => Promise<Result>,
): Promise<Result> {
  const source = await fileSource(path);
  try {
    const file = await openSafetensors(source);
    const kept = file.metadata[HEADER_KEY];
    if (config && kept !== undefined) expectSameConfig(path, kept, config);
    return await use(file);
  } finally {
    await source.close();
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
