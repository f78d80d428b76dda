import { dirname, join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { readJsonObject } from "../bytes";

/** Which file holds which tensor of a sharded checkpoint. */
export interface ShardIndex {
  /** Tensor name -> path of its file. */
  readonly shardOf: ReadonlyMap<string, string>;
  readonly bytesRead: number;
}

/**
 * Reads `model.safetensors.index.json` or `pytorch_model.bin.index.json`: `{ weight_map: { name: file } }`. The shards
 * need not exist yet.
 *
 * @throws LuvitError("bad-file") for anything else, or file names that leave the folder.
 */
export async function openShardIndex(path: string): Promise<ShardIndex> {
  const { value, bytesRead } = await readJsonObject(path);
  const weightMap = value.weight_map;
  if (typeof weightMap !== "object" || weightMap === null || Array.isArray(weightMap)) {
    throw new LuvitError("bad-file", `${path}: an index of shards needs weight_map: { tensor: file }`);
  }
  const shardOf = new Map<string, string>();
  const faults: string[] = [];
  for (const [name, file] of Object.entries(weightMap)) {
    if (typeof file !== "string" || !isPlainFileName(file))
      faults.push(`${name}: not a file name beside the index`);
    else shardOf.set(name, join(dirname(path), file));
  }
  if (faults.length > 0) throw new LuvitError("bad-file", `${path}: damaged index\n${listOffenders(faults)}`);
  return { shardOf, bytesRead };
}

function isPlainFileName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name);
}
