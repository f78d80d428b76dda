import { randomFillSync } from "node:crypto";
import { type FileHandle, mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sizeOf } from "../../src/core/hostTensor";
import { llamaBlockModules, llamaOuterModules } from "../../src/io/llama/keymap";
import type { LlamaConfig } from "../../src/models/llamaConfig";

/** A language model of these sizes, as transformers shards it. */
interface LlamaSizes extends Pick<LlamaConfig, "dim" | "heads" | "hiddenDim" | "normEps"> {
  layers: number;
  vocabulary: number;
}

/** The bytes of one block in a checkpoint. */
export interface BlockBytes {
  file: string;
  start: number;
  end: number;
}

interface Entry {
  name: string;
  shape: readonly number[];
  isWanted: boolean;
}

const FLOAT16 = 2;
/** Bytes written at once. */
const PIECE = 2 ** 24;

/**
 * Writes a float16 checkpoint of a whole LLaMA in two shards with their index. Only the last block has numbers; the rest
 * of the files are holes that take no room on the disk.
 */
export async function writeLlamaCheckpoint(folder: string, sizes: LlamaSizes): Promise<BlockBytes> {
  await mkdir(folder, { recursive: true });
  const entries = entriesOf(sizes);
  const half = entries.findIndex(({ name }) => name.startsWith(`model.layers.${sizes.layers >> 1}.`));
  const shards = [entries.slice(0, half), entries.slice(half)];
  const places: Record<string, string> = {};
  let block: BlockBytes | undefined;
  for (const [i, shard] of shards.entries()) {
    const file = `model-0000${i + 1}-of-00002.safetensors`;
    for (const { name } of shard) places[name] = file;
    block = (await writeShard(join(folder, file), shard)) ?? block;
  }
  const total = entries.reduce((sum, { shape }) => sum + FLOAT16 * sizeOf(shape), 0);
  const index = { metadata: { total_size: total }, weight_map: places };
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
  await writeFile(join(folder, "config.json"), JSON.stringify(configOf(sizes)));
  return block!;
}

function entriesOf({ dim, hiddenDim, layers, vocabulary }: LlamaSizes): Entry[] {
  const [embedding, norm, head] = llamaOuterModules.map(({ hf }) => `${hf}.weight`);
  const shapeOf = (module: string) => {
    if (module.includes("norm")) return [dim];
    if (!module.startsWith("mlp")) return [dim, dim];
    return module.endsWith("down_proj") ? [dim, hiddenDim] : [hiddenDim, dim];
  };
  const blocks = Array.from({ length: layers }, (_, layer) =>
    llamaBlockModules.map(({ hf }) => ({
      name: `model.layers.${layer}.${hf}.weight`,
      shape: shapeOf(hf),
      isWanted: layer === layers - 1,
    })),
  );
  const outer = (name: string, shape: readonly number[]) => ({ name, shape, isWanted: false });
  const last = [outer(norm, [dim]), outer(head, [vocabulary, dim])];
  return [outer(embedding, [vocabulary, dim]), ...blocks.flat(), ...last];
}

/** Gives back where the wanted tensors lie, if the shard has them; they follow one another. */
async function writeShard(file: string, entries: readonly Entry[]): Promise<BlockBytes | undefined> {
  let offset = 0;
  const described = entries.map(({ name, shape }) => {
    const data_offsets = [offset, offset + FLOAT16 * sizeOf(shape)];
    offset = data_offsets[1];
    return [name, { dtype: "F16", shape, data_offsets }] as const;
  });
  const text = JSON.stringify({ __metadata__: { format: "pt" }, ...Object.fromEntries(described) });
  const header = Buffer.from(text.padEnd(8 * Math.ceil(text.length / 8)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const dataStart = 8 + header.length;
  const wanted = described.filter((_, i) => entries[i].isWanted).map(([, { data_offsets }]) => data_offsets);
  const handle = await open(file, "w");
  try {
    await handle.write(Buffer.concat([length, header]), 0, dataStart, 0);
    await handle.truncate(dataStart + offset);
    if (wanted.length === 0) return undefined;
    const block = { file, start: dataStart + wanted[0][0], end: dataStart + wanted.at(-1)![1] };
    await fill(handle, block);
    return block;
  } finally {
    await handle.close();
  }
}

/** Random float16 of either sign between 2^-7 and 2^-5, the size of trained weights. */
async function fill(handle: FileHandle, { start, end }: BlockBytes): Promise<void> {
  const numbers = randomFillSync(new Uint16Array(PIECE / FLOAT16));
  for (let i = 0; i < numbers.length; i++) numbers[i] = (numbers[i] & 0x87ff) | 0x2000;
  const piece = new Uint8Array(numbers.buffer);
  for (let at = start; at < end; at += PIECE) await handle.write(piece, 0, Math.min(PIECE, end - at), at);
}

function configOf({ dim, heads, hiddenDim, normEps, layers, vocabulary }: LlamaSizes): unknown {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: dim,
    intermediate_size: hiddenDim,
    num_attention_heads: heads,
    num_key_value_heads: heads,
    num_hidden_layers: layers,
    rms_norm_eps: normEps,
    vocab_size: vocabulary,
    torch_dtype: "float16",
  };
}
