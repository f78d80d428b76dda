import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { imageNetAMapping, imageNetRMapping } from "./mappings";
import { imageNetWnids } from "./wnids";

/** What a folder that is not what it should be looks like instead; lines for a message. */
export async function hintsFor(
  root: string,
  expected: readonly string[],
  found: readonly string[],
): Promise<string[]> {
  const hints = [otherSet(expected, found), await stillPacked(root, expected)];
  if (!found.some((name) => expected.includes(name))) hints.push(await oneLevelDown(root, expected, found));
  return hints.filter((hint) => hint !== undefined);
}

/** The folders of another published set, whole. */
function otherSet(expected: readonly string[], found: readonly string[]): string | undefined {
  const wnids = imageNetWnids();
  const sets = {
    "ImageNet-A": imageNetAMapping.mappedClasses.map((index) => wnids[index]),
    "ImageNet-R": imageNetRMapping.mappedClasses.map((index) => wnids[index]),
    "ImageNet-1K, -Sketch or a corruption of ImageNet-C": wnids,
    "ImageNet-V2": wnids.map((_, label) => String(label)),
  };
  const isSame = (names: readonly string[]) =>
    names.length === found.length && names.every((name) => found.includes(name));
  const [name] =
    Object.entries(sets).find(([, names]) => isSame(names) && names.length !== expected.length) ??
    Object.entries(sets).find(([, names]) => isSame(names) && !isSame(expected)) ??
    [];
  return name && `these are the class folders of ${name}`;
}

/** Archives beside the class folders: those that nobody has unpacked yet. */
async function stillPacked(root: string, expected: readonly string[]): Promise<string | undefined> {
  const names = await namesIn(root);
  const archives = names.filter((name) => /\.(?:tar|tgz|tar\.gz|zip)$/i.test(name));
  if (archives.length === 0) return undefined;
  const missing = new Set(expected.filter((name) => !names.includes(name)));
  const ofClasses = archives.filter((name) => missing.has(name.replace(/\..*$/, "")));
  const shown = (ofClasses.length > 0 ? ofClasses : archives).sort();
  const rest = shown.length > 5 ? ` and ${shown.length - 5} more` : "";
  return `not unpacked yet: ${shown.slice(0, 5).join(", ")}${rest}`;
}

/** A folder below that has the class folders, as archives have that hold a folder. */
async function oneLevelDown(
  root: string,
  expected: readonly string[],
  found: readonly string[],
): Promise<string | undefined> {
  for (const name of found) {
    const below = new Set(await namesIn(join(root, name)));
    if (expected.some((one) => below.has(one))) return `did you mean ${join(root, name)}?`;
  }
  return undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
