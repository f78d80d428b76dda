import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { LuvitError } from "../../../../src/core/errors";
import { fieldsOf } from "../../../../src/data/tables/arrowFields";
import { bitAt, readNumbers } from "../../../../src/data/tables/arrowNumbers";
import { FlatTable } from "../../../../src/data/tables/flatbuffer";
import { openShard } from "../../../../src/data/tables/openShard";
import { RecentGroups } from "../../../../src/data/tables/recentGroups";
import { temporaryFolder } from "../support";
import {
  batch,
  batchParts,
  column,
  dictionary,
  type Fields,
  flatbuffer,
  message,
  schema,
  texts,
  types,
} from "./arrowStream";

const folder = temporaryFolder();
let files = 0;

function open(messages: readonly Uint8Array[], label: string | undefined = undefined) {
  const path = join(folder, `${files++}.arrow`);
  writeFileSync(path, Buffer.concat([...messages, Buffer.from([255, 255, 255, 255, 0, 0, 0, 0])]));
  return openShard(path, () => ({ image: "image", label }), new RecentGroups(1e6));
}

const binary = column("image", types.binary);
const words = (...rows: (string | undefined)[]) => texts(rows);
const textOf = async (stored: Promise<Uint8Array | string>) => Buffer.from(await stored).toString();
/** Labels of all rows. */
const labelsOf = ({ labels }: Awaited<ReturnType<typeof open>>) =>
  Array.from(labels!.codes, (code) => labels!.values[code]);

test("numbers, texts, tables and lists of a flatbuffer are read; what is not there has its default", () => {
  const inner = flatbuffer({
    0: { byte: 200 },
    1: { short: -3 },
    2: { int: -70_000 },
    3: { long: -(2 ** 40) },
    4: { text: "häuser" },
    6: { table: { 1: { int: 5 } } },
    7: { tables: [{ 0: { int: 1 } }, { 0: { int: 2 } }] },
    8: {
      longs: [
        [1, -2],
        [3, 4],
      ],
    },
    9: { longs: [[7], [8]] },
  });
  // In the middle of other bytes.
  const among = Buffer.concat([Buffer.alloc(5, 9), inner, Buffer.alloc(3, 9)]);
  const table = FlatTable.root(new Uint8Array(among.buffer, among.byteOffset + 5, inner.length));
  assert.deepEqual(
    [table.byte(0), table.short(1), table.int(2), table.long(3)],
    [200, -3, -70_000, -(2 ** 40)],
  );
  assert.deepEqual([table.text(4), table.table(6)!.int(1), table.table(6)!.int(0)], ["häuser", 5, 0]);
  assert.deepEqual(
    table.tables(7).map((one) => one.int(0)),
    [1, 2],
  );
  assert.deepEqual(
    [table.pairs(8), table.longs(9)],
    [
      [
        [1, -2],
        [3, 4],
      ],
      [7, 8],
    ],
  );
  for (const field of [5, 10, 99])
    assert.deepEqual(
      [table.byte(field), table.short(field), table.long(field), table.text(field), table.table(field)],
      [0, 0, 0, "", undefined],
    );
  assert.deepEqual([table.tables(5), table.pairs(5), table.longs(5)], [[], [], []]);
  const long = flatbuffer({ 0: { longs: [[1], [2]] } });
  assert.throws(() => FlatTable.root(long).pairs(0), /a list of 2 entries does not fit/);
});

test("numbers are read as their type says, wherever they lie, floats of 16 bits too", () => {
  const at = (bytes: readonly number[]) => new Uint8Array(Uint8Array.of(1, ...bytes).buffer, 1);
  const read = (type: string, bits: number, signed: boolean, ...bytes: number[]) =>
    readNumbers({ type, bits, signed }, at(bytes), (8 * bytes.length) / bits);
  assert.deepEqual(read("int", 8, true, 255, 127), [-1, 127]);
  assert.deepEqual(read("int", 8, false, 255, 127), [255, 127]);
  assert.deepEqual(read("int", 16, true, 254, 255, 0, 1), [-2, 256]);
  assert.deepEqual(read("int", 16, false, 254, 255, 0, 1), [65_534, 256]);
  assert.deepEqual(read("int", 32, true, 253, 255, 255, 255), [-3]);
  assert.deepEqual(read("int", 32, false, 253, 255, 255, 255), [4_294_967_293]);
  assert.deepEqual(read("int", 64, true, 252, ...Array(7).fill(255)), [-4]);
  assert.deepEqual(read("int", 64, false, 0, 0, 0, 0, 0, 1, 0, 0), [2 ** 40]);
  assert.deepEqual(read("float", 32, false, 0, 0, 0xc0, 0xbf), [-1.5]);
  assert.deepEqual(read("float", 64, false, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f), [1.5]);
  assert.deepEqual(read("float", 16, false, 0, 0x3e, 0, 0xc0), [1.5, -2]);
  assert.deepEqual(
    Array.from({ length: 10 }, (_, row) => bitAt(Uint8Array.of(0b10010110, 0b10), row)),
    [0, 1, 1, 0, 1, 0, 0, 1, 0, 1].map(Boolean),
  );
});

test("a column has its type's buffers, and those of unions had one more up to version 3 of the format", () => {
  const buffersOf = (type: number, details: Fields = {}, version = 4) =>
    fieldsOf(FlatTable.root(flatbuffer({ 1: { tables: [column("a", type, details)] } })), 1, version)[0]
      .buffers;
  const by: [buffers: number | undefined, ...types: number[]][] = [
    [0, 1, 22], // null, run-end encoded
    [1, 13, 16], // struct, fixed-size list
    [2, 2, 3, 6, 7, 8, 9, 10, 11, 12, 15, 17, 18, 21, 23, 24], // one of data or offsets beside the bits
    [3, 4, 5, 19, 20, 25, 26], // offsets and data; list views
    [undefined, 0, 27, 99],
  ];
  for (const [buffers, ...numbers] of by)
    for (const number of numbers) assert.equal(buffersOf(number), buffers, `type ${number}`);
  const dense = { 0: { short: 1 } };
  assert.deepEqual([buffersOf(14), buffersOf(14, dense)], [1, 2]);
  assert.deepEqual([buffersOf(14, {}, 3), buffersOf(14, dense, 3)], [2, 3]);
});

test("labels of every kind of number, missing ones among them, and truths are read", async () => {
  const int = (bits: number, signed: number): Fields => ({ 0: { int: bits }, 1: { byte: signed } });
  const float = (precision: number): Fields => ({ 0: { short: precision } });
  const cases: [number, Fields, ArrayBufferView, unknown[]][] = [
    [types.int, int(8, 1), Int8Array.of(-5, 0, 7), [-5, null, 7]],
    [types.int, int(16, 0), Uint16Array.of(65_535, 0, 7), [65_535, null, 7]],
    [types.int, int(32, 1), Int32Array.of(-5, 0, 7), [-5, null, 7]],
    [types.int, int(64, 1), BigInt64Array.of(-5n, 0n, 7n), [-5, null, 7]],
    [types.float, float(1), Float32Array.of(0.5, 0, 7), [0.5, null, 7]],
    [types.float, float(2), Float64Array.of(0.1, 0, Number.NaN), [0.1, null, null]],
    [types.bool, {}, Uint8Array.of(0b100), [false, null, true]],
  ];
  for (const [type, details, numbers, expected] of cases) {
    const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    const label = { nulls: 1, buffers: [Uint8Array.of(0b101), bytes] };
    const shard = await open(
      [schema([column("label", type, details), binary]), batch(3, [label, words("a", "b", "c")])],
      "label",
    );
    assert.deepEqual(labelsOf(shard), expected, `${type}`);
    assert.equal(await textOf(shard.image(1)), "b");
  }
  // Where a batch says that none is missing, its bits are not looked at.
  const none = { buffers: [Uint8Array.of(0), Uint8Array.of(1, 2)] };
  const whole = [schema([column("label", 2, int(8, 1)), binary]), batch(2, [none, words("a", "b")])];
  assert.deepEqual(labelsOf(await open(whole, "label")), [1, 2]);
});

test("images lie by offsets of 4 or 8 bytes, batch after batch; missing and empty ones are none", async () => {
  for (const [type, width] of [
    [types.binary, 4],
    [types.largeBinary, 8],
  ] as const) {
    const part = (...rows: (string | undefined)[]) => [texts(rows, width)];
    const shard = await open([
      schema([column("image", type)]),
      batch(3, part("one", undefined, "")),
      batch(0, part()),
      batch(2, part("four", "fünf")),
    ]);
    assert.deepEqual([shard.rows, shard.groups], [5, [0, 3, 3]]);
    assert.deepEqual(
      [await textOf(shard.image(0)), await textOf(shard.image(3)), await textOf(shard.image(4))],
      ["one", "four", "fünf"],
    );
    for (const row of [1, 2])
      await assert.rejects(shard.image(row), {
        code: "bad-image",
        message: new RegExp(`row ${row}: the table holds no`),
      });
  }
});

test("an image in a struct is its bytes, else its path; the struct's own bits say that neither is there", async () => {
  const fields = { 5: { tables: [column("bytes", types.binary), column("path", types.utf8)] } };
  const rows = [
    { nulls: 1, buffers: [Uint8Array.of(0b0111)] },
    words("img", "", undefined, "x"),
    words("p", "q", "ü/r", "s"),
  ];
  const shard = await open([schema([column("image", types.struct, {}, fields)]), batch(4, rows)]);
  assert.equal(await textOf(shard.image(0)), "img");
  assert.deepEqual([await shard.image(1), await shard.image(2)], ["q", "ü/r"]);
  await assert.rejects(shard.image(3), /row 3: the table holds no image/);
});

test("labels in a dictionary are looked up, whatever numbers its positions are; a later one replaces it or adds to it", async () => {
  const index = (bits: number, signed: number) => ({
    0: { long: 4 },
    1: { table: { 0: { int: bits }, 1: { byte: signed } } },
  });
  const labelled = (bits: number, signed: number) =>
    schema([column("label", types.utf8, {}, { 4: { table: index(bits, signed) } }), binary]);
  const at = (...positions: number[]) => ({
    nulls: 1,
    buffers: [Uint8Array.of(0b1101), Uint8Array.from(positions)],
  });
  const images = words("a", "b", "c", "d");
  const first = dictionary(4, 2, words("cat", "dog"));
  const shard = await open(
    [
      labelled(8, 0),
      dictionary(9, 1, words("of another column")),
      first,
      batch(4, [at(1, 9, 0, 1), images]),
      dictionary(4, 1, words("owl"), true),
      batch(4, [at(2, 0, 0, 1), images]),
      dictionary(4, 1, words("fox")),
      batch(4, [at(0, 0, 0, 0), images]),
    ],
    "label",
  );
  assert.deepEqual(labelsOf(shard), [
    ...["dog", null, "cat", "dog"],
    ...["owl", null, "cat", "dog"],
    ...["fox", null, "fox", "fox"],
  ]);
  for (const [signed, bytes, found] of [
    [0, [255, 0, 0, 0], 255],
    [1, [255, 0, 0, 0], -1],
    [1, [2, 0, 0, 0], 2],
  ] as const)
    await assert.rejects(open([labelled(8, signed), first, batch(4, [at(...bytes), images])], "label"), {
      code: "bad-file",
      message: new RegExp(`column label asks for entry ${found} of a dictionary of 2`),
    });
});

test("buffers of a compressed batch that were stored as they are, and empty ones, are read", async () => {
  const { buffers } = words("one", "two");
  const stored = buffers.map((bytes, i) =>
    i === 0 ? new Uint8Array() : Buffer.concat([Buffer.alloc(8, 255), bytes]),
  );
  const codec = { 3: { table: { 0: { byte: 1 } } } };
  const shard = await open([schema([binary]), batch(2, [{ buffers: stored }], codec)]);
  assert.equal(await textOf(shard.image(1)), "two");
  const short = [stored[0], Uint8Array.of(1, 2, 3), stored[2]];
  await assert.rejects(
    open([schema([binary]), batch(2, [{ buffers: short }], codec)]),
    /a compressed buffer of 3 bytes/,
  );
});

test("files that cannot be are refused with what is wrong", async () => {
  const images = words("a", "b");
  const refused = (messages: readonly Uint8Array[], says: RegExp, label?: string, code = "bad-file") =>
    assert.rejects(open(messages, label), (error: LuvitError) => {
      assert.equal(error.code, code, error.message);
      assert.match(error.message, says);
      return true;
    });
  await refused([schema([binary], { 0: { short: 1 } })], /big-endian numbers/);
  await refused([batch(2, [images])], /an Arrow file without a schema/);
  for (const [codec, method] of [
    [2, 0],
    [0, 1],
  ]) {
    const compression = { 3: { table: { 0: { byte: codec }, 1: { byte: method } } } };
    const words = new RegExp(`unknown way \\(codec ${codec}, method ${method}\\)`);
    await refused([schema([binary]), batch(2, [images], compression)], words);
  }
  await refused([schema([binary]), message(2, { 0: { long: 1 } })], /a dictionary without values/);
  const { header, body } = batchParts(2, [images]);
  const with_ = (more: Fields) => [schema([binary]), message(3, { ...header, ...more }, body)];
  await refused(
    with_({
      2: {
        longs: [
          [0, 1],
          [8, 12],
          [16, 90],
        ],
      },
    }),
    /a buffer of 90 bytes at 16 in a record batch of 32/,
  );
  await refused(
    with_({
      2: {
        longs: [
          [0, 1],
          [8, 12],
          [-8, 2],
        ],
      },
    }),
    /a buffer of 2 bytes at -8/,
  );
  await refused(with_({ 0: { long: 32 * 8 + 1 } }), /257 rows in a record batch of 32 bytes/);
  await refused(with_({ 0: { long: -1 } }), /-1 rows/);
  await refused(
    with_({
      2: {
        longs: [
          [0, 1],
          [8, 8],
          [32, 0],
        ],
      },
    }),
    /a buffer of 8 bytes where 12 are needed/,
  );
  await refused(with_({ 2: { longs: [[0, 1]] } }), /with 1 buffers lacks number 1/);
  const unknown = [column("odd", 99), binary];
  await refused(
    [schema(unknown), batch(2, [images])],
    /column image cannot be found behind column odd, whose type \(number 99\)/,
  );
  await refused(
    [schema([column("other", 4)]), batch(2, [images])],
    /no column image; its columns are other/,
    undefined,
    "bad-dataset",
  );
  await refused(
    [
      schema([binary, column("label", 8)]),
      batch(2, [images, { buffers: [new Uint8Array(), new Uint8Array(8)] }]),
    ],
    /labels are of Arrow's type date/,
    "label",
    "bad-dataset",
  );
  const nowhere = {
    buffers: [Uint8Array.of(3), new Uint8Array(Int32Array.of(0, 5, 9).buffer), Buffer.from("abcdef")],
  };
  const shard = await open([schema([binary]), batch(2, [nowhere])]);
  assert.equal(await textOf(shard.image(0)), "abcde");
  await assert.rejects(shard.image(1), {
    code: "bad-image",
    message: /row 1 of a batch: bytes 5 … 9 cannot be/,
  });
});

test("which of more than eight rows are there is read to the last, and columns may be nested sixteen deep", async () => {
  const rows = Array.from({ length: 10 }, (_, i) => `${i}`);
  const { buffers } = words(...rows);
  const missing = { nulls: 1, buffers: [Uint8Array.of(0xff, 0b01), ...buffers.slice(1)] };
  const shard = await open([schema([binary]), batch(10, [missing])]);
  assert.equal(await textOf(shard.image(8)), "8");
  await assert.rejects(shard.image(9), /row 9: the table holds no image/);
  const nested = (depth: number): Fields =>
    column("a", types.struct, {}, depth > 0 ? { 5: { tables: [nested(depth - 1)] } } : {});
  const read = (depth: number) =>
    fieldsOf(FlatTable.root(flatbuffer({ 1: { tables: [nested(depth)] } })), 1, 4);
  assert.equal(read(15)[0].children[0].name, "a");
  assert.throws(() => read(17), /columns nested too deeply/);
  const positions = (bits: number) =>
    column("a", types.utf8, {}, { 4: { table: { 1: { table: { 0: { int: bits } } } } } });
  const bitsOf = (bits: number) =>
    fieldsOf(FlatTable.root(flatbuffer({ 1: { tables: [positions(bits)] } })), 1, 4)[0].dictionary!.bits;
  assert.deepEqual([8, 16, 32, 64].map(bitsOf), [8, 16, 32, 64]);
  assert.throws(() => bitsOf(24), /positions of 24 bits in a dictionary/);
  const usual = column("a", types.utf8, {}, { 4: { table: { 0: { long: 3 } } } });
  const [{ dictionary: found }] = fieldsOf(FlatTable.root(flatbuffer({ 1: { tables: [usual] } })), 1, 4);
  assert.deepEqual(found, { id: 3, bits: 32, signed: true });
});

test("a dictionary's fields lie with its values: the column behind it is found", async () => {
  const encoding = { 4: { table: { 0: { long: 1 } } }, 5: { tables: [column("inner", types.utf8)] } };
  const structs = column("of structs", types.struct, {}, encoding);
  const at = { buffers: [new Uint8Array(), new Uint8Array(8)] };
  const shard = await open([schema([structs, binary]), batch(2, [at, words("a", "b")])]);
  assert.equal(await textOf(shard.image(1)), "b");
});
