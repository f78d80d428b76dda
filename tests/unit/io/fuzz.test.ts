import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { Rng } from "../../../src/core/rng";
import { memorySource } from "../../../src/io/bytes/byteSource";
import { openGguf } from "../../../src/io/gguf/gguf";
import { ggufLlamaHints } from "../../../src/io/llama/ggufLlama";
import { openSafetensors } from "../../../src/io/safetensors";
import { openTorchFile } from "../../../src/io/torch/torchFile";
import { end, fuzz, insertOpcodes, type Load, start, timeout } from "./fuzz";
import { type Entry, f32, ggufFile, text, u32, type WrittenTensor } from "./ggufWriter";
import type { Sample } from "./mutations";
import { goldenCases } from "./support";

const loadSafetensors: Load = async (source) => (await openSafetensors(source)).readTensors();
const loadTorch: Load = async (source) => {
  const file = await openTorchFile(source);
  return file.readTensors(file.state().tensors);
};
const loadGguf: Load = async (source) => {
  const file = await openGguf(source);
  ggufLlamaHints(source.name, file.metadata);
  return file.readTensors();
};

const golden = (name: string) => new Uint8Array(readFileSync(join(goldenCases, "checkpoints", name)));
/** Another value in one field of the JSON header, whose length is then right. */
function changeHeaderField(bytes: Buffer, rng: Rng): Buffer {
  const length = Number(bytes.readBigUInt64LE(0));
  let header: Record<string, Record<string, unknown>>;
  try {
    header = JSON.parse(bytes.subarray(8, 8 + length).toString());
  } catch {
    return bytes;
  }
  const names = Object.keys(header);
  const entry = header[names[rng.integer(names.length)]];
  if (typeof entry !== "object" || entry === null) return bytes;
  const values = [
    0,
    -1,
    1.5,
    2 ** 31,
    2 ** 53,
    1e300,
    null,
    "F64",
    "BOOL",
    "F4",
    [],
    [0],
    [2 ** 40, 2 ** 40],
    {},
    true,
  ];
  const value = values[rng.integer(values.length)];
  const fields = ["dtype", "shape", "data_offsets"];
  const field = fields[rng.integer(fields.length)];
  const list = entry[field];
  if (Array.isArray(list) && rng.integer(2) === 0) list[rng.integer(list.length + 1)] = value;
  else entry[field] = value;
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([prefix, text, bytes.subarray(8 + length)]);
}

test("mutated safetensors files load or are refused by LuvitError", { timeout }, () => {
  const samples = ["hf_f16/model-00003-of-00003.safetensors", "hf_bf16/model-00001-of-00003.safetensors"].map(
    (name): Sample => ({ ...start(golden(name), 1400), fieldChange: changeHeaderField }),
  );
  return fuzz("safetensors", samples, loadSafetensors);
});

test("mutated torch checkpoints, both containers, load or are refused by LuvitError", { timeout }, () => {
  const [zip, legacy] = [golden("layouts/views.pth"), golden("layouts/views_legacy.pth")];
  const samples = [
    { ...start(zip, 1300), fieldChange: insertOpcodes },
    end(zip, 1600),
    { ...start(legacy, 1700), fieldChange: insertOpcodes },
    start(golden("mae/checkpoint-7.pth"), 6000),
    end(golden("hf_bin_f16/pytorch_model-00001-of-00003.bin"), 1200),
  ];
  return fuzz("pth", samples, loadTorch);
});

/** A LLaMA header and one tensor of each type, in random bytes. */
function ggufSample(rng: Rng): Uint8Array {
  const blocks: [type: number, elements: number, bytes: number][] = [
    [0, 1, 4],
    [1, 1, 2],
    [2, 32, 18],
    [3, 32, 20],
    [6, 32, 22],
    [7, 32, 24],
    [8, 32, 34],
    [10, 256, 84],
    [11, 256, 110],
    [12, 256, 144],
    [13, 256, 176],
    [14, 256, 210],
    [20, 32, 18],
    [23, 256, 136],
    [30, 1, 2],
  ];
  const tensors = blocks.map(([type, elements, bytes], i): [string, WrittenTensor] => {
    const shape = i % 2 ? [2, 2 * elements] : [3 * elements];
    const length = (i % 2 ? 4 : 3) * bytes;
    const random = Uint8Array.from({ length }, () => rng.integer(256));
    return [`blk.${i}.attn_q.weight`, { shape, type, bytes: random }];
  });
  const entries: Record<string, Entry> = {
    "general.architecture": text("llama"),
    "general.alignment": u32(32),
    "llama.embedding_length": u32(64),
    "llama.attention.head_count": u32(4),
    "llama.attention.layer_norm_rms_epsilon": f32(1e-5),
    "tokenizer.ggml.tokens": { type: "strings", value: ["a", "bc", "def"] },
    "tokenizer.ggml.scores": { type: "floats", value: [1, 2, 3, 4] },
    "tokenizer.ggml.add_bos_token": { type: "bool", value: 1 },
    "general.size": { type: "uint64", value: 2 ** 40 },
  };
  return ggufFile(entries, Object.fromEntries(tensors));
}

/** Another number where a name's length, a value's type, a shape, a type or an offset stands. */
function changeField(bytes: Buffer, rng: Rng): Buffer {
  const names = ["general.", "llama.", "tokenizer.", "blk.", "weight"];
  const name = names[rng.integer(names.length)];
  const places: number[] = [];
  for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) places.push(at);
  if (places.length === 0) return bytes;
  const offset = name === "weight" ? 6 + 4 * rng.integer(8) : -8;
  const at = places[rng.integer(places.length)] + offset;
  if (at < 0 || at + 8 > bytes.length) return bytes;
  const values = [0n, 1n, 2n, 3n, 9n, 16n, 64n, 255n, 256n, 1n << 20n, 1n << 31n, 1n << 40n, 1n << 62n];
  const value = values[rng.integer(values.length)];
  if (rng.integer(2) === 0) bytes.writeBigUInt64LE(value, at);
  else bytes.writeUInt32LE(Number(value & 0xffffffffn), at);
  return bytes;
}

test("mutated GGUF files load or are refused by LuvitError", { timeout }, () => {
  const bytes = ggufSample(new Rng(3));
  const header = 24 + Buffer.from(bytes).lastIndexOf("weight") + 30;
  return fuzz("gguf", [{ bytes, focus: [0, header], fieldChange: changeField }], loadGguf);
});

test("random bytes after a pickle start are refused or read without harm", async () => {
  const rng = new Rng(13);
  for (let i = 0; i < 3000; i++) {
    const bytes = Uint8Array.from({ length: 1 + rng.integer(200) }, () => rng.integer(256));
    bytes.set([0x80, 2].slice(0, bytes.length));
    await assert.rejects(() => loadTorch(memorySource("random.pth", bytes)), LuvitError);
  }
});
