import { test } from "node:test";
import { inspect } from "node:util";
import { withoutUndefined } from "../../../src/core/options";
import { Rng } from "../../../src/core/rng";
import { ClassMapping, parseRanges, sliceMapping } from "../../../src/data/classMapping";
import { type ImageDataset, SkipReport } from "../../../src/data/dataset";
import { BuiltInTransform, finetuneAugmentOptions } from "../../../src/data/imageTransform";
import {
  type BatchOptions,
  batches,
  batchesPerEpoch,
  batchOptions,
  collate,
  datasetOrder,
  epochOrder,
} from "../../../src/data/loader";
import { cutBox, drawMix, mixBatch, mixOptions, mixRecipe, mixTargets } from "../../../src/data/mixup";
import {
  bytes,
  corruptionArguments,
  countArgument,
  evaluationOptions,
  exif,
  fileOrBytes,
  folderArgument,
  has,
  imageSide,
  MOST,
  MOST_PIXELS,
  mixAlphas,
  partArguments,
  shardOptions,
  sizeArgument,
} from "../../../src/data/options";
import { hereReader } from "../../../src/data/reading";
import { readSamples } from "../../../src/data/readSamples";
import { rebuildTransform } from "../../../src/data/rebuildTransform";
import { repeatedOrder } from "../../../src/data/repetitions";
import { drawings } from "../../../src/data/toy";
import {
  evaluation,
  finetune,
  fitSquare,
  largeScaleJitter,
  mae,
  none,
  segment,
} from "../../../src/data/transforms";
import { Calls } from "../../support/calls";
import { paintedImage } from "./support";

const set = (length: number, log: string[] = [], change: object = {}): ImageDataset =>
  ({
    classes: ["a", "b", "c"],
    length,
    size: 1,
    report: new SkipReport(),
    path: (i: number) => `p${i}`,
    label: (i: number) => i % 3,
    async load(index: number, rng: Rng) {
      log.push(`${index}`);
      await new Promise((resolve) => setImmediate(resolve));
      return {
        image: Float32Array.of(index, rng.uniform(), -index),
        label: index % 3,
        path: `p${index}`,
        index,
      };
    },
    ...change,
  }) as unknown as ImageDataset;

test("batches and their orders are approved", async () => {
  const calls = new Calls();
  calls.note("options", batchOptions);
  for (const [length, size, drop] of [
    [10, 3],
    [10, 3, false],
    [9, 3, false],
    [2, 3],
    [2, 3, false],
    [0, 3, false],
  ] as const)
    await calls.of(batchesPerEpoch, length, size, drop);
  for (const given of [
    [-1, 3, true],
    [3, 0, true],
    [3, 1.5, true],
    [3, 1, "x"],
  ])
    await calls.of(batchesPerEpoch, ...given);
  for (const [seed, epoch, shuffle] of [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 0, false],
  ] as const)
    await calls.of(epochOrder, 9, seed, epoch, shuffle);
  calls.note("datasetOrder", [
    datasetOrder(set(9), 1, 0),
    datasetOrder(set(9, [], { shuffled: (rng: Rng) => Int32Array.of(rng.integer(1000)) }), 1, 0),
    datasetOrder(set(4, [], { shuffled: () => 3 }), 1, 0, false),
  ]);
  const order = Int32Array.from({ length: 13 }, (_, i) => 10 + i);
  for (const plan of [
    { repeats: 1, batchSize: 2, spread: 3 },
    { repeats: 2, batchSize: 2, spread: 1 },
    { repeats: 2, batchSize: 2, spread: 2 },
    { repeats: 3, batchSize: 2, spread: 3 },
    { repeats: 4, batchSize: 20, spread: 1 },
    { repeats: 3, batchSize: 5, spread: 2 },
  ])
    await calls.of(repeatedOrder, order, plan);
  const read = (
    name: string,
    length: number,
    options: Partial<BatchOptions>,
    most = 99,
    change: object = {},
  ) =>
    calls.does(`batches ${name}`, async () => {
      const log: string[] = [];
      const found: unknown[] = [];
      for await (const { images, labels, indices, paths, samples, epoch, batch } of batches(
        set(length, log, change),
        { batchSize: 3, workers: 0, ...options },
      )) {
        found.push([batch, epoch, indices, labels, images, paths.join(), samples.length, log.length]);
        if (found.length === most) break;
      }
      const loaded = log.length;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return [found, loaded, log.length];
    });
  await read("of 10", 10, {});
  await read("of 10, not shuffled", 10, { shuffle: false });
  await read("with the last", 10, { shuffle: false, dropLast: false });
  await read("of another seed", 7, { seed: 5 });
  await read("of another epoch", 7, { epoch: 2 });
  await read("from the second", 10, { start: 1, shuffle: false });
  await read("from the end", 10, { start: 3 });
  await read("from behind the end", 10, { start: 4 });
  await read("the second of two shares", 20, { shuffle: false, share: { index: 1, count: 2 } });
  await read("a share from the second", 20, { shuffle: false, start: 1, share: { index: 1, count: 2 } });
  await read("repeated", 12, { shuffle: false, repeats: 2, spread: 2 });
  await read("repeated thrice", 9, { shuffle: false, repeats: 3 });
  await read("without reading ahead", 12, { shuffle: false, prefetch: 0 });
  await read("left after one", 18, { shuffle: false, prefetch: 1 }, 1);
  await read("that use memory again", 12, { shuffle: false, reuse: 1, prefetch: 0 });
  await read("given as undefined", 6, { seed: undefined, shuffle: undefined, dropLast: undefined });
  await read("of too few", 2, {});
  await read("of none", 0, { dropLast: false });
  await read("as bytes of a set without", 6, { pixels: "bytes" });
  await read("of shapes", 6, {}, 9, { ownShapes: true });
  for (const options of [
    { batchSize: 0 },
    { batchSize: 1.5 },
    { seed: -1 },
    { epoch: -1 },
    { start: 0.5 },
    { shuffle: 1 },
    { repeats: 0 },
    { spread: 0 },
    { share: { index: 0 } },
    { share: { index: -1, count: 2 } },
    { share: { index: 0, count: 0 } },
    { prefetch: -1 },
    { prefetch: 10_001 },
    { reuse: 0 },
    { pixels: "floats" },
    { workers: -1 },
    { workers: 1025 },
    { shard: 1 },
  ])
    await read(JSON.stringify(options), 9, options as object);
  await calls.does("batches of no set", () => batches({} as never, { batchSize: 1 }));
  await calls.does("batches without a size", () => batches(set(3), {} as never));
  const wrong = (change: object, options: object = {}) =>
    read(`of a set that gives ${Object.keys(change)}`, 6, { shuffle: false, prefetch: 0, ...options }, 9, {
      load: async (index: number) => ({
        image: Float32Array.of(1, 2, 3),
        label: 0,
        path: "p",
        index,
        ...change,
      }),
    });
  await wrong({ label: 3 });
  await wrong({ image: new Float32Array(4) });
  await read("of a set that fails at 4", 9, { shuffle: false }, 9, {
    async load(index: number) {
      if (index === 4) throw new Error("no 4");
      return { image: Float32Array.of(1, 2, index), label: 0, path: "p", index };
    },
  });
  const toys = drawings(3, 6, { size: 8 });
  await calls.does("bytes and numbers of toys", async () => {
    const found: unknown[] = [];
    for await (const { images } of batches(toys, {
      batchSize: 4,
      shuffle: false,
      workers: 0,
      dropLast: false,
    }))
      found.push([images.length, images]);
    return found;
  });
  await calls.does("collate", () =>
    collate([
      { image: Float32Array.of(1, 2), label: 3, path: "x", index: 7 },
      { image: Float32Array.of(4, 5), label: 0, path: "y", index: 2 },
    ]),
  );
  await calls.does("readSamples", async () => {
    const images = new Float32Array(9);
    const loads = readSamples({
      dataset: set(9),
      indices: [4, 2],
      images,
      length: 3,
      stream: (place) => new Rng(place),
      reader: hereReader,
      signal: new AbortController().signal,
    });
    return [await Promise.all(loads), images];
  });
  calls.approve("data/batches");
});

test("mixed batches are approved", async () => {
  const calls = new Calls();
  calls.note("options", [mixRecipe, mixOptions, finetuneAugmentOptions]);
  const images = Float32Array.from({ length: 4 * 2 * 3 * 5 }, (_, i) => Math.sin(i));
  const given = { images, labels: [2, 0, 1, 1], height: 3, width: 5, classes: 3 };
  for (const more of [
    { lambda: 0.3 },
    { lambda: 1 },
    { lambda: 0 },
    { lambda: 0.3, smoothing: 0 },
    { lambda: 0.3, center: [1, 3] },
    { lambda: 0, center: [0, 0] },
    { lambda: 0.7, center: [2, 4] },
  ] as const)
    await calls.of(mixBatch, { ...given, ...more });
  for (const seed of [1, 2, 3])
    await calls.does(`mixBatch by ${seed}`, () => mixBatch({ ...given, rng: new Rng(seed) }));
  await calls.does("mixBatch by mixup alone", () =>
    mixBatch({ ...given, rng: new Rng(1), switchProbability: 0, mixupAlpha: 5 }),
  );
  for (const change of [
    {},
    { labels: [1] },
    { labels: [] },
    { labels: [0, 1, 2, 3], lambda: 1 },
    { labels: [0, -1, 1, 1], lambda: 1 },
    { labels: [0, 0.5, 1, 1], lambda: 1 },
    { height: 4, lambda: 1 },
    { lambda: 1.1 },
    { lambda: -0.1 },
    { smoothing: 1, lambda: 1 },
    { classes: 0, lambda: 1 },
    { center: [0.5, 1], lambda: 1 },
    { images: [1], lambda: 1 },
    { other: 1 },
    { mixupAlpha: 0, lambda: 1 },
  ])
    await calls.does(`mixBatch ${JSON.stringify(change)}`, () => mixBatch({ ...given, ...change } as never));
  for (let seed = 0; seed < 6; seed++)
    await calls.does(`drawMix ${seed}`, () => drawMix(new Rng(seed), 7, 9));
  for (const recipe of [
    { mixupAlpha: 0.2, switchProbability: 0 },
    { cutmixAlpha: 3, switchProbability: 1 },
    { switchProbability: 1.5 },
    { mixupAlpha: 0 },
    { cutmixAlpha: 1001 },
    { alpha: 1 },
  ])
    await calls.does(`drawMix ${JSON.stringify(recipe)}`, () => drawMix(new Rng(4), 7, 9, recipe as object));
  await calls.does("drawMix of no stream", () => drawMix(3 as never, 7, 9));
  for (const [lambda, center] of [
    [0, [3, 4]],
    [0.5, [3, 4]],
    [0.5, [0, 0]],
    [0.9, [6, 8]],
    [1, [3, 4]],
    [0.36, [3, 8]],
  ] as const)
    await calls.of(cutBox, 7, 9, lambda, center);
  for (const [lambda, smoothing] of [
    [0.3, 0.1],
    [1, 0],
    [0, 0.2],
  ] as const)
    await calls.of(mixTargets, [2, 0, 1, 1], 3, lambda, smoothing);
  calls.approve("data/mixup");
});

test("transforms, mappings and fields of options are approved", async () => {
  const calls = new Calls();
  const image = paintedImage(11, 7, (x, y) => [23 * x, 36 * y, 10 * x + y]);
  const map = { ids: Int32Array.from({ length: 77 }, (_, i) => i), width: 11, height: 7 };
  const square = paintedImage(8, 8, (x, y) => [31 * x, 31 * y, 9]);
  const all = {
    mae: mae(8),
    finetune: finetune(8),
    "finetune without": finetune(8, { randAugment: null, erasing: 0 }),
    "finetune by another": finetune(8, { randAugment: { magnitude: 5, layers: 3 } as never, erasing: 1 }),
    evaluation: evaluation(8),
    "evaluation of 0.5": evaluation(8, { cropRatio: 0.5 }),
    "evaluation 384": evaluation(384),
    none: none(8),
    segment: segment(8),
    fit: fitSquare(8),
    jitter: largeScaleJitter(8),
  };
  for (const [name, transform] of Object.entries(all)) {
    calls.note(name, [
      transform.name,
      transform.size,
      transform.scale,
      transform.preprocessing,
      transform.spec,
      Object.isFrozen(transform),
      BuiltInTransform.hasBytes(transform),
      BuiltInTransform.from(transform) === transform,
    ]);
    const again = rebuildTransform(transform.spec);
    for (const seed of transform.size > 8 ? [] : [1, 2, 3]) {
      await calls.does(`  apply ${seed}`, () =>
        transform.apply(name === "none" ? square : image, new Rng(seed)),
      );
      calls.note(
        "  as made again",
        Buffer.from(again.apply(square, new Rng(seed)).buffer).equals(
          Buffer.from(transform.apply(square, new Rng(seed)).buffer),
        ),
      );
    }
    calls.note("  spec of another", rebuildTransform(transform.spec).spec);
  }
  for (const seed of [1, 2])
    await calls.does(`ids by segment ${seed}`, () => segment(4).ids(map, new Rng(seed)));
  for (const one of [evaluation(4), evaluation(4, { cropRatio: 1 })]) {
    await calls.does("ids by evaluation", () => one.ids(map));
    await calls.does("pixels by evaluation", () => one.pixels(image));
  }
  await calls.does("pixels by none", () => none(8).pixels(square) === square);
  await calls.does("pixels of another size by none", () => none(8).pixels(image));
  await calls.does("apply of another size by none", () => none(8).apply(image, new Rng(1)));
  await calls.does("ids of another size by none", () => none(7).ids(map));
  await calls.does("ids by none", () => none(1).ids({ ids: Int32Array.of(5), width: 1, height: 1 }));
  calls.note("defaults", [
    mae().size,
    finetune().size,
    evaluation().size,
    none().size,
    segment().size,
    mae(8).apply.length,
  ]);
  calls.note("a copy", [BuiltInTransform.from({ ...mae(8) }), BuiltInTransform.hasBytes({ ...mae(8) })]);
  for (const make of [mae, finetune, evaluation, none, segment])
    for (const size of [0, 16385, 1.5]) await calls.of(make, size);
  for (const options of [{ cropRatio: 0 }, { cropRatio: 1.1 }, { crop: 1 }])
    await calls.does(`evaluation ${JSON.stringify(options)}`, () => evaluation(8, options as object));
  for (const options of [{ erasing: 1.1 }, { erasing: -1 }, { randAugment: 3 }, { other: 1 }])
    await calls.does(`finetune ${JSON.stringify(options)}`, () => finetune(8, options as object));
  calls.title("mappings");
  await calls.of(parseRanges, " 3 5-7\n  9-9 ");
  const slice = sliceMapping("S", [7, 2, 4], 9);
  const whole = new ClassMapping("W", Int32Array.of(-1, 2, 0, 0, 2), "all");
  calls.note("mappings", [
    slice,
    whole,
    slice.modelClasses,
    sliceMapping("T", [1]).modelClasses,
    inspect(slice),
    inspect(whole),
  ]);
  calls.note("sliceMapping by number", sliceMapping("N", [10, 2, 1, 30], 40).mappedClasses);
  for (const scores of [
    [9, 9, 1, 9, 3, 9, 9, 3, 9],
    [0, 0, -5, 0, -7, 0, 0, -6, 0],
    [0, 0, 0, 0, 0, 0, 0, 0, 0],
  ])
    calls.note(`predict ${scores}`, slice.predict(scores));
  for (const scores of [
    [9, 1, 2, 3, 4],
    [1, 2, 9, 9, 4],
    [1, 1, 1, 1, 5],
  ])
    calls.note(`predict ${scores}`, whole.predict(scores));
  await calls.does("predict of too few", () => whole.predict([1, 2]));
  await calls.does("a mapping of a list", () => new ClassMapping("x", [1] as never, "all"));
  calls.title("fields");
  calls.note("fields", {
    MOST,
    MOST_PIXELS,
    imageSide,
    bytes,
    exif,
    fileOrBytes,
    sizeArgument,
    folderArgument,
    partArguments,
    countArgument,
    evaluationOptions,
    mixAlphas,
    shardOptions,
    corruptionArguments,
  });
  calls.note("has", [
    has({ a: 1, b: undefined }, "a", "b"),
    has({ a: 1 }, "b"),
    has(null, "a"),
    has("text", "length"),
    has([], "length"),
  ]);
  await calls.of(withoutUndefined, { a: undefined, b: null, c: 0 });
  calls.approve("data/transforms");
});
