import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import type { HostTensor, StateDict } from "../../../src/core/hostTensor";
import { startBackend, tf } from "../../../src/core/tf";
import { openCheckpoint } from "../../../src/io/checkpoint";
import { writeSafetensors } from "../../../src/io/safetensors";
import { classifier, fusion, llama, lora, mae, segmenter } from "../../../src/models";
import { putWhole, wholeMisfits, wholeParameters } from "../../../src/models/adapterParameters";
import { buildModel } from "../../../src/models/build";
import { modelDifferences, parseModelConfig, sharedDifferences } from "../../../src/models/config";
import { expectFrozenWeights, frozenFromFiles, noteFrozenWeights } from "../../../src/models/frozenWeights";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { isPlainViT, isTower, withOfficialNames } from "../../../src/models/officialNames";
import { configOf, expectSameParts, isSavedFolder } from "../../../src/models/openModel";
import { channelsBeside } from "../../../src/models/preprocessorConfig";
import type { SavableModel } from "../../../src/models/savable";
import { shapeOf } from "../../../src/models/shapeOf";
import { clipChannels, towerSettings } from "../../../src/models/towerSettings";
import { weightsBut } from "../../../src/models/writeModel";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";
import { rampTensor, repository } from "../nn/support";
import { parametersOf, perturb, tinyBlock, tinyDecoder, tinyLlama, tinyViT } from "./support";

before(() => startBackend({ backend: "cpu" }));

const square = rampTensor([2, 3, 12, 12]);
const own = <T>(make: () => T) => tf.tidy(make as never) as T;
const toy = join(repository, "data", "llama-toy");
/** A number for each place, by the name. */
const numbered = (key: string, shape: number[]): HostTensor => {
  const start = [...key].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1009, 7);
  return {
    shape,
    data: Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      (_, i) => 0.2 * Math.sin(1.7 * i + start),
    ),
  };
};
const stateOf = (shapes: Record<string, number[]>): StateDict =>
  new Map(Object.entries(shapes).map(([key, shape]) => [key, numbered(key, shape)]));
const logits = (model: SavableModel) =>
  own(() => (model as classifier.Classifier).forward(square).dataSync().slice());
const told = (model: SavableModel) => ({
  text: String(model),
  config: { ...model.describe(), luvitVersion: "" },
  parameters: parametersOf(model),
});

/** Of one block, 8 wide, 4 patches of 2 pixels. */
const block = {
  "norm1.weight": [8],
  "norm1.bias": [8],
  "attn.qkv.weight": [24, 8],
  "attn.qkv.bias": [24],
  "attn.proj.weight": [8, 8],
  "attn.proj.bias": [8],
  "norm2.weight": [8],
  "norm2.bias": [8],
  "mlp.fc1.weight": [16, 8],
  "mlp.fc1.bias": [16],
  "mlp.fc2.weight": [8, 16],
  "mlp.fc2.bias": [8],
};
const timm = {
  cls_token: [1, 1, 8],
  pos_embed: [1, 5, 8],
  "patch_embed.proj.weight": [8, 3, 2, 2],
  "patch_embed.proj.bias": [8],
  ...Object.fromEntries(Object.entries(block).map(([key, shape]) => [`blocks.0.${key}`, shape])),
  "norm.weight": [8],
  "norm.bias": [8],
};
const withHead = { ...timm, "head.weight": [3, 8], "head.bias": [3] };
const { cls_token: _, ...patchesOnly } = { ...timm, pos_embed: [1, 4, 8] };
/** transformers' names. */
const hfTower = (prefix: string) => ({
  [`${prefix}embeddings.patch_embedding.weight`]: [8, 3, 2, 2],
  ...Object.fromEntries(
    [
      ["layer_norm1", [8]],
      ["layer_norm2", [8]],
      ["self_attn.q_proj", [8, 8]],
      ["self_attn.k_proj", [8, 8]],
      ["self_attn.v_proj", [8, 8]],
      ["self_attn.out_proj", [8, 8]],
      ["mlp.fc1", [16, 8]],
      ["mlp.fc2", [8, 16]],
    ].flatMap(([name, shape]) => [
      [`${prefix}encoder.layers.0.${name}.weight`, shape],
      [`${prefix}encoder.layers.0.${name}.bias`, [(shape as number[])[0]]],
    ]),
  ),
  [`${prefix}post_layernorm.weight`]: [8],
  [`${prefix}post_layernorm.bias`]: [8],
});
const hfClip = {
  ...hfTower("vision_model."),
  "vision_model.embeddings.class_embedding": [8],
  "vision_model.embeddings.position_embedding.weight": [5, 8],
  "vision_model.embeddings.position_ids": [1, 5],
  "vision_model.pre_layrnorm.weight": [8],
  "vision_model.pre_layrnorm.bias": [8],
  "visual_projection.weight": [4, 8],
  "text_model.final_layer_norm.weight": [4],
};
const hfSiglip = {
  ...hfTower(""),
  "embeddings.patch_embedding.bias": [8],
  "embeddings.position_embedding.weight": [4, 8],
  "head.probe": [1, 1, 8],
  "head.attention.in_proj_weight": [24, 8],
  "head.attention.in_proj_bias": [24],
  "head.attention.out_proj.weight": [8, 8],
  "head.attention.out_proj.bias": [8],
  "head.layernorm.weight": [8],
  "head.layernorm.bias": [8],
  "head.mlp.fc1.weight": [16, 8],
  "head.mlp.fc1.bias": [16],
  "head.mlp.fc2.weight": [8, 16],
  "head.mlp.fc2.bias": [8],
};
const hfBlock = (prefix: string, vit: boolean) => ({
  [`${prefix}embeddings.cls_token`]: [1, 1, 8],
  [`${prefix}embeddings.position_embeddings`]: [1, 5, 8],
  [`${prefix}embeddings.patch_embeddings.projection.weight`]: [8, 3, 2, 2],
  [`${prefix}embeddings.patch_embeddings.projection.bias`]: [8],
  ...Object.fromEntries(
    [
      ...["query", "key", "value"].map((name) => [`attention.attention.${name}`, [8, 8]]),
      ["attention.output.dense", [8, 8]],
      ...(vit
        ? [
            ["layernorm_before", [8]],
            ["layernorm_after", [8]],
            ["intermediate.dense", [16, 8]],
            ["output.dense", [8, 16]],
          ]
        : [
            ["norm1", [8]],
            ["norm2", [8]],
            ["mlp.fc1", [16, 8]],
            ["mlp.fc2", [8, 16]],
          ]),
    ].flatMap(([name, shape]) => [
      [`${prefix}encoder.layer.0.${name}.weight`, shape],
      [`${prefix}encoder.layer.0.${name}.bias`, [(shape as number[])[0]]],
    ]),
  ),
  [`${prefix}layernorm.weight`]: [8],
  [`${prefix}layernorm.bias`]: [8],
});
const dinov2 = {
  ...hfBlock("", false),
  "embeddings.mask_token": [1, 8],
  "encoder.layer.0.layer_scale1.lambda1": [8],
  "encoder.layer.0.layer_scale2.lambda1": [8],
  "embeddings.register_tokens": [1, 2, 8],
};
const hfViT = {
  ...hfBlock("vit.", true),
  "classifier.weight": [3, 8],
  "classifier.bias": [3],
  "pooler.dense.weight": [8, 8],
};

test("what names, shapes and settings of checkpoints come to is approved", async () => {
  const folder = temporaryFolder("names");
  const calls = new Calls({ folder });
  const files = { timm, withHead, patchesOnly, hfClip, hfSiglip, dinov2, hfViT };
  for (const [name, shapes] of Object.entries(files)) {
    const state = stateOf(shapes);
    calls.note(`${name}: isTower, isPlainViT`, [isTower(state), isPlainViT(state)]);
    await calls.does("  official", () => {
      const { tensors, fileNames, leftOut } = withOfficialNames(state, "x.pth");
      return {
        shapes: [...tensors].map(([key, { shape }]) => `${key} ${shape}`),
        fileNames: [...fileNames].join("; "),
        leftOut,
        qkv: tensors.get("blocks.0.attn.qkv.weight")?.data,
        pool: tensors.get("attn_pool.kv.weight")?.data,
      };
    });
    for (const heads of [undefined, 2])
      await calls.does(`  shape of ${heads} heads`, () =>
        shapeOf("x.pth", withOfficialNames(state).tensors, heads),
      );
  }
  await calls.does(
    "qkv of which one is missing",
    () =>
      withOfficialNames(
        stateOf({ ...hfClip, "vision_model.encoder.layers.0.self_attn.k_proj.weight": [8, 8] }),
      ).tensors.size,
  );
  const { "vision_model.encoder.layers.0.self_attn.k_proj.weight": __, ...lacking } = hfClip as Record<
    string,
    number[]
  >;
  await calls.does(
    "qkv without k",
    () => withOfficialNames(stateOf(lacking)).tensors.get("blocks.0.attn.qkv.weight")?.shape,
  );
  await calls.does("NaFlex", () =>
    withOfficialNames(stateOf({ ...hfSiglip, "embeddings.patch_embedding.weight": [8, 12] }), "naflex"),
  );
  for (const dim of [192, 384, 768, 1024, 1152, 1280, 1408, 1536, 1664, 512])
    await calls.does(`heads of ${dim}`, () =>
      shapeOf(
        "x",
        new Map(
          Object.entries({
            ...timm,
            "patch_embed.proj.weight": [dim, 3, 2, 2],
            "blocks.0.mlp.w3.weight": [dim, 2 * dim],
          }).map(([key, shape]) => [key, { shape, data: new Float32Array(0) }]),
        ),
        undefined,
      ),
    );

  calls.title("settings of towers");
  const official = (shapes: Record<string, number[]>) => {
    const file = stateOf(shapes);
    return { file, official: withOfficialNames(file).tensors };
  };
  const towers = {
    clip: official(hfClip),
    siglip: official(hfSiglip),
    vit: official(hfViT),
    none: official(timm),
    "timm's clip": { file: new Map(), official: stateOf({ "norm_pre.weight": [8] }) },
    "timm's siglip": { file: new Map(), official: stateOf({ "attn_pool.latent": [1, 1, 8] }) },
  };
  let count = 0;
  const settings = (
    name: keyof typeof towers,
    config?: object,
    activation?: "gelu" | "quick-gelu" | "gelu-tanh",
  ) =>
    calls.does(`${name} ${JSON.stringify(config)} ${activation}`, () => {
      const path = config && join(folder, `config${count++}.json`);
      if (path) writeFileSync(path, JSON.stringify(config));
      return towerSettings("x.pth", towers[name], path, activation).catch((error: Error) =>
        error.message.replace(/config\d+/, "config"),
      );
    });
  for (const name of Object.keys(towers) as (keyof typeof towers)[]) {
    await settings(name);
    await settings(name, undefined, "gelu");
    await settings(name, {});
    await settings(name, {}, "quick-gelu");
  }
  for (const config of [
    { hidden_act: "gelu" },
    { hidden_act: "gelu_new", layer_norm_eps: 1e-3, num_attention_heads: 4 },
    { hidden_act: "relu" },
    { model_type: "bert" },
    { model_type: "clip", vision_config: { hidden_act: "gelu" } },
    { vision_config: { model_type: "siglip" } },
    { num_attention_heads: 0 },
    { layer_norm_eps: -1 },
    { model_type: "clip_vision_model" },
  ])
    for (const name of ["clip", "siglip", "vit"] as const) await settings(name, config);
  await settings("clip", { hidden_act: "gelu" }, "quick-gelu");
  for (const config of [
    { architecture: "vit_base_patch16_clip_quickgelu_224" },
    { architecture: "vit_base_patch16_clip_224", pretrained_cfg: { mean: [0.1, 0.2, 0.3], std: [1, 2, 3] } },
    { architecture: "vit_base_patch16_clip_224", pretrained_cfg: { mean: [0.1, 0.2], std: [1, 2, 3] } },
    { architecture: "vit_large_patch16_siglip_512" },
    { architecture: "vit_base_patch32_siglip_256" },
    { architecture: "vit_so400m_patch16_siglip_256" },
    { architecture: "vit_giantopt_patch16_siglip" },
    { architecture: "vit_base_patch16_siglip_224" },
    { architecture: 3 },
  ])
    for (const name of ["timm's clip", "timm's siglip"] as const) await settings(name, config);
  for (const value of [
    undefined,
    {},
    { image_mean: [1, 2, 3] },
    { image_std: [1, 2, 3] },
    { image_mean: [1, 2] },
    { image_std: "x" },
    { image_mean: [1, 2, "3"] },
    { image_mean: null },
  ])
    await calls.does(`channelsBeside ${JSON.stringify(value)}`, () => {
      const at = join(folder, "prepared");
      rmSync(at, { recursive: true, force: true });
      mkdirSync(at);
      if (value) writeFileSync(join(at, "preprocessor_config.json"), JSON.stringify(value));
      return channelsBeside(at, clipChannels);
    });

  calls.title("configs");
  const config = classifier
    .create({ encoder: { ...tinyViT, registers: 1 }, classes: 3, fusion: tinyBlock() })
    .describe();
  const plain = JSON.parse(JSON.stringify({ ...config, luvitVersion: "1" }));
  const changed = (path: string, value: unknown) => {
    const copy = structuredClone(plain);
    const keys = path.split(".");
    const last = keys.pop()!;
    const at = keys.reduce((inner, key) => inner[key], copy);
    if (value === undefined) delete at[last];
    else at[last] = value;
    return copy;
  };
  await calls.does("parse", () => parseModelConfig("c.json", plain));
  for (const value of [3, null, "x", [], {}, { modelType: "luvit-other" }])
    await calls.does(`parse ${JSON.stringify(value)}`, () => parseModelConfig("c.json", value));
  const entries: [string, unknown][] = [
    ["classes", 1],
    ["classes", undefined],
    ["classNames", ["a"]],
    ["pooling", "max"],
    ["strange", 1],
    ["encoder.strange", 1],
    ["encoder.dim", 0],
    ["encoder.dim", 1e6 + 1],
    ["encoder.depth", 1001],
    ["encoder.mlp", "relu"],
    ["encoder.mlp", "swiglu"],
    ["encoder.classToken", true],
    ["encoder.preNorm", false],
    ["encoder.registers", 0],
    ["encoder.layerScale", 0.1],
    ["encoder.normEps", 0],
    ["encoder.fusion", null],
    ["encoder.fusion.after", -1],
    ["encoder.fusion.activation", "relu"],
    ["encoder.fusion.block.kvHeads", undefined],
    ["encoder.fusion.block.rowOrder", "x"],
    ["encoder.fusion.block.slidingWindow", 0],
    ["encoder.fusion.block.slidingWindow", 4],
    ["encoder.fusion.block.ropeScaling", { type: "linear" }],
    ["encoder.fusion.block.ropeScaling", { type: "linear", factor: 2 }],
    ["encoder.fusion.block.ropeScaling", { type: "yarn" }],
    ["preprocessing.mean", [1, 2]],
    ["preprocessing.std", [1, 0, 1]],
    ["preprocessing.cropRatio", 1.1],
    ["preprocessing.resize", "both"],
    ["preprocessing.interpolation", "bilinear"],
    ["luvitVersion", ""],
    ["frozen", [""]],
    ["lora", { a: { rank: 1 } }],
    ["lora", { a: { rank: 1, alpha: -2, rankStabilized: false, merged: true } }],
    ["external", { a: { source: "x", sha256: "0" } }],
    ["external", { a: { source: "x", sha256: "0".repeat(64) } }],
    ["blockSource", null],
    ["blockSource.blocks", [0]],
    ["blockSource.options", { heads: 0 }],
    ["blockSource.options", { revision: "main" }],
    ["blockSource.origin", 3],
  ];
  for (const [path, value] of entries)
    await calls.does(`${path}: ${JSON.stringify(value)?.slice(0, 60)}`, () => {
      const next = parseModelConfig("c.json", changed(path, value));
      return [modelDifferences(plain, next), sharedDifferences(plain, next)];
    });
  const other = mae
    .create({
      encoder: { ...tinyViT, registers: 1, imageSize: 16 },
      fusion: tinyBlock(),
      decoder: tinyDecoder,
    })
    .describe();
  await calls.does("a classifier and a masked auto-encoder", () => [
    modelDifferences(config, other),
    sharedDifferences(config, other),
    sharedDifferences(other, { ...other, decoder: { ...other.decoder, dim: 4 }, maskRatio: 0.1 }),
    modelDifferences(other, { ...other, maskRatio: 0.1, decoderIsFresh: false }),
  ]);
  await calls.does("other names", () =>
    modelDifferences({ ...config, classNames: ["a", "b", "c"] }, { ...config, classNames: ["a", "x", "c"] }),
  );
  await calls.does(
    "build",
    async () => parametersOf(await buildModel(parseModelConfig("c.json", plain), "c.json")).length,
  );
  await calls.does("build with updates elsewhere", () =>
    buildModel(
      parseModelConfig(
        "c.json",
        changed("lora", { "head.x": { rank: 1, alpha: 1, rankStabilized: false, merged: false } }),
      ),
      "c.json",
    ),
  );
  await calls.does("build what cannot be", () =>
    buildModel(parseModelConfig("c.json", changed("encoder.fusion.block.headDim", 4)), "c.json").then(told),
  );
  await calls.does("build what differs", () =>
    buildModel(
      { ...parseModelConfig("c.json", changed("encoder.fusion.activation", "gelu")) },
      "c.json",
    ).then(told),
  );
  calls.approve("models/names");
});

test("what models are written to and read from again is approved", async () => {
  const folder = temporaryFolder("saved");
  const calls = new Calls({ folder, toy });
  const at = (name: string) => join(folder, name);
  /** Files of which tensors are kept may stay open for as long as these. */
  const open = async (name: string, expression: () => Promise<unknown>) =>
    calls.note(name, await expression().catch((error: Error) => error));
  calls.title("saved");
  const frozen = await llama.loadBlock(toy, { block: 2 });
  const models: Record<string, SavableModel> = {
    classifier: classifier.create({
      encoder: { ...tinyViT, registers: 1 },
      classes: 3,
      classNames: ["a", "é", "c"],
      pooling: "cls",
      fusion: fusion.through(frozen, { after: 1, residual: true }),
    }),
    mae: mae.create({ encoder: tinyViT, decoder: tinyDecoder, maskRatio: 0.5, normPixLoss: false }),
    segmenter: segmenter.create({ encoder: tinyViT, classes: 3, frozen: true }),
    language: new LlamaLanguageModel({ ...tinyLlama, depth: 1, vocabulary: 5, maxPositions: 7 }),
  };
  const loaders: Record<string, (path: string, options?: object) => Promise<SavableModel>> = {
    classifier: classifier.load,
    mae: mae.load,
    segmenter: segmenter.load,
    language: llama.load,
  };
  lora.attach(models.classifier, {
    rank: 2,
    alpha: 3,
    rankStabilized: true,
    targets: ["wq", "head"],
    freeze: false,
  });
  for (const [name, model] of Object.entries(models)) {
    perturb(model, (path) => !path.startsWith("llama."));
    await open(`save ${name}`, async () => {
      const saved = await model.save(at(name));
      return [
        String(saved),
        saved.tensors,
        saved.bytes,
        readdirSync(at(name)).sort(),
        inspect(saved) === String(saved),
      ];
    });
    for (const [kind, load] of Object.entries(loaders))
      await open(`${kind}.load of ${name}`, async () => {
        const back = await load(at(name));
        const [before, after] = [await model.stateDict(), await back.stateDict()];
        const same = [...before].every(([key, { data }]) =>
          Buffer.from(data.buffer, data.byteOffset, data.byteLength).equals(
            Buffer.from(Float32Array.from(after.get(key)!.data).buffer),
          ),
        );
        return { ...told(back), same, fresh: (back as mae.MaskedAutoencoder).decoderIsFresh };
      });
  }
  for (const [name, read] of Object.entries({
    "classifier.open": classifier.open,
    "mae.open": mae.open,
    "segmenter.open": segmenter.open,
  })) {
    await open(`${name} of its own`, async () => String(await read(at(name.split(".")[0]))));
    await open(`${name} of what is not there`, () => read(at("none")));
    await open(`${name}, averaged`, () => read(at(name.split(".")[0]), { averaged: true }));
    await open(`${name} by another option`, () => read(at(name.split(".")[0]), { strange: 1 } as never));
  }
  await open("classifier.open with heads", () => classifier.open(at("classifier"), { heads: 2 }));
  await open("save again", async () => String(await models.mae.save(at("mae"))));
  writeFileSync(at("a file"), "x");
  mkdirSync(at("others"));
  writeFileSync(join(at("others"), "config.json"), "{}");
  cpSync(at("mae"), at("checkpoint"), { recursive: true });
  writeFileSync(join(at("checkpoint"), "state.json"), "{}");
  mkdirSync(at("notes"));
  writeFileSync(join(at("notes"), "notes.txt"), "x");
  for (const name of ["a file", "others", "checkpoint", "notes"])
    await open(`save into ${name}`, async () => String(await models.mae.save(at(name))));
  mkdirSync(at("weights"));
  writeFileSync(join(at("weights"), "model.safetensors"), "x");
  await open("save into weights", async () => String(await models.mae.save(at("weights"))));
  await open("load what was trained whole", async () => {
    await mae.create({ encoder: tinyViT, decoder: tinyDecoder }).unfreeze().save(at("trained"));
    return (await mae.load(at("trained"))).counts();
  });
  await open("save otherwise", () => models.mae.save(at("x"), { frozen: "none" as never }));
  for (const name of ["others", "a file", "notes", ""])
    await open(`load ${name}`, () => classifier.load(name && at(name)));
  for (const name of ["classifier", "others", "none", "a file"]) {
    await open(`isSavedFolder ${name}`, () => isSavedFolder(at(name)));
    await open(`configOf ${name}`, async () => (await configOf(at(name)))?.modelType);
  }
  await open("expectSameParts of the same", () => expectSameParts(at("classifier"), models.classifier));
  await open("expectSameParts of its file", () =>
    expectSameParts(
      join(at("classifier"), "model.safetensors"),
      classifier.create({ encoder: tinyViT, classes: 3 }),
    ),
  );
  await open("expectSameParts of another", () =>
    expectSameParts(
      at("mae"),
      mae.create({ encoder: { ...tinyViT, heads: 4, imageSize: 16 }, decoder: { ...tinyDecoder, heads: 4 } }),
    ),
  );

  calls.title("frozen weights that are only named");
  await open("save, named", async () =>
    String(await models.classifier.save(at("named"), { frozen: "named" })),
  );
  await open("  its config", async () =>
    Object.entries(JSON.parse(readFileSync(join(at("named"), "config.json"), "utf8")).external),
  );
  await open("load", async () => {
    const back = await classifier.load(at("named"));
    return [String(back), logits(back), logits(models.classifier as never)];
  });
  await open("load, the block said", async () => logits(await classifier.load(at("named"), { block: toy })));
  // A block whose file is moved, lost, or becomes another one.
  cpSync(toy, at("toy"), { recursive: true });
  const movable = classifier.create({
    encoder: tinyViT,
    classes: 2,
    fusion: await llama.loadBlock(at("toy"), { block: 2 }),
  });
  await open("save, its file in a folder", async () =>
    String(await movable.save(at("movable"), { frozen: "named" })),
  );
  await open("load, there", async () => logits(await classifier.load(at("movable"))));
  renameSync(at("toy"), at("elsewhere"));
  await open("load, moved", async () => logits(await classifier.load(at("movable"))));
  await open("load, moved, and said", async () =>
    logits(await classifier.load(at("movable"), { block: at("elsewhere") })),
  );
  await open("load, moved, and said wrongly", () => classifier.load(at("movable"), { block: at("none") }));
  cpSync(at("elsewhere"), at("toy"), { recursive: true });
  for (const file of readdirSync(at("toy")).filter((name) => name.endsWith(".safetensors"))) {
    const bytes = readFileSync(join(at("toy"), file));
    bytes[bytes.length - 2] ^= 1;
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(join(at("toy"), file), bytes);
  }
  await open("load, of other values", async () => logits(await classifier.load(at("movable"))));
  const parameters = frozenFromFiles(models.classifier);
  calls.note("frozenFromFiles", [...parameters.keys()]);
  const noted = await noteFrozenWeights(parameters);
  calls.note("noteFrozenWeights", noted);
  await open("expectFrozenWeights", () => expectFrozenWeights(parameters, noted, "here"));
  await open("expectFrozenWeights of others", () =>
    expectFrozenWeights(
      new Map([...parameters].slice(1)),
      { ...noted, [[...parameters.keys()][2]]: { source: "s", sha256: "0" } },
      "here",
    ),
  );
  calls.note("weightsBut", [...weightsBut(models.classifier, parameters).keys()].slice(-3));

  calls.title("blocks");
  for (const options of [
    {},
    { block: 1 },
    { block: 2, causal: true, rope: true },
    { blocks: [2, 3] },
    { block: 0 },
    { block: 5 },
    { block: 1, blocks: [1] },
    { causal: 1 },
    { heads: 8, block: 1 },
    { ropeTheta: 5, normEps: 0.1, block: 1 },
    { deep: 1 },
  ])
    await open(`loadBlock ${inspect(options)}`, async () => {
      const read = await llama.loadBlock(toy, options as never);
      return {
        text: String(read).replaceAll(repository, ""),
        config: read.config,
        indices: read.layerIndices,
        from: read.source,
        trainable: read.counts(),
        source: [...read.namedParameters()][0][1].source,
      };
    });
  for (const path of ["", at("none"), at("a file")])
    await open(`loadBlock ${path && "elsewhere"}`, () => llama.loadBlock(path));
  calls.approve("models/saved");
});

test("what checkpoints of others are read and written as is approved", async () => {
  const folder = temporaryFolder("checkpoints");
  const calls = new Calls({ folder });
  const at = (name: string) => join(folder, name);
  const open = async (name: string, expression: () => Promise<unknown>) =>
    calls.note(name, await expression().catch((error: Error) => error));
  const write = async (
    name: string,
    shapes: Record<string, number[]>,
    change: (state: StateDict) => void = () => {},
  ) => {
    const state = stateOf(shapes);
    change(state);
    mkdirSync(at(name), { recursive: true });
    await writeSafetensors(join(at(name), "model.safetensors"), state);
    return join(at(name), "model.safetensors");
  };
  const shapes = { imageSize: 4, patchSize: 2, dim: 8, depth: 1, heads: 2, mlpRatio: 2 };
  const images = rampTensor([2, 3, 4, 4]);
  const value = (model: classifier.Classifier) =>
    own(() =>
      model
        .forward(model.encoder.config.imageSize === 4 ? images : rampTensor([1, 3, 8, 8]))
        .dataSync()
        .slice(),
    );

  calls.title("openBackbone");
  const files: Record<string, [Record<string, number[]>, object?]> = {
    timm: [timm],
    "patches only": [patchesOnly],
    clip: [hfClip, { model_type: "clip_vision_model", num_attention_heads: 2 }],
    "clip without a config": [hfClip],
    siglip: [hfSiglip, { model_type: "siglip", vision_config: { num_attention_heads: 2 } }],
    dinov2: [dinov2],
    vit: [hfViT, { model_type: "vit", num_attention_heads: 2 }],
    swiglu: [
      {
        ...timm,
        "blocks.0.mlp.w12.weight": [32, 8],
        "blocks.0.mlp.w12.bias": [32],
        "blocks.0.mlp.w3.weight": [8, 16],
        "blocks.0.mlp.w3.bias": [8],
      },
    ],
    "no ViT": [{ "a.weight": [2] }],
  };
  for (const [name, [state, config]] of Object.entries(files)) {
    await write(name, state, (all) => {
      if (name === "swiglu") for (const key of [...all.keys()]) if (key.includes("mlp.fc")) all.delete(key);
    });
    if (config) writeFileSync(join(at(name), "config.json"), JSON.stringify(config));
    for (const options of [{ heads: 2 }, { heads: 2, activation: "gelu" }, {}])
      await open(`${name} ${inspect(options)}`, async () => {
        const model = await classifier.openBackbone(
          config ? at(name) : join(at(name), "model.safetensors"),
          options as never,
        );
        return { ...told(model), loaded: String(model.loaded), value: value(model) };
      });
  }
  writeFileSync(
    join(at("clip"), "preprocessor_config.json"),
    JSON.stringify({ image_mean: [0.1, 0.2, 0.3] }),
  );
  for (const options of [
    { classes: 5 },
    { heads: 4 },
    { heads: 3 },
    { pooling: "mean" },
    { imageSize: 8 },
    { imageSize: 8, positions: "timm" },
    { imageSize: 8, positions: "dino" },
    { imageSize: 7 },
    { activation: "gelu" },
    { classes: 1 },
    { positions: "x" },
    { strange: 1 },
    { key: "x" },
  ])
    await open(`clip ${inspect(options)}`, async () => {
      const model = await classifier.openBackbone(at("clip"), options as never);
      return {
        pooling: model.pooling,
        classes: model.classes,
        preprocessing: model.preprocessing,
        config: model.encoder.config,
        value: value(model),
      };
    });
  await open("a frozen backbone whose file is named", async () => {
    const model = await classifier.openBackbone(join(at("dinov2"), "model.safetensors"), { heads: 2 });
    model.freeze("blocks");
    const saved = await model.save(at("backbone"), { frozen: "named" });
    return [String(saved), value(model), value(await classifier.load(at("backbone")))];
  });
  await open("openBackbone of nothing", () => classifier.openBackbone(""));

  calls.title("classifiers");
  const head = await write("head", withHead);
  await open("open", async () => {
    const model = await classifier.open(head, { heads: 2 });
    return { ...told(model), value: value(model) };
  });
  await open("open with fc_norm", async () =>
    told(
      await classifier.open(await write("fc", { ...withHead, "fc_norm.weight": [8], "fc_norm.bias": [8] }), {
        heads: 2,
      }),
    ),
  );
  await open("open without heads", () => classifier.open(head));
  await open("open without a head", () =>
    classifier.open(join(at("timm"), "model.safetensors"), { heads: 2 }),
  );
  for (const options of [{ heads: 0 }, { key: 3 }, { deep: 1 }])
    await open(`open ${inspect(options)}`, () => classifier.open(head, options as never));
  const make = (more: object = {}) =>
    classifier.create({ encoder: { ...shapes, ...more }, classes: 3, pooling: "cls" } as never);
  const { "blocks.0.attn.qkv.bias": ___, ...noBias } = withHead as Record<string, number[]>;
  const given: Record<string, Record<string, number[]>> = {
    timm,
    withHead,
    "another head": { ...withHead, "head.weight": [5, 8], "head.bias": [5] },
    "no qkv bias": noBias,
    "no position of the class token": { ...withHead, pos_embed: [1, 4, 8] },
    "a larger table": { ...withHead, pos_embed: [1, 10, 8] },
    pretrained: { ...timm, mask_token: [1, 1, 4], "decoder_embed.weight": [4, 8] },
    "moco's projection": { ...timm, "head.0.weight": [2, 8], "head.8.bias": [2], "head.9.bias": [2] },
    "dist tokens": { ...withHead, dist_token: [1, 1, 8] },
    registers: { ...withHead, register_tokens: [1, 2, 8] },
  };
  const loadInto = async (
    name: string,
    load: (path: string) => Promise<{ report: unknown; value: unknown }>,
  ) => {
    const path = await write(`into ${name}`, given[name]);
    await open(`load ${name}`, () => load(path));
  };
  for (const name of Object.keys(given)) {
    await loadInto(name, async (path) => {
      const model = make();
      const report = String(await classifier.loadCheckpoint(model, path));
      return { report, value: value(model) };
    });
    await open("  into a segmenter", async () => {
      const model = segmenter.create({ encoder: shapes, classes: 3 });
      const report = String(
        await segmenter.loadCheckpoint(model, join(at(`into ${name}`), "model.safetensors")),
      );
      return { report, value: own(() => model.forward(images).dataSync().slice()) };
    });
    await open("  into a masked auto-encoder", async () => {
      const model = mae.create({ encoder: shapes, decoder: { dim: 4, depth: 1, heads: 1, mlpRatio: 2 } });
      const report = String(await mae.loadCheckpoint(model, join(at(`into ${name}`), "model.safetensors")));
      return { report, fresh: model.decoderIsFresh };
    });
  }
  for (const positions of ["mae", "timm", "dino"] as const)
    await open(`load into larger images, ${positions}`, async () => {
      const model = make({ imageSize: 8 });
      await classifier.loadCheckpoint(model, head, { positions });
      return [(await model.encoder.pos_embed.read()).data, value(model)];
    });
  const wrapped = await write(
    "wrapped",
    Object.fromEntries(Object.entries(withHead).map(([key, shape]) => [`module.${key}`, shape])),
  );
  for (const [name, path, more, options] of [
    ["as it is", head, {}, {}],
    ["at another size", head, { imageSize: 8 }, {}],
    ["with a row filled in", join(at("into no position of the class token"), "model.safetensors"), {}, {}],
    ["with biases filled in", join(at("into no qkv bias"), "model.safetensors"), {}, {}],
    ["from a wrapper", wrapped, {}, {}],
    ["from a wrapper that is said", wrapped, {}, { key: "module" }],
  ] as const)
    await open(`frozen and named, ${name}`, async () => {
      const model = make(more);
      await classifier.loadCheckpoint(model, path, options);
      model.freeze();
      const saved = await model.save(at(`frozen ${name}`), { frozen: "named" });
      return [String(saved), value(model), value(await classifier.load(at(`frozen ${name}`)))];
    });
  const broken = await write("broken", withHead, (state) => {
    state.get("norm.weight")!.data[3] = Number.NaN;
    state.get("head.bias")!.data.fill(Number.NEGATIVE_INFINITY);
  });
  await open("load NaN", () => classifier.loadCheckpoint(make(), broken));
  await open("load NaN into a masked auto-encoder", () =>
    mae.loadCheckpoint(mae.create({ encoder: shapes, decoder: tinyDecoder }), broken),
  );
  await open("load into nothing", () => classifier.loadCheckpoint({} as never, head));
  await open("load of nothing", () =>
    segmenter.loadCheckpoint(segmenter.create({ encoder: shapes, classes: 2 }), ""),
  );
  await open("load by another option", () => classifier.loadCheckpoint(make(), head, { resize: 1 } as never));
  await open("load by another rule", () =>
    classifier.loadCheckpoint(make(), head, { positions: "sincos" as never }),
  );

  calls.title("saveCheckpoint");
  const tuned = classifier.create({ encoder: shapes, classes: 3, fusion: fusion.mlp(5) });
  lora.attach(tuned, { rank: 2, alpha: 3, targets: ["qkv", "head"], freeze: false });
  perturb(tuned);
  for (const [name, options] of [
    ["a.safetensors", {}],
    ["b.safetensors", { dtype: "F16", leaveOut: ["llama_", "head."] }],
    ["c.pth", { extras: { epoch: 7 } }],
    ["d.bin", { dtype: "BF16" }],
    ["e.pt", {}],
  ] as const)
    await open(`saveCheckpoint ${name} ${inspect(options)}`, async () => {
      const keys = await classifier.saveCheckpoint(tuned, at(name), options);
      const file = await openCheckpoint(at(name));
      const read = await file.readTensors(keys.filter((key) => /qkv|fc_norm/.test(key)));
      await file.close();
      return [keys, [...read].map(([key, tensor]) => [key, tensor.shape, tensor.dtype, tensor.data])];
    });
  await open("all of a model, its block too, named in a .pth", async () => {
    const whole = classifier.create({ encoder: shapes, classes: 3, fusion: tinyBlock() });
    perturb(whole);
    await classifier.saveCheckpoint(whole, at("whole.pth"));
    await classifier.loadCheckpoint(whole, at("whole.pth"));
    whole.freeze();
    const saved = await whole.save(at("whole"), { frozen: "named" });
    return [String(saved), value(whole), value(await classifier.load(at("whole")))];
  });
  await open("mergedState", async () =>
    [...(await classifier.mergedState(tuned))].map(([key, { shape, data }]) => [
      key,
      shape,
      data.slice(0, 4),
    ]),
  );
  await open("its updates are still there", async () =>
    lora.adapters(tuned).map(([path, { merged }]) => [path, merged]),
  );
  for (const [model, path, options] of [
    [tuned, "x.gguf", {}],
    [tuned, "", {}],
    [{}, "x.pth", {}],
    [tuned, "x.pth", { dtype: "I8" }],
    [tuned, "x.pth", { leaveOut: "a" }],
    [tuned, "x.pth", { strange: 1 }],
  ] as const)
    await open(`saveCheckpoint ${path} ${inspect(options)}`, () =>
      classifier.saveCheckpoint(model as never, path && at(path), options as never),
    );

  calls.title("adapters");
  const source = tinyBlock({ depth: 2 });
  const values = (model: ReturnType<typeof tinyBlock>) =>
    own(() =>
      model
        .forward(rampTensor([1, 3, 24]))
        .dataSync()
        .slice(0, 8),
    );
  await open("saveAdapter without updates", () => lora.saveAdapter(source, at("none")));
  lora.attach(source, { rank: 2, alpha: 5, targets: ["q_proj", "down_proj"] });
  perturb(source, (path) => path.includes("lora_"));
  await open("saveAdapter", async () => {
    await lora.saveAdapter(source, at("adapter"));
    const file = await openCheckpoint(join(at("adapter"), "adapter_model.safetensors"));
    const { names } = file;
    await file.close();
    return [
      readdirSync(at("adapter")).sort(),
      names,
      JSON.parse(readFileSync(join(at("adapter"), "adapter_config.json"), "utf8")),
    ];
  });
  await open("loadAdapter", async () => {
    const into = tinyBlock({ depth: 2 });
    const report = await lora.loadAdapter(into, at("adapter"));
    return [report, String(report), values(into), values(source)];
  });
  await open("loadAdapter twice, merged", async () => {
    const into = tinyBlock({ depth: 2 });
    await lora.loadAdapter(into, at("adapter"));
    lora.merge(into);
    await lora.loadAdapter(into, at("adapter"));
    return [values(into), lora.adapters(into).map(([, { merged }]) => merged)];
  });
  await open("loadAdapter into one layer", async () =>
    String(await lora.loadAdapter(tinyBlock(), at("adapter"))),
  );
  await open("loadAdapter into another width", () =>
    lora.loadAdapter(
      new LlamaLanguageModel({ ...tinyLlama, dim: 12, depth: 2, vocabulary: 5 }) as never,
      at("adapter"),
    ),
  );
  await open("loadAdapter into nothing", () => lora.loadAdapter({} as never, at("adapter")));
  await open("loadAdapter of nothing", () => lora.loadAdapter(tinyBlock(), at("nowhere")));
  const whole = new Map([["layers.0.ffn_norm.weight", { shape: [24], data: new Float32Array(24).fill(2) }]]);
  await calls.does("whole parameters", async () => {
    const model = tinyBlock().unfreeze();
    const other = await model.clone(() => true);
    const states: unknown[] = [
      wholeMisfits(model, whole),
      wholeMisfits(
        model,
        new Map([
          ["layers.0.ffn_norm.weight", { shape: [2], data: new Float32Array(2) }],
          ["x", { shape: [1], data: new Float32Array(1) }],
        ]),
      ),
    ];
    putWhole(model, whole);
    const [own0, theirs] = [model, other].map(
      (one) => [...one.namedParameters()].find(([path]) => path.endsWith("ffn_norm.weight"))![1],
    );
    states.push(
      [own0 === theirs, own0.trainable, own0.source],
      (await own0.read()).data,
      (await theirs.read()).data,
      [...(await wholeParameters(model)).keys()],
      wholeMisfits(model, new Map()),
    );
    return states;
  });
  calls.approve("models/checkpoints");
});
