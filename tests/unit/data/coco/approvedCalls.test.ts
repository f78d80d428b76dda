import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../../src/core/rng";
import { CocoAnnotations } from "../../../../src/data/coco/annotations";
import { cocoCategories } from "../../../../src/data/coco/categories";
import { DetectionDataset, expectSquare, withObjects } from "../../../../src/data/coco/dataset";
import { annotationOf, categoryOf, imageOf, readSegmentation } from "../../../../src/data/coco/entries";
import { Fields } from "../../../../src/data/coco/fields";
import { notesOn } from "../../../../src/data/coco/notes";
import { openCoco } from "../../../../src/data/coco/open";
import { Problems } from "../../../../src/data/coco/problems";
import { readAnnotations } from "../../../../src/data/coco/readAnnotations";
import { expectResults, readResults, writeResults } from "../../../../src/data/coco/results";
import { FARTHEST, isPolygons, maskOf, segmentationOf } from "../../../../src/data/coco/segmentation";
import { evaluation, fitSquare, largeScaleJitter } from "../../../../src/data/transforms";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { flatPng } from "../support";
import { annotation, categories, file, images } from "./support";

const folder = temporaryFolder();
let files = 0;
const written = (content: unknown) => {
  const path = join(folder, `${files++}.json`);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};
const triangle = [1, 1, 9, 1, 1, 9];
const rle = (height: number, width: number, ...counts: number[]) => ({ size: [height, width], counts });

test("what fields and outlines of COCO files are taken for is approved", async () => {
  const calls = new Calls();
  calls.note("FARTHEST", FARTHEST);
  const values: readonly unknown[] = [
    0,
    1,
    -1,
    1.5,
    2 ** 53,
    16384,
    16385,
    true,
    false,
    "x",
    "",
    null,
    [],
    {},
    [1, 2, 3, 4],
    [1, 2, 3],
    [1, 2, -1, 4],
    [1, 2, 3, -1],
    [-1, -2, 0, 0],
    [1e6, -1e6, 1e6, 0],
    [1e6 + 1, 0, 0, 0],
    [1, 2, "3", 4],
  ];
  const take = (kind: string, read: (fields: Fields) => unknown) => {
    for (const value of values) {
      const fields = Fields.parse(JSON.stringify({ a: value })) as Fields;
      calls.note(`${kind} ${JSON.stringify(value)}`, [read(fields), fields.wrong]);
    }
    const missing = Fields.parse("{}") as Fields;
    calls.note(`${kind} missing`, [read(missing), missing.wrong]);
  };
  take("whole", (fields) => fields.whole("a"));
  take("side", (fields) => fields.side("a"));
  take("number", (fields) => fields.number("a"));
  take("number from 1", (fields) => fields.number("a", 1));
  take("text", (fields) => fields.text("a"));
  take("flag", (fields) => fields.flag("a"));
  take("box", (fields) => fields.box("a"));
  take("has", (fields) => [fields.has("a"), fields.get("a"), fields.get("toString")]);
  for (const text of ["[1]", "null", "3", '"a"', "true"])
    await calls.does(`Fields.parse ${text}`, () => Fields.parse(text));
  for (const text of ["{", "NaN", '{"a":Infinity}', '{"a":NaNs}', "x".repeat(400)])
    await calls.does(`Fields.parse ${text.slice(0, 20)}`, () =>
      String(Fields.parse(text)).replace(/\(.*\)/s, "(…)"),
    );
  const outlines: readonly unknown[] = [
    [],
    [triangle],
    [triangle, [3, 3, 5, 3, 5, 6, 3, 6.5]],
    [[1, 1, 2, 2]],
    [[1, 1, 2, 2, 3]],
    [[1, 1, 2, 2, 3, 4, 5]],
    [[1, 1, 2, 2, 3, "4"]],
    [[1, 1, 2, 2, 3, null]],
    [7],
    ["x"],
    [[1e6, 0, -1e6, 0, 5, 5]],
    [[1e6 + 1, 0, 0, 0, 5, 5]],
    [[2 ** 31, 0, 0, 0, 5, 5]],
    [triangle, [1]],
    null,
    undefined,
    3,
    "x",
    {},
    { counts: [1] },
    { size: [2, 3] },
    rle(2, 3, 2, 3, 1),
    rle(2, 3, 2, 3),
    rle(2, 3, 2, 3, 2),
    rle(2, 3, 0, 6),
    rle(2, 3, 6),
    rle(0, 3, 0),
    rle(2, 3, -1, 7),
    rle(2, 3, 1.5, 4.5),
    rle(-2, 3, 6),
    rle(2.5, 2, 5),
    { size: [2], counts: [2] },
    { size: [2, 3, 1], counts: [6] },
    { size: 6, counts: [6] },
    rle(65536, 65536, 2 ** 32),
    rle(65535, 65536, 65535 * 65536),
    { size: [2, 3], counts: 6 },
    { size: [2, 3], counts: "231" },
    { size: [2, 3], counts: "é" },
    { size: [2, 3], counts: "" },
    { size: [2, 3], counts: "6" },
    { size: [2, 3], counts: "7" },
  ];
  for (const outline of outlines) await calls.of(segmentationOf, outline);
  await calls.of(isPolygons, [triangle]);
  await calls.of(isPolygons, segmentationOf(rle(2, 3, 6)));
  await calls.of(maskOf, [], 3, 5);
  await calls.of(maskOf, [[0, 0, 4, 0, 4, 2]], 3, 5);
  await calls.of(
    maskOf,
    [
      [0, 0, 2, 0, 2, 2],
      [2, 1, 5, 1, 5, 3, 2, 3],
    ],
    3,
    5,
  );
  await calls.of(maskOf, segmentationOf(rle(2, 3, 2, 3, 1)), 9, 9);
  calls.approve("data/coco/fields");
});

test("what entries of COCO files are read as is approved", async () => {
  const calls = new Calls();
  calls.note("cocoCategories", cocoCategories);
  const entry = (name: string, value: unknown, read: (fields: Fields) => unknown) => {
    const fields = Fields.parse(JSON.stringify(value)) as Fields;
    calls.note(`${name} ${JSON.stringify(value)}`, [read(fields), fields.wrong]);
  };
  for (const file_name of [
    "a.jpg",
    "sub/a b.jpg",
    "..jpg",
    "a..b/c",
    "é.jpg",
    "../a",
    "a/../b",
    "a\\..\\b",
    "/a",
    "\\a",
    "C:a",
    "c:\\a",
    "a/..",
    "a\0b",
    "",
    3,
    undefined,
  ])
    entry("imageOf", { id: 5, file_name, width: 3, height: 7 }, imageOf);
  for (const change of [{ width: 0 }, { height: 1.5 }, { id: "5" }, { width: null, height: null, id: null }])
    entry("imageOf", { id: 5, file_name: "a", width: 3, height: 7, ...change }, imageOf);
  for (const category of [{ id: 3, name: "car" }, { id: 3.5, name: "" }, { name: 4 }, { id: 0, name: " " }])
    entry("categoryOf", category, categoryOf);
  const image = { id: 7, fileName: "a", width: 20, height: 10 };
  const read = (fields: Fields) =>
    annotationOf(
      fields,
      (id) => (id === 7 ? image : undefined),
      (id) => id === 44,
    );
  const changes: readonly object[] = [
    {},
    { iscrowd: 1 },
    { iscrowd: 2 },
    { iscrowd: null },
    { iscrowd: true },
    { area: -1 },
    { area: 0 },
    { area: null },
    { bbox: [0, 0, -1, 1] },
    { bbox: null },
    { image_id: 8 },
    { image_id: "7" },
    { category_id: 3 },
    { category_id: null },
    { segmentation: null },
    { segmentation: [] },
    { segmentation: rle(10, 20, 200) },
    { segmentation: rle(20, 10, 200) },
    { segmentation: rle(10, 19, 190) },
    { segmentation: rle(10, 20, 199) },
    { segmentation: [[1, 2]] },
    { segmentation: "x" },
    { id: 1.5 },
    { image_id: 8, category_id: 3, bbox: 1, area: "x", iscrowd: "x", segmentation: 5 },
    { image_id: 8, segmentation: rle(3, 3, 9) },
  ];
  for (const change of changes)
    entry("annotationOf", annotation(12, change as Record<string, unknown>), read);
  entry("readSegmentation", { segmentation: rle(3, 3, 9) }, (fields) => readSegmentation(fields, undefined));
  entry("readSegmentation", {}, (fields) => readSegmentation(fields, image));
  const problems = new Problems();
  await calls.does("expectNone of none", () => problems.expectNone("p.json", " advice"));
  for (let i = 0; i < 42; i++) {
    problems.add(`line ${i}`);
    if ([0, 1, 39, 40, 41].includes(i))
      calls.note(`${problems.count} problems`, [
        problems.lines.length,
        problems.describe().slice(0, 60),
        problems.list().slice(-60),
      ]);
  }
  await calls.does("expectNone of 42", async () => {
    try {
      problems.expectNone("p.json", "\nadvice");
    } catch (error) {
      return [(error as Error).message.slice(0, 50), (error as Error).message.slice(-60)];
    }
  });
  const noted = (list: readonly Record<string, unknown>[], more: object = {}) => {
    const fields = list.map((one) =>
      annotationOf(
        Fields.parse(JSON.stringify(one)) as Fields,
        () => undefined,
        () => true,
      ),
    );
    const truth = new CocoAnnotations(
      [image, { ...image, id: 3 }, { ...image, id: 4, fileName: "b" }],
      [
        { id: 44, name: "x" },
        { id: 3, name: "x" },
        { id: 5, name: "y" },
      ],
      fields,
    );
    return notesOn(Object.assign(Object.create(truth), more));
  };
  const box = (bbox: number[], change = {}) => annotation(1, { bbox, segmentation: null, ...change });
  const lists: Record<string, Record<string, unknown>[]> = {
    none: [],
    usual: [annotation(1)],
    "at the left": [box([-1, 0, 2, 2])],
    "beyond the left": [box([-1.01, 0, 2, 2])],
    "beyond the top": [box([0, -1.5, 2, 2])],
    "at the right": [box([10, 0, 11, 2])],
    "beyond the right": [box([10, 0, 11.1, 2])],
    "at the bottom": [box([0, 5, 3, 6])],
    "beyond the bottom": [box([0, 5, 3, 6.5])],
    "area 231": [box([0, 0, 1, 1], { area: 231 })],
    "area 232": [box([0, 0, 1, 1], { area: 232 })],
    "no parts": [annotation(1, { segmentation: [] })],
    "an upright line": [annotation(1, { segmentation: [[3, 1, 3, 4, 3, 2]] })],
    "a level line": [annotation(1, { segmentation: [[3, 1, 4, 1, 7, 1]] })],
    "a line and a triangle": [annotation(1, { segmentation: [[3, 1, 3, 4, 3, 2], triangle] })],
    "an empty mask": [annotation(1, { segmentation: rle(10, 20, 200) })],
    "a mask": [annotation(1, { segmentation: rle(10, 20, 100, 100) })],
    "a flat box": [box([0, 0, 0, 3])],
    "a low box": [box([0, 0, 3, 0])],
    "a flat box with outline": [annotation(1, { bbox: [0, 0, 0, 3] })],
    "a crowd": [annotation(1, { iscrowd: 1 })],
    "a crowd and another": [annotation(1, { iscrowd: 1 }), annotation(2)],
    "id 0": [annotation(0)],
  };
  for (const [name, list] of Object.entries(lists)) calls.note(`notesOn ${name}`, noted(list));
  calls.note(
    "notesOn names of their own",
    noted([annotation(1)], { images: [image], categories: [{ id: 1, name: "a" }] }),
  );
  calls.approve("data/coco/entries");
});

const told = (truth: CocoAnnotations) => ({
  images: truth.images,
  categories: truth.categories,
  annotations: truth.annotations,
  leftOut: truth.leftOut,
  classes: truth.classes,
  inspected: inspect(truth),
});

test("how files of annotations and results are read and written is approved", async () => {
  const calls = new Calls({ tmp: folder });
  const read = (name: string, content: unknown, options?: object) => {
    const path = written(content);
    return calls.does(`readAnnotations ${name}`, async () => told(await readAnnotations(path, options)));
  };
  await read("two", file([annotation(1), annotation(2, { image_id: 3, category_id: 3, iscrowd: 1 })]));
  await read("none", file([]));
  await read("other keys", {
    annotations: [annotation(1)],
    extra: { a: [1] },
    categories,
    images,
    licenses: [],
  });
  await read("no images", { annotations: [], categories });
  await read("no categories", { images, annotations: [annotation(1)] });
  await read("empty images", file([], { images: [] }));
  await read("nothing", {});
  await read("results", [annotation(1)]);
  await read("wrong images", file([annotation(1)], { images: [images[0], images[0], { id: 3 }] }));
  await read(
    "wrong categories",
    file([annotation(1)], { categories: [{ id: 44, name: "x" }, { id: 44, name: "y" }, 3] }),
  );
  const wrong = file([
    annotation(1),
    annotation(1),
    annotation(2, { area: -1, bbox: 3 }),
    "x",
    annotation(3),
  ]);
  await read("wrong objects", wrong);
  await read("wrong objects, refused", wrong, { invalid: "refuse" });
  await read("wrong objects, left out", wrong, { invalid: "leave-out" });
  await read("another option", wrong, { invalid: "skip" });
  await read("an unknown option", wrong, { partial: true });
  await calls.does("readAnnotations of no file", () =>
    readAnnotations(join(folder, "nowhere.json")).catch((error) => [error.code, error.message]),
  );
  await calls.does("readAnnotations of a number", () => readAnnotations(3 as never));
  const truth = await readAnnotations(
    written(
      file([
        annotation(5),
        annotation(6, { image_id: 3, category_id: 3, segmentation: null }),
        annotation(9),
      ]),
    ),
  );
  calls.title("annotations");
  await calls.does("image 3", () => truth.image(3));
  await calls.does("image 4", () => truth.image(4));
  for (const id of [3, 4, 7])
    calls.note(`has, of and label ${id}`, [
      truth.has(id),
      truth.of(id).map((one) => one.id),
      truth.label(id),
    ]);
  calls.note("label 44", truth.label(44));
  await calls.does("only 3", () => told(truth.only([3, 3])));
  await calls.does("only 3 and 7", () => truth.only([3, 7]).annotations.map(({ id }) => id));
  await calls.does("only none", () => told(truth.only([])));
  await calls.does("only 4", () => truth.only([3, 4]));
  await calls.does("only of no list", () => truth.only(3 as never));
  for (const one of truth.annotations) await calls.does(`mask ${one.id}`, () => truth.mask(one));
  await calls.does("of no lists", () => new CocoAnnotations(3 as never, [], []));
  calls.title("results");
  const results = (name: string, content: unknown) => {
    const path = written(content);
    return calls.does(`readResults ${name}`, () => readResults(path, truth));
  };
  const one = { image_id: 7, category_id: 44, score: 0.5 };
  await results("both", [
    { ...one, bbox: [1, 2, 3.5, 4] },
    { ...one, score: -1, segmentation: rle(10, 20, 190, 10) },
    { ...one, bbox: [0, 0, 0, 0], segmentation: rle(10, 20, 200) },
  ]);
  await results("none", []);
  await results("an object", { a: [1] });
  await results("wrong", [
    one,
    { ...one, image_id: 8, bbox: [1, 2, 3, 4] },
    { ...one, category_id: 4, bbox: [1, 2, 3, 4] },
    { ...one, score: "x", bbox: 3 },
    { ...one, segmentation: [triangle] },
    { ...one, segmentation: rle(20, 10, 200) },
    3,
  ]);
  await calls.does("readResults without truth", () => readResults(written([]), {} as never));
  const found = [
    { imageId: 7, categoryId: 44, score: 0.25, box: [1, 2, 3.5, 4] as const },
    {
      imageId: 3,
      categoryId: 3,
      score: 1,
      box: [0, 0, 1, 1] as const,
      mask: { height: 12, width: 8, counts: Uint32Array.of(90, 6) },
    },
  ];
  const wrote = (name: string, list: unknown, kind: unknown) =>
    calls.does(`writeResults ${name}`, async () => {
      const path = join(folder, "out.json");
      await writeResults(path, list as never, kind as never);
      return [readFileSync(path, "utf8"), readdirSync(folder).filter((file) => file.startsWith("out"))];
    });
  await wrote("boxes", found, "bbox");
  await wrote("masks", found.slice(1), "segm");
  await wrote("masks that lack one", found, "segm");
  await wrote("none", [], "segm");
  await wrote(
    "2001",
    Array.from({ length: 2001 }, (_, i) => ({ ...found[0], score: i })),
    "bbox",
  );
  await wrote("no list", 3, "bbox");
  await wrote("another kind", found, "keypoints");
  await wrote("others", [null, 3, found[0], {}], "bbox");
  const expects = (name: string, list: unknown[], kind: "bbox" | "segm") =>
    calls.does(`expectResults ${name} ${kind}`, () => expectResults("here", truth, list as never, kind));
  await expects("found", found, "bbox");
  await expects("found", found, "segm");
  const [box, mask] = found;
  await expects(
    "wrong",
    [
      { ...box, imageId: 4 },
      { ...box, categoryId: 4 },
      { ...box, score: Number.NaN },
      { ...box, score: Number.POSITIVE_INFINITY },
      { ...box, box: [1, Number.NaN, 2, 3] },
      undefined,
      box,
    ],
    "bbox",
  );
  await expects(
    "wrong",
    [
      { ...mask, imageId: 7 },
      { ...mask, mask: { height: 12, width: 9, counts: [108] } },
      { ...mask, mask: { height: 8, width: 12, counts: [96] } },
    ],
    "segm",
  );
  calls.approve("data/coco/files");
});

test("how a set with objects is opened, looked at and read is approved", async () => {
  const root = temporaryFolder();
  const calls = new Calls({ tmp: root });
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const objects = [
    annotation(1, { segmentation: [[2, 2, 12, 2, 12, 8]] }),
    annotation(2, { image_id: 3, category_id: 3, bbox: [1, 2, 4, 6], segmentation: null }),
    annotation(3, { iscrowd: 1 }),
    annotation(4, { image_id: 9, iscrowd: 1 }),
    annotation(5, { image_id: 3, segmentation: rle(12, 8, 90, 6) }),
  ];
  const all = [...images, { id: 9, file_name: "c.png", width: 6, height: 6 }];
  const json = JSON.stringify(file(objects, { images: all }));
  put("coco/annotations/instances_val.json", json);
  put("coco/instances_flat.json", json);
  const pictures = [
    await flatPng(20, 10, [200, 10, 30]),
    await flatPng(8, 12, [10, 20, 200]),
    await flatPng(7, 6, [5, 5, 5]),
  ];
  for (const place of ["coco/val", "coco/images/flat", "pictures"])
    for (const [i, name] of ["a.jpg", "sub/b.jpg", "c.png"].entries()) put(join(place, name), pictures[i]);
  put("some/a.jpg", pictures[0]);
  put("other/x.jpg", pictures[0]);
  put("packed/val.zip", "");
  put("packed/instances_val.json", json);
  put("zipped/annotations/instances_val.json.zip", "");
  put("parts/annotations/instances_train.json", "");
  put("parts/instances_dev.json", "");
  const at = (name: string) => join(root, name);
  const opens = (name: string, options: object) =>
    calls.does(`openCoco ${name}`, async () => {
      const set = await openCoco(options);
      const { budgetBytes, options: decoding } = set.cache;
      return {
        root: set.root,
        ids: set.images.map(({ id }) => id),
        transform: [set.transform.name, set.size],
        budgetBytes,
        decoding,
        inspected: inspect(set),
      };
    });
  const [annotations, pictured] = [at("coco/instances_flat.json"), at("pictures")];
  await opens("root and part", { root: at("coco"), part: "val" });
  await opens("a part beside it", { root: at("coco"), part: "flat" });
  await opens("files", {
    images: pictured,
    annotations,
    transform: largeScaleJitter(64),
    exif: "ignore",
    cache: false,
  });
  await opens("files, cache", {
    images: pictured,
    annotations,
    transform: fitSquare(32),
    exif: "honor",
    cache: 99,
  });
  await opens("some images", { images: at("some"), annotations });
  await opens("some images, partial", { images: at("some"), annotations, partial: true });
  await opens("other images", { images: at("other"), annotations, partial: true });
  for (const place of ["packed", "zipped", "parts", "nowhere", "some"])
    await opens(`part of ${place}`, { root: at(place), part: "val" });
  for (const options of [
    {},
    { root: at("coco") },
    { part: "val" },
    { root: at("coco"), part: "val", images: pictured },
    { images: pictured },
    { annotations, images: pictured, root: at("coco") },
  ])
    await opens(Object.keys(options).join(" and ") || "nothing", options);
  await opens("another transform", { images: pictured, annotations, transform: 3 });
  await opens("another option", { images: pictured, annotations, size: 3 });
  await opens("another exif", { images: pictured, annotations, exif: "rotate" });
  const set = await openCoco({ images: pictured, annotations, transform: fitSquare(32), cache: false });
  calls.note("set", [set.length, set.size, set.classes, set.label(2), set.path(1)]);
  for (const index of [-1, 3, 0.5]) await calls.does(`path ${index}`, () => set.path(index));
  const load = (name: string, from: DetectionDataset, index: number, seed = 1) =>
    calls.does(`load ${name} ${index}`, async () => {
      const { image, path, ...rest } = await from.load(index, new Rng(seed));
      return { pixels: image.length, path, ...rest };
    });
  for (const index of [0, 1]) await load("fit", set, index);
  await load("jitter", set.withTransform(largeScaleJitter(24)), 0);
  await load("jitter", set.withTransform(largeScaleJitter(24)), 1, 5);
  await load("one of another size", set, 2);
  calls.note("report", [set.report.count, set.report.replaced, inspect(set)]);
  calls.note(
    "take 2",
    set.take(2).images.map(({ id }) => id),
  );
  calls.note(
    "subset",
    set.subset([2, 0, 2]).images.map(({ id }) => id),
  );
  await calls.does("subset beyond", () => set.subset([3]));
  calls.note(
    "trainable",
    set.trainable().images.map(({ id }) => id),
  );
  await calls.does("trainable with masks", () => set.trainable({ masks: true }));
  await calls.does("trainable with another option", () => set.trainable({ boxes: true } as never));
  calls.note(
    "withObjects",
    withObjects(set.truth, set.images).map(({ id }) => id),
  );
  await calls.does("withTransform evaluation", () => set.withTransform(evaluation(32)));
  await calls.does("expectSquare evaluation", () => expectSquare(evaluation(32)));
  await calls.does("expectSquare fitSquare", () => expectSquare(fitSquare(32)).size);
  await calls.does("of no parts", () => new DetectionDataset({ root: "x" } as never));
  calls.approve("data/coco/sets");
});
