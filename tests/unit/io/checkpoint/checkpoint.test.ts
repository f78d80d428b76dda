import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import type { StateDict } from "../../../../src/core/hostTensor";
import { openCheckpoint } from "../../../../src/io/checkpoint/checkpoint";
import { chooseWeights } from "../../../../src/io/checkpoint/place";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { assertRejects, assertSameTensors, eighths, goldenCases, temporaryFolder } from "../support";

const checkpoints = join(goldenCases, "checkpoints");

const small: StateDict = new Map([["w", eighths([2, 2])]]);

test("a folder, the file in it and its index open the same weights", async () => {
  const folder = temporaryFolder();
  await writeSafetensors(join(folder, "model.safetensors"), small);
  for (const path of [folder, join(folder, "model.safetensors")]) {
    const file = await openCheckpoint(path);
    assertSameTensors(await file.readTensors(file.names), small);
    assert.deepEqual(file.files, [join(folder, "model.safetensors")]);
    await file.close();
  }
});

test("Meta's folder, sharded .bin files and single .pth files open by their folder or path", async () => {
  for (const [path, source] of [
    ["meta", "consolidated.00.pth"],
    ["hf_bin_f16", "pytorch_model.bin.index.json"],
    ["hf_bf16", "model.safetensors.index.json"],
  ]) {
    const file = await openCheckpoint(join(checkpoints, path));
    assert.equal(basename(file.source), source);
    assert.ok(file.names.length > 9);
    await file.close();
  }
});

test("shards are opened only when a tensor in them is asked for", async () => {
  const file = await openCheckpoint(join(checkpoints, "hf_f16"));
  assert.deepEqual(file.files, []);
  const info = await file.info("model.norm.weight");
  assert.deepEqual([...info.shape], [32]);
  assert.equal(info.dtype, "F16");
  assert.equal(file.files.length, 1);
  await file.close();
});

test("tensors come in the order they are asked for, whatever shard they lie in, and what is read is counted", async () => {
  const folder = temporaryFolder();
  const shards = { "one.safetensors": ["a", "c"], "two.safetensors": ["b", "d"] };
  const weightMap: Record<string, string> = {};
  for (const [file, names] of Object.entries(shards)) {
    await writeSafetensors(join(folder, file), new Map(names.map((name) => [name, eighths([4])])));
    for (const name of names) weightMap[name] = file;
  }
  const index = join(folder, "model.safetensors.index.json");
  writeFileSync(index, JSON.stringify({ weight_map: weightMap }));
  const file = await openCheckpoint(folder);
  assert.equal(file.bytesRead, statSync(index).size);
  const order = ["d", "a", "b", "c"];
  assert.deepEqual([...(await file.readTensors(order)).keys()], order);
  const sizes = ["one.safetensors", "two.safetensors"].map((name) => statSync(join(folder, name)).size);
  assert.equal(file.bytesRead, statSync(index).size + sizes[0] + sizes[1]);
  const seen: string[] = [];
  await file.readTensors(["b", "a"], (name) => seen.push(name));
  assert.deepEqual(seen.sort(), ["a", "b"]);
  await file.close();
});

test("a path that does not exist: what was looked for and what is there", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "notes.txt"), "");
  await assertRejects(
    () => openCheckpoint(folder),
    "missing-file",
    "model.safetensors",
    "*.pth",
    "  notes.txt",
  );
  const missing = join(folder, "llama.safetensors");
  await assertRejects(() => openCheckpoint(missing), "missing-file", "llama.safetensors", "  notes.txt");
  await assertRejects(() => openCheckpoint(join(folder, "a", "b.pth")), "missing-file", "there is no folder");
});

test("all needed shards that are missing are named in one error, unneeded ones do not matter", async () => {
  const folder = temporaryFolder();
  const weightMap = {
    a: "one.safetensors",
    b: "two.safetensors",
    c: "three.safetensors",
    d: "three.safetensors",
  };
  writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: weightMap }));
  await writeSafetensors(join(folder, "one.safetensors"), new Map([["a", eighths([2])]]));
  const file = await openCheckpoint(folder);
  assert.equal((await file.readTensors(["a"])).size, 1);
  const read = () => file.readTensors(["a", "b", "c", "d"]);
  await assertRejects(
    read,
    "missing-file",
    "two.safetensors, which holds b",
    "three.safetensors, which holds c and 1 more",
  );
  await assertRejects(() => file.readTensors(["x"]), "key-mismatch", "  x");
  await file.close();
});

test("an index that lies about a shard, or points outside its folder, is refused", async () => {
  const folder = temporaryFolder();
  const index = join(folder, "model.safetensors.index.json");
  await writeSafetensors(join(folder, "one.safetensors"), small);
  writeFileSync(index, JSON.stringify({ weight_map: { v: "one.safetensors" } }));
  const file = await openCheckpoint(index);
  await assertRejects(() => file.readTensors(["v"]), "key-mismatch", "v (the index says one.safetensors)");
  await file.close();
  for (const weightMap of [
    { w: "../one.safetensors" },
    { w: "/etc/passwd" },
    { w: 3 },
    { w: ".." },
    [],
    "x",
  ]) {
    writeFileSync(index, JSON.stringify({ weight_map: weightMap }));
    await assertRejects(() => openCheckpoint(index), "bad-file");
  }
  writeFileSync(index, "{");
  await assertRejects(() => openCheckpoint(index), "bad-file", "not JSON");
});

test("a file without a telling name is recognized by its content", async () => {
  const folder = temporaryFolder();
  await writeSafetensors(join(folder, "weights.safetensors"), small);
  renameSync(join(folder, "weights.safetensors"), join(folder, "weights"));
  const file = await openCheckpoint(join(folder, "weights"));
  assert.deepEqual(file.names, ["w"]);
  await file.close();
});

test("a folder in place of a file is an error, not a crash", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "model.safetensors"));
  await assertRejects(() => openCheckpoint(folder), "bad-file", "not a regular file");
  rmSync(join(folder, "model.safetensors"), { recursive: true });
});

test("of two configs beside the weights the one of transformers is named, and none where there is none", async () => {
  const folder = temporaryFolder();
  await writeSafetensors(join(folder, "model.safetensors"), small);
  for (const expected of [undefined, "params.json", "config.json"]) {
    if (expected) writeFileSync(join(folder, expected), "{}");
    const { configPath, close } = await openCheckpoint(folder);
    assert.equal(configPath, expected && join(folder, expected));
    await close();
  }
});

test("a folder's weights are taken in the order that is documented, whatever else lies there", async () => {
  const order = [
    "model.safetensors.index.json",
    "model.safetensors",
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
    "consolidated.safetensors",
    "a.pth",
    "b.pth",
  ];
  const others = ["x.gguf", "config.json", "optimizer.bin"];
  for (let first = 0; first < order.length; first++) {
    const present = [...others, ...order.slice(first).reverse()];
    assert.equal(chooseWeights("folder", present), order[first]);
  }
  assert.equal(chooseWeights("folder", others), "x.gguf");
  await assertRejects(
    async () => chooseWeights("folder", [...others, "y.gguf"]),
    "missing-file",
    "  config.json\n  optimizer.bin\n  x.gguf\n  y.gguf",
  );
  await assertRejects(async () => chooseWeights("folder", []), "missing-file", "it holds\n  nothing");
});
