/*
 * A process of its own that is told nothing of models: node loadChild.js <namespace> <folder> … for several. Prints for
 * each the SHA-256 of what the model gives for a fixed input, and what it prints as.
 */
import { createHash } from "node:crypto";
import { startBackend } from "../../../src/core/tf";
import { classifier, llama, mae, segmenter } from "../../../src/models";
import type { SavableModel } from "../../../src/models/savable";
import { outputOf } from "./savedModels";

async function main(words: readonly string[]): Promise<void> {
  await startBackend({ backend: "wasm" });
  const namespaces = { classifier, llama, mae, segmenter };
  for (let i = 0; i < words.length; i += 2) {
    const { load } = namespaces[words[i] as keyof typeof namespaces];
    const model: SavableModel = await load(words[i + 1]);
    const bytes = new Uint8Array((await outputOf(model)).buffer);
    console.log(createHash("sha256").update(bytes).digest("hex"), String(model));
  }
}

void main(process.argv.slice(2));
