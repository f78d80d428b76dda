import assert from "node:assert/strict";
import { test } from "node:test";
import { gitLfsPointer } from "../../../../src/core/gitLfsPointer";
import { readJsonObject } from "../../../../src/io/bytes/jsonFile";
import { openCheckpoint } from "../../../../src/io/checkpoint/checkpoint";
import { readMaeCheckpoint } from "../../../../src/io/checkpoint/maeCheckpoint";
import { readLlamaBlocks } from "../../../../src/io/llama/weights";
import { readAdapter } from "../../../../src/io/peft/peft";
import { assertRejects, temporaryFolder, writeBytes } from "../support";

const pointer = `version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 12345
`;
const said = ["Git LFS pointer", "12345 bytes", "git lfs pull"];

for (const name of [
  "a.safetensors",
  "a.pth",
  "a.bin",
  "a.gguf",
  "weights",
  "a-00001-of-00002.gguf",
  "consolidated.00.pth",
]) {
  test(`a Git LFS pointer in place of ${name} is called that`, async () => {
    const folder = temporaryFolder();
    const path = writeBytes(folder, name, pointer);
    if (name.includes("-of-")) writeBytes(folder, "a-00002-of-00002.gguf", pointer);
    for (const open of [openCheckpoint, readLlamaBlocks, readMaeCheckpoint])
      await assertRejects(() => open(path), "bad-file", name, ...said);
  });
}

test("so is one in place of a config, an index or an adapter", async () => {
  const folder = temporaryFolder();
  const config = writeBytes(folder, "adapter_config.json", pointer);
  writeBytes(folder, "model.safetensors.index.json", pointer.replaceAll("\n", "\r\n"));
  await assertRejects(() => readJsonObject(config), "bad-file", ...said);
  await assertRejects(() => readAdapter(folder), "bad-file", "adapter_config.json", ...said);
  await assertRejects(() => openCheckpoint(folder), "bad-file", "index.json", ...said);
  writeBytes(folder, "adapter_config.json", '{"peft_type": "LORA"}');
  writeBytes(folder, "adapter_model.safetensors", pointer);
  await assertRejects(() => readAdapter(folder), "bad-file", "adapter_model.safetensors", ...said);
});

test("older servers' pointers are known, and other short texts are none", () => {
  const bytes = (text: string) => Buffer.from(text);
  assert.match(
    gitLfsPointer(bytes("version https://hawser.github.com/spec/v1\noid sha256:0\n"))!,
    /git lfs pull/,
  );
  for (const text of [
    "",
    "version 3\n",
    " version https://git-lfs.github.com/spec/v1\n",
    "version https://example.com/x\n",
  ])
    assert.equal(gitLfsPointer(bytes(text)), undefined);
});
