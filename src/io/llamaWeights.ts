import { LuvitError, type LuvitErrorCode, listOffenders } from "../core/errors";
import type { HostTensor, StateDict } from "../core/hostTensor";
import { openCheckpoint, type WeightFile } from "./checkpointFiles";
import { describeNonFinite } from "./finiteness";
import {
  detectLlamaNaming,
  hfToMetaName,
  isComputedLlamaTensor,
  type LlamaNaming,
  metaToHfName,
  type RowOrder,
} from "./keymap";
import { type LlamaFileConfig, type LlamaFileHints, readLlamaConfig } from "./llamaConfig";
import {
  type BlockInfos,
  type BlockWidths,
  completeConfig,
  describeShapeFault,
  expectedBlockShapes,
  inferBlockWidths,
  llamaBlockParameters,
} from "./llamaShapes";
import type { TensorInfo } from "./safetensorsHeader";

/** What to read and what to assume. */
export interface LlamaReadOptions {
  /** Needed when no config lies beside the weights and the width is no multiple of 128. Overrides the config. */
  heads?: number;
  /** Overrides the config; 1e-6 when nothing says otherwise. */
  normEps?: number;
  /** Overrides the config; 10000 when nothing says otherwise. */
  ropeTheta?: number;
  /** Load NaN and infinities instead of refusing them. */
  allowNonFinite?: boolean;
}

/** Which blocks to read. */
export interface LlamaBlockOptions extends LlamaReadOptions {
  /** One block, counted from 1 as in the paper: block 32 is `layers.31`. Default: the last one. */
  block?: number;
  /** Several blocks, counted from 1. */
  blocks?: readonly number[];
}

/** Blocks read from a checkpoint. */
export interface LlamaBlocks {
  /** Meta names; `layers.0` is the first block asked for, whatever its number in the file. */
  readonly tensors: StateDict;
  readonly config: LlamaFileConfig;
  /** How the q and k rows are ordered; as in the file. */
  readonly rowOrder: RowOrder;
  /** Number of each block in the file, counted from 0. */
  readonly layerIndices: readonly number[];
  /** Blocks in the file (or as many as its config says). */
  readonly totalLayers: number;
  readonly source: string;
  readonly files: readonly string[];
  readonly bytesRead: number;
  /** What was assumed because no file says it. */
  readonly notes: readonly string[];
}

/** A whole language model. */
export interface LanguageModelWeights extends LlamaBlocks {
  readonly vocabSize: number;
  /** Whether the output layer is the token embedding (the file then holds no `output.weight`). */
  readonly tiedEmbeddings: boolean;
}

/**
 * Reads blocks of a LLaMA checkpoint, in Hugging Face or Meta form, and nothing else of the file.
 * Throws one LuvitError listing every offending tensor: "key-mismatch" (missing or unknown), "shape-mismatch"
 * (expected and actual shape), "non-finite"; "bad-argument" when the number of heads must be given.
 */
export async function readLlamaBlocks(path: string, options: LlamaBlockOptions = {}): Promise<LlamaBlocks> {
  return withLlamaFile(path, options, async (reader) => {
    const layerIndices = chooseLayers(reader, options);
    return reader.read(layerIndices, []);
  });
}

/** Reads a whole (small) language model: all blocks, `tok_embeddings`, `norm` and `output`. Errors as above. */
export async function readLanguageModel(
  path: string,
  options: LlamaReadOptions = {},
): Promise<LanguageModelWeights> {
  return withLlamaFile(path, options, async (reader) => {
    const { layers, totalLayers } = reader;
    if (layers.length !== totalLayers) {
      const text = `${layers.length} blocks of a model of ${totalLayers}; a whole model is needed`;
      throw new LuvitError("key-mismatch", `${reader.file.source}: the file holds ${text}`);
    }
    const tiedEmbeddings = !reader.fileNames.has("output.weight");
    const outer = ["tok_embeddings.weight", "norm.weight", ...(tiedEmbeddings ? [] : ["output.weight"])];
    const model = await reader.read(layers, outer);
    const vocabSize = model.tensors.get("tok_embeddings.weight")!.shape[0];
    return { ...model, vocabSize, tiedEmbeddings };
  });
}

async function withLlamaFile<Result>(
  path: string,
  options: LlamaReadOptions,
  use: (reader: LlamaReader) => Promise<Result>,
): Promise<Result> {
  const file = await openCheckpoint(path);
  try {
    const config = file.configPath ? await readLlamaConfig(file.configPath) : { hints: {}, bytesRead: 0 };
    return await use(new LlamaReader(file, config.hints, config.bytesRead, options));
  } finally {
    await file.close();
  }
}

interface Fault {
  readonly code: LuvitErrorCode;
  readonly line: string;
}

/** One open checkpoint seen in Meta names. */
class LlamaReader {
  /** Meta name -> name in the file. */
  readonly fileNames = new Map<string, string>();
  readonly layers: readonly number[];
  private readonly naming: LlamaNaming;
  private readonly hints: LlamaFileHints;
  private readonly faults: Fault[] = [];

  constructor(
    readonly file: WeightFile,
    hints: LlamaFileHints,
    private readonly configBytes: number,
    private readonly options: LlamaReadOptions,
  ) {
    const naming = detectLlamaNaming(file.names);
    if (!naming) {
      throw new LuvitError(
        "key-mismatch",
        `${file.source}: no LLaMA blocks (neither layers.0.attention.wq.weight nor ` +
          `model.layers.0.self_attn.q_proj.weight and the like); the file holds\n${listOffenders(file.names, 10)}`,
      );
    }
    this.naming = naming;
    const { heads = hints.heads, normEps = hints.normEps, ropeTheta = hints.ropeTheta } = options;
    const kvHeads = heads === hints.heads ? hints.kvHeads : undefined;
    this.hints = { ...hints, heads, kvHeads, normEps, ropeTheta };
    for (const name of file.names) {
      const meta = naming === "hf" ? hfToMetaName(name) : name;
      if (meta !== undefined) this.fileNames.set(meta, name);
    }
    const numbers = [...this.fileNames.keys()].map((name) => layerOf(name)).filter((n) => n !== undefined);
    this.layers = [...new Set(numbers as number[])].sort((a, b) => a - b);
  }

  get totalLayers(): number {
    return Math.max(this.hints.layers ?? 0, 1 + this.layers[this.layers.length - 1]);
  }

  /** Reads whole blocks and tensors outside them, checking everything before complaining once. */
  async read(layers: readonly number[], outer: readonly string[]): Promise<LlamaBlocks> {
    const wanted = [...outer, ...layers.flatMap(blockNames)];
    const present = wanted.filter((name) => this.fileNames.has(name));
    for (const name of wanted) if (!this.fileNames.has(name)) this.addFault("key-mismatch", name, "missing");
    this.checkUnknown(layers);

    const infos = await this.infosOf(present);
    const widths = this.checkShapes(layers, outer, infos);
    const tensors = await this.readChecked(present, layers);
    this.throwFaults();
    const { config, notes, problem } = completeConfig(widths, this.hints);
    if (problem) throw new LuvitError("bad-argument", `${this.file.source}: ${problem}`);
    const { source, files, bytesRead } = this.file;
    return {
      tensors,
      config,
      rowOrder: this.naming,
      layerIndices: layers,
      totalLayers: this.totalLayers,
      source,
      files: files.slice(),
      bytesRead: bytesRead + this.configBytes,
      notes,
    };
  }

  /** Tensors inside the wanted blocks that a LLaMA block does not have, such as biases. */
  private checkUnknown(layers: readonly number[]): void {
    const known = new Set(layers.flatMap(blockNames).map((name) => this.fileNames.get(name)));
    for (const name of this.file.names) {
      const layer = layerOf(name.replace(/^model\./, ""));
      if (layer === undefined || !layers.includes(layer) || known.has(name)) continue;
      if (!isComputedLlamaTensor(name))
        this.faults.push({ code: "key-mismatch", line: `${name}: not part of a LLaMA block` });
    }
  }

  private async infosOf(metaNames: readonly string[]): Promise<Map<string, TensorInfo>> {
    const infos = await this.file.infos(metaNames.map((name) => this.fileNames.get(name)!));
    return new Map(metaNames.map((name) => [name, infos.get(this.fileNames.get(name)!)!]));
  }

  private checkShapes(
    layers: readonly number[],
    outer: readonly string[],
    infos: ReadonlyMap<string, TensorInfo>,
  ): BlockWidths {
    const widths = inferBlockWidths(blockInfos(layers[0], infos), this.hints);
    const expected = expectedBlockShapes(widths);
    for (const layer of layers) {
      for (const [parameter, info] of blockInfos(layer, infos)) {
        this.checkShape(`layers.${layer}.${parameter}`, expected.get(parameter)!, info);
      }
    }
    const vocabSize = this.hints.vocabSize ?? infos.get("tok_embeddings.weight")?.shape[0] ?? 0;
    for (const name of outer) {
      const info = infos.get(name);
      if (info) this.checkShape(name, name === "norm.weight" ? [widths.dim] : [vocabSize, widths.dim], info);
    }
    return widths;
  }

  private checkShape(name: string, expected: readonly number[], { shape }: TensorInfo): void {
    const fault = describeShapeFault(expected, shape);
    if (fault) this.addFault("shape-mismatch", name, fault);
  }

  /** Reads tensors and renames blocks to their place in `layers`. */
  private async readChecked(metaNames: readonly string[], layers: readonly number[]): Promise<StateDict> {
    const names = metaNames.map((name) => this.fileNames.get(name)!);
    const stored = await this.file.readTensors(names, (name, tensor) => this.checkFinite(name, tensor));
    const tensors: StateDict = new Map();
    for (const name of metaNames) {
      const tensor = stored.get(this.fileNames.get(name)!)!;
      const layer = layerOf(name);
      tensors.set(layer === undefined ? name : name.replace(/\d+/, String(layers.indexOf(layer))), tensor);
    }
    return tensors;
  }

  private checkFinite(nameInFile: string, tensor: HostTensor): void {
    const fault = this.options.allowNonFinite ? undefined : describeNonFinite(tensor);
    if (fault) this.faults.push({ code: "non-finite", line: `${nameInFile}: ${fault}` });
  }

  private addFault(code: LuvitErrorCode, metaName: string, problem: string): void {
    this.faults.push({
      code,
      line: `${this.fileNames.get(metaName) ?? this.nameInFile(metaName)}: ${problem}`,
    });
  }

  private nameInFile(metaName: string): string {
    return this.naming === "hf" ? metaToHfName(metaName)! : metaName;
  }

  private throwFaults(): void {
    if (this.faults.length === 0) return;
    const worst: LuvitErrorCode[] = ["key-mismatch", "shape-mismatch", "non-finite"];
    const code = worst.find((candidate) => this.faults.some((fault) => fault.code === candidate))!;
    const first = this.layers[0];
    const last = this.layers[this.layers.length - 1];
    const range = first === last ? `it holds layers.${first}` : `it holds layers.${first} to layers.${last}`;
    const lines = listOffenders(this.faults.map(({ line }) => line));
    throw new LuvitError(
      code,
      `${this.file.source}: not the LLaMA weights that were asked for (${range})\n${lines}`,
    );
  }
}

/** Turns block numbers counted from 1 into layer indices, refusing numbers that cannot exist. */
function chooseLayers(reader: LlamaReader, { block, blocks }: LlamaBlockOptions): number[] {
  if (block !== undefined && blocks !== undefined) {
    throw new LuvitError("bad-argument", "give either block or blocks, not both");
  }
  const wanted = blocks ?? [block ?? reader.layers[reader.layers.length - 1] + 1];
  const valid = (number: number) => Number.isInteger(number) && number >= 1 && number <= reader.totalLayers;
  const impossible = wanted.filter((number) => !valid(number));
  if (wanted.length === 0 || impossible.length > 0 || new Set(wanted).size < wanted.length) {
    throw new LuvitError(
      "bad-argument",
      `${reader.file.source}: blocks must be different numbers from 1 to ${reader.totalLayers} ` +
        `(block 1 is layers.0), got ${wanted.join(", ") || "none"}`,
    );
  }
  return wanted.map((number) => number - 1);
}

function blockNames(layer: number): string[] {
  return llamaBlockParameters.map((parameter) => `layers.${layer}.${parameter}`);
}

function blockInfos(layer: number, infos: ReadonlyMap<string, TensorInfo>): BlockInfos {
  const found = new Map<string, TensorInfo>();
  for (const parameter of llamaBlockParameters) {
    const info = infos.get(`layers.${layer}.${parameter}`);
    if (info) found.set(parameter, info);
  }
  return found;
}

function layerOf(metaName: string): number | undefined {
  const match = /^layers\.(\d+)\./.exec(metaName);
  return match ? Number(match[1]) : undefined;
}
