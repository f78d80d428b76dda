import { LuvitError, listOffenders } from "../../core/errors";
import { formatShape, type HostTensor, type StateDict } from "../../core/hostTensor";

/** How the tensors of a LLaMA checkpoint are named: by transformers, as in Meta's consolidated files, or as in GGUF. */
export type LlamaNaming = "hf" | "meta" | "gguf";

/**
 * Order of the q and k rows inside a head. "meta": the two numbers rotated together lie side by side; "hf": the first
 * numbers of all pairs come before all second ones. Without rotary embedding both give the same attention.
 */
export type RowOrder = "hf" | "meta";

/** One row of a rename table. */
export interface NamePair {
  readonly meta: string;
  readonly hf: string;
  readonly gguf: string;
}

/**
 * Modules of one block, after `layers.N.` (Meta), `model.layers.N.` (Hugging Face) or `blk.N.` (GGUF).
 * Reference: transformers models/llama/convert_llama_weights_to_hf.py; llama.cpp gguf-py/gguf/tensor_mapping.py.
 */
export const llamaBlockModules: readonly NamePair[] = [
  { meta: "attention.wq", hf: "self_attn.q_proj", gguf: "attn_q" },
  { meta: "attention.wk", hf: "self_attn.k_proj", gguf: "attn_k" },
  { meta: "attention.wv", hf: "self_attn.v_proj", gguf: "attn_v" },
  { meta: "attention.wo", hf: "self_attn.o_proj", gguf: "attn_output" },
  { meta: "feed_forward.w1", hf: "mlp.gate_proj", gguf: "ffn_gate" },
  { meta: "feed_forward.w3", hf: "mlp.up_proj", gguf: "ffn_up" },
  { meta: "feed_forward.w2", hf: "mlp.down_proj", gguf: "ffn_down" },
  { meta: "attention_norm", hf: "input_layernorm", gguf: "attn_norm" },
  { meta: "ffn_norm", hf: "post_attention_layernorm", gguf: "ffn_norm" },
];

/** Modules that some members of the family have besides; Meta's code has no name for them. */
export const llamaExtraModules: readonly NamePair[] = [
  { meta: "attention.q_norm", hf: "self_attn.q_norm", gguf: "attn_q_norm" },
  { meta: "attention.k_norm", hf: "self_attn.k_norm", gguf: "attn_k_norm" },
];

/** Projections of their own for tokens of images; no published format has names for them. */
export const visionModules: readonly Omit<NamePair, "gguf">[] = [
  { meta: "attention.vision_wq", hf: "self_attn.vision_q_proj" },
  { meta: "attention.vision_wk", hf: "self_attn.vision_k_proj" },
  { meta: "attention.vision_wv", hf: "self_attn.vision_v_proj" },
];

/** Modules outside the blocks. */
export const llamaOuterModules: readonly NamePair[] = [
  { meta: "tok_embeddings", hf: "model.embed_tokens", gguf: "token_embd" },
  { meta: "norm", hf: "model.norm", gguf: "output_norm" },
  { meta: "output", hf: "lm_head", gguf: "output" },
];

/** Tables of the rotary embedding that some files carry; they are computed, never loaded. */
const computedTensor = /(^|\.)(rotary_emb\.inv_freq|rope\.freqs|attn_rot_embd)$/;

/** Whether a tensor is one of the rotary tables that are not weights. */
export function isComputedLlamaTensor(name: string): boolean {
  return computedTensor.test(name);
}

/** What a module's parameter may be: the weight itself or a LoRA pair (`lora_A.weight` [r, in], `lora_B.weight` [out, r]). */
const parameterSuffix = /\.(weight|bias|lora_A\.weight|lora_B\.weight)$/;

const modulesInBlocks = [...llamaBlockModules, ...llamaExtraModules];
const renames = <Name extends string>(
  modules: readonly Readonly<Record<Name, string>>[],
  from: Name,
  to: Name,
) => new Map(modules.map((names) => [names[from], names[to]]));
const blockModuleByHf = renames([...modulesInBlocks, ...visionModules], "hf", "meta");
const blockModuleByMeta = renames([...modulesInBlocks, ...visionModules], "meta", "hf");
const blockModuleByGguf = renames(modulesInBlocks, "gguf", "meta");
const blockGgufByMeta = renames(modulesInBlocks, "meta", "gguf");
const outerModuleByHf = renames(llamaOuterModules, "hf", "meta");
const outerModuleByMeta = renames(llamaOuterModules, "meta", "hf");
const outerModuleByGguf = renames(llamaOuterModules, "gguf", "meta");
const outerGgufByMeta = renames(llamaOuterModules, "meta", "gguf");

/** `model.layers.3.mlp.up_proj.weight` -> `layers.3.feed_forward.w3.weight`; undefined for names that are not LLaMA's. */
export function hfToMetaName(name: string): string | undefined {
  const { module, suffix } = splitParameter(name);
  const withModel = module.startsWith("model.") || module === "lm_head" ? module : `model.${module}`;
  const layer = /^model\.layers\.(\d+)\.(.+)$/.exec(withModel);
  if (layer) return joinParameter(`layers.${layer[1]}.`, blockModuleByHf.get(layer[2]), suffix);
  return joinParameter("", outerModuleByHf.get(withModel), suffix);
}

/** `layers.3.feed_forward.w3.weight` -> `model.layers.3.mlp.up_proj.weight`; undefined for names that are not Meta's. */
export function metaToHfName(name: string): string | undefined {
  const { module, suffix } = splitParameter(name);
  const layer = /^layers\.(\d+)\.(.+)$/.exec(module);
  if (layer) return joinParameter(`model.layers.${layer[1]}.`, blockModuleByMeta.get(layer[2]), suffix);
  return joinParameter("", outerModuleByMeta.get(module), suffix);
}

/** `blk.3.ffn_up.weight` -> `layers.3.feed_forward.w3.weight`; undefined for names that are not those of GGUF. */
export function ggufToMetaName(name: string): string | undefined {
  const { module, suffix } = splitParameter(name);
  const layer = /^blk\.(\d+)\.(.+)$/.exec(module);
  if (layer) return joinParameter(`layers.${layer[1]}.`, blockModuleByGguf.get(layer[2]), suffix);
  return joinParameter("", outerModuleByGguf.get(module), suffix);
}

/** The inverse of `ggufToMetaName`. */
export function metaToGgufName(name: string): string | undefined {
  const { module, suffix } = splitParameter(name);
  const layer = /^layers\.(\d+)\.(.+)$/.exec(module);
  if (layer) return joinParameter(`blk.${layer[1]}.`, blockGgufByMeta.get(layer[2]), suffix);
  return joinParameter("", outerGgufByMeta.get(module), suffix);
}

/** The Meta name of a tensor named by a scheme. */
export function toMetaName(naming: LlamaNaming, name: string): string | undefined {
  if (naming === "gguf") return ggufToMetaName(name);
  return naming === "hf" ? hfToMetaName(name) : name;
}

/** The name a scheme gives to a tensor with a Meta name; undefined for tensors LLaMA does not have. */
export function fromMetaName(naming: LlamaNaming, name: string): string | undefined {
  if (naming === "gguf") return metaToGgufName(name);
  return naming === "hf" ? metaToHfName(name) : name;
}

/** Which scheme a list of tensor names follows, judged by the blocks; undefined when there are no LLaMA blocks. */
export function detectLlamaNaming(names: readonly string[]): LlamaNaming | undefined {
  const isBlock = (name: string) => /(^|\.)layers\.\d+\./.test(name);
  const blocks = names.filter(isBlock);
  if (blocks.some((name) => metaToHfName(name) !== undefined)) return "meta";
  if (blocks.some((name) => hfToMetaName(name) !== undefined)) return "hf";
  return names.some((name) => /^blk\.\d+\./.test(name) && ggufToMetaName(name)) ? "gguf" : undefined;
}

/** Reorders q or k rows [out, …] from Hugging Face to Meta order; `heads` is the number of heads in `out`. */
export function permuteRowsHfToMeta(tensor: HostTensor, heads: number): HostTensor {
  return permuteRows(tensor, heads, (pair, half, pairs) => [half * pairs + pair, 2 * pair + half]);
}

/** Reorders q or k rows [out, …] from Meta to Hugging Face order; the inverse of `permuteRowsHfToMeta`. */
export function permuteRowsMetaToHf(tensor: HostTensor, heads: number): HostTensor {
  return permuteRows(tensor, heads, (pair, half, pairs) => [2 * pair + half, half * pairs + pair]);
}

/**
 * Moves a state dict in Meta names to another row order: q, k, their norms and lora_B are permuted, everything else is
 * shared.
 *
 * @throws LuvitError("shape-mismatch") listing every tensor whose rows do not divide into heads.
 */
export function convertRowOrder(
  tensors: StateDict,
  { heads, kvHeads }: { heads: number; kvHeads: number },
  from: RowOrder,
  to: RowOrder,
): StateDict {
  if (from === to) return tensors;
  const permute = to === "meta" ? permuteRowsHfToMeta : permuteRowsMetaToHf;
  const faults: string[] = [];
  const converted: StateDict = new Map();
  for (const [name, tensor] of tensors) {
    const rotated = /(^|\.)attention\.(?:vision_)?(wq|wk|[qk]_norm)\.(weight|bias|lora_B\.weight)$/.exec(
      name,
    );
    const headCount = rotated?.[2] === "wq" ? heads : rotated?.[2] === "wk" ? kvHeads : 1;
    if (rotated && !dividesIntoHeads(tensor, headCount)) {
      faults.push(
        `${name}: ${formatShape(tensor.shape)} does not divide into ${headCount} heads of even width`,
      );
    } else converted.set(name, rotated ? permute(tensor, headCount) : tensor);
  }
  if (faults.length > 0) {
    throw new LuvitError("shape-mismatch", `converting the order of q and k rows\n${listOffenders(faults)}`);
  }
  return converted;
}

type RowMove = (pair: number, half: number, pairs: number) => readonly [from: number, to: number];

function permuteRows(tensor: HostTensor, heads: number, move: RowMove): HostTensor {
  if (!dividesIntoHeads(tensor, heads)) {
    throw new LuvitError(
      "shape-mismatch",
      `q/k rows: ${formatShape(tensor.shape)} does not divide into ${heads} heads of even width`,
    );
  }
  const rows = tensor.shape[0];
  const width = tensor.data.length / rows;
  const headRows = rows / heads;
  const data = new Float32Array(tensor.data.length);
  for (let row = 0; row < rows; row++) {
    const within = row % headRows;
    const [from, to] = move(within >> 1, within & 1, headRows / 2);
    const head = row - within;
    data.set(tensor.data.subarray((head + from) * width, (head + from + 1) * width), (head + to) * width);
  }
  return { ...tensor, data };
}

function dividesIntoHeads({ shape }: HostTensor, heads: number): boolean {
  return shape.length > 0 && shape[0] > 0 && Number.isInteger(shape[0] / heads / 2);
}

function splitParameter(name: string): { module: string; suffix: string } {
  const suffix = parameterSuffix.exec(name)?.[0] ?? "";
  return { module: name.slice(0, name.length - suffix.length), suffix };
}

function joinParameter(prefix: string, module: string | undefined, suffix: string): string | undefined {
  return module === undefined || suffix === "" ? undefined : `${prefix}${module}${suffix}`;
}
