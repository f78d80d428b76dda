import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { GgufMetadata } from "../gguf";
import type { TensorInfo } from "../safetensors";
import { ggufPartsOf } from "./ggufNames";
import { openGgufParts, refuseLonePart } from "./ggufParts";
import { OpenParts } from "./openParts";
import { isParallelPart, ParallelParts } from "./parallelParts";
import type { WeightPart, WeightPartOptions } from "./part";
import { type CheckpointPlace, localPlace } from "./place";
import { openShardIndex } from "./shardIndex";
import { Shards, type Tensors } from "./shards";

/** The weights behind a path, whatever they are stored as. Tensors are read only when asked for. */
export interface WeightFile extends Tensors {
  /** The file or index that was opened. */
  readonly source: string;
  /** The config file beside the weights (config.json or params.json), if there is one. */
  readonly configPath: string | undefined;
  /** Paths opened so far. */
  readonly files: readonly string[];
  /** The header's entries of a GGUF file. */
  readonly ggufMetadata: GgufMetadata | undefined;
  /** Of a single torch file: what it holds, and which of its dicts the tensors are from. */
  readonly torch: WeightPart["torch"];
  /** Bytes read so far, headers included. */
  readonly bytesRead: number;
  info(name: string): Promise<TensorInfo>;
  close(): Promise<void>;
}

/** Configs that may lie beside the weights, in the order they are looked for. */
export const CONFIG_FILES = ["config.json", "params.json"] as const;

/**
 * Opens weights: a .safetensors, .gguf, .pth, .pt or .bin file, an index of shards (`*.index.json`), or a folder holding
 * `model.safetensors(.index.json)`, `pytorch_model.bin(.index.json)`, Mistral's `consolidated.safetensors`, Meta's
 * `consolidated.NN.pth` or one GGUF model. Of GGUF models in several files any may be given.
 *
 * @throws LuvitError("missing-file") saying what was looked for and what is there.
 */
export async function openCheckpoint(path: string, options: WeightPartOptions = {}): Promise<WeightFile> {
  return openCheckpointAt(await localPlace(path), options);
}

/** Opens weights wherever they lie. Index and config are files of this machine; only the weights need not be. */
export async function openCheckpointAt(
  place: CheckpointPlace,
  options: WeightPartOptions = {},
): Promise<WeightFile> {
  const { source } = place;
  const folder = dirname(source);
  const present = new Set(await readdir(folder));
  const configName = CONFIG_FILES.find((name) => present.has(name));
  const parts = new OpenParts(place, options);
  try {
    const { tensors, ggufMetadata, torch, indexBytes = 0 } = await openTensors(parts);
    return {
      source,
      configPath: configName && join(folder, configName),
      get files() {
        return parts.paths;
      },
      names: tensors.names,
      ggufMetadata,
      torch,
      get bytesRead() {
        return parts.bytesRead + indexBytes;
      },
      info: async (name) => (await tensors.infos([name])).get(name)!,
      infos: (names) => tensors.infos(names),
      readTensors: (names, seen) => tensors.readTensors(names, seen),
      close: () => parts.close(),
    };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

interface Opened {
  tensors: Tensors;
  ggufMetadata?: GgufMetadata;
  torch?: WeightPart["torch"];
  indexBytes?: number;
}

async function openTensors(parts: OpenParts): Promise<Opened> {
  const { source, beside } = parts.place;
  if (source.endsWith(".index.json")) {
    const { shardOf, bytesRead } = await openShardIndex(source);
    return { tensors: new Shards(parts, shardOf), indexBytes: bytesRead };
  }
  const ggufParts = ggufPartsOf(source);
  if (ggufParts) return openGgufParts(parts, ggufParts);
  if (isParallelPart(basename(source))) return { tensors: await ParallelParts.open(parts, beside) };
  const { names, ggufMetadata, torch } = await parts.open(source);
  if (ggufMetadata) refuseLonePart(source, ggufMetadata);
  return { tensors: new Shards(parts, new Map(names.map((name) => [name, source]))), ggufMetadata, torch };
}
