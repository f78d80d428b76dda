import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { ggufModels } from "../../../../src/io/checkpoint/ggufNames";
import { readLanguageModel, readLlamaBlocks } from "../../../../src/io/llama/weights";
import { blockOf, describe, float32, ggufSplit, grouped, written } from "../ggufModel";
import { assertRejects, assertSameTensors, temporaryFolder, tinyLanguageModel, writeBytes } from "../support";

const model = tinyLanguageModel(6, grouped);
const parts = ggufSplit(describe("llama", 6), written(model, float32), 4);
const names = [...parts.keys()];

function writeParts(change: (parts: Map<string, Uint8Array>) => void = () => {}): string {
  const folder = temporaryFolder();
  const own = new Map(parts);
  change(own);
  for (const [name, bytes] of own) writeFileSync(join(folder, name), bytes);
  return folder;
}

test("a model in several files is opened by its folder or any of its parts", async () => {
  const folder = writeParts();
  for (const path of [folder, ...names.map((name) => join(folder, name))]) {
    const read = await readLlamaBlocks(path, { block: 4 });
    assertSameTensors(read.tensors, blockOf(model, 3));
    assert.deepEqual(read.config, { ...grouped, normEps: 2 ** -17 });
    assert.equal(read.totalLayers, 6);
    assert.deepEqual(
      read.files.map((file) => basename(file)),
      names,
    );
  }
  assertSameTensors((await readLanguageModel(folder)).tensors, model);
});

test("every part that is missing is named", async () => {
  const folder = writeParts();
  for (const name of [names[0], names[2]]) rmSync(join(folder, name));
  const lines = ["model-00001-of-00004.gguf, part 1 of 4", "model-00003-of-00004.gguf, part 3 of 4"];
  await assertRejects(() => readLlamaBlocks(folder), "missing-file", ...lines);
});

test("files that are not the parts of one model are refused with everything that does not fit", async () => {
  const swapped = writeParts((own) => {
    own.set(names[1], parts.get(names[2])!);
    own.set(
      names[3],
      ggufSplit(describe("llama", 6), written(model, float32), 3).get("model-00003-of-00003.gguf")!,
    );
  });
  await assertRejects(
    () => readLlamaBlocks(swapped),
    "bad-file",
    "model-00002-of-00004.gguf: split.no should be 1, is 2",
    "model-00004-of-00004.gguf: split.no should be 3, is 2",
    "model-00004-of-00004.gguf: split.count should be 4, is 3",
    /blk\.\d\.\w+\.weight is in model-00002-of-00004\.gguf and in model-00003-of-00004\.gguf/,
    /split\.tensors\.count is 57, the parts hold \d+ tensors/,
  );
});

test("a part under another name says how the others would be found", async () => {
  const path = writeBytes(temporaryFolder(), "renamed.gguf", parts.get(names[1])!);
  await assertRejects(() => readLlamaBlocks(path), "bad-file", "part 2 of 4", "-00002-of-00004.gguf");
});

test("a folder holds one model where all its files are parts of one, else there is a choice to be made", () => {
  assert.deepEqual(ggufModels([...names, "README.md"]), [names[0]]);
  assert.deepEqual(ggufModels(["q4/a-00002-of-00003.gguf", "q8/a.gguf"]), [
    "q4/a-00001-of-00003.gguf",
    "q8/a.gguf",
  ]);
  assert.deepEqual(ggufModels(["a-00001-of-00001.gguf", "a-00004-of-00003.gguf"]).length, 2);
});
