import { existsSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../../core/errors";
import { readWhole, readWholeText } from "../../core/readWhole";
import { type MatValue, readMat } from "./matFile";

/** Where the development kit keeps its lists. */
export const devkitData = join("ILSVRC2012_devkit_t12", "data");

/** The 1000 classes as a list beside the images names them. */
export interface Synsets {
  /** Sorted, which is the order of labels. */
  readonly wnids: readonly string[];
  /** Label by ILSVRC2012_ID, where the list has these. */
  readonly ids?: ReadonlyMap<number, number>;
}

/** The classes from Kaggle's `LOC_synset_mapping.txt`, the development kit's `meta.mat` or Caffe's `synsets.txt`. */
export async function synsetsOf(root: string): Promise<Synsets | undefined> {
  const meta = join(root, devkitData, "meta.mat");
  if (existsSync(meta)) return fromMeta(meta);
  for (const name of ["LOC_synset_mapping.txt", "synsets.txt", "synset_words.txt"]) {
    const path = join(root, name);
    if (existsSync(path)) return fromText(path);
  }
  return undefined;
}

async function fromText(path: string): Promise<Synsets> {
  const text = await readWholeText(path);
  return {
    wnids: expectThousand(
      path,
      [...text.matchAll(/^\uFEFF?(n\d{8})\b/gm)].map(([, wnid]) => wnid),
    ),
  };
}

/** `synsets` is a struct array; those without children are the classes. */
async function fromMeta(path: string): Promise<Synsets> {
  const synsets = readMat(path, await readWhole(path)).get("synsets");
  const column = (field: string): MatValue[] => {
    const values = synsets instanceof Map ? synsets.get(field) : undefined;
    if (Array.isArray(values)) return values;
    throw new LuvitError("bad-file", `${path}: expected a struct array synsets with ${field}`);
  };
  const numbers = column("ILSVRC2012_ID");
  const names = column("WNID");
  const children = column("num_children");
  const leaves = names.map((_, i) => i).filter((i) => first(children[i]) === 0);
  const wnids = expectThousand(
    path,
    leaves.map((i) => String(names[i])),
  );
  const label = new Map(wnids.map((wnid, i) => [wnid, i]));
  const ids = new Map(leaves.map((i) => [first(numbers[i]), label.get(String(names[i]))!]));
  return { wnids, ids };
}

function first(value: MatValue): number {
  return ArrayBuffer.isView(value) ? Number((value as Float64Array)[0]) : Number.NaN;
}

function expectThousand(path: string, names: readonly string[]): string[] {
  const wnids = [...new Set(names)].sort();
  if (wnids.length === 1000 && wnids.every((wnid) => /^n\d{8}$/.test(wnid))) return wnids;
  throw new LuvitError("bad-dataset", `${path}: expected 1000 wnids n########, found ${wnids.length}`);
}
