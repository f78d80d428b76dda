import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { parse } from "yaml";
import { brief } from "../../core/brief";
import { LuvitError } from "../../core/errors";
import { readWholeText } from "../../core/readWhole";

/** A configuration that a data set's card describes. */
export interface CardConfig {
  readonly name: string;
  /** Globs of the files of each split; absent where their names say it. */
  readonly splits?: ReadonlyMap<string, readonly string[]>;
  /** Folder of its files. */
  readonly folder?: string;
  readonly isDefault: boolean;
}

/**
 * Configurations from `configs` at the head of a README.md; none where it has no such list.
 *
 * @throws LuvitError("bad-dataset") for a head that cannot be read.
 */
export async function cardConfigs(folder: string): Promise<CardConfig[]> {
  const path = join(folder, "README.md");
  if (!existsSync(path)) return [];
  const text = (await readWholeText(path)).replace(/^\uFEFF/, "");
  const [, head] = /^---\r?\n(.*?)\r?\n---\s*(?:\r?\n|$)/s.exec(text) ?? [];
  if (head === undefined) return [];
  try {
    const { configs } = (parse(head, { logLevel: "error" }) ?? {}) as { configs?: unknown };
    return Array.isArray(configs) ? configs.map(configOf) : [];
  } catch (cause) {
    throw new LuvitError("bad-dataset", `${path}: its head cannot be read (${(cause as Error).message})`, {
      cause,
    });
  }
}

function configOf(config: Record<string, unknown>): CardConfig {
  if (typeof config?.config_name !== "string") throw new Error("a configuration without config_name");
  return {
    name: config.config_name,
    splits: config.data_files === undefined ? undefined : splitsOf(config.data_files),
    folder: typeof config.data_dir === "string" ? inside(config.data_dir) : undefined,
    isDefault: config.default === true || config.config_name === "default",
  };
}

/** A card says where its set's files are, not where others' are. */
function inside(folder: string): string {
  if (!isAbsolute(folder) && !folder.split(/[\\/]/).includes("..")) return folder;
  throw new Error(`data_dir leads out of the set's folder: ${brief(folder)}`);
}

/** A glob, a list of them, or a list of {split, path}. */
function splitsOf(files: unknown): ReadonlyMap<string, readonly string[]> {
  const list = Array.isArray(files) ? files : [files];
  if (list.every((entry) => typeof entry === "string")) return new Map([["train", list]]);
  const splits = new Map<string, readonly string[]>();
  for (const entry of list) {
    const paths = Array.isArray(entry?.path) ? entry.path : [entry?.path];
    if (typeof entry?.split !== "string" || !paths.every((path: unknown) => typeof path === "string"))
      throw new Error("data_files that are no globs and no list of split and path");
    if (splits.has(entry.split))
      throw new Error(`data_files that list the split ${brief(entry.split)} twice`);
    splits.set(entry.split, paths);
  }
  return splits;
}
