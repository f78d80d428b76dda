import assert from "node:assert/strict";
import { before, test } from "node:test";
import { expectLabel } from "../../../src/analysis/expectLabel";
import { expectUsualTokens } from "../../../src/analysis/expectUsualTokens";
import { type Body, batchLength, forwardBatches } from "../../../src/analysis/forwardBatches";
import { describeMissing, describeUnreadable } from "../../../src/analysis/gatherRows";
import { givenImages, readable } from "../../../src/analysis/givenImages";
import { gridOf } from "../../../src/analysis/lookGraphs";
import { checkLooked } from "../../../src/analysis/options";
import { expectLayers, tapPatterns } from "../../../src/analysis/patterns";
import { brokenImage, expectCells } from "../../../src/analysis/squareSamples";
import { windowLength } from "../../../src/analysis/wholeBatches";
import { checkOptions } from "../../../src/core/options";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import { UnreadableClass } from "../../../src/data/unreadable";
import { wholeImages } from "../../../src/data/wholeImages";
import { isLuvitError } from "../nn/support";
import { tinyViT } from "../train/support";
import { tinyClassifier } from "./support";

before(async () => void (await startBackend()));

const eager = { engine: "eager" } as const;

/** Images of 16 pixels, each of its number plus one everywhere; others come in place of those in `broken`. */
function numbered(length: number, ...broken: number[]): ImageDataset {
  const load = async (index: number) => {
    const at = [...Array(length).keys()].find((i) => !broken.includes((index + i) % length));
    if (at === undefined) throw new UnreadableClass("bad-dataset", "torn");
    const own = (index + at) % length;
    return { image: new Float32Array(768).fill(own + 1), label: 0, path: `${own}.png`, index: own };
  };
  const report = { add: () => {}, has: () => false, ongoing: new Map(), skipped: [], toString: () => "torn" };
  const path = (index: number) => `${index}.png`;
  return { length, size: 16, classes: ["a"], load, report, path, label: () => 0 } as unknown as ImageDataset;
}

async function passed(set: ImageDataset, body: Body, options: object) {
  const all = [];
  for await (const one of forwardBatches(tinyClassifier(), set, body, { batchSize: 2, ...eager, ...options }))
    all.push(one);
  return all;
}

const means: Body = (images) => ({ mean: tf.mean(images, [1, 2, 3]) });

test("what is drawn for an image follows from its number, whatever batch it comes in", async () => {
  const set = numbered(5);
  const load: ImageDataset["load"] = async (index, rng) => {
    const [sample, drawn] = [await set.load(index, rng), rng.uniform()];
    return { ...sample, image: new Float32Array(768).fill(drawn) };
  };
  const drawn = async (options: object) =>
    (await passed({ ...set, load } as ImageDataset, means, options)).flatMap(({ samples }) =>
      samples.map(({ image }) => image[0]),
    );
  const all = await drawn({});
  assert.equal(new Set(all).size, 5);
  assert.deepEqual(await drawn({ batchSize: 5 }), all);
  assert.deepEqual(await drawn({ ranges: [{ start: 3, end: 5 }] }), all.slice(3));
});

test("batches keep within the ranges asked for, filled up with black images that are no samples", async () => {
  const ranges = [{ start: 0, end: 3 }, { start: 4, end: 5 }]; // biome-ignore format: one list
  const found = await passed(numbered(5), means, { ranges });
  assert.deepEqual(
    found.map(({ start, end, size, samples, results }) => [start, end, size, samples.map(({ index }) => index), [...results.mean]]),
    [
      [0, 2, 2, [0, 1], [1, 2]],
      [2, 3, 2, [2], [3, 0]],
      [4, 5, 2, [4], [5, 0]],
    ],
  ); // biome-ignore format: a line each
  for (const { canStop, shape, grid, variants, results } of found) {
    assert.ok(canStop && variants.length === 1 && variants[0] === results);
    assert.deepEqual(
      [shape, grid],
      [
        { height: 16, width: 16 },
        { rows: 2, columns: 2 },
      ],
    );
  }
  assert.deepEqual((await passed(numbered(3), means, { batchSize: 99 })).map(({ size }) => size), [3]); // biome-ignore format: one call
  assert.deepEqual(await passed(numbered(0), means, { ranges: [] }), [], "nothing is asked of nothing");
  await assert.rejects(passed(numbered(0), means, {}), isLuvitError("bad-argument", "the set is empty"));
});

test("what stands beside an image and what comes in turn reach the function with it", async () => {
  const body: Body = (images, { beside, variant, grid }) => ({
    sum: tf.add(tf.sum(beside!, 1), tf.mul(tf.mean(images, [1, 2, 3]), tf.sum(variant!))),
    grid: tf.fill([2], grid.rows * 10 + grid.columns),
  });
  const options = {
    beside: { width: 2, of: ({ index }: { index: number }) => [100, 10 * index] },
    variants: { shape: [2], feeds: [Float32Array.of(1, 1), Float32Array.of(0, 5)] },
  };
  const found = await passed(numbered(3), body, options);
  assert.deepEqual(
    found.map(({ variants }) => variants.map(({ sum }) => [...sum])),
    [[[102, 114], [105, 120]], [[126, 0], [135, 0]]],
  ); // biome-ignore format: one list
  assert.deepEqual([...found[0].results.sum], [102, 114], "of the first");
  assert.deepEqual([...found[0].results.grid], [22, 22]);
});

test("an image that cannot be read leaves no gap, and a set of none is told unless ranges are asked for", async () => {
  const beside = { width: 1, of: ({ index }: { index: number }) => [index] };
  const body: Body = (images, { beside }) => ({
    both: tf.add(tf.mean(images, [1, 2, 3]), tf.mul(10, tf.reshape(beside!, [3]))),
  });
  const found = await passed(numbered(5, 1), body, { batchSize: 3, beside });
  assert.deepEqual(
    found.map(({ samples, results }) => [samples.map(({ index }) => index), [...results.both]]),
    [
      [[0, 2], [1, 23, 0]],
      [[3, 4], [34, 45, 0]],
    ],
  ); // biome-ignore format: a line each
  assert.equal(found[0].samples[1].image[0], 3, "the sample has its own image");
  await assert.rejects(
    passed(numbered(2, 0, 1), means, {}),
    isLuvitError("bad-dataset", "none of the 2 images can be read", "torn"),
  );
  const none = await passed(numbered(2, 0, 1), means, { ranges: [{ start: 0, end: 2 }] });
  assert.deepEqual(none.map(({ samples }) => samples), [[]]); // biome-ignore format: one call
});

test("whole images have their own shapes, and what stands beside them goes along", async () => {
  const data = (width: number, height: number, byte: number) => {
    return { width, height, data: new Uint8Array(3 * width * height).fill(byte) };
  };
  const given = [data(16, 16, 10), data(24, 16, 20), data(16, 16, 30), data(24, 16, 40), data(16, 16, 50)];
  const sets = given.map((image) => wholeImages(image, { patch: 8 }));
  const set = Object.assign(Object.create(sets[0]) as (typeof sets)[0], {
    length: 5,
    load: async (index: number, ...rest: [never]) => ({ ...(await sets[index].load(0, ...rest)), index }),
  });
  const sizes: number[] = [];
  const body: Body = (images, { beside }) => {
    sizes.push(images.shape[0]);
    return { own: tf.mean(images, [1, 2, 3]), beside: tf.reshape(beside!, [-1]) };
  };
  const beside = { width: 1, of: ({ index }: { index: number }) => [index] };
  const found = await passed(set, body, { beside });
  const alone = sets.map((_, i) => {
    const values = found[i].samples[0].image;
    return values.reduce((sum, x) => sum + x / values.length, 0);
  });
  assert.deepEqual(found.map(({ grid }) => grid.columns), [2, 3, 2, 3, 2]); // biome-ignore format: one call
  for (const [i, { results, samples, start, end, size, canStop }] of found.entries()) {
    assert.ok(Math.abs(results.own[0] - alone[i]) < 1e-4 && results.own.length === 1);
    assert.deepEqual([results.beside[0], samples[0].index, start, end, size], [i, i, i, i + 1, 1]);
    assert.equal(canStop, i === 4, "at the end of a window");
  }
  assert.ok(Math.max(...sizes) === 2 && Math.min(...sizes) === 1, "two of a shape together, one left over");
});

test("models whose tokens are not all patches behind a class token are refused where that matters", () => {
  assert.doesNotThrow(() => expectUsualTokens({ ...tinyViT, registers: 0, classToken: true }));
  assert.throws(
    () => expectUsualTokens({ ...tinyViT, registers: 4 }),
    isLuvitError("bad-argument", "4 registers behind them"),
  );
  assert.throws(
    () => expectUsualTokens({ ...tinyViT, classToken: false }),
    isLuvitError("bad-argument", "no class token in front"),
  );
});

test("classes, layers and masks that are not there are refused with those that are", () => {
  for (const label of [0, 4]) assert.doesNotThrow(() => expectLabel("x", label, 5));
  for (const label of [-1, 5, 0.5, Number.NaN])
    assert.throws(
      () => expectLabel("x", label, 5),
      isLuvitError("bad-argument", `x is ${label}, expected 0 to 4`),
    );
  assert.doesNotThrow(() => expectLayers("x", undefined, []));
  assert.doesNotThrow(() => expectLayers("x", ["a"], ["b", "a"]));
  assert.throws(
    () => expectLayers("x", ["a", "c", "d"], ["b", "a"]),
    isLuvitError("bad-argument", "x: no layer named c, d; this model has: b, a"),
  );
  const sample = (cells: number) => ({ path: "a.png", foreground: new Uint8Array(cells) }) as never;
  assert.doesNotThrow(() => expectCells(sample(4), 4, 8));
  assert.doesNotThrow(() => expectCells({ path: "a.png" } as never, 4, 8));
  for (const cells of [3, 16])
    assert.throws(
      () => expectCells(sample(cells), 4, 8),
      isLuvitError(
        "bad-argument",
        `a.png: its mask has ${cells} cells, the model sees 4 patches`,
        "patch: 8",
      ),
    );
  const images = [1, Number.NaN, Number.POSITIVE_INFINITY].map((x, i) => ({
    path: `${i}.png`,
    image: Float32Array.of(0, x),
  }));
  const { code, message } = brokenImage(images as never);
  assert.equal(code, "non-finite");
  assert.deepEqual(
    [message.includes("0.png"), message.includes("1.png"), message.includes("2.png")],
    [false, true, true],
  );
});

test("what is looked at is a model with an encoder and a set of images", () => {
  for (const model of [null, 3, {}, undefined, "encoder"])
    assert.throws(
      () => checkLooked("x", model as never, numbered(1)),
      isLuvitError("bad-argument", "a masked auto-encoder"),
    );
  assert.throws(
    () => checkLooked("x", tinyClassifier(), {} as never),
    isLuvitError("bad-argument", "a data set"),
  );
  const image = { width: 2, height: 2, data: new Uint8Array(12) };
  for (const one of [image, [image], [image, image]]) {
    assert.doesNotThrow(() => checkOptions("x", givenImages, one as never));
    assert.equal(readable(one, 16).length, Array.isArray(one) ? one.length : 1);
  }
  for (const wrong of [[], [image, 3], 3, null])
    assert.throws(() => checkOptions("x", givenImages, wrong as never), isLuvitError("bad-argument"));
  const set = numbered(3);
  assert.equal(readable(set, 16), set);
});

test("patterns are told by their layer, whether of the ViT or of the language model", () => {
  const seen: string[] = [];
  const tap = tapPatterns((layer) => void seen.push(layer));
  for (const name of [
    "blocks.11.attn.pattern",
    "llama.layers.0.attention.pattern",
    "attn_pool.pattern",
    "blocks.0.attn.scores",
    "blocks.0.attn.pattern.x",
  ])
    tap(name, undefined as unknown as Tensor);
  assert.deepEqual(seen, ["blocks.11", "llama.layers.0"]);
});

test("grids hold whole patches, batches no more than there are, and ranges are told from first to last", () => {
  assert.deepEqual(gridOf({ height: 31, width: 48 }, 16), { rows: 1, columns: 3 });
  assert.deepEqual([batchLength(4, { length: 3 }), batchLength(4, { length: 9 })], [3, 4]);
  assert.equal(windowLength(3), 12);
  assert.equal(describeMissing({ start: 5, end: 9 }), "images 5 to 8");
  assert.deepEqual([0, 1, 2].map(describeUnreadable), [[], ["could not be read, and left out: 1 image"], ["could not be read, and left out: 2 images"]]); // biome-ignore format: one list
});
