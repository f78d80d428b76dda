import { LuvitError, listOffenders } from "../../core/errors";
import { checkOptions } from "../../core/options";
import { SkipReport } from "../dataset";
import { cacheOf, type ImageFolderOptions, transformOf } from "../imageFolder";
import { folderArgument, huggingFaceOptions } from "../options";
import { openArrowShard } from "../tables/arrowShard";
import { openParquetShard } from "../tables/parquetShard";
import type { ColumnChoice, Features, PictureShard } from "../tables/pictureTable";
import { RecentGroups } from "../tables/recentGroups";
import { TableDataset, type TableRows } from "../tables/tableDataset";
import { shardFiles } from "./shardFiles";

/** Which part of a Hugging Face data set is read, and how. */
export interface HuggingFaceOptions extends ImageFolderOptions {
  /** Default "train". */
  split?: string;
  /** Folder of a configuration where there are several. */
  config?: string;
  /** Column with the pictures; default the one declared as Image, else "image". */
  image?: string;
  /** Column with the labels, or false for none; default the one declared as ClassLabel, else "label". */
  label?: string | false;
  /** Bytes of stored row groups kept in memory; default 256 MB. */
  groupCache?: number;
}

const defaultGroupBytes = 256e6;
/** Without class names every number up to the largest is one. */
const mostClasses = 30_000;

/**
 * Pictures in Parquet or Arrow files, as on the Hugging Face hub, in the cache of `load_dataset` or written by
 * `save_to_disk`; see `shardFiles` for the layouts. Row groups are read by range; shuffling goes through a few groups at
 * a time, so that each is read about once per epoch. Class names come from the ClassLabel feature, from text labels, or
 * are numbers.
 *
 * Throws "missing-file", "bad-file" or "bad-dataset" with what was looked for and what was found.
 */
export async function huggingFace(source: string, options: HuggingFaceOptions = {}): Promise<TableDataset> {
  checkOptions("data.huggingFace", folderArgument, { root: source });
  checkOptions("data.huggingFace", huggingFaceOptions, options);
  const { split = "train", config, groupCache = defaultGroupBytes } = options;
  const { files, features } = await shardFiles(source, split, config);
  const recent = new RecentGroups(groupCache);
  const columns = columnsOf(options, features);
  const shards: PictureShard[] = [];
  for (const file of files) shards.push(await openShard(file, columns, recent));
  const declared = { ...shards[0].features, ...features };
  const { classes, labels } = labelsOf(source, shards, declared);
  const rows = rowsOf(shards, labels);
  if (labels.length === 0) throw new LuvitError("bad-dataset", `${source}: ${split} has no rows`);
  const cache = cacheOf({ exif: "ignore", ...options });
  return new TableDataset(
    source,
    classes,
    shards,
    rows,
    transformOf(options),
    cache,
    recent,
    new SkipReport(),
  );
}

function openShard(file: string, columns: ColumnChoice, recent: RecentGroups): Promise<PictureShard> {
  return file.endsWith(".arrow")
    ? openArrowShard(file, columns, recent)
    : openParquetShard(file, columns, recent);
}

/** Column names that were given, else those that the features declare. */
function columnsOf({ image, label }: HuggingFaceOptions, described: Features): ColumnChoice {
  return (stored) => {
    const features = { ...stored, ...described };
    const ofType = (type: string) => Object.keys(features).find((name) => features[name]?._type === type);
    const images = image ?? ofType("Image") ?? "image";
    if (label === false) return { image: images };
    return { image: images, label: label ?? ofType("ClassLabel") ?? "label" };
  };
}

function labelsOf(
  source: string,
  shards: readonly PictureShard[],
  features: Features,
): { classes: string[]; labels: Int32Array } {
  const { label } = shards[0].columns;
  const stored = shards.flatMap(({ labels, rows }) => labels ?? new Array<null>(rows).fill(null));
  if (label === undefined) return { classes: ["picture"], labels: new Int32Array(stored.length) };
  const texts = stored.filter((value) => typeof value === "string");
  const names = features[label]?.names ?? (texts.length > 0 ? [...new Set(texts)].sort() : undefined);
  const numbers = stored.filter((value) => typeof value === "number");
  const most = numbers.reduce((a, b) => Math.max(a, b), -1);
  if (!names && most >= mostClasses) {
    const hint = "numbers this large are no classes; name another column with label, or give label: false";
    throw new LuvitError("bad-dataset", `${source}: labels up to ${most} in column ${label}; ${hint}`);
  }
  const classes = names ? [...names] : Array.from({ length: most + 1 }, (_, i) => String(i));
  const byName = new Map(classes.map((name, i) => [name, i]));
  const labels = Int32Array.from(stored, (value) =>
    typeof value === "string" ? (byName.get(value) ?? -1) : (value ?? -1),
  );
  const wrong = [...labels.keys()].filter((row) => !(labels[row] >= 0 && labels[row] < classes.length));
  if (wrong.length > 0) {
    const lines = wrong.slice(0, 5).map((row) => `row ${row}: ${stored[row]}`);
    const hint = "splits without labels hold -1: give label: false to use the pictures alone";
    throw new LuvitError(
      "bad-dataset",
      `${source}: ${wrong.length} labels in column ${label} are none of the ${classes.length} classes; ${hint}\n${listOffenders(lines)}`,
    );
  }
  return { classes, labels };
}

function rowsOf(shards: readonly PictureShard[], labels: Int32Array): TableRows {
  const rows = {
    labels,
    shard: new Int32Array(labels.length),
    row: new Int32Array(labels.length),
    group: new Int32Array(labels.length),
  };
  let at = 0;
  let groups = 0;
  for (const [index, shard] of shards.entries()) {
    for (let row = 0, group = -1; row < shard.rows; row++, at++) {
      while (group + 1 < shard.groups.length && shard.groups[group + 1] <= row) group++;
      rows.shard[at] = index;
      rows.row[at] = row;
      rows.group[at] = groups + group;
    }
    groups += shard.groups.length;
  }
  return rows;
}
