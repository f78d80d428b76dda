import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../../src/core/packageRoot";
import type { FolderDataset } from "../../../../src/data/imageFolder";
import {
  imageNet1k,
  imageNet9,
  imageNetA,
  imageNetC,
  imageNetR,
  imageNetSketch,
  imageNetV2,
} from "../../../../src/data/sets";
import { scanInventory, wnidFolders } from "../../../../src/data/sets/completeness";
import { isFlatName, labelFlat } from "../../../../src/data/sets/flatValidation";
import { huggingFace, huggingFaceOptions } from "../../../../src/data/sets/huggingFace";
import { imageNet9Options } from "../../../../src/data/sets/imageNet9";
import { imageNetAMapping, imageNetRMapping } from "../../../../src/data/sets/mappings";
import { featuresBeside, savedToDisk } from "../../../../src/data/sets/savedToDisk";
import { shardFiles } from "../../../../src/data/sets/shardFiles";
import { evaluation, none } from "../../../../src/data/transforms";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { wnids } from "./standIns";

const put = (folder: string, files: Readonly<Record<string, string>>) => {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
};
const empty = (paths: readonly string[]) => Object.fromEntries(paths.map((path) => [path, ""]));
const many = (folder: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${folder}/${i}.JPEG`);

const told = async (opening: Promise<FolderDataset>) => {
  const set = await opening;
  const { root, classes, files, transform, cache, mapping } = set;
  const {
    options: { exif },
    budgetBytes,
  } = cache;
  return {
    root,
    classes: [classes.length, classes[0], classes.at(-1)],
    files,
    transform: [transform.name, transform.size],
    exif,
    budgetBytes,
    mapping: mapping?.name,
  };
};

test("what is said of class folders that lack something is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  put(folder, empty([...many("three/a", 2), ...many("three/b", 3), ...many("three/c", 1)]));
  put(folder, empty([...many("foreign/a", 2), ...many("foreign/x", 3), "foreign/b/notes.txt"]));
  mkdirSync(join(folder, "none", "a"), { recursive: true });
  calls.note("wnidFolders", wnidFolders);
  const expected = ["c", "a", "b"];
  const scan = (place: string, more: object) =>
    calls.does(`scanInventory ${place} ${JSON.stringify(more)}`, () =>
      scanInventory(join(folder, place), { name: "Set", folders: "letters", expected, ...more }),
    );
  await scan("three", {});
  await scan("three", { total: 6 });
  await scan("three", { total: 7 });
  await scan("three", { total: 7, partial: true });
  await scan("three", { perClass: [1, 3] });
  await scan("three", { perClass: [2, 3] });
  await scan("three", { perClass: [1, 2] });
  await scan("three", { perClass: [2, 2], total: 9 });
  await scan("three", { perClass: [2, 2], partial: true });
  await scan("three", { perClass: [3, 3], partial: true });
  await scan("three", { expected: ["a", "b", "c", "d"] });
  await scan("three", { expected: ["d", "c", "b", "a"], partial: true });
  await scan("three", { expected: ["a", "b"], partial: true });
  await scan("three", { expected: Array.from({ length: 20 }, (_, i) => `m${i}`).concat(expected) });
  await scan("three", { expected: Array.from({ length: 21 }, (_, i) => `m${i}`).concat(expected) });
  await scan("foreign", {});
  await scan("none", { expected: ["a"] });
  await scan("none", { expected: ["a"], partial: true });
  await scan("nowhere", {});
  calls.approve("data/sets/completeness");
});

test("how published sets are opened is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const [a, b] = [imageNetAMapping.mappedClasses, imageNetRMapping.mappedClasses].map((list) =>
    list.map((i) => wnids[i]),
  );
  put(
    folder,
    empty([
      ...many(`A/${a[3]}`, 2),
      ...many(`A/${a[1]}`, 1),
      ...many(`R/${b[0]}`, 2),
      ...many(`V2/10`, 10),
      ...many("V2/2", 9),
    ]),
  );
  put(
    folder,
    empty([
      ...many(`C/fog/3/${wnids[7]}`, 2),
      ...many(`C/noise/shot_noise/5/${wnids[9]}`, 51),
      ...many(`S/${wnids[999]}`, 2),
    ]),
  );
  put(folder, empty(many("V2more/7", 11)));
  const at = (name: string) => join(folder, name);
  const opens = (name: string, opening: () => Promise<FolderDataset>) =>
    calls.does(name, () => told(opening()));
  const partial = true;
  await opens("imageNetA", () => imageNetA(at("A"), { partial }));
  await opens("imageNetA, whole", () => imageNetA(at("A")));
  await opens("imageNetA, cache and transform", () =>
    imageNetA(at("A"), { partial, cache: 1000, transform: evaluation(64), exif: "honor" }),
  );
  await opens("imageNetA, no cache", () => imageNetA(at("A"), { partial, cache: false }));
  await opens("imageNetA, other wnids", () => imageNetA(at("A"), { partial, wnids: [...wnids].reverse() }));
  await opens("imageNetA of R", () => imageNetA(at("R"), { partial }));
  await opens("imageNetR", () => imageNetR(at("R"), { partial }));
  await opens("imageNetR, whole", () => imageNetR(at("R")));
  await opens("imageNetSketch", () => imageNetSketch(at("S"), { partial }));
  await opens("imageNetSketch, whole", () => imageNetSketch(at("S")));
  await opens("imageNetV2", () => imageNetV2(at("V2"), { partial }));
  await opens("imageNetV2, whole", () => imageNetV2(at("V2")));
  await opens("imageNetV2, too many", () => imageNetV2(at("V2more"), { partial }));
  await opens("imageNetC fog", () => imageNetC(at("C"), "fog", 3, { partial }));
  await opens("imageNetC fog, transform", () =>
    imageNetC(at("C"), "fog", 3, { partial, transform: evaluation() }),
  );
  await opens("imageNetC shot noise", () => imageNetC(at("C"), "shot_noise", 5, { partial }));
  await opens("imageNetC fog 4", () => imageNetC(at("C"), "fog", 4, { partial }));
  for (const severity of [0, 6, 2.5, Number.NaN])
    await opens(`imageNetC ${severity}`, () => imageNetC(at("C"), "fog", severity));
  await opens("imageNetC of no corruption", () => imageNetC(at("C"), "dust" as "fog", 1));
  await opens("imageNetC of one that is not there", () => imageNetC(at("C"), "snow", 1));
  for (const open of [imageNetA, imageNetR, imageNetSketch, imageNetV2]) {
    await opens(`${open.name} of a number`, () => open(3 as never));
    await opens(`${open.name} with another option`, () => open(at("A"), { part: 1 } as never));
  }
  await opens("imageNetC of a number", () => imageNetC(3 as never, "fog", 1));
  await opens("imageNetC with another option", () => imageNetC(at("C"), "fog", 1, { cache: -1 }));
  calls.title("ImageNet-9");
  calls.note("options", Object.keys(imageNet9Options.optional));
  put(folder, empty(["00_dog", "01_bird", "03_x"].flatMap((name) => many(`nine/original/val/${name}`, 2))));
  put(folder, empty(["dog", "bird_2"].flatMap((name) => many(`nine/no_fg/val/${name}`, 1))));
  const all = ["00_dog", "01_bird", "02_wheeled vehicle", "03_r", "04_c", "05_i", "06_m", "07_p", "08_f"];
  put(folder, empty(all.flatMap((name) => many(`nine/only_fg/val/${name}`, 1))));
  put(folder, { "full/x": "" });
  mkdirSync(at("bare"));
  await opens("imageNet9 of nine", () => imageNet9(at("nine"), "only_fg"));
  await opens("imageNet9 of some", () => imageNet9(at("nine"), "original"));
  await opens("imageNet9 of two", () => imageNet9(at("nine"), "no_fg"));
  await opens("imageNet9, classes", () =>
    imageNet9(at("nine"), "no_fg", { classes: ["p", "q"], cache: false, transform: none(64) }),
  );
  await opens("imageNet9, too many classes", () =>
    imageNet9(at("nine"), "no_fg", { classes: ["p", "q", "r"] }),
  );
  await opens("imageNet9 of another split", () => imageNet9(at("nine"), "mixed_same"));
  await opens("imageNet9 of none", () => imageNet9(at("nowhere"), "original"));
  await opens("imageNet9 of an empty folder", () => imageNet9(at("bare"), "original"));
  await opens("imageNet9 of a number", () => imageNet9(at("nine"), 3 as never));
  await opens("imageNet9 with another option", () =>
    imageNet9(at("nine"), "no_fg", { partial: true } as never),
  );
  calls.title("ImageNet-1K");
  put(
    folder,
    empty([
      ...many(`one/val/${wnids[4]}`, 2),
      ...many(`one/Data/CLS-LOC/train/${wnids[5]}`, 3),
      ...many(wnids[6].replace(/^/, "direct/"), 1),
    ]),
  );
  put(
    folder,
    empty([
      ...many(`kaggle/ILSVRC/Data/CLS-LOC/val/${wnids[1]}`, 1),
      ...many(`tar/ILSVRC2012_img_train/${wnids[2]}`, 1),
    ]),
  );
  put(folder, { "one/synsets.txt": [...wnids].join("\n") });
  put(folder, empty(Array.from({ length: 9 }, (_, i) => `odd/f${i}`)));
  for (const [place, part] of [
    ["one", "val"],
    ["one", "train"],
    ["direct", "val"],
    ["direct", "train"],
    ["kaggle", "val"],
    ["tar", "train"],
  ] as const) {
    await opens(`imageNet1k ${place} ${part}`, () => imageNet1k(at(place), part, { partial }));
    await opens(`imageNet1k ${place} ${part}, whole`, () => imageNet1k(at(place), part));
  }
  await opens("imageNet1k, default", () =>
    imageNet1k(at("one"), undefined, { partial, transform: none(32), cache: 5 }),
  );
  await opens("imageNet1k, other wnids", () =>
    imageNet1k(at("one"), "val", { partial, wnids: [...wnids].reverse() }),
  );
  for (const place of ["odd", "bare", "nowhere", "kaggle"])
    await opens(`imageNet1k ${place}`, () => imageNet1k(at(place), "train"));
  await opens("imageNet1k of no part", () => imageNet1k(at("one"), "test" as never));
  calls.approve("data/sets/published");
});

test("labels of validation images in one folder are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  for (const name of [
    "ILSVRC2012_val_00000001.JPEG",
    "ilsvrc2012_VAL_00000001.jpg",
    "ILSVRC2012_val_0000001.JPEG",
    "xILSVRC2012_val_00000001.JPEG",
    "ILSVRC2012_val_00000001.png",
  ])
    await calls.of(isFlatName, name);
  const name = (i: number) => `ILSVRC2012_val_${String(i).padStart(8, "0")}`;
  const rows = (line: (i: number) => string, count = 50000, end = "\n") =>
    Array.from({ length: count }, (_, i) => line(i + 1)).join(end);
  const images = empty(
    [`${name(3)}.JPEG`, `${name(12)}.jpg`, `${name(2)}.JPEG`, "other.txt"].map((file) => `val/${file}`),
  );
  const solution = (i: number) => `${name(i)},${wnids[(7 * i) % 1000]} 1 2 3 4`;
  const lists: Record<string, Record<string, string>> = {
    solution: { "LOC_val_solution.csv": `ImageId,PredictionString\n${rows(solution)}`, "val.txt": "" },
    crlf: {
      "val/LOC_val_solution.csv": `\ufeffImageId,PredictionString\r\n${rows(solution, 50000, "\r\n")}\r\n\r\n`,
    },
    short: { "LOC_val_solution.csv": `h\n${rows(solution, 4999)}` },
    few: { "LOC_val_solution.csv": `h\n${rows((i) => `${name(i)},${wnids[i % 999]} 1`, 999)}` },
    wrong: {
      "LOC_val_solution.csv": `h\n${rows((i) => (i % 9 === 0 ? `x${i}${"y".repeat(90)}` : solution(i)), 60)}`,
    },
    caffe: { "val.txt": rows((i) => `${name(i)}.JPEG ${(3 * i) % 1000}`) },
    caffeBom: { "val.txt": `\ufeff${rows((i) => `${name(i)}.JPEG ${(3 * i) % 1000}`, 11)}` },
    caffeWrong: { "val.txt": rows((i) => `${name(i)}.JPEG ${i < 4 ? 1000 : i === 5 ? "" : 0}`, 7) },
    caffeBeside: { "val/val.txt": rows((i) => `${name(i)}.JPEG ${i % 10}`, 4) },
    devkitAlone: {
      "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": rows((i) => String(i), 3),
    },
    none: {},
  };
  for (const [place, files] of Object.entries(lists)) {
    put(join(folder, place), { ...images, ...files });
    for (const partial of [true, undefined])
      await calls.once(`labelFlat ${place}${partial ? ", partial" : ""}`, async () => {
        const { classes, files } = await labelFlat(join(folder, place), join(folder, place, "val"), {
          partial,
        });
        return { classes: classes.length, first: classes[0], files };
      });
  }
  await calls.once("labelFlat caffe, other wnids", async () =>
    (
      await labelFlat(join(folder, "caffe"), join(folder, "caffe", "val"), {
        partial: true,
        wnids: [...wnids].reverse(),
      })
    ).classes.slice(0, 2),
  );
  await calls.once("imageNet1k of flat files", () =>
    told(imageNet1k(join(folder, "caffe"), "val", { partial: true })),
  );
  calls.approve("data/sets/flatValidation");
});

test("which files hold a split is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const card = (configs: string) => `---\nconfigs:\n${configs}\n---\n`;
  const shards = (name: string, count: number, of: number, ending = "parquet") =>
    Array.from(
      { length: count },
      (_, i) => `${name}-${String(i).padStart(5, "0")}-of-${String(of).padStart(5, "0")}.${ending}`,
    );
  const sets: Record<string, Record<string, string>> = {
    plain: empty([
      "b.parquet",
      "a.parquet",
      "notes.txt",
      ".hidden.parquet",
      ".git/x.parquet",
      "__pycache__/y.parquet",
      "__z.parquet",
      "cache-1.arrow",
    ]),
    sharded: {
      ...empty([...shards("data/train", 3, 3), ...shards("data/val", 1, 1), "data/more.parquet"]),
      "data/dataset_info.json": '{"features":{"x":{"_type":"Image"}}}',
    },
    twice: empty([
      "train/a/x-00000-of-00002.parquet",
      "train/b/x-00001-of-00002.parquet",
      "test/a/x-00000-of-00001.parquet",
      "test/b/x-00000-of-00001.parquet",
      "dev/x-00000-of-00001.parquet",
      "dev/y-00000-of-00002.parquet",
      "dev/y-00001-of-00002.parquet",
    ]),
    lacking: empty([...shards("data/train", 2, 4), ...shards("data/test", 1, 30)]),
    hashed: empty(["data/train-00000-of-00002-0a1b.parquet", "data/train-00001-of-00002-ffff.parquet"]),
    beyond: empty(["data/train-00000-of-00001.parquet", "data/train-00002-of-00002.parquet"]),
    zero: empty(["data/train-00000-of-00000.parquet"]),
    both: empty(["train/a.parquet", "train/b.arrow", "train/c.arrow"]),
    tie: empty(["train/a.parquet", "train/b.arrow"]),
    folders: {
      ...empty(["train/1/a.arrow", "train/2/b.arrow", "dev/c.arrow", "loose.arrow"]),
      "train/1/dataset_info.json": "{}",
    },
    named: empty(["extra/a.parquet", "train/b.parquet", "own-extra-2.parquet"]),
    one: {
      ...empty(["x/a.parquet", "y.parquet"]),
      "README.md": card("- config_name: c\n  data_files: x/*.parquet"),
    },
    dir: { ...empty(["x/a.parquet", "y.parquet"]), "README.md": card("- config_name: c\n  data_dir: x") },
    several: {
      ...empty(["x/train/a.parquet", "y/b.parquet", "z/c.parquet"]),
      "README.md": card(
        "- config_name: x\n  data_dir: x\n- config_name: y\n  data_files: [{split: val, path: y/*}]",
      ),
    },
    chosen: {
      ...empty(["x/a.parquet", "y/b.parquet"]),
      "README.md": card("- config_name: x\n  data_dir: x\n- config_name: y\n  data_dir: y\n  default: true"),
    },
    none: empty(Array.from({ length: 12 }, (_, i) => `f${String(i).padStart(2, "0")}.txt`)),
  };
  for (const [name, files] of Object.entries(sets)) {
    put(join(folder, name), files);
    for (const split of ["train", "validation", "test", "extra"])
      await calls.does(`shardFiles ${name} ${split}`, () => shardFiles(join(folder, name), split));
  }
  for (const [name, config] of [
    ["several", "x"],
    ["several", "y"],
    ["several", "z"],
    ["several", "w"],
    ["chosen", "x"],
    ["plain", "sub"],
    ["one", "c"],
    ["one", "x"],
  ])
    await calls.does(`shardFiles ${name} with ${config}`, () =>
      shardFiles(join(folder, name), "train", config),
    );
  await calls.does("shardFiles several val with y", () => shardFiles(join(folder, "several"), "val", "y"));
  await calls.does("shardFiles of a file", () =>
    shardFiles(join(folder, "sharded/data/more.parquet"), "test"),
  );
  await calls.does("shardFiles of a text", () => shardFiles(join(folder, "plain/notes.txt"), "test"));
  await calls.does("shardFiles of an upper-case file", () =>
    shardFiles(put(folder, { "A.PARQUET": "" }).concat("/A.PARQUET"), "test"),
  );
  await calls.does("shardFiles of nothing", () => shardFiles(join(folder, "nowhere"), "train"));
  calls.title("saved to disk");
  const state = (...names: unknown[]) =>
    JSON.stringify({ _data_files: names.map((filename) => ({ filename })) });
  const saved: Record<string, Record<string, string>> = {
    single: {
      "state.json": state("b.arrow", "a.arrow"),
      ...empty(["a.arrow", "b.arrow"]),
      "dataset_info.json": '{"features":{"l":{"_type":"ClassLabel"}}}',
    },
    dict: {
      "dataset_dict.json": '{"splits":["train","test"]}',
      "train/state.json": state("x/a.arrow"),
      "train/a.arrow": "",
    },
    noSplits: { "dataset_dict.json": '{"splits":3}' },
    missing: { "state.json": state("a.arrow", "b.arrow", 7, null), "a.arrow": "" },
    nameless: { "state.json": state() },
    noList: { "state.json": "{}" },
    noJson: { "state.json": "[1," },
    noObject: { "state.json": "3" },
    noFeatures: { "state.json": state("a.arrow"), "a.arrow": "", "dataset_info.json": '{"features":null}' },
    otherwise: { "a.arrow": "" },
  };
  for (const [name, files] of Object.entries(saved)) {
    const place = put(join(folder, name), files);
    for (const split of ["train", "test", "val"])
      await calls.does(`savedToDisk ${name} ${split}`, () =>
        savedToDisk(place, split).catch((error) => [
          error.code,
          error.message.replace(/(noJson.state.json:).*/, "$1 …"),
        ]),
      );
    await calls.does(`featuresBeside ${name}`, () => featuresBeside(place));
  }
  calls.approve("data/sets/shardFiles");
});

test("how a set of tables is opened is approved", async () => {
  const fixtures = join(packageRoot(), "tests", "unit", "data", "tables", "fixtures");
  const calls = new Calls({ fixtures });
  calls.note("options", Object.keys(huggingFaceOptions.optional));
  const opens = (name: string, place: string, options?: object) =>
    calls.does(`huggingFace ${name}`, async () => {
      const set = await huggingFace(join(fixtures, place), options);
      const { classes, rows, recent, transform, notTaken, length, report } = set;
      const {
        options: { exif },
        budgetBytes,
      } = set.cache;
      const from = set.shards.map(({ path, columns, rows, groups }) => ({ path, columns, rows, groups }));
      return {
        classes,
        length,
        ...rows,
        from,
        kept: recent.budgetBytes,
        transform: [transform.name, transform.size],
        notTaken,
        count: report.count,
        exif,
        budgetBytes,
      };
    });
  await opens("hub", "hub");
  await opens("hub test", "hub", {
    split: "test",
    groupCache: 1000,
    cache: 7,
    transform: none(32),
    exif: "honor",
  });
  await opens("hub val", "hub", { split: "val" });
  await opens("hub, no labels", "hub", { label: false, groupCache: 0, cache: false });
  await opens("hub, another column", "hub", { label: "none" });
  await opens("hub, another image", "hub", { image: "label" });
  await opens("saved", "saved");
  await opens("saved test", "saved", { split: "test" });
  for (const file of readdirSync(join(fixtures, "labels")).sort()) await opens(file, join("labels", file));
  for (const options of [
    { groupCache: -1 },
    { groupCache: 1.5 },
    { split: 3 },
    { label: true },
    { image: "" },
    { shuffle: 1 },
    { config: "x" },
    { cache: true },
  ])
    await opens(`hub ${JSON.stringify(options)}`, "hub", options);
  await opens("a number", "nowhere");
  await calls.does("huggingFace of a number", () => huggingFace(3 as never));
  calls.approve("data/sets/huggingFace");
});
