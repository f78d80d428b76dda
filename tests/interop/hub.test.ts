import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readLlamaBlocks } from "../../src/io/llama/weights";
import { commit } from "../support/hubImitation";
import { asking, startHub, writeCheckpoint } from "../unit/io/hub/support";
import { temporaryFolder } from "../unit/io/support";
import { runPython, unlessPythonHas } from "./python";

interface Found {
  texts: Record<string, string>;
  weights: string;
  warnings: string[];
  repo: string;
  refs: string[];
  commit: string;
}

const skip = unlessPythonHas("huggingface_hub");

test("huggingface_hub finds the small files that were cached here, and nothing amiss", { skip }, async () => {
  const folder = temporaryFolder();
  await writeCheckpoint(folder);
  const options = asking(await startHub({ folder }));
  await readLlamaBlocks("org/name", { block: 2, ...options });
  const found = runPython<Found>("hub_cache.py", options.hub.cache, "org/name");
  for (const [name, text] of Object.entries(found.texts))
    assert.equal(text, readFileSync(join(folder, name), "utf8"), name);
  assert.equal(found.weights, "None", "a part of a file is not taken for the file");
  assert.deepEqual(found.warnings, []);
  assert.deepEqual([found.repo, found.refs, found.commit], ["org/name", ["main"], commit]);
});
