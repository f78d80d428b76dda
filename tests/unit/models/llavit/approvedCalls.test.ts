import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { bytes } from "../../../../src/io/tokenizer";
import { classifier, llavit, mae } from "../../../../src/models";
import { tokenizerFrom } from "../../../../src/models/llavit/build";
import { ClipTower } from "../../../../src/models/llavit/clip";
import { Connector } from "../../../../src/models/llavit/connector";
import { expectTokens, llavitOptions, templateOptions } from "../../../../src/models/llavit/create";
import { describeVision } from "../../../../src/models/llavit/describe";
import { expectImages, rowOf, spliced } from "../../../../src/models/llavit/imagePlaces";
import { isUnused, llavaKey } from "../../../../src/models/llavit/keys";
import { languageModelOptions } from "../../../../src/models/llavit/languageModel";
import { llavaSizes } from "../../../../src/models/llavit/llavaConfig";
import {
  endOf,
  labelsOf,
  llavaTemplate,
  plainTemplate,
  promptOf,
} from "../../../../src/models/llavit/prompt";
import { keptShapes, placesOf, readImage, readOn, sayOn } from "../../../../src/models/llavit/reading";
import { answerTargets, NOT_COUNTED } from "../../../../src/models/llavit/targets";
import { towerFeatures } from "../../../../src/models/llavit/tower";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { rampTensor, repository, withSlopes } from "../../nn/support";
import { lifeOf, parametersOf, passOf, perturb, tinyDecoder, tinyViT } from "../support";
import { plainTower, qwenLanguage, start, tinyLanguage, tinyLlavit, tinySequences } from "./support";

before(() => startBackend({ backend: "cpu" }));

const own = <T>(make: () => T) => tf.tidy(make as never) as T;
const clipConfig = {
  imageSize: 12,
  patchSize: 4,
  dim: 8,
  depth: 2,
  heads: 2,
  hiddenDim: 10,
  normEps: 1e-3,
  activation: "gelu",
} as const;
const fixture = join(repository, "tests", "unit", "models", "llavit", "fixtures", "llava");

test("what LLaVA's names, sizes, prompts and targets are is approved", async () => {
  const calls = new Calls();
  calls.title("names");
  const names = [
    "vision_tower.vision_model.embeddings.class_embedding",
    "model.vision_tower.vision_model.embeddings.patch_embedding.weight",
    "vision_tower.embeddings.position_embedding.weight",
    "model.vision_tower.vision_tower.vision_model.pre_layrnorm.bias",
    "vision_tower.vision_model.encoder.layers.11.self_attn.q_proj.weight",
    "vision_tower.vision_model.post_layernorm.weight",
    "vision_tower.post_layernorm.bias",
    "model.vision_tower.vision_model.embeddings.position_ids",
    "vision_tower.vision_model.head.weight",
    "multi_modal_projector.linear_1.weight",
    "model.multi_modal_projector.linear_2.bias",
    "model.mm_projector.0.weight",
    "mm_projector.2.bias",
    "mm_projector.1.bias",
    "language_model.model.layers.3.self_attn.q_proj.weight",
    "model.language_model.layers.3.mlp.gate_proj.weight",
    "language_model.lm_head.weight",
    "lm_head.weight",
    "model.language_model.embed_tokens.weight",
    "language_model.model.norm.weight",
    "model.layers.0.self_attn.rotary_emb.inv_freq",
    "language_model.model.layers.0.self_attn.rotary_emb.inv_freq",
    "strange.weight",
    "",
  ];
  for (const name of names) {
    await calls.of(llavaKey, name);
    await calls.of(isUnused, name);
  }

  calls.title("sizes");
  const config = JSON.parse(readFileSync(join(fixture, "config.json"), "utf8"));
  const shapes: [string, number[]][] = [
    ["vision_tower.patch_embedding.weight", [12, 3, 4, 4]],
    ...[0, 1, 2].map((i): [string, number[]] => [`vision_tower.layers.${i}.mlp.fc1.weight`, [20, 12]]),
    ["tok_embeddings.weight", [40, 16]],
    ["output.weight", [40, 16]],
    ...[0, 1].flatMap((i): [string, number[]][] => [
      [`layers.${i}.attention.wk.weight`, [8, 16]],
      [`layers.${i}.feed_forward.w1.weight`, [24, 16]],
    ]),
  ];
  const tensors = (but: (key: string) => boolean = () => false) =>
    new Map(shapes.filter(([key]) => !but(key)).map(([key, shape]) => [key, { shape }]));
  const sizes = (name: string, value: object, given = tensors()) =>
    calls.does(name, () => llavaSizes("config.json", value as never, given));
  await sizes("all said", config);
  await sizes("nothing said", {
    model_type: "llava",
    vision_config: { model_type: "clip_vision_model" },
    text_config: { model_type: "llama" },
  });
  await sizes(
    "tied",
    config,
    tensors((key) => key === "output.weight"),
  );
  for (const [at, entries] of [
    [
      "",
      [
        ["model_type", "llama"],
        ["model_type", undefined],
        ["vision_feature_select_strategy", "full"],
        ["vision_feature_select_strategy", undefined],
        ["projector_hidden_act", "relu"],
        ["multimodal_projector_bias", false],
      ],
    ],
    [
      "",
      [
        ["vision_feature_layer", -1],
        ["vision_feature_layer", [0, 3, -4]],
        ["vision_feature_layer", 4],
        ["vision_feature_layer", -5],
        ["vision_feature_layer", []],
        ["vision_feature_layer", 1.5],
        ["vision_feature_layer", undefined],
      ],
    ],
    [
      "vision_config",
      [
        ["model_type", "siglip_vision_model"],
        ["hidden_act", "gelu"],
        ["hidden_act", "relu"],
        ["hidden_act", undefined],
        ["image_size", 13],
        ["image_size", 0],
        ["patch_size", "4"],
        ["num_hidden_layers", 2],
        ["num_attention_heads", undefined],
        ["layer_norm_eps", -1],
        ["layer_norm_eps", undefined],
        ["intermediate_size", undefined],
        ["hidden_size", undefined],
      ],
    ],
    [
      "text_config",
      [
        ["model_type", "gemma"],
        ["num_hidden_layers", 3],
        ["num_key_value_heads", undefined],
        ["head_dim", undefined],
        ["rms_norm_eps", undefined],
        ["vocab_size", undefined],
        ["attention_bias", true],
        ["sliding_window", 4],
        ["max_position_embeddings", undefined],
        ["rope_parameters", { rope_type: "linear", factor: 2, rope_theta: 500 }],
        ["hidden_act", "relu"],
      ],
    ],
  ] as [string, [string, unknown][]][])
    for (const [key, value] of entries) {
      const changed =
        at === "" ? { ...config, [key]: value } : { ...config, [at]: { ...config[at], [key]: value } };
      await sizes(`${at}.${key} ${JSON.stringify(value)}`, JSON.parse(JSON.stringify(changed)));
    }
  await sizes("its authors' layout", {
    model_type: "llava",
    mm_vision_tower: "openai/clip-vit-large-patch14-336",
  });
  await sizes(
    "no blocks",
    config,
    tensors((key) => key.includes("layers.")),
  );

  calls.title("prompts");
  calls.note("templates", { plainTemplate, llavaTemplate, NOT_COUNTED });
  const speaker = {
    tokenizer: bytes,
    template: { before: "<", between: "|é", after: ">", end: "\n\n" },
    patches: 3,
  };
  const begun = { ...speaker, tokenizer: { ...bytes, begin: [7, 8], encode: bytes.encode } };
  for (const [question, answer] of [
    ["ab", "c"],
    ["", ""],
    ["ab", undefined],
    ["ü😀", "ß"],
  ]) {
    await calls.does(`promptOf ${question}, ${answer}`, () => promptOf(speaker, question as string, answer));
    await calls.does(`promptOf ${question}, ${answer} of a tokenizer that begins`, () =>
      promptOf(begun, question as string, answer),
    );
  }
  await calls.does("endOf", () => endOf(speaker));
  for (const length of [12, 14, 20])
    await calls.does(`labelsOf ${length}`, () => labelsOf(promptOf(speaker, "ab", "c"), length));
  const labels = [
    [-100, 3, -100, 1],
    [2, -100, -100, -100],
    [-100, -100, 0, 4],
  ];
  for (const most of [undefined, 4, 6, 3]) await calls.of(answerTargets, labels, 5, most);
  for (const [given, vocabulary] of [
    [labels, 4],
    [[[-100, 1.5]], 4],
    [[[-100, -1]], 4],
    [[Int32Array.of(-100, 2)], 3],
  ] as [number[][], number][])
    await calls.of(answerTargets, given, vocabulary);
  for (const [read, count, sizes] of [
    [2, 3, { width: 4, capacity: 7 }],
    [0, 2, { width: 2, capacity: 3 }],
    [3, 2, { width: 3, capacity: 6, window: 2 }],
    [3, 2, { width: 2, capacity: 6, window: 1 }],
  ] as [number, number, { width: number; capacity: number }][])
    await calls.of(placesOf, read, count, sizes);

  calls.title("places of images");
  const counts = { images: 2, patches: 3, batch: 2, tokens: 8 };
  for (const at of [
    0,
    5,
    6,
    -1,
    1.5,
    [0, 5],
    [0, 6],
    [0, undefined],
    [undefined, undefined],
    [0],
    [1, 2, 3],
    [Number.NaN, 1],
  ])
    await calls.of(expectImages, at as number, counts);
  await calls.of(expectImages, [4, undefined], { ...counts, images: 1 });
  await calls.of(expectImages, 2, { ...counts, images: 3 });
  await calls.does("rowOf", () => own(() => rowOf(rampTensor([2, 3, 2]), 1)));
  for (const at of [0, 2, 3])
    await calls.does(`spliced ${at}`, () =>
      withSlopes(
        (a, b) => tf.add(spliced(a, b, at), tf.mul(0.1, b)),
        rampTensor([2, 2, 3]),
        rampTensor([2, 5, 3], 2),
      ),
    );

  calls.title("tokenizers");
  await calls.does("bytes", async () => (await tokenizerFrom("bytes")) === bytes);
  await calls.does("one that is gone", async () => {
    const { encode, decode, ...rest } = await tokenizerFrom("/nowhere/tokenizer.json");
    const told = [encode, decode].map((call) => {
      try {
        return (call as (x: unknown) => unknown)("a");
      } catch (error) {
        return error;
      }
    });
    return [rest, told];
  });
  await calls.does("too many tokens", () => expectTokens({ ...bytes, size: 257 }, tinyLanguage()));
  await calls.does("as many tokens", () => expectTokens({ ...bytes, size: 256 }, tinyLanguage()));
  for (const [name, options] of Object.entries({ llavitOptions, templateOptions, languageModelOptions }))
    calls.note(name, [Object.keys(options.required), Object.keys(options.optional)]);
  calls.approve("models/llavit/words");
});

test("what towers and models of images and text compute is approved", async () => {
  const calls = new Calls();
  const images = rampTensor([2, 3, 12, 12]);
  const clip = (more: object = {}) => new ClipTower({ ...clipConfig, ...more }, 3);
  const all = (states: Tensor[]) => tf.stack(states);
  calls.title("towers");
  for (const more of [{}, { activation: "quick-gelu" }, { normEps: 0.5 }, { heads: 4 }, { depth: 1 }])
    await calls.does(`ClipTower ${inspect(more)}`, () =>
      lifeOf(
        () => clip(more),
        (model) => all(model.statesOf(images)),
      ),
    );
  await calls.does("sites", () =>
    own(() => {
      const seen: unknown[] = [];
      clip().statesOf(images, { tap: (name, { shape }) => seen.push([name, shape]) });
      return seen as never;
    }),
  );
  await calls.does("edits", () =>
    own(
      () =>
        clip()
          .statesOf(images, { edit: (name, x) => (name === "blocks.0.attn.pattern" ? tf.mul(x, 0) : x) })
          .at(-1)!,
    ),
  );
  await calls.does("seed", () => own(() => new ClipTower(clipConfig).statesOf(images)[2]));
  calls.note("describe", [clip().describe(), clip().firstPatch]);
  for (const shape of [
    [2, 3, 12, 8],
    [2, 1, 12, 12],
    [3, 12, 12],
  ])
    await calls.does(`images [${shape}]`, () => own(() => clip().statesOf(tf.zeros(shape)) as never));
  for (const no of [3, { dim: 8 }, undefined])
    await calls.does(`ClipTower ${inspect(no)}`, () => String(new ClipTower(no as never)));
  await calls.does("Connector", () =>
    lifeOf(
      () => new Connector(6, 4, new Rng(1)),
      (model) => model.forward(rampTensor([2, 3, 6], 3)),
    ),
  );
  for (const layers of [[2], [1, 2], [2, 0, 1]])
    await calls.does(`towerFeatures ${layers}`, () => own(() => towerFeatures(clip(), images, layers, {})));
  const bare = classifier.create({
    encoder: { ...tinyViT, classToken: false, registers: 2 },
    classes: 2,
    pooling: "mean",
  });
  await calls.does("towerFeatures without a class token", () =>
    own(() => towerFeatures(bare.encoder, images, [2, 1], {})),
  );

  calls.title("models");
  const { images: seen, ids } = tinySequences();
  const rows = tf.tensor1d([11, 28, 15], "int32");
  const targets = own(() => tf.softmax(rampTensor([3, 256], 2)));
  const towers = {
    vit: plainTower,
    clip: () => clip(),
    mae: () => mae.create({ encoder: tinyViT, decoder: tinyDecoder }),
  };
  const variants: Record<string, () => Promise<llavit.Llavit>> = {
    plain: () => tinyLlavit(),
    ...Object.fromEntries(
      Object.entries(towers).map(([name, tower]) => [
        `on a ${name}`,
        () => tinyLlavit({ tower: tower(), seed: 2 }),
      ]),
    ),
    "layers 1 and 2": () => tinyLlavit({ layers: [1, 2] }),
    "layer 0": () => tinyLlavit({ layers: [0] }),
    full: () => tinyLlavit({ visionQkv: "full" }),
    "full in a few": () => tinyLlavit({ visionQkv: "full", visionBlocks: [1, 3], language: qwenLanguage() }),
    lora: () => tinyLlavit({ visionQkv: "lora" }),
    "lora of rank 2, alpha 5": () =>
      tinyLlavit({ visionQkv: "lora", rank: 2, alpha: 5, visionBlocks: [2], seed: 4 }),
    bidirectional: () => tinyLlavit({ visionMask: "bidirectional" }),
    none: () => tinyLlavit({ visionMask: "none" }),
    "in a window": () =>
      tinyLlavit({ visionMask: "bidirectional", language: tinyLanguage({ slidingWindow: 3 }) }),
    tied: () => tinyLlavit({ language: tinyLanguage({ tiedEmbeddings: true }) }),
  };
  for (const [name, make] of Object.entries(variants))
    await calls.does(name, async () => {
      const model = await make();
      const fresh = own(() => tf.clone(model.loss({ images: seen, ids, rows, targets }, start)));
      perturb(model, (path) => !path.startsWith("vision_tower."));
      const logits = passOf(model, () => model.logitsAt({ images: seen, ids, rows }, start));
      const uneven = own(() =>
        model.loss({ images: tf.slice(seen, 0, 1), ids, rows, targets }, [undefined, 2]),
      );
      const told = {
        parameters: parametersOf(model),
        text: String(model),
        config: { ...model.describe(), luvitVersion: "" },
        vision: describeVision(model.language),
      };
      model.dispose();
      return { ...told, fresh, ...logits, uneven };
    });
  const model = await variants["lora of rank 2, alpha 5"]();
  perturb(model, (path) => !path.startsWith("vision_tower."));
  await calls.does("forward", () => own(() => model.forward({ images: seen, ids }, start)));
  await calls.does("see", () => own(() => model.see(seen)));
  await calls.does("patches", () => model.patches);
  for (const at of [3, [3, 1]])
    await calls.does(`contextAt ${at}`, () => own(() => model.contextAt(at, 16) as never));
  const seeing = await variants.bidirectional();
  for (const at of [3, [3, undefined]])
    await calls.does(`contextAt ${at}, bidirectional`, () =>
      own(() => seeing.contextAt(at, 14, { lastQueries: 2 }) as never),
    );
  await calls.does("sites", () =>
    own(() => {
      const names: string[] = [];
      model.forward({ images: seen, ids }, start, { tap: (name) => names.push(name) });
      return names as never;
    }),
  );
  await calls.does("images that do not fit", () => own(() => model.forward({ images: seen, ids }, 8)));
  const refused: Record<string, object> = {
    "a layer too many": { layers: [3] },
    "no layer": { layers: [] },
    "a block too many": { visionBlocks: [4] },
    "block 0": { visionBlocks: [0] },
    "a block twice": { visionBlocks: [2, 2] },
    "a layer twice": { layers: [2, 2] },
    "not causal": { language: tinyLanguage({ causal: false }) },
    "too few tokens": { language: tinyLanguage({ vocabulary: 255 }) },
    "no tower": { tower: {} },
    "no language": { language: 3 },
    "another mask": { visionMask: "all" },
    "another kind": { visionQkv: "half" },
    "rank 0": { rank: 0 },
    "no tokenizer": { tokenizer: { encode: 1 } },
    "half a template": { template: { before: "" } },
    "a template without end": { template: { ...plainTemplate, end: "" } },
    unknown: { layer: 1 },
  };
  for (const [name, more] of Object.entries(refused))
    await calls.does(name, () => tinyLlavit(more).then(({ layers }) => layers));

  calls.title("reading on");
  for (const language of [tinyLanguage(), qwenLanguage()]) {
    const reader = await tinyLlavit({ language });
    perturb(reader, (path) => !path.startsWith("vision_tower."));
    await calls.does("keptShapes", () => keptShapes(reader, 20));
    await calls.does("an image, text and an answer", () =>
      own(() => {
        const one = { images: tf.slice(seen, 0, 1), ids: tf.slice(ids, 0, 1) };
        const read = readImage(reader, { ...one, last: tf.tensor1d([13], "int32") }, start, 20);
        const places = (count: number, width: number, from: number) => {
          const { positions, places: at, mask } = placesOf(from, count, { width, capacity: 20 });
          return {
            positions: tf.tensor1d(positions),
            places: tf.tensor2d(at, [20, width]),
            mask: tf.tensor2d(mask, [width, 20]),
          };
        };
        const on = readOn(
          reader,
          {
            ids: tf.tensor2d([5, 6, 0], [1, 3], "int32"),
            last: tf.tensor1d([1], "int32"),
            ...places(2, 3, 14),
          },
          read.kept,
        );
        const said = sayOn(
          reader,
          { token: tf.tensor1d([9], "int32"), noise: tf.zeros([3, 256]), ...places(3, 3, 16) },
          on.kept,
        );
        const drawn = sayOn(
          reader,
          { token: tf.tensor1d([9], "int32"), noise: rampTensor([2, 256], 5), ...places(2, 2, 16) },
          on.kept,
        );
        const names = [read, on, said].map(({ kept }) =>
          Object.entries(kept).map(([name, { shape }]) => [name, shape]),
        );
        const last = said.kept["layers.1.attention.key"];
        return {
          read: read.logits,
          on: on.logits,
          said: said.tokens,
          logits: said.logits,
          drawn: drawn.tokens,
          last,
          names,
        } as never;
      }),
    );
    // What is read in one pass gives the same.
    await calls.does("the same at once", () =>
      own(() => {
        const row = [...tf.slice(ids, 0, 1).dataSync()].slice(0, 14).concat([5, 6, 9]);
        return reader.logitsAt(
          {
            images: tf.slice(seen, 0, 1),
            ids: tf.tensor2d(row, [1, 17], "int32"),
            rows: tf.tensor1d([13, 15, 16], "int32"),
          },
          start,
        );
      }),
    );
  }
  calls.approve("models/llavit/models");
});

test("what models of images and text are read from and written to is approved", async () => {
  const folder = temporaryFolder("llavit");
  const calls = new Calls({ folder });
  const { images, ids } = tinySequences();
  const inputs = { images: rampTensor([2, 3, 12, 12]), ids };
  const told = (model: llavit.Llavit) => ({
    text: String(model),
    config: { ...model.describe(), luvitVersion: "" },
    parameters: parametersOf(model),
  });
  const at = (name: string) => join(folder, name);
  const copy = (
    name: string,
    change: (config: { [key: string]: never } & Record<string, unknown>) => void,
    files: Record<string, string> = {},
  ) => {
    cpSync(fixture, at(name), { recursive: true });
    const config = JSON.parse(readFileSync(join(fixture, "config.json"), "utf8"));
    change(config);
    writeFileSync(join(at(name), "config.json"), JSON.stringify(config));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(at(name), file), text);
  };
  /** Files of which tensors are kept stay open for as long as these. */
  const openFiles = async (name: string, expression: () => Promise<unknown>) =>
    calls.note(name, await expression().catch((error: Error) => error));
  copy("usual", () => {});
  copy("prepared", () => {}, {
    "preprocessor_config.json": JSON.stringify({ image_mean: [0.1, 0.2, 0.3], image_std: [0.4, 0.5, 0.6] }),
  });
  copy("half prepared", () => {}, {
    "preprocessor_config.json": JSON.stringify({ image_std: [0.4, 0.5, 0.6] }),
  });
  copy("prepared wrongly", () => {}, {
    "preprocessor_config.json": JSON.stringify({ image_mean: [0.1, 0.2] }),
  });
  copy("other layers", (config) => Object.assign(config, { vision_feature_layer: [1, -1] }));
  copy("other depth", (config) =>
    Object.assign(config, { text_config: { ...(config.text_config as object), num_hidden_layers: 5 } }),
  );
  copy("no config", () => {});
  rmSync(join(at("no config"), "config.json"));
  for (const name of [
    "usual",
    "prepared",
    "half prepared",
    "prepared wrongly",
    "other layers",
    "other depth",
    "no config",
    "nothing",
  ])
    await openFiles(`open ${name}`, async () => {
      const model = await llavit.open(at(name));
      const short = tf.tidy(() =>
        tf.tensor2d(
          ids.dataSync().map((x) => x % 40),
          [2, 16],
          "int32",
        ),
      );
      const value = own(() => model.forward({ images: inputs.images, ids: short }, start).dataSync().slice());
      const all = told(model);
      model.dispose();
      short.dispose();
      return { ...all, value };
    });
  for (const [name, options] of [
    ["usual", { block: "x" }],
    ["usual", { averaged: true }],
    ["usual", { nothing: 1 }],
    ["", {}],
  ] as const)
    await openFiles(`open ${name} ${inspect(options)}`, () =>
      llavit.open(name && at(name), options as never),
    );
  await openFiles("its tower named, not written", async () => {
    const model = await llavit.open(at("usual"));
    const saved = await model.save(at("named"), { frozen: "named" });
    const back = await llavit.load(at("named"));
    const [before, after] = [model, back].map((one) => own(() => one.see(inputs.images).dataSync().slice()));
    return [String(saved), before, after];
  });
  const made = await tinyLlavit({
    visionQkv: "lora",
    rank: 2,
    visionBlocks: [2],
    layers: [0, 2],
    visionMask: "none",
    template: { before: "a", between: "b", after: "c", end: "d" },
  });
  perturb(made, (path) => !path.startsWith("vision_tower."));
  await calls.does("save", () => made.save(at("saved")).then(({ tensors, bytes: size }) => [tensors, size]));
  for (const read of [llavit.load, llavit.open])
    await openFiles(read.name, async () => {
      const back = await read(at("saved"));
      const value = own(() =>
        tf
          .stack([back.forward({ images, ids }, start), made.forward({ images, ids }, start)])
          .sub(made.forward({ images, ids }, start))
          .abs()
          .sum([1, 2, 3])
          .dataSync()
          .slice(),
      );
      return { ...told(back), value };
    });
  await calls.does("open with what the hub is asked", () => llavit.open(at("saved"), { revision: "main" }));
  await calls.does("load a LLaVA", () => llavit.load(at("usual")));
  const toy = join(repository, "data", "llama-toy");
  await calls.does("languageModel", async () => {
    const language = await llavit.languageModel(toy);
    const all = {
      text: String(language),
      config: { ...language.describe(), luvitVersion: "" },
      trainable: language.counts(),
    };
    return { ...all, value: own(() => language.forward(tf.tensor2d([5, 6, 7, 1, 2, 3], [2, 3], "int32"))) };
  });
  for (const options of [{ normEps: 0 }, { ropeTheta: 0 }, { revision: "" }, { head: 2 }, { heads: 4097 }])
    await calls.does(`languageModel ${inspect(options)}`, () =>
      llavit.languageModel(toy, options as never).then((language) => language.describe().heads),
    );
  await calls.does("languageModel of nothing", () => llavit.languageModel(""));
  calls.approve("models/llavit/files");
});
