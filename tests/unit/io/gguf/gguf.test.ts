import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { CountingSource, memorySource } from "../../../../src/io/bytes/byteSource";
import { openCheckpoint } from "../../../../src/io/checkpoint/checkpoint";
import { openGguf } from "../../../../src/io/gguf/gguf";
import { convertRowOrder } from "../../../../src/io/llama/keymap";
import { readLanguageModel, readLlamaBlocks } from "../../../../src/io/llama/weights";
import { asBfloat, blockOf, describe, float32, grouped, written } from "../ggufModel";
import {
  bitPairs,
  bits,
  type Entry,
  f32,
  ggufFile,
  half,
  nibbles,
  packedScales,
  packedScales3,
  text,
  u32,
} from "../ggufWriter";
import { assertRejects, assertSameTensors, temporaryFolder, tinyLanguageModel, writeBytes } from "../support";

const rng = new Rng(4);
const below = (count: number, limit: number) => Array.from({ length: count }, () => rng.integer(limit));
const slices = (q: readonly number[], length: number) =>
  Array.from({ length: q.length / length }, (_, i) => q.slice(i * length, (i + 1) * length));

const [d, m] = [0.03125, 0.09375];
const levels = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** One block of each type: its number, its bytes and the numbers they stand for. */
const blocks: Record<string, () => [type: number, bytes: number[], numbers: number[]]> = {
  Q4_0: () => {
    const q = below(32, 16);
    return [2, [...half(d), ...nibbles(q)], q.map((n) => d * (n - 8))];
  },
  Q4_1: () => {
    const q = below(32, 16);
    return [3, [...half(d), ...half(m), ...nibbles(q)], q.map((n) => d * n + m)];
  },
  Q5_0: () => {
    const q = below(32, 32);
    return [6, [...half(d), ...bits(q, 4), ...nibbles(q)], q.map((n) => d * (n - 16))];
  },
  Q5_1: () => {
    const q = below(32, 32);
    return [7, [...half(d), ...half(m), ...bits(q, 4), ...nibbles(q)], q.map((n) => d * n + m)];
  },
  Q8_0: () => {
    const q = below(32, 256);
    return [8, [...half(d), ...q], q.map((n) => d * (n < 128 ? n : n - 256))];
  },
  Q2_K: () => {
    const [q, scales, minima] = [below(256, 4), below(16, 16), below(16, 16)];
    const packed = scales.map((scale, i) => scale | (minima[i] << 4));
    const bytes = [...packed, ...slices(q, 128).flatMap(bitPairs), ...half(d), ...half(m)];
    return [10, bytes, q.map((n, i) => d * scales[i >> 4] * n - m * minima[i >> 4])];
  },
  Q3_K: () => {
    const [q, scales] = [below(256, 8), below(16, 64)];
    const thirds = Array.from({ length: 32 }, (_, i) =>
      slices(q, 32).reduce((byte, group, k) => byte | ((group[i] >> 2) << k), 0),
    );
    const pairs = slices(q, 128).flatMap(bitPairs);
    const bytes = [...thirds, ...pairs, ...packedScales3(scales), ...half(d)];
    return [11, bytes, q.map((n, i) => d * (scales[i >> 4] - 32) * (n - 4))];
  },
  Q4_K: () => {
    const [q, scales, minima] = [below(256, 16), below(8, 64), below(8, 64)];
    const head = [...half(d), ...half(m), ...packedScales(scales, minima)];
    const bytes = [...head, ...slices(q, 64).flatMap(nibbles)];
    return [12, bytes, q.map((n, i) => d * scales[i >> 5] * n - m * minima[i >> 5])];
  },
  Q5_K: () => {
    const [q, scales, minima] = [below(256, 32), below(8, 64), below(8, 64)];
    const fifths = Array.from({ length: 32 }, (_, i) =>
      slices(q, 32).reduce((byte, group, k) => byte | ((group[i] >> 4) << k), 0),
    );
    const head = [...half(d), ...half(m), ...packedScales(scales, minima)];
    const bytes = [...head, ...fifths, ...slices(q, 64).flatMap(nibbles)];
    return [13, bytes, q.map((n, i) => d * scales[i >> 5] * n - m * minima[i >> 5])];
  },
  Q6_K: () => {
    const [q, scales] = [below(256, 64), below(16, 256)];
    const bytes = [
      ...slices(q, 128).flatMap(nibbles),
      ...slices(q, 128).flatMap((part) => bitPairs(part.map((n) => n >> 4))),
      ...scales,
      ...half(d),
    ];
    const scale = (i: number) => (scales[i] < 128 ? scales[i] : scales[i] - 256);
    return [14, bytes, q.map((n, i) => d * scale(i >> 4) * (n - 32))];
  },
  IQ4_NL: () => {
    const q = below(32, 16);
    return [20, [...half(d), ...nibbles(q)], q.map((n) => d * levels[n])];
  },
  IQ4_XS: () => {
    const [q, scales] = [below(256, 16), below(8, 64)];
    const high = scales.reduce((pairs, scale, i) => pairs | ((scale >> 4) << (2 * i)), 0);
    const low = slices(scales, 2).map(([a, b]) => (a & 15) | ((b & 15) << 4));
    const bytes = [...half(d), high & 255, high >> 8, ...low, ...slices(q, 32).flatMap(nibbles)];
    return [23, bytes, q.map((n, i) => d * (scales[i >> 5] - 32) * levels[n])];
  },
};

for (const [name, make] of Object.entries(blocks)) {
  test(`blocks of ${name} become the numbers they stand for`, async () => {
    const made = [make(), make(), make(), make()];
    const bytes = Uint8Array.from(made.flatMap(([, block]) => block));
    const shape = [2, 2 * made[0][2].length];
    const tensor = { shape, type: made[0][0], bytes };
    const file = await openGguf(memorySource("a.gguf", ggufFile({}, { x: tensor })));
    assert.deepEqual(file.info("x"), { shape, dtype: name });
    const { data } = (await file.readTensors()).get("x")!;
    assert.deepEqual(data, Float32Array.from(made.flatMap(([, , numbers]) => numbers)));
  });
}

test("a block of a LLaMA model has its config from the header and its q and k rows in Meta's order", async () => {
  const model = tinyLanguageModel(3, grouped);
  const path = writeBytes(
    temporaryFolder(),
    "model.gguf",
    ggufFile(describe("llama", 3), written(model, float32)),
  );
  const read = await readLlamaBlocks(path, { block: 2 });
  assertSameTensors(read.tensors, blockOf(model, 1));
  assert.deepEqual(read.config, { ...grouped, normEps: 2 ** -17 });
  assert.deepEqual([read.rowOrder, read.totalLayers, read.notes], ["meta", 3, []]);
  const whole = await readLanguageModel(path);
  assertSameTensors(whole.tensors, model);
  assert.deepEqual([whole.vocabSize, whole.tiedEmbeddings], [10, false]);
});

test("Qwen's rows stay in Hugging Face's order, biases and head norms come along", async () => {
  const model = tinyLanguageModel(1, grouped);
  const extra: Record<string, number> = {
    "wq.bias": 16,
    "wk.bias": 8,
    "wv.bias": 8,
    "q_norm.weight": 4,
    "k_norm.weight": 4,
  };
  for (const [name, length] of Object.entries(extra)) {
    model.set(`layers.0.attention.${name}`, { shape: [length], data: new Float32Array(length).fill(2) });
  }
  const bytes = ggufFile(describe("qwen3", 1), written(model, asBfloat), { version: 2 });
  const { tensors, rowOrder, config } = await readLlamaBlocks(
    writeBytes(temporaryFolder(), "qwen.gguf", bytes),
  );
  assert.equal(rowOrder, "hf");
  assert.deepEqual([config.qkvBias, config.qkNorm, config.outputBias], [true, true, undefined]);
  assert.deepEqual(tensors.get("layers.0.attention.wk.bias")!.data, new Float32Array(8).fill(2));
  assert.equal(tensors.size, 14);
});

test("LLaMA 3.1's divisors of the rotary frequencies are read with the block", async () => {
  const tensors = written(tinyLanguageModel(1, grouped), float32);
  tensors["rope_freqs.weight"] = float32({ shape: [2], data: Float32Array.of(1, 8) });
  const path = writeBytes(temporaryFolder(), "model.gguf", ggufFile(describe("llama", 1), tensors));
  assert.deepEqual((await readLlamaBlocks(path)).config.ropeScaling, { type: "divisors", divisors: [1, 8] });
});

test("linear scaling of the rotary frequencies is found under today's keys and under the old one", async () => {
  const scalingOf = async (entries: Record<string, Entry>) => {
    const bytes = ggufFile(
      { ...describe("llama", 1), ...entries },
      written(tinyLanguageModel(1, grouped), float32),
    );
    return (await readLlamaBlocks(writeBytes(temporaryFolder(), "m.gguf", bytes))).config.ropeScaling;
  };
  const linear = { type: "linear", factor: 4 };
  const [type, factor] = ["llama.rope.scaling.type", "llama.rope.scaling.factor"];
  assert.deepEqual(await scalingOf({ "llama.rope.scale_linear": f32(4) }), linear);
  assert.deepEqual(await scalingOf({ [type]: text("linear"), [factor]: f32(4) }), linear);
  assert.deepEqual(await scalingOf({ [factor]: f32(4) }), linear, "linear is what no type means");
  assert.deepEqual(await scalingOf({ [factor]: f32(4), "llama.rope.scale_linear": f32(2) }), linear);
  for (const none of [
    {},
    { [factor]: f32(1) },
    { "llama.rope.scale_linear": f32(0) },
    { [type]: text("none"), [factor]: f32(4) },
  ])
    assert.equal(await scalingOf(none), undefined);
  const others: Record<string, Entry>[] = [
    { [type]: text("yarn"), [factor]: f32(4) },
    { [factor]: f32(-4) },
    { [factor]: f32(4), "llama.rope.scaling.attn_factor": f32(2) },
    { "llama.rope.dimension_count": u32(2) },
  ];
  for (const other of others) assert.equal((await scalingOf(other))?.type, "other");
});

test("divisors of the rotary frequencies and a linear factor are both applied", async () => {
  const tensors = written(tinyLanguageModel(1, grouped), float32);
  tensors["rope_freqs.weight"] = float32({ shape: [2], data: Float32Array.of(1, 8) });
  const bytes = ggufFile({ ...describe("llama", 1), "llama.rope.scaling.factor": f32(2) }, tensors);
  const { config } = await readLlamaBlocks(writeBytes(temporaryFolder(), "m.gguf", bytes));
  assert.deepEqual(config.ropeScaling, { type: "divisors", divisors: [2, 16] });
});

test("tensors of types that are newer than this reader harm only who asks for them", async () => {
  for (const type of [4, 36, 40, 41, 42, 4_000_000_000]) {
    const odd = { shape: [3, 128], type, bytes: new Uint8Array(216) };
    const tensors = { "blk.9.extra.weight": odd, ...written(tinyLanguageModel(2, grouped), float32) };
    const path = writeBytes(temporaryFolder(), "m.gguf", ggufFile(describe("llama", 2), tensors));
    const { tensors: read } = await readLlamaBlocks(path, { block: 2 });
    assertSameTensors(read, blockOf(tinyLanguageModel(2, grouped), 1));
    const file = await openCheckpoint(path);
    await assertRejects(
      () => file.readTensors(["blk.9.extra.weight"]),
      "bad-file",
      /extra\.weight: (type \d+|NVFP4|Q1_0)/,
    );
    await file.close();
  }
});

test("only the header and the wanted block are read, in few reads", async () => {
  const model = tinyLanguageModel(12, { ...grouped, dim: 64, hiddenDim: 640 });
  const config = { ...grouped, dim: 64, hiddenDim: 640 };
  const bytes = ggufFile(describe("llama", 12, config), written(model, float32));
  const source = new CountingSource(memorySource("model.gguf", bytes));
  const file = await openGguf(source);
  assert.ok(source.bytesRead <= 2 ** 20 && source.reads === 1);
  const names = file.names.filter((name) => name.startsWith("blk.7."));
  const before = source.bytesRead;
  const block = await file.readTensors(names);
  const size = [...block.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  assert.equal(names.length, 9);
  assert.ok(source.bytesRead - before <= size + 9 * 32, `${source.bytesRead - before} bytes for ${size}`);
  assert.equal(file.metadata.get("llama.embedding_length"), 64);
  assert.deepEqual(file.metadata.get("tokenizer.ggml.tokens"), { length: 3000 });
});

test("a header longer than the first read is read on, no byte twice", async () => {
  const long = { ...describe("llama", 1), "tokenizer.chat_template": text("x".repeat(3e6)) };
  const bytes = ggufFile(long, { x: float32({ shape: [2], data: Float32Array.of(1, 2) }) });
  const source = new CountingSource(memorySource("model.gguf", bytes));
  const file = await openGguf(source);
  assert.equal(source.bytesRead, bytes.length);
  assert.deepEqual((await file.readTensors()).get("x")!.data, Float32Array.of(1, 2));
});

test("a file or a folder of one is opened by its name or its first bytes", async () => {
  const folder = temporaryFolder();
  const bytes = ggufFile({}, { x: float32({ shape: [2], data: Float32Array.of(1, 2) }) }, { alignment: 32 });
  for (const path of [
    writeBytes(folder, "model.gguf", bytes),
    folder,
    writeBytes(temporaryFolder(), "blob", bytes),
  ]) {
    const file = await openCheckpoint(path);
    assert.deepEqual(file.names, ["x"]);
    await file.close();
  }
  await assertRejects(() => openCheckpoint(join(folder, "other.gguf")), "missing-file", "model.gguf");
});

const opened = (bytes: Uint8Array) => () => openGguf(memorySource("a.gguf", bytes));
const two = float32({ shape: [2], data: Float32Array.of(1, 2) });

test("counts and lengths that the file cannot hold are refused before memory is taken", async () => {
  const good = ggufFile({ "general.name": text("x") }, { x: two });
  const withNumber = (at: number, value: bigint) => {
    const bytes = Uint8Array.from(good);
    new DataView(bytes.buffer).setBigUint64(at, value, true);
    return bytes;
  };
  for (const huge of [2n ** 20n, 2n ** 40n, 2n ** 63n, 2n ** 64n - 1n]) {
    await assertRejects(opened(withNumber(8, huge)), "bad-file", "number of tensors");
    await assertRejects(opened(withNumber(16, huge)), "bad-file", "number of metadata entries");
    await assertRejects(opened(withNumber(24, huge)), "bad-file", "name of metadata entry 0");
  }
  const array = ggufFile({ list: { type: "floats", value: [1, 2] } }, {});
  new DataView(array.buffer).setBigUint64(24 + 8 + 4 + 4 + 4, 2n ** 50n, true);
  await assertRejects(opened(array), "bad-file", "elements of list");
});

test("what is no little-endian GGUF of version 2 or 3 is refused with its reason", async () => {
  await assertRejects(opened(ggufFile({}, {}, { version: 1 })), "bad-file", "version 1");
  await assertRejects(opened(ggufFile({}, {}, { version: 0x03000000 })), "bad-file", "big endian");
  await assertRejects(opened(ggufFile({}, {}, { version: 9 })), "bad-file", "version 9");
  await assertRejects(opened(Uint8Array.of(1, 2, 3, 4, 5)), "bad-file", "does not begin with GGUF");
  await assertRejects(opened(new Uint8Array(0)), "bad-file", "magic");
});

test("every tensor that cannot be where or what the header says is in one error", async () => {
  const short = ggufFile(
    {},
    {
      cut: { shape: [64], type: 0, bytes: new Uint8Array(8) },
      rows: { shape: [2, 33], type: 2, bytes: new Uint8Array(36) },
    },
  );
  await assertRejects(opened(short), "bad-file", "cut: F32 [64]", "cut off", "rows: Q4_0 [2, 33]");
  const foreign = { shape: [256], type: 16, bytes: new Uint8Array(66) };
  const file = await openGguf(memorySource("a.gguf", ggufFile({}, { foreign, x: two })));
  await assertRejects(() => file.readTensors(), "bad-file", "foreign: IQ2_XXS");
  assert.equal((await file.readTensors(["x"])).size, 1);
  await assertRejects(() => file.readTensors(["y"]), "key-mismatch", "y");
});

test("names that are there twice, tensors that overlap or lie outside, and headers that are cut off are refused", async () => {
  const tensor = { shape: [8], type: 0, bytes: new Uint8Array(32) };
  const good = ggufFile({}, { a: tensor, b: tensor });
  const second = Buffer.from(good).indexOf(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0x62]));
  const nameAt = second + 8;
  const placeAt = nameAt + 1 + 4 + 8 + 4;
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good);
    change(bytes);
    return opened(Uint8Array.from(bytes));
  };
  const twice = changed((bytes) => bytes.write("a", nameAt));
  await assertRejects(twice, "bad-file", "tensor a is there twice");
  await assertRejects(
    changed((bytes) => bytes.writeBigUInt64LE(0n, placeAt)),
    "bad-file",
    "b: overlaps a",
  );
  await assertRejects(
    changed((bytes) => bytes.writeBigUInt64LE(2n ** 40n, placeAt)),
    "bad-file",
    "b: F32 [8]: ends at byte",
  );
  await assertRejects(opened(good.slice(0, 60)), "bad-file", "file has");
});

test("models that are not of the family are refused by name", async () => {
  const refuse = async (entries: Record<string, Entry>, ...texts: string[]) => {
    const bytes = ggufFile(entries, written(tinyLanguageModel(1, grouped), float32));
    await assertRejects(
      () => readLlamaBlocks(writeBytes(temporaryFolder(), "m.gguf", bytes)),
      "bad-file",
      ...texts,
    );
  };
  await refuse(describe("gemma2", 1), "general.architecture", "gemma2");
  await refuse({ ...describe("llama", 1), "llama.expert_count": u32(8) }, "mixture of 8 experts");
  await refuse({ ...describe("llama", 1), "llama.attention.head_count": text("many") }, "head_count", "many");
});

test("entries that make another formula of the model are refused by name, all at once; neutral ones are not", async () => {
  const read = (entries: Record<string, Entry>, left = describe("llama", 1)) => {
    const bytes = ggufFile({ ...left, ...entries }, written(tinyLanguageModel(1, grouped), float32));
    return readLlamaBlocks(writeBytes(temporaryFolder(), "m.gguf", bytes));
  };
  const factors = ["residual_scale", "embedding_scale", "logit_scale"].map((name) => `llama.${name}`);
  const switches = ["attention.clamp_kqv", "attn_logit_softcapping", "final_logit_softcapping"].map(
    (name) => `llama.${name}`,
  );
  const all = (names: string[], value: number) => Object.fromEntries(names.map((name) => [name, f32(value)]));
  const foreign = { ...all([...factors, ...switches], 12), "llama.attention.scale": f32(0.3) };
  await assertRejects(() => read(foreign), "bad-file", ...Object.keys(foreign));
  await assertRejects(
    () => read({ "llama.expert_used_count": u32(2) }),
    "bad-file",
    "llama.expert_used_count: only 0 or false can be computed, got 2",
  );
  const { "llama.attention.layer_norm_rms_epsilon": epsilon, ...others } = describe("llama", 1);
  assert.ok(epsilon);
  await assertRejects(
    () => read({ "llama.attention.layer_norm_epsilon": f32(1e-5) }, others),
    "bad-file",
    "llama.attention.layer_norm_epsilon: its norm is LayerNorm",
  );
  const scale = 1 / Math.sqrt(grouped.headDim ?? grouped.dim / grouped.heads);
  const neutral = { ...all(factors, 1), ...all(switches, 0), "llama.attention.scale": f32(scale) };
  assert.ok(await read({ ...neutral, "llama.expert_used_count": u32(0) }));
});

test("converting the rows of grouped q and k to Meta's order and back leaves them as they were", () => {
  const model = tinyLanguageModel(1, grouped);
  const there = convertRowOrder(model, grouped, "hf", "meta");
  assert.notDeepEqual(there.get("layers.0.attention.wk.weight"), model.get("layers.0.attention.wk.weight"));
  assertSameTensors(convertRowOrder(there, grouped, "meta", "hf"), model);
});
