import { before, test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { baselines, classifier, fusion, lora, mae, segmenter } from "../../../src/models";
import { poolings, poolTokens } from "../../../src/models/classifier";
import { Encoder } from "../../../src/models/encoder";
import { drawNoise, maskFromNoise } from "../../../src/models/masking";
import {
  addPixel,
  addPixels,
  emptyPixelCounts,
  iousOf,
  meanOf,
  sumOfCounts,
} from "../../../src/models/pixelCounts";
import { placeKind } from "../../../src/models/places";
import { predictIds } from "../../../src/models/predictIds";
import type { SavableModel } from "../../../src/models/savable";
import { IGNORED_ID, segmentTargets } from "../../../src/models/segmentTargets";
import { Activations } from "../../../src/models/trace";
import { Calls } from "../../support/calls";
import { rampTensor, withSlopes } from "../nn/support";
import { lifeOf, parametersOf, passOf, perturb, tinyBlock, tinyDecoder, tinyLlama, tinyViT } from "./support";

before(() => startBackend({ backend: "cpu" }));

const own = <T>(make: () => T): T => tf.tidy(make as never) as T;
const square = rampTensor([2, 3, 12, 12]);
const oblong = rampTensor([2, 3, 8, 16]);
const told = (model: SavableModel) => ({
  text: String(model),
  config: { ...model.describe(), luvitVersion: "" },
  parameters: parametersOf(model),
});
/** Each number by another factor, so that what norms make sums to 0 no longer. */
const uneven = (x: Tensor) => tf.mul(x, tf.add(2, rampTensor(x.shape)));
/** Encoders away from the usual one. */
const encoders = {
  usual: {},
  registers: { registers: 2 },
  "layer scales": { layerScale: 0.5 },
  swiglu: { mlp: "swiglu" },
  "quick-gelu": { mlp: "quick-gelu" },
  "gelu-tanh": { mlp: "gelu-tanh" },
  "no class token": { classToken: false },
  "a norm in front": { preNorm: true },
  "a great eps": { normEps: 0.5 },
  all: { registers: 1, layerScale: 0.5, mlp: "swiglu", preNorm: true, normEps: 0.01 },
} as const;
const paths: Record<string, () => object> = {
  block: () => tinyBlock(),
  "in the middle": () =>
    fusion.through(tinyBlock({ depth: 2 }), { after: 1, residual: true, mapperBias: true }),
  "at the head": () => fusion.through(tinyBlock(), { after: 0, rmsNorm: false }),
  "behind the norm": () => fusion.through(tinyBlock(), { normFirst: true }),
  mlp: () => fusion.mlp(7, { activation: "gelu-norm", seed: 3 }),
  grouped: () =>
    baselines.randomBlock(
      {
        ...tinyLlama,
        heads: 4,
        kvHeads: 2,
        headDim: 6,
        qkvBias: true,
        qkNorm: true,
        causal: true,
        rope: true,
      },
      { seed: 2 },
    ),
};

const withNone: Record<string, (() => object) | undefined> = { none: undefined, ...paths };

test("what encoders and classifiers compute is approved", async () => {
  const calls = new Calls();
  const make =
    (more: object = {}, options: object = {}) =>
    () =>
      classifier.create({ encoder: { ...tinyViT, ...more }, classes: 3, ...options } as never);
  for (const [name, more] of Object.entries(encoders)) {
    await calls.does(`encoder: ${name}`, () => lifeOf(make(more), (model) => model.forward(square)));
    await calls.does("  says of itself", () => told(make(more)()));
  }
  for (const [name, path] of Object.entries(paths)) {
    for (const pooling of ["mean", "cls"] as const)
      await calls.does(`path: ${name}, ${pooling}`, () =>
        lifeOf(make({}, { fusion: path(), pooling }), (model) => model.forward(square)),
      );
    await calls.does("  says of itself", () => told(make({}, { fusion: path() })()));
  }
  calls.note("poolings", poolings);
  for (const pooling of [undefined, ...poolings])
    for (const more of [{}, { registers: 2 }, { classToken: false, mlp: "gelu-tanh" }])
      await calls.does(`pooling ${pooling}, ${inspect(more)}`, () =>
        lifeOf(make(more, { pooling }), (model) => model.forward(square)),
      );
  for (const seed of [0, 5])
    await calls.does(`seed ${seed}`, () => own(() => make({}, { seed })().forward(square)));
  const names = {
    classNames: ["a", "b", "c"],
    preprocessing: {
      size: 12,
      resize: "none",
      cropRatio: 1,
      interpolation: "bicubic",
      mean: [0, 0, 0],
      std: [1, 1, 1],
    },
  };
  await calls.does("names and preprocessing", () => told(make({}, names)()));
  for (const options of [
    { classes: 1 },
    { classes: 1.5 },
    { pooling: "max" },
    { classNames: ["a"] },
    { classNames: [] },
    { seed: -1 },
    { fusion: 3 },
    { encoder: {} },
    { fusion: fusion.mlp(7, { after: 3 }) },
    { preprocessing: { ...names.preprocessing, size: 0 } },
    { preprocessing: { ...names.preprocessing, std: [0, 1, 1] } },
    { preprocessing: { ...names.preprocessing, cropRatio: 2 } },
    { preprocessing: { size: 3 } },
    { heads: 1 },
  ])
    await calls.does(`classifier.create ${inspect(options, { breakLength: Number.POSITIVE_INFINITY })}`, () =>
      told(make({}, options)()),
    );
  await calls.does("cls without a class token", () =>
    told(make({ classToken: false }, { pooling: "cls" })()),
  );
  await calls.does("Classifier of nothing", () => new classifier.Classifier(3 as never, { classes: 2 }, 1));
  await calls.does(
    "Classifier without options",
    () => new classifier.Classifier(make()().encoder, undefined as never, 1),
  );

  calls.title("images of other sizes");
  const model = make({}, { pooling: "cls", fusion: fusion.mlp(7) })();
  perturb(model);
  for (const positions of ["mae", "timm", "dino", "sincos"] as const)
    for (const [name, images] of Object.entries({
      square,
      oblong,
      "as many patches": rampTensor([1, 3, 4, 36]),
      larger: rampTensor([1, 3, 16, 16]),
      "13 x 14": rampTensor([1, 3, 13, 14]),
    }))
      await calls.does(`${positions}: ${name}`, () => own(() => model.forward(images, { positions })));
  for (const shape of [
    [2, 3, 8, 16],
    [2, 1, 12, 12],
    [3, 12, 12],
    [2, 3, 12, 13],
  ])
    await calls.does(`images [${shape}]`, () => own(() => model.forward(tf.zeros(shape))));
  await calls.does("images of 3 pixels", () =>
    own(() => model.forward(rampTensor([1, 3, 3, 12]), { positions: "dino" })),
  );
  await calls.does("no images", () => own(() => model.forward([1] as never)));

  calls.title("contexts");
  const dropPath = tf.tensor2d([1, 2, 0, 3, 2, 0, 4, 1], [4, 2]);
  await calls.does("dropped paths", () => passOf(model, () => model.forward(square, { dropPath })));
  for (const lastQueries of [1, 3])
    for (const [name, path] of Object.entries(withNone))
      await calls.does(`last queries ${lastQueries}, path ${name}`, () =>
        own(() => uneven(make({}, { pooling: "cls", fusion: path?.() })().tokens(square, { lastQueries }))),
      );
  await calls.does("states", () =>
    own(() =>
      tf.stack(
        make({ registers: 2, preNorm: true }, { fusion: fusion.mlp(7, { after: 1 }) })().encoder.statesOf(
          square,
        ),
      ),
    ),
  );
  await calls.does("sites", () =>
    own(() => {
      const seen: string[] = [];
      make({ registers: 1 }, { fusion: tinyBlock() })().forward(square, {
        tap: (name, { shape }) => seen.push(`${name} ${shape}`),
      });
      return seen as never;
    }),
  );
  await calls.does("places", () => make({}, { fusion: fusion.mlp(7) })().places());
  for (const part of ["embed", "tokens", "pooled", "features", "logits", "blocks.1.mlp.out", "fusion.block"])
    await calls.does(`edit of ${part}`, () =>
      own(() => model.forward(square, { edit: (name, x) => (name === part ? tf.add(x, 1) : x) })),
    );
  await calls.does("one image of which an edit makes two", () =>
    own(() =>
      model.forward(tf.slice(square, 0, 1), {
        edit: (name, x) => (name === "blocks.0.out" ? tf.concat([x, tf.mul(x, 2)], 0) : x),
      }),
    ),
  );
  for (const pooling of ["mean", "cls"] as const)
    for (const first of [undefined, 0, 1] as const)
      await calls.does(`poolTokens ${pooling} ${first}`, () =>
        withSlopes((x) => poolTokens(x, pooling, first), rampTensor([2, 4, 3])),
      );
  for (const options of [
    { positions: "sincos", init: "mae" },
    { positions: "learned", init: "timm" },
    { positions: "learned", init: "mae", finalNorm: false },
  ])
    await calls.does(`Encoder ${inspect(options)}`, () =>
      lifeOf(
        () => new Encoder({ vit: tinyViT, finalNorm: true, seed: 2, ...options } as never),
        (encoder) => uneven(encoder.tokens(square)),
      ),
    );

  calls.title("traced");
  const eager = { engine: "eager" } as const;
  const traced = async (options: object, images: Tensor | Float32Array = square) => {
    const found = await model.trace(images, { ...eager, ...options } as never);
    return { text: String(found), names: found.names, values: [...found] };
  };
  for (const keep of [
    ["logits"],
    ["blocks.*.attn.pattern"],
    ["blocks.1.**"],
    ["**.out", "pooled"],
    ["*"],
    ["nothing"],
    ["logits", "block.0.out"],
    [],
    ["log.ts"],
  ])
    await calls.does(`keep ${keep}`, () => traced({ keep }));
  await calls.does("numbers", () =>
    traced({ keep: ["logits"] }, square.dataSync().slice(0, 432) as Float32Array),
  );
  for (const images of [new Float32Array(431), new Float32Array(0), tf.zeros([0, 3, 12, 12]), [1]])
    await calls.does(
      `trace of ${images instanceof Float32Array ? `${images.length} numbers` : images instanceof tf.Tensor ? images.shape : inspect(images)}`,
      () => traced({ keep: ["logits"] }, images as never),
    );
  await calls.does("trace by another option", () => traced({ keep: ["logits"], only: 1 }));
  const kept = new Activations(
    new Map(
      ["blocks.0.out", "blocks.1.out"].map((name, i) => [
        name,
        { name, shape: [1, 2], data: Float32Array.of(i, 2), axes: ["a", "b"], unit: "u" },
      ]),
    ),
  );
  await calls.does("Activations", () => [
    kept.names,
    kept.matching("blocks.*.out").length,
    kept.matching("blocks.1*").length,
    String(kept),
    inspect(kept),
  ]);
  await calls.does("tensor", () => kept.tensor("blocks.1.out"));
  for (const name of ["blocks.2.out", "logits"]) await calls.does(`get ${name}`, () => kept.get(name));
  for (const name of [
    "blocks.0.attn.pattern",
    "blocks.0.attn.scores",
    "a.heads",
    "logits",
    "pooled",
    "features",
    "embed",
    "tokens",
    "fusion.in",
    "fusion.mapper2",
    "fusion.x",
    "b.norm1",
    "l.ffn_norm",
    "l.attention_norm",
    "b.middle",
    "out",
    "x.out",
    "x.lora",
    "heads",
  ])
    await calls.of(placeKind, name);
  calls.approve("models/classifiers");
});

test("what masked auto-encoders compute is approved", async () => {
  const calls = new Calls();
  calls.note("decoders", [mae.decoder512x8, mae.decoderToy]);
  calls.title("masks");
  for (const [batch, length, ratio] of [
    [2, 18, 0.75],
    [1, 9, 0.5],
    [3, 12, 0],
    [2, 18, 0.89],
    [2, 18, 0.9],
    [2, 17, 0.5],
    [1, 9, -1],
    [1, 4, Number.NaN],
    [0, 4, 0.5],
  ])
    await calls.of(
      maskFromNoise,
      Float32Array.from({ length }, (_, i) => Math.sin(5 * i)),
      batch,
      ratio,
    );
  await calls.of(maskFromNoise, [3, 1, 1, 1, 2, 0], 1, 0.5);
  for (const noise of ["ab", 3]) await calls.of(maskFromNoise, noise as never, 1, 0.5);
  await calls.does("drawNoise", () => drawNoise(2, 3, new Rng(4)));
  await calls.does("drawNoise of nothing", () => drawNoise(2, 3, 4 as never));

  calls.title("models");
  const make =
    (options: object = {}) =>
    (): mae.MaskedAutoencoder =>
      mae.create({ encoder: tinyViT, decoder: tinyDecoder, ...options } as mae.MaeOptions);
  const inputs = (model: mae.MaskedAutoencoder, images: Tensor = square) => {
    const patches = (images.shape[2]! * images.shape[3]!) / 16;
    const noise = Float32Array.from({ length: images.shape[0] * patches }, (_, i) => Math.sin(5 * i));
    return model.inputs(images, maskFromNoise(noise, images.shape[0], model.maskRatio));
  };
  const variants = {
    usual: {},
    "pixels as they are": { normPixLoss: false },
    "a share of 0.5": { maskRatio: 0.5 },
    "another seed": { seed: 4 },
    "a deeper decoder": { decoder: { dim: 12, depth: 2, heads: 3, mlpRatio: 1.5 } },
    registers: { encoder: { ...tinyViT, registers: 2, layerScale: 0.5, mlp: "swiglu" } },
    ...Object.fromEntries(
      Object.entries(paths).map(([name, path]) => [
        name,
        {
          get fusion() {
            return path();
          },
        },
      ]),
    ),
  };
  for (const [name, options] of Object.entries(variants)) {
    await calls.does(name, () =>
      lifeOf(make({ ...options }), (model) => tf.reshape(model.loss(inputs(model)), [1])),
    );
    await calls.does("  says of itself", () => told(make({ ...options })()));
  }
  const model = make({ fusion: fusion.mlp(7, { normFirst: true }) })();
  perturb(model);
  await calls.does("inputs", () =>
    own(() => {
      const { images, ...rest } = inputs(model);
      return { ...rest, images: images === square } as never;
    }),
  );
  await calls.does("encode", () => own(() => model.encode(inputs(model))));
  await calls.does("decode", () =>
    own(() => model.decode(model.encode(inputs(model)), inputs(model).restoreRows)),
  );
  await calls.does("target", () => own(() => uneven(model.target(square))));
  await calls.does("target of pixels", () => own(() => make({ normPixLoss: false })().target(square)));
  const grids = { oblong, "as many patches": rampTensor([1, 3, 4, 36]), larger: rampTensor([1, 3, 16, 16]) };
  for (const positions of [undefined, "mae", "timm", "dino", "sincos"] as const)
    for (const [name, images] of Object.entries({ square, ...grids })) {
      await calls.does(`${positions}: ${name}`, () =>
        own(() => model.loss(inputs(model, images), { positions })),
      );
      await calls.does("  decoded", () =>
        own(() => {
          const [rows, columns] = images.shape.slice(2).map((side) => side / 4);
          return model.decode(
            rampTensor([images.shape[0], 1 + Math.trunc((rows * columns) / 4), 16]),
            inputs(model, images).restoreRows,
            { positions },
            { rows, columns },
          );
        }),
      );
    }
  await calls.does("dropped paths of the encoder alone", () =>
    own(() => model.loss(inputs(model), { dropPath: tf.tensor2d([1, 2, 0, 3, 2, 0, 4, 1], [4, 2]) })),
  );
  await calls.does("sites", () =>
    own(() => {
      const seen: string[] = [];
      model.loss(inputs(model), { tap: (name, { shape }) => seen.push(`${name} ${shape}`) });
      return seen as never;
    }),
  );
  await calls.does("places", () => model.places().map(({ name, shape }) => `${name} ${shape}`));
  await calls.does("trace", async () => [
    ...(await model.trace(square, { keep: ["blocks.*.out"], engine: "eager" })),
  ]);
  await calls.does("decoderIsFresh", async () => {
    const fresh = make()();
    const state = await make({ seed: 3 })().stateDict();
    const states = [fresh.decoderIsFresh];
    fresh.loadStateDict(new Map([...state].filter(([key]) => !key.startsWith("decoder_blocks."))), {
      allowMissing: ["decoder_blocks."],
    });
    states.push(fresh.decoderIsFresh);
    fresh.loadStateDict(state);
    return [...states, fresh.decoderIsFresh];
  });
  for (const options of [
    { maskRatio: 1 },
    { maskRatio: -0.1 },
    { normPixLoss: 1 },
    { decoder: { dim: 8 } },
    { decoder: { ...tinyDecoder, heads: 3 } },
    { encoder: { ...tinyViT, classToken: false } },
    { seed: 1.5 },
    { classes: 2 },
  ])
    await calls.does(`mae.create ${inspect(options, { breakLength: Number.POSITIVE_INFINITY })}`, () =>
      told(make(options)()),
    );
  await calls.does("MaskedAutoencoder of nothing", () => new mae.MaskedAutoencoder(3 as never));

  calls.title("finetuned");
  for (const [name, path] of Object.entries(withNone))
    for (const options of [{}, { pooling: "cls" }, { pooling: "attention", seed: 2 }])
      await calls.does(`classifier of ${name}, ${inspect(options)}`, async () => {
        const source = make({ fusion: path?.() })();
        perturb(source);
        const tuned = await classifier.fromPretrained(source, { classes: 3, ...options } as never);
        const shared = [...tuned.namedParameters()]
          .filter(([key, p]) => [...source.namedParameters()].some(([other, q]) => p === q && key === other))
          .map(([key]) => key);
        return own(
          () =>
            ({
              shared,
              parameters: parametersOf(tuned),
              value: tuned.forward(square),
              intact: source.loss(inputs(source)),
            }) as never,
        );
      });
  for (const [name, source] of Object.entries<() => unknown>({
    nothing: (): unknown => 3,
    "a classifier": () => classifier.create({ encoder: tinyViT, classes: 2 }),
    "a model": make(),
  }))
    await calls.does(`classifier of ${name}, one class`, async () =>
      String(await classifier.fromPretrained(source() as never, { classes: name === "a model" ? 1 : 3 })),
    );
  calls.approve("models/autoencoders");
});

test("what segmenters compute is approved", async () => {
  const calls = new Calls();
  const make =
    (options: object = {}) =>
    () =>
      segmenter.create({ encoder: tinyViT, classes: 4, ...options } as never);
  const ids = tf.tensor1d(
    Int32Array.from({ length: 72 * 2 }, (_, i) => (i * 5) % 4),
    "int32",
  );
  const weights = own(() => tf.abs(rampTensor([72 * 2], 1.5)));
  const part = (count: number) => ({ ids: tf.slice(ids, 0, count), weights: tf.slice(weights, 0, count) });
  for (const options of [
    {},
    { seed: 3 },
    { frozen: true },
    { encoder: { ...tinyViT, registers: 2, classToken: false } },
    { encoder: { ...tinyViT, normEps: 0.5 } },
  ]) {
    await calls.does(`segmenter ${inspect(options)}`, () =>
      lifeOf(make(options), (model) => model.forward(square)),
    );
    await calls.does("  loss", () =>
      lifeOf(make(options), (model) => tf.reshape(model.loss({ images: square, ...part(72) }), [1])),
    );
  }
  for (const [name, path] of Object.entries(paths))
    await calls.does(`path: ${name}`, () =>
      lifeOf(make({ fusion: path() }), (model) => model.forward(oblong)),
    );
  const model = make()();
  perturb(model);
  for (const [name, images] of Object.entries({
    oblong,
    "13 x 14": rampTensor([1, 3, 13, 14]),
    "as many patches": rampTensor([1, 3, 4, 36]),
  }))
    for (const positions of [undefined, "mae"] as const)
      await calls.does(`${name}, ${positions}`, () =>
        own(() => model.patchLogits(images, positions && { positions })),
      );
  await calls.does("loss of oblong images", () => own(() => model.loss({ images: oblong, ...part(64) })));
  await calls.does("says of itself", () =>
    told(
      make({
        classNames: ["a", "b", "c"],
        fusion: fusion.mlp(7),
        preprocessing: {
          size: 12,
          resize: "none",
          cropRatio: 1,
          interpolation: "bicubic",
          mean: [0, 0, 0],
          std: [1, 1, 1],
        },
      })(),
    ),
  );
  for (const options of [
    { classes: 1 },
    { classes: 1001 },
    { classes: 1000 },
    { classNames: ["a", "b", "c", "d"] },
    { classNames: ["a"] },
    { frozen: 1 },
    { pooling: "cls" },
    { preprocessing: {} },
  ])
    await calls.does(`segmenter.create ${inspect(options)}`, () => told(make(options)()).config.modelType);
  const sources = {
    "a mae": () => mae.create({ encoder: tinyViT, decoder: tinyDecoder }),
    "a mae with a block": () => mae.create({ encoder: tinyViT, decoder: tinyDecoder, fusion: tinyBlock() }),
    "a mae with a path behind the norm": () =>
      mae.create({ encoder: tinyViT, decoder: tinyDecoder, fusion: fusion.mlp(7, { normFirst: true }) }),
    "a classifier": () => classifier.create({ encoder: tinyViT, classes: 2 }),
    "a classifier by cls": () => classifier.create({ encoder: tinyViT, classes: 2, pooling: "cls" }),
  };
  for (const [name, source] of Object.entries(sources))
    for (const options of [{}, { frozen: true, seed: 2 }])
      await calls.does(`of ${name}, ${inspect(options)}`, async () => {
        const pretrained = source();
        perturb(pretrained);
        const made = await segmenter.fromPretrained(pretrained, { classes: 4, ...options });
        return own(() => ({ parameters: parametersOf(made), value: made.forward(square) }) as never);
      });
  await calls.does("of nothing", () => segmenter.fromPretrained({} as never, { classes: 4 }));

  calls.title("targets and counts");
  calls.note("IGNORED_ID", IGNORED_ID);
  const maps = Int32Array.from({ length: 2 * 5 * 7 }, (_, i) => (i % 6 === 5 ? 1000 : (i * 3) % 4));
  for (const [rows, columns] of [
    [2, 3],
    [5, 7],
    [10, 4],
  ])
    await calls.of(segmentTargets, { ids: maps, height: 5, width: 7 }, { rows, columns, classes: 4 });
  await calls.of(
    segmentTargets,
    { ids: new Int32Array(4).fill(1000), height: 2, width: 2 },
    { rows: 2, columns: 2, classes: 4 },
  );
  for (const id of [4, -1, 999])
    await calls.of(
      segmentTargets,
      { ids: Int32Array.of(0, 1, 2, 3, 0, id, 1, 1), height: 2, width: 2 },
      { rows: 2, columns: 2, classes: 4 },
    );
  await calls.does("a name of an image", () =>
    segmentTargets(
      { ids: [9], height: 1, width: 1 },
      { rows: 1, columns: 1, classes: 4 },
      (image) => `photo ${image}.jpg`,
    ),
  );
  const counts = () => {
    const made = emptyPixelCounts(3);
    addPixels(made, Int32Array.of(0, 1, 1, 2, 2, 0, -1), Int32Array.of(0, 1, 2, 2, 1000, 1, 0), "a.png");
    return made;
  };
  await calls.does("addPixels", counts);
  await calls.does("addPixels of a foreign id", () =>
    addPixels(emptyPixelCounts(3), Int32Array.of(0), Int32Array.of(3), "a.png"),
  );
  await calls.does("addPixel", () => {
    const made = emptyPixelCounts(2);
    for (const [prediction, target] of [
      [1, 1],
      [0, 1],
      [-1, 0],
      [1, -1],
      [-1, -1],
    ])
      addPixel(made, prediction, target);
    return made;
  });
  await calls.does("sumOfCounts", () => [
    sumOfCounts([counts(), counts(), counts()]),
    sumOfCounts([counts()]),
  ]);
  await calls.does("iousOf", () => [iousOf(counts()), iousOf(emptyPixelCounts(2))]);
  for (const values of [[1, 2, 4.5], Float64Array.of(3)]) await calls.of(meanOf, values);
  const logits = Float32Array.from({ length: 3 * 2 * 3 }, (_, i) => Math.sin(2.3 * i));
  for (const [height, width, longest] of [
    [2, 3, undefined],
    [5, 7, undefined],
    [1, 1, undefined],
    [9, 4, 5],
    [4, 9, 5],
    [6, 6, 5],
    [5, 5, 5],
  ] as [number, number, number | undefined][])
    await calls.does(`predictIds ${height} x ${width}, ${longest}`, () =>
      predictIds({ logits, rows: 2, columns: 3 }, height, width, longest),
    );
  await calls.does("predictIds of equal ones", () =>
    predictIds({ logits: new Float32Array(8).fill(2), rows: 2, columns: 2 }, 3, 3),
  );
  await calls.does("predictIds of many classes", () =>
    predictIds(
      {
        logits: Float32Array.from({ length: 40 * 12 }, (_, i) => Math.sin(1.1 * i * i)),
        rows: 3,
        columns: 4,
      },
      13,
      11,
    ),
  );
  await calls.does("updates on a segmenter", () => {
    const updated = make({ fusion: tinyBlock() })();
    const report = lora.attach(updated, { rank: 2, freeze: false });
    return [String(report), told(updated).config];
  });
  calls.approve("models/segmenters");
});
