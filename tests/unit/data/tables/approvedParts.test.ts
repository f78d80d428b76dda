import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { LuvitError } from "../../../../src/core/errors";
import { readBuffer, regionOf, wholeBuffer } from "../../../../src/data/tables/arrowBuffers";
import {
  fieldsOf,
  isNumber,
  isStruct,
  isVariable,
  isView,
  offsetBytes,
} from "../../../../src/data/tables/arrowFields";
import { ArrowLayout, valuesOf } from "../../../../src/data/tables/arrowLayout";
import { bitAt, readNumbers } from "../../../../src/data/tables/arrowNumbers";
import { FlatTable } from "../../../../src/data/tables/flatbuffer";
import { expectRowCount, featuresFrom, groupAt, imageOf } from "../../../../src/data/tables/imageTable";
import { LabelColumn, mostLabelBytes, notLabels, tooLarge } from "../../../../src/data/tables/labelColumn";
import { unpackHadoopLz4, unpackLz4Block, unpackLz4Frame } from "../../../../src/data/tables/lz4Frame";
import { decompressors, parquetModule } from "../../../../src/data/tables/parquetModule";
import { expectGrowth, expectPages } from "../../../../src/data/tables/parquetPages";
import { RecentGroups } from "../../../../src/data/tables/recentGroups";
import { reading, TableFile } from "../../../../src/data/tables/tableFile";
import { readThrift } from "../../../../src/data/tables/thrift";
import { unpackZstdFrame } from "../../../../src/data/tables/zstdFrame";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { type Fields, flatbuffer } from "./arrowStream";
import { lz4Blocks, varint } from "./support";

test("what columns of Arrow files are, and where they lie, is approved", async () => {
  const calls = new Calls();
  const flat = FlatTable.root(
    flatbuffer({
      0: { byte: 200 },
      1: { short: -3 },
      2: { int: -70000 },
      3: { long: -5n },
      4: { text: "é中" },
      5: { table: { 1: { byte: 7 } } },
      6: { tables: [{ 0: { int: 1 } }, { 0: { int: 2 } }] },
      7: {
        longs: [
          [1, 2],
          [3, 4],
        ],
      },
      9: { longs: [[5], [6], [7]] },
    }),
  );
  calls.note("fields", [
    flat.byte(0),
    flat.short(1),
    flat.int(2),
    flat.long(3),
    flat.text(4),
    flat.table(5)?.byte(1),
    flat.tables(6).map((one) => one.int(0)),
    flat.pairs(7),
    flat.longs(9),
  ]);
  calls.note("defaults", [
    flat.byte(8),
    flat.short(8),
    flat.int(80),
    flat.long(8),
    flat.text(8),
    flat.table(8),
    flat.tables(8),
    flat.pairs(8),
    flat.longs(8),
  ]);
  const damaged = flatbuffer({ 0: { longs: [[1], [2]] } });
  damaged[damaged.length - 20] = 200;
  await calls.does("a list that does not fit", () => FlatTable.root(damaged).longs(0));
  const column = (type: number, details: Fields | undefined, more: Fields = {}): Fields => {
    const plain: Fields = { 0: { text: `t${type}` }, 2: { byte: type }, ...more };
    return details === undefined ? plain : { ...plain, 3: { table: details } };
  };
  const types = (columns: Fields[], version = 4) =>
    fieldsOf(FlatTable.root(flatbuffer({ 1: { tables: columns } })), 1, version);
  const all = Array.from({ length: 28 }, (_, type) => column(type, undefined));
  for (const [i, field] of types(all).entries())
    calls.note(`type ${i}`, [
      field,
      isStruct(field),
      isNumber(field),
      isVariable(field),
      isView(field),
      offsetBytes(field),
    ]);
  const details: Fields[] = [
    column(2, { 0: { int: 8 }, 1: { byte: 1 } }),
    column(2, { 0: { int: 64 } }),
    column(2, { 0: { int: 7 } }),
    column(3, { 0: { short: 0 } }),
    column(3, { 0: { short: 1 } }),
    column(3, { 0: { short: 2 } }),
    column(3, { 0: { short: 3 } }),
    column(14, { 0: { short: 0 } }),
    column(14, { 0: { short: 1 } }),
    column(13, {}, { 5: { tables: [column(5, {}), column(2, { 0: { int: 16 } })] } }),
    column(5, {}, { 4: { table: { 0: { long: 9 } } } }),
    column(13, {}, { 4: { table: { 0: { long: 3 }, 1: { table: { 0: { int: 8 } } } } } }),
    column(24, {}, { 4: { table: { 1: { table: { 0: { int: 16 }, 1: { byte: 1 } } } } } }),
  ];
  for (const field of types(details))
    calls.note("column", [field, isStruct(field), isNumber(field), isVariable(field), isView(field)]);
  calls.note("unions of version 3", types(details.slice(7, 9), 3));
  await calls.does("a dictionary of 24 bits", () =>
    types([column(5, {}, { 4: { table: { 1: { table: { 0: { int: 24 } } } } } })]),
  );
  const nested = (depth: number): Fields =>
    column(13, {}, depth === 0 ? {} : { 5: { tables: [nested(depth - 1)] } });
  await calls.does("16 deep", () => types([nested(15)]).length);
  await calls.does("17 deep", () => types([nested(16)]).length);
  calls.title("layout");
  const named = (
    name: string,
    type: string,
    buffers: number | undefined,
    children: unknown[] = [],
    dictionary?: unknown,
  ) => ({ name, type, bits: 0, signed: false, buffers, children, dictionary });
  const fields = [
    named("a", "int", 2),
    named("s", "struct", 1, [named("bytes", "binary", 3), named("path", "utf8", 3)]),
    named("v", "binaryView", 2),
    named("d", "struct", 2, [named("x", "int", 2)], { id: 1 }),
    named("w", "utf8View", 2),
    named("odd", "number 40", undefined),
    named("last", "int", 2),
  ];
  const layout = new ArrowLayout("p.arrow", fields as never, [3]);
  for (const name of ["a", "s", "s.bytes", "s.path", "v", "d", "d.x", "w", "odd", "last", "none"]) {
    calls.note(
      `find ${name}`,
      (({ field, ...rest }) => ({ ...rest, field: field?.name }))({
        field: undefined as never,
        ...layout.find(name),
      }),
    );
    await calls.does(`place ${name}`, () => layout.place(name).buffer);
  }
  await calls.does("place in no columns", () => new ArrowLayout("p.arrow", [], []).place("a"));
  calls.note("valuesOf", [
    valuesOf(fields[3] as never, { dataBuffers: [4, 5] }),
    valuesOf(fields[0] as never, { dataBuffers: [] }),
  ]);
  calls.approve("data/tables/arrowColumns");
});

test("what numbers, buffers and labels of tables are read as is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ tmp: folder });
  const bytes = Uint8Array.of(255, 1, 2, 192, 0, 0, 128, 191, 5, 0, 0, 0, 0, 0, 0, 128).subarray(0);
  for (const type of ["int", "float"])
    for (const bits of [8, 16, 32, 64])
      for (const signed of [true, false])
        if (type === "int" || (bits > 8 && signed))
          await calls.of(readNumbers, { type, bits, signed }, bytes, 2);
  await calls.of(readNumbers, { type: "int", bits: 16, signed: true }, bytes.subarray(1, 7), 3);
  await calls.of(readNumbers, { type: "float", bits: 16, signed: true }, bytes.subarray(1), 2);
  await calls.of(readNumbers, { type: "int", bits: 8, signed: true }, bytes, 0);
  calls.note(
    "bits",
    Array.from({ length: 18 }, (_, row) => bitAt(Uint8Array.of(0b10010110, 0b1, 0b10), row)),
  );
  calls.title("buffers");
  const path = join(folder, "b.bin");
  const packedSize = (size: number) => Buffer.from(BigInt64Array.of(BigInt(size)).buffer);
  const raw = Buffer.concat([packedSize(-1), Buffer.from("stored as it is.")]);
  const frame = Buffer.concat([
    Buffer.from([4, 0x22, 0x4d, 0x18, 0x40, 0x40, 0, 5, 0, 0, 0x80]),
    Buffer.from("abcde"),
    Buffer.alloc(4),
  ]);
  const lz4 = Buffer.concat([packedSize(5), frame]);
  const zstd = Buffer.concat([
    packedSize(5),
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 5, 0x29, 0, 0]),
    Buffer.from("vwxyz"),
  ]);
  const file = Buffer.concat([Buffer.from("headhead"), raw, lz4, zstd, Buffer.alloc(7, 3)]);
  writeFileSync(path, file);
  const place = (more: object) =>
    ({ rows: 5, nullCounts: [], dataBuffers: [], bodyStart: 8, buffers: [], ...more }) as never;
  const buffers = [
    { offset: 0, length: 24 },
    { offset: 24, length: 8 + frame.length },
    { offset: 32 + frame.length, length: zstd.length },
    { offset: 0, length: 0 },
    { offset: 0, length: 7 },
  ];
  const text = (read: Promise<Uint8Array>) => read.then((found) => Buffer.from(found).toString("latin1"));
  const inFile = (name: string, step: (file: TableFile) => Promise<Uint8Array>) =>
    calls.does(name, () => TableFile.opened(path, (opened) => text(step(opened))));
  for (const codec of [undefined, "LZ4", "ZSTD"] as const)
    for (const index of [0, 1, 2, 3, 4, 5]) {
      if (!codec && (index === 1 || index === 2)) continue;
      await inFile(`wholeBuffer ${index} of ${codec}`, (opened) =>
        wholeBuffer(opened, place({ buffers, codec }), index),
      );
    }
  for (const [index, length, codec] of [
    [0, 24],
    [0, 25],
    [0, 10],
    [0, 0],
    [0, -1],
    [0, Number.NaN],
    [0, 16, "LZ4"],
    [0, 17, "LZ4"],
    [1, 3, "LZ4"],
    [2, 5, "ZSTD"],
    [2, 6, "ZSTD"],
    [9, 1],
  ] as const)
    await inFile(`readBuffer ${index}, ${length} of ${codec}`, (opened) =>
      readBuffer(opened, place({ buffers, codec }), index, length),
    );
  await calls.of(regionOf, "p", place({ buffers }), 1);
  await calls.of(regionOf, "p", place({ buffers }), -1);
  calls.title("files");
  for (const [start, end] of [
    [0, 4],
    [4, 8],
    [2, 2],
    [0, file.length],
    [0, file.length + 1],
    [file.length - 2, file.length],
  ])
    await inFile(`read ${start} … ${end}`, (opened) => opened.read(start, end));
  const wide = join(folder, "wide.bin");
  writeFileSync(
    wide,
    Buffer.from({ length: 80_000 } as never).map((_, i) => (i * 7) % 251),
  );
  await calls.does("windows", () =>
    TableFile.opened(wide, async (opened) => {
      const found: unknown[] = [opened.size, opened.path];
      for (const [start, end] of [
        [5, 8],
        [0, 3],
        [32766, 32770],
        [100, 32868],
        [100, 32869],
        [79_990, 80_000],
        [3, 4],
      ])
        found.push(await opened.read(start, end));
      return found;
    }),
  );
  await calls.does("reading after it is closed", async () => {
    const opened = await TableFile.opened(path, async (file) => file);
    return text(opened.read(0, 4));
  });
  await calls.does("a step that fails", () =>
    TableFile.opened(path, async () => Promise.reject(new RangeError("x"))),
  );
  await calls.does("a step of another error", () =>
    TableFile.opened(path, async () => Promise.reject(new Error("why"))),
  );
  writeFileSync(
    join(folder, "pointer.arrow"),
    `version https://git-lfs.github.com/spec/v1\noid sha256:${"a".repeat(64)}\nsize 5\n`,
  );
  await calls.does("a pointer", () => TableFile.opened(join(folder, "pointer.arrow"), async () => 1));
  await calls.does("a folder", () => TableFile.opened(folder, async () => 1));
  await calls.does("no file", () => TableFile.opened(join(folder, "nowhere"), async () => 1));
  for (const error of [
    new LuvitError("bad-image", "x"),
    new TypeError("t"),
    new RangeError("r"),
    new Error("e"),
  ])
    await calls.does(`reading ${error.name}`, () => reading("p", "Arrow", () => Promise.reject(error)));
  await calls.does("reading", () => reading("p", "Arrow", async () => 5));
  calls.title("rows");
  await calls.of(imageOf, "n", Uint8Array.of(1), "path");
  await calls.of(imageOf, "n", new Uint8Array(), "path");
  await calls.of(imageOf, "n", null, "");
  await calls.of(imageOf, "n", undefined, null);
  for (const json of [
    undefined,
    "",
    "x",
    "{}",
    "null",
    '{"info":{}}',
    '{"info":{"features":{"a":{"_type":"Image"}}}}',
    '{"info":{"features":null}}',
  ])
    await calls.of(featuresFrom, json);
  for (const [rows, size] of [
    [0, 0],
    [2 ** 20, 0],
    [2 ** 20 + 1, 0],
    [2 ** 20 + 1, 8],
    [2 ** 20 + 2, 15],
    [-1, 9],
    [1.5, 9],
    [Number.NaN, 9],
  ])
    await calls.of(expectRowCount, "p", rows, size);
  for (const row of [0, 3, 4, 9, 10, 11, 99]) await calls.of(groupAt, [0, 4, 10, 11], row);
  await calls.of(groupAt, [0], 5);
  await calls.of(groupAt, [0, 0, 3], 0);
  calls.title("labels");
  calls.note("mostLabelBytes", mostLabelBytes);
  await calls.of(tooLarge, "w");
  await calls.of(notLabels, "w", "are odd");
  await calls.does("LabelColumn", () => {
    const column = new LabelColumn(14, "w");
    column.add(["b", "a", 3, 3n, Number.NaN, null, undefined, true]);
    column.add([1, false, Buffer.from("b"), "", -1, 0.5]);
    return column;
  });
  for (const value of [new Date(0), [1], { a: 1 }, Uint8Array.of(200), "a\ufffd"])
    await calls.does("LabelColumn of others", () => new LabelColumn(1, "w").add([value]));
  calls.approve("data/tables/arrowNumbers");
});

const thrift = (...bytes: number[]) => Uint8Array.from(bytes);

test("what headers of Parquet pages say is approved", async () => {
  const calls = new Calls();
  const read = (name: string, bytes: Uint8Array, start = 0) =>
    calls.does(`readThrift ${name}`, () => readThrift(bytes, start, "w"));
  await read("nothing", thrift());
  await read("no fields", thrift(0));
  await read("true and false", thrift(0x11, 0x22, 0));
  await read("a byte", thrift(0x13, 200, 0));
  await read("numbers", thrift(0x14, 7, 0x15, 0x96, 1, 0x16, 1, 0));
  await read("2 ** 40", thrift(0x16, ...varint(2 ** 41), 0));
  await read("10 bytes", thrift(0x16, ...Array(9).fill(0x80), 1, 0));
  await read("11 bytes", thrift(0x16, ...Array(10).fill(0x80), 1, 0));
  await read("a double", thrift(0x17, 1, 2, 3, 4, 5, 6, 7, 8, 0));
  await read("half a double", thrift(0x17, 1, 2, 3));
  await read("a text", thrift(0x18, 2, 104, 105, 0));
  await read("a text of too many", thrift(0x18, 9, 104, 0));
  await read("a list", thrift(0x19, 0x35, 2, 4, 6, 0));
  await read("a list of booleans", thrift(0x19, 0x31, 1, 2, 1, 0));
  await read("a list of 15", thrift(0x19, 0xf5, 15, ...Array(15).fill(2), 0));
  await read("a list of too many", thrift(0x19, 0xf5, 90, 0));
  await read("a list of 3 where 1 is left", thrift(0x19, 0x35, 0));
  await read("a list of structs", thrift(0x19, 0x2c, 0x15, 2, 0, 0, 0));
  await read("a struct", thrift(0x1c, 0x25, 8, 0, 0x15, 4, 0));
  await read("a set", thrift(0x1a, 0));
  await read("long field numbers", thrift(0x05, 40, 6, 0x15, 8, 0));
  await read("fields behind one another", thrift(0x35, 2, 0xf5, 4, 0));
  await read("behind others", thrift(9, 9, 0x15, 5, 0, 7), 2);
  await read("no end", thrift(0x15, 2));
  const deep = (depth: number) => thrift(...Array(depth).fill(0x1c), 0, ...Array(depth).fill(0));
  await calls.does("24 deep", () => readThrift(deep(24), 0, "w").end);
  await calls.does("25 deep", () => readThrift(deep(25), 0, "w").end);
  calls.title("pages");
  const zigzag = (value: number) => varint(value >= 0 ? 2 * value : -2 * value - 1);
  const header = (type: number, unpacked: number, stored: number, field: number, counts: number[]) => {
    const inner = counts.flatMap((count) => [0x15, ...zigzag(count)]);
    return [
      0x15,
      ...zigzag(type),
      0x15,
      ...zigzag(unpacked),
      0x15,
      ...zigzag(stored),
      (field - 3) * 16 + 12,
      ...inner,
      0,
      0,
    ];
  };
  const page = (
    stored: number,
    ...head: Parameters<typeof header> extends [infer A, infer B, unknown, ...infer C] ? [A, B, ...C] : never
  ) => {
    const [type, unpacked, field, counts] = head as never as [number, number, number, number[]];
    return [...header(type, unpacked, stored, field, counts), ...Array(Math.max(0, stored)).fill(9)];
  };
  const pages = (name: string, rows: number, most: number, ...all: number[][]) =>
    calls.does(`expectPages ${name}`, () => expectPages(thrift(...all.flat()), rows, "w", most));
  const data = (count: number, unpacked = 40, stored = 5) => page(stored, 0, unpacked, 5, [count, 0]);
  await pages("of none", 5, 100);
  await pages("of 5", 5, 100, data(5));
  await pages("of 5 in two", 5, 100, data(2), data(3));
  await pages("of 6 in two", 5, 100, data(2), data(4));
  await pages("of 6", 5, 100, data(6));
  await pages("of 80 bytes", 5, 80, data(2), data(3));
  await pages("of 81 bytes", 5, 79, data(2), data(3));
  await pages("that grow by 64", 5, 1e9, data(5, 4096 + 320 + 80));
  await pages("that grow by more", 5, 1e9, data(5, 4096 + 320 + 81));
  await pages("of less than none", 5, 1e9, data(5, -1));
  await pages("of a count below 0", 5, 1e9, data(-1));
  await pages("cut off", 5, 1e9, data(5).slice(0, -1));
  await pages("of stored below 0", 5, 1e9, header(0, 4, -1, 5, [1, 0]));
  await pages("with a dictionary", 5, 1e9, page(5, 2, 40, 7, [40, 0]), data(5));
  await pages("with a dictionary of too many", 5, 1e9, page(5, 2, 40, 7, [41, 0]), data(5));
  await pages("with a dictionary of the rows", 50, 1e9, page(5, 2, 40, 7, [50, 0]));
  await pages("of version 2", 5, 1e9, page(5, 3, 40, 8, [5, 0, 5, 0, 0, 0]));
  await pages("of version 2, below 0", 5, 1e9, page(5, 3, 40, 8, [5, 0, 5, 0, -1, 0]));
  await pages("of version 2, shorter", 5, 1e9, page(5, 3, 40, 8, [5, 0, 5]));
  await pages("of another kind", 5, 1e9, page(5, 1, 40, 6, [5, 0]));
  await pages("without their size", 5, 1e9, [0x15, 0, 0]);
  for (const [stored, unpacked, rows] of [
    [0, 4096, 0],
    [0, 4097, 0],
    [1, 4160, 0],
    [0, 4112, 1],
    [0, -1, 0],
    [0, Number.NaN, 0],
  ])
    await calls.of(expectGrowth, stored, unpacked, rows, "w");
  calls.approve("data/tables/parquetPages");
});

test("what is unpacked, and what is kept, is approved", async () => {
  const calls = new Calls();
  const text = (found: Uint8Array) => Buffer.from(found).toString("latin1");
  const block = (name: string, bytes: number[], length: number) =>
    calls.does(`unpackLz4Block ${name}`, () => text(unpackLz4Block(thrift(...bytes), length)));
  const { literals, repeated, long, far } = lz4Blocks;
  await block("literals", literals, 5);
  await block("literals, 6 announced", literals, 6);
  await block("literals, 4 announced", literals, 4);
  await block("repeated", repeated, 9);
  await block("repeated, 8 announced", repeated, 8);
  await block("long", long, 20 + 4 + 15 + 255 + 3 + 1);
  await block("from far", far, 8 + 6 + 2);
  await block("nothing", [], 0);
  await block("cut literals", [0x50, 97], 5);
  await block("a cut length", [0xf0], 5);
  await block("a cut length of a match", [0x1f, 97, 1, 0], 50);
  await block("a match of nothing", [0x10, 97, 0, 0], 5);
  await block("a match before the start", [0x10, 97, 2, 0], 5);
  await block("half a distance", [0x10, 97, 1], 5);
  const little = (value: number) => [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
  const magic = [4, 0x22, 0x4d, 0x18];
  const frame = (name: string, bytes: number[], length: number) =>
    calls.does(`unpackLz4Frame ${name}`, () => text(unpackLz4Frame(thrift(...bytes), length)));
  const whole = [...little(literals.length), ...literals];
  await frame("of one block", [...magic, 0x60, 0x40, 0, ...whole, ...little(0)], 5);
  await frame(
    "of two and a stored one",
    [
      ...magic,
      0x40,
      0x40,
      0,
      ...whole,
      ...little(0x80000003),
      120,
      121,
      122,
      ...little(repeated.length),
      ...repeated,
      ...little(0),
      9,
      9,
    ],
    17,
  );
  await frame(
    "with checksums",
    [...magic, 0x70, 0x40, 0, ...whole, 1, 2, 3, 4, ...whole, 1, 2, 3, 4, ...little(0)],
    10,
  );
  await frame(
    "with its size",
    [...magic, 0x68, 0x40, ...little(5), ...little(0), 0, ...whole, ...little(0)],
    5,
  );
  await frame("with a dictionary", [...magic, 0x61, 0x40, 0, ...whole, ...little(0)], 5);
  await frame("of version 2", [...magic, 0xa0, 0x40, 0, ...whole, ...little(0)], 5);
  await frame("of another magic", [5, ...magic.slice(1), 0x60, 0x40, 0], 5);
  await frame("of 6 bytes", [...magic, 0x60, 0x40], 5);
  await frame("of more", [...magic, 0x60, 0x40, 0, ...whole, ...little(0)], 6);
  await frame("of less", [...magic, 0x60, 0x40, 0, ...whole, ...little(0)], 4);
  await frame(
    "of a stored block too many",
    [...magic, 0x60, 0x40, 0, ...little(0x80000003), 1, 2, 3, ...little(0)],
    2,
  );
  await frame("cut off", [...magic, 0x60, 0x40, 0, ...whole.slice(0, -1)], 5);
  await frame("without an end", [...magic, 0x60, 0x40, 0, ...whole], 5);
  const big = (value: number) => little(value).reverse();
  const hadoop = (name: string, bytes: number[], length: number) =>
    calls.does(`unpackHadoopLz4 ${name}`, () => text(unpackHadoopLz4(thrift(...bytes), length)));
  const part = [...big(5), ...big(literals.length), ...literals];
  await hadoop("of one", part, 5);
  await hadoop("of two", [...part, ...part], 10);
  await hadoop("without frames", literals, 5);
  await hadoop("without frames, repeated", repeated, 9);
  await hadoop("of too many", [...part, ...part], 5);
  await hadoop("of nothing", [], 0);
  calls.title("Zstandard");
  const zstd = [0x28, 0xb5, 0x2f, 0xfd];
  const stored = (size: number) => [
    ...little((size << 3) | 1).slice(0, 3),
    ...Array.from({ length: size }, (_, i) => 97 + (i % 26)),
  ];
  const unpack = (name: string, bytes: number[], length: number) =>
    calls.does(`unpackZstdFrame ${name}`, async () => text(await unpackZstdFrame(thrift(...bytes), length)));
  await unpack("of a byte's size", [...zstd, 0x20, 5, ...stored(5)], 5);
  await unpack("of two bytes' size", [...zstd, 0x60, 4, 0, ...stored(260)], 260);
  await unpack("of four bytes' size", [...zstd, 0xa0, 5, 0, 0, 0, ...stored(5)], 5);
  await unpack("of eight bytes' size", [...zstd, 0xe0, 5, 0, 0, 0, 0, 0, 0, 0, ...stored(5)], 5);
  await unpack("without its size", [...zstd, 0x00, 0x38, ...stored(5)], 5);
  await unpack("without its size, too short", [...zstd, 0x00, 0x38, ...stored(5)], 6);
  await unpack("of another size", [...zstd, 0x20, 5, ...stored(5)], 6);
  await unpack("of a window of 128 KB", [...zstd, 0x00, 7 << 3, ...stored(5)], 5);
  await unpack("of a window of 144 KB", [...zstd, 0x00, (7 << 3) | 1, ...stored(5)], 5);
  await unpack("of a window of 16 MB", [...zstd, 0x00, 14 << 3, ...stored(5)], 5);
  await unpack("with a window and a size", [...zstd, 0x40, 0x38, 4, 0, ...stored(260)], 260);
  await unpack("of 5 bytes", [...zstd, 0x20], 0);
  await unpack("of another magic", [0x29, ...zstd.slice(1), 0x20, 0, 0], 0);
  calls.note("decompressors", Object.keys(await decompressors()).sort());
  const first = await parquetModule();
  calls.note("module", [Object.keys(await parquetModule()), (await parquetModule()) === first]);
  const packers = { GZIP: gzipSync, BROTLI: brotliCompressSync };
  for (const [name, pack] of Object.entries(packers))
    for (const length of [5, 4, 0])
      await calls
        .does(`${name} of 5 bytes in ${length}`, async () =>
          text((await decompressors())[name]!(pack("abcde"), length))
            .concat(".")
            .slice(0, length),
        )
        .catch(() => {});
  calls.title("recent groups");
  const groups = new RecentGroups(300);
  const log: string[] = [];
  const get = async (key: string, cells: () => unknown[] | Promise<unknown[]>) => {
    const found = await groups
      .get(key, async () => {
        log.push(`reads ${key}`);
        return cells();
      })
      .catch((error) => [error.message]);
    await new Promise((resolve) => setImmediate(resolve));
    calls.note(`get ${key}`, [found, groups.bytes, log.splice(0)]);
  };
  await get("a", () => [new Uint8Array(100)]);
  await get("b", () => [null, { bytes: new Uint8Array(10) }]);
  await get("a", () => []);
  await get("c", () => [{ bytes: null }, "text"]);
  await get("b", () => [new Uint8Array(1)]);
  await get("a", () => [new Uint8Array(100)]);
  await get("d", () => [new Uint8Array(400)]);
  await get("d", () => []);
  await get("e", () => Promise.reject(new Error("no")));
  await get("e", () => [new Uint8Array(2)]);
  await Promise.all([get("f", () => [new Uint8Array(3)]), get("f", () => [new Uint8Array(4)])]);
  const none = new RecentGroups(0);
  await none.get("a", async () => [new Uint8Array(5)]);
  calls.note("of no budget", [none.bytes, none.budgetBytes]);
  calls.approve("data/tables/unpacked");
});
