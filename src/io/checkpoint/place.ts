import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { type ByteSource, fileSource } from "../bytes";
import { ggufModels } from "./ggufNames";

/** Where the files of a checkpoint are found and opened. */
export interface CheckpointPlace {
  /** The file or index to open. */
  readonly source: string;
  /** Names of the files in its folder. */
  readonly beside: readonly string[];
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

/**
 * A checkpoint of this machine.
 *
 * @throws LuvitError("missing-file") saying what was looked for and what is there.
 */
export async function localPlace(path: string): Promise<CheckpointPlace> {
  const source = await findWeights(path);
  return { source, beside: await readdir(dirname(source)), exists, open: fileSource };
}

/** The file to open for a path given by a person. */
async function findWeights(path: string): Promise<string> {
  const status = await stat(path).catch(() => undefined);
  if (!status) return failMissing(path);
  return status.isDirectory() ? join(path, chooseWeights(path, await readdir(path))) : path;
}

/**
 * The file among `present` to open for a folder, or repository, of that name.
 *
 * @throws LuvitError("missing-file") listing what is there.
 */
export function chooseWeights(folder: string, present: readonly string[]): string {
  const known = FOLDER_CONTENTS.find((name) => present.includes(name));
  if (known) return known;
  const [torchFile] = present.filter((name) => name.endsWith(".pth")).sort();
  if (torchFile !== undefined) return torchFile;
  const models = ggufModels(present);
  if (models.length === 1) return models[0];
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
