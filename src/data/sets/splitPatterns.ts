import { basename } from "node:path";
import { globMatcher } from "./glob";

/*
 * Which table files make which split, as load_dataset decides where nothing else says so: the first of these rules that
 * finds a file decides for all of them. Reference: huggingface/datasets, src/datasets/data_files.py.
 */

/** Files of each split by their paths below a folder. */
export type Splits = ReadonlyMap<string, readonly string[]>;

const sharded = /^data\/([^/]+)-\d{5}-of-\d{5}[^/]*\.[^/]*$/;

const keywords = {
  train: ["train", "training"],
  validation: ["validation", "valid", "dev", "val"],
  test: ["test", "testing", "eval", "evaluation"],
};
const separator = "[-._ 0-9]";

const folderPatterns = (word: string) => [
  `**/${word}/**`,
  `**/${word}${separator}*/**`,
  `**/*${separator}${word}/**`,
  `**/*${separator}${word}${separator}*/**`,
];
const filePatterns = (word: string) => [`**/${word}${separator}*`, `**/*${separator}${word}${separator}*`];

/** Splits of some files: `data/train-00000-of-00005.parquet`, `train/part-0.parquet`, `train_0.parquet`, else all train. */
export function splitsOf(paths: readonly string[]): Splits {
  const rules = [bySharding, byWords(folderPatterns), byWords(filePatterns)];
  const found = rules.map((rule) => rule(paths)).find((splits) => splits.size > 0);
  return found ?? (paths.length > 0 ? new Map([["train", paths]]) : new Map());
}

/** Whether load_dataset knows files of this split by words in their names. */
export function isUsual(split: string): boolean {
  return Object.values(keywords).some((words) => words.includes(split));
}

/** The split that load_dataset calls otherwise: "val" is its "validation". */
export function usualName(split: string): string {
  return Object.entries(keywords).find(([, words]) => words.includes(split))?.[0] ?? split;
}

/** Files that carry the name of a split of one's own in their folder's or their own name. */
export function namedAfter(split: string, paths: readonly string[]): readonly string[] {
  const rules = [folderPatterns(escaped(split)), filePatterns(escaped(split))];
  return rules.map((patterns) => matching(patterns, paths)).find((files) => files.length > 0) ?? [];
}

/** Files that some patterns mean, in the order of the patterns and by name below each. */
export function matching(patterns: readonly string[], paths: readonly string[]): string[] {
  const sorted = [...paths].sort();
  return [...new Set(patterns.map(globMatcher).flatMap((fits) => sorted.filter(fits)))];
}

function bySharding(paths: readonly string[]): Splits {
  const names = new Set(paths.map((path) => sharded.exec(path)?.[1]).filter((name) => name !== undefined));
  const ofSplit = (name: string) => paths.filter((path) => sharded.exec(path)?.[1] === name).sort();
  return new Map([...names].sort().map((name) => [name, ofSplit(name)]));
}

function byWords(patterns: (word: string) => string[]): (paths: readonly string[]) => Splits {
  return (paths) => {
    const found = Object.entries(keywords).map(
      ([split, words]) => [split, matching(words.flatMap(patterns), paths)] as const,
    );
    return new Map(found.filter(([, files]) => files.length > 0));
  };
}

function escaped(text: string): string {
  return basename(text).replace(/[*?[]/g, "[$&]");
}
