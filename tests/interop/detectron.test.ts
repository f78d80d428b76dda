import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBackend } from "../../src/core/tf";
import { writeSafetensors } from "../../src/io/safetensors";
import { loadDetectorCheckpoint } from "../../src/models/detector/checkpoints";
import { create } from "../../src/models/detector/create";
import { toy } from "../../src/models/vit";
import { runPython, unlessPythonHas } from "./python";

const skip = unlessPythonHas("torch", "numpy", "safetensors");
const folder = mkdtempSync(join(tmpdir(), "luvit-detectron-"));
after(() => rmSync(folder, { recursive: true, force: true }));

before(() => startBackend({ backend: "wasm" }));

const vit = { ...toy, dim: 16, depth: 2, heads: 2, imageSize: 32 };
const rois = { channels: 8, hidden: 12, convolutions: 2 };
const detector = (seed: number) =>
  create({ encoder: vit, classes: 3, imageSize: 64, windowSize: 3, pyramid: 8, rois, seed });

test("what detectron2 and mmdetection write of a detector is read to the same numbers", {
  skip,
}, async () => {
  const state = await detector(1).stateDict();
  await writeSafetensors(join(folder, "model.safetensors"), state);
  const files = runPython<string[]>("detectron.py", folder);
  assert.equal(files.length, 10);
  for (const file of files) {
    const model = detector(2);
    const report = await loadDetectorCheckpoint(model, join(folder, file));
    assert.equal(report.loaded.length, state.size, file);
    for (const [name, { data }] of await model.stateDict())
      assert.deepEqual(
        Buffer.from(data.buffer, data.byteOffset, data.byteLength),
        bytesOf(state, name),
        `${file}: ${name}`,
      );
    model.dispose();
  }
});

function bytesOf(state: ReadonlyMap<string, { data: Float32Array }>, name: string): Buffer {
  const { data } = state.get(name)!;
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
