import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LuvitError } from "../../src/core/errors";
import type { HostTensor, StateDict } from "../../src/core/hostTensor";
import { openCheckpoint } from "../../src/io/checkpoint/checkpoint";
import { readMaeCheckpoint } from "../../src/io/checkpoint/maeCheckpoint";
import { hfToMetaName } from "../../src/io/llama/keymap";
import { readLlamaBlocks } from "../../src/io/llama/weights";
import { type CaseFile, type CaseRunner, type Check, maxAbsError } from "./harness";

/** One row of `entries` in case.json. */
interface Entry {
  path: string;
  expect: "ok" | "error" | "refuse" | "error_or_warning";
  expected_prefix?: string;
  int64_values?: string[];
  missing_ok?: string[];
  shards?: string[];
  layer_in_shards?: string[];
}

/** Reference tensors by their name in the file, under the prefix of an entry. */
type Expected = Map<string, HostTensor>;

/** Good files must load with exactly the expected numbers, damaged and hostile ones must be rejected by LuvitError. */
export const runCheckpoints: CaseRunner = async (folder, meta) => {
  const all = await loadAll(join(folder, meta.expected?.file ?? "expected.safetensors"));
  const checks: Check[] = [];
  for (const entry of meta.entries as Entry[]) {
    if (entry.expect === "ok") checks.push(...(await checkGood(folder, meta, entry, all)));
    else checks.push(await checkRejected(folder, meta, entry));
  }
  return checks;
};

async function checkGood(folder: string, meta: CaseFile, entry: Entry, all: StateDict): Promise<Check[]> {
  const prefix = entry.expected_prefix ?? "";
  const expected: Expected = new Map();
  for (const [name, tensor] of all) {
    const key = name.slice(prefix.length);
    if (name.startsWith(prefix) && !entry.missing_ok?.includes(key)) expected.set(key, tensor);
  }
  const path = join(folder, entry.path);
  const checks = [await check(`${entry.path}: every tensor`, () => compareFile(path, entry, expected))];
  if ([...expected.keys()].some((name) => /(^|\.)layers\.\d+\./.test(name))) {
    checks.push(
      await check(`${entry.path}: the wanted block`, () => compareBlock(path, meta, entry, expected)),
    );
  }
  if (prefix.startsWith("mae")) {
    const tensors = async () => (await readMaeCheckpoint(path)).tensors;
    checks.push(
      await check(`${entry.path}: as an MAE checkpoint`, async () => worst(await tensors(), expected)),
    );
  }
  return checks;
}

async function compareFile(path: string, entry: Entry, expected: Expected): Promise<number> {
  const file = await openCheckpoint(path);
  try {
    const tensors = await file.readTensors(file.names);
    const integers = entry.int64_values?.map((text) => Math.fround(Number(text)));
    const integerError = integers ? maxAbsError(tensors.get("int64")?.data ?? [], integers) : 0;
    return Math.max(worst(tensors, expected), integerError);
  } finally {
    await file.close();
  }
}

async function compareBlock(path: string, meta: CaseFile, entry: Entry, expected: Expected): Promise<number> {
  const blocks = await readLlamaBlocks(path, { block: wantedLayer(meta) + 1, heads: meta.config.n_heads });
  const inMetaNames: Expected = new Map();
  for (const [name, tensor] of expected) {
    const metaName = blocks.rowOrder === "hf" ? hfToMetaName(name)! : name;
    if (layerOf(metaName) === wantedLayer(meta)) inMetaNames.set(metaName.replace(/\d+/, "0"), tensor);
  }
  const sizesFit = blocks.tensors.size === inMetaNames.size && blocks.layerIndices[0] === wantedLayer(meta);
  const { dim, heads } = blocks.config;
  const configFits = dim === meta.config.dim && heads === meta.config.n_heads;
  const opened = blocks.files.map((file) => basename(file)).sort();
  const shardsFit = !entry.layer_in_shards || `${opened}` === `${entry.layer_in_shards.slice().sort()}`;
  return sizesFit && configFits && shardsFit ? worst(blocks.tensors, inMetaNames) : Number.POSITIVE_INFINITY;
}

/** Well-formed files of the wrong content are only noticed by whoever knows what should be in them. */
async function checkRejected(folder: string, meta: CaseFile, entry: Entry): Promise<Check> {
  const path = join(folder, entry.path);
  return check(`${entry.path}: rejected`, async () => {
    if (!existsSync(existsSync(path) ? path : dirname(path))) return Number.POSITIVE_INFINITY;
    try {
      await readLlamaBlocks(path, { block: wantedLayer(meta) + 1, heads: meta.config.n_heads });
    } catch (error) {
      if (!(error instanceof LuvitError) || error.message.length < 10) throw error;
      return entry.expect !== "refuse" || error.code === "refused-file" ? 0 : Number.POSITIVE_INFINITY;
    }
    return Number.POSITIVE_INFINITY;
  });
}

function wantedLayer(meta: CaseFile): number {
  return meta.config.block_index_wanted ?? meta.config.want;
}

function layerOf(metaName: string): number {
  return Number(/^layers\.(\d+)\./.exec(metaName)?.[1] ?? -1);
}

/** Any throw counts as an infinite error and is named, so that one bad entry does not hide the others. */
async function check(name: string, measure: () => Promise<number>): Promise<Check> {
  try {
    return { name, error: await measure(), tolerance: 0 };
  } catch (error) {
    return { name: `${name} (${(error as Error).message})`, error: Number.POSITIVE_INFINITY, tolerance: 0 };
  }
}

/** Exact comparison of shapes and numbers; tensors the reference does not know are ignored, absent ones are not. */
function worst(tensors: StateDict, expected: Expected): number {
  let error = expected.size === 0 ? Number.POSITIVE_INFINITY : 0;
  for (const [name, { shape, data }] of expected) {
    const actual = tensors.get(name);
    if (!actual || `${actual.shape}` !== `${shape}`) return Number.POSITIVE_INFINITY;
    error = Math.max(error, maxAbsError(actual.data, data));
  }
  return error;
}

async function loadAll(path: string): Promise<StateDict> {
  const file = await openCheckpoint(path);
  try {
    return await file.readTensors(file.names);
  } finally {
    await file.close();
  }
}
