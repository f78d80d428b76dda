import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { LuvitError } from "../../../src/core/errors";
import { Rng } from "../../../src/core/rng";
import {
  benchmarkCorruptions,
  corruptionFolder,
  corruptionsIn,
  corruptionTypes,
  severities,
} from "../../../src/data/corruptionTypes";
import {
  datasetField,
  expectIndex,
  type ImageDataset,
  SkipReport,
  shard,
  shardRange,
  spreadIndices,
} from "../../../src/data/dataset";
import { defaultUnreadableShare, expectReadable, tooManyUnreadable } from "../../../src/data/expectReadable";
import { expectSample } from "../../../src/data/expectSample";
import { expectSquares } from "../../../src/data/expectSquares";
import { cacheOf, FolderDataset, imageFolder, imageFolderOptions } from "../../../src/data/imageFolder";
import { expectMasks, expectSameSize } from "../../../src/data/maskChecks";
import { decodeMaskIds, maskCells, maskIds } from "../../../src/data/masks";
import { preview } from "../../../src/data/preview";
import {
  describeOthers,
  imageExtensions,
  listClassFolders,
  listImages,
  scanClassFolders,
} from "../../../src/data/scanFolder";
import { imageNetS, imageNetSOptions, type MaskedDataset } from "../../../src/data/segmentation";
import { evaluation, mae, none, segment } from "../../../src/data/transforms";
import { leavingOut, loadIfReadable, readOrReplace } from "../../../src/data/unreadable";
import { type WholeImages, wholeImages } from "../../../src/data/wholeImages";
import { Calls } from "../../support/calls";
import { temporaryFolder } from "../../support/temporaryFolder";
import { flatPng, paintedImage } from "./support";

const put = (root: string, files: Readonly<Record<string, string | Uint8Array>>) => {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
};
const outline = ({ image, ...rest }: { image: Float32Array }) => ({
  ...rest,
  pixels: image.length,
  first: image[0],
  last: image[image.length - 1],
});

test("folders of images, their views and what is unreadable in them are approved", async () => {
  const root = temporaryFolder();
  const calls = new Calls({ tmp: root });
  const at = (name: string) => join(root, name);
  const [red, green] = await Promise.all([flatPng(4, 4, [200, 0, 0]), flatPng(4, 4, [0, 200, 0])]);
  put(at("set"), {
    "b/2.png": red,
    "b/10.PNG": red,
    "b/sub/x.jpeg": green,
    "a/.hidden.png": red,
    "a/z.webp": "bad",
    "a/y.png": green,
    "a/notes.txt": "",
    "a/data.TXT": "",
    "a/none": "",
    "c/p.bmp": red,
    "readme.md": "",
  });
  calls.note("imageExtensions", imageExtensions);
  await calls.does("scanClassFolders", () => scanClassFolders(at("set")));
  await calls.does("listClassFolders", () => listClassFolders(at("set")));
  await calls.does("listImages", () => listImages(at("set")));
  put(at("flat"), { "1.png": "", "2.png": "", "3.png": "", "4.png": "", "5.png": "", "6.png": "" });
  put(at("five"), { "1.png": "", "2.png": "", "3.png": "", "4.png": "", "5.png": "" });
  put(at("holes"), { "a/1.png": "", "b/x.txt": "", "b/y.md": "", "b/z.md": "", "c/n": "", "d/.x": "" });
  put(at("parts"), { "train/a/1.png": "", "val/a/1.png": "" });
  put(at("named"), { "train/1.png": "", "dog/1.png": "" });
  put(at("links/a"), { "1.png": red });
  symlinkSync(at("set/b"), at("links/b"));
  symlinkSync(at("set/b/2.png"), at("links/a/2.png"));
  symlinkSync(at("set/b/2.png"), at("links/a/no ending"));
  put(at("circle/a"), { "1.png": red });
  symlinkSync(at("circle"), at("circle/a/back"));
  mkdirSync(at("bare"));
  for (const name of [
    "flat",
    "five",
    "holes",
    "parts",
    "named",
    "links",
    "circle",
    "bare",
    "nowhere",
    "set/readme.md",
  ])
    await calls.does(`scanClassFolders ${name}`, () => scanClassFolders(at(name)));
  for (const others of [
    [[".md", 1]],
    [["", 2]],
    [
      [".a", 1],
      [".b", 3],
      [".c", 2],
      [".d", 2],
    ],
    [
      [".a", 1],
      [".b", 3],
      [".c", 2],
    ],
  ] as const)
    calls.note(`describeOthers ${others}`, describeOthers(new Map(others as never)));
  calls.title("imageFolder");
  calls.note("options", Object.keys(imageFolderOptions.optional));
  const opens = (name: string, options?: object) =>
    calls.does(`imageFolder ${name}`, async () => {
      const set = await imageFolder(at("set"), options);
      return [set.transform.name, set.size, set.cache.budgetBytes, set.cache.options, set.others];
    });
  await opens("default");
  await opens("options", { transform: none(4), cache: 10, exif: "ignore", gray16: "clip", maxPixels: 99 });
  await opens("no cache", { cache: false });
  for (const options of [
    { cache: true },
    { cache: -1 },
    { exif: "x" },
    { transform: 3 },
    { size: 3 },
    { maxPixels: 0 },
    { gray16: 3 },
  ])
    await opens(JSON.stringify(options), options);
  await calls.does("imageFolder of a number", () => imageFolder(3 as never));
  calls.note("cacheOf", [
    cacheOf({}).options,
    cacheOf({}, "ignore").options,
    cacheOf({ exif: "honor" }, "ignore").options,
    cacheOf({ cache: false }).budgetBytes,
  ]);
  const set = await imageFolder(at("set"), { transform: none(4), cache: false });
  calls.note("set", [
    set.length,
    set.size,
    set.classes,
    set.hasBytes,
    set.preprocessing,
    set.mapping,
    inspect(set),
  ]);
  for (let i = 0; i < set.length; i++)
    await calls.does(`load ${i}`, async () => outline(await set.load(i, new Rng(1))));
  calls.note("report", [
    set.report.count,
    set.report.replaced,
    set.report.skipped,
    inspect(set),
    set.report.toString(),
  ]);
  for (const i of [-1, 6, 0.5]) await calls.does(`path ${i}`, () => set.path(i));
  const view = set.subset([4, 1, 1]);
  calls.note("subset", [view.files, view.report === set.report, view.cache === set.cache, view.classes]);
  await calls.does("subset beyond", () => set.subset([6]));
  calls.note(
    "take 3",
    set.take(3).files.map(({ path }) => path),
  );
  for (const count of [0, 1.5, -1]) await calls.does(`take ${count}`, () => set.take(count));
  calls.note("withTransform", [
    set.withTransform(mae(8)).size,
    set.withTransform(mae(8)).hasBytes,
    set.withTransform({ name: "own", size: 4, apply: () => new Float32Array(48) }).hasBytes,
  ]);
  await calls.does("FolderDataset of no parts", () => new FolderDataset({ root: "x" } as never));
  await calls.does("preview", async () =>
    (await preview(set.subset([0, 5]))).map(({ data, ...rest }) => ({
      ...rest,
      data: [...data.subarray(0, 3)],
    })),
  );
  await calls.does(
    "preview with a seed",
    async () => (await preview(set.withTransform(mae(4)).subset([0]), { seed: 3 })).length,
  );
  await calls.does("preview of no set", () => preview({} as never));
  await calls.does("preview of another option", () => preview(set, { size: 1 } as never));
  calls.title("unreadable");
  await calls.does("loadIfReadable", async () => [
    (await loadIfReadable(set, 0, new Rng(1)))?.index,
    await loadIfReadable(set, 1, new Rng(1)),
  ]);
  const bad = new FolderDataset({
    root,
    classes: ["p", "q"],
    files: [0, 1, 2].map((i) => ({
      path: at(i === 2 ? "set/a/y.png" : `set/${i}.png`),
      label: i === 2 ? 1 : 0,
    })),
    transform: none(4),
    cache: cacheOf({}),
  });
  await calls.does("a class of none", async () =>
    bad.load(0, new Rng(1)).catch((error) => [error.code, error.message.split("\n")[0]]),
  );
  await calls.does("loadIfReadable of none", () => loadIfReadable(bad, 0, new Rng(1)));
  const left = leavingOut(set);
  calls.note("leavingOut", [
    left.length,
    left.size,
    left.classes,
    left.hasBytes,
    left.path(1),
    left.label(2),
  ]);
  for (const one of [left, left.take(6), left.subset([1, 0]), left.withTransform(mae(4))])
    await calls.does("its samples", async () =>
      Promise.all([0, 1].map(async (i) => outline(await one.load(i, new Rng(1))))),
    );
  const images = (count: number, fails: (i: number) => unknown) => ({
    set: {
      classes: ["x"],
      length: count,
      report: new SkipReport(),
      path: (i: number) => `p${i}`,
      label: () => 0,
    },
    read: async (i: number) => {
      const error = fails(i);
      if (error) throw error;
      return i;
    },
  });
  const replaced = (name: string, count: number, index: number, fails: (i: number) => unknown) =>
    calls.once(`readOrReplace ${name}`, async () => {
      const { set: one, read } = images(count, fails);
      const found = await readOrReplace(one, index, read).catch(
        (error) => `${error.name} ${error.code}: ${error.message}`,
      );
      return [found, one.report.count, one.report.replaced, one.report.ongoing.size];
    });
  const badImage = (i: number) => new LuvitError("bad-image", `bad ${i}`);
  await replaced("good", 3, 1, () => undefined);
  await replaced("the next", 3, 2, (i) => (i === 2 ? badImage(i) : undefined));
  await replaced("none", 3, 1, badImage);
  await replaced("another error", 3, 1, () => new LuvitError("bad-file", "x"));
  await replaced("200 of 300", 300, 0, badImage);
  await replaced("the 200th", 300, 0, (i) => (i < 199 ? badImage(i) : undefined));
  await replaced("the 201st", 300, 0, (i) => (i < 200 ? badImage(i) : undefined));
  await replaced("beyond", 3, 3, () => undefined);
  await calls.once("two at once", async () => {
    const { set: one, read } = images(3, (i) => (i < 2 ? badImage(i) : undefined));
    return [
      await Promise.all([
        readOrReplace(one, 0, read),
        readOrReplace(one, 1, read),
        readOrReplace(one, 0, read),
      ]),
      one.report.count,
      one.report.replaced,
    ];
  });
  calls.title("enough that is readable");
  calls.note("defaultUnreadableShare", defaultUnreadableShare);
  for (const share of [-0.1, 1.1, Number.NaN])
    await calls.does(`expectReadable ${share}`, () => expectReadable(set, share));
  for (const share of [undefined, 0, 0.16, 0.17, 1])
    await calls.does(`expectReadable ${share}`, () => expectReadable(set, share));
  await calls.does("expectReadable of a class of none", () => expectReadable(bad, 1));
  calls.note("replaced", set.report.replaced);
  const counted = (count: number, length: number) => {
    const report = new SkipReport();
    for (let i = 0; i < count; i++) report.add(`p${i}`, `reason ${i}`);
    return { report, length };
  };
  for (const [count, length, share] of [
    [1, 10],
    [2, 10],
    [0, 0],
    [1, 8, 0.125],
    [2, 15, 0.125],
    [3, 7, 0],
  ] as const)
    calls.note(
      `tooManyUnreadable ${count} of ${length}, ${share}`,
      tooManyUnreadable(counted(count, length), share),
    );
  calls.approve("data/folders");
});

test("what any set is checked by, and its parts, are approved", async () => {
  const calls = new Calls();
  for (const [length, count] of [
    [10, 3],
    [3, 10],
    [7, 7],
    [0, 5],
    [1000, 1],
  ])
    await calls.of(spreadIndices, length, count);
  for (const count of [0, -1, 1.5, Number.NaN]) await calls.of(spreadIndices, 5, count);
  for (const [length, index, count] of [
    [10, 1, 3],
    [10, 2, 3],
    [10, 3, 3],
    [2, 1, 5],
    [2, 5, 5],
    [0, 1, 1],
  ])
    await calls.of(shardRange, length, { index, count });
  for (const [index, length] of [
    [0, 1],
    [1, 1],
    [-1, 1],
    [0, 0],
    [0.5, 2],
    [Number.NaN, 2],
  ])
    await calls.of(expectIndex, index, length);
  const set = (change: object = {}) =>
    ({
      classes: ["a"],
      length: 10,
      size: 8,
      report: new SkipReport(),
      load: () => {},
      subset: (indices: ArrayLike<number>) => [...Array.from(indices)],
      ...change,
    }) as unknown as ImageDataset;
  await calls.does("shard 2 of 3", () => shard(set(), { index: 2, count: 3 }));
  for (const which of [
    { index: 0, count: 3 },
    { index: 4, count: 3 },
    { index: 1 },
    { index: 1, count: 1.5 },
    { index: 1, count: 1, seed: 1 },
    3,
  ])
    await calls.does(`shard ${JSON.stringify(which)}`, () => shard(set(), which as never));
  calls.note("datasetField", datasetField.expected);
  for (const change of [
    { length: -1 },
    { length: 1.5 },
    { size: 0 },
    { size: 2.5 },
    { classes: "a" },
    { load: 3 },
    { length: 0 },
  ])
    await calls.does(`shard of a set with ${JSON.stringify(change)}`, () =>
      shard(set(change), { index: 1, count: 1 }),
    );
  await calls.does("shard of nothing", () => shard(null as never, { index: 1, count: 1 }));
  const report = new SkipReport();
  calls.note("report", [report.toString(), report.count, report.skipped]);
  report.add("a", "why a");
  calls.note("of one", report.toString());
  report.add("a", "another");
  report.replaced = 1;
  calls.note("replaced once", [
    inspect(report),
    report.reason("a"),
    report.has("a"),
    report.has("b"),
    report.reason("b"),
  ]);
  report.add("b", "why b");
  report.replaced = 3;
  calls.note("of two", report.toString());
  calls.title("samples");
  const image = new Float32Array(12);
  const sample = (change: object = {}) => ({ image, label: 1, path: "p", index: 3, ...change }) as never;
  const source = { size: 2, classes: ["a", "b"] };
  const expects = (name: string, given: unknown, of: object = source, place?: Float32Array | Uint8Array) =>
    calls.does(`expectSample ${name}`, () => expectSample(given as never, of as never, place));
  await expects("good", sample());
  for (const change of [
    { image: new Float32Array(11) },
    { image: [1] },
    { image: new Uint8Array(12) },
    { label: 2 },
    { label: -1 },
    { label: 0.5 },
    { index: undefined },
    { index: 1.5 },
    { index: -1 },
  ])
    await expects(inspect(change).replace(/\s+/g, " "), sample(change));
  await expects("nothing", undefined);
  await expects("no classes said", sample({ label: 7 }), { size: 2 });
  await expects("shapes of its own", sample({ height: 1, width: 4 }), { ...source, ownShapes: true });
  await expects("shapes of its own, wrong", sample({ height: 1, width: 3 }), { ...source, ownShapes: true });
  await expects("shapes that are not its own", sample({ height: 1, width: 3 }));
  await expects("no set", sample({ label: -1 }), { size: 2, classes: [], ownShapes: true });
  await expects("no set, squares", sample({ label: -1 }), { size: 2, classes: [] });
  const bytes = new Uint8Array(12);
  await expects("bytes", sample({ image: bytes }), source, bytes);
  await expects("numbers for bytes", sample(), source, bytes);
  await expects("numbers for bytes of one left out", sample({ index: -1 }), source, bytes);
  await calls.does("expectSquares of squares", () => expectSquares({}, "here"));
  await calls.does("expectSquares of shapes", () => expectSquares({ ownShapes: true }, "here"));
  await calls.does("expectSquares of shapes, 96", () => expectSquares({ ownShapes: true }, "here", 96));
  calls.title("masks");
  const pixels = paintedImage(3, 2, (x, y) => [x + 3 * y, y, 200]);
  await calls.of(maskIds, pixels);
  for (const [ids, width, patch] of [
    [[0, 1, 1000, 1000, 0, 0, 1000, 1000], 4, 2],
    [[0, 1, 1000, 1000, 0, 0, 1000, 7], 4, 2],
    [[1, 2, 3, 4, 5, 6], 3, 2],
    [[1, 2, 3, 4, 5], 3, 1],
    [[1, 2], 2, 2],
    [[1, 2], 1, 2],
    [[-1], 1, 1],
    [[1], 0, 1],
    [[1], 1, 1.5],
  ] as const)
    await calls.of(maskCells, Int32Array.from(ids), width, patch);
  await calls.does("maskCells of a list", () => maskCells([1] as never, 1, 1));
  await calls.does("expectMasks of mae", () => expectMasks(mae(8)));
  for (const one of [evaluation(8), none(8), segment(8)])
    await calls.does(`expectMasks of ${one.name}`, () => expectMasks(one) === one);
  await calls.does("expectSameSize", () =>
    expectSameSize("p", pixels, "m", { ids: new Int32Array(6), width: 3, height: 2 }),
  );
  await calls.does("expectSameSize of others", () =>
    expectSameSize("p", pixels, "m", { ids: new Int32Array(6), width: 2, height: 3 }),
  );
  calls.title("whole images");
  const large = paintedImage(20, 13, (x, y) => [10 * x, 15 * y, 60]);
  const told = (one: WholeImages) => [one.length, one.size, one.classes, one.ownShapes, inspect(one)];
  calls.note("one", told(wholeImages(large)));
  for (const options of [
    { patch: 4 },
    { patch: 5, shorterSide: 6 },
    { patch: 4, shorterSide: 26 },
    { patch: 16, shorterSide: 32 },
  ]) {
    const one = wholeImages([large, pixels], options);
    calls.note(`two ${JSON.stringify(options)}`, told(one));
    for (const i of [0, 1]) await calls.does(`load ${i}`, async () => outline(await one.load(i, new Rng(1))));
  }
  const two = wholeImages([large, large], { patch: 4 });
  calls.note("views", [
    two.path(0),
    wholeImages(large).path(0),
    two.label(0),
    two.take(1).length,
    two.subset([1, 1, 0]).length,
  ]);
  await calls.does("path 2", () => two.path(2));
  await calls.does("subset 2", () => two.subset([2]));
  await calls.does("withTransform", () => two.withTransform(none(4)));
  for (const options of [
    { patch: 0 },
    { patch: 1025 },
    { shorterSide: 15 },
    { shorterSide: 16 },
    { patch: 8, shorterSide: 7 },
    { size: 3 },
    { shorterSide: 16385 },
  ])
    await calls.does(
      `wholeImages ${JSON.stringify(options)}`,
      () => wholeImages(large, options as object).size,
    );
  for (const given of [[], 3, [3], {}, null])
    await calls.does(`wholeImages of ${JSON.stringify(given)}`, () => wholeImages(given as never));
  calls.approve("data/checks");
});

test("sets with masks are approved", async () => {
  const root = temporaryFolder();
  const calls = new Calls({ tmp: root });
  const at = (name: string) => join(root, name);
  calls.note("options", [Object.keys(imageNetSOptions.optional), imageNetSOptions.optional.variant.expected]);
  const picture = await flatPng(8, 6, [200, 0, 0]);
  const [mask, wide] = await Promise.all([flatPng(8, 6, [2, 0, 0]), flatPng(6, 8, [3, 1, 0])]);
  put(at("one/validation"), {
    "n1/a.JPEG": picture,
    "n1/b.JPEG": picture,
    "n2/a.JPEG": picture,
    "n2/c.JPEG": picture,
  });
  put(at("one/validation-segmentation"), { "n1/a.png": mask, "n2/a.png": wide, "n2/c.png": mask });
  put(at("in/ImageNetS50/train-semi"), { "n1/a.JPEG": picture });
  put(at("in/ImageNetS50/train-semi-segmentation"), { "n1/a.png": mask });
  put(at("flat"), { "c.png": mask });
  put(at("lonely"), { "n1/z.png": mask, "n9/c.png": mask });
  mkdirSync(at("bare"));
  const opens = (name: string, options: object) =>
    calls.does(`imageNetS ${name}`, async () => {
      const set = await imageNetS(options);
      return [
        set.length,
        set.size,
        set.patch,
        set.withoutMask,
        set.masks,
        [...Array(set.length).keys()].map((i) => [set.path(i), set.label(i)]),
        set.images.cache.options.exif,
        set.images.cache.budgetBytes,
        set.transform.name,
        inspect(set),
      ];
    });
  const images = at("one/validation");
  await opens("root", { root: at("one"), transform: none(8), patch: 4 });
  await opens("variant", {
    root: at("in"),
    variant: 50,
    split: "train-semi",
    partial: true,
    exif: "honor",
    cache: 5,
  });
  await opens("variant, whole", { root: at("in"), variant: 50, split: "train-semi" });
  await opens("variant and folders", { images, masks: at("one/validation-segmentation"), variant: 919 });
  await opens("folders", { images, masks: at("flat"), cache: false });
  await opens("lonely masks", { images, masks: at("lonely") });
  await opens("no masks", { images, masks: at("bare") });
  await opens("cells that do not fit", { root: at("one"), patch: 15 });
  for (const options of [
    {},
    { images },
    { root: at("one"), masks: at("flat") },
    { root: at("one"), variant: 51 },
    { root: at("one"), split: "test" },
    { root: at("one"), transform: 3 },
    { root: at("one"), patch: 0 },
    { root: at("one"), size: 3 },
  ])
    await opens(JSON.stringify(Object.keys(options)), options);
  const set = await imageNetS({ root: at("one"), transform: evaluation(4), patch: 2, cache: false });
  for (const i of [0, 1, 2])
    await calls.does(`load ${i}`, async () => outline(await set.load(i, new Rng(1))));
  await calls.does("pair 0", async () =>
    (({ image, mask }) => [image.width, image.height, mask])(await set.pair(0)),
  );
  await calls.does("pair 1", () => set.pair(1));
  await calls.does("pair 3", () => set.pair(3));
  await calls.does("load by none", async () =>
    set
      .withTransform(none(8))
      .load(0, new Rng(1))
      .catch((error) => error.message),
  );
  await calls.does("load by segment", async () =>
    outline(await set.withTransform(segment(4)).load(0, new Rng(2))),
  );
  calls.note("report", set.report.skipped);
  calls.note("views", [
    set.take(2).masks,
    set.subset([2, 0]).masks,
    set.subset([2]).path(0),
    set.classes,
    set.subset([2]).withoutMask,
  ]);
  await calls.does("withTransform mae", () => set.withTransform(mae(8)));
  await calls.does("subset beyond", () => set.subset([3]));
  const whole = wholeImages(set, { patch: 2, shorterSide: 4 });
  calls.note("whole", [whole.length, whole.size, whole.path(2), whole.label(2), inspect(whole)]);
  await calls.does("load whole", async () => outline(await whole.load(0, new Rng(1))));
  await calls.does(
    "whole with another transform",
    async () => (whole.withTransform(none(4)) as MaskedDataset).size,
  );
  calls.note("subset of whole", [whole.subset([2]).path(0), whole.take(2).length]);
  calls.title("decodeMaskIds");
  await calls.does("a mask", () => decodeMaskIds(wide));
  await calls.does("a file", () => decodeMaskIds(at("flat/c.png")));
  await calls.does("no file", () =>
    decodeMaskIds(at("nowhere.png")).catch((error) => [error.code, error.message]),
  );
  await calls.does("a text", () =>
    decodeMaskIds(Buffer.from("a text that is no PNG, and long enough to be one")),
  );
  await calls.does("32 bytes", () => decodeMaskIds(mask.subarray(0, 32)));
  const swollen = Buffer.from(mask);
  swollen.writeUInt32BE(9000, 16);
  swollen.writeUInt32BE(9000, 20);
  await calls.does("too large a size", () =>
    decodeMaskIds(swollen).catch((error) => error.message.replace(/^\d+ bytes in memory: \d+/, "…")),
  );
  await calls.does("a number", () => decodeMaskIds(3 as never));
  calls.title("corruption types");
  calls.note("corruptions", [corruptionTypes, benchmarkCorruptions, severities]);
  const full = (place: string) =>
    Object.fromEntries(severities.map((severity) => [`${place}/${severity}/x`, ""]));
  put(at("C"), {
    ...full("fog"),
    ...full("noise/shot_noise"),
    "snow/1/x": "",
    "snow/4/x": "",
    "extra/saturate/1/x": "",
  });
  calls.note("corruptionsIn", corruptionsIn(at("C")));
  calls.note("corruptionsIn nothing", corruptionsIn(at("bare")));
  for (const type of ["fog", "shot_noise", "snow", "frost", "saturate"] as const)
    await calls.does(`corruptionFolder ${type}`, () => corruptionFolder(at("C"), type));
  await calls.does("corruptionFolder dust", () => corruptionFolder(at("C"), "dust" as "fog"));
  await calls.does("corruptionFolder in nothing", () => corruptionFolder(at("bare"), "fog"));
  calls.approve("data/masks");
});
