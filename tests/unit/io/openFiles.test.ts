import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { streamOf } from "../../../src/core/hostTensor";
import { keepWeights, readMaeCheckpoint, writeWeights } from "../../../src/io/checkpoint";
import { readLlamaBlocks } from "../../../src/io/llama/weights";
import { readAdapter } from "../../../src/io/peft/peft";
import { writeSafetensors } from "../../../src/io/safetensors";
import { writeTorchCheckpoint } from "../../../src/io/torch";
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
