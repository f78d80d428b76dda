import { LuvitError, type LuvitErrorCode, listOffenders } from "../../core/errors";
import type { HostTensor, StateDict } from "../../core/hostTensor";
import { describeNonFinite } from "../bytes";
import type { WeightFile } from "../checkpoint";
import type { TensorInfo } from "../safetensors";
import type { LlamaFeatures, LlamaFileHints } from "./config";
import { ROPE_DIVISORS } from "./ggufLlama";
import {
  detectLlamaNaming,
  fromMetaName,
  isComputedLlamaTensor,
  type LlamaNaming,
  toMetaName,
} from "./keymap";
import type { KnownModel, LlamaBlocks, LlamaReadOptions } from "./reading";
import {
  type BlockInfos,
  type BlockWidths,
  blockParameters,
  completeConfig,
  describeShapeFault,
  expectedBlockShapes,
  findFeatures,
  inferBlockWidths,
} from "./shapes";

interface Fault {
  readonly code: LuvitErrorCode;
  readonly line: string;
}

/** One open checkpoint seen in Meta names. */
export class LlamaReader {
  /** Meta name -> name in the file. */
  readonly fileNames = new Map<string, string>();
  readonly layers: readonly number[];
  private readonly naming: LlamaNaming;
  private readonly hints: LlamaFileHints;
  private readonly faults: Fault[] = [];

  constructor(
    readonly file: WeightFile,
    private readonly known: KnownModel,
    private readonly options: LlamaReadOptions,
  ) {
    const { hints } = known;
    const naming = detectLlamaNaming(file.names);
    if (!naming) {
      throw new LuvitError(
        "key-mismatch",
        `${file.source}: no LLaMA blocks (neither layers.0.attention.wq.weight nor ` +
          "model.layers.0.self_attn.q_proj.weight nor blk.0.attn_q.weight and the like); the file holds\n" +
          listOffenders(file.names, 10),
      );
    }
    this.naming = naming;
    const { heads = hints.heads, normEps = hints.normEps, ropeTheta = hints.ropeTheta } = options;
    const { kvHeads, headDim } = heads === hints.heads ? hints : {};
    this.hints = { ...hints, heads, kvHeads, headDim, normEps, ropeTheta };
    for (const name of file.names) {
      const meta = toMetaName(naming, name);
      if (meta !== undefined) this.fileNames.set(meta, name);
    }
    const numbers = [...this.fileNames.keys()].map((name) => layerOf(name)).filter((n) => n !== undefined);
    this.layers = [...new Set(numbers as number[])].sort((a, b) => a - b);
  }

  get totalLayers(): number {
    return Math.max(this.hints.layers ?? 0, 1 + this.layers[this.layers.length - 1]);
  }

  get maxPositions(): number | undefined {
    return this.hints.maxPositions;
  }

  /** Reads whole blocks and tensors outside them, checking everything before complaining once. */
  async read(layers: readonly number[], outer: readonly string[]): Promise<LlamaBlocks> {
    const features = this.featuresOf(layers);
    const parameters = blockParameters(features);
    const ofBlocks = layers.flatMap((layer) => parameters.map((parameter) => `layers.${layer}.${parameter}`));
    const wanted = [...outer, ...ofBlocks];
    const present = wanted.filter((name) => this.fileNames.has(name));
    for (const name of wanted) if (!this.fileNames.has(name)) this.addFault("key-mismatch", name, "missing");
    this.checkUnknown(layers, ofBlocks);

    const infos = await this.infosOf(present);
    const widths = this.checkShapes(layers, parameters, outer, infos);
    const tensors = await this.readChecked(present, layers);
    this.throwFaults();
    const { config, notes, problem } = completeConfig(widths, await this.withRopeDivisors(), features);
    if (problem) throw new LuvitError("bad-argument", `${this.file.source}: ${problem}`);
    const { source, files, bytesRead } = this.file;
    return {
      tensors,
      config,
      rowOrder: this.known.rowOrder ?? (this.naming === "hf" ? "hf" : "meta"),
      layerIndices: layers,
      totalLayers: this.totalLayers,
      source,
      files: files.slice(),
      bytesRead: bytesRead + this.known.bytesRead,
      notes,
    };
  }

  private featuresOf(layers: readonly number[]): LlamaFeatures {
    return findFeatures(this.hints, (parameter) =>
      layers.some((layer) => this.fileNames.has(`layers.${layer}.${parameter}`)),
    );
  }

  /** Tensors inside the wanted blocks that such a block does not have. */
  private checkUnknown(layers: readonly number[], expected: readonly string[]): void {
    const known = new Set(expected.map((name) => this.fileNames.get(name)));
    for (const name of this.file.names) {
      const layer = layerOf(name.replace(/^model\./, "").replace(/^blk\./, "layers."));
      if (layer === undefined || !layers.includes(layer) || known.has(name)) continue;
      if (!isComputedLlamaTensor(name.replace(/\.weight$/, "")))
        this.faults.push({ code: "key-mismatch", line: `${name}: not part of a LLaMA block` });
    }
  }

  /** GGUF files keep LLaMA 3.1's scaling as a tensor of divisors, not as the numbers it is made from. */
  private async withRopeDivisors(): Promise<LlamaFileHints> {
    if (this.naming !== "gguf" || !this.file.names.includes(ROPE_DIVISORS)) return this.hints;
    const { data } = (await this.file.readTensors([ROPE_DIVISORS])).get(ROPE_DIVISORS)!;
    const { ropeScaling } = this.hints;
    if (ropeScaling?.type === "other") return this.hints;
    const factor = ropeScaling?.type === "linear" ? ropeScaling.factor : 1; // llama.cpp applies both
    const divisors = Array.from(data, (divisor) => factor * divisor);
    return { ...this.hints, ropeScaling: { type: "divisors", divisors } };
  }

  private async infosOf(metaNames: readonly string[]): Promise<Map<string, TensorInfo>> {
    const infos = await this.file.infos(metaNames.map((name) => this.fileNames.get(name)!));
    return new Map(metaNames.map((name) => [name, infos.get(this.fileNames.get(name)!)!]));
  }

  private checkShapes(
    layers: readonly number[],
    parameters: readonly string[],
    outer: readonly string[],
    infos: ReadonlyMap<string, TensorInfo>,
  ): BlockWidths {
    const widths = inferBlockWidths(blockInfos(layers[0], parameters, infos), this.hints);
    const expected = expectedBlockShapes(widths);
    for (const layer of layers) {
      for (const [parameter, info] of blockInfos(layer, parameters, infos)) {
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
      line: `${this.fileNames.get(metaName) ?? fromMetaName(this.naming, metaName)}: ${problem}`,
    });
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

function blockInfos(
  layer: number,
  parameters: readonly string[],
  infos: ReadonlyMap<string, TensorInfo>,
): BlockInfos {
  const found = new Map<string, TensorInfo>();
  for (const parameter of parameters) {
    const info = infos.get(`layers.${layer}.${parameter}`);
    if (info) found.set(parameter, info);
  }
  return found;
}

function layerOf(metaName: string): number | undefined {
  const match = /^layers\.(\d+)\./.exec(metaName);
  return match ? Number(match[1]) : undefined;
}
