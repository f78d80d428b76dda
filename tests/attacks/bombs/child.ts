/*
 * A process that opens bombs: node child.js <kind> <folder>. A line of JSON for each: what it was, how it ended (read,
 * refused in this library's words, or otherwise), what was said, and how many megabytes the process had taken by then.
 */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { LuvitError } from "../../../src/core/errors";
import { imageFolder } from "../../../src/data/imageFolder";
import { decodeImage } from "../../../src/data/reading";
import { huggingFace } from "../../../src/data/sets";
import * as transforms from "../../../src/data/transforms";
import { openCheckpoint } from "../../../src/io/checkpoint";
import { readLlamaBlocks } from "../../../src/io/llama";
import { readAdapter } from "../../../src/io/peft";
import { classifier } from "../../../src/models";
import { openRun } from "../../../src/train/openRun";
import { goldenCases, repository } from "../../unit/io/support";
import { images } from "./files";
import { hugeLengths, jsonTexts, yamlTexts } from "./texts";

const [kind, folder] = process.argv.slice(2) as [string, string];
const transform = transforms.none(8);
let number = 0;

async function attempt(what: string, open: () => Promise<unknown>): Promise<void> {
  let [ended, said] = ["read", ""];
  try {
    await open();
  } catch (error) {
    ended = error instanceof LuvitError ? "refused" : "otherwise";
    said = error instanceof LuvitError ? error.message : String((error as Error)?.stack ?? error);
  }
  const megabytes = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(`${JSON.stringify({ what, ended, said: said.slice(0, 400), megabytes })}\n`);
}

function put(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
  return join(folder, path);
}

async function openImages(): Promise<void> {
  await attempt("start", async () => decodeImage(put("one.ppm", "P3 1 1 255 1 2 3")));
  for (const [name, bytes] of Object.entries(images)) {
    const path = put(name, bytes());
    await attempt(name, () => decodeImage(path));
  }
}

/** Every whole number of a file made huge, one after the other. */
async function openChanged(
  samples: readonly string[],
  open: (path: string) => Promise<unknown>,
): Promise<void> {
  for (const sample of samples) {
    const bytes = readFileSync(sample);
    const ending = sample.slice(sample.lastIndexOf("."));
    await attempt(`${sample.slice(-40)} as it is`, () => open(put(`whole${number++}${ending}`, bytes)));
    for (const [where, mutant] of hugeLengths(bytes))
      await attempt(`${sample.slice(-40)} ${where}`, () => open(put(`mutant${number++}${ending}`, mutant)));
  }
}

async function openTable(path: string): Promise<void> {
  const { shards } = await huggingFace(path, { transform, cache: false });
  for (const shard of shards) for (let row = 0; row < shard.rows; row++) await shard.image(row);
}

async function openWeights(path: string): Promise<void> {
  const file = await openCheckpoint(path);
  try {
    await file.readTensors(file.names);
  } finally {
    await file.close();
  }
}

/** Weights of any kind: what they are an adapter of is what its config should say. */
const weightsOfAdapter = "model-00003-of-00003.safetensors";

const fixtures = join(repository, "tests", "unit", "data", "tables", "fixtures");
const tables = [
  "codecs/gzip.parquet",
  "codecs/snappy.parquet",
  "codecs/zstd.parquet",
  "codecs/brotli.parquet",
  "nullpath/lz4.parquet",
];
const arrows = ["packed/lz4.arrow", "packed/zstd.arrow", "labels/fractions.arrow", "views/viewed.arrow"];
const weights = ["hf_f16/model-00003-of-00003.safetensors", "layouts/views.pth", "layouts/views_legacy.pth"];

/** Files of a model, an adapter, a run and a data set, each with each text in it, the others being as they should. */
async function openTexts(): Promise<void> {
  const model = join(goldenCases, "checkpoints", "hf_f16");
  const good = readFileSync(join(model, "config.json"), "utf8");
  for (const [what, text] of Object.entries(jsonTexts(good))) {
    const own = `json${number++}`;
    for (const name of ["model", "adapter"]) cpSync(model, join(folder, own, name), { recursive: true });
    put(`${own}/model/config.json`, text);
    put(`${own}/index/model.safetensors.index.json`, text);
    cpSync(join(model, weightsOfAdapter), join(folder, own, "adapter", "adapter_model.safetensors"));
    put(`${own}/adapter/adapter_config.json`, text);
    put(`${own}/run/checkpoint-000001/state.json`, text);
    put(`${own}/log/metrics.jsonl`, text);
    put(`${own}/table/dataset_info.json`, text);
    put(`${own}/table/state.json`, text);
    put(`${own}/dict/dataset_dict.json`, text);
    const header = Buffer.from(text);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    const file = put(`${own}/a.safetensors`, Buffer.concat([length, header]));
    const at = (name: string) => join(folder, own, name);
    await attempt(`${what} as a model's config`, () => readLlamaBlocks(at("model")));
    await attempt(`${what} as a saved model's config`, () => classifier.open(at("model")));
    await attempt(`${what} as an index of shards`, () => readLlamaBlocks(at("index")));
    await attempt(`${what} as an adapter's config`, () => readAdapter(at("adapter")));
    await attempt(`${what} as a run`, () => openRun(at("run")));
    await attempt(`${what} as a run's log`, () => openRun(at("log")));
    await attempt(`${what} as a table's description`, () => huggingFace(at("table"), { transform }));
    await attempt(`${what} as a list of splits`, () => huggingFace(at("dict"), { transform }));
    await attempt(`${what} as a safetensors header`, () => openWeights(file));
  }
  for (const [what, text] of Object.entries(yamlTexts)) {
    const own = `yaml${number++}`;
    put(`${own}/README.md`, `---\n${text}\n---\n`);
    put(`${own}/a/${"a".repeat(200)}.parquet`, "");
    await attempt(`${what} as a data set's card`, () => huggingFace(join(folder, own), { transform }));
    await attempt(`${what} beside a folder of images`, () => imageFolder(join(folder, own), { transform }));
  }
  const stained = Object.keys(Object.prototype).concat(Object.keys(Function.prototype));
  if (stained.length > 0) throw new Error(`prototypes were changed: ${stained}`);
}

const kinds: Readonly<Record<string, () => Promise<void>>> = {
  images: openImages,
  parquet: () =>
    openChanged(
      tables.map((name) => join(fixtures, name)),
      openTable,
    ),
  arrow: () =>
    openChanged(
      arrows.map((name) => join(fixtures, name)),
      openTable,
    ),
  weights: () =>
    openChanged(
      weights.map((name) => join(goldenCases, "checkpoints", name)),
      openWeights,
    ),
  texts: openTexts,
};

void kinds[kind]!();
