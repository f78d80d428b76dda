import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { streamOf } from "../../../src/core/hostTensor";
import { forEachJsonPart, readJsonObject } from "../../../src/io/bytes";
import { keepWeights, openCheckpoint, readMaeCheckpoint, writeWeights } from "../../../src/io/checkpoint";
import { readLlamaBlocks } from "../../../src/io/llama/weights";
import { readAdapter } from "../../../src/io/peft/peft";
import { readTrainingCheckpoint, writeTrainingCheckpoint } from "../../../src/io/runs";
import { writeSafetensors } from "../../../src/io/safetensors";
import { readTable, tableOf, writeTable } from "../../../src/io/tables";
import { writeTorchCheckpoint } from "../../../src/io/torch";
import { describe, float32, ggufSplit, written } from "./ggufModel";
import { partOf } from "./parallelModel";
import { eighths, temporaryFolder, tinyLanguageModel, writeBytes } from "./support";

const skip = existsSync("/proc/self/fd") ? false : "this system does not tell which files are open";

/** Files below a folder that this process has open. */
function openIn(folder: string): string[] {
  const links = readdirSync("/proc/self/fd").flatMap((name) => {
    try {
      return [readlinkSync(join("/proc/self/fd", name))];
    } catch {
      return [];
    }
  });
  return links.filter((path) => path.startsWith(folder));
}

const config = { model: "a" };
const model = tinyLanguageModel(2);

/** Opens weights, looks at all of them and closes them. */
async function openAll(path: string): Promise<void> {
  const file = await openCheckpoint(path);
  await file.infos(file.names);
  await file.close();
}

/** How files are read, and a folder with a good one. */
const readers: Record<string, (folder: string) => Promise<[path: string, read: () => Promise<unknown>]>> = {
  "weights of a run, once closed": async (folder) => {
    const path = join(folder, "model.safetensors");
    await writeWeights(path, streamOf(new Map([["w", eighths([4, 4])]])), config);
    return [path, async () => (await keepWeights(path, config)).close()];
  },
  "a torch checkpoint": async (folder) => {
    const path = join(folder, "model.pth");
    await writeTorchCheckpoint(path, new Map([["w", eighths([4, 4])]]));
    return [path, () => readMaeCheckpoint(path)];
  },
  "a block of a language model": async (folder) => {
    const path = join(folder, "llama.safetensors");
    await writeSafetensors(path, tinyLanguageModel(2));
    return [path, () => readLlamaBlocks(path, { block: 1, heads: 2 })];
  },
  "a language model in several GGUF files": async (folder) => {
    const parts = ggufSplit(describe("llama", 2), written(model, float32), 3);
    for (const [name, bytes] of parts) writeBytes(folder, name, bytes);
    return [join(folder, "model-00003-of-00003.gguf"), () => openAll(folder)];
  },
  "a language model in several torch files": async (folder) => {
    const paths = [0, 1].map((part) => join(folder, `consolidated.0${part}.pth`));
    for (const [part, path] of paths.entries()) await writeTorchCheckpoint(path, partOf(model, part, 2, 1));
    return [paths[1], () => openAll(folder)];
  },
  "weights in several files with an index": async (folder) => {
    const files = ["one.safetensors", "two.safetensors"];
    for (const file of files) await writeSafetensors(join(folder, file), new Map([[file, eighths([9])]]));
    const map = Object.fromEntries(files.map((file) => [file, file]));
    writeBytes(folder, "model.safetensors.index.json", JSON.stringify({ weight_map: map }));
    return [join(folder, files[1]), () => readMaeCheckpoint(folder)];
  },
  "a checkpoint of a run, once closed": async (folder) => {
    const stream = streamOf(new Map([["w", eighths([4])]]));
    const place = await writeTrainingCheckpoint(folder, 1, { model: stream, optimizer: stream, state: {} });
    return [join(place, "optimizer.safetensors"), async () => (await readTrainingCheckpoint(place)).close()];
  },
  "an object in JSON": async (folder) => {
    const path = writeBytes(folder, "a.json", '{"a": "a long text"}');
    return [path, () => readJsonObject(path)];
  },
  "entries in JSON": async (folder) => {
    const path = writeBytes(folder, "a.json", '["a long text", "another"]');
    return [path, () => forEachJsonPart(path, () => {})];
  },
  "an Arrow table": async (folder) => {
    const path = join(folder, "a.arrow");
    await writeTable(path, tableOf({ a: [1, 2] }));
    return [path, () => readTable(path)];
  },
  "an adapter": async (folder) => {
    const path = join(folder, "adapter_model.safetensors");
    const name = (part: string) => `base_model.model.model.layers.0.self_attn.q_proj.lora_${part}.weight`;
    const tensors = [
      [name("A"), eighths([2, 16])],
      [name("B"), eighths([16, 2])],
    ] as const;
    await writeSafetensors(path, new Map(tensors));
    const json = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["q_proj"] };
    writeBytes(folder, "adapter_config.json", JSON.stringify(json));
    return [path, () => readAdapter(folder)];
  },
};

for (const [kind, make] of Object.entries(readers)) {
  test(`${kind}: no file stays open, whether it was good, cut off or something else`, { skip }, async () => {
    const folder = temporaryFolder();
    const [path, read] = await make(folder);
    await read();
    assert.deepEqual(openIn(folder), []);
    const { length } = readFileSync(path);
    for (const damage of [() => truncateSync(path, length - 8), () => writeFileSync(path, "no weights")]) {
      damage();
      await assert.rejects(read, LuvitError);
      assert.deepEqual(openIn(folder), []);
    }
  });
}
