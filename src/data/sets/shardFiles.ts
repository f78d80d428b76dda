import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import type { Features } from "../tables/pictureTable";

/** The files of one split, in order, and what a description beside them says of the columns. */
export interface ShardFiles {
  readonly files: string[];
  readonly features: Features;
}

const tableEndings = [".parquet", ".arrow"];

/**
 * Files of a split below a file or folder of the `datasets` package or of the Hugging Face hub: one table file; a folder
 * of `save_to_disk` (`state.json`), alone or below `dataset_dict.json`; `data/<split>-00000-of-000NN.parquet`, also below
 * a configuration's folder; `<split>/0000.parquet`; or `<name>-<split>-….arrow` of `load_dataset`'s cache.
 *
 * Throws "missing-file" or "bad-dataset", naming shards that are missing.
 */
export async function shardFiles(source: string, split: string, config?: string): Promise<ShardFiles> {
  const kind = await stat(source).catch(() => undefined);
  if (!kind) throw new LuvitError("missing-file", `${source}: no such file or folder`);
  if (kind.isFile()) {
    if (tableEndings.includes(extname(source))) return described(dirname(source), [source]);
    throw new LuvitError(
      "bad-dataset",
      `${source}: expected a file *.parquet or *.arrow, or a folder of them`,
    );
  }
  return (await savedToDisk(source, split)) ?? fromFolder(source, split, config);
}

async function savedToDisk(folder: string, split: string): Promise<ShardFiles | undefined> {
  const dict = join(folder, "dataset_dict.json");
  if (existsSync(dict)) {
    const { splits = [] } = (await readJson(dict)) as { splits?: string[] };
    if (!splits.includes(split)) throw noSplit(folder, split, splits);
    return savedToDisk(join(folder, split), split);
  }
  const state = join(folder, "state.json");
  if (!existsSync(state)) return undefined;
  const { _data_files: files } = (await readJson(state)) as { _data_files?: { filename: string }[] };
  const names = files?.map(({ filename }) => filename) ?? [];
  const missing = names.filter(
    (name) => typeof name !== "string" || !existsSync(join(folder, basename(name))),
  );
  if (names.length === 0 || missing.length > 0) {
    const found =
      names.length === 0 ? "names no files" : `names files that are missing:\n${listOffenders(missing)}`;
    throw new LuvitError("bad-dataset", `${state} ${found}`);
  }
  return described(
    folder,
    names.map((name) => join(folder, basename(name))),
  );
}

async function fromFolder(folder: string, split: string, config: string | undefined): Promise<ShardFiles> {
  const below = config === undefined ? folder : join(folder, config);
  const all = await tablesBelow(below);
  const splits = new Map<string, string[]>();
  for (const file of all) {
    const name = splitOf(file, below);
    splits.set(name, [...(splits.get(name) ?? []), file]);
  }
  const files = splits.get(split)?.sort();
  if (!files) throw noSplit(below, split, [...splits.keys()].sort());
  const folders = [...new Set(files.map((file) => dirname(file)))];
  if (folders.length > 1) {
    const hint = "name one with config";
    throw new LuvitError(
      "bad-dataset",
      `${below}: ${split} lies in ${folders.length} folders (${folders.join(", ")}); ${hint}`,
    );
  }
  expectAllShards(files);
  return described(folders[0], files);
}

async function tablesBelow(folder: string): Promise<string[]> {
  if (!existsSync(folder)) throw new LuvitError("missing-file", `${folder}: no such folder`);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory() && tableEndings.includes(extname(entry.name)))
    .filter((entry) => !entry.name.startsWith("cache-"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

const numbered = /^(.*?)-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.(?:parquet|arrow)$/;

/** `train` of `data/train-00000-of-00005.parquet`, `imagenet-train.arrow` and `train/0000.parquet`. */
function splitOf(file: string, below: string): string {
  const name = basename(file);
  const stem = numbered.exec(name)?.[1] ?? name.slice(0, -extname(name).length);
  if (/^\d+$/.test(stem) && dirname(file) !== below) return basename(dirname(file));
  return name.endsWith(".arrow") ? stem.replace(/^.*-/, "") : stem;
}

function expectAllShards(files: readonly string[]): void {
  const parts = files.map((file) => numbered.exec(basename(file))).filter((part) => part !== null);
  if (parts.length === 0) return;
  const count = Number(parts[0][3]);
  const there = new Set(parts.map((part) => Number(part[2])));
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !there.has(i));
  if (missing.length === 0 && parts.length === count) return;
  const numbers = missing.map((i) => String(i).padStart(5, "0"));
  const found = `found ${files.length} of ${count} shards in ${dirname(files[0])}`;
  throw new LuvitError(
    "bad-dataset",
    `${parts[0][1]}: ${found}, missing: ${numbers.slice(0, 20).join(", ") || "none"}${numbers.length > 20 ? " …" : ""}`,
  );
}

function noSplit(folder: string, split: string, splits: readonly string[]): LuvitError {
  const found = splits.length > 0 ? `found ${splits.join(", ")}` : "found no *.parquet and no *.arrow files";
  return new LuvitError("missing-file", `${folder}: looked for the split ${split}, ${found}`);
}

async function described(folder: string, files: string[]): Promise<ShardFiles> {
  const info = join(folder, "dataset_info.json");
  if (!existsSync(info)) return { files, features: {} };
  const { features } = (await readJson(info)) as { features?: Features };
  return { files, features: features ?? {} };
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new LuvitError("bad-file", `${path}: ${(cause as Error).message}`, { cause });
  }
}
