import { before, test } from "node:test";
import { inspect } from "node:util";
import { checkOptions } from "../../../src/core/options";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { baselines, fusion, lora, vit } from "../../../src/models";
import { AttentionPool } from "../../../src/models/attentionPool";
import {
  Attention,
  activationNames,
  LayerScale,
  Mlp,
  mlpKinds,
  mlpOf,
  SwiGlu,
} from "../../../src/models/branches";
import { isForClassToken } from "../../../src/models/classTokenAttention";
import { describeBlocks, describeLlama, llamaConfigFrom } from "../../../src/models/describe";
import { FusionPath } from "../../../src/models/fusion";
import { Embedding, LlamaLanguageModel } from "../../../src/models/languageModel";
import { LlamaAttention, LlamaBlock, LlamaBlocks, LlamaFeedForward } from "../../../src/models/llamaBlock";
import { headSizes, llama7b, llamaConfig, swigluWidth } from "../../../src/models/llamaConfig";
import { LoraLinear } from "../../../src/models/lora";
import { LoraReport } from "../../../src/models/loraReport";
import { fitPositionTable, positionParameter } from "../../../src/models/positions";
import { rotate } from "../../../src/models/rotary";
import { byRange, copiedVisionQkv, freshVisionQkv, VisionUpdate } from "../../../src/models/visionQkv";
import { dropBranch, expectClassToken, usualNormEps } from "../../../src/models/vit";
import { KeyValueCache } from "../../../src/nn/cache";
import { normal } from "../../../src/nn/init";
import { Linear } from "../../../src/nn/layers";
import { Calls } from "../../support/calls";
import { rampTensor, withSlopes } from "../nn/support";
import { lifeOf, parametersOf, perturb, tinyBlock, tinyLlama, tinyViT } from "./support";

before(() => startBackend({ backend: "cpu" }));

const own = <T>(make: () => T) => tf.tidy(make as never) as T;
const tokens = rampTensor([2, 5, 12], 2);

test("what blocks of vision transformers compute is approved", async () => {
  const calls = new Calls();
  calls.note(
    "presets",
    Object.fromEntries(
      ["tiny16", "small16", "base16", "large16", "huge14", "toy"].map((name) => [name, vit[name as "toy"]]),
    ),
  );
  calls.note("activations and kinds", [activationNames, mlpKinds, usualNormEps]);
  const start = normal(0.5);
  const rng = () => new Rng(3);
  for (const queries of [undefined, 1, 3, 9])
    await calls.does(`Attention, queries ${queries}`, () =>
      lifeOf(
        () => new Attention(12, 3, rng(), start),
        (model) => model.forward(tokens, {}, "a", queries),
      ),
    );
  for (const activation of activationNames)
    await calls.does(`Mlp ${activation}`, () =>
      lifeOf(
        () => new Mlp(12, 7, rng(), start, activation),
        (model) => model.forward(tokens),
      ),
    );
  await calls.does("Mlp", () =>
    lifeOf(
      () => new Mlp(12, 7, rng(), start),
      (model) => model.forward(tokens),
    ),
  );
  for (const wide of [12, 13, 24])
    await calls.does(`SwiGlu ${wide}`, () =>
      lifeOf(
        () => new SwiGlu(12, wide, rng(), start),
        (model) => model.forward(tokens),
      ),
    );
  await calls.does("LayerScale", () =>
    lifeOf(
      () => new LayerScale(12, 0.25),
      (model) => model.forward(tokens),
    ),
  );
  for (const kind of [undefined, ...mlpKinds])
    await calls.does(`mlpOf ${kind}`, () =>
      lifeOf(
        () => mlpOf(kind, 12, 9, rng(), start),
        (model) => model.forward(tokens),
      ),
    );
  const sizes = { dim: 12, heads: 2, mlpRatio: 1.3 };
  const block =
    (more: object = {}, scheme: "mae" | "timm" = "timm") =>
    () =>
      new vit.Block({ ...sizes, ...more }, rng(), scheme);
  for (const more of [
    {},
    { layerScale: 0.5 },
    { layerScale: 0 },
    { mlp: "swiglu" },
    { mlp: "quick-gelu" },
    { normEps: 0.5 },
    { heads: 3 },
    { mlpRatio: 2 },
  ])
    await calls.does(`Block ${inspect(more)}`, () =>
      lifeOf(block(more), (model) => model.forward(tokens, {}, "b", 0)),
    );
  await calls.does("Block of MAE's start", () =>
    lifeOf(block({}, "mae"), (model) => model.forward(tokens, {}, "b", 0)),
  );
  for (const queries of [1, 4])
    await calls.does(`Block, queries ${queries}`, () =>
      lifeOf(block({ layerScale: 0.5 }), (model) => model.forward(tokens, {}, "b", 0, queries)),
    );
  const dropPath = tf.tensor2d([1, 2, 0, 3, 2, 0, 4, 1], [4, 2]);
  for (const row of [0, 2])
    await calls.does(`Block, dropped by row ${row}`, () =>
      lifeOf(block(), (model) => model.forward(tokens, { dropPath }, "b", row)),
    );
  await calls.does("dropBranch", () =>
    own(() => [dropBranch(tokens, { dropPath }, 1), tf.clone(dropBranch(tokens, {}, 1))] as never),
  );
  await calls.does("sites", () =>
    own(() => {
      const seen: unknown[] = [];
      block()().forward(tokens, { tap: (name, { shape }) => seen.push([name, shape]) }, "b", 0, 2);
      return seen as never;
    }),
  );
  for (const part of ["norm1", "attn.pattern", "attn.out", "middle", "norm2", "mlp.out", "out"])
    await calls.does(`edit of ${part}`, () =>
      own(() =>
        block()().forward(tokens, { edit: (name, x) => (name === `b.${part}` ? tf.mul(x, 3) : x) }, "b", 0),
      ),
    );
  const refused: Record<string, () => unknown> = {
    "Attention(12, 5)": () => new Attention(12, 5, rng(), start),
    "Attention(12, 0)": () => new Attention(12, 0, rng(), start),
    "Attention(0, 1)": () => new Attention(0, 1, rng(), start),
    "Block({ heads: 5 })": block({ heads: 5 }),
    "Block({ mlpRatio: 0 })": block({ mlpRatio: 0 }),
    "Block({ dim: 200000, heads: 1 })": block({ dim: 200_000, heads: 1 }),
    "Block(3)": () => new vit.Block(3 as never, rng(), "mae"),
    "Block(…, 3)": () => new vit.Block(sizes, 3 as never, "mae"),
    "PatchEmbed(0, 12)": () => new vit.PatchEmbed(0, 12, rng(), "mae"),
    "PatchEmbed(4, 0)": () => new vit.PatchEmbed(4, 0, rng(), "mae"),
    "PatchEmbed(4, 12, 3)": () => new vit.PatchEmbed(4, 12, 3 as never, "mae"),
  };
  for (const [name, make] of Object.entries(refused)) await calls.does(name, () => String(make()));
  for (const scheme of ["mae", "timm"] as const)
    await calls.does(`PatchEmbed ${scheme}`, () =>
      lifeOf(
        () => new vit.PatchEmbed(2, 5, rng(), scheme),
        (model) => model.forward(rampTensor([2, 3, 4, 6])),
      ),
    );
  for (const more of [
    {},
    { imageSize: 13 },
    { patchSize: 5 },
    { imageSize: 0 },
    { dim: 17 },
    { heads: 3 },
    { depth: 0 },
    { depth: 1.5 },
    { mlpRatio: 0 },
    { mlpRatio: 1025 },
    { registers: -1 },
    { registers: 1001 },
    { layerScale: 0 },
    { layerScale: -1 },
    { mlp: "relu" },
    { classToken: 1 },
    { preNorm: "yes" },
    { normEps: 0 },
    { normEps: 2 },
    { imageSize: 1028, patchSize: 4 },
    { imageSize: 1024 },
    { dim: 100_000, depth: 1000, heads: 1 },
    { width: 3 },
  ])
    await calls.of(vit.patchCount, { ...tinyViT, ...more } as never);
  await calls.of(vit.patchCount, undefined as never);
  for (const classToken of [undefined, true, false])
    await calls.of(expectClassToken, "here", { ...tinyViT, classToken });
  for (const [kind, extra] of [
    ["sincos", 1],
    ["learned", 1],
    ["sincos", 0],
    ["learned", 0],
    ["sincos", undefined],
  ] as const)
    await calls.does(`positionParameter ${kind} ${extra}`, async () => {
      const parameter = positionParameter(8, 9, rng(), kind, extra);
      return [parameter.shape, parameter.trainable, await parameter.read()];
    });
  const table = { shape: [1, 10, 4], data: Float32Array.from({ length: 40 }, (_, i) => Math.sin(i)) };
  for (const [more, resize] of [
    [{}, undefined],
    [{ imageSize: 16 }, undefined],
    [{ imageSize: 16 }, "timm"],
    [{ imageSize: 16 }, "dino"],
    [{ classToken: false }, "mae"],
  ] as const)
    await calls.does(`fitPositionTable ${inspect(more)} ${resize}`, () =>
      fitPositionTable(table, { ...tinyViT, ...more }, resize),
    );
  const pool =
    (more: object = {}) =>
    () =>
      new AttentionPool({ dim: 12, heads: 3, mlpRatio: 1.5, ...more }, rng());
  for (const more of [{}, { mlp: "gelu-tanh" }, { mlp: "swiglu" }, { normEps: 0.5 }, { heads: 2 }])
    await calls.does(`AttentionPool ${inspect(more)}`, () =>
      lifeOf(pool(more), (model) => model.forward(tokens)),
    );
  await calls.does("sites of AttentionPool", () =>
    own(() => {
      const seen: unknown[] = [];
      pool()().forward(tokens, { tap: (name, { shape }) => seen.push([name, shape]) });
      return seen as never;
    }),
  );
  calls.note("describeBlocks", [
    describeBlocks({ ...tinyViT }, [block({ normEps: 0.5 })()]),
    describeBlocks(tinyViT, []),
  ]);
  calls.approve("models/blocks");
});

test("what blocks of language models compute is approved", async () => {
  const calls = new Calls();
  const config = { ...tinyLlama, dim: 12, heads: 2, hiddenDim: 10, normEps: 1e-3 };
  const grouped = { heads: 4, kvHeads: 2, headDim: 4 };
  calls.note("llama7b", llama7b);
  const rng = () => new Rng(3);
  const configs: Record<string, object> = {
    plain: {},
    causal: { causal: true },
    "a window": { causal: true, slidingWindow: 2 },
    "a window alone": { slidingWindow: 2 },
    rope: { rope: true },
    "rope, Meta's order": { rope: true, rowOrder: "meta" },
    "rope, theta 50": { rope: true, ropeTheta: 50 },
    "rope, linear": { rope: true, ropeScaling: { type: "linear", factor: 3 } },
    "rope, llama3": {
      rope: true,
      ropeScaling: {
        type: "llama3",
        factor: 4,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalLength: 16,
      },
    },
    "rope, divisors": { rope: true, ropeScaling: { type: "divisors", divisors: [1, 2, 3] } },
    grouped,
    "grouped, causal, rope": { ...grouped, causal: true, rope: true },
    biases: { qkvBias: true, outputBias: true, mlpBias: true },
    "qk norms": { qkNorm: true },
    "qk norms and rope": { qkNorm: true, rope: true },
    "qk norms and rope, grouped": { ...grouped, qkNorm: true, rope: true, causal: true },
    "a great eps": { normEps: 0.5, qkNorm: true },
  };
  for (const [name, more] of Object.entries(configs)) {
    const block = () => new LlamaBlock({ ...config, ...more }, rng());
    await calls.does(name, () => lifeOf(block, (model) => model.forward(tokens)));
    await calls.does(`${name}, one query`, () => lifeOf(block, (model) => model.forward(tokens, {}, "l", 1)));
  }
  const block = (more: object = {}) => {
    const made = new LlamaBlock({ ...config, ...more }, rng());
    perturb(made);
    return made;
  };
  await calls.does("three queries", () => own(() => block().forward(tokens, {}, "l", 3)));
  for (const more of [{}, { causal: true }, grouped])
    await calls.does(`a mask, ${inspect(more)}`, () =>
      own(() =>
        block(more).forward(
          tokens,
          {
            mask: tf.tensor2d(
              Array.from({ length: 25 }, (_, i) => (i % 3 === 0 ? 0 : -1e9)),
              [5, 5],
            ),
          },
          "l",
          1,
        ),
      ),
    );
  const sites =
    (queries?: number, more: object = {}) =>
    () =>
      own(() => {
        const seen: unknown[] = [];
        block(more).forward(tokens, { tap: (name, { shape }) => seen.push([name, shape]) }, "l", queries);
        return seen as never;
      });
  await calls.does("sites", sites());
  await calls.does("sites of one query", sites(1));
  await calls.does("sites of one query, causal", sites(1, { causal: true }));
  for (const part of ["scores", "pattern", "heads"])
    for (const queries of [undefined, 1])
      await calls.does(`edit of ${part}, queries ${queries}`, () =>
        own(() =>
          block(grouped).forward(
            tokens,
            { edit: (name, x) => (name === `l.attention.${part}` ? tf.mul(x, 0.5) : x) },
            "l",
            queries,
          ),
        ),
      );
  const asked = (more: object, context: object, queries?: number) =>
    isForClassToken(new LlamaAttention({ ...config, ...more }, rng()), context as never, queries);
  calls.note("isForClassToken", {
    plain: asked({}, {}, 1),
    two: asked({}, {}, 2),
    all: asked({}, {}),
    rope: asked({ rope: true }, {}, 1),
    causal: asked({ causal: true }, {}, 1),
    mask: asked({}, { mask: tokens }, 1),
    cache: asked({}, { cache: new KeyValueCache(5) }, 1),
    "qk norms": asked({ qkNorm: true }, {}, 1),
    biases: asked({ qkvBias: true }, {}, 1),
    grouped: asked(grouped, {}, 1),
  });
  await calls.does("a cache", () =>
    own(() => {
      const model = block({ rope: true, causal: true });
      const cache = new KeyValueCache(6);
      const whole = model.forward(tokens, { cache });
      const places = tf.tensor2d([0, 0, 0, 0, 0, 1], [6, 1]);
      const next = new KeyValueCache(6, { kept: cache.after, positions: tf.tensor1d([5], "int32"), places });
      const further = model.forward(rampTensor([2, 1, 12], 2, 5), { cache: next, mask: tf.zeros([1, 6]) });
      const both = model.forward(tf.concat([tokens, rampTensor([2, 1, 12], 2, 5)], 1));
      return {
        whole,
        further,
        names: Object.keys(next.after),
        same: tf.max(tf.abs(tf.sub(further, tf.slice(both, [0, 5, 0], [2, 1, 12])))).dataSync()[0] < 1e-5,
      } as never;
    }),
  );
  await calls.does("LlamaFeedForward", () =>
    lifeOf(
      () => new LlamaFeedForward({ ...config, mlpBias: true }, rng()),
      (model) => model.forward(tokens),
    ),
  );

  calls.title("several");
  const blocks = (more: object = {}) =>
    new LlamaBlocks({ config, depth: 2, rng: rng(), origin: "here", ...more });
  const told = (model: LlamaBlocks) => ({
    text: String(model),
    source: model.source,
    indices: model.layerIndices,
    parameters: parametersOf(model),
  });
  await calls.does("LlamaBlocks", () => told(blocks()));
  await calls.does("LlamaBlocks from a file", () =>
    told(
      blocks({
        layerIndices: [3, 7],
        from: { checkpoint: "a", options: { heads: 2 } },
        config: { ...config, ...grouped },
      }),
    ),
  );
  for (const queries of [undefined, 1])
    await calls.does(`forward, queries ${queries}`, () =>
      lifeOf(blocks, (model) => model.forward(tokens, {}, "llama", queries)),
    );
  await calls.does("with a norm", () => {
    const made = blocks();
    const plan = new FusionPath(12, fusion.through(made));
    return [
      plan.llama === made,
      plan.llama!.layers === made.layers,
      parametersOf(plan.llama!).at(-1),
      made.norm,
      plan.llama!.withNorm(undefined).norm,
    ];
  });
  const parts = { config, depth: 1, rng: rng(), origin: "x" };
  for (const more of [
    { depth: 0 },
    { depth: 1.5 },
    { config: undefined },
    { origin: undefined },
    { config: { ...config, dim: 0 } },
    { config: { ...config, heads: 5 } },
    { config: { ...config, kvHeads: 3, heads: 4 } },
    { config: { ...config, rope: true, headDim: 3 } },
    { rng: 3 },
  ])
    await calls.does(`LlamaBlocks ${inspect(more, { breakLength: Number.POSITIVE_INFINITY })}`, () =>
      told(new LlamaBlocks({ ...parts, ...more } as never)),
    );
  for (const more of [
    { rope: true, ropeScaling: { type: "other", name: "yarn" } },
    { rope: false, ropeScaling: { type: "other", name: "yarn" } },
  ])
    await calls.does(`LlamaAttention ${inspect(more)}`, () =>
      parametersOf(new LlamaAttention({ ...config, ...more } as never, rng())),
    );
  for (const make of [LlamaAttention, LlamaFeedForward] as (new (
    ...given: never[]
  ) => object)[])
    for (const given of [
      [3, rng()],
      [config, 3],
    ])
      await calls.does(`${make.name} ${given.map((x) => typeof x)}`, () =>
        String(new make(...(given as never[]))),
      );
  for (const more of [
    {},
    grouped,
    { heads: 5 },
    { heads: 4, kvHeads: 3 },
    { heads: 4, kvHeads: 8 },
    { heads: 4, rope: true },
    { heads: 5, kvHeads: 2, rope: true },
  ]) {
    await calls.of(headSizes, { ...config, ...more });
    await calls.does(`describeLlama ${inspect(more)}`, () => {
      const described = describeLlama({ ...config, ...more });
      return [described, llamaConfigFrom(described)];
    });
  }
  await calls.of(
    llamaConfigFrom,
    describeLlama({ ...config, slidingWindow: 3, ropeScaling: { type: "linear", factor: 2 } }),
  );
  for (const [dim, multipleOf] of [
    [4096, undefined],
    [96, undefined],
    [12, 8],
    [100, 1],
  ])
    await calls.of(swigluWidth, dim as number, multipleOf as number);
  for (const more of [
    { dim: 0 },
    { heads: 4097 },
    { normEps: 0 },
    { ropeTheta: 0 },
    { rowOrder: "x" },
    { kvHeads: 0 },
    { headDim: 1.5 },
    { slidingWindow: 0 },
    { ropeScaling: 3 },
    { ropeScaling: { factor: 2 } },
    { qkNorm: 1 },
    { causal: undefined },
    { head: 1 },
  ])
    await calls.does(`llamaConfig ${inspect(more)}`, () =>
      checkOptions("config", llamaConfig, { ...config, ...more }),
    );
  await calls.does("randomBlock", () =>
    lifeOf(
      () => baselines.randomBlock(config, { depth: 2, seed: 4 }).unfreeze(),
      (model) => model.forward(tokens),
    ),
  );
  await calls.does("randomBlock as it is", () => told(baselines.randomBlock(config)));
  for (const options of [{ depth: 0 }, { seed: -1 }, { deep: 1 }])
    await calls.does(`randomBlock ${inspect(options)}`, () =>
      told(baselines.randomBlock(config, options as never)),
    );

  calls.title("rotation");
  const x = rampTensor([1, 2, 3, 4]);
  for (const [name, of] of Object.entries({
    hf: { ropeTheta: 100, rowOrder: "hf" },
    meta: { ropeTheta: 100, rowOrder: "meta" },
    scaled: { ropeTheta: 100, rowOrder: "hf", ropeScaling: { type: "linear", factor: 2 } },
    "hf again": { ropeTheta: 100, rowOrder: "hf" },
  } as const)) {
    await calls.does(`rotate ${name}`, () => withSlopes((t) => rotate(t, of), x));
    await calls.does(`rotate ${name} at places`, () =>
      own(() => rotate(x, of, { at: tf.tensor1d([5, 0, 2], "int32"), most: 7 })),
    );
  }

  calls.title("language models");
  const sizes = { ...config, depth: 2, vocabulary: 6, causal: true, rope: true };
  const ids = tf.tensor2d([1, 5, 0, 2, 2, 4], [2, 3], "int32");
  for (const more of [{}, { tiedEmbeddings: true }, { maxPositions: 3 }, { depth: 1 }]) {
    await calls.does(`LlamaLanguageModel ${inspect(more)}`, () =>
      lifeOf(
        () => new LlamaLanguageModel({ ...sizes, ...more }, 2),
        (model) => model.forward(ids),
      ),
    );
    await calls.does("  says of itself", () => {
      const model = new LlamaLanguageModel({ ...sizes, ...more });
      return [String(model), model.sizes(), { ...model.describe(), luvitVersion: "" }];
    });
  }
  await calls.does("too many tokens", () =>
    own(() => new LlamaLanguageModel({ ...sizes, maxPositions: 2 }).forward(ids)),
  );
  await calls.does("Embedding", () =>
    lifeOf(
      () => new Embedding(6, 3, rng()),
      (model) => model.forward(ids),
    ),
  );
  for (const [given, seed] of [
    [{ ...sizes, vocabulary: 1 }, 0],
    [{ ...sizes, depth: 0 }, 0],
    [{ ...sizes, maxPositions: 0 }, 0],
    [{ ...sizes, tiedEmbeddings: 1 }, 0],
    [sizes, -1],
    [3, 0],
  ] as const)
    await calls.does(`LlamaLanguageModel ${inspect(given).length} ${seed}`, () =>
      String(new LlamaLanguageModel(given as never, seed)),
    );
  calls.approve("models/language");
});

test("what low-rank updates, images' own projections and paths compute is approved", async () => {
  const calls = new Calls();
  const rng = () => new Rng(3);
  const base = () => new Linear(12, 8, rng());
  calls.title("low-rank updates");
  for (const scale of [
    { rank: 2, alpha: 2 },
    { rank: 4, alpha: 6 },
    { rank: 4, alpha: 6, rankStabilized: true },
  ])
    await calls.does(`LoraLinear ${inspect(scale)}`, () =>
      lifeOf(
        () => new LoraLinear(base(), scale, rng()),
        (model) => model.forward(tokens),
      ),
    );
  await calls.does("LoraLinear by group", () =>
    lifeOf(
      () => new LoraLinear(base(), { rank: 2, alpha: 3 }, rng()),
      (model) => model.forwardByGroup(rampTensor([3, 4, 12]), 2),
    ),
  );
  await calls.does("merged and back", async () => {
    const layer = new LoraLinear(new Linear(12, 8, rng(), { bias: false }), { rank: 2, alpha: 3 }, rng());
    perturb(layer);
    layer.weight.source = "a file";
    const values = () => own(() => layer.forward(tokens).dataSync().slice());
    const states: unknown[] = [layer.scaling, values(), await layer.mergedWeight(), layer.merged];
    layer.addUpdate(1);
    states.push([layer.merged, layer.weight.source, values(), await layer.mergedWeight()]);
    layer.addUpdate(-1);
    states.push([layer.merged, values()]);
    layer.dispose();
    return states;
  });
  for (const given of [
    [3, { rank: 1, alpha: 1 }, rng()],
    [base(), { rank: 1 }, rng()],
    [base(), { rank: 1, alpha: 1 }, 3],
  ])
    await calls.does(`LoraLinear ${given.map((x) => (x as object).constructor.name)}`, () =>
      String(new LoraLinear(...(given as [never, never, never]))),
    );
  const attached =
    (options: object, make = () => tinyBlock()) =>
    async () => {
      const model = make();
      const report = lora.attach(model, options);
      const told = [
        report,
        String(report),
        parametersOf(model).filter((line) => !line.endsWith("frozen")),
        lora
          .adapters(model)
          .map(([path, { rank, alpha, rankStabilized, scaling }]) => [
            path,
            rank,
            alpha,
            rankStabilized,
            scaling,
          ]),
      ];
      const [, first] = lora.adapters(model)[0];
      return [...told, await first.lora_A.weight.read(), await first.lora_B.weight.read()];
    };
  for (const options of [
    {},
    { rank: 3 },
    { r: 3 },
    { alpha: 5 },
    { loraAlpha: 5 },
    { rank: 2, alpha: 7, rankStabilized: true },
    { useRslora: true },
    { targets: ["q_proj", "o_proj"] },
    { targetModules: ["w1", "down_proj"] },
    { targets: ["layers.0.attention.wq"] },
    { freeze: false, rank: 2 },
    { seed: 4, rank: 2 },
    { loraDropout: 0, rank: 2 },
  ])
    await calls.does(`attach ${inspect(options)}`, attached(options));
  await calls.does(
    "attach to a stack",
    attached({ rank: 2 }, () => tinyBlock({ depth: 2 })),
  );
  for (const options of [
    { rank: 0 },
    { rank: 1.5 },
    { rank: 2, r: 2 },
    { alpha: 1, loraAlpha: 1 },
    { targets: ["q_proj"], targetModules: ["q_proj"] },
    { rankStabilized: true, useRslora: true },
    { loraDropout: 0.1 },
    { targets: [] },
    { targets: ["nothing", "q_proj"] },
    { targets: ["attention"] },
    { freeze: 1 },
    { seed: 1.5 },
    { dropout: 0 },
  ])
    await calls.does(`attach ${inspect(options)}`, attached(options));
  await calls.does("attach twice", () => {
    const model = tinyBlock();
    lora.attach(model);
    return String(lora.attach(model));
  });
  await calls.does("merge and unmerge", () =>
    own(() => {
      const model = tinyBlock();
      lora.attach(model, { rank: 2 });
      perturb(model, (path) => path.includes("lora_"));
      const values = () =>
        model
          .forward(rampTensor([1, 3, 24]))
          .dataSync()
          .slice(0, 6);
      const states = [values()];
      for (const step of [lora.merge, lora.merge, lora.unmerge, lora.unmerge]) {
        step(model);
        states.push(values());
      }
      return states as never;
    }),
  );
  for (const no of [3, {}]) await calls.does(`adapters of ${inspect(no)}`, () => lora.adapters(no as never));
  for (const parts of [
    { paths: ["a", "b"], trainable: 3, total: 1000 },
    {
      paths: [],
      trainable: 0,
      total: 20_000,
      replaced: ["norm.weight"],
      leftOut: [
        "lm_head.weight",
        "model.layers.3.x.lora_A.weight",
        "model.layers.11.x.lora_B.weight",
        "model.layers.3.y.weight",
        "embed.lora_A.weight",
        "embed.lora_B.weight",
      ],
    },
    { paths: ["a"], trainable: 1, total: 2, leftOut: ["layers.0.x.weight"] },
    { trainable: 1 },
  ])
    await calls.does(`LoraReport ${JSON.stringify(parts)}`, () => {
      const report = new LoraReport(parts as never);
      return [report, String(report), inspect(report)];
    });

  calls.title("projections of images");
  const inside = (t: Tensor) => tf.mul(t, 10);
  const outside = (t: Tensor) => tf.mul(t, -1);
  for (const ranges of [
    [{ start: 1, end: 3 }],
    [{ start: 0, end: 5 }],
    [
      { start: 0, end: 2 },
      { start: 3, end: 4 },
    ],
    [],
    [{ start: 4, end: 9 }],
    [{ start: 7, end: 9 }],
    [[{ start: 1, end: 2 }], [{ start: 3, end: 5 }]],
    [[{ start: 0, end: 5 }], []],
  ])
    await calls.does(`byRange ${JSON.stringify(ranges)}`, () =>
      own(() => byRange(rampTensor([2, 5, 2]), ranges as never, outside, inside)),
    );
  await calls.does("VisionUpdate", () =>
    lifeOf(
      () => new VisionUpdate([8, 12], 2, 5, rng()),
      (model) => model.forward(tokens),
    ),
  );
  const text = (bias: boolean) => ({
    wq: new Linear(12, 8, rng(), { bias }),
    wk: new Linear(12, 4, rng(), { bias }),
    wv: new Linear(12, 4, rng(), { bias }),
  });
  for (const [name, make] of Object.entries({
    full: () => freshVisionQkv(text(true), undefined, rng()),
    "full without biases": () => freshVisionQkv(text(false), undefined, rng()),
    lora: () => freshVisionQkv(text(true), { rank: 2, alpha: 3 }, rng()),
    copied: () => copiedVisionQkv(text(true)),
  }))
    await calls.does(`projections: ${name}`, () =>
      lifeOf(make, (model) =>
        tf.concat(
          (["wq", "wk", "wv"] as const).map((part) =>
            model.project(part, tokens, (t) => tf.slice(t, [0, 0, 0], [2, 5, part === "wq" ? 8 : 4])),
          ),
          2,
        ),
      ),
    );

  await calls.does("copies of what a file holds", async () => {
    const given = text(true);
    for (const { weight } of Object.values(given)) weight.load(await weight.read(), "a file");
    for (const linear of Object.values(given)) linear.freeze();
    const copies = await copiedVisionQkv(given);
    return [...copies.namedParameters()].map(([path, { source, trainable }]) => [path, source, trainable]);
  });

  calls.title("paths");
  const path = (plan: object) => () => new FusionPath(12, plan as never);
  const block = () => tinyBlock();
  const plans: Record<string, () => object> = {
    mlp: () => fusion.mlp(7),
    "mlp, gelu": () => fusion.mlp(7, { activation: "gelu" }),
    "mlp, gelu-norm": () => fusion.mlp(7, { activation: "gelu-norm" }),
    "mlp, seed": () => fusion.mlp(7, { seed: 3 }),
    block: () => fusion.through(block()),
    "block, all": () =>
      fusion.through(block(), {
        residual: true,
        mapperBias: true,
        rmsNorm: false,
        after: 1,
        normFirst: true,
      }),
    "block, residual": () => fusion.through(block(), { residual: true }),
    "block, biases": () => fusion.through(block(), { mapperBias: true }),
    "block without norm": () => fusion.through(block(), { rmsNorm: false }),
    frozen: () => baselines.frozenBlock(block().unfreeze()),
    mlpP: () => baselines.mlpP(block().config, { activation: "gelu" }),
    mlpL: () => baselines.mlpL({ dim: 12 }, block().config, { loraRank: 2 }),
    "mlpL of other targets": () =>
      baselines.mlpL({ dim: 12 }, block().config, { loraRank: 2, loraTargets: ["k_proj"], residual: true }),
  };
  for (const [name, plan] of Object.entries(plans)) {
    for (const queries of [undefined, 2])
      await calls.does(`${name}, queries ${queries}`, () =>
        lifeOf(path(plan()), (model) => model.forward(tokens, {}, queries)),
      );
    await calls.does("  says of itself", () => path(plan())().describe(4));
  }
  await calls.does("sites of a path", () =>
    own(() => {
      const seen: unknown[] = [];
      path(plans.block())().forward(tokens, { tap: (name, { shape }) => seen.push([name, shape]) }, 1);
      return seen as never;
    }),
  );
  for (const part of ["in", "mapper1", "block", "mapper2", "out"])
    await calls.does(`edit of fusion.${part}`, () =>
      own(() =>
        path(fusion.mlp(7, { residual: true }))().forward(tokens, {
          edit: (name, x) => (name === `fusion.${part}` ? tf.mul(x, 3) : x),
        }),
      ),
    );
  const refused: Record<string, () => unknown> = {
    "through nothing": () => fusion.through({} as never),
    "after -1": () => fusion.through(block(), { after: -1 }),
    "after 1.5": () => fusion.mlp(7, { after: 1.5 }),
    "width 0": () => fusion.mlp(0),
    "another activation": () => fusion.mlp(7, { activation: "relu" as never }),
    "an activation of a block": () => fusion.through(block(), { activation: "gelu" } as never),
    "norm 1": () => fusion.through(block(), { rmsNorm: 1 as never }),
    "a path of nothing": path({}),
    "frozenBlock of nothing": () => baselines.frozenBlock(3 as never),
    "mlpP of nothing": () => baselines.mlpP(undefined as never),
    "mlpL of nothing": () => baselines.mlpL(undefined as never, block().config),
    "mlpL of no options": () => baselines.mlpL({ dim: 12 }, block().config, 3 as never),
    "randomBlock of nothing": () => baselines.randomBlock({} as never),
  };
  for (const [name, make] of Object.entries(refused)) await calls.does(name, () => String(make()));
  calls.approve("models/paths");
});
