import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { memorySource } from "../../../src/io/bytes/byteSource";
import { openGguf } from "../../../src/io/gguf/gguf";
import { ggufLlamaHints } from "../../../src/io/llama/ggufLlama";
import { openSafetensors } from "../../../src/io/safetensors";
import { PlainRecord } from "../../../src/io/torch/pickle";
import { openTorchFile } from "../../../src/io/torch/torchFile";
import { approve } from "../../support/approved";
import { damageReport, type Read } from "../../support/damaged";
import { type Entry, f32, ggufFile, text as ggufText, u32 } from "./ggufWriter";
import { goldenCases } from "./support";
import {
  dict,
  dictPickle,
  integer,
  op,
  tensorOpcodes,
  text,
  torchZip,
  tuple,
  typedTensorOpcodes,
  zip,
} from "./torchWriter";

/*
 * Every byte of small files is changed, and every length tried: what is refused, in which words, and what is read. Rules of
 * the formats that the readers keep are seen in how often each refusal is given.
 */

const numbers = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

const torch: Read = async (bytes) => {
  const file = await openTorchFile(memorySource("x.pth", bytes));
  const { tensors, where, others } = file.state();
  const plain = [...(file.root as Map<unknown, unknown>)].filter(
    ([, value]) => !(value instanceof PlainRecord) && typeof value !== "object",
  );
  return [await file.readTensors(tensors), where, others, plain];
};
const safetensors: Read = async (bytes) =>
  (await openSafetensors(memorySource("x.safetensors", bytes))).readTensors();
const gguf: Read = async (bytes) => {
  const file = await openGguf(memorySource("x.gguf", bytes));
  return [ggufLlamaHints("x.gguf", file.metadata), await file.readTensors()];
};

const pickle = dictPickle({
  epoch: integer(300),
  model: dict({
    w: tensorOpcodes("0", "FloatStorage", 6, [2, 3], [3, 1]),
    v: tensorOpcodes("1", "HalfStorage", 4, [2], [2], 1),
    u: typedTensorOpcodes("2", "int32", 8, [2]),
  }),
  list: [...op.emptyList, ...integer(-5), ...op.append],
  pair: tuple(text("a"), [...op.none], [...op.true]),
});
const storages = {
  "0": numbers(1, 2, 3, 4, 5, 6),
  "1": new Uint8Array([0, 60, 0, 64, 0, 66, 0, 68]),
  "2": new Uint8Array([1, 0, 0, 0, 2, 0, 0, 0]),
};

test("checkpoints of torch", async () => {
  approve("io/damaged torch", await damageReport(torchZip(pickle, storages), torch));
});

test("checkpoints of torch with ZIP64 fields and a comment", async () => {
  const entries = {
    "m/data.pkl": dictPickle({ w: tensorOpcodes("0", "FloatStorage", 3, [3], [1]) }),
    "m/data/0": numbers(1, 2, 3),
    "m/byteorder": Buffer.from("little"),
  };
  approve("io/damaged zip64", await damageReport(zip(entries, { zip64: true, comment: "a comment" }), torch));
});

test("checkpoints of torch before 1.6", async () => {
  const file = readFileSync(join(goldenCases, "checkpoints", "layouts", "views_legacy.pth"));
  approve("io/damaged legacy", await damageReport(file, torch, { step: 11 }));
});

test("safetensors", async () => {
  const header = JSON.stringify({
    __metadata__: { format: "pt", "luvit.x": "a" },
    w: { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] },
    h: { dtype: "BF16", shape: [3], data_offsets: [16, 22] },
    e: { dtype: "I64", shape: [0, 4], data_offsets: [22, 22] },
  });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = new Uint8Array([...numbers(1, 2, 3, 4), 128, 63, 0, 64, 64, 64]);
  const file = Buffer.concat([length, Buffer.from(header), data]);
  approve("io/damaged safetensors", await damageReport(file, safetensors, { to: file.length - 20 }));
});

test("GGUF", async () => {
  const entries: Record<string, Entry> = {
    "general.architecture": ggufText("llama"),
    "general.alignment": u32(32),
    "llama.embedding_length": u32(64),
    "llama.attention.head_count": u32(4),
    "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
    "llama.rope.freq_base": f32(5e5),
    "tokenizer.ggml.tokens": { type: "strings", value: ["a", "bc"] },
    "tokenizer.ggml.scores": { type: "floats", value: [1, 2] },
    "tokenizer.ggml.add_bos_token": { type: "bool", value: 1 },
    "general.size": { type: "uint64", value: 2 ** 40 },
  };
  const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (7 * i) % 60);
  const tensors = {
    "blk.0.attn_q.weight": { shape: [2, 4], type: 0, bytes: bytes(32) },
    "blk.0.attn_k.weight": { shape: [2, 32], type: 8, bytes: bytes(68) },
    "blk.0.attn_norm.weight": { shape: [3], type: 30, bytes: bytes(6) },
  };
  const file = ggufFile(entries, tensors);
  approve("io/damaged gguf", await damageReport(file, gguf, { to: file.length - 160 }));
});
