import { LuvitError, listOffenders } from "../../core/errors";
import { type LabeledFile, listClassFolders } from "../scanFolder";
import { hintsFor } from "./hints";

/** What a published set of class folders consists of. */
export interface Inventory {
  /** As messages call it, e.g. "ImageNet-A". */
  readonly name: string;
  /** What class folders are called, for messages, e.g. "n########". */
  readonly folders: string;
  /** Fewest and most images in a class. */
  readonly perClass?: readonly [least: number, most: number];
  /** Fewest images in all. */
  readonly total?: number;
  /** Names of the class folders in label order. */
  readonly expected: readonly string[];
  /** Take what is there. */
  readonly partial?: boolean;
}

export const wnidFolders = "n########";

/**
 * Images of a published set, labeled by `inventory.expected`.
 *
 * @throws LuvitError("bad-dataset") with everything that is missing or does not belong there.
 */
export async function scanInventory(
  root: string,
  inventory: Inventory,
): Promise<{ classes: string[]; files: LabeledFile[] }> {
  const { classes: found, perClass } = await listClassFolders(root);
  const byClass = new Map(found.map((name, i) => [name, perClass[i]]));
  const problems = [...folderProblems(inventory, byClass), ...imageProblems(inventory, byClass)];
  if (problems.length > 0) {
    const hints = await hintsFor(root, inventory.expected, found);
    throw incomplete(root, inventory, byClass, [...problems, ...hints]);
  }
  const classes = [...inventory.expected];
  const files = classes.flatMap((name, label) => (byClass.get(name) ?? []).map((path) => ({ path, label })));
  if (files.length === 0) throw incomplete(root, inventory, byClass, ["no images"]);
  return { classes, files };
}

type Found = ReadonlyMap<string, readonly string[]>;

function folderProblems({ expected, partial }: Inventory, found: Found): string[] {
  const known = new Set(expected);
  const foreign = [...found.keys()].filter((name) => !known.has(name));
  const missing = expected.filter((name) => !found.has(name));
  const problems: string[] = [];
  if (foreign.length > 0) problems.push(`folders that do not belong there: ${named(foreign)}`);
  if (missing.length > 0 && !partial) {
    problems.push(`missing class folders (${missing.length}): ${named(missing)}`);
  }
  return problems;
}

function imageProblems({ perClass, total = 0, partial }: Inventory, found: Found): string[] {
  const counts = [...found].map(([name, paths]) => ({ name, count: paths.length }));
  const [least, most] = perClass ?? [1, Number.POSITIVE_INFINITY];
  const few = counts
    .filter(({ count }) => count < least)
    .map(({ name, count }) => `${name} (${count} of ${least})`);
  const many = counts
    .filter(({ count }) => count > most)
    .map(({ name, count }) => `${name} (${count} for ${most})`);
  const sum = imageCount(found);
  const problems: string[] = [];
  if (few.length > 0 && !partial) problems.push(`classes with fewer images than expected: ${named(few)}`);
  if (many.length > 0) problems.push(`classes with more images than expected: ${named(many)}`);
  if (sum < total && !partial) problems.push(`${sum} of ${total} images`);
  return problems;
}

function incomplete(root: string, inventory: Inventory, found: Found, problems: string[]): LuvitError {
  const { name, expected, folders, perClass, total, partial } = inventory;
  const each = perClass && `${perClass[0] === perClass[1] ? perClass[0] : perClass.join(" to ")} images each`;
  const size = each ? ` with ${each}` : total ? ` with ${total} images together` : "";
  const wanted = `looked for ${expected.length} class folders ${folders}${size} in ${root}`;
  const there = `found ${found.size} folders with ${imageCount(found)} images`;
  const hint = partial ? "" : "\ncopy what is missing, or give partial: true to work with what is there";
  return new LuvitError("bad-dataset", `${name}: ${wanted}, ${there}:\n${listOffenders(problems)}${hint}`);
}

function imageCount(found: Found): number {
  return [...found.values()].reduce((sum, paths) => sum + paths.length, 0);
}

function named(names: readonly string[], limit = 20): string {
  const rest = names.length - limit;
  return `${names.slice(0, limit).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
