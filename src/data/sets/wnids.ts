import { LuvitError } from "../../core/errors";
import type { ImageFolderOptions } from "../imageFolder";

/** How a published ImageNet-like set is read. */
export interface ImageNetOptions extends ImageFolderOptions {
  /**
   * The 1000 wnids of ImageNet-1K in label order, e.g. `classes` of an `imageNet1k` set. With them missing class folders
   * are named, and part of a set keeps its labels.
   */
  wnids?: readonly string[];
  /** Take what is there; for sets with wnid folders together with `wnids`. Default false. */
  partial?: boolean;
}

/** The given wnids, checked. Throws "bad-argument" unless they are 1000 different ones. */
export function expectWnids(wnids: readonly string[] | undefined): readonly string[] | undefined {
  if (!wnids) return undefined;
  const wrong = wnids.filter((wnid) => !/^n\d{8}$/.test(wnid));
  if (wrong.length === 0 && new Set(wnids).size === 1000 && wnids.length === 1000) return wnids;
  const different = `${new Set(wnids).size} different of ${wnids.length}`;
  const strange = wrong.length > 0 ? `, ${wrong.length} of them unlike n########, e.g. ${wrong[0]}` : "";
  throw new LuvitError("bad-argument", `wnids: expected the 1000 of ImageNet-1K, got ${different}${strange}`);
}
