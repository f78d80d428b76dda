import { LuvitError } from "../../core/errors";
import { checkOptions, list, optionsOf } from "../../core/options";
import { openCheckpoint, type WeightFile, withoutWrappers } from "../checkpoint";
import { hubLocation, withHubCheckpoint } from "../hub";
import { blockNumber, source } from "../options";
import { readLlamaConfig } from "./config";
import { ggufLlamaHints } from "./ggufLlama";
import { LlamaReader } from "./reader";
import { type KnownModel, type LlamaBlocks, type LlamaReadOptions, llamaReadOptions } from "./reading";

export type { LlamaBlocks, LlamaReadOptions };

/** Which blocks to read. */
export interface LlamaBlockOptions extends LlamaReadOptions {
  /** One block, counted from 1 as in the paper: block 32 is `layers.31`. Default: the last one. */
  block?: number;
  /** Several blocks, counted from 1. */
  blocks?: readonly number[];
}

export const llamaBlockOptions = optionsOf<LlamaBlockOptions>(
  {},
  { ...llamaReadOptions.optional, block: blockNumber, blocks: list(blockNumber, 1) },
);

/** A whole language model. */
export interface LanguageModelWeights extends LlamaBlocks {
  readonly vocabSize: number;
  /** Whether the output layer is the token embedding (the file then holds no `output.weight`). */
  readonly tiedEmbeddings: boolean;
  /** How many tokens it can read one after another, where a file says it. */
  readonly maxPositions?: number;
}

/**
 * Reads blocks of a checkpoint of the LLaMA family (LLaMA 1 to 3, Mistral, Qwen2, Qwen3), in Hugging Face, Meta or GGUF
 * form, and nothing else of the file. `path` may name a repository of the Hugging Face hub, `org/name`, or
 * `hf://org/name@revision/file`.
 *
 * @throws LuvitError("key-mismatch" | "shape-mismatch" | "non-finite" | "bad-argument") listing every offending tensor:
 * "key-mismatch" (missing or unknown), "shape-mismatch" (expected and actual shape), "non-finite"; "bad-argument" when
 * the number of heads must be given.
 */
export async function readLlamaBlocks(path: string, options: LlamaBlockOptions = {}): Promise<LlamaBlocks> {
  checkOptions("readLlamaBlocks", source, { path });
  checkOptions("readLlamaBlocks", llamaBlockOptions, options);
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
  checkOptions("readLanguageModel", source, { path });
  checkOptions("readLanguageModel", llamaReadOptions, options);
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
    const { maxPositions } = reader;
    return { ...model, vocabSize, tiedEmbeddings, ...(maxPositions !== undefined && { maxPositions }) };
  });
}

async function withLlamaFile<Result extends LlamaBlocks>(
  path: string,
  options: LlamaReadOptions,
  use: (reader: LlamaReader) => Promise<Result>,
): Promise<Result> {
  const read = async (file: WeightFile) =>
    use(new LlamaReader(withoutWrappers(file), await findHints(file), options));
  const location = await hubLocation(path);
  if (location) {
    const { result, report } = await withHubCheckpoint(location, options, read);
    const { bytesReceived, notes } = report;
    return { ...result, bytesReceived, notes: [...result.notes, ...notes] };
  }
  const file = await openCheckpoint(path);
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

async function findHints(file: WeightFile): Promise<KnownModel> {
  if (file.ggufMetadata) return { ...ggufLlamaHints(file.source, file.ggufMetadata), bytesRead: 0 };
  return file.configPath ? readLlamaConfig(file.configPath) : { hints: {}, bytesRead: 0 };
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
