import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { flag, list, optionsOf, text } from "../../core/options";
import { packageRoot } from "../../core/packageRoot";
import { type ImageFolderOptions, imageFolderOptions } from "../imageFolder";

/** How a published ImageNet-like set is read. */
export interface ImageNetOptions extends ImageFolderOptions {
  /** The 1000 class folders in label order, where they are not called by ImageNet-1K's own `imageNetWnids()`. */
  wnids?: readonly string[];
  /** Take what is there; labels stay those of the whole set. Default false. */
  partial?: boolean;
}

export const imageNetOptions = optionsOf<ImageNetOptions>(
  {},
  { ...imageFolderOptions.optional, wnids: list(text), partial: flag },
);

/** Whether a name is in the form of a class folder of ImageNet: n########. */
export function isWnid(name: string): boolean {
  return /^n\d{8}$/.test(name);
}

let known: readonly string[] | undefined;

/** WordNet's identifiers of the 1000 classes of ImageNet-1K, in label order: "n01440764" … "n15075141". */
export function imageNetWnids(): readonly string[] {
  known ??= readFileSync(join(packageRoot(), "data", "imagenet-1k", "wnids.txt"), "utf8")
    .trim()
    .split("\n");
  return known;
}

/**
 * The given wnids, or ImageNet-1K's own.
 *
 * @throws LuvitError("bad-argument") unless they are 1000 different ones.
 */
export function expectWnids(wnids: readonly string[] = imageNetWnids()): readonly string[] {
  const wrong = wnids.filter((wnid) => !isWnid(wnid));
  if (wrong.length === 0 && new Set(wnids).size === 1000 && wnids.length === 1000) return wnids;
  const different = `${new Set(wnids).size} different of ${wnids.length}`;
  const strange = wrong.length > 0 ? `, ${wrong.length} of them unlike n########, e.g. ${wrong[0]}` : "";
  throw new LuvitError("bad-argument", `wnids: expected the 1000 of ImageNet-1K, got ${different}${strange}`);
}
