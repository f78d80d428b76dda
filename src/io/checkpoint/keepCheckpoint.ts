import { dirname } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import type { StateDict } from "../../core/hostTensor";
import { KeptFile } from "../bytes";
import { keepSafetensors } from "../safetensors";
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
 * Opens a checkpoint of this machine, one safetensors file or several with an index, and reads nothing but headers: a
 * checkpoint of any size takes no memory until its tensors are asked for.
 *
 * @throws LuvitError("missing-file" | "bad-file") naming the file at fault, LuvitError("key-mismatch") listing tensors that
 * the index has and its files have not, LuvitError("bad-argument") for another format.
 */
export async function keepCheckpoint(path: string): Promise<KeptCheckpoint> {
  const { source } = await localPlace(path);
  const isIndex = source.endsWith(".safetensors.index.json");
  if (!isIndex && !source.endsWith(".safetensors")) {
    const advice =
      "only safetensors can be read tensor by tensor; convert it, or load the parts of it that are needed";
    throw new LuvitError("bad-argument", `${source}: cannot stay in its file: ${advice}`);
  }
  const folder = dirname(source);
  if (!isIndex) return { tensors: (await keepSafetensors(new KeptFile(source))).tensors, source, folder };
  const { shardOf } = await openShardIndex(source);
  const tensors: StateDict = new Map();
  for (const file of new Set(shardOf.values()))
    for (const [name, tensor] of (await keepSafetensors(new KeptFile(file))).tensors)
      tensors.set(name, tensor);
  const missing = [...shardOf]
    .filter(([name]) => !tensors.has(name))
    .map(([name, file]) => `${name}: not in ${file}`);
  if (missing.length === 0) return { tensors, source, folder };
  throw new LuvitError("key-mismatch", `${source}: its files lack tensors\n${listOffenders(missing)}`);
}
