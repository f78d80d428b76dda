import { basename } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import type { GgufMetadata } from "../gguf";
import { digitsOf } from "./ggufNames";
import type { OpenParts } from "./openParts";
import { Shards } from "./shards";

/**
 * The tensors of a GGUF model in several files, and the header entries, which are the first one's.
 * Reference: llama.cpp tools/gguf-split; keys `split.no` (from 0), `split.count` and `split.tensors.count`.
 *
 * @throws LuvitError("missing-file" | "bad-file"): "missing-file" naming every part that is not there, "bad-file" where
 * parts do not belong together.
 */
export async function openGgufParts(
  parts: OpenParts,
  paths: readonly string[],
): Promise<{ tensors: Shards; ggufMetadata: GgufMetadata }> {
  await parts.requireFiles(paths, (path) => `part ${paths.indexOf(path) + 1} of ${paths.length}`);
  const shardOf = new Map<string, string>();
  const faults: string[] = [];
  for (const [index, path] of paths.entries()) {
    const { names, ggufMetadata } = await parts.open(path);
    const expected = { "split.no": index, "split.count": paths.length };
    for (const [key, value] of Object.entries(expected)) {
      const got = ggufMetadata!.get(key);
      if (got !== value) faults.push(`${basename(path)}: ${key} should be ${value}, is ${said(got)}`);
    }
    for (const name of names) {
      const other = shardOf.get(name);
      if (other) faults.push(`${name} is in ${basename(other)} and in ${basename(path)}`);
      shardOf.set(name, path);
    }
  }
  const { ggufMetadata } = await parts.open(paths[0]);
  const count = ggufMetadata!.get("split.tensors.count");
  if (count !== shardOf.size)
    faults.push(`split.tensors.count is ${said(count)}, the parts hold ${shardOf.size} tensors`);
  if (faults.length === 0) return { tensors: new Shards(parts, shardOf), ggufMetadata: ggufMetadata! };
  throw new LuvitError(
    "bad-file",
    `${parts.source}: these files are not the parts of one model\n${listOffenders(faults)}`,
  );
}

/** @throws LuvitError("bad-file") for a part whose name does not say so. */
export function refuseLonePart(source: string, metadata: GgufMetadata): void {
  const [number, count] = ["split.no", "split.count"].map((key) => Number(metadata.get(key) ?? 0));
  if (!(count > 1)) return;
  const name = `…-${digitsOf(number + 1)}-of-${digitsOf(count)}.gguf`;
  throw new LuvitError(
    "bad-file",
    `${source}: part ${number + 1} of ${count}; the parts find each other by names like ${name}`,
  );
}

function said(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value);
}
