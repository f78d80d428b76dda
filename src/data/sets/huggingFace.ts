import { LuvitError } from "../../core/errors";
import { checkOptions, either, exactly, number, optionsOf, text } from "../../core/options";
import { SkipReport } from "../dataset";
import { cacheOf, type ImageFolderOptions, imageFolderOptions } from "../imageFolder";
import { folderArgument } from "../options";
import {
  type ColumnChoice,
  type Features,
  type ImageShard,
  openShard,
  RecentGroups,
  TableDataset,
  type TableRows,
} from "../tables";
import { evaluation } from "../transforms";
import { shardFiles } from "./shardFiles";
import { classesOf } from "./tableClasses";

/** Which part of a Hugging Face data set is read, and how. */
export interface HuggingFaceOptions extends ImageFolderOptions {
  /** Default "train". */
  split?: string;
  /** Folder of a configuration where there are several. */
  config?: string;
  /** Column with the images; default the one declared as Image, else "image". */
  image?: string;
  /** Column with the labels, or false for none; default the one declared as ClassLabel, else "label". */
  label?: string | false;
  /** Bytes of stored row groups kept in memory; default 256 MB. */
  groupCache?: number;
}

export const huggingFaceOptions = optionsOf<HuggingFaceOptions>(
  {},
  {
    ...imageFolderOptions.optional,
    split: text,
    config: text,
    image: text,
    label: either(text, exactly(false)),
    groupCache: number(0, Number.MAX_SAFE_INTEGER),
  },
);

const defaultGroupBytes = 256e6;

/**
 * Images in Parquet or Arrow files, as on the Hugging Face hub, in the cache of `load_dataset` or written by
 * `save_to_disk`; see `shardFiles` for the layouts. Row groups are read by range; shuffling goes through a few groups at
 * a time, so that each is read about once per epoch. Class names come from the ClassLabel feature, from text labels, or
 * are numbers.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "bad-dataset"): "missing-file", "bad-file" or "bad-dataset" with
 * what was looked for and what was found.
 */
export async function huggingFace(source: string, options: HuggingFaceOptions = {}): Promise<TableDataset> {
  checkOptions("data.huggingFace", folderArgument, { root: source });
  checkOptions("data.huggingFace", huggingFaceOptions, options);
  const { split = "train", config, groupCache = defaultGroupBytes } = options;
  const { files, features, notTaken } = await shardFiles(source, split, config);
  const recent = new RecentGroups(groupCache);
  const columns = columnsOf(options, features);
  const shards: ImageShard[] = [];
  for (const file of files) shards.push(await openShard(file, columns, recent));
  const { classes, labels } = classesOf(source, shards, features);
  const rows = rowsOf(shards, labels);
  if (labels.length === 0) throw new LuvitError("bad-dataset", `${source}: ${split} has no rows`);
  const cache = cacheOf(options, "ignore");
  const report = new SkipReport();
  const { transform = evaluation() } = options;
  const root = source;
  return new TableDataset({ root, classes, shards, rows, transform, cache, recent, report, notTaken });
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

function rowsOf(shards: readonly ImageShard[], labels: Int32Array): TableRows {
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
