import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { readLlamaBlocks } from "../../../../src/io/llama/weights";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { writeTorchCheckpoint } from "../../../../src/io/torch/torchWriter";
import { asBfloat, blockOf, describe, float32, ggufSplit, written } from "../ggufModel";
import { ggufFile } from "../ggufWriter";
import { partOf } from "../parallelModel";
import {
  assertRejects,
  assertSameTensors,
  eighths,
  goldenCases,
  temporaryFolder,
  tinyLanguageModel,
  tinyLlama,
} from "../support";
import { asking, startHub } from "./support";

const config = { ...tinyLlama, dim: 64, heads: 4, kvHeads: 2, hiddenDim: 640 };
const layers = 12;
const model: StateDict = new Map(
  [...tinyLanguageModel(layers, config)].map(([name, { shape }]) => [name, eighths(shape)]),
);
const blockNumbers = [...blockOf(model, 0).values()].reduce((sum, { data }) => sum + data.length, 0);
/** Most that is read to find a header, or the directory of an archive. */
const HEADER = 2 ** 20;

test("a block of a GGUF file is read by ranges: its header and its bytes, and the second time nothing", async () => {
  const folder = temporaryFolder();
  const bytes = ggufFile(describe("llama", layers, config), written(model, asBfloat));
  writeFileSync(join(folder, "model.gguf"), bytes);
  const hub = await startHub({ folder });
  const options = { block: 12, ...asking(hub) };
  const read = await readLlamaBlocks("org/name", options);
  assertSameTensors(read.tensors, blockOf(model, 11));
  assert.deepEqual(read.config, { ...config, normEps: 2 ** -17 });
  assert.ok(hub.contentBytes <= HEADER + 2 * blockNumbers + 9 * 32, `${hub.contentBytes} of ${bytes.length}`);
  assert.ok(hub.contentBytes < bytes.length);
  hub.forget();
  const offline = { ...options, hub: { ...options.hub, offline: true } };
  assertSameTensors((await readLlamaBlocks("org/name", offline)).tensors, blockOf(model, 11));
  assert.equal(hub.seen.length, 0);
});

test("what was assumed of a model without a config is told beside what the hub's files could not be checked for", async () => {
  const folder = temporaryFolder();
  await writeSafetensors(join(folder, "model.safetensors"), model);
  const { notes, bytesReceived } = await readLlamaBlocks("org/name", {
    ...asking(await startHub({ folder })),
    heads: 4,
  });
  assert.equal(notes.length, 2, notes.join("\n"));
  assert.match(
    notes[0],
    /^no config beside the weights says the epsilon of the norms: assumed 0?\.?[0-9e-]+$/,
  );
  assert.match(notes[1], /model\.safetensors: read in part/);
  assert.ok(bytesReceived! > 4 * blockNumbers);
});

test("one of several GGUF files is chosen by its name", async () => {
  const folder = temporaryFolder();
  for (const name of ["a.gguf", "b.gguf"])
    writeFileSync(join(folder, name), ggufFile(describe("llama", layers, config), written(model, float32)));
  const hub = await startHub({ folder });
  await assertRejects(() => readLlamaBlocks("org/name", asking(hub)), "missing-file", "one *.gguf", "a.gguf");
  const { tensors } = await readLlamaBlocks("hf://org/name/b.gguf", { block: 1, ...asking(hub) });
  assertSameTensors(tensors, blockOf(model, 0));
});

test("a GGUF model in several files is read by ranges, of each its header and of the block's files its bytes", async () => {
  const folder = temporaryFolder();
  const parts = ggufSplit(describe("llama", layers, config), written(model, float32), 4);
  for (const [name, bytes] of parts) writeFileSync(join(folder, name), bytes);
  const hub = await startHub({ folder });
  for (const path of ["org/name", "hf://org/name/model-00003-of-00004.gguf"]) {
    hub.forget();
    const read = await readLlamaBlocks(path, { block: 5, ...asking(hub) });
    assertSameTensors(read.tensors, blockOf(model, 4));
    const sizes = [...parts.values()].map(({ length }) => Math.min(length, HEADER));
    const headers = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(hub.contentBytes <= headers + 4 * blockNumbers + 9 * 32, `${hub.contentBytes} bytes`);
    assert.equal(read.bytesReceived! >= 4 * blockNumbers, true);
  }
});

test("a block of sharded .bin files is read by ranges from the shards that hold it", async () => {
  const folder = temporaryFolder();
  cpSync(join(goldenCases, "checkpoints", "hf_bin_f16"), folder, { recursive: true });
  const hub = await startHub({ folder });
  const local = await readLlamaBlocks(folder, { block: 2, heads: 4 });
  const remote = await readLlamaBlocks("org/name", { block: 2, heads: 4, ...asking(hub) });
  assertSameTensors(remote.tensors, local.tensors);
  assert.deepEqual(remote.config, local.config);
  assert.deepEqual(remote.files.length, local.files.length);
  const shards = new Set(hub.contentRequests.map(({ url }) => url.searchParams.get("name")));
  assert.equal(shards.size, local.files.length);
});

test("large .bin shards: little more than the block's bytes is transferred", async () => {
  const folder = temporaryFolder();
  const entries = [...model];
  const shards = [new Map(entries.slice(0, 40)), new Map(entries.slice(40))];
  const weightMap: Record<string, string> = {};
  for (const [i, shard] of shards.entries()) {
    const name = `pytorch_model-0000${i + 1}-of-00002.bin`;
    await writeTorchCheckpoint(join(folder, name), shard);
    for (const key of shard.keys()) weightMap[key] = name;
  }
  writeFileSync(join(folder, "pytorch_model.bin.index.json"), JSON.stringify({ weight_map: weightMap }));
  const hub = await startHub({ folder });
  const read = await readLlamaBlocks("org/name", { block: 2, heads: 4, ...asking(hub) });
  assertSameTensors(read.tensors, blockOf(model, 1));
  assert.ok(hub.contentBytes < 4 * blockNumbers + HEADER / 4, `${hub.contentBytes} for ${4 * blockNumbers}`);
});

test("a model split for model parallelism is read by ranges and put together", async () => {
  const folder = temporaryFolder();
  const nameOf = (part: number) => `consolidated.0${part}.pth`;
  for (const part of [0, 1])
    await writeTorchCheckpoint(join(folder, nameOf(part)), partOf(model, part, 2, 1));
  const { dim, heads, kvHeads, normEps, ropeTheta } = config;
  const params = { dim, n_heads: heads, n_kv_heads: kvHeads, norm_eps: normEps, rope_theta: ropeTheta };
  writeFileSync(join(folder, "params.json"), JSON.stringify(params));
  const hub = await startHub({ folder });
  const read = await readLlamaBlocks("org/name", { block: 7, ...asking(hub) });
  assertSameTensors(read.tensors, blockOf(model, 6));
  assert.deepEqual(read.config, config);
  assert.ok(hub.contentBytes < 4 * blockNumbers + HEADER / 2, `${hub.contentBytes} for ${4 * blockNumbers}`);
});
