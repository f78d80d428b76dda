import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { brief } from "../../core/brief";
import { LuvitError, listOffenders } from "../../core/errors";
import { readWholeText } from "../../core/readWhole";
import type { Features } from "../tables";

/** The files of one split, in order, and what a description beside them says of the columns. */
export interface ShardFiles {
  readonly files: string[];
  readonly features: Features;
  /** Other table files, below the folder of the set, which belong to no split or to none that was asked for. */
  readonly notTaken: string[];
}

/** What `save_to_disk` wrote, alone or below `dataset_dict.json`; undefined for other folders. */
export async function savedToDisk(folder: string, split: string): Promise<ShardFiles | undefined> {
  const dict = join(folder, "dataset_dict.json");
  if (existsSync(dict)) {
    const { splits } = (await readJson(dict)) as { splits?: unknown };
    const names = Array.isArray(splits) ? splits.map(String) : [];
    if (names.includes(split)) return savedToDisk(join(folder, split), split);
    const found = `found ${names.join(", ") || "none"}`;
    throw new LuvitError("missing-file", `${folder}: looked for the split ${split}, ${found}`);
  }
  const state = join(folder, "state.json");
  if (!existsSync(state)) return undefined;
  const { _data_files: list } = (await readJson(state)) as { _data_files?: unknown };
  const names = Array.isArray(list) ? list.map((entry) => entry?.filename as unknown) : [];
  const missing = names.filter(
    (name) => typeof name !== "string" || !existsSync(join(folder, basename(name))),
  );
  if (names.length === 0 || missing.length > 0) {
    const found =
      names.length === 0
        ? "names no files"
        : `names files that are missing:\n${listOffenders(missing.map((name) => (typeof name === "string" ? name : brief(name))))}`;
    throw new LuvitError("bad-dataset", `${state} ${found}`);
  }
  const files = names.map((name) => join(folder, basename(name as string)));
  return { files, features: await featuresBeside(folder), notTaken: [] };
}

/** What `dataset_info.json` says of the columns of the files beside it. */
export async function featuresBeside(folder: string): Promise<Features> {
  const info = join(folder, "dataset_info.json");
  if (!existsSync(info)) return {};
  return ((await readJson(info)) as { features?: Features }).features ?? {};
}

async function readJson(path: string): Promise<object> {
  try {
    const value: unknown = JSON.parse(await readWholeText(path));
    if (typeof value === "object" && value !== null) return value;
  } catch (cause) {
    throw new LuvitError("bad-file", `${path}: ${(cause as Error).message}`, { cause });
  }
  throw new LuvitError("bad-file", `${path}: expected an object in JSON`);
}
