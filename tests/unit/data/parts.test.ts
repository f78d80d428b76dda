import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../src/core/rng";
import { ClassMapping, parseRanges } from "../../../src/data/classMapping";
import {
  benchmarkCorruptions,
  corruptionFolder,
  corruptionsIn,
  corruptionTypes,
  severities,
} from "../../../src/data/corruptionTypes";
import {
  expectIndex,
  type ImageDataset,
  type Sample,
  SkipReport,
  shardRange,
  spreadIndices,
} from "../../../src/data/dataset";
import { expectSample } from "../../../src/data/expectSample";
import { collate } from "../../../src/data/loader";
import { preview } from "../../../src/data/preview";
import { hereReader } from "../../../src/data/reading";
import { readSamples } from "../../../src/data/readSamples";
import { rebuildTransform } from "../../../src/data/rebuildTransform";
import * as transforms from "../../../src/data/transforms";
import { assertRejects } from "../io/support";
import { isLuvitError } from "../nn/support";
import { paintedImage, temporaryFolder } from "./support";

test("a transform of each kind is made again from its plain data, and does the same", () => {
  const image = paintedImage(40, 30, (x, y) => [6 * x, 8 * y, (x * y) % 256]);
  const square = paintedImage(16, 16, (x, y) => [9 * x, 9 * y, x]);
  const made = [
    transforms.mae(16),
    transforms.segment(16),
    transforms.finetune(16),
    transforms.finetune(16, { randAugment: { layers: 1, magnitude: 3 }, erasing: 1 }),
    transforms.finetune(16, { randAugment: null, erasing: 0 }),
    transforms.evaluation(16, { cropRatio: 0.5 }),
    transforms.none(16),
    transforms.fitSquare(16),
    transforms.fitSquare(16).expecting({ width: 40, height: 30 }),
    transforms.largeScaleJitter(16, { scale: [0.5, 3] }),
    transforms.largeScaleJitter(16).expecting({ width: 40, height: 30 }),
  ];
  for (const one of made) {
    const again = rebuildTransform(JSON.parse(JSON.stringify(one.spec)));
    assert.deepEqual(JSON.stringify(again.spec), JSON.stringify(one.spec));
    assert.deepEqual(
      [again.name, again.size, again.scale, again.preprocessing],
      [one.name, one.size, one.scale, one.preprocessing],
    );
    const of = one.spec.kind === "none" ? square : image;
    for (const seed of [1, 2])
      assert.deepEqual(again.apply(of, new Rng(seed)), one.apply(of, new Rng(seed)), one.name);
    assert.ok(Object.isFrozen(one), one.name);
  }
  const refusing = rebuildTransform(transforms.fitSquare(16).expecting({ width: 30, height: 40 }).spec);
  assert.throws(() => refusing.apply(image, new Rng(0)), /40 x 30 pixels, its annotations are for 30 x 40/);
});

test("transforms that are told nothing are those of the papers", () => {
  const specs = [transforms.mae(), transforms.segment(), transforms.none()].map(({ spec }) => spec);
  assert.deepEqual(specs, [
    { kind: "mae", size: 224 },
    { kind: "segment", size: 224 },
    { kind: "none", size: 224 },
  ]);
  assert.deepEqual(transforms.finetune().spec, {
    kind: "finetune",
    size: 224,
    randAugment: {},
    erasing: 0.25,
  });
  assert.deepEqual(transforms.evaluation().spec, { kind: "evaluation", size: 224, cropRatio: 0.875 });
  assert.equal((transforms.evaluation(225).spec as { cropRatio: number }).cropRatio, 1);
  assert.deepEqual({ ...transforms.fitSquare().spec }, { kind: "fit", size: 1024, expected: undefined });
  const jitter = { kind: "jitter", size: 1024, scale: [0.1, 2], expected: undefined };
  assert.deepEqual({ ...transforms.largeScaleJitter().spec }, jitter);
  const scales = [transforms.mae(), transforms.finetune(), transforms.segment()].map(({ scale }) => scale);
  assert.deepEqual(scales, [
    [0.2, 1],
    [0.08, 1],
    [0.14, 1],
  ]);
  for (const scale of [
    [0, 1],
    [1, 10.1],
    [-1, 1],
    [2, 1],
    [Number.NaN, 1],
  ] as [number, number][])
    assert.throws(() => transforms.largeScaleJitter(16, { scale }), isLuvitError("bad-argument", "scale"));
  transforms.largeScaleJitter(16, { scale: [10, 10] });
});

test("images left out are told once each, with how often others came in their place", () => {
  const report = new SkipReport();
  assert.equal(inspect(report), "no image skipped");
  assert.deepEqual(
    [report.count, report.skipped, report.has("a"), report.reason("a")],
    [0, [], false, undefined],
  );
  report.add("a", "a: broken");
  report.add("a", "a: gone");
  assert.deepEqual([report.count, report.has("a"), report.reason("a")], [1, true, "a: broken"]);
  assert.equal(
    String(report),
    "1 unreadable image left out or replaced by others of their class:\n  a: broken",
  );
  report.replaced = 1;
  assert.match(String(report), /of their class \(1 time\):/);
  report.replaced = 2;
  report.add("b", "b: broken");
  assert.equal(
    String(report),
    "2 unreadable images left out or replaced by others of their class (2 times):\n  a: broken\n  b: broken",
  );
  assert.deepEqual(report.skipped, [
    { path: "a", reason: "a: broken" },
    { path: "b", reason: "b: broken" },
  ]);
});

test("so many of a set are spread evenly over it, shards follow each other, and positions end before its length", () => {
  assert.deepEqual(spreadIndices(10, 3), [0, 3, 6]);
  assert.deepEqual(spreadIndices(3, 10), [0, 1, 2]);
  assert.deepEqual(spreadIndices(0, 5), []);
  assert.throws(() => spreadIndices(3, 0), isLuvitError("bad-argument", "count"));
  const parts = [1, 2, 3].map((index) => shardRange(10, { index, count: 3 }));
  assert.deepEqual(parts, [
    { start: 0, end: 3 },
    { start: 3, end: 6 },
    { start: 6, end: 10 },
  ]);
  for (const index of [0, 4]) expectIndex(index, 5);
  for (const index of [-1, 5, 0.5, Number.NaN])
    assert.throws(
      () => expectIndex(index, 5),
      isLuvitError("bad-argument", `image ${index} does not exist; the data set holds 0 … 4`),
    );
});

test("a sample that is not what its set promises is refused with everything that is wrong with it", () => {
  const set = { size: 2, classes: ["a", "b"] };
  const good = { image: new Float32Array(12), label: 1, path: "x", index: 0 };
  expectSample(good, set);
  expectSample({ ...good, index: -1 }, set);
  expectSample({ ...good, label: 7 }, { size: 2 });
  const own = { size: 2, classes: [], ownShapes: true };
  expectSample({ ...good, image: new Float32Array(18), height: 2, width: 3, label: -1 }, own);
  const place = new Uint8Array(12);
  expectSample({ ...good, image: place as never }, set, place);
  expectSample({ ...good, index: -1 }, set, place);
  const refused = (sample: object, of: object, says: readonly string[], where?: Uint8Array) =>
    assert.throws(
      () => expectSample(sample as Sample, of as typeof set, where),
      isLuvitError("bad-dataset", "a sample of the data set cannot be", ...says),
    );
  const everything = [
    "image: expected a Float32Array of 3 x 2 x 2 = 12 numbers",
    "label: expected a whole number from 0 to 1",
    "index: expected the image's position",
  ];
  refused({}, set, everything);
  refused({ ...good, image: new Float32Array(18), height: 2, width: 3 }, set, [everything[0]]);
  refused({ ...good, image: new Float64Array(12) }, set, [everything[0]]);
  for (const label of [2, -1, 0.5, "a"]) refused({ ...good, label }, set, [everything[1]]);
  refused({ ...good, label: -1 }, { ...own, classes: ["a"] }, ["label: expected a whole number from 0 to 0"]);
  refused({ ...good, index: 0.5 }, set, [everything[2]]);
  refused(good, set, ["image: expected its bytes from the reader"], place);
});

test("samples are read into their places with a stream each, copied there where a set made them itself", async () => {
  const images = new Float32Array(3 * 12).fill(9);
  const streams: number[] = [];
  const dataset = {
    ...{ size: 2, classes: ["a"] },
    load: async (index: number, rng: Rng) => {
      streams.push(rng.seed);
      return { image: new Float32Array(12).fill(index), label: 0, path: `${index}`, index };
    },
  };
  const signal = new AbortController().signal;
  const stream = (place: number) => new Rng(100 + place);
  const reads = { dataset, indices: [5, 7], images, length: 12, stream, reader: hereReader, signal };
  const samples = await Promise.all(readSamples(reads));
  assert.deepEqual([...images], [...Array(12).fill(5), ...Array(12).fill(7), ...Array(12).fill(9)]);
  assert.deepEqual(
    [streams, samples.map(({ index }) => index)],
    [
      [100, 101],
      [5, 7],
    ],
  );
  assert.equal(samples[1].image.buffer, images.buffer);
  const stacked = collate(samples);
  assert.deepEqual([stacked.images, stacked.paths], [images.slice(0, 24), ["5", "7"]]);
  assert.deepEqual(
    [[...stacked.labels], [...stacked.indices]],
    [
      [0, 0],
      [5, 7],
    ],
  );
});

test("a preview is of bytes, each image drawn by a stream of its own from the seed", async () => {
  const streams: number[] = [];
  const set = {
    ...{ classes: ["a"], length: 2, size: 2, report: new SkipReport() },
    load: async (index: number, rng: Rng) => {
      streams.push(rng.seed);
      const image = transforms.none(2).apply(
        paintedImage(2, 2, (x, y) => [50 * index + x, y, 7]),
        rng,
      );
      return { image, label: 0, path: `${index}`, index };
    },
  } as unknown as ImageDataset;
  const shown = await preview(set);
  assert.deepEqual(
    shown[1],
    paintedImage(2, 2, (x, y) => [50 + x, y, 7]),
  );
  assert.deepEqual(streams, [new Rng(0).fork(0).seed, new Rng(0).fork(1).seed]);
  await preview(set, { seed: 4 });
  assert.deepEqual(streams.slice(2), [new Rng(4).fork(0).seed, new Rng(4).fork(1).seed]);
  const wide = {
    ...set,
    ownShapes: true,
    size: 1,
    length: 1,
    load: async () => ({ image: new Float32Array(18), height: 2, width: 3, label: 0, path: "", index: 0 }),
  };
  const [one] = await preview(wide as unknown as ImageDataset);
  assert.deepEqual([one.width, one.height], [3, 2]);
});

test("a mapping answers with the label of the best class; its classes are in the order of their labels", () => {
  const labels = Int32Array.of(2, -1, 0, 1, 0);
  const mapped = new ClassMapping("some", labels, "mapped");
  assert.deepEqual([mapped.mappedClasses, mapped.modelClasses], [[2, 4, 3, 0], 5]);
  assert.deepEqual([mapped.predict([1, 9, 3, 3, 0]), mapped.predict([4, 9, 3, 3, 4])], [0, 2]);
  const all = new ClassMapping("some", labels, "all");
  assert.deepEqual([all.predict([1, 9, 3, 3, 0]), all.predict([4, 0, 3, 5, 5])], [-1, 1]);
  assert.equal(inspect(mapped), "ClassMapping(some) 4 of 5 classes, only these compete");
  assert.equal(inspect(all), "ClassMapping(some) 4 of 5 classes, any other is wrong");
  assert.throws(() => all.predict([1, 2]), isLuvitError("shape-mismatch", "some: expected 5 scores, got 2"));
  assert.deepEqual(parseRanges(" 0-2 7\n9-9 12 "), [0, 1, 2, 7, 9, 12]);
});

test("ImageNet-C has fifteen corruptions and four extra, below their names or their archives' names", async () => {
  assert.deepEqual(benchmarkCorruptions, [
    ...[
      "gaussian_noise",
      "shot_noise",
      "impulse_noise",
      "defocus_blur",
      "glass_blur",
      "motion_blur",
      "zoom_blur",
    ],
    ...[
      "snow",
      "frost",
      "fog",
      "brightness",
      "contrast",
      "elastic_transform",
      "pixelate",
      "jpeg_compression",
    ],
  ]);
  assert.deepEqual(corruptionTypes.slice(15), ["speckle_noise", "gaussian_blur", "spatter", "saturate"]);
  assert.deepEqual(severities, [1, 2, 3, 4, 5]);
  const root = temporaryFolder();
  await assertRejects(() => corruptionFolder(root, "fog"), "missing-file", "holds no corruption at all");
  for (const severity of severities) {
    mkdirSync(join(root, "fog", `${severity}`), { recursive: true });
    if (severity !== 2 && severity !== 4)
      mkdirSync(join(root, "extra", "spatter", `${severity}`), { recursive: true });
  }
  assert.equal(await corruptionFolder(root, "fog"), join(root, "fog"));
  assert.equal(await corruptionFolder(root, "spatter"), join(root, "extra", "spatter"));
  await assertRejects(
    () => corruptionFolder(root, "snow"),
    "missing-file",
    `looked for ${join(root, "snow")} and ${join(root, "weather", "snow")}; ${root} holds fog, spatter`,
  );
  await assertRejects(
    () => corruptionFolder(root, "rain" as never),
    "bad-argument",
    "has no corruption rain; it has gaussian_noise",
  );
  const { types, missing } = corruptionsIn(root);
  assert.deepEqual([types, missing.length], [["fog"], 18]);
  for (const line of ["spatter: severity 2, 4", "frost (weather.tar)", "saturate (extra.tar)"])
    assert.ok(missing.includes(line), line);
});
