import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, extname, join, relative, sep } from "node:path";
import { LuvitError } from "../../core/errors";
import { type CardConfig, cardConfigs } from "./datasetCard";
import { featuresBeside, type ShardFiles, savedToDisk } from "./savedToDisk";
import { isUsual, matching, namedAfter, type Splits, splitsOf, usualName } from "./splitPatterns";

/** In the order in which they are preferred. */
const tableEndings = [".parquet", ".arrow"];

/**
 * Files of a split below a file or folder of the `datasets` package or of the Hugging Face hub: one table file; a folder
 * of `save_to_disk` (`state.json`), alone or below `dataset_dict.json`; or a folder of table files, which the README.md
 * of the set or their names sort into splits, as load_dataset does: see `splitsOf`.
 *
 * @throws LuvitError("missing-file" | "bad-dataset") naming shards that are missing.
 */
export async function shardFiles(source: string, split: string, config?: string): Promise<ShardFiles> {
  const kind = await stat(source).catch(() => undefined);
  if (!kind) throw new LuvitError("missing-file", `${source}: no such file or folder`);
  if (!kind.isFile()) return (await savedToDisk(source, split)) ?? fromFolder(source, split, config);
  if (tableEndings.includes(extname(source))) {
    return { files: [source], features: await featuresBeside(dirname(source)), notTaken: [] };
  }
  throw new LuvitError("bad-dataset", `${source}: expected a file *.parquet or *.arrow, or a folder of them`);
}

async function fromFolder(folder: string, split: string, config: string | undefined): Promise<ShardFiles> {
  const described = await configFor(folder, config);
  const below = described ? join(folder, described.folder ?? "") : join(folder, config ?? "");
  const { tables, others } = await filesBelow(below);
  const splits = described?.splits ? listedSplits(described.splits, tables) : splitsOf(tables);
  const found = filesOf(split, splits, tables, described);
  const inSplits = new Set([...splits.values()].flat());
  const inNone = tables.filter((path) => !inSplits.has(path));
  if (found.length === 0) throw noSplit(below, split, splits, inNone.length > 0 ? inNone : others);
  const ending = usualEnding(found);
  const taken = found.filter((path) => extname(path) === ending);
  const files = taken.map((path) => join(below, path));
  expectAllShards(files);
  const folders = new Set(files.map((file) => dirname(file)));
  return {
    files,
    features: folders.size === 1 ? await featuresBeside(dirname(files[0])) : {},
    notTaken: [...inNone, ...found].filter((path) => !taken.includes(path)),
  };
}

/** The configuration of a set's card that is asked for, or the only one, or the default; undefined where it has none. */
async function configFor(folder: string, config: string | undefined): Promise<CardConfig | undefined> {
  const configs = await cardConfigs(folder);
  const chosen =
    config === undefined && configs.length === 1
      ? configs[0]
      : configs.find(({ name, isDefault }) => (config === undefined ? isDefault : name === config));
  if (chosen || configs.length === 0 || (config !== undefined && existsSync(join(folder, config))))
    return chosen;
  const asked = config === undefined ? "has several" : `has no ${config}`;
  const names = configs.map(({ name }) => name).join(", ");
  throw new LuvitError("bad-dataset", `${folder}: its README.md ${asked}; name one with config: ${names}`);
}

function listedSplits(listed: ReadonlyMap<string, readonly string[]>, tables: readonly string[]): Splits {
  return new Map([...listed].map(([split, patterns]) => [split, matching(patterns, tables)]));
}

/** By the names that load_dataset gives; a name of one's own also where files only carry it. */
function filesOf(
  split: string,
  splits: Splits,
  tables: readonly string[],
  described: CardConfig | undefined,
): readonly string[] {
  const alike = [...splits.keys()].find((name) => usualName(name) === usualName(split));
  const known = splits.get(split) ?? (alike === undefined ? undefined : splits.get(alike));
  return known ?? (described?.splits || isUsual(split) ? [] : namedAfter(split, tables));
}

/** Files below a folder, by their paths from there: neither hidden ones nor the notes of `map` and of Python. */
async function filesBelow(folder: string): Promise<{ tables: string[]; others: string[] }> {
  if (!existsSync(folder)) throw new LuvitError("missing-file", `${folder}: no such folder`);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: Error) => {
    throw new LuvitError("bad-dataset", `${folder}: cannot be looked through (${cause.message})`, { cause });
  });
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) =>
      relative(folder, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join("/"),
    )
    .filter((path) => !path.split("/").some((part) => part.startsWith(".")))
    .filter(
      (path) =>
        !dirname(path)
          .split("/")
          .some((part) => part.startsWith("__")),
    )
    .sort();
  const isTable = (path: string) =>
    tableEndings.includes(extname(path)) && !basename(path).startsWith("cache-");
  return { tables: paths.filter(isTable), others: paths.filter((path) => !isTable(path)) };
}

/** Files of a split are read in one way: in that of most of them. */
function usualEnding(paths: readonly string[]): string {
  const count = (ending: string) => paths.filter((path) => extname(path) === ending).length;
  return tableEndings.reduce((best, ending) => (count(ending) > count(best) ? ending : best));
}

const numbered = /^(.*?)-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.(?:parquet|arrow)$/;

/** Files that say how many there are must all be there. */
function expectAllShards(files: readonly string[]): void {
  const sets = new Map<string, { name: string; folder: string; count: number; numbers: Set<number> }>();
  for (const file of files) {
    const [, name, number, count] = numbered.exec(basename(file)) ?? [];
    if (name === undefined) continue;
    const folder = dirname(file);
    const key = JSON.stringify([folder, name, count]);
    const known = sets.get(key) ?? { name, folder, count: Number(count), numbers: new Set() };
    sets.set(key, known);
    known.numbers.add(Number(number));
  }
  for (const { name, folder, count, numbers } of sets.values()) {
    const found = [...numbers].filter((number) => number < count).length;
    if (found === count) continue;
    const missing = Array.from({ length: Math.min(count, found + 21) }, (_, i) => i)
      .filter((i) => !numbers.has(i))
      .map((i) => String(i).padStart(5, "0"));
    const list = `${missing.slice(0, 20).join(", ")}${count - found > 20 ? " …" : ""}`;
    throw new LuvitError(
      "bad-dataset",
      `${name}: found ${found} of ${count} shards in ${folder}, missing: ${list || "none"}`,
    );
  }
}

function noSplit(folder: string, split: string, splits: Splits, others: readonly string[]): LuvitError {
  const wanted = `${folder}: looked for the split ${split}`;
  const names = [...splits].map(
    ([name, files]) => `${name} (${files.length} file${files.length === 1 ? "" : "s"})`,
  );
  const found = names.length > 0 ? names.join(", ") : "no *.parquet and no *.arrow files";
  const rest = others.length > 10 ? ` and ${others.length - 10} more` : "";
  const beside = others.length > 0 ? `; in no split: ${others.slice(0, 10).join(", ")}${rest}` : "";
  return new LuvitError("missing-file", `${wanted}, found ${found}${beside}`);
}
