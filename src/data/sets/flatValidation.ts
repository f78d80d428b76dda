import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import { readWholeText } from "../../core/readWhole";
import type { ScannedFolder } from "../scanFolder";
import { devkitData, synsetsOf } from "./synsets";
import { expectWnids, type ImageNetOptions } from "./wnids";

const count = 50000;
const flatName = /^ILSVRC2012_val_(\d{8})\.jpe?g$/i;

/** Whether a file is called as the images of the validation archive are. */
export function isFlatName(name: string): boolean {
  return flatName.test(name);
}

/** Labels of images by their number, 1 … 50,000, and where they come from. */
interface FlatLabels {
  readonly source: string;
  readonly wnids: readonly string[];
  readonly labels: ReadonlyMap<number, number>;
}

/** Labels the 50,000 validation images of one folder from the lists found beside them. */
export async function labelFlat(
  root: string,
  folder: string,
  { wnids, partial }: ImageNetOptions,
): Promise<ScannedFolder> {
  const numbers = new Map<number, string>();
  for (const name of await readdir(folder)) {
    const [, digits] = flatName.exec(name) ?? [];
    if (digits) numbers.set(Number(digits), name);
  }
  const known = await findLabels([root, folder, dirname(folder)], wnids);
  const { labels, source } = known;
  const missing = [...labels.keys()].filter((number) => !numbers.has(number));
  const unlabeled = [...numbers.keys()].filter((number) => !labels.has(number));
  const problems: string[] = [];
  if (labels.size !== count) problems.push(`${source} has labels of ${labels.size} images`);
  if (missing.length > 0 && !partial)
    problems.push(`${missing.length} images missing: ${numberList(missing)}`);
  if (unlabeled.length > 0)
    problems.push(`${unlabeled.length} images without label: ${numberList(unlabeled)}`);
  if (problems.length > 0) {
    const wanted = `looked for ILSVRC2012_val_00000001.JPEG … 00050000 in ${folder}, found ${numbers.size}`;
    const hint = partial ? "" : "\ncopy what is missing, or give partial: true to work with what is there";
    throw new LuvitError("bad-dataset", `ImageNet-1K val: ${wanted}:\n${listOffenders(problems)}${hint}`);
  }
  const files = [...numbers.keys()]
    .sort((a, b) => a - b)
    .map((number) => ({ path: join(folder, numbers.get(number)!), label: labels.get(number)! }));
  return { classes: [...known.wnids], files };
}

async function findLabels(
  folders: readonly string[],
  wnids: readonly string[] | undefined,
): Promise<FlatLabels> {
  const tried: string[] = [];
  for (const folder of folders) {
    const solution = join(folder, "LOC_val_solution.csv");
    const truth = join(folder, devkitData, "ILSVRC2012_validation_ground_truth.txt");
    const caffe = join(folder, "val.txt");
    tried.push(solution, truth, caffe);
    if (existsSync(solution)) return fromSolution(solution);
    if (existsSync(truth)) return fromDevkit(folder, truth);
    if (existsSync(caffe)) return fromCaffe(caffe, expectWnids(wnids ?? (await synsetsOf(folder))?.wnids));
  }
  const looked = `found none of\n${listOffenders([...new Set(tried)])}`;
  throw new LuvitError(
    "missing-file",
    `ImageNet-1K val: the images in one folder need a list of labels; ${looked}`,
  );
}

/** Kaggle's list: `ILSVRC2012_val_00048981,n03995372 85 1 499 272`. */
async function fromSolution(path: string): Promise<FlatLabels> {
  const rows = (await lines(path)).slice(1).map((line) => {
    const [, number, wnid] = /^ILSVRC2012_val_(\d{8}),(n\d{8})\b/.exec(line) ?? [];
    return { number: Number(number), wnid, line };
  });
  expectAll(
    path,
    "ILSVRC2012_val_########,n######## …",
    rows.filter(({ wnid }) => !wnid),
  );
  const wnids = [...new Set(rows.map(({ wnid }) => wnid))].sort();
  if (wnids.length !== 1000)
    throw new LuvitError("bad-dataset", `${path}: names ${wnids.length} of 1000 classes`);
  const label = new Map(wnids.map((wnid, i) => [wnid, i]));
  const labels = new Map(rows.map(({ number, wnid }) => [number, label.get(wnid)!]));
  return { source: basename(path), wnids, labels };
}

/** The development kit counts classes in an order of its own, which its `meta.mat` explains. */
async function fromDevkit(folder: string, path: string): Promise<FlatLabels> {
  const synsets = await synsetsOf(folder);
  if (!synsets?.ids) {
    const wanted = join(folder, devkitData, "meta.mat");
    throw new LuvitError("missing-file", `${path} counts classes as ${wanted} does, which does not exist`);
  }
  const { ids, wnids } = synsets;
  const rows = (await lines(path)).map((line, i) => ({ number: i + 1, line, label: ids.get(Number(line)) }));
  expectAll(
    path,
    "an id that meta.mat has, 1 … 1000",
    rows.filter(({ label }) => label === undefined),
  );
  const labels = new Map(rows.map(({ number, label }) => [number, label!]));
  return { source: basename(path), wnids, labels };
}

/** Caffe's list: `ILSVRC2012_val_00000001.JPEG 65`, counted from 0 in the order of the sorted wnids. */
async function fromCaffe(path: string, wnids: readonly string[]): Promise<FlatLabels> {
  const rows = (await lines(path)).map((line) => {
    const [, number, label] = /^ILSVRC2012_val_(\d{8})\.JPEG (\d{1,3})$/.exec(line) ?? [];
    return { number: Number(number), label: label && Number(label), line };
  });
  expectAll(
    path,
    "ILSVRC2012_val_########.JPEG <0 … 999>",
    rows.filter(({ label }) => label === undefined),
  );
  const labels = new Map(rows.map(({ number, label }) => [number, Number(label)]));
  return { source: basename(path), wnids, labels };
}

async function lines(path: string): Promise<string[]> {
  const text = (await readWholeText(path)).replace(/^\uFEFF/, "");
  return text.split(/\r?\n/).filter((line) => line.trim() !== "");
}

function expectAll(path: string, wanted: string, wrong: readonly { line: string }[]): void {
  if (wrong.length === 0) return;
  const shown = listOffenders(
    wrong.map(({ line }) => line.slice(0, 80)),
    5,
  );
  throw new LuvitError(
    "bad-dataset",
    `${path}: expected lines "${wanted}", ${wrong.length} are not:\n${shown}`,
  );
}

function numberList(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  return `${sorted.slice(0, 10).join(", ")}${sorted.length > 10 ? " …" : ""}`;
}
