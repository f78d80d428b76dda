import { checkOptions, number, optionsOf, text, whole } from "../../core/options";
import { readLanguageModel } from "../../io/llama";
import { source } from "../../io/options";
import { LlamaLanguageModel } from "../languageModel";

/** How to read a language model whose files do not say it. */
export interface LanguageModelOptions {
  heads?: number;
  normEps?: number;
  ropeTheta?: number;
  /** Of a repository on the hub. */
  revision?: string;
}

export const languageModelOptions = optionsOf<LanguageModelOptions>(
  {},
  { heads: whole(1, 4096), normEps: number(0, 1, true), ropeTheta: number(0, 1e12, true), revision: text },
);

/**
 * A whole language model of the LLaMA family (LLaMA, Mistral, Qwen2, Qwen3): table, blocks, norm and output layer, causal
 * and with rotary positions. It is read into memory whole.
 *
 * @throws LuvitError as `llama.loadBlock`.
 *
 * @example
 * const language = await luvit.llavit.languageModel("data/llama-toy");
 */
export async function languageModel(
  path: string,
  options: LanguageModelOptions = {},
): Promise<LlamaLanguageModel> {
  checkOptions("llavit.languageModel", source, { path });
  checkOptions("llavit.languageModel", languageModelOptions, options);
  const read = await readLanguageModel(path, options);
  const { config, rowOrder, vocabSize: vocabulary, tiedEmbeddings, totalLayers: depth, maxPositions } = read;
  const most = maxPositions === undefined ? {} : { maxPositions };
  const sizes = { depth, vocabulary, ...(tiedEmbeddings && { tiedEmbeddings }), ...most };
  const model = new LlamaLanguageModel({ ...config, ...sizes, causal: true, rope: true, rowOrder });
  model.loadStateDict(read.tensors, { source: read.source });
  return model;
}
