import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import sharp from "sharp";
import {
  cka,
  faithfulness,
  lens,
  patchFeatures,
  principalComponents,
  relevance,
  tokenNorms,
} from "../../../src/analysis";
import { Faithfulness, type Row } from "../../../src/analysis/relevance/faithfulnessTable";
import { segmentationMaps } from "../../../src/analysis/segmentation";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { imageFolder, imageNetS, transforms, wholeImages } from "../../../src/data";
import {
  ckaMatrix,
  colormap,
  faithfulnessCurves,
  featureColors,
  lensMaps,
  patchSimilarity,
  relevanceMaps,
  segmentation,
  tokenNormCurves,
} from "../../../src/figures";
import { classColor } from "../../../src/figures/classColor";
import { segmenter } from "../../../src/models";
import * as classifier from "../../../src/models/classifier";
import { perturb } from "../models/support";
import { isLuvitError } from "../nn/support";
import { temporaryFolder, tinyViT, writeImages } from "../train/support";

before(() => startBackend());

const engine = { engine: "eager" } as const;
const set = async () =>
  imageFolder(await writeImages(temporaryFolder(), 2), { transform: transforms.evaluation(16) });
function model() {
  const made = classifier.create({ encoder: tinyViT, classes: 2 });
  perturb(made);
  return made;
}

test("maps stand in a row per image and a column per method, with the class and its share below", async () => {
  const [of, images] = [model(), (await set()).subset([0, 3])];
  const chefer = await relevance(of, images, { method: "chefer", class: 1, ...engine });
  const legrad = await relevance(of, images, { method: "legrad", class: 1, ...engine });
  const figure = await relevanceMaps([...chefer, ...legrad], { classNames: images.classes });
  const svg = await figure.toSvg();
  for (const word of ["image", "chefer", "legrad", `red ${(100 * chefer[0].probability).toFixed(0)} %`])
    assert.ok(svg.includes(word), word);
  assert.equal(svg.match(/<image/g)!.length, 2 * 3);
  await assert.rejects(relevanceMaps([...chefer, legrad[0]]), isLuvitError("bad-argument", "2, 1"));
});

test("curves of deletion and insertion start and end where the images do, their areas those of the table", async () => {
  const found = await faithfulness(model(), await set(), { methods: ["chefer", "rollout"], ...engine });
  const { data, layout } = faithfulnessCurves(found);
  const lines = data.filter(({ fill }) => fill === undefined);
  assert.equal(lines.length, 4);
  const [deletion] = lines;
  const y = deletion.y as number[];
  assert.deepEqual([deletion.x![0], deletion.x!.at(-1)], [0, 100]);
  const area = (y.reduce((a, b) => a + b, 0) - (y[0] + y.at(-1)!) / 2) / (y.length - 1) / 100;
  const { mean } = found.summary.toArray()[0].toJSON();
  assert.ok(Math.abs(area - mean) < 1e-4, `${area} ${mean}`);
  // Insertion ends with the whole image, with which deletion begins.
  assert.ok(Math.abs((lines[2].y as number[]).at(-1)! - y[0]) < 1e-3);
  assert.match(layout.meta!.summary, /chefer deletion 0\.\d{3}/);
  assert.equal(data.length - lines.length, 4, "a band each");
});

test("one image has no interval, and no band is drawn for it", async () => {
  const images = (await set()).subset([0]);
  const found = await faithfulness(model(), images, { methods: ["rollout"], ...engine });
  assert.ok(faithfulnessCurves(found).data.every(({ fill }) => fill === undefined));
});

test("the lens's figure says what the model would answer at each place, and refuses places it did not see", async () => {
  const images = (await set()).subset([0]);
  const [maps] = await lens(model(), images, { sites: ["embed", "blocks.1.out"], ...engine });
  const svg = await (await lensMaps(maps, { classNames: images.classes })).toSvg();
  assert.match(svg, /blocks\.1\.out: (green|red) \d+ %/);
  assert.match(svg, /<rect[^>]+fill="rgb/);
  await assert.rejects(lensMaps(maps, { sites: ["blocks.0.out"] }), isLuvitError("bad-argument", "embed"));
});

test("features of patches are the tokens behind the class token, at any place with tokens", async () => {
  const [of, images] = [model(), (await set()).subset([0, 1])];
  const { values, dim, samples, grid } = await patchFeatures(of, images, {
    layer: "blocks.0.out",
    ...engine,
  });
  let tokens: Tensor | undefined;
  of.tokens(tf.tensor(samples[1].image, [1, 3, 16, 16]), {
    tap: (name, value) => {
      if (name === "blocks.0.out") tokens = value;
    },
  });
  const patches = grid.rows * grid.columns;
  const own = values.subarray(patches * dim, 2 * patches * dim);
  const expected = tokens!.dataSync().subarray(dim);
  assert.ok(own.every((x, i) => Math.abs(x - expected[i]) < 1e-5));
  await assert.rejects(
    patchFeatures(of, images, { layer: "logits", ...engine }),
    isLuvitError("bad-argument", "logits", "embed"),
  );
});

test("colors are the components' of all images together; a patch is most like itself", async () => {
  const features = await patchFeatures(model(), (await set()).subset([0, 1]), engine);
  const { share } = principalComponents(features.values, features.dim, 3);
  const held = (100 * share.reduce((a, b) => a + b, 0)).toFixed(0);
  assert.match((await featureColors(features)).alt, new RegExp(`${held} % of the variance, 2 images`));
  assert.match((await patchSimilarity(features, { image: 1, patch: 2 })).alt, /to 1$/);
  const wrong = isLuvitError("bad-argument", "2 images of 4 patches");
  await assert.rejects(patchSimilarity(features, { image: 2, patch: 0 }), wrong);
});

test("a matrix of CKA has the layers' names on both sides", () => {
  const one = { values: Float32Array.of(1, 2, 3, 5), dim: 1 };
  const other = { values: Float32Array.of(2, 1, 6, 9), dim: 1 };
  const { layout, data } = ckaMatrix(cka([one, other]), ["block 0", "block 1"]);
  for (const side of [layout.xaxis, layout.yaxis]) assert.deepEqual(side!.ticktext, ["block 0", "block 1"]);
  assert.ok(Math.abs((data[0].z![0][0] as number) - 1) < 1e-12);
  assert.throws(() => ckaMatrix([1, 0, 1], ["a", "b"]), isLuvitError("bad-argument", "4 numbers, got 3"));
});

test("norms are drawn place by place, the largest above the median", async () => {
  const { data, layout } = tokenNormCurves(await tokenNorms(model(), await set(), engine));
  assert.deepEqual(layout.xaxis!.ticktext, ["embed", "block 0", "block 1"]);
  const [median, largest] = data.slice(1).map(({ y }) => y as number[]);
  assert.ok(median.every((value, i) => value <= largest[i]));
});

test("methods have lines of their own, in an order that begins anew, and one legend for both panels", () => {
  const row = (method: string): Row => ({
    ...{
      path: "a",
      method: method as never,
      class: 0,
      deletion: 0.1,
      insertion: 0.2,
      accuracy: null,
      iou: null,
    },
    curves: { deletion: [0.123456789, 0], insertion: [0, 1] },
  });
  const { data, layout } = faithfulnessCurves(new Faithfulness(["a", "b", "c", "d"].map(row), {}));
  assert.deepEqual(data.map(({ name, line, xaxis }) => [name, line!.dash, xaxis]), [["a", "solid", "x"], ["b", "dash", "x"], ["c", "dot", "x"], ["d", "solid", "x"], ["a", "solid", "x2"], ["b", "dash", "x2"], ["c", "dot", "x2"], ["d", "solid", "x2"]]); // biome-ignore format: one line
  assert.equal(new Set(data.map(({ line }) => line!.color)).size, 4);
  assert.deepEqual([data[0]!.y, layout.showlegend], [[12.346, 0], true]);
  assert.equal(faithfulnessCurves(new Faithfulness([row("a")], {})).layout.showlegend, false);
  assert.deepEqual(layout.annotations!.map(({ text }) => text), ["deletion: lower is better", "insertion: higher is better"]); // biome-ignore format: one line
});

test("a segmenter's masks lie over images in the colors of their classes, named by what is there most", async () => {
  const [root, names] = [temporaryFolder(), ["cat", "dog"]];
  // Of the left half most is ignored, the rest class 2 but for a corner of class 1; the right half and the second image are other.
  for (const [i, id] of [2, 0, 0, 0, 0, 0, 0].entries())
    for (const part of ["images", "masks"]) {
      const folder = join(root, part, names[Math.min(i, 1)]!);
      mkdirSync(folder, { recursive: true });
      const pixel = (x: number, y: number) => (part === "images" ? [9 * x, 5 * y, 100] : x < 8 && y < 9 && id > 0 ? [1000 % 256, 1000 >> 8, 0] : [x < 3 && y > 13 && id > 0 ? 1 : x < 8 ? id : 0, 0, 0]); // biome-ignore format: one line
      const bytes = Buffer.from(
        Array.from({ length: 256 }, (_, at) => pixel(at % 16, Math.floor(at / 16))).flat(),
      );
      await sharp(bytes, { raw: { width: 16, height: 16, channels: 3 } })
        .png()
        .toFile(join(folder, `${i}.png`));
    }
  const set = await imageNetS({
    images: join(root, "images"),
    masks: join(root, "masks"),
    patch: 8,
    transform: transforms.none(16),
  });
  const made = segmenter.create({ encoder: tinyViT, classes: 4 });
  // It answers a class that the set has no name for.
  made.head.bias.load({ shape: [4], data: Float32Array.of(0, 0, 0, 50) });
  const shown = await segmentation(made, set, { images: 2, cell: 16, ...engine });
  const svg = await shown.toSvg();
  const layers = await Promise.all(
    [...svg.matchAll(/href="data:image\/png;base64,([^"]+)"/g)].map(([, bytes]) =>
      sharp(Buffer.from(bytes!, "base64")).removeAlpha().raw().toBuffer(),
    ),
  );
  assert.equal(layers.length, 8);
  const at = (layer: number, x: number, y: number) => [
    ...layers[layer]!.subarray(3 * (16 * y + x)).subarray(0, 3),
  ];
  const mixed = (x: number, y: number, color: readonly number[]) =>
    at(0, x, y).map((c, i) => Math.round(0.35 * c + 0.65 * color[i]!));
  assert.deepEqual([at(1, 6, 9), at(1, 1, 1), at(1, 12, 3)], [mixed(6, 9, classColor(2)), mixed(1, 1, [128, 128, 128]), at(0, 12, 3)]); // biome-ignore format: one line
  assert.ok(layers[5]!.equals(layers[4]!), "what is other has no color");
  const words = [...svg.matchAll(/<text[^>]*>([^<]+)</g)].map(([, word]) => word);
  assert.deepEqual(words, ["image", "truth", "prediction", "attention entropy", set.classes[1]!, "3", "other", "3"]); // biome-ignore format: one line
  const [first] = await segmentationMaps(made, set.take(2), engine);
  const [low, high] = [Math.min(...first!.entropy), Math.max(...first!.entropy)];
  const patch = (x: number, y: number) => colormap("viridis", (first!.entropy[2 * Math.floor(y / 8) + Math.floor(x / 8)]! - low) / (high - low)); // biome-ignore format: one line
  for (const [x, y] of [[1, 1], [9, 2], [3, 14]] as const) assert.deepEqual(at(3, x, y), at(0, x, y).map((c, i) => Math.round(0.4 * c + 0.6 * patch(x, y)[i]!))); // biome-ignore format: one line
  for (const images of [1, undefined])
    assert.equal(
      (await (await segmentation(made, set, { images, cell: 16, ...engine })).toSvg()).match(/<image/g)!
        .length,
      4 * (images ?? 6),
    );
  await assert.rejects(
    segmentation(made, set, { images: 1, layer: "blocks.9", ...engine }),
    isLuvitError("bad-argument", "blocks.9"),
  );
});

test("whole images, their masks and the entropy of their patches keep their own shape", async () => {
  const root = temporaryFolder();
  // The lower left patch is class 1.
  const pixel = (part: string, x: number, y: number) =>
    part === "images" ? [9 * x, 12 * y, 40] : [Number(x < 8 && y >= 8), 0, 0];
  for (const part of ["images", "masks"]) {
    mkdirSync(join(root, part, "cat"), { recursive: true });
    const bytes = Array.from({ length: 24 * 16 }, (_, at) => pixel(part, at % 24, Math.floor(at / 24)));
    await sharp(Buffer.from(bytes.flat()), { raw: { width: 24, height: 16, channels: 3 } })
      .png()
      .toFile(join(root, part, "cat", "a.png"));
  }
  const paths = { images: join(root, "images"), masks: join(root, "masks") };
  const set = await imageNetS({ ...paths, patch: 8, transform: transforms.none(16) });
  const made = segmenter.create({ encoder: tinyViT, classes: 2 });
  perturb(made);
  const whole = wholeImages(set, { patch: 8 });
  const svg = await (await segmentation(made, whole, { cell: 24, ...engine })).toSvg();
  const layers = await Promise.all(
    [...svg.matchAll(/width="24" height="16" href="data:image\/png;base64,([^"]+)"/g)].map(([, bytes]) =>
      sharp(Buffer.from(bytes!, "base64")).removeAlpha().raw().toBuffer(),
    ),
  );
  assert.equal(layers.length, 4);
  const at = (layer: number, x: number, y: number) => [
    ...layers[layer]!.subarray(3 * (24 * y + x)).subarray(0, 3),
  ];
  assert.deepEqual(at(0, 20, 3), pixel("images", 20, 3));
  const tinted = at(0, 5, 9).map((c, i) => Math.round(0.35 * c + 0.65 * classColor(1)[i]!));
  assert.deepEqual([at(1, 5, 9), at(1, 5, 7), at(1, 8, 9)], [tinted, at(0, 5, 7), at(0, 8, 9)]);
  const [{ entropy, grid }] = await segmentationMaps(made, whole, engine);
  assert.deepEqual([grid.rows, grid.columns], [2, 3]);
  const [low, high] = [Math.min(...entropy), Math.max(...entropy)];
  for (const [patch, x, y] of [
    [1, 10, 3],
    [2, 17, 7],
    [3, 2, 8],
  ] as const) {
    const color = colormap("viridis", (entropy[patch]! - low) / (high - low));
    assert.deepEqual(at(3, x, y), at(0, x, y).map((c, i) => Math.round(0.4 * c + 0.6 * color[i]!)), `${patch}`); // biome-ignore format: one line
  }
});
