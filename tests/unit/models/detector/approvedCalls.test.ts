import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { writeSafetensors } from "../../../../src/io/safetensors";
import { classifier, detector, fusion, mae } from "../../../../src/models";
import { Backbone, type Detector, LOSSES } from "../../../../src/models/detector/detector";
import { absoluteError, binaryCrossEntropy } from "../../../../src/models/detector/losses";
import {
  detectorState,
  detectron2Name,
  ENCODER,
  ENCODER_LACKS,
  encoderState,
  kindOf,
} from "../../../../src/models/detector/names";
import { detectorSettings, quarterEnds } from "../../../../src/models/detector/options";
import { SimpleFeaturePyramid } from "../../../../src/models/detector/pyramid";
import { RelativeAttention } from "../../../../src/models/detector/relativeAttention";
import { roiAlign } from "../../../../src/models/detector/roiAlign";
import { BoxHead, boxLosses, MaskHead, maskLoss, RoiHeads } from "../../../../src/models/detector/roiHeads";
import { poolRois } from "../../../../src/models/detector/rois";
import { RegionHead, regionLosses } from "../../../../src/models/detector/rpn";
import {
  anchorSettings,
  LEVELS,
  levelMaps,
  officialSettings,
  roiLevels,
  roiMaps,
} from "../../../../src/models/detector/settings";
import {
  detectorAnchors,
  firstStage,
  proposalsOf,
  roiRows,
  secondStage,
} from "../../../../src/models/detector/stages";
import { WindowedViT } from "../../../../src/models/detector/vitDet";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { rampTensor, withSlopes } from "../../nn/support";
import { lifeOf, parametersOf, perturb, tinyBlock, tinyDecoder, tinyViT } from "../support";

before(() => startBackend({ backend: "cpu" }));

const own = <T>(make: () => T) => tf.tidy(make as never) as T;
const f = (...numbers: number[]) => Float32Array.from(numbers);
/** Of 24 x 24 pixels, 6 x 6 tokens. */
const head = {
  classes: 3,
  imageSize: 24,
  windowSize: 4,
  globalBlocks: [1],
  pyramid: 8,
  regions: {
    sizes: [[4], [8], [12], [16], [20]],
    ratios: [0.5, 1],
    perImage: 6,
    perLevel: { train: 9, test: 7 },
    proposals: { train: 8, test: 6 },
  },
  rois: {
    channels: 8,
    hidden: 12,
    convolutions: 1,
    perImage: 4,
    objectShare: 0.5,
    boxBins: 3,
    maskBins: 2,
    canonicalSize: 12,
  },
};
const small = (more: object = {}) => detector.create({ encoder: tinyViT, ...head, ...more } as never);

test("what settings, options and names of detectors are is approved", async () => {
  const calls = new Calls();
  calls.note("LEVELS", LEVELS);
  calls.note("LOSSES", LOSSES);
  calls.note("toy", detector.toy);
  const windowed = {
    ...tinyViT,
    imageSize: 24,
    windowSize: 4,
    globalBlocks: [1],
    pretrainImageSize: 12,
    normEps: 1e-5,
  };
  const official = officialSettings(windowed, 7, false);
  calls.note("officialSettings", official);
  for (const [imageSize, patchSize] of [
    [24, 4],
    [20, 4],
    [1024, 16],
    [112, 16],
  ])
    await calls.of(levelMaps, { encoder: { imageSize, patchSize } });
  await calls.of(anchorSettings, official);
  await calls.of(roiMaps, official);
  await calls.of(roiLevels, official);
  for (const depth of [1, 2, 3, 4, 12, 13, 24]) await calls.of(quarterEnds, depth);
  const options: object[] = [
    {},
    { masks: false },
    { imageSize: 32 },
    { windowSize: 5 },
    { globalBlocks: [] },
    { globalBlocks: [0, 0, 1] },
    { normEps: 1e-5 },
    { pyramid: 16 },
    { regions: { perImage: 9 } },
    { rois: { perImage: 9, thresholds: [0.4, 0.6] } },
  ];
  for (const more of options)
    await calls.of(detectorSettings, tinyViT, { classes: 3, imageSize: 16, ...more });
  await calls.of(detectorSettings, { ...tinyViT, depth: 12 }, { classes: 3 });
  for (const [encoder, more] of [
    [{ registers: 2 }, {}],
    [{ layerScale: 1 }, {}],
    [{ mlp: "swiglu", classToken: false, preNorm: true, normEps: 1e-5 }, {}],
    [{ registers: 0, mlp: "gelu", classToken: true, preNorm: false, normEps: 1e-6 }, {}],
    [{}, { imageSize: 18 }],
    [{}, { imageSize: 12 }],
    [{ patchSize: 6 }, { imageSize: 24 }],
    [{}, { globalBlocks: [2] }],
    [{}, { globalBlocks: [-1] }],
    [{}, { classes: 0 }],
    [{}, { classes: 1.5 }],
    [{}, { classNames: ["a"] }],
    [{}, { classNames: ["a", "b", "c", "d"] }],
    [{}, { windowSize: 0 }],
    [{}, { normEps: 0 }],
    [{}, { pyramid: 0 }],
    [{}, { masks: 1 }],
    [{}, { regions: 3 }],
    [{}, { rois: "x" }],
    [{}, { seed: -1 }],
    [{}, { fusion: 3 }],
    [{}, { window: 3 }],
    [{ heads: 3 }, {}],
  ])
    await calls.does(`detector.create ${inspect(encoder)} ${inspect(more)}`, () => {
      const made = detector.create({
        classes: 3,
        imageSize: 16,
        ...more,
        encoder: { ...tinyViT, ...encoder },
      } as never);
      const { settings, classNames } = made;
      return { settings: settings.encoder, classNames };
    });

  calls.title("names");
  calls.note("ENCODER", [ENCODER, ENCODER_LACKS]);
  const names = [
    "backbone.blocks.0.attn.qkv.weight",
    "neck.fpn1.0.weight",
    "neck.fpn1.3.bias",
    "neck.fpn2.0.weight",
    ...[0, 1, 2, 3].flatMap((i) => [
      `neck.lateral_convs.${i}.conv.weight`,
      `neck.fpn_convs.${i}.norm_layer.bias`,
    ]),
    "rpn_head.rpn_conv.0.conv.weight",
    "rpn_head.rpn_conv.1.conv.bias",
    "rpn_head.rpn_cls.weight",
    "rpn_head.rpn_reg.bias",
    "roi_head.bbox_head.shared_convs.0.conv.weight",
    "roi_head.bbox_head.shared_convs.3.norm_layer.weight",
    "roi_head.bbox_head.shared_fcs.0.weight",
    "roi_head.bbox_head.fc_cls.bias",
    "roi_head.bbox_head.fc_reg.weight",
    "roi_head.mask_head.convs.2.conv.weight",
    "roi_head.mask_head.upsample.weight",
    "roi_head.mask_head.conv_logits.bias",
    "something.conv.weight",
    "neck.fpn3.0.weight",
  ];
  for (const name of names) await calls.of(detectron2Name, name);
  for (const all of [
    ["backbone.net.x", "neck.y"],
    ["a", "neck.fpn1.0.weight"],
    ["rpn_head.x"],
    ["roi_head.x"],
    ["roi_heads.x"],
    ["blocks.0"],
    [],
  ])
    await calls.of(kindOf, all);
  const tensor = (x: number) => ({ shape: [1], data: f(x) });
  const state = (...keys: string[]) => new Map(keys.map((key, i) => [key, tensor(i)]));
  const encoderKeys = [
    "cls_token",
    "mask_token",
    "decoder_embed.weight",
    "norm.weight",
    "fc_norm.bias",
    "head.weight",
    "pos_embed",
    "blocks.0.norm1.weight",
    "headless",
  ];
  await calls.of(encoderState, state(...encoderKeys));
  await calls.of(detectorState, state(...encoderKeys));
  await calls.of(detectorState, state("backbone.net.pos_embed", "roi_heads.x"));
  await calls.of(
    detectorState,
    state("backbone.pos_embed", "roi_head.mask_head.convs.0.conv.weight", "data_preprocessor.mean"),
  );
  calls.approve("models/detector/settings");
});

test("what parts of detectors compute is approved", async () => {
  const calls = new Calls();
  await calls.does("binaryCrossEntropy", () =>
    withSlopes(binaryCrossEntropy, rampTensor([2, 3], 9), rampTensor([2, 3], 0.5, 2)),
  );
  await calls.does("absoluteError", () =>
    withSlopes(absoluteError, rampTensor([3, 4]), rampTensor([3, 4], 1, 2), rampTensor([3], 1, 3)),
  );
  await calls.does("absoluteError of equal ones", () =>
    withSlopes((x, w) => absoluteError(x, tf.ones([2, 2]), w), tf.ones([2, 2]), rampTensor([2])),
  );
  const maps = () => [rampTensor([2, 4, 6, 3]), rampTensor([2, 2, 3, 3], 2)];
  const rows = () => [
    { y: rampTensor([2, 3, 2, 4]), x: rampTensor([2, 3, 2, 6], 1, 2) },
    { y: rampTensor([2, 3, 2, 2], 1, 3), x: rampTensor([2, 3, 2, 3], 1, 4) },
  ];
  await calls.does("poolRois", () => withSlopes((a, b) => poolRois([a, b], rows()), ...maps()));
  const ofOne = <T extends Record<string, Tensor>>(x: T) =>
    Object.fromEntries(
      Object.entries(x).map(([key, t]) => [key, tf.reshape(tf.slice(t, 0, 1), t.shape.slice(1))]),
    ) as T;
  await calls.does("roiAlign", () =>
    own(
      () =>
        withSlopes(
          (a, b) => roiAlign([a, b], rows().map(ofOne)),
          ...maps().map((x) => tf.slice(x, 0, 1)),
        ) as never,
    ),
  );

  calls.title("pyramid");
  /** All in a row, each number by another factor, since norms have made their sum 0. */
  const all = (outputs: readonly Tensor[]) => {
    const row = tf.concat(outputs.map((x) => tf.reshape(x, [-1])));
    return tf.mul(row, tf.add(2, rampTensor(row.shape)));
  };
  const pyramid = () => new SimpleFeaturePyramid({ inputs: 8, outputs: 5, normEps: 1e-3 }, new Rng(3));
  for (const [rows, columns] of [
    [3, 2],
    [2, 4],
  ]) {
    const input = rampTensor([2, rows, columns, 8]);
    await calls.does(`${rows} x ${columns}`, () => lifeOf(pyramid, (model) => all(model.forward(input))));
    await calls.does("shapes", () =>
      own(
        () =>
          pyramid()
            .forward(input)
            .map(({ shape }) => shape) as never,
      ),
    );
  }
  await calls.does("sites", () =>
    own(() => {
      const seen: unknown[] = [];
      pyramid().forward(rampTensor([1, 2, 2, 8]), { tap: (name, { shape }) => seen.push([name, shape]) });
      return seen as never;
    }),
  );

  calls.title("attention");
  const attention = (side: number) => () => new RelativeAttention(8, 2, side, new Rng(4));
  const tokens = rampTensor([2, 6, 8], 2);
  for (const side of [3, 2, 5, 1])
    await calls.does(`a table of ${side}`, () =>
      lifeOf(attention(side), (model) => model.forward(tokens, { rows: 2, columns: 3 }, {}, "a")),
    );
  await calls.does("sites and edits", () =>
    own(() => {
      const seen: unknown[] = [];
      const made = attention(3)().forward(
        tokens,
        { rows: 3, columns: 2 },
        { tap: (name, { shape }) => seen.push([name, shape]), edit: (_, x) => tf.mul(x, 0.5) },
        "a",
      );
      return [seen, made] as never;
    }),
  );

  calls.title("heads");
  await calls.does("RegionHead", () =>
    lifeOf(
      () => new RegionHead(3, 2, new Rng(5)),
      (model) => {
        const { logits, deltas } = model.forward([rampTensor([2, 3, 2, 3]), rampTensor([2, 1, 2, 3], 2)]);
        return tf.concat([tf.expandDims(logits, 2), deltas], 2);
      },
    ),
  );
  const sizes = { inputs: 3, classes: 2, convolutions: 2, channels: 4, hidden: 5, boxBins: 3, normEps: 1e-3 };
  const pooled = rampTensor([3, 3, 3, 3], 2);
  for (const convolutions of [0, 1, 2]) {
    await calls.does(`BoxHead of ${convolutions}`, () =>
      lifeOf(
        () => new BoxHead({ ...sizes, convolutions }, new Rng(6)),
        (model) => model.forward(pooled),
      ),
    );
    await calls.does(`MaskHead of ${convolutions}`, () =>
      lifeOf(
        () => new MaskHead({ ...sizes, convolutions }, new Rng(6)),
        (model) => model.forward(pooled, tf.tensor1d([1, 0, 1], "int32")),
      ),
    );
  }
  for (const masks of [true, false])
    await calls.does(`RoiHeads, masks ${masks}`, () =>
      lifeOf(
        () => new RoiHeads({ ...sizes, masks }, new Rng(7)),
        (model) => {
          const { logits, deltas } = model.boxes(pooled);
          return tf.concat([logits, deltas], 1);
        },
      ),
    );
  await calls.does("regionLosses", () =>
    withSlopes(
      (logits, deltas) => {
        const losses = regionLosses(
          { logits, deltas },
          {
            places: tf.tensor1d([4, 0, 3], "int32"),
            labels: tf.tensor1d([1, 0, 1]),
            weights: tf.tensor1d([0.5, 0.25, 2]),
            boxPlaces: tf.tensor1d([4, 3], "int32"),
            boxTargets: rampTensor([2, 4], 1, 8),
            boxWeights: tf.tensor1d([0.5, 3]),
          },
        );
        return tf.stack(Object.values(losses));
      },
      rampTensor([2, 3], 3),
      rampTensor([2, 3, 4], 2),
    ),
  );
  await calls.does("boxLosses", () =>
    withSlopes(
      (logits, deltas) => {
        const targets = {
          classes: tf.tensor2d([0, 0.5, 0, 0.25, 0, 0], [2, 3]),
          boxPlaces: tf.tensor1d([1, 2], "int32"),
          boxTargets: rampTensor([2, 4], 1, 8),
          boxWeights: tf.tensor1d([0.5, 3]),
        };
        return tf.stack(Object.values(boxLosses({ logits, deltas }, targets)));
      },
      rampTensor([2, 3], 3),
      rampTensor([2, 8], 2),
    ),
  );
  await calls.does("maskLoss", () =>
    withSlopes(maskLoss, rampTensor([2, 3, 3], 3), rampTensor([2, 3, 3], 0.5, 2), rampTensor([2], 1, 4)),
  );

  calls.title("encoder");
  const config = {
    ...tinyViT,
    depth: 3,
    imageSize: 20,
    windowSize: 3,
    globalBlocks: [1],
    pretrainImageSize: 12,
    normEps: 1e-3,
  };
  const images = rampTensor([2, 3, 20, 16]);
  const vit =
    (more: object = {}, plan?: object) =>
    () =>
      new WindowedViT({ ...config, ...more }, plan as never, 5);
  for (const more of [
    {},
    { windowSize: 4 },
    { globalBlocks: [] },
    { globalBlocks: [0, 2] },
    { pretrainImageSize: 20 },
    { normEps: 0.1 },
  ])
    await calls.does(`WindowedViT ${inspect(more)}`, () =>
      lifeOf(vit(more), (model) => model.forward(images)),
    );
  for (const after of [0, 1, 3])
    await calls.does(`with a path behind ${after}`, () =>
      lifeOf(vit({}, { width: 7, after, activation: "gelu" }), (model) => model.forward(images)),
    );
  await calls.does("with a block", () =>
    lifeOf(vit({}, fusion.through(tinyBlock())), (model) => model.forward(images)),
  );
  await calls.does("drop path", () =>
    lifeOf(vit(), (model) =>
      model.forward(images, { dropPath: tf.tensor2d([2, 0, 1, 3, 0, 2, 1, 1, 2, 2, 0, 1], [6, 2]) }),
    ),
  );
  await calls.does("sites", () =>
    own(() => {
      const seen: unknown[] = [];
      vit({}, { width: 7, after: 1 })().forward(images, {
        tap: (name, { shape }) => seen.push([name, shape]),
      });
      return seen as never;
    }),
  );
  for (const shape of [
    [2, 3, 20, 18],
    [2, 3, 22, 16],
    [2, 1, 20, 16],
    [3, 20, 16],
  ])
    await calls.does(`images [${shape}]`, () => own(() => vit()().forward(tf.zeros(shape))));
  await calls.does("Backbone", () =>
    lifeOf(
      () => new Backbone(detectorSettings(tinyViT, head as never), undefined, 3),
      (model) => all(model.forward(rampTensor([1, 3, 24, 24]))),
    ),
  );
  calls.approve("models/detector/parts");
});

/** Objects of two images, the second without any. */
const objects = [
  {
    boxes: f(1, 2, 15, 12, 8, 6, 20, 22),
    classes: [2, 0],
    polygons: [
      [[2, 2, 14, 3, 8, 12]],
      [
        [8, 6, 20, 6, 20, 22],
        [9, 9, 12, 9, 12, 12],
      ],
    ],
  },
  { boxes: f(), classes: [], polygons: [] },
];
const first = () => (_length: number, count: number) => Array.from({ length: count }, (_, i) => i);
const tensors = (feeds: Record<string, { shape: readonly number[]; data: Float32Array | Int32Array }>) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, data }]) => [
      name,
      tf.tensor(data, [...shape], data instanceof Int32Array ? "int32" : "float32"),
    ]),
  );

test("what detectors say between their stages, and their losses, is approved", async () => {
  const calls = new Calls();
  const model = small();
  perturb(model);
  const { settings } = model;
  const anchors = detectorAnchors(settings);
  calls.note("anchors", anchors);
  const one = firstStage(settings, anchors, objects, first);
  calls.note("first stage", one);
  await calls.does(
    "images whose draws differ",
    () =>
      firstStage(
        settings,
        anchors,
        [objects[0], objects[0]],
        (image) => (length, count) =>
          Array.from({ length: count }, (_, i) => (image === 0 ? i : length - 1 - i)),
      ).drawn,
  );
  const count = anchors.all.length / 4;
  const outputs = {
    logits: Float32Array.from({ length: 2 * count }, (_, i) => Math.sin(1.7 * i)),
    deltas: Float32Array.from({ length: 8 * count }, (_, i) => 0.3 * Math.cos(0.9 * i)),
  };
  const sizes = [
    { height: 24, width: 24 },
    { height: 20, width: 13 },
  ];
  for (const training of [true, false])
    await calls.does(`proposals, training ${training}`, () =>
      proposalsOf(settings, anchors, outputs, sizes, training),
    );
  const proposals = proposalsOf(settings, anchors, outputs, sizes, true).map(({ boxes }) => boxes);
  for (const normalize of [undefined, "batch", "image"] as const)
    await calls.does(`second stage ${normalize}`, () =>
      secondStage(settings, objects, proposals, first, normalize),
    );
  await calls.does("second stage without masks", () =>
    Object.keys(secondStage({ ...settings, masks: false }, objects, proposals, first).feeds),
  );
  await calls.does("rows", () => roiRows(settings, proposals, 2, 9));
  const fed = () => ({
    ...tensors(one.feeds),
    ...tensors(secondStage(settings, objects, proposals, first).feeds),
    images: rampTensor([2, 3, 24, 24]),
  });
  const dropPath = () => tf.tensor2d([2, 0, 1, 3, 0, 2, 1, 1], [4, 2]);
  const numbers = (of: Detector, more: object = {}) =>
    own(() => of.losses({ ...fed(), ...more } as never) as never);
  await calls.does("losses", () => numbers(model));
  await calls.does("losses with dropped paths", () =>
    numbers(
      model,
      own(() => ({ dropPath: dropPath() })),
    ),
  );
  await calls.does("loss", () => own(() => model.loss(fed())));
  const plain = small({ masks: false, seed: 4 });
  perturb(plain);
  await calls.does("losses without masks", () => numbers(plain));
  await calls.does("loss without masks", () => own(() => plain.loss(fed())));
  await calls.does("gradients", () =>
    lifeOf(
      () => small(),
      (made) => tf.reshape(made.loss(fed()), [1]),
    ),
  );
  await calls.does("gradients with dropped paths", () =>
    lifeOf(
      () => small(),
      (made) => tf.reshape(made.loss({ ...fed(), dropPath: dropPath() }), [1]),
    ),
  );
  await calls.does("maps", () => own(() => model.maps(rampTensor([1, 3, 24, 24])).map((x) => x) as never));
  await calls.does("regions", () =>
    own(() => model.regions(model.maps(rampTensor([1, 3, 24, 24]))) as never),
  );
  calls.approve("models/detector/stages");
});

test("what detectors are made of and read from is approved", async () => {
  const folder = temporaryFolder("detector");
  const calls = new Calls({ folder });
  const told = (made: Detector) => ({
    text: String(made),
    classes: made.classes,
    names: made.classNames,
    config: { ...made.describe(), luvitVersion: "" },
    parameters: parametersOf(made),
  });
  await calls.does("create", () => told(small()));
  await calls.does("create with names and a path", () =>
    told(small({ classNames: ["a", "b", "c"], fusion: fusion.mlp(7, { after: 1 }), seed: 9 })),
  );
  await calls.does("create with a block", () => told(small({ fusion: tinyBlock() })));
  const numbers = (made: Detector) => own(() => made.backbone.net.forward(rampTensor([1, 3, 24, 24])));
  for (const seed of [0, 1]) await calls.does(`create ${seed}`, () => numbers(small({ seed })));
  const sources: Record<string, () => mae.MaskedAutoencoder | classifier.Classifier> = {
    mae: () => mae.create({ encoder: tinyViT, decoder: tinyDecoder }),
    "mae with a block": () =>
      mae.create({
        encoder: tinyViT,
        decoder: tinyDecoder,
        fusion: fusion.through(tinyBlock(), { after: 1 }),
      }),
    classifier: () => classifier.create({ encoder: tinyViT, classes: 4, pooling: "cls" }),
    "classifier with an MLP": () =>
      classifier.create({ encoder: tinyViT, classes: 4, fusion: fusion.mlp(6, { activation: "gelu-norm" }) }),
    normFirst: () =>
      classifier.create({ encoder: tinyViT, classes: 4, fusion: fusion.mlp(6, { normFirst: true }) }),
    registers: () => classifier.create({ encoder: { ...tinyViT, registers: 1 }, classes: 4 }),
  };
  for (const [name, make] of Object.entries(sources))
    await calls.does(`from a ${name}`, async () => {
      const source = make();
      perturb(source);
      const made = await detector.fromPretrained(source, head as never);
      const shared = [...source.namedParameters()].flatMap(([path, p]) =>
        [...made.namedParameters()].some(([, q]) => p === q) ? [path] : [],
      );
      return own(
        () =>
          ({
            shared,
            parameters: parametersOf(made).filter((line) => line.startsWith("backbone.net.")),
            value: numbers(made),
          }) as never,
      );
    });
  for (const source of [{}, 3, tinyBlock()])
    await calls.does(`from ${typeof source}`, () => detector.fromPretrained(source as never, head as never));
  await calls.does("from a mae, without classes", () =>
    detector.fromPretrained(sources.mae() as never, {} as never),
  );

  calls.title("files");
  const written = small({ seed: 3 });
  perturb(written);
  const own1 = await written.stateDict();
  const write = async (
    name: string,
    state: Iterable<readonly [string, { shape: readonly number[]; data: Float32Array }]>,
  ) => {
    await writeSafetensors(join(folder, name), new Map(state) as never);
    return join(folder, name);
  };
  const whole = [...own1] as [string, { shape: number[]; data: Float32Array }][];
  const encoder = whole
    .filter(([key]) => key.startsWith("backbone.net.") && !key.includes("rel_pos"))
    .map(([key, x]) => [key.slice(13), x] as const);
  const one = { shape: [1], data: f(1) };
  const files = {
    "detectron2.safetensors": [
      ...whole,
      ["pixel_mean", one] as const,
      ["proposal_generator.anchor_generator.cell_anchors.0", one] as const,
    ],
    "strange.safetensors": [...whole, ["strange", one] as const],
    "short.safetensors": whole.slice(1),
    "nan.safetensors": whole.map(
      ([key, x], i) =>
        [key, i === 3 ? { ...x, data: x.data.map((v, k) => (k === 1 ? Number.NaN : v)) } : x] as const,
    ),
    "encoder.safetensors": [
      ...encoder,
      ["cls_token", { shape: [1, 1, 16], data: new Float32Array(16) }] as const,
      ["norm.weight", { shape: [16], data: new Float32Array(16) }] as const,
    ],
    "half.safetensors": encoder.slice(2),
  };
  for (const [name, state] of Object.entries(files)) {
    const path = await write(name, state as never);
    await calls.does(`loadCheckpoint ${name}`, async () => {
      const into = small();
      const report = await detector.loadCheckpoint(into, path);
      return [String(report), report.missing.length, numbers(into)];
    });
  }
  for (const name of ["detectron2.safetensors", "encoder.safetensors"])
    calls.note(
      `frozen weights of ${name}, named`,
      await (async () => {
        const into = small();
        await detector.loadCheckpoint(into, join(folder, name));
        into.freeze("backbone.net.blocks");
        const saved = await into.save(join(folder, `named ${name}`), { frozen: "named" });
        const back = await detector.load(join(folder, `named ${name}`));
        const [before, after] = [into, back].map((one) => own(() => numbers(one).dataSync().slice()));
        return [String(saved), before, after];
      })(),
    );
  await calls.does("loadCheckpoint into nothing", () => detector.loadCheckpoint({} as never, "x"));
  await calls.does("loadCheckpoint of nothing", () => detector.loadCheckpoint(small(), ""));
  await calls.does("loadCheckpoint of what is not there", () =>
    detector.loadCheckpoint(small(), join(folder, "none.pth")),
  );
  await calls.does("loadCheckpoint by another option", () =>
    detector.loadCheckpoint(small(), "x.pth", { part: 1 } as never),
  );
  const named = small({ classNames: ["a", "b", "c"], fusion: fusion.mlp(7, { after: 1 }) }).freeze(
    "backbone.net.blocks.0",
  );
  perturb(named);
  await calls.does("save", () =>
    named.save(join(folder, "saved")).then(({ tensors, bytes }) => [tensors, bytes]),
  );
  // Its file stays open for as long as it has tensors that were not used.
  for (const read of [detector.load, detector.open])
    calls.note(
      read.name,
      await read(join(folder, "saved")).then((back) => ({
        ...told(back),
        value: own(() => numbers(back).dataSync().slice()),
      })),
    );
  await calls.does("open nothing", () => detector.open("" as never));
  await calls.does("load nothing", () => detector.load(join(folder, "none")));
  calls.approve("models/detector/files");
});
