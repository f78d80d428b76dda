import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { before, test } from "node:test";
import { type ByteSource, memorySource } from "../../../src/io/bytes/byteSource";
import { openCheckpointAt } from "../../../src/io/checkpoint/checkpoint";
import { writeTorchCheckpoint } from "../../../src/io/torch/torchWriter";
import { end, fuzz, insertOpcodes, type Load, start, timeout } from "./fuzz";
import { describe, float32, ggufSplit, grouped, written } from "./ggufModel";
import { partOf } from "./parallelModel";
import { temporaryFolder, tinyLanguageModel } from "./support";

const folder = temporaryFolder();
const model = tinyLanguageModel(1, grouped);

/** Reads all tensors of a model in several files, one of which is the given one. */
function loadWith(files: ReadonlyMap<string, Uint8Array>, changed: string): Load {
  const [first] = files.keys();
  return async (source: ByteSource) => {
    const file = await openCheckpointAt({
      source: join(folder, first),
      beside: [...files.keys()],
      exists: async () => true,
      open: async (path) => {
        const name = basename(path);
        return name === changed ? source : memorySource(name, files.get(name) ?? new Uint8Array());
      },
    });
    const tensors = await file.readTensors(file.names);
    await file.close();
    return tensors;
  };
}

const parallel = new Map<string, Uint8Array>();
before(async () => {
  for (const part of [0, 1]) {
    const name = `consolidated.0${part}.pth`;
    await writeTorchCheckpoint(join(folder, name), partOf(model, part, 2, 1), { dtype: "F16" });
    parallel.set(name, new Uint8Array(readFileSync(join(folder, name))));
  }
});

for (const changed of ["consolidated.00.pth", "consolidated.01.pth"]) {
  test(`parts of a model with a mutated ${changed} load or are refused by LuvitError`, { timeout }, () => {
    const bytes = parallel.get(changed)!;
    const samples = [{ ...start(bytes, 3000), fieldChange: insertOpcodes }, end(bytes, 1600)];
    return fuzz(changed, samples, loadWith(parallel, changed));
  });
}

test("parts of a GGUF model, one of them mutated, load or are refused by LuvitError", {
  timeout,
}, async () => {
  const files = ggufSplit(describe("llama", 1), written(model, float32), 3);
  const [, changed] = files.keys();
  await fuzz(changed, [start(files.get(changed)!, 600)], loadWith(files, changed));
});
