import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { scaledDotProductAttention } from "../../../src/nn/attention";
import { AttentionMask, prefixMask, UNSEEN } from "../../../src/nn/attentionMask";
import { KeyValueCache } from "../../../src/nn/cache";
import { addGridBias, attendInChunks, MOST_SCORES } from "../../../src/nn/chunkedAttention";
import { inference, site } from "../../../src/nn/context";
import { everySecond, inPlace, maxPool2 } from "../../../src/nn/convolutions";
import {
  featureDistance,
  featureLoss,
  featureNorm,
  hardTargetDistance,
  softTargetDistance,
  stopGradient,
} from "../../../src/nn/distillation";
import {
  maskedPatchLoss,
  normalizedPixels,
  smoothedTargets,
  softTargetCrossEntropy,
} from "../../../src/nn/losses";
import { patchesForEmbedding, patchify, unpatchify } from "../../../src/nn/patches";
import {
  type PositionRule,
  positionRules,
  positionsOfGrid,
  resizePositionTable,
  sinCosPositionTable,
} from "../../../src/nn/positionEmbedding";
import { positionResizes, positionTaps, positionWeights } from "../../../src/nn/positionTaps";
import { resizeBilinear } from "../../../src/nn/resizeBilinear";
import { Calls } from "../../support/calls";
import { rampTensor, withSlopes } from "./support";

before(() => startBackend({ backend: "cpu" }));

const own = <T>(make: () => T) => tf.tidy(make as never) as T;
/** Each channel by another factor, so that what sums to 0 does so no longer. */
const stretched = (x: Tensor) => tf.mul(x, tf.add(2, rampTensor(x.shape.slice(-1), 1, 5)));

/** As `stretched`, from number to number. */
const scaled = (x: Tensor) => tf.mul(x, tf.add(2, rampTensor(x.shape, 1, 5)));

test("what attention, masks and caches come to is approved", async () => {
  const calls = new Calls();
  const [query, key, value] = [
    rampTensor([2, 4, 3, 5], 2),
    rampTensor([2, 4, 3, 5], 1, 2),
    rampTensor([2, 4, 3, 5], 1, 4),
  ];
  const [fewKeys, fewValues] = [rampTensor([2, 2, 3, 5], 1, 2), rampTensor([2, 2, 3, 5], 1, 4)];
  const mask = tf.tensor2d([0, UNSEEN, 0, 0, 0, UNSEEN, UNSEEN, 0, 0], [3, 3]);
  const bySequence = own(() => tf.reshape(tf.concat([mask, tf.zeros([3, 3])], 0), [2, 1, 3, 3]));
  const attend =
    (options: object, k = key, v = value) =>
    () =>
      withSlopes((a, b, c) => scaledDotProductAttention(a, scaled(b), c, options), query, k, v);
  calls.title("attention");
  calls.note("UNSEEN", UNSEEN);
  for (const [name, options] of Object.entries({
    plain: {},
    causal: { causal: true },
    "window 1": { causal: true, window: 1 },
    "window 2": { causal: true, window: 2 },
    "window 3": { causal: true, window: 3 },
    "window alone": { window: 1 },
    mask: { mask },
    "mask by sequence": { mask: bySequence },
    "mask and causal": { mask, causal: true },
  }))
    await calls.does(name, attend(options));
  await calls.does("grouped", attend({}, fewKeys, fewValues));
  await calls.does("grouped, causal", attend({ causal: true }, fewKeys, fewValues));
  await calls.does("one query", () =>
    withSlopes((b, c) => scaledDotProductAttention(rampTensor([2, 4, 1, 5]), scaled(b), c), key, value),
  );
  const sites = (name?: string) => {
    const seen: [string, number[]][] = [];
    scaledDotProductAttention(query, fewKeys, fewValues, {
      ...(name && { name }),
      context: { tap: (part, x) => seen.push([part, x.shape]) },
    });
    return seen;
  };
  await calls.does("sites", () => own(() => sites() as never));
  await calls.does("sites of a name", () => own(() => sites("blocks.3.attn") as never));
  for (const part of ["scores", "pattern", "heads"])
    await calls.does(`edit of ${part}`, () =>
      own(() =>
        scaledDotProductAttention(query, fewKeys, fewValues, {
          context: { edit: (name, x) => (name === `attention.${part}` ? tf.mul(x, 0.5) : x) },
        }),
      ),
    );
  for (const options of [
    { causal: 1 },
    { window: 0 },
    { window: 1.5 },
    { mask: [0] },
    { mask: tf.zeros([2, 3]) },
    { mask: tf.zeros([1, 1, 3, 3]) },
    { context: 3 },
    { name: "" },
    { scale: 1 },
  ])
    await calls.does(
      `attention of ${Object.keys(options)} ${JSON.stringify(Object.values(options).map((x) => (x instanceof tf.Tensor ? x.shape : x)))}`,
      () => own(() => scaledDotProductAttention(query, key, value, options as never)),
    );
  await calls.does("attention of no tensor", () =>
    own(() => scaledDotProductAttention(query, [1] as never, value)),
  );

  calls.title("in chunks");
  calls.note("MOST_SCORES", MOST_SCORES);
  const bias = { rows: rampTensor([2, 4, 3, 3], 1, 6), columns: rampTensor([2, 4, 3, 1], 1, 8) };
  const wide = { rows: rampTensor([2, 4, 3, 2], 1, 6), columns: rampTensor([2, 4, 3, 3], 1, 8) };
  const [longKeys, longValues] = [rampTensor([2, 4, 6, 5], 1, 2), rampTensor([2, 4, 6, 5], 1, 4)];
  for (const mostScores of [undefined, 1, 48, 100]) {
    await calls.does(`attendInChunks ${mostScores}`, () =>
      withSlopes((a, b, c) => attendInChunks(a, scaled(b), c, { mostScores }), query, key, value),
    );
    await calls.does(`attendInChunks ${mostScores} with a bias`, () =>
      withSlopes(
        (a, b, c, rows, columns) =>
          attendInChunks(a, scaled(b), c, {
            mostScores,
            bias: { rows: scaled(rows), columns: scaled(columns) },
          }),
        query,
        longKeys,
        longValues,
        wide.rows,
        wide.columns,
      ),
    );
  }
  await calls.does("addGridBias", () =>
    withSlopes(addGridBias as never, rampTensor([2, 4, 3, 6]), wide.rows, wide.columns),
  );
  await calls.does("addGridBias of one column", () =>
    withSlopes(addGridBias as never, rampTensor([2, 4, 3, 3]), bias.rows, bias.columns),
  );

  calls.title("masks");
  const told = (made: AttentionMask) => ({ ...made, numbers: made.numbers(), tensor: made.tensor() });
  const image = [
    [0, 1, 1, 0, 1, 1],
    [1, 0, 0, 1, 1, 0],
  ];
  const real = [
    [1, 1, 1, 1, 1, 1],
    [1, 1, 1, 1, 0, 0],
  ];
  for (const [name, options] of Object.entries({
    plain: { image },
    "one sequence": { image: [image[0]] },
    real: { image, real },
    causal: { image, within: "causal" },
    none: { image, within: "none" },
    "window 2": { image, window: 2 },
    "window 1, none": { image, window: 1, within: "none" },
    "typed rows": { image: [Uint8Array.from(image[0])] },
  } as const))
    await calls.does(`prefixMask: ${name}`, () => told(prefixMask(options as never)));
  for (const options of [
    {},
    { image: [] },
    { image: [[]] },
    { image: [[0, 1], [1]] },
    { image: [[0, 2]] },
    { image: [[0, 0.5]] },
    { image, real: [[1, 1]] },
    { image, within: "all" },
    { image, window: 0 },
    { image, window: 1.5 },
    { image, windows: 1 },
  ])
    await calls.does(`prefixMask ${JSON.stringify(options)}`, () => prefixMask(options as never).visible);
  for (const [visible, sequences, tokens] of [
    [[1, 0, 1, 1], 1, 2],
    [[1, 0, 1], 1, 2],
    [[1, 0, 1, 1], 2, 2],
    [[1, 1, 0, 1, 1, 0, 1, 1], 2, 2],
  ] as [number[], number, number][])
    await calls.does(`AttentionMask ${visible} ${sequences} ${tokens}`, () => {
      const made = new AttentionMask(Uint8Array.from(visible), sequences, tokens);
      return [told(made), made.sees(0, 1, 0), made.sees(0, 0, 1), made.sees(sequences - 1, 1, 0)];
    });

  calls.title("caches");
  const [k, v] = [rampTensor([1, 2, 3, 4]), rampTensor([1, 2, 3, 4], 1, 2)];
  await calls.does("a first pass", () => {
    const cache = new KeyValueCache(5);
    const kept = own(() => tf.keep(cache.extend("a", k, v).key) === k);
    return [
      kept,
      cache.positions,
      cache.capacity,
      Object.entries(cache.after).map(([name, x]) => [name, x.shape]),
    ];
  });
  await calls.does("what a first pass keeps", () =>
    own(() => {
      const cache = new KeyValueCache(5);
      cache.extend("a", k, v);
      return { ...cache.after };
    }),
  );
  await calls.does("a full one", () =>
    own(() => {
      const cache = new KeyValueCache(3);
      cache.extend("a", k, v);
      return { ...cache.after };
    }),
  );
  await calls.does("one too small", () => own(() => new KeyValueCache(2).extend("a", k, v) as never));
  await calls.does("a further pass", () =>
    own(() => {
      const kept = { "a.key": rampTensor([1, 2, 5, 4], 9), "a.value": rampTensor([1, 2, 5, 4], 9, 2) };
      const places = tf.tensor2d([0, 0, 1, 0, 0, 0, 0, 0, 0, 1], [5, 2]);
      const cache = new KeyValueCache(5, { kept, places, positions: tf.tensor1d([1, 4], "int32") });
      const seen = cache.extend("a", rampTensor([1, 2, 2, 4]), rampTensor([1, 2, 2, 4], 1, 2));
      return { seen, after: { ...cache.after }, positions: tf.clone(cache.positions!) } as never;
    }),
  );

  calls.title("sites");
  calls.note("inference", inference);
  const one = rampTensor([1, 3]);
  const edits: Record<string, () => unknown> = {
    same: () => one,
    more: () => tf.tile(one, [3, 1]),
    none: () => undefined,
    number: () => 1,
    "other width": () => tf.zeros([1, 4]),
    "other type": () => tf.zeros([1, 3], "int32"),
    "other rank": () => tf.zeros([3]),
  };
  for (const [name, edit] of Object.entries(edits))
    await calls.does(`edit: ${name}`, () => own(() => tf.clone(site({ edit: edit as never }, "place", one))));
  await calls.does("several of several", () =>
    own(() => site({ edit: (_, x) => tf.tile(x, [2, 1]) }, "place", rampTensor([2, 3]))),
  );
  await calls.does("tap sees what edit made", () =>
    own(() => {
      const seen: unknown[] = [];
      site(
        { edit: (_, x) => tf.mul(x, 2), tap: (name, x) => seen.push([name, [...x.dataSync()]]) },
        "place",
        one,
      );
      return seen as never;
    }),
  );
  for (const context of [undefined, null, 3, () => 1])
    await calls.does(`site of ${typeof context}`, () =>
      own(() => tf.clone(site(context as never, "place", one))),
    );
  calls.approve("nn/attention");
});

test("what losses, patches, positions and maps come to is approved", async () => {
  const calls = new Calls();
  calls.title("losses");
  const [student, teacher] = [rampTensor([3, 4], 2), rampTensor([3, 4], 3, 2)];
  const logits = (op: (...x: Tensor[]) => Tensor) => () =>
    withSlopes((a, b) => op(stretched(a), b), student, teacher);
  for (const options of [
    {},
    { temperature: 2 },
    { reduction: "deit" },
    { reduction: "batch", temperature: 0.5 },
    { temperature: 3, reduction: "deit" },
  ] as const)
    await calls.does(
      `softTargetDistance ${JSON.stringify(options)}`,
      logits((a, b) => softTargetDistance(a, b, options)),
    );
  await calls.does("hardTargetDistance", logits(hardTargetDistance));
  await calls.does(
    "stopGradient",
    logits((a, b) => tf.add(stopGradient(a), b)),
  );
  calls.note("featureDistance", featureDistance);
  calls.note("featureNorm", featureNorm);
  for (const loss of ["cosine", "mse", "smoothL1", "l1"] as const)
    for (const normalize of ["none", "layer", "unit"] as const)
      await calls.does(
        `featureLoss ${loss} ${normalize}`,
        logits((a, b) => featureLoss(a, b, { loss, normalize })),
      );
  await calls.does(
    "featureLoss",
    logits((a, b) => featureLoss(a, b)),
  );
  for (const beta of [0.5, 1, 3])
    await calls.does(
      `featureLoss smoothL1 ${beta}`,
      logits((a, b) => featureLoss(a, b, { loss: "smoothL1", beta })),
    );
  await calls.does(
    "featureLoss of a great eps",
    logits((a, b) => featureLoss(a, b, { loss: "mse", normalize: "layer", eps: 0.5 })),
  );
  await calls.does("featureLoss of equal ones", () =>
    withSlopes((a) => featureLoss(a, student, { loss: "l1" }), student),
  );
  for (const options of [{ temperature: 0 }, { temperature: -1 }, { reduction: "mean" }, { t: 1 }])
    await calls.does(`softTargetDistance ${JSON.stringify(options)}`, () =>
      own(() => softTargetDistance(student, teacher, options as never)),
    );
  for (const options of [
    { loss: "l2" },
    { normalize: "batch" },
    { beta: 0 },
    { eps: 0 },
    { eps: 2 },
    { norm: 1 },
  ])
    await calls.does(`featureLoss ${JSON.stringify(options)}`, () =>
      own(() => featureLoss(student, teacher, options as never)),
    );
  for (const op of [softTargetDistance, hardTargetDistance, featureLoss, softTargetCrossEntropy])
    for (const pair of [
      [1, teacher],
      [student, undefined],
    ])
      await calls.does(`${op.name} of ${pair.map((x) => (x instanceof tf.Tensor ? "a tensor" : x))}`, () =>
        own(() => op(pair[0] as never, pair[1] as never)),
      );
  await calls.does("stopGradient of a number", () => own(() => stopGradient(2 as never)));
  await calls.does(
    "softTargetCrossEntropy",
    logits((a, b) => softTargetCrossEntropy(a, tf.square(b))),
  );
  for (const [labels, classes, smoothing] of [
    [[2, 0, 1], 3, 0],
    [[2, 0, 1], 4, 0.1],
    [[3], 4, 1],
    [[], 4, 0.1],
    [Int32Array.of(1, 1), 2, 0.2],
    [[4], 4, 0],
    [[-1], 4, 0],
    [[0, 1.5], 4, 0],
    [[Number.NaN], 4, 0],
    ["ab", 4, 0],
    [undefined, 4, 0],
  ] as [number[], number, number][])
    await calls.of(smoothedTargets, labels, classes, smoothing);
  await calls.does("normalizedPixels", () =>
    withSlopes((x) => stretched(normalizedPixels(x)), rampTensor([2, 2, 5])),
  );
  await calls.does("normalizedPixels of equal ones", () => own(() => normalizedPixels(tf.ones([1, 1, 5]))));
  await calls.does("maskedPatchLoss", () =>
    withSlopes(
      (a, b) => maskedPatchLoss(a, b, tf.tensor2d([1, 0, 1, 1, 1, 0], [2, 3])),
      rampTensor([2, 3, 4]),
      rampTensor([2, 3, 4], 2, 2),
    ),
  );
  await calls.does("maskedPatchLoss without a mask", () =>
    own(() => maskedPatchLoss(student, teacher, undefined as never)),
  );

  calls.title("patches");
  const images = tf.tensor(
    Float32Array.from({ length: 2 * 2 * 6 * 9 }, (_, i) => i),
    [2, 2, 6, 9],
  );
  await calls.does("patchesForEmbedding", () => own(() => patchesForEmbedding(images, 3)));
  for (const patch of [3, 1, 2, 0, -3, 1.5, 6, "3"])
    await calls.does(`patchify ${JSON.stringify(patch)}`, () => own(() => patchify(images, patch as number)));
  await calls.does("patchify of too few axes", () => own(() => patchify(tf.zeros([2, 6, 9]), 3)));
  await calls.does("patchify of no tensor", () => own(() => patchify([[1]] as never, 3)));
  const patches = own(() => patchify(images, 3));
  for (const [channels, grid] of [
    [2, { rows: 2, columns: 3 }],
    [2, { rows: 3, columns: 2 }],
    [2, { rows: 6, columns: 1 }],
    [2, { rows: 2, columns: 2 }],
    [2, undefined],
    [undefined, { rows: 2, columns: 3 }],
    [3, { rows: 2, columns: 3 }],
    [0, { rows: 2, columns: 3 }],
    [2, { rows: 2 }],
    [2, { rows: 2.5, columns: 2.4 }],
  ])
    await calls.does(`unpatchify ${JSON.stringify([channels, grid])}`, () =>
      own(() => unpatchify(patches, 3, channels as never, grid as never)),
    );
  await calls.does("unpatchify of a square", () => own(() => unpatchify(rampTensor([2, 4, 12]), 2)));
  await calls.does("unpatchify of too few axes", () => own(() => unpatchify(rampTensor([4, 12]), 2)));
  await calls.does("unpatchify, slopes", () =>
    withSlopes((x) => unpatchify(patchify(x, 3), 3, 2, { rows: 2, columns: 3 }), images),
  );

  calls.title("positions");
  calls.note("resizes and rules", [positionResizes, positionRules]);
  for (const [dim, size] of [
    [8, 3],
    [4, { rows: 2, columns: 3 }],
    [12, { rows: 1, columns: 1 }],
    [6, 3],
    [0, 2],
    [8, 0],
    [8, 1.5],
    [8, Number.NaN],
    [8, { rows: 2 }],
    [8, { rows: 2, columns: 100_001 }],
  ] as [number, number][])
    await calls.of(sinCosPositionTable, dim, size);
  for (const resize of positionResizes)
    for (const [from, to] of [
      [3, 5],
      [5, 3],
      [4, 4],
      [1, 3],
      [6, 2],
    ]) {
      await calls.of(positionTaps, from, to, resize);
      await calls.of(positionWeights, from, to, resize);
    }
  const data = Float32Array.from({ length: 10 * 4 }, (_, i) => Math.sin(1.3 * i));
  const table = { shape: [1, 10, 4], data };
  for (const [size, extra, resize] of [
    [{ rows: 3, columns: 3 }],
    [{ rows: 2, columns: 5 }],
    [{ rows: 2, columns: 5 }, 1, "timm"],
    [{ rows: 2, columns: 5 }, 1, "dino"],
    [{ rows: 3, columns: 3 }, 1, "dino"],
    [{ rows: 3, columns: 4 }, 6, "mae"],
    [{ rows: 3, columns: 4 }, 10, "mae"],
    [{ rows: 3, columns: 4 }, 0, "mae"],
    [{ rows: 3, columns: 4 }, 1, "sincos"],
    [{ rows: 0, columns: 4 }],
    [{ rows: 3, columns: 4 }, -1],
    [{ rows: 3, columns: 4 }, 1.5],
    [{ rows: 3 }],
    [undefined],
  ] as [{ rows: number; columns: number }, number, "mae"][])
    await calls.does(`resizePositionTable ${JSON.stringify([size, extra, resize])}`, () =>
      resizePositionTable(table, size, extra, resize),
    );
  await calls.does("resizePositionTable of nothing", () =>
    resizePositionTable(undefined as never, { rows: 1, columns: 1 }),
  );
  await calls.does("resizePositionTable of a row", () =>
    resizePositionTable({ shape: [10, 4], data }, { rows: 3, columns: 3 }),
  );
  const live = tf.tensor(data, [1, 10, 4]);
  for (const rule of [...positionRules, "bilinear" as PositionRule])
    for (const size of [
      { rows: 3, columns: 3 },
      { rows: 2, columns: 5 },
    ])
      await calls.does(`positionsOfGrid ${rule} ${JSON.stringify(size)}`, () =>
        rule === "sincos" && size.rows !== size.columns
          ? own(() => positionsOfGrid(live, size, rule))
          : withSlopes((x) => positionsOfGrid(x, size, rule), live),
      );
  await calls.does("positionsOfGrid without a class token", () =>
    own(() => positionsOfGrid(rampTensor([1, 9, 4]), { rows: 2, columns: 4 }, "mae", 0)),
  );
  await calls.does("positionsOfGrid of no square", () =>
    own(() => positionsOfGrid(live, { rows: 2, columns: 4 }, "mae", 0)),
  );
  await calls.does("positionsOfGrid of numbers", () =>
    own(() => positionsOfGrid(data as never, { rows: 2, columns: 4 }, "mae")),
  );

  calls.title("maps");
  const map = rampTensor([2, 3, 5, 2]);
  for (const [rows, columns] of [
    [6, 10],
    [2, 7],
    [3, 5],
    [1, 1],
  ])
    await calls.does(`resizeBilinear ${rows} x ${columns}`, () =>
      withSlopes((x) => resizeBilinear(x, rows, columns), map),
    );
  await calls.does("inPlace", () => withSlopes(inPlace, rampTensor([2, 2, 3, 2, 2, 2])));
  await calls.does("maxPool2", () => withSlopes(maxPool2, map));
  await calls.does("maxPool2 of equal ones", () =>
    own(() => withSlopes(maxPool2, tf.ones([1, 4, 2, 1])) as never),
  );
  await calls.does("everySecond", () => withSlopes(everySecond, map));
  await calls.does("everySecond of even sides", () => withSlopes(everySecond, rampTensor([1, 4, 6, 2])));
  calls.approve("nn/functions");
});
