import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import type { StateDict } from "../../core/hostTensor";
import { KeptFile } from "../bytes";
import { keepSafetensors } from "../safetensors";
import { keepTorchFile } from "../torch";
import { kindOf } from "./part";
import { localPlace } from "./place";
import { openShardIndex } from "./shardIndex";

/** Weights whose files stay open, each to be read when it is needed. */
export interface KeptCheckpoint {
  readonly tensors: StateDict;
  /** The file or index that was opened. */
  readonly source: string;
  readonly folder: string;
}

/**
 * Opens a checkpoint of this machine, safetensors or torch's files, one or several with an index, and reads nothing but
 * headers: a checkpoint of any size takes no memory until its tensors are asked for.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "refused-file") naming the file at fault, LuvitError("key-mismatch")
 * listing tensors that the index has and its files have not, LuvitError("bad-argument") for another format.
 */
export async function keepCheckpoint(path: string): Promise<KeptCheckpoint> {
  const opened: KeptFile[] = [];
  try {
    return await keepAll(path, opened);
  } catch (error) {
    for (const file of opened) await file.close();
    throw error;
  }
}

/** `opened` gets every file as soon as it is open. */
async function keepAll(path: string, opened: KeptFile[]): Promise<KeptCheckpoint> {
  const { source } = await localPlace(path);
  const folder = dirname(source);
  if (!source.endsWith(".index.json")) return { tensors: await keepFile(source, opened), source, folder };
  const { shardOf } = await openShardIndex(source);
  const files = [...new Set(shardOf.values())];
  const absent = files.filter((file) => !existsSync(file)).map((file) => basename(file));
  if (absent.length > 0) {
    const text = `${source}: shards are missing in ${folder}\n${listOffenders(absent)}`;
    throw new LuvitError("missing-file", text);
  }
  const tensors: StateDict = new Map();
  for (const file of files) {
    for (const [name, tensor] of await keepFile(file, opened))
      if (shardOf.get(name) === file) tensors.set(name, tensor);
  }
  const missing = [...shardOf]
    .filter(([name]) => !tensors.has(name))
    .map(([name, file]) => `${name}: not in ${file}`);
  if (missing.length === 0) return { tensors, source, folder };
  throw new LuvitError("key-mismatch", `${source}: its files lack tensors\n${listOffenders(missing)}`);
}

async function keepFile(path: string, opened: KeptFile[]): Promise<StateDict> {
  const file = new KeptFile(path);
  opened.push(file);
  const kind = await kindOf(file);
  if (kind === "safetensors") return (await keepSafetensors(file)).tensors;
  if (kind === "torch") return keepTorchFile(file);
  const advice = "only safetensors and torch's files can be; load the parts of it that are needed";
  throw new LuvitError("bad-argument", `${path}: GGUF cannot stay in its file: ${advice}`);
}
