import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { cardConfigs } from "../../../../src/data/sets/datasetCard";
import { globMatcher } from "../../../../src/data/sets/glob";
import { hintsFor } from "../../../../src/data/sets/hints";
import {
  imageNet9Classes,
  imageNet9Mapping,
  imageNetAMapping,
  imageNetRMapping,
} from "../../../../src/data/sets/mappings";
import { readMat } from "../../../../src/data/sets/matFile";
import { isUsual, matching, namedAfter, splitsOf, usualName } from "../../../../src/data/sets/splitPatterns";
import { synsetsOf } from "../../../../src/data/sets/synsets";
import { classesOf } from "../../../../src/data/sets/tableClasses";
import { expectWnids, imageNetOptions, imageNetWnids, isWnid } from "../../../../src/data/sets/wnids";
import type { ImageShard } from "../../../../src/data/tables";
import { LabelColumn } from "../../../../src/data/tables/labelColumn";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { wnids } from "./standIns";

const put = (folder: string, files: Readonly<Record<string, string | Uint8Array>>) => {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
};

test("what patterns mean, and splits that names tell, are approved", async () => {
  const calls = new Calls();
  const paths = [
    "a",
    "b.txt",
    "train/x.arrow",
    "train/deep/y.arrow",
    "data/a-b/c",
    "x[1]",
    "é",
    "A",
    ".h",
    "-",
    "a/b",
    "",
  ];
  for (const pattern of [
    "*",
    "**",
    "train/**",
    "**/x.arrow",
    "train/*",
    "train/*/*",
    "**/*.arrow",
    "?",
    "[ab]",
    "[!ab]",
    "[a-c]*",
    "[]]",
    "[]a]",
    "[!]a]",
    "[^a]",
    "[a",
    "x[[]1]",
    "./train/**",
    "//a",
    "../a",
    "a",
    "a*b",
    "*a*",
    "**a",
    "a/**/b",
    "[-]",
    "[z-a]",
    "[a-]",
    "",
    ".*",
    "t*/d*/?.*",
    "[\\]",
    "**/deep/**",
    "**/**",
    "*.t?t",
  ])
    await calls.does(`globMatcher(${JSON.stringify(pattern)}) fits`, () =>
      paths.filter(globMatcher(pattern)),
    );
  const sets: readonly (readonly string[])[] = [
    [],
    ["b.arrow", "a.arrow"],
    [
      "data/train-00001-of-00002.parquet",
      "data/train-00000-of-00002.parquet",
      "data/test-00000-of-00001-abc.parquet",
      "x.arrow",
    ],
    ["data/train-0000-of-00002.parquet", "data/train-00000-of-00002", "deep/data/val-00000-of-00001.parquet"],
    [
      "train/a.arrow",
      "training/b.arrow",
      "x/valid/c.arrow",
      "dev/d.arrow",
      "eval/e.arrow",
      "evaluation-1/f.arrow",
      "other/g.arrow",
    ],
    ["my-train/a.arrow", "b test c/d.arrow", "pre_val_post/e.arrow", "testing0/f.arrow", "trains/g.arrow"],
    [
      "train_0.arrow",
      "x-val.parquet",
      "test.arrow",
      "contrain.arrow",
      "trainer.arrow",
      "sub/dev 1.arrow",
      "0eval0.arrow",
      "Train.arrow",
    ],
  ];
  for (const paths of sets) await calls.of(splitsOf, paths);
  for (const name of [
    "train",
    "training",
    "validation",
    "valid",
    "dev",
    "val",
    "test",
    "testing",
    "eval",
    "evaluation",
    "Train",
    "extra",
    "",
  ]) {
    await calls.of(isUsual, name);
    await calls.of(usualName, name);
  }
  const own = [
    "extra/a.arrow",
    "x-extra.arrow",
    "extras.arrow",
    "ex*ra/b.arrow",
    "e/pre extra 1/c.arrow",
    "[x]/d.arrow",
  ];
  for (const split of ["extra", "ex*ra", "[x]", "none", "../extra", "e?"])
    await calls.of(namedAfter, split, own);
  await calls.of(namedAfter, "extra", own.slice(1));
  await calls.of(matching, ["b*", "*"], ["c", "ba", "a", "b"]);
  await calls.of(matching, [], ["a"]);
  await calls.of(matching, ["*"], []);
  calls.approve("data/sets/patterns");
});

test("classes of published sets and hints at folders that are others are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  for (const one of [imageNetAMapping, imageNetRMapping, imageNet9Mapping]) calls.note(one.name, one);
  calls.note("imageNet9Classes", imageNet9Classes);
  await calls.of(imageNetWnids);
  calls.note("options", Object.keys(imageNetOptions.optional));
  for (const name of ["n01440764", "n1440764", "n014407645", "N01440764", "n01440764 ", ""])
    await calls.of(isWnid, name);
  await calls.of(expectWnids);
  await calls.of(expectWnids, [...wnids].reverse());
  await calls.of(expectWnids, wnids.slice(1));
  await calls.of(expectWnids, [...wnids.slice(1), wnids[1]]);
  await calls.of(expectWnids, [...wnids, wnids[0]]);
  await calls.of(expectWnids, [...wnids.slice(2), "dog", "cat"]);
  await calls.of(expectWnids, []);
  const ofA = imageNetAMapping.mappedClasses.map((index) => wnids[index]);
  const ofR = imageNetRMapping.mappedClasses.map((index) => wnids[index]);
  const numbers = wnids.map((_, i) => String(i));
  const hint = (name: string, expected: readonly string[], found: readonly string[], root = folder) =>
    calls.does(`hintsFor ${name}`, () => hintsFor(root, expected, found));
  await hint("A of R", ofA, ofR);
  await hint("R of A", ofR, ofA);
  await hint("A of all", ofA, wnids);
  await hint("V2 of all", numbers, wnids);
  await hint("all of V2", wnids, numbers);
  await hint("all of all", wnids, wnids);
  await hint("all of A", wnids, ofA);
  await hint("all of none", wnids, []);
  put(folder, {
    "packed/n01440764.tar": "",
    "packed/n01443537.TGZ": "",
    "packed/other.zip": "",
    "packed/x.tar.gz": "",
    "packed/y.rar": "",
    "many/g.zip": "",
    "many/f.zip": "",
    "many/e.zip": "",
    "many/d.zip": "",
    "many/c.zip": "",
    "many/b.zip": "",
    "five/1.zip": "",
    "five/2.zip": "",
    "five/3.zip": "",
    "five/4.zip": "",
    "five/5.zip": "",
    "here/n01440764.tar": "",
    "here/n01440764/a": "",
    "below/imagenet/n01443537/a": "",
    "below/empty/x": "",
  });
  await hint("packed", wnids, [], join(folder, "packed"));
  await hint("many", wnids, [], join(folder, "many"));
  await hint("five", wnids, [], join(folder, "five"));
  await hint("unpacked", wnids, ["n01440764"], join(folder, "here"));
  await hint("below", wnids, ["empty", "imagenet"], join(folder, "below"));
  await hint("below, with one", wnids, ["imagenet", "n01440764"], join(folder, "below"));
  await hint("nowhere", wnids, ["a"], join(folder, "nowhere"));
  calls.approve("data/sets/mappings");
});

const element = (type: number, data: Uint8Array) => {
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(type, 0);
  tag.writeUInt32LE(data.length, 4);
  return Buffer.concat([tag, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
};
const raw = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const small = (type: number, data: Uint8Array) => {
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE((data.length << 16) | type, 0);
  tag.set(data, 4);
  return tag;
};
const matrix = (kind: number, name: string, dims: readonly number[], ...parts: Uint8Array[]) =>
  element(
    14,
    Buffer.concat([
      element(6, Uint8Array.of(kind, 0, 0, 0, 0, 0, 0, 0)),
      element(5, raw(Int32Array.from(dims))),
      element(1, Buffer.from(name)),
      ...parts,
    ]),
  );
const file = (...parts: Uint8Array[]) => {
  const header = Buffer.alloc(128);
  header.write("IM", 126);
  return Buffer.concat([header, ...parts]);
};
const packed = (part: Uint8Array) => {
  const data = deflateSync(part);
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(15, 0);
  tag.writeUInt32LE(data.length, 4);
  return Buffer.concat([tag, data]);
};
const struct = (
  name: string,
  dims: readonly number[],
  fields: readonly string[],
  cells: readonly Uint8Array[],
  width = 16,
) => {
  const names = Buffer.alloc(width * fields.length);
  for (const [i, field] of fields.entries()) names.write(field, width * i);
  return matrix(2, name, dims, small(5, raw(Int32Array.of(width))), element(1, names), ...cells);
};
const number = (...values: number[]) =>
  matrix(6, "", [1, values.length], element(9, raw(Float64Array.from(values))));
const text = (value: string) => matrix(4, "", [1, value.length], element(16, Buffer.from(value)));

test("what a MAT file holds is approved", async () => {
  const calls = new Calls();
  const read = (name: string, ...parts: Uint8Array[]) =>
    calls.does(`readMat ${name}`, () => readMat("m.mat", file(...parts)));
  const arrays: [number, ArrayBufferView][] = [
    [1, Int8Array.of(-3, 100)],
    [2, Uint8Array.of(3, 250)],
    [3, Int16Array.of(-300, 7)],
    [4, Uint16Array.of(65000, 258)],
    [5, Int32Array.of(-70000, 2)],
    [6, Uint32Array.of(4e9, 1)],
    [7, Float32Array.of(-1.5, 2.25)],
    [9, Float64Array.of(1e-3, -7)],
    [12, BigInt64Array.of(-5n, 2n ** 40n)],
    [13, BigUint64Array.of(9n, 2n ** 63n)],
    [16, Uint8Array.of(65, 66)],
    [17, Uint16Array.of(233, 8364)],
    [8, Uint8Array.of(1)],
    [18, Uint8Array.of(1)],
    [10, Uint8Array.of(1)],
  ];
  for (const [type, values] of arrays)
    await read(`numbers of type ${type}`, matrix(6, "x", [1, 2], element(type, raw(values))));
  for (const kind of [1, 3, 4, 5, 6, 7, 15, 16, 0])
    await read(`class ${kind}`, matrix(kind, "x", [1, 2], element(2, Uint8Array.of(72, 105))));
  await read("small elements", matrix(6, "x", [1, 2], small(4, raw(Uint16Array.of(7, 300)))));
  await read(
    "a small element that says 5 bytes",
    matrix(6, "x", [1, 4], small(2, Uint8Array.of(1, 2, 3, 4)).fill(5, 2, 3)),
  );
  await read("a text of 5000", matrix(4, "x", [1, 5000], element(16, Buffer.alloc(5000, 65))));
  await read("no values", matrix(6, "x", [0, 0]), matrix(4, "y", [0, 0]));
  await read(
    "two, one packed",
    matrix(6, "x", [1, 1], element(2, Uint8Array.of(5))),
    packed(matrix(4, "é", [1, 1], element(16, Buffer.from("q")))),
  );
  await read("a packed one first", packed(number(3)), matrix(6, "z", [1, 1], element(2, Uint8Array.of(5))));
  await read(
    "the same name twice",
    matrix(6, "x", [1, 1], element(2, Uint8Array.of(5))),
    matrix(6, "x", [1, 1], element(2, Uint8Array.of(6))),
  );
  await read(
    "other elements between",
    element(2, Uint8Array.of(1)),
    matrix(6, "x", [1, 1], element(2, Uint8Array.of(5))),
  );
  await read(
    "structs",
    struct("s", [1, 2], ["size", "a_name"], [number(3, 4), text("x"), number(), text("")]),
  );
  await read(
    "structs of 2 x 2",
    struct("s", [2, 2], ["f"], [number(1), number(2), number(3), number(4)], 32),
  );
  await read("structs that lack one", struct("s", [1, 2], ["f", "g"], [number(1), number(2), number(3)]));
  await read("an empty cell", struct("s", [1, 1], ["f"], [element(14, new Uint8Array())]));
  await read("no structs", struct("s", [0, 1], ["f"], []));
  await read("nested structs", struct("s", [1, 1], ["f"], [struct("", [1, 1], ["g"], [number(8)])]));
  await read("nothing");
  await read("an end of 7 bytes", new Uint8Array(7));
  await read("cut off", number(1, 2, 3).subarray(0, 50));
  await read("no name", element(14, element(6, new Uint8Array(8))));
  await calls.of(readMat, "a.mat", Buffer.alloc(127));
  await calls.of(readMat, "a.mat", Buffer.alloc(128));
  await calls.does("readMat of version 4", () => readMat("a.mat", file().fill("MI", 126)));
  calls.approve("data/sets/matFile");
});

const metaMat = (ids = (i: number) => 1000 - i, children = () => 0) =>
  file(
    packed(
      struct(
        "synsets",
        [1001, 1],
        ["ILSVRC2012_ID", "WNID", "num_children"],
        [...wnids, "n00000001"].flatMap((wnid, i) => [
          number(i < 1000 ? ids(i) : 2000),
          text(wnid),
          number(i < 1000 ? children() : 3),
        ]),
      ),
    ),
  );

test("classes that lists beside images name are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const devkit = "ILSVRC2012_devkit_t12/data/meta.mat";
  const lists: Record<string, Record<string, string | Uint8Array>> = {
    none: { "x.txt": "" },
    kaggle: {
      "LOC_synset_mapping.txt": [...wnids]
        .reverse()
        .map((wnid) => `${wnid} a name, another`)
        .join("\r\n"),
    },
    caffe: { "synsets.txt": wnids.join("\n"), "synset_words.txt": "" },
    words: { "synset_words.txt": `\ufeff${wnids.map((wnid) => `${wnid} some words\n`).join("")}` },
    bom: { "synset_words.txt": `\n${wnids.map((wnid) => `${wnid} some words\n`).join("")}` },
    few: { "synsets.txt": wnids.slice(1).join("\n") },
    twice: { "synsets.txt": [...wnids, ...wnids].join("\n") },
    indented: { "synsets.txt": wnids.map((wnid) => ` ${wnid}`).join("\n") },
    devkit: { [devkit]: metaMat(), "LOC_synset_mapping.txt": "" },
    leaves: { [devkit]: metaMat(undefined, () => 1) },
    other: { [devkit]: file(struct("synsets", [1, 1], ["WNID"], [text("n1")])) },
    noStruct: { [devkit]: file(matrix(6, "synsets", [1, 1], element(2, Uint8Array.of(1)))) },
  };
  for (const [name, files] of Object.entries(lists)) {
    const place = put(join(folder, name), files);
    await calls.does(`synsetsOf ${name}`, async () => {
      const found = await synsetsOf(place);
      return (
        found && {
          wnids: found.wnids,
          ids: found.ids && [found.ids.size, found.ids.get(1), found.ids.get(1000), found.ids.get(2000)],
        }
      );
    });
  }
  calls.approve("data/sets/synsets");
});

test("configurations of a data set's card are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const heads: readonly string[] = [
    "configs:\n- config_name: a\n  data_files: x/*.parquet",
    "configs:\n- config_name: a\n  data_files: [x, y/**]\n  data_dir: sub/dir\n- config_name: b\n  default: true",
    "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: t*.parquet\n  - split: own\n    path: [a, b]",
    "configs:\n- config_name: a\n  default: yes\n  data_dir: 3",
    "configs:\n- config_name: a\n  default: 'true'",
    "configs:\n- config_name: 7",
    "configs:\n- data_dir: x",
    "configs:\n- null",
    "configs: []",
    "configs: a",
    "configs:\n  a: 1",
    "license: mit",
    "",
    "configs:\n- config_name: a\n  data_files: {split: train, path: x}",
    "configs:\n- config_name: a\n  data_files: [{split: train}]",
    "configs:\n- config_name: a\n  data_files: [{split: 1, path: x}]",
    "configs:\n- config_name: a\n  data_files: [{split: a, path: [x, 2]}]",
    "configs:\n- config_name: a\n  data_files: [x, {split: a, path: y}]",
    "configs:\n- config_name: a\n  data_files: []",
    "configs:\n- config_name: a\n  data_files: 3",
    "configs:\n- config_name: a\n  data_files: [{split: a, path: x}, {split: a, path: y}]",
    "configs:\n- config_name: a\n  data_dir: ../out",
    "configs:\n- config_name: a\n  data_dir: /etc",
    "configs:\n- config_name: a\n  data_dir: a/../b",
    "configs:\n- config_name: a\n  data_dir: 'a\\..\\b'",
    "configs:\n- config_name: a\n  data_dir: a..b",
    "configs:\n- config_name: é中\n  data_dir: ü",
  ];
  for (const [i, head] of heads.entries()) {
    const place = put(join(folder, String(i)), { "README.md": `---\n${head}\n---\n# Title\n` });
    await calls.does(`cardConfigs ${JSON.stringify(head)}`, () => cardConfigs(place));
  }
  const head = "configs:\n- config_name: a";
  const texts: readonly string[] = [
    "",
    "# Title\n",
    `---\n${head}\n---`,
    `---\n${head}\n---  \n`,
    `\ufeff---\n${head}\n---\n`,
    `---\n${head}\n`,
    `\n---\n${head}\n---\n`,
    `---\r\n${head.replace("\n", "\r\n")}\r\n---\r\nx`,
    `---\n${head}\n---x\n---\n`,
    `--- \n${head}\n---\n`,
    "---\n\n---\n",
    "---\n---\n",
  ];
  for (const [i, content] of texts.entries()) {
    const place = put(join(folder, `t${i}`), { "README.md": content });
    await calls.does(`cardConfigs of ${JSON.stringify(content)}`, () => cardConfigs(place));
  }
  await calls.does("cardConfigs of a broken head", async () => {
    const place = put(join(folder, "broken"), { "README.md": "---\nconfigs: [a\n---\n" });
    return cardConfigs(place).catch((error) => error.message.replace(/\(.*/s, "(…"));
  });
  await calls.does("cardConfigs without a card", () => cardConfigs(join(folder, "nowhere")));
  calls.approve("data/sets/datasetCard");
});

const shard = (path: string, labels: readonly unknown[] | undefined, names?: unknown): ImageShard => {
  const rows = labels?.length ?? 3;
  const column = labels && new LabelColumn(rows, path);
  if (labels) column!.add(labels);
  return {
    path,
    rows,
    groups: [0],
    features: { l: { _type: "ClassLabel", names: names as string[] } },
    columns: { image: "i", label: labels && "l" },
    labels: column,
    image: async () => path,
  };
};

test("what labels of tables mean is approved", async () => {
  const calls = new Calls();
  const of = (name: string, shards: readonly ImageShard[], described = {}) =>
    calls.does(`classesOf ${name}`, () => classesOf("s", shards, described));
  await of("no labels", [shard("a", undefined), shard("b", undefined)]);
  await of("numbers", [shard("a", [3, 0, 1]), shard("b", [1, 1])]);
  await of("bigints", [shard("a", [3n, 0n])]);
  await of("texts", [shard("a", ["b", "é", "B"]), shard("b", ["a", "b"])]);
  await of("booleans", [shard("a", [true, true])]);
  await of("mixed", [shard("a", ["b", 1])]);
  await of("mixed with booleans", [shard("a", [true, 1])]);
  await of("texts and an empty one", [shard("a", ["b", null, "c"])]);
  await of("-1", [shard("a", [0, -1, 2]), shard("b", [-1, -1, -1, -1, -2])]);
  await of("all -1", [shard("a", [-1, -1])]);
  await of("all empty", [shard("a", [null, undefined]), shard("b", [Number.NaN])]);
  await of("no rows", [shard("a", [])]);
  await of("halves", [shard("a", [0, 1.5, 2]), shard("b", [0.25, Number.POSITIVE_INFINITY])]);
  await of("29,999", [shard("a", [29_999])]);
  await of("30,000", [shard("a", [30_000])]);
  await of("30,000 texts", [
    shard(
      "a",
      Array.from({ length: 30_000 }, (_, i) => `t${i}`),
    ),
  ]);
  await of("30,001 texts", [
    shard(
      "a",
      Array.from({ length: 30_001 }, (_, i) => `t${i}`),
    ),
  ]);
  await of("declared", [shard("a", [2, 0], ["x", "y", "z"])]);
  await of("declared, by texts", [shard("a", ["z", "x"], ["x", "y", "z"])]);
  await of("declared, beyond", [shard("a", [3, 0], ["x", "y", "z"])]);
  await of("declared, another text", [shard("a", ["w"], ["x", "y", "z"])]);
  await of("declared otherwise", [
    shard("a", [1], ["x", "y"]),
    shard("b", [1], ["x", "y"]),
    shard("c", [1], ["y", "x"]),
  ]);
  await of("declared by one", [shard("a", [1], ["x", "y"]), shard("b", [1])]);
  await of("declared by one, many", [
    shard("a", [1]),
    shard(
      "b",
      [1],
      Array.from({ length: 11 }, (_, i) => `c${i}`),
    ),
  ]);
  await of("declared as no list", [shard("a", [1], "xy")]);
  await of("described", [shard("a", [1], ["x", "y"]), shard("b", [0])], { l: { names: ["p", "q"] } });
  await of("described elsewhere", [shard("a", [1])], { m: { names: ["p", "q"] } });
  calls.approve("data/sets/tableClasses");
});
