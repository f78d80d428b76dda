import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { classifier, detector, fusion, llama, llavit, lora, mae, segmenter } from "../../../src/models";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import type { SavableModel } from "../../../src/models/savable";
import { assertRejects, repository, temporaryFolder } from "../io/support";
import { everyKind, type Loader, outputOf, toyBlock } from "./savedModels";
import { tinyDecoder, tinyLlama, tinyViT } from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

const namespaces = { classifier, llama, mae, segmenter };
const load = (loader: Loader, folder: string): Promise<SavableModel> => namespaces[loader].load(folder);
const hash = (values: Float32Array) =>
  createHash("sha256").update(new Uint8Array(values.buffer)).digest("hex");
const configOf = (folder: string) => JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));

test("a saved model of any kind gives the same numbers, bit for bit, in a process that is told nothing", async () => {
  const root = temporaryFolder();
  const models = await everyKind();
  const expected: string[] = [];
  for (const [name, , model] of models) {
    const before = await outputOf(model);
    const saved = await model.save(join(root, name));
    assert.equal(saved.tensors, [...model.namedParameters()].length);
    assert.equal(hash(await outputOf(model)), hash(before), "saving changes nothing");
    expected.push(`${hash(before)} ${model}`);
  }
  const words = models.flatMap(([name, loader]) => [loader, join(root, name)]);
  const child = join(repository, "build", "tests", "unit", "models", "loadChild.js");
  const output = execFileSync(process.execPath, [child, ...words], { encoding: "utf8" });
  assert.deepEqual(output.trimEnd().split("\n"), expected);
  assert.equal(new Set(expected).size, models.length);
});

test("a loaded model describes itself as the saved one did, and trains what that trained", async () => {
  const root = temporaryFolder();
  for (const [name, loader, model] of await everyKind()) {
    await model.save(join(root, name));
    const loaded = await load(loader, join(root, name));
    assert.deepEqual(JSON.parse(JSON.stringify(loaded.describe())), configOf(join(root, name)), name);
    assert.deepEqual(loaded.summary(), model.summary(), name);
  }
});

test("wherever the block stands, before every block of the ViT or behind the last, a model is saved and opened", async () => {
  const root = temporaryFolder();
  for (let after = 0; after <= tinyViT.depth; after++) {
    for (const normFirst of [false, true]) {
      const plan = fusion.mlp(6, { after, normFirst });
      const model = classifier.create({ encoder: tinyViT, fusion: plan, classes: 2 });
      const folder = join(root, `${after} ${normFirst}`);
      await model.save(folder);
      const opened = await classifier.load(folder);
      assert.deepEqual(opened.describe(), model.describe());
      assert.deepEqual(await outputOf(opened), await outputOf(model));
    }
  }
});

/** Every leaf of a JSON value with its path. */
function leaves(
  value: unknown,
  path: (string | number)[] = [],
): [path: (string | number)[], value: unknown][] {
  if (typeof value !== "object" || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

function changed(
  config: object,
  path: readonly (string | number)[],
  change: (holder: never, key: string) => void,
) {
  const copy = structuredClone(config);
  const holder = path.slice(0, -1).reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], copy);
  change(holder as never, String(path.at(-1)));
  return copy;
}

/** Another value of the same kind. */
function other(value: unknown): unknown {
  if (typeof value === "number") return value * 2;
  if (typeof value === "boolean") return !value;
  return value === null ? 1 : `${value}2`;
}

test("every entry of a config is needed, and none may be changed, one by one", async () => {
  const root = temporaryFolder();
  for (const [name, loader, model] of await everyKind()) {
    const folder = join(root, name);
    await model.save(folder);
    const config = configOf(folder);
    for (const [path, value] of leaves(config)) {
      if (path.length === 0) continue;
      const at = path.join(".");
      const write = (value: object) => writeFileSync(join(folder, "config.json"), JSON.stringify(value));
      write(changed(config, path, (holder: Record<string, unknown>, key) => (holder[key] = other(value))));
      const refused = await load(loader, folder).then(
        () => undefined,
        (error: Error) => error.message,
      );
      assert.ok(refused?.includes(String(path[0])), `${name}, ${at} changed: ${refused}`);
    }
    for (const key of Object.keys(config)) {
      const { [key]: _, ...rest } = config;
      writeFileSync(join(folder, "config.json"), JSON.stringify(rest));
      await assertRejects(() => load(loader, folder), "bad-file", `${key}`);
    }
    writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, gating: "swiglu", registers: 4 }));
    await assertRejects(() => load(loader, folder), "bad-file", "gating: unknown", "registers: unknown");
  }
});

test("what is missing, unknown or impossible is listed together, with its path", async () => {
  const folder = join(temporaryFolder(), "model");
  const model = classifier.create({ encoder: tinyViT, fusion: await toyBlock(), classes: 2 });
  await model.save(folder);
  const config = configOf(folder);
  delete config.encoder.heads;
  config.encoder.fusion.block.causal = "no";
  config.encoder.fusion.gate = 1;
  config.pooling = "max";
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  await assertRejects(
    () => classifier.load(folder),
    "bad-file",
    "encoder.heads: missing",
    "encoder.fusion.block.causal: Invalid input: expected boolean",
    "encoder.fusion.gate: unknown",
    "pooling: ",
  );
});

test("weights of another model under a config are refused with a list, also without their own config", async () => {
  const root = temporaryFolder();
  const [two, four] = [join(root, "two"), join(root, "four")];
  const heads = (count: number) => classifier.create({ encoder: { ...tinyViT, heads: count }, classes: 2 });
  await heads(2).save(two);
  await heads(4).save(four);
  cpSync(join(four, "config.json"), join(two, "config.json"));
  await assertRejects(() => classifier.load(two), "key-mismatch", "encoder.heads: was 2, now 4");
  const deeper = join(root, "deeper");
  await classifier.create({ encoder: { ...tinyViT, depth: 3 }, classes: 2 }).save(deeper);
  await classifier.saveCheckpoint(heads(2), join(deeper, "model.safetensors"));
  await assertRejects(() => classifier.load(deeper), "key-mismatch", "missing: blocks.2.norm1.weight");
});

test("another kind of model, nothing, and other people's folders are refused with what to do", async () => {
  const root = temporaryFolder();
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  await model.save(join(root, "mae"));
  await assertRejects(
    () => classifier.load(join(root, "mae")),
    "bad-argument",
    "not a classifier",
    "mae.load",
  );
  await assertRejects(() => classifier.load(join(root, "none")), "missing-file", "no such folder");
  mkdirSync(join(root, "empty"));
  await assertRejects(() => mae.load(join(root, "empty")), "missing-file", "config.json", "model.save");
  const foreign = join(root, "foreign");
  cpSync(join(repository, "data", "llama-toy"), foreign, { recursive: true });
  const kept = readdirSync(foreign).map((name) => readFileSync(join(foreign, name), "latin1"));
  await assertRejects(() => model.save(foreign), "bad-argument", "did not write");
  assert.deepEqual(
    readdirSync(foreign).map((name) => readFileSync(join(foreign, name), "latin1")),
    kept,
  );
  writeFileSync(join(root, "file"), "");
  await assertRejects(() => model.save(join(root, "file")), "bad-argument", "is a file");
  await model.save(join(root, "mae"));
});

test("what cannot be saved leaves no folder behind", async () => {
  const root = temporaryFolder();
  const model = classifier.create({ encoder: tinyViT, classes: 2 });
  await assertRejects(() => model.save(join(root, "a", "n".repeat(300))), "bad-file", "cannot be written");
  const [, last] = [...model.namedParameters()].at(-1)!;
  last.peek = async () => {
    throw new Error("the memory is gone");
  };
  await assert.rejects(model.save(join(root, "b", "c")), /the memory is gone/);
  assert.deepEqual(readdirSync(root), []);
});

test("a frozen block that is only named is read again where it lies, and checked", async () => {
  const root = temporaryFolder();
  const language = join(root, "language");
  cpSync(join(repository, "data", "llama-toy"), language, { recursive: true });
  const block = await llama.loadBlock(language);
  lora.attach(block, { rank: 2 });
  const model = classifier.create({ encoder: tinyViT, fusion: block, classes: 2 });
  const saved = await model.save(join(root, "named"), { frozen: "named" });
  assert.match(String(saved), /9 frozen tensors stay in .*language/);
  const { blockSource, external } = configOf(join(root, "named"));
  assert.deepEqual([blockSource.checkpoint, blockSource.blocks.length], [language, 1]);
  assert.match(external["llama.layers.0.attention.wq.weight"].sha256, /^[0-9a-f]{64}$/);
  const expected = hash(await outputOf(model));
  assert.equal(hash(await outputOf(await classifier.load(join(root, "named")))), expected);

  renameSync(language, join(root, "moved"));
  await assertRejects(() => classifier.load(join(root, "named")), "missing-file", "language");
  const moved = await classifier.load(join(root, "named"), { block: join(root, "moved") });
  assert.equal(hash(await outputOf(moved)), expected);

  // The same names and shapes with other numbers are not the block.
  for (const name of readdirSync(join(root, "moved")).filter((name) => name.endsWith(".safetensors"))) {
    const bytes = readFileSync(join(root, "moved", name));
    for (let i = Math.floor(bytes.length / 2); i < bytes.length; i += 2) bytes[i] ^= 1;
    writeFileSync(join(root, "moved", name), bytes);
  }
  await assertRejects(
    () => classifier.load(join(root, "named"), { block: join(root, "moved") }),
    "key-mismatch",
    "llama.layers.0.",
  );
});

test("a saved model is the start of others: finetuned heads keep what the pretrained encoder computes with", async () => {
  const root = temporaryFolder();
  const pretrained = mae.create({ encoder: tinyViT, decoder: tinyDecoder, fusion: await toyBlock() });
  await pretrained.save(join(root, "mae"));
  const loaded = await mae.load(join(root, "mae"));
  const [tuned, expected] = [
    await classifier.fromPretrained(loaded, { classes: 2 }),
    await classifier.fromPretrained(pretrained, { classes: 2 }),
  ];
  assert.equal(hash(await outputOf(tuned)), hash(await outputOf(expected)));
  await tuned.save(join(root, "tuned"), { frozen: "named" });
  assert.equal(hash(await outputOf(await classifier.load(join(root, "tuned")))), hash(await outputOf(tuned)));
});

test("weights of a saved model are not loaded into one that computes otherwise, though every shape fits", async () => {
  const root = temporaryFolder();
  const pretrained = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  await pretrained.save(join(root, "mae"));
  const heads = { ...tinyViT, heads: 4 };
  for (const path of [join(root, "mae"), join(root, "mae", "model.safetensors")]) {
    const other = mae.create({ encoder: heads, decoder: { ...tinyDecoder, heads: 4 } });
    const pieces = ["encoder.heads: was 2, now 4", "decoder.heads: was 2, now 4"];
    await assertRejects(() => mae.loadCheckpoint(other, path), "key-mismatch", ...pieces);
    const tuned = classifier.create({ encoder: heads, classes: 2 });
    await assertRejects(() => classifier.loadCheckpoint(tuned, path), "key-mismatch", pieces[0]);
    await mae.loadCheckpoint(mae.create({ encoder: tinyViT, decoder: tinyDecoder, maskRatio: 0.5 }), path);
    const larger = { ...tinyViT, imageSize: 16 };
    await classifier.loadCheckpoint(classifier.create({ encoder: larger, classes: 2 }), path);
  }
});

test("a model of any kind is told where its frozen block is now, whether it is loaded or opened", async () => {
  const root = temporaryFolder();
  const [language, there] = [join(root, "language"), join(root, "moved")];
  cpSync(join(repository, "data", "llama-toy"), language, { recursive: true });
  const read = async () => ({ encoder: tinyViT, fusion: await llama.loadBlock(language) });
  const tower = classifier.create({ ...(await read()), classes: 2 });
  const kinds = {
    classifier: tower,
    mae: mae.create({ ...(await read()), decoder: tinyDecoder }),
    segmenter: segmenter.create({ ...(await read()), classes: 3 }),
    detector: await detector.fromPretrained(tower, {
      classes: 2,
      imageSize: 16,
      windowSize: 2,
      pyramid: 8,
      rois: { channels: 8, hidden: 12, convolutions: 1 },
    }),
    llavit: await llavit.create({
      tower,
      language: new LlamaLanguageModel({ ...tinyLlama, causal: true, rope: true, depth: 1, vocabulary: 256 }),
    }),
  };
  for (const [kind, model] of Object.entries(kinds)) await model.save(join(root, kind), { frozen: "named" });
  renameSync(language, there);
  for (const kind of Object.keys(kinds) as (keyof typeof kinds)[]) {
    const from = { classifier, mae, segmenter, detector, llavit }[kind];
    for (const get of [from.load, from.open]) {
      await assertRejects(() => get(join(root, kind)), "missing-file", "language");
      const model = await get(join(root, kind), { block: there });
      assert.deepEqual(await model.stateDict(), await kinds[kind].stateDict(), kind);
    }
  }
});
