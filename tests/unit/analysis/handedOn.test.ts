import assert from "node:assert/strict";
import { afterEach, before, test } from "node:test";
import { patchFeatures, tokenNorms } from "../../../src/analysis";
import { attentionEntropy, patchMaps, summarizeEntropy } from "../../../src/analysis/attentionEntropy";
import { attentionMaps } from "../../../src/analysis/attentionMaps";
import { backgroundReliance } from "../../../src/analysis/backgrounds";
import { entropyShares } from "../../../src/analysis/entropyShares";
import { extractFeatures } from "../../../src/analysis/features";
import { gradientSignal } from "../../../src/analysis/gradientSignal";
import { rowsOf } from "../../../src/analysis/provenance";
import { pseudoMaskIou } from "../../../src/analysis/pseudoMaskIou";
import { showWorkWith } from "../../../src/core/progress";
import type { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import type { ImageDataset } from "../../../src/data/dataset";
import * as classifier from "../../../src/models/classifier";
import { perturb } from "../models/support";
import { assertClose, isLuvitError } from "../nn/support";
import { tinyViT } from "../train/support";
import { maskedImages, pixelsOf, seenIn, smallSet, tinyClassifier, tinyLuvit, tinyMae } from "./support";

before(async () => void (await startBackend()));
afterEach(() => showWorkWith(() => ({ advance: () => {}, end: () => {} })));

const eager = { engine: "eager" } as const;
test("features are of the layer and of what stands for an image that were asked for", async () => {
  const set = (await smallSet(2)).subset([0, 2, 3]);
  const pixels = await pixelsOf(set);
  for (const model of [tinyClassifier(), tinyMae()]) {
    perturb(model);
    const seen = seenIn((context) => model.encoder.tokens(pixels, context));
    const end = seen.get("tokens") ?? model.encoder.tokens(pixels);
    for (const [options, tokens, from, count] of [
      [{ pool: "class" }, end, 0, 1],
      [{ pool: "patches" }, end, 1, 4],
      [{ layer: "blocks.0", pool: "class" }, seen.get("blocks.0.out")!, 0, 1],
      [{ layer: "blocks.0" }, seen.get("blocks.0.out")!, 1, 4],
    ] as const) {
      const found = await extractFeatures(model, set, { batchSize: 2, ...options, ...eager });
      const expected = tf.mean(tf.slice(tokens, [0, from, 0], [3, count, 16]), 1);
      assertClose(found.values, expected.dataSync(), 1e-5, JSON.stringify(options));
      assert.deepEqual([found.dim, found.paths], [16, [0, 1, 2].map((i) => set.path(i))]);
      assert.deepEqual([[...found.labels], [...found.indices]], [[0, 1, 1], [0, 1, 2]]); // biome-ignore format: two rows
    }
  }
});

test("features of patches are the tokens of the place asked for, image after image", async () => {
  const set = (await smallSet(2)).subset([0, 2, 3]);
  const model = tinyLuvit();
  const pixels = await pixelsOf(set);
  const seen = seenIn((context) => model.encoder.tokens(pixels, context));
  for (const layer of ["blocks.0.out", "fusion.mapper1", undefined]) {
    const found = await patchFeatures(model, set, { layer, batchSize: 2, ...eager });
    const tokens = seen.get(layer ?? "tokens")!;
    assertClose(found.values, tf.slice(tokens, [0, 1, 0], [3, 4, 16]).dataSync(), 1e-5, layer);
    const { dim, grid, size, samples } = found;
    assert.deepEqual([dim, grid, size], [16, { rows: 2, columns: 2 }, { rows: 16, columns: 16 }]);
    assert.deepEqual([found.layer, samples.map(({ index }) => index)], [layer ?? "tokens", [0, 1, 2]]);
  }
  await assert.rejects(
    patchFeatures(model, set, { layer: "blocks.0.attn.pattern" }),
    isLuvitError("bad-argument", "patchFeatures", "blocks.0.attn.pattern", "blocks.0.out"),
  );
});

test("maps and shares are of the layer that is asked for", async () => {
  const set = await maskedImages([
    ["object", "ground", "ground", "ground"],
    ["ground", "object", "object", "ignored"],
  ]);
  const model = tinyLuvit();
  const table = await attentionEntropy(model, set, eager);
  const rows = rowsOf(table).filter(({ layer, index }) => layer === "blocks.0" && index === 1);
  const [, map] = await patchMaps(model, set, { layer: "blocks.0", ...eager });
  const mean = [0, 1, 2, 3].map((at) =>
    rows.filter(({ patch }) => patch === at).reduce((sum, { entropy }) => sum + Number(entropy) / 2, 0),
  );
  assertClose(map.entropy, mean, 1e-5);
  const { blocks } = model.encoder;
  const norms = seenIn(({ tap }) => model.tokens(tf.tensor(map.sample.image, [1, 3, 16, 16]), { tap }));
  const tokens = (norms.get("blocks.0.out")!.arraySync() as number[][][])[0];
  assertClose(map.norm, tokens.slice(1).map((token) => Math.hypot(...token)), 1e-4); // biome-ignore format: one call
  assert.equal(blocks.length, 2);
  const about = { model: "m", recipe: "r", seed: 3 };
  const shares = await entropyShares(model, { mine: set }, { layer: "llama.layers.0", ...about, ...eager });
  const { points } = summarizeEntropy(table, "llama.layers.0");
  const found = rowsOf(shares.table);
  assert.equal(found.length, 2);
  for (const [i, row] of found.entries()) {
    assertClose([Number(row.foreground), Number(row.background)], [points[i].foreground, points[i].background], 1e-5); // biome-ignore format: one call
    const { layer, data, index, image } = row;
    assert.deepEqual([layer, data, index, image], ["llama.layers.0", "mine", i, set.path(i)]);
    assert.deepEqual({ model: row.model, recipe: row.recipe, seed: row.seed }, about);
  }
  assert.match(String(shares), /^share of images, percent, attention entropy of llama\.layers\.0\n/);
  const { table: masks } = await pseudoMaskIou(model, set, { data: "mine", ...about, ...eager });
  const [first] = rowsOf(masks);
  assert.deepEqual([first.model, first.data, first.recipe, first.seed], ["m", "mine", "r", 3]);
  const kinds = new Set(rowsOf(masks).map(({ kind }) => kind));
  assert.deepEqual([...kinds], ["magnitude", "frequency"], "where none are named");
});

test("a gradient signal is over 64 groups where the set has them, and its mean over all parameters", async () => {
  const set = await smallSet(2);
  const model = tinyClassifier();
  const totals: unknown[] = [];
  showWorkWith(({ total, label, kept }) => {
    totals.push([label, total, kept]);
    return { advance: (done) => void totals.push(done), end: (state) => void totals.push(state) };
  });
  const many = set.subset(Array.from({ length: 70 }, (_, i) => i % 4));
  const signal = AbortSignal.abort();
  const about = { model: "m", data: "d", recipe: "r", seed: 3 };
  const found = await gradientSignal(model, many, { signal, ...about, ...eager });
  assert.deepEqual(totals, [["gradient signal", 64, 0], 1, 2, "stopped"]);
  assert.deepEqual([found.groups, found.groupSize], [2, 1]);
  const rows = rowsOf(found.table);
  const { model: name, data, recipe, seed } = rows[0];
  assert.deepEqual({ model: name, data, recipe, seed }, about);
  const size = rows.reduce((sum, row) => sum + Number(row.size), 0);
  const mean = rows.reduce((sum, row) => sum + (Number(row.size) * Number(row.gsnr)) / size, 0);
  assertClose([found.mean], [mean], 1e-9);
  assert.equal(found.layers.reduce((sum, { parameters }) => sum + parameters, 0), size); // biome-ignore format: one call
  assert.deepEqual(found.layers.map(({ layer }) => layer).slice(-2), ["fc_norm", "head"]); // biome-ignore format: one call
  totals.length = 0;
  await gradientSignal(model, many, { signal, groupSize: 8, ...eager });
  assert.deepEqual(totals, [["gradient signal", 64, 0], 8, 16, "stopped"], "8 whole groups of 8");
  const other = Object.assign(Object.create(set) as typeof set, { classes: ["a", "b", "c"] });
  await assert.rejects(
    gradientSignal(model, other),
    isLuvitError("bad-argument", "gradientSignal", "3 classes", "head has 2"),
  );
});

test("the seed of a gradient signal decides the order of images, and the masks of an auto-encoder", async () => {
  const set = await smallSet(2);
  const of = async (model: Parameters<typeof gradientSignal>[0], images: ImageDataset, seed: number) =>
    (await gradientSignal(model, images, { groups: 2, seed, ...eager })).mean;
  const model = tinyClassifier();
  const first = await of(model, set, 1);
  assert.equal(await of(model, set, 1), first);
  assert.notEqual(await of(model, set, 2), first);
  const same = set.subset([1, 1]);
  assert.equal(await of(model, same, 1), await of(model, same, 2), "one image has one gradient");
  assert.notEqual(await of(tinyMae(), same, 1), await of(tinyMae(), same, 4), "but for its masks");
});

test("each split of a background set has its own accuracy, and each has to fit the model", async () => {
  const set = await smallSet(2);
  const judge = Object.assign(tinyClassifier(), {
    forward: (images: Tensor) => {
      const [red, green] = tf.split(tf.mean(images, [2, 3]), 3, 1);
      return tf.concat([green, red], 1);
    },
  });
  const with_ = (...turned: number[]) =>
    ({
      ...{ ...set, length: 4, size: 16, classes: set.classes },
      load: async (at: number, rng: Rng) => {
        const sample = await set.load(at, rng);
        return turned.includes(at) ? { ...sample, label: 1 - sample.label } : sample;
      },
    }) as unknown as typeof set;
  const splits = { original: with_(), mixed_same: with_(1), mixed_rand: with_(0, 1, 3) };
  const { original, mixedSame, mixedRand, backgroundGap } = await backgroundReliance(judge, splits);
  assert.deepEqual([original, mixedSame, mixedRand, backgroundGap], [100, 75, 25, 50]);
  const other = Object.assign(Object.create(set) as typeof set, { classes: ["a", "b", "c"] });
  for (const name of ["original", "mixed_same", "mixed_rand"])
    await assert.rejects(
      backgroundReliance(judge, { ...splits, [name]: other }),
      isLuvitError("bad-argument", `backgroundReliance: ${name} has 3 classes, the model's head 2`),
    );
});

test("norms are told for every border, of patches alone: neither registers nor a class token that is not there", async () => {
  const set = (await smallSet(1)).subset([0, 1]);
  const pixels = await pixelsOf(set);
  for (const extras of [{ registers: 2 }, { classToken: false }]) {
    const model = classifier.create({ encoder: { ...tinyViT, ...extras }, classes: 2 });
    perturb(model);
    const seen = seenIn((context) => model.encoder.tokens(pixels, context));
    const first = "classToken" in extras ? 0 : 1;
    const found = await tokenNorms(model, set, { above: [0.5, 1], ...eager });
    const rows = rowsOf(found.table);
    assert.deepEqual(
      rows.map(({ place, above }) => `${place} ${above}`),
      ["embed", "blocks.0.out", "blocks.1.out"].flatMap((place) => [`${place} 0.5`, `${place} 1`]),
    );
    for (const { place, layer, above, images, median, largest, share, drawn, classToken } of rows) {
      const tokens = seen.get(String(place))!.arraySync() as number[][][];
      const norms = tokens.map((image) => image.slice(first, first + 4).map((token) => Math.hypot(...token)));
      const middles = norms.map((of) => [...of].sort((a, b) => a - b)).map((of) => (of[1] + of[2]) / 2);
      const over = norms.map((of, i) => of.map((norm) => norm > Number(above) * middles[i]));
      assertClose(found.norms.get(String(place))!, norms.flat(), 1e-4);
      const means = [(middles[0] + middles[1]) / 2, (Math.max(...norms[0]) + Math.max(...norms[1])) / 2];
      assertClose([Number(median), Number(largest)], means, 1e-4);
      assert.deepEqual([images, share], [2, over.flat().filter(Boolean).length / 8]);
      assert.equal(classToken === null, layer === null || first === 0);
      if (layer === null) continue;
      const pattern = seen.get(`${layer}.attn.pattern`)!.arraySync() as number[][][][];
      const to = (key: (image: number, patch: number) => boolean) =>
        pattern.flat().reduce((sum, queries, at) => {
          const own = queries.slice(first, first + 4);
          return sum + own.reduce((all, row) => all + row.slice(first, first + 4).reduce((x, y, patch) => x + (key(Math.floor(at / 2), patch) ? y : 0), 0), 0) / 16; // biome-ignore format: one sum
        }, 0);
      assertClose([Number(drawn)], [to((image, patch) => over[image][patch])], 1e-4);
    }
    assert.match(String(found), /^place +above +median +largest +share +drawn +classToken\n/);
  }
});

test("the maps of a set are of its first image unless another is asked for", async () => {
  const set = await smallSet(1);
  const paths = async (index?: number) =>
    (await attentionMaps(tinyClassifier(), set, { index, ...eager })).sample.path;
  assert.deepEqual([await paths(), await paths(0), await paths(1)], [set.path(0), set.path(0), set.path(1)]);
});
