import type { HostTensor, StateDict } from "../../../src/core/hostTensor";
import { narrowFromFloat32 } from "../../../src/io/bytes/floats";
import { metaToGgufName } from "../../../src/io/llama/keymap";
import { type Entry, f32, ggufFile, text, u16, u32, type WrittenTensor } from "./ggufWriter";
import { tinyLlama } from "./support";

/** Language models as llama.cpp's tools write them. */

export const float32 = ({ shape, data }: HostTensor): WrittenTensor => ({
  shape,
  type: 0,
  bytes: narrowFromFloat32(data, "F32"),
});

export const asBfloat = ({ shape, data }: HostTensor): WrittenTensor => ({
  shape,
  type: 30,
  bytes: narrowFromFloat32(data, "BF16"),
});

export const grouped = { ...tinyLlama, heads: 4, kvHeads: 2 };

/** What llama.cpp's converter writes about a model. */
export function describe(architecture: string, layers: number, config = grouped): Record<string, Entry> {
  return {
    "general.architecture": text(architecture),
    [`${architecture}.block_count`]: u32(layers),
    [`${architecture}.embedding_length`]: u32(config.dim),
    [`${architecture}.feed_forward_length`]: u32(config.hiddenDim),
    [`${architecture}.attention.head_count`]: u32(config.heads),
    [`${architecture}.attention.head_count_kv`]: u32(config.kvHeads),
    [`${architecture}.attention.layer_norm_rms_epsilon`]: f32(2 ** -17),
    [`${architecture}.rope.freq_base`]: f32(config.ropeTheta),
    "tokenizer.ggml.tokens": { type: "strings", value: Array.from({ length: 3000 }, (_, i) => `token ${i}`) },
    "tokenizer.ggml.scores": { type: "floats", value: new Array(3000).fill(0.5) },
    "general.file_type": u32(0),
  };
}

export const written = (tensors: StateDict, write: (tensor: HostTensor) => WrittenTensor) =>
  Object.fromEntries([...tensors].map(([name, tensor]) => [metaToGgufName(name)!, write(tensor)]));

/** Layer `layer` as the one of a block. */
export function blockOf(tensors: StateDict, layer: number): StateDict {
  const own = [...tensors].filter(([name]) => name.startsWith(`layers.${layer}.`));
  return new Map(own.map(([name, tensor]) => [name.replace(/\d+/, "0"), tensor]));
}

/**
 * The parts gguf-split makes of a model: the first has the model's entries and, as with --no-tensor-first-split, no
 * tensor; the others have some tensors each and know only which part they are.
 */
export function ggufSplit(
  entries: Record<string, Entry>,
  tensors: Record<string, WrittenTensor>,
  count: number,
): Map<string, Uint8Array> {
  const all = Object.entries(tensors);
  const each = Math.ceil(all.length / (count - 1));
  const digits = (part: number) => String(part).padStart(5, "0");
  const parts = Array.from({ length: count }, (_, part): [string, Uint8Array] => {
    const own = part === 0 ? [] : all.slice((part - 1) * each, part * each);
    const split: Record<string, Entry> = {
      "split.no": u16(part),
      "split.count": u16(count),
      "split.tensors.count": { type: "int32", value: all.length },
    };
    const bytes = ggufFile(part === 0 ? { ...entries, ...split } : split, Object.fromEntries(own));
    return [`model-${digits(part + 1)}-of-${digits(count)}.gguf`, bytes];
  });
  return new Map(parts);
}
