import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import { type ByteSource, fileSource } from "./byteSource";

/** Where the files of a checkpoint are found and opened. */
export interface CheckpointPlace {
  /** The file or index to open. */
  readonly source: string;
  exists(path: string): Promise<boolean>;
  open(path: string): Promise<ByteSource>;
}

/** What a folder may hold, in the order it is looked for. */
const FOLDER_CONTENTS = [
  "model.safetensors.index.json",
  "model.safetensors",
  "pytorch_model.bin.index.json",
  "pytorch_model.bin",
  "consolidated.safetensors",
] as const;

/** A checkpoint of this machine. Throws LuvitError "missing-file" saying what was looked for and what is there. */
export async function localPlace(path: string): Promise<CheckpointPlace> {
  return { source: await findWeights(path), exists, open: fileSource };
}

/** The file to open for a path given by a person. */
async function findWeights(path: string): Promise<string> {
  const status = await stat(path).catch(() => undefined);
  if (!status) return failMissing(path);
  return status.isDirectory() ? join(path, chooseWeights(path, await readdir(path))) : path;
}

/**
 * The file among `present` to open for a folder, or repository, of that name.
 * Throws LuvitError "missing-file" listing what is there, "bad-file" for a model split for model parallelism.
 */
export function chooseWeights(folder: string, present: readonly string[]): string {
  const known = FOLDER_CONTENTS.find((name) => present.includes(name));
  if (known) return known;
  const torchFiles = present.filter((name) => name.endsWith(".pth")).sort();
  const parallel = torchFiles.filter((name) => /^consolidated\.\d+\.pth$/.test(name));
  if (parallel.length > 1) {
    throw new LuvitError(
      "bad-file",
      `${folder}: the model is split over ${parallel.length} files (${parallel.join(", ")}) for model parallelism; ` +
        "only models in one consolidated.00.pth can be read (LLaMA-7B is). Use its Hugging Face form instead.",
    );
  }
  if (torchFiles.length > 0) return torchFiles[0];
  const ggufFiles = present.filter((name) => name.endsWith(".gguf"));
  if (ggufFiles.length === 1) return ggufFiles[0];
  const wanted = [...FOLDER_CONTENTS, "*.pth", "one *.gguf"].join(", ");
  throw new LuvitError("missing-file", `${folder}: looked for ${wanted}; it holds\n${listContents(present)}`);
}

async function failMissing(path: string): Promise<never> {
  const folder = dirname(path);
  const present = await readdir(folder).catch(() => undefined);
  const beside = present
    ? `${folder} holds\n${listContents(present)}`
    : `there is no folder ${folder} either`;
  throw new LuvitError("missing-file", `${path}: no such file or folder; ${beside}`);
}

function listContents(names: readonly string[]): string {
  return names.length === 0 ? "  nothing" : listOffenders(names.slice().sort(), 20);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
