import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { CountingSource } from "./byteSource";
import { type CheckpointPlace, localPlace } from "./checkpointPlace";
import type { GgufMetadata } from "./ggufHeader";
import type { TensorSeen } from "./safetensors";
import type { TensorInfo } from "./safetensorsHeader";
import { openShardIndex } from "./shardIndex";
import { openWeightPart, type WeightPart, type WeightPartOptions } from "./weightPart";

/** The weights behind a path, whatever they are stored as. Tensors are read only when asked for. */
export interface WeightFile {
  /** The file or index that was opened. */
  readonly source: string;
  /** The config file beside the weights (config.json or params.json), if there is one. */
  readonly configPath: string | undefined;
  /** Paths opened so far. */
  readonly files: readonly string[];
  readonly names: readonly string[];
  /** The header's entries of a GGUF file. */
  readonly ggufMetadata: GgufMetadata | undefined;
  /** Bytes read so far, headers included. */
  readonly bytesRead: number;
  info(name: string): Promise<TensorInfo>;
  /** Shape and type of many tensors; opens exactly the shards that hold them. */
  infos(names: readonly string[]): Promise<Map<string, TensorInfo>>;
  /** `seen` is called with each tensor as soon as it is there, while others are still being read. */
  readTensors(names: readonly string[], seen?: TensorSeen): Promise<StateDict>;
  close(): Promise<void>;
}

/** Configs that may lie beside the weights, in the order they are looked for. */
export const CONFIG_FILES = ["config.json", "params.json"] as const;

/**
 * Opens weights: a .safetensors, .gguf, .pth, .pt or .bin file, an index of shards (`*.index.json`), or a folder holding
 * `model.safetensors(.index.json)`, `pytorch_model.bin(.index.json)`, Mistral's `consolidated.safetensors`, Meta's
 * `consolidated.00.pth` or one .gguf file.
 * Throws LuvitError "missing-file" saying what was looked for and what is there.
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
  const index = source.endsWith(".index.json") ? await openShardIndex(source) : undefined;
  const shards = new ShardSet(place, options, index?.shardOf);
  if (!index) await shards.openSingle();
  return {
    source,
    configPath: configName && join(folder, configName),
    get files() {
      return shards.files;
    },
    get names() {
      return index ? [...index.shardOf.keys()] : shards.single.names;
    },
    ggufMetadata: index ? undefined : shards.single.ggufMetadata,
    get bytesRead() {
      return shards.bytesRead + (index?.bytesRead ?? 0);
    },
    info: async (name) => (await shards.infos([name])).get(name)!,
    infos: (names) => shards.infos(names),
    readTensors: (names, seen) => shards.readTensors(names, seen),
    close: () => shards.close(),
  };
}

/** The parts of a checkpoint, opened when first needed. Without an index there is one part, the source itself. */
class ShardSet {
  private readonly parts = new Map<string, WeightPart>();
  private readonly counters: CountingSource[] = [];

  constructor(
    private readonly place: CheckpointPlace,
    private readonly options: WeightPartOptions,
    private readonly shardOf: ReadonlyMap<string, string> | undefined,
  ) {}

  private get source(): string {
    return this.place.source;
  }

  get files(): string[] {
    return [...this.parts.keys()];
  }

  get bytesRead(): number {
    return this.counters.reduce((sum, counter) => sum + counter.bytesRead, 0);
  }

  get single(): WeightPart {
    return this.parts.get(this.source)!;
  }

  openSingle(): Promise<WeightPart> {
    return this.open(this.source);
  }

  async infos(names: readonly string[]): Promise<Map<string, TensorInfo>> {
    const found = new Map<string, TensorInfo>();
    for (const [part, wanted] of await this.openHolders(names)) {
      for (const name of wanted) found.set(name, part.info(name));
    }
    return found;
  }

  async readTensors(names: readonly string[], seen?: TensorSeen): Promise<StateDict> {
    const found: StateDict = new Map();
    for (const [part, wanted] of await this.openHolders(names)) {
      for (const [name, tensor] of await part.readTensors(wanted, seen)) found.set(name, tensor);
    }
    return new Map(names.map((name) => [name, found.get(name)!]));
  }

  async close(): Promise<void> {
    for (const part of this.parts.values()) await part.close();
    this.parts.clear();
  }

  /** Opens the parts that hold `names`; every missing name or file is reported in one error. */
  private async openHolders(names: readonly string[]): Promise<[WeightPart, string[]][]> {
    const ownNames = new Set(this.shardOf ? [] : this.single.names);
    const holderOf = (name: string) =>
      this.shardOf ? this.shardOf.get(name) : ownNames.has(name) ? this.source : undefined;
    const byPath = new Map<string, string[]>();
    const unknown: string[] = [];
    for (const name of names) {
      const path = holderOf(name);
      if (path === undefined) unknown.push(name);
      else if (byPath.get(path)?.push(name) === undefined) byPath.set(path, [name]);
    }
    if (unknown.length > 0) this.failUnknown(unknown);
    await this.requireFiles(byPath);
    const opened: [WeightPart, string[]][] = [];
    for (const [path, wanted] of byPath) {
      const part = await this.open(path);
      const present = new Set(part.names);
      const absent = wanted.filter((name) => !present.has(name));
      if (absent.length > 0)
        this.failUnknown(absent.map((name) => `${name} (the index says ${basename(path)})`));
      opened.push([part, wanted]);
    }
    return opened;
  }

  private async open(path: string): Promise<WeightPart> {
    const known = this.parts.get(path);
    if (known) return known;
    const counter = new CountingSource(await this.place.open(path));
    try {
      const part = await openWeightPart(counter, this.options);
      this.counters.push(counter);
      this.parts.set(path, part);
      return part;
    } catch (error) {
      await counter.close();
      throw error;
    }
  }

  private async requireFiles(byPath: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const missing: string[] = [];
    for (const [path, names] of byPath) {
      if (!this.parts.has(path) && !(await this.place.exists(path))) {
        missing.push(
          `${basename(path)}, which holds ${names[0]}${names.length > 1 ? ` and ${names.length - 1} more` : ""}`,
        );
      }
    }
    if (missing.length === 0) return;
    const text = `${this.source}: shards are missing in ${dirname(this.source)}\n${listOffenders(missing)}`;
    throw new LuvitError("missing-file", text);
  }

  private failUnknown(names: readonly string[]): never {
    throw new LuvitError(
      "key-mismatch",
      `${this.source}: these tensors are not there\n${listOffenders(names)}`,
    );
  }
}
