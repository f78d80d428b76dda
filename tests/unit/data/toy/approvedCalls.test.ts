import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import { backgroundFamilies, backgroundNames } from "../../../../src/data/toy/backgrounds";
import { cocoFiles } from "../../../../src/data/toy/cocoSet";
import { drawScene } from "../../../../src/data/toy/crowdedScene";
import { DrawingSet, drawingOptions, drawings } from "../../../../src/data/toy/drawingSet";
import { outlines, simplified, twiceArea } from "../../../../src/data/toy/outline";
import { blend, dim, hsl, smoothStep, valueNoise } from "../../../../src/data/toy/paint";
import { colorNames, colors, isHeldOut, places, questionScene } from "../../../../src/data/toy/questionScene";
import { QuestionSet, questionOptions, questions } from "../../../../src/data/toy/questionSet";
import { questionAbout, questionKinds, wantedFor } from "../../../../src/data/toy/questions";
import {
  allShapes,
  backgroundFamily,
  drawBackground,
  drawObject,
  ignoreId,
  ownBackgroundShare,
  rasterise,
  segmentationIds,
} from "../../../../src/data/toy/scene";
import { textures, toyShapes } from "../../../../src/data/toy/shapes";
import {
  encodeToyFile,
  toyClasses,
  toyFiles,
  toySetOptions,
  writeToySet,
} from "../../../../src/data/toy/toySet";
import { evaluation, mae, none } from "../../../../src/data/transforms";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

const grid = (count: number) => Array.from({ length: count }, (_, i) => -1 + (2 * i + 1) / count);

test("shapes, colors and backgrounds of toy images are approved", async () => {
  const calls = new Calls();
  calls.note("names", [
    toyShapes.map(({ name }) => name),
    allShapes.length,
    backgroundNames,
    textures.length,
    ownBackgroundShare,
    ignoreId,
  ]);
  for (const { contains, detail, ...rest } of allShapes) {
    calls.note(rest.name, rest);
    for (const v of grid(15))
      calls.note(
        `  ${v.toFixed(2)}`,
        grid(31)
          .map((u) => (contains(u, v) ? (detail(u, v) ? "o" : "#") : "."))
          .join(""),
      );
  }
  for (const [i, texture] of textures.entries())
    calls.note(
      `texture ${i}`,
      grid(5).flatMap((v) => grid(6).map((u) => texture(u, v))),
    );
  for (const args of [
    [0, 1, 0.5],
    [120, 0.5, 0.25],
    [-40, 0.8, 0.7],
    [400, 0.8, 0.7],
    [215, 0, 0.3],
    [54, 1, 1],
  ] as const)
    await calls.of(hsl, ...args);
  await calls.of(blend, [10, 20, 30], [20, 50, 5], 0.25);
  await calls.of(dim, [10, 20, 30], 0.62);
  for (const value of [-1, 1, 1.5, 2, 3, 9]) await calls.of(smoothStep, 1, 3, value);
  const noise = valueNoise(new Rng(5));
  calls.note("valueNoise", [
    noise(0, 0),
    noise(1, 0),
    noise(0, 1),
    noise(0.25, 0.7),
    noise(15.5, 15.5),
    noise(-0.5, 16.25),
    noise(16, 16),
  ]);
  for (const [i, family] of backgroundFamilies.entries()) {
    for (const seed of [1, 2, 8]) {
      const paint = family(new Rng(seed));
      calls.note(
        `${backgroundNames[i]} ${seed}`,
        [0.05, 0.4, 0.77].flatMap((y) => [0.1, 0.52, 0.9].flatMap((x) => [...paint(x, y)])),
      );
    }
  }
  for (const label of [0, 5, 7]) {
    const rng = new Rng(label);
    calls.note(
      `backgroundFamily ${label}`,
      Array.from({ length: 12 }, () => backgroundFamily(label, rng)),
    );
    calls.note(
      `backgroundFamily ${label}, always`,
      Array.from({ length: 3 }, () => backgroundFamily(label, rng, 1)),
    );
    calls.note(
      `backgroundFamily ${label}, never`,
      Array.from({ length: 9 }, () => backgroundFamily(label, rng, 0)),
    );
    calls.note(`drawBackground ${label}`, drawBackground(label, new Rng(3))(0.3, 0.6));
  }
  const drawn = (name: string, object: ReturnType<typeof drawObject>) => {
    const image = rasterise(object, (x, y) => [300 * x, -5, 200 * y], 9);
    calls.note(name, { ...object, ...image });
    calls.note(`${name}, ids`, segmentationIds(image, 4, false));
    calls.note(`${name}, ids with borders`, segmentationIds(image, 255, true));
  };
  for (const [label, seed] of [
    [0, 1],
    [3, 2],
    [7, 3],
    [11, 4],
    [1, 9],
  ])
    drawn(`object ${label} ${seed}`, drawObject(label, new Rng(seed)));
  drawn("an object in a room", drawObject(2, new Rng(6), { right: 0.75, bottom: 1, area: [0.02, 0.03] }));
  drawn("an object of a hue", drawObject(5, new Rng(6), { right: 1, bottom: 1, area: [0.9, 0.9] }, 215));
  calls.approve("data/toy/shapes");
});

test("outlines, scenes and their files are approved", async () => {
  const calls = new Calls();
  const pictures: readonly string[][] = [
    ["#"],
    ["##.", "#..", "###"],
    ["#.#", ".#.", "#.#"],
    ["###", "#.#", "###"],
    ["...", "..."],
    [".#", "#."],
    ["####", "#..#", "####", "...#"],
  ];
  for (const rows of pictures) {
    const found = outlines(rows[0].length, rows.length, (x, y) => rows[y][x] === "#");
    calls.note(`outlines ${rows.join(" ")}`, found);
    calls.note("  areas", found.map(twiceArea));
  }
  await calls.of(twiceArea, [0, 0, 3, 0, 3, 2]);
  await calls.of(twiceArea, [3, 2, 3, 0, 0, 0]);
  await calls.of(twiceArea, []);
  const stairs = [0, 0, 1, 0, 1, 1, 2, 1, 2, 2, 3, 2, 3, 3, 0, 3];
  for (const tolerance of [0, 0.5, 0.8, 5]) await calls.of(simplified, stairs, tolerance);
  for (const seed of [1, 2, 3, 4]) {
    const { rgb, ...scene } = drawScene(40, new Rng(seed));
    calls.note(`scene ${seed}`, scene);
    calls.note(`  pixels`, rgb);
    const { rgb: bare, ...same } = drawScene(40, new Rng(seed), false);
    calls.note(`  unpainted`, [
      JSON.stringify(same) === JSON.stringify(scene),
      bare.some(Boolean),
      bare.length,
    ]);
  }
  await calls.of(cocoFiles, { seed: 1, size: 40, classes: ["a"], part: "train", count: 0 });
  const files = cocoFiles({
    seed: 7,
    size: 40,
    classes: ["a", "b", "c", "d", "e", "f"],
    part: "val",
    count: 2,
  });
  for (const file of files) {
    const content = file.draw();
    calls.note(file.path, content);
    if (typeof content === "string") calls.note("  lists", JSON.parse(content));
  }
  calls.title("toy set");
  calls.note("options", toySetOptions);
  calls.note("classes", toyClasses);
  const all = toyFiles();
  calls.note("toyFiles", [
    all.length,
    createHash("sha256")
      .update(all.map(({ path }) => path).join("\n"))
      .digest("hex")
      .slice(0, 12),
  ]);
  const folders = new Map<string, number>();
  for (const { path } of all)
    folders.set(path.replace(/\/[^/]*$/, ""), (folders.get(path.replace(/\/[^/]*$/, "")) ?? 0) + 1);
  calls.note("folders", folders);
  const none = { train: 0, validation: 0, imageNet9: 0, trainSemi: 0, scenes: 0, validationScenes: 0 };
  for (const change of [
    {},
    { train: 2 },
    { validation: 1 },
    { imageNet9: 1 },
    { trainSemi: 1 },
    { scenes: 1 },
    { validationScenes: 2 },
  ])
    calls.note(
      `toyFiles ${JSON.stringify(change)}`,
      toyFiles({ ...none, ...change }).map(({ path }) => path),
    );
  calls.note("toyFiles without saying", toyFiles({ train: undefined, size: undefined }).length);
  for (const change of [
    { train: -1 },
    { size: 7 },
    { size: 1025 },
    { sceneSize: 31 },
    { seed: 0.5 },
    { scenes: 1.5 },
    { other: 1 },
  ])
    await calls.does(`toyFiles ${JSON.stringify(change)}`, () => toyFiles(change as object));
  const some = toyFiles({
    seed: 3,
    size: 12,
    train: 1,
    validation: 2,
    imageNet9: 3,
    trainSemi: 6,
    scenes: 0,
    validationScenes: 0,
  });
  for (const path of [
    "train/fish/fish_train_0000.jpg",
    "val/moon/moon_val_0001.jpg",
    "segmentation/validation/moon/moon_val_0000.png",
    "segmentation/validation/moon/moon_val_0001.png",
    "train-semi-segmentation/star/star_train-semi_0005.png",
    "in9/original/val/01_flower/flower_in9_0002.jpg",
    "in9/mixed_same/val/01_flower/flower_in9_0002.jpg",
    "in9/mixed_rand/val/01_flower/flower_in9_0002.jpg",
  ])
    calls.note(path, some.find((file) => file.path === path)?.draw());
  const encoded = async (path: string) => {
    const bytes = await encodeToyFile(some.find((file) => file.path === path)!);
    const { format, width, height } = await sharp(bytes).metadata();
    return [format, width, height];
  };
  await calls.does("encodeToyFile of an image", () => encoded("train/fish/fish_train_0000.jpg"));
  await calls.does("encodeToyFile of a mask", () =>
    encoded("segmentation/validation/moon/moon_val_0000.png"),
  );
  await calls.does("encodeToyFile of a text", () => encodeToyFile({ path: "x.json", draw: () => "é" }));
  const folder = temporaryFolder();
  const { files: count, bytes } = await writeToySet(folder, {
    ...none,
    size: 8,
    validation: 1,
    validationScenes: 1,
    sceneSize: 32,
  });
  const written = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  calls.note("writeToySet", [count, written.length, written.map(({ name }) => name).sort()]);
  calls.note(
    "bytes",
    bytes ===
      written.reduce(
        (sum, entry) => sum + readFileSync(join(entry.parentPath ?? entry.path, entry.name)).length,
        0,
      ),
  );
  await calls.does("writeToySet into a number", () => writeToySet(3 as never));
  calls.approve("data/toy/scenes");
});

test("drawings of a set are approved", async () => {
  const calls = new Calls();
  calls.note("options", drawingOptions);
  const set = drawings(7, 15, { size: 12 });
  calls.note("set", [
    set.length,
    set.size,
    set.classes,
    set.preprocessing,
    set.toString(),
    inspect(set),
    set.plan,
  ]);
  for (const i of [0, 5, 14]) {
    calls.note(`drawing ${i}`, [
      set.path(i),
      set.label(i),
      set.number(i),
      set.facts(i),
      set.pixels(i),
      set.drawing(i).covered,
    ]);
    await calls.does(`load ${i}`, () => set.load(i, new Rng(1)));
  }
  calls.note("kept", [...set.kept.keys()]);
  for (const i of [-1, 15, 1.5]) await calls.does(`path ${i}`, () => set.path(i));
  const view = set.subset([14, 3, 3]);
  calls.note("subset", [view.length, view.number(0), view.label(1), view.path(2), view.kept === set.kept]);
  calls.note(
    "take 4",
    Array.from({ length: 4 }, (_, i) => set.take(4).number(i)),
  );
  await calls.does("subset beyond", () => set.subset([15]));
  await calls.does("load by mae", async () =>
    Object.keys(await set.withTransform(mae(8)).load(0, new Rng(1))),
  );
  await calls.does("load by evaluation", async () =>
    Object.keys(await set.withTransform(evaluation(12)).load(0, new Rng(1))),
  );
  for (const options of [
    { background: "mixed_same" },
    { background: "mixed_rand" },
    { classes: 2 },
    { classes: 7, background: "mixed_rand" },
    { ownBackground: 1 },
    { ownBackground: 0 },
    { patch: 3 },
    { size: 8 },
    {},
  ] as const) {
    const one = drawings(7, 8, options);
    calls.note(`drawings ${JSON.stringify(options)}`, [
      one.toString(),
      one.plan,
      Array.from({ length: 4 }, (_, i) => [one.label(i), one.facts(i)]),
    ]);
    calls.note("  pixels", one.pixels(1));
  }
  for (const options of [
    { size: 7 },
    { size: 1025 },
    { patch: 0 },
    { classes: 1 },
    { classes: 13 },
    { ownBackground: 1.1 },
    { background: "only_fg" },
    { seed: 1 },
  ])
    await calls.does(`drawings ${JSON.stringify(options)}`, () => drawings(1, 1, options as object));
  for (const [seed, count] of [
    [-1, 1],
    [0.5, 1],
    [1, 0],
    [1, 1.5],
    [1, 1_000_001],
  ])
    await calls.does(`drawings ${seed}, ${count}`, () => drawings(seed, count));
  await calls.does("a set of no plan", () => new DrawingSet({} as never, [], none(8)));
  calls.approve("data/toy/drawings");
});

test("questions about drawings are approved", async () => {
  const calls = new Calls();
  calls.note("tables", [colors, colorNames, places, questionKinds, questionOptions]);
  calls.note(
    "isHeldOut",
    toyClasses.map((name) => colorNames.filter((color) => isHeldOut(name, color))),
  );
  calls.note("isHeldOut of others", [isHeldOut("dog", "red"), isHeldOut("fish", "teal" as "red")]);
  for (const kind of questionKinds)
    for (const combinations of ["trained", "held out"] as const)
      calls.note(
        `wantedFor ${kind} ${combinations}`,
        Array.from({ length: 5 }, (_, i) => wantedFor(kind, new Rng(i), combinations)),
      );
  const objects = [
    { name: "fish", color: "red", place: "left", x: 0.2, y: 0.7 },
    { name: "star", color: "blue", place: null, x: 0.6, y: 0.3 },
  ] as const;
  for (const kind of questionKinds)
    calls.note(
      `questionAbout ${kind}`,
      [1, 2, 3, 4, 5].map((seed) => questionAbout(kind, { objects, background: "rays" }, new Rng(seed))),
    );
  calls.note(
    "questionAbout same colors",
    questionAbout(
      "same",
      { objects: [objects[0], { ...objects[1], color: "red" }], background: "rays" },
      new Rng(1),
    ),
  );
  for (const seed of [1, 2, 3]) {
    const one = questionScene([["moon", "green"]], new Rng(seed), 10);
    calls.note(`questionScene ${seed}`, [one.facts, one.draw()]);
    const two = questionScene(
      [
        ["moon", "green"],
        ["heart", "pink"],
      ],
      new Rng(seed),
      10,
    );
    calls.note(`questionScene of two ${seed}`, [two.facts, two.draw()]);
  }
  const set = questions(5, 14, { size: 10 });
  calls.note("set", [set.length, set.size, set.classes, set.preprocessing, set.toString(), inspect(set)]);
  for (let i = 0; i < 7; i++)
    calls.note(`question ${i}`, [set.path(i), set.label(i), set.question(i), set.facts(i)]);
  const drawn = set.pixels(3);
  calls.note("pixels", [drawn, set.pixels(3) === drawn]);
  await calls.does("load 4", () => set.load(4, new Rng(1)));
  for (const i of [-1, 14, 0.5]) await calls.does(`question ${i}`, () => set.question(i));
  calls.note(
    "take 3",
    [0, 1, 2].map((i) => set.take(3).path(i)),
  );
  const view = set.subset([13, 2]);
  calls.note("subset", [view.length, view.label(0), view.question(1), view.pixels(1).width]);
  await calls.does("subset beyond", () => view.subset([2]));
  calls.note("withTransform", [
    set.withTransform(evaluation(8)).size,
    (await set.withTransform(evaluation(8)).load(0, new Rng(1))).image.length,
  ]);
  const other = questions(5, 6, { combinations: "held out", kinds: ["where", "same"] });
  calls.note("held out", [
    other.toString(),
    other.classes,
    Array.from({ length: 6 }, (_, i) => [other.label(i), other.question(i), other.path(i)]),
  ]);
  for (const options of [
    { kinds: [] },
    { kinds: ["why"] },
    { combinations: "all" },
    { size: 7 },
    { seed: 1 },
  ])
    await calls.does(`questions ${JSON.stringify(options)}`, () => questions(1, 1, options as object));
  for (const [seed, count] of [
    [-1, 1],
    [1, 0],
    [1, 1_000_001],
  ])
    await calls.does(`questions ${seed}, ${count}`, () => questions(seed, count));
  await calls.does("a set of no plan", () => new QuestionSet({} as never, [], none(8)));
  calls.approve("data/toy/questions");
});
