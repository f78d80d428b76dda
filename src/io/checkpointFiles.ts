import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { CountingSource, fileSource } from "./byteSource";
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

/** What a folder may hold, in the order it is looked for. */
const FOLDER_CONTENTS = [
  "model.safetensors.index.json",
  "model.safetensors",
  "pytorch_model.bin.index.json",
  "pytorch_model.bin",
  "consolidated.safetensors",
] as const;

const CONFIG_FILES = ["config.json", "params.json"] as const;

/**
 * Opens weights: a .safetensors, .gguf, .pth, .pt or .bin file, an index of shards (`*.index.json`), or a folder holding
 * `model.safetensors(.index.json)`, `pytorch_model.bin(.index.json)`, Mistral's `consolidated.safetensors`, Meta's
 * `consolidated.00.pth` or one .gguf file.
 * Throws LuvitError "missing-file" saying what was looked for and what is there.
 */
export async function openCheckpoint(path: string, options: WeightPartOptions = {}): Promise<WeightFile> {
  const source = await findWeights(path);
  const folder = dirname(source);
  const present = new Set(await readdir(folder));
  const configName = CONFIG_FILES.find((name) => present.has(name));
  const index = source.endsWith(".index.json") ? await openShardIndex(source) : undefined;
  const shards = new ShardSet(source, options, index?.shardOf);
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
    private readonly source: string,
    private readonly options: WeightPartOptions,
    private readonly shardOf: ReadonlyMap<string, string> | undefined,
  ) {}

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
    const counter = new CountingSource(await fileSource(path));
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
      if (!this.parts.has(path) && !(await exists(path))) {
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

/** The file to open for a path given by a person. */
async function findWeights(path: string): Promise<string> {
  const status = await stat(path).catch(() => undefined);
  if (!status) return failMissing(path);
  if (!status.isDirectory()) return path;
  const present = await readdir(path);
  const known = FOLDER_CONTENTS.find((name) => present.includes(name));
  if (known) return join(path, known);
  const torchFiles = present.filter((name) => name.endsWith(".pth")).sort();
  const parallel = torchFiles.filter((name) => /^consolidated\.\d+\.pth$/.test(name));
  if (parallel.length > 1) {
    throw new LuvitError(
      "bad-file",
      `${path}: the model is split over ${parallel.length} files (${parallel.join(", ")}) for model parallelism; ` +
        "only models in one consolidated.00.pth can be read (LLaMA-7B is). Use its Hugging Face form instead.",
    );
  }
  if (torchFiles.length > 0) return join(path, torchFiles[0]);
  const ggufFiles = present.filter((name) => name.endsWith(".gguf"));
  if (ggufFiles.length === 1) return join(path, ggufFiles[0]);
  const wanted = [...FOLDER_CONTENTS, "*.pth", "one *.gguf"].join(", ");
  throw new LuvitError(
    "missing-file",
    `${path}: looked for ${wanted}; the folder holds\n${listContents(present)}`,
  );
}

async function failMissing(path: string): Promise<never> {
  const folder = dirname(path);
  const present = await readdir(folder).catch(() => undefined);
  const beside = present
    ? `${folder} holds\n${listContents(present)}`
    : `there is no folder ${folder} either`;
  throw new LuvitError("missing-file", `${path}: no such file or folder; ${beside}`);
}

function listContents(names: readonly string[]): string {
  return names.length === 0 ? "  nothing" : listOffenders(names.slice().sort(), 20);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
