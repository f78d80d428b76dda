import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { packageRoot } from "../../../../src/core/packageRoot";
import { Rng } from "../../../../src/core/rng";
import { SkipReport } from "../../../../src/data/dataset";
import { PixelCache } from "../../../../src/data/reading";
import { openShard, RecentGroups, TableDataset } from "../../../../src/data/tables";
import { scanMessages } from "../../../../src/data/tables/arrowMessages";
import { TableFile } from "../../../../src/data/tables/tableFile";
import { evaluation, mae, none } from "../../../../src/data/transforms";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { flatPng } from "../support";
import {
  batch,
  batchParts,
  column,
  dictionary,
  message,
  type Part,
  schema,
  texts,
  types,
} from "./arrowStream";

const fixtures = join(packageRoot(), "tests", "unit", "data", "tables", "fixtures");
const choose =
  (label?: string, image = "image") =>
  () =>
    label === undefined ? { image } : { image, label };
const all = async (path: string, label?: string, image?: string) => {
  const recent = new RecentGroups(1e6);
  const shard = await openShard(path, choose(label, image), recent);
  const rows: unknown[] = [];
  for (let row = 0; row < Math.min(shard.rows, 14); row++)
    rows.push(await shard.image(row).catch((error) => `${error.code}: ${error.message}`));
  const { values, codes } = shard.labels ?? {};
  return {
    path: shard.path,
    rows: shard.rows,
    groups: shard.groups,
    features: shard.features,
    columns: shard.columns,
    values,
    codes,
    images: rows,
    kept: recent.bytes,
  };
};

test("what tables of each kind hold is approved", async () => {
  const calls = new Calls({ fixtures });
  for (const folder of readdirSync(fixtures).sort())
    for (const file of readdirSync(join(fixtures, folder)).sort()) {
      if (!/\.(arrow|parquet)$/.test(file) || file.startsWith("repeated")) continue;
      const path = join(fixtures, folder, file);
      await calls.once(`${folder}/${file}`, () => all(path));
      await calls.once("  with labels", async () =>
        (({ values, codes }) => ({ values, codes }))(await all(path, "label")),
      );
    }
  const hub = join(fixtures, "hub", "data", "test-00000-of-00001.parquet");
  await calls.does("no such label", () => all(hub, "none"));
  await calls.does("no such columns", () => all(hub, "none", "nothing"));
  await calls.does("no such label of Arrow", () => all(join(fixtures, "kinds", "binary.arrow"), "none"));
  await calls.does("labels as images", () => all(hub, undefined, "label"));
  await calls.does("labels as images of Arrow", () =>
    all(join(fixtures, "kinds", "binary.arrow"), undefined, "label"),
  );
  const folder = temporaryFolder();
  copyFileSync(hub, join(folder, "named.arrow"));
  await calls.does(
    "a Parquet file that is called otherwise",
    async () => (await all(join(folder, "named.arrow"))).rows,
  );
  for (const [name, content] of Object.entries({
    "empty.parquet": "",
    "empty.arrow": "",
    "short.parquet": "PAR1",
    "text.parquet": "some text that is no table",
    "text.arrow": "some text that is no table",
    "foot.parquet": `PAR1${"x".repeat(20)}\xff\0\0\0PAR1`,
  })) {
    writeFileSync(join(folder, name), content, "latin1");
    await calls.does(name, async () =>
      all(join(folder, name)).catch((error) => `${error.code}: ${error.message.replace(folder, "")}`),
    );
  }
  calls.approve("data/tables/shards");
});

const folder = temporaryFolder();
let written = 0;
const stream = (...parts: Uint8Array[]) => {
  const path = join(folder, `${written++}.arrow`);
  writeFileSync(path, Buffer.concat(parts));
  return path;
};
const image = column("image", types.binary);
const label = column("label", types.int, { 0: { int: 16 }, 1: { byte: 1 } });
const numbers = (...values: number[]): Part => ({
  buffers: [new Uint8Array(), new Uint8Array(Int16Array.from(values).buffer)],
});
const end = Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]);

test("what Arrow streams made by hand hold is approved", async () => {
  const calls = new Calls({ tmp: folder });
  const scan = (name: string, ...parts: Uint8Array[]) => {
    const path = stream(...parts);
    return calls.does(`scan ${name}`, () =>
      TableFile.opened(path, async (file) => {
        const { schema: found, batches, dictionaries } = await scanMessages(file);
        return {
          names: found.fields.map((field) => field.name),
          metadata: found.metadata,
          batches,
          dictionaries,
        };
      }),
    );
  };
  const two = [texts(["one", "", "three"]), numbers(1, -2, 3)];
  const head = schema([image, label]);
  const told = schema([image, label], {
    2: {
      tables: [
        { 0: { text: "huggingface" }, 1: { text: '{"info":{"features":{"image":{"_type":"Image"}}}}' } },
        { 0: { text: "é" }, 1: { text: "" } },
      ],
    },
  });
  await scan("two batches", told, batch(3, two), batch(1, [texts(["x"]), numbers(7)]), end);
  await scan("no end", head, batch(3, two));
  await scan("an end of 4 bytes", head, batch(3, two), Buffer.alloc(4));
  await scan("what follows the end", head, end, batch(3, two));
  await scan("two schemas", head, schema([label]), batch(3, two));
  await scan("no schema", batch(3, two));
  await scan("big-endian", message(1, { 0: { short: 1 }, 1: { tables: [image] } }));
  await scan("another message", head, message(4, {}), batch(3, two));
  await scan("a message without a header", head, message(0, {}), batch(3, two));
  await scan("compressed by LZ4", head, batch(3, two, { 3: { table: {} } }));
  await scan("compressed by Zstandard", head, batch(3, two, { 3: { table: { 0: { byte: 1 } } } }));
  await scan("compressed by another", head, batch(3, two, { 3: { table: { 0: { byte: 2 } } } }));
  await scan("compressed by another method", head, batch(3, two, { 3: { table: { 1: { byte: 1 } } } }));
  const { header, body } = batchParts(3, two);
  await scan("more rows than bits", head, message(3, { ...header, 0: { long: 8 * body.length + 1 } }, body));
  await scan("fewer rows than none", head, message(3, { ...header, 0: { long: -1 } }, body));
  await scan("a buffer beyond", head, message(3, { ...header, 2: { longs: [[0, body.length + 1]] } }, body));
  await scan("a buffer before", head, message(3, { ...header, 2: { longs: [[-8, 8]] } }, body));
  await scan("a buffer of less than none", head, message(3, { ...header, 2: { longs: [[8, -8]] } }, body));
  await scan("data buffers", head, batch(3, two, { 4: { longs: [[3], [1]] } }));
  await scan(
    "dictionaries",
    head,
    dictionary(5, 2, texts(["a", "b"])),
    batch(3, two),
    dictionary(5, 1, texts(["c"]), true),
    dictionary(6, 1, texts(["d"])),
  );
  await scan("a dictionary without values", head, message(2, { 0: { long: 5 } }));
  await scan("cut in a body", head, batch(3, two).subarray(0, -3));
  await scan("cut in a message", head, batch(3, two).subarray(0, 30));
  await scan("cut in a length", head, batch(3, two).subarray(0, 6));
  await scan("no stream", Buffer.from("\xff\xff\xff\xff\xff\xff\xff\x7f", "latin1"));
  await scan(
    "a file",
    Buffer.from("ARROW1\0\0"),
    head,
    dictionary(5, 1, texts(["a"])),
    batch(3, two),
    dictionary(5, 1, texts(["b"])),
    end,
  );
  calls.title("shards");
  const open = (name: string, column: string | undefined, ...parts: Uint8Array[]) => {
    const path = stream(...parts);
    return calls.does(`open ${name}`, () => all(path, column));
  };
  await open(
    "two columns",
    "label",
    head,
    batch(3, two),
    batch(0, [texts([]), numbers()]),
    batch(2, [texts([undefined, "y"]), numbers(9, 8)]),
  );
  await open("no batches", "label", head);
  await open(
    "large offsets",
    undefined,
    schema([column("image", types.largeBinary)]),
    batch(2, [texts(["ab", "cde"], 8)]),
  );
  await open(
    "dictionaries",
    "name",
    schema([
      image,
      column(
        "name",
        types.utf8,
        {},
        { 4: { table: { 0: { long: 4 }, 1: { table: { 0: { int: 8 }, 1: { byte: 1 } } } } } },
      ),
    ]),
    dictionary(4, 2, texts(["a", undefined])),
    dictionary(9, 1, texts(["z"])),
    batch(3, [texts(["i", "j", "k"]), { nulls: 1, buffers: [Uint8Array.of(0b011), Uint8Array.of(1, 0, 9)] }]),
    dictionary(4, 1, texts(["c"]), true),
    batch(1, [texts(["l"]), { buffers: [new Uint8Array(), Uint8Array.of(2)] }]),
    dictionary(4, 1, texts(["d"])),
    batch(1, [texts(["m"]), { buffers: [new Uint8Array(), Uint8Array.of(0)] }]),
  );
  await open(
    "a dictionary of too few",
    "name",
    schema([image, column("name", types.utf8, {}, { 4: { table: { 0: { long: 4 } } } })]),
    dictionary(4, 1, texts(["a"])),
    batch(1, [texts(["i"]), { buffers: [new Uint8Array(), Uint8Array.of(1, 0, 0, 0)] }]),
  );
  await open(
    "a dictionary below 0",
    "name",
    schema([image, column("name", types.utf8, {}, { 4: { table: { 0: { long: 4 } } } })]),
    dictionary(4, 1, texts(["a"])),
    batch(1, [texts(["i"]), { buffers: [new Uint8Array(), Uint8Array.of(255, 255, 255, 255)] }]),
  );
  await open(
    "booleans with gaps",
    "yes",
    schema([image, column("yes", types.bool)]),
    batch(3, [texts(["a", "b", "c"]), { nulls: 1, buffers: [Uint8Array.of(0b101), Uint8Array.of(0b100)] }]),
  );
  await open(
    "numbers with gaps",
    "label",
    head,
    batch(3, [
      texts(["a", "b", "c"]),
      { nulls: 2, buffers: [Uint8Array.of(0b010), new Uint8Array(Int16Array.of(5, 6, 7).buffer)] },
    ]),
  );
  await open(
    "null labels",
    "none",
    schema([image, column("none", 1)]),
    batch(2, [texts(["a", "b"]), { buffers: [] }]),
  );
  await open(
    "dates",
    "day",
    schema([image, column("day", 8)]),
    batch(1, [texts(["a"]), { buffers: [new Uint8Array(), new Uint8Array(8)] }]),
  );
  await open(
    "a struct",
    undefined,
    schema([
      column(
        "image",
        types.struct,
        {},
        { 5: { tables: [column("bytes", types.binary), column("path", types.utf8)] } },
      ),
    ]),
    batch(4, [
      { nulls: 1, buffers: [Uint8Array.of(0b1101)] },
      texts(["abc", "hid", undefined, ""]),
      texts(["p", "q", "r.jpg", undefined]),
    ]),
  );
  await open(
    "a struct without bytes",
    undefined,
    schema([column("image", types.struct, {}, { 5: { tables: [column("path", types.utf8)] } })]),
    batch(1, [{ buffers: [new Uint8Array()] }, texts(["p"])]),
  );
  const view = (length: number, ...rest: number[]) => [
    ...new Uint8Array(Int32Array.of(length).buffer),
    ...rest,
    ...Array(12 - rest.length).fill(0),
  ];
  const viewed = (...rows: number[][]) =>
    batch(
      rows.length,
      [{ buffers: [new Uint8Array(), Uint8Array.from(rows.flat()), Buffer.from("0123456789abcdefghij")] }],
      { 4: { longs: [[1]] } },
    );
  await open(
    "views",
    undefined,
    schema([column("image", 23)]),
    viewed(
      view(3, 65, 66, 67),
      view(12, ...Array(12).fill(90)),
      view(13, 48, 49, 50, 51, 0, 0, 0, 0, 2, 0, 0, 0),
      view(13, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0),
      view(19, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0),
    ),
  );
  const offsets = (...places: number[]) =>
    batch(places.length - 1, [
      { buffers: [new Uint8Array(), new Uint8Array(Int32Array.from(places).buffer), Buffer.from("abcdef")] },
    ]);
  await open("offsets that fall", undefined, schema([image]), offsets(0, 4, 2, 6, 7));
  await open(
    "too few offsets",
    undefined,
    schema([image]),
    batch(3, [{ buffers: [new Uint8Array(), new Uint8Array(12), Buffer.from("abc")] }]),
  );
  await open(
    "label offsets that fall",
    "name",
    schema([image, column("name", types.utf8)]),
    batch(1, [
      texts(["a"]),
      { buffers: [new Uint8Array(), new Uint8Array(Int32Array.of(3, 1).buffer), Buffer.from("abc")] },
    ]),
  );
  calls.approve("data/tables/streams");
});

test("sets of tables, their views and their orders are approved", async () => {
  const root = temporaryFolder();
  const calls = new Calls({ tmp: root });
  const pictures = await Promise.all(
    [
      [200, 0, 0],
      [0, 200, 0],
      [0, 0, 200],
    ].map(([r, g, b]) => flatPng(4, 4, [r, g, b])),
  );
  mkdirSync(join(root, "sub"));
  writeFileSync(join(root, "sub", "a.png"), pictures[2]);
  const shard = (path: string, images: (Uint8Array | string)[]) => ({
    path,
    rows: images.length,
    groups: [0],
    features: {},
    columns: { image: "i" },
    image: async (row: number) => images[row],
  });
  const shards = [
    shard("s0", [pictures[0], pictures[1]]),
    shard("s1", [join("sub", "a.png"), join(root, "sub", "a.png"), Buffer.from("bad"), pictures[1]]),
  ] as never[];
  const rows = {
    shard: Int32Array.of(0, 0, 1, 1, 1, 1),
    row: Int32Array.of(0, 1, 0, 1, 2, 3),
    group: Int32Array.of(0, 0, 1, 1, 2, 2),
    labels: Int32Array.of(0, 1, 0, 1, 0, 1),
  };
  const parts = {
    root,
    classes: ["x", "y"],
    shards,
    rows,
    transform: none(4),
    cache: new PixelCache(0, {}),
    recent: new RecentGroups(0),
    report: new SkipReport(),
    notTaken: [],
  };
  const set = new TableDataset(parts);
  calls.note("set", [
    set.length,
    set.size,
    set.hasBytes,
    set.preprocessing,
    set.classes,
    set.notTaken,
    inspect(set),
  ]);
  calls.note("by mae", [
    set.withTransform(mae(8)).hasBytes,
    set.withTransform(mae(8)).preprocessing,
    set.withTransform(mae(8)).size,
  ]);
  for (let i = 0; i < 6; i++) {
    calls.note(`row ${i}`, [set.path(i), set.label(i)]);
    await calls.does(`load ${i}`, async () =>
      (({ image, ...rest }) => ({ ...rest, image: [image[0], image[16], image[32]] }))(
        await set.load(i, new Rng(1)),
      ),
    );
  }
  calls.note("report", [set.report.count, set.report.replaced, set.report.skipped, inspect(set)]);
  for (const i of [-1, 6, 0.5]) await calls.does(`label ${i}`, () => set.label(i));
  const view = set.subset([5, 2, 2]);
  calls.note("subset", [
    view.length,
    [0, 1, 2].map((i) => [view.path(i), view.label(i)]),
    view.subset([1]).path(0),
    view.withTransform(evaluation(4)).path(0),
  ]);
  await calls.does("subset beyond", () => view.subset([3]));
  calls.note(
    "take 4",
    [0, 1, 2, 3].map((i) => set.take(4).path(i)),
  );
  calls.note(
    "shuffled",
    [1, 2].map((seed) => set.shuffled(new Rng(seed))),
  );
  calls.note("shuffled view", view.shuffled(new Rng(1)));
  const many = 40;
  const wide = new TableDataset({
    ...parts,
    notTaken: ["a", "b"],
    rows: {
      labels: new Int32Array(many),
      shard: new Int32Array(many),
      row: Int32Array.from({ length: many }, (_, i) => i),
      group: Int32Array.from({ length: many }, (_, i) => i >> 1),
    },
  });
  calls.note("shuffled of 20 groups", wide.shuffled(new Rng(3)));
  for (const count of [1, 5, 6])
    calls.note(
      `${count} not taken`,
      inspect(
        new TableDataset({
          ...parts,
          shards: shards.slice(1),
          notTaken: Array.from({ length: count }, (_, i) => `f${i}`),
        }),
      ),
    );
  calls.approve("data/tables/datasets");
});
