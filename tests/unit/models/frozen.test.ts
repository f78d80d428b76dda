import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { writeSafetensors } from "../../../src/io/safetensors";
import { classifier, fusion, llama, lora, mae } from "../../../src/models";
import { buildModel } from "../../../src/models/build";
import type { ModelConfig } from "../../../src/models/config";
import { readExternal } from "../../../src/models/external";
import { expectFrozenWeights, frozenFromFiles, noteFrozenWeights } from "../../../src/models/frozenWeights";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { LayerNorm, Parameter } from "../../../src/nn";
import { temporaryFolder } from "../../support/temporaryFolder";
import { isLuvitError, repository } from "../nn/support";
import { tinyBlock, tinyDecoder, tinyLlama, tinyViT } from "./support";

before(() => startBackend());

const parameter = (numbers: number[], source?: string) => {
  const made = new Parameter([numbers.length], (values) => values.set(numbers), 0);
  if (source !== undefined) made.load({ shape: [numbers.length], data: Float32Array.from(numbers) }, source);
  return made;
};
const sha256 = (...numbers: number[]) =>
  createHash("sha256")
    .update(new Uint8Array(Float32Array.from(numbers).buffer))
    .digest("hex");

test("frozen weights are noted with the file they came from, as seen from anywhere, and their digest", async () => {
  const file = join(temporaryFolder("frozen"), "weights");
  writeFileSync(file, "");
  const here = relative(process.cwd(), file);
  const weights = new Map([
    ["a", parameter([1, 2], here)],
    ["b", parameter([3], "org/name")],
    ["c", parameter([4])],
  ]);
  assert.deepEqual(await noteFrozenWeights(weights), {
    a: { source: file, sha256: sha256(1, 2) },
    b: { source: "org/name", sha256: sha256(3) },
    c: { source: "a model in memory", sha256: sha256(4) },
  });
});

test("weights that are frozen and a file's need not be saved again; trained ones and those made here are", () => {
  const norm = new LayerNorm(2);
  norm.weight.source = "a file";
  norm.bias.source = "a file";
  norm.freeze("weight");
  assert.deepEqual([...frozenFromFiles(norm)], [["weight", norm.weight]]);
  norm.weight.source = undefined;
  assert.equal(frozenFromFiles(norm).size, 0);
});

test("frozen weights that are others, or that the model no longer has, end the run by name", async () => {
  const noted = {
    a: { source: "one", sha256: sha256(1) },
    b: { source: "two", sha256: sha256(2) },
    c: { source: "three", sha256: sha256(3) },
    d: { source: "four", sha256: sha256(4) },
  };
  const right = new Map([
    ...(["a", "b", "c", "d"] as const).map((path, i) => [path, parameter([i + 1])] as const),
    ["e", parameter([9])] as const,
  ]);
  await expectFrozenWeights(right, noted, "here");
  const wrong = new Map([
    ["a", parameter([1])],
    ["b", parameter([5], "another file")],
    ["c", parameter([6])],
  ]);
  await assert.rejects(
    expectFrozenWeights(wrong, noted, "here"),
    isLuvitError(
      "key-mismatch",
      "here: the frozen weights are not those",
      ...[
        "b: was read from two, now another file",
        "c: was read from three, now initialized here",
        "d: was read from four\n",
      ],
    ),
  );
  await assert.rejects(
    expectFrozenWeights(new Map(), { a: noted.a }, "here"),
    isLuvitError("key-mismatch", "a: was"),
  );
});

const configWith = (external: Record<string, { source: string; sha256: string }>) =>
  ({ external, blockSource: null }) as unknown as ModelConfig;

test("weights outside a model are read under the model's names or the block's own, of the first file that has them", async () => {
  const folder = temporaryFolder("external");
  const model = classifier.create({ encoder: tinyViT, fusion: tinyBlock(), classes: 2 });
  const tensor = (value: number) => ({ shape: [24], data: new Float32Array(24).fill(value) });
  const [norm, other] = ["llama.layers.0.attention_norm.weight", "llama.layers.0.ffn_norm.weight"];
  const [whole, block] = [join(folder, "whole.safetensors"), join(folder, "block.safetensors")];
  await writeSafetensors(
    whole,
    new Map([
      [norm, tensor(1)],
      ["cls_token", tensor(9)],
    ]),
  );
  await writeSafetensors(
    block,
    new Map([
      ["layers.0.ffn_norm.weight", tensor(2)],
      ["layers.0.attention_norm.weight", tensor(7)],
    ]),
  );
  const external = { [norm]: { source: whole, sha256: "" }, [other]: { source: block, sha256: "" } };
  const found = await readExternal(model, configWith(external), "here");
  assert.deepEqual(
    [...found.tensors].map(([path, { data }]) => [path, data[0]]),
    [
      [norm, 1],
      [other, 2],
    ],
  );
  assert.deepEqual([found.source(norm), found.source(other)], [whole, block]);
  assert.equal(found.parameters.get(norm), new Map(model.namedParameters()).get(norm));
  const absent = {
    ...external,
    cls_token: { source: join(folder, "gone.safetensors"), sha256: "" },
    [other]: { source: whole, sha256: "" },
  };
  await assert.rejects(
    readExternal(model, configWith(absent), "here"),
    isLuvitError(
      "missing-file",
      "here: frozen weights",
      `cls_token: was read from ${join(folder, "gone.safetensors")}`,
      `${other}: was read from ${whole}`,
      "{ block: path }",
    ),
  );
});

test("of a model that named its block the file that it is read from now is the one that is noted", async () => {
  const root = temporaryFolder("external");
  const [language, there] = [join(root, "language"), join(root, "there")];
  cpSync(join(repository, "data", "llama-toy"), language, { recursive: true });
  const block = await llama.loadBlock(language, { block: 2 });
  const model = classifier.create({ encoder: tinyViT, fusion: block, classes: 2 });
  const saved = join(root, "named");
  await model.save(saved, { frozen: "named" });
  renameSync(language, there);
  const loaded = await classifier.load(saved, { block: there });
  const sources = [...loaded.namedParameters()].filter(([, p]) => !p.trainable && p.source !== undefined);
  const inBlock = sources.filter(([path]) => path.startsWith("llama.layers."));
  assert.equal(inBlock.length, 9);
  for (const [path, { source }] of inBlock) assert.ok(source!.startsWith(there), `${path}: ${source}`);
  assert.ok(
    ![...loaded.namedParameters()].some(
      ([path, p]) => path === "cls_token" && p.source !== join(saved, "model.safetensors"),
    ),
  );
});

test("a model's frozen branches are told by their shortest names, and are frozen again when it is opened", async () => {
  const model = classifier.create({ encoder: tinyViT, fusion: tinyBlock(), classes: 2 });
  const frozen = () => model.describe().frozen;
  assert.deepEqual(frozen(), ["llama"]);
  model
    .unfreeze("llama.layers.0.attention.wq")
    .freeze("blocks.1")
    .freeze("head.bias")
    .freeze("blocks.0.mlp.fc1");
  assert.deepEqual(frozen().sort(), [
    ...[
      "blocks.0.mlp.fc1",
      "blocks.1",
      "head.bias",
      "llama.layers.0.attention.wk",
      "llama.layers.0.attention.wo",
    ],
    ...["llama.layers.0.attention.wv", "llama.layers.0.attention_norm", "llama.layers.0.feed_forward"],
    ...["llama.layers.0.ffn_norm", "llama.norm"],
  ]);
  const folder = join(temporaryFolder("frozen"), "model");
  await model.save(folder);
  assert.deepEqual((await classifier.load(folder)).summary(), model.summary());
  assert.deepEqual(model.unfreeze().describe().frozen, []);
  assert.deepEqual(model.freeze().describe().frozen.includes("head"), true);
});

test("what was saved is told in one line: tensors, bytes, and the files that hold the rest", async () => {
  const folder = join(temporaryFolder("saved"), "model");
  const model = classifier.create({ encoder: tinyViT, classes: 2 });
  const bytes = 4 * model.counts().total;
  const saved = await model.save(folder);
  assert.equal(
    `${saved}`,
    `saved ${saved.tensors} tensors (${(bytes / 1e6).toFixed(2)} MB) and config.json in ${folder}`,
  );
  assert.deepEqual([saved.bytes, saved.folder, saved.config.external], [bytes, folder, {}]);
  model.freeze("blocks");
  for (const [path, p] of model.namedParameters())
    if (path.startsWith("blocks")) p.source = path.startsWith("blocks.0") ? "x.pth" : "y.pth";
  const named = await model.save(folder, { frozen: "named" });
  assert.match(`${named}`, /; 24 frozen tensors stay in x\.pth, y\.pth$/);
  assert.equal(named.tensors, saved.tensors - 24);
  await assert.rejects(
    model.save(folder, { frozen: "no" as never }),
    isLuvitError("bad-argument", "frozen is 'no'"),
  );
});

test("a folder is saved into that is new, empty, has other things in it, or holds a model; not a run's or others' weights", async () => {
  const root = temporaryFolder("saved");
  const model = classifier.create({ encoder: tinyViT, classes: 2 });
  const folder = (name: string, files: Record<string, string>) => {
    mkdirSync(join(root, name));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(root, name, file), text);
    return join(root, name);
  };
  for (const place of [
    folder("empty", {}),
    folder("notes", { "notes.txt": "x" }),
    folder("ours", { "config.json": '{"modelType": "luvit-mae"}' }),
  ]) {
    await model.save(place);
    assert.ok(existsSync(join(place, "model.safetensors")));
  }
  const config = '{"modelType": "luvit-mae"}';
  const refused: [string, string][] = [
    [folder("run", { "config.json": config, "state.json": "{}" }), "is a checkpoint of a run"],
    [
      folder("weights", { "model.safetensors": "x" }),
      "holds model.safetensors that this library did not write",
    ],
    [folder("both", { "config.json": "{}", "model.safetensors": "x" }), "config.json and model.safetensors"],
    [folder("broken", { "config.json": "{" }), "holds config.json"],
  ];
  for (const [place, text] of refused) {
    await assert.rejects(model.save(place), isLuvitError("bad-argument", place, text));
    assert.ok(
      !existsSync(join(place, "model.safetensors")) ||
        readFileSync(join(place, "model.safetensors"), "utf8") === "x",
    );
  }
});

test("a kind of model is refused by the loader of another, with the one to use", async () => {
  const root = temporaryFolder("kinds");
  const language = new LlamaLanguageModel({ ...tinyLlama, causal: true, depth: 1, vocabulary: 5 });
  await language.save(join(root, "language"));
  await mae.create({ encoder: tinyViT, decoder: tinyDecoder }).save(join(root, "mae"));
  await classifier
    .create({ encoder: tinyViT, fusion: fusion.mlp(6), classes: 2 })
    .save(join(root, "classifier"));
  const wrong: [() => Promise<unknown>, string][] = [
    [() => mae.load(join(root, "language")), "holds a language-model, not a mae; use llama.load"],
    [() => llama.load(join(root, "mae")), "holds a mae, not a language-model; use mae.load"],
    [() => mae.open(join(root, "classifier")), "holds a classifier, not a mae; use classifier.load"],
  ];
  for (const [refused, text] of wrong) await assert.rejects(refused, isLuvitError("bad-argument", text));
  for (const wrongPart of [{ heads: 2 }, { key: "model" }])
    await assert.rejects(
      classifier.open(join(root, "classifier"), wrongPart),
      isLuvitError("bad-argument", "says itself what its model is; leave heads and key out"),
    );
  await assert.rejects(
    classifier.open(join(root, "classifier"), { averaged: true }),
    isLuvitError("bad-argument", "is no run's folder"),
  );
  const fresh = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  assert.equal(fresh.decoderIsFresh, true);
  fresh.decoderIsFresh = false;
  await fresh.save(join(root, "mae"));
  assert.equal((await mae.load(join(root, "mae"))).decoderIsFresh, false);
  fresh.decoderIsFresh = true;
  await fresh.save(join(root, "mae"));
  assert.equal((await mae.load(join(root, "mae"))).decoderIsFresh, true);
});

test("updates of a config for what is no linear of the model are named", async () => {
  const model = classifier.create({ encoder: tinyViT, classes: 2 });
  lora.attach(model, { rank: 2, targets: ["head"] });
  const config = JSON.parse(JSON.stringify(model.describe()));
  const more = (name: string) =>
    buildModel({ ...config, lora: { ...config.lora, [name]: config.lora.head } }, "here");
  assert.deepEqual(Object.keys((await more("blocks.0.mlp.fc1")).describe().lora).sort(), [
    "blocks.0.mlp.fc1",
    "head",
  ]);
  for (const name of ["fc_norm", "blocks.9.mlp.fc1", "blocks"])
    await assert.rejects(
      more(name),
      isLuvitError("bad-file", `here: this`, `lora.${name}: the model has no such linear`),
    );
});
