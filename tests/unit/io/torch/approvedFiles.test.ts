import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { HostTensor, StateDict } from "../../../../src/core/hostTensor";
import { KeptFile } from "../../../../src/io/bytes";
import { memorySource } from "../../../../src/io/bytes/byteSource";
import { keepTorchFile, openTorchFile, writeTorchCheckpoint } from "../../../../src/io/torch";
import { isLegacyContainer } from "../../../../src/io/torch/torchContainers";
import { pickleOf } from "../../../../src/io/torch/torchWriter";
import { locateEntryData, readZipDirectory } from "../../../../src/io/torch/zipArchive";
import { tableCrc32, ZipWriter } from "../../../../src/io/torch/zipWriter";
import { Calls } from "../../../support/calls";
import { eighths, temporaryFolder } from "../support";
import {
  dict,
  dictPickle,
  global,
  integer,
  op,
  tensorOpcodes,
  text,
  torchZip,
  tuple,
  typedTensorOpcodes,
  zip,
} from "../torchWriter";

const floats = (...numbers: number[]) => new Uint8Array(Float32Array.from(numbers).buffer);
const six = floats(1, 2, 3, 4, 5, 6);
const numbers = (tensors: ReadonlyMap<string, HostTensor>) =>
  [...tensors].map(([name, { shape, dtype, data }]) => `${name} ${dtype} [${shape}] ${[...data]}`);

const read = async (bytes: Uint8Array, path?: string) => {
  const file = await openTorchFile(memorySource("x", bytes));
  const { tensors, where } = file.state(path);
  const seen: string[] = [];
  const found = numbers(await file.readTensors(tensors, (name) => seen.push(name)));
  await file.close();
  return [where, found, seen.length];
};

const F32 = (key: string, shape: number[], strides: number[], offset = 0, elements = 6) =>
  tensorOpcodes(key, "FloatStorage", elements, shape, strides, offset);

test("what torch's zip files hold, and what is wrong with them, is approved", async () => {
  const calls = new Calls();
  const file = (name: string, bytes: Uint8Array, path?: string) => calls.does(name, () => read(bytes, path));
  const one = (name: string, tensor: readonly number[], storages: Record<string, Uint8Array> = { 0: six }) =>
    file(name, torchZip(dictPickle({ a: tensor }), storages));
  for (const [shape, strides, offset] of [
    [[2, 3], [3, 1], 0],
    [[3, 2], [1, 3], 0],
    [[2], [3], 2],
    [[], [], 5],
    [[2, 3], [0, 1], 1],
    [[2, 2, 1], [1, 2, 77], 1],
    [[0, 3], [3, 1], 0],
    [[2, 1, 2], [2, 9, 1], 2],
    [[3, 2], [2, 0], 0],
  ] as [number[], number[], number][])
    await one(`[${shape}] by [${strides}] from ${offset}`, F32("0", shape, strides, offset));
  const types: Record<string, Uint8Array> = {
    DoubleStorage: new Uint8Array(Float64Array.of(1.5, -2).buffer),
    HalfStorage: Uint8Array.of(0, 60, 0, 192),
    BFloat16Storage: Uint8Array.of(128, 63, 0, 192),
    LongStorage: new Uint8Array(BigInt64Array.of(5n, -6n).buffer),
    IntStorage: new Uint8Array(Int32Array.of(7, -8).buffer),
    ShortStorage: new Uint8Array(Int16Array.of(9, -10).buffer),
    CharStorage: Uint8Array.of(11, 255),
    ByteStorage: Uint8Array.of(12, 255),
    BoolStorage: Uint8Array.of(0, 1),
    ComplexFloatStorage: new Uint8Array(16),
    QInt8Storage: new Uint8Array(2),
    QUInt4x2Storage: new Uint8Array(1),
  };
  for (const [type, bytes] of Object.entries(types))
    await one(type, tensorOpcodes("0", type, 2, [2], [1]), { 0: bytes });
  for (const type of ["float32", "uint16", "float8_e4m3fn"])
    await one(`untyped ${type}`, typedTensorOpcodes("0", type, 24, [2, 3]));
  await one("storage missing", F32("1", [2], [1]));
  await one("storage too short", F32("0", [7], [1], 0, 7));
  await one("past its end", F32("0", [7], [1]));
  await one("expanded far", F32("0", [2000], [0]));
  await one("expanded too far", F32("0", [200_000], [0]));
  await file(
    "many of one storage",
    torchZip(
      dictPickle(Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`t${i}`, F32("0", [100], [0])]))),
      { 0: six },
    ),
  );
  calls.title("around the pickle");
  const pickle = dictPickle({ a: F32("0", [6], [1]) });
  const entries = (change: Record<string, Uint8Array>) => ({
    "archive/data.pkl": pickle,
    "archive/data/0": six,
    ...change,
  });
  await file("little", zip(entries({ "archive/byteorder": Buffer.from("little") })));
  await file("big", zip(entries({ "archive/byteorder": Buffer.from("big") })));
  await file("17 bytes of order", zip(entries({ "archive/byteorder": new Uint8Array(17) })));
  await file("TorchScript", zip(entries({ "archive/constants.pkl": new Uint8Array(1) })));
  await file("no folder", zip({ "data.pkl": pickle, "data/0": six }));
  await file("no pickle", zip({ "archive/xdata.pkl": pickle }));
  await file("another folder's storage", zip({ "archive/data.pkl": pickle, "data/0": six }));
  await file("ZIP64", zip(entries({}), { zip64: true }));
  await file("a comment", zip(entries({}), { comment: "PK\x05\x06 a comment" }));
  await file("compressed", zip(entries({}), { method: 8 }));
  await file("encrypted", zip(entries({}), { flags: 1 }));
  for (const bytes of [[], [80], [80, 75], [1, 2, 3, 4], [128], [128, 2, 46]])
    await file(`bytes ${bytes}`, Uint8Array.from(bytes));
  await file(
    "unknown function",
    torchZip(Uint8Array.from([...op.proto, ...global("os", "system"), ...op.stop])),
  );
  await calls.does(
    "root",
    async () =>
      (
        await openTorchFile(
          memorySource(
            "x",
            torchZip(dictPickle({ epoch: integer(7), args: tuple(text("é"), integer(-300)) })),
          ),
        )
      ).root,
  );
  calls.approve("io/torch/zips");
});

const legacy = (
  entries: Record<string, readonly number[]>,
  keys: string[],
  data: Uint8Array[],
  {
    magic = [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19],
    version = 1001,
    little = true,
    list = undefined as readonly number[] | undefined,
  } = {},
) => {
  const pickled = (opcodes: readonly number[]) => [...op.proto, ...opcodes, ...op.stop];
  const system = dict({ little_endian: [...(little ? op.true : op.false)] });
  return Uint8Array.from([
    ...pickled(magic),
    ...pickled(integer(version)),
    ...pickled(system),
    ...pickled(dict(entries)),
    ...pickled(list ?? tuple(...keys.map(text))),
    ...data.flatMap((bytes) => [...bytes]),
  ]);
};
const stored = (elements: number, bytes: Uint8Array) => {
  const head = Buffer.alloc(8);
  head.writeBigInt64LE(BigInt(elements));
  return Buffer.concat([head, bytes]);
};

const inWindow = (start: number, length: number, elements: number) =>
  tensorOpcodes(
    "0",
    "FloatStorage",
    elements,
    [2],
    [1],
    0,
    [],
    tuple(text("0"), integer(start), integer(length)),
  );

test("a tensor in a window of a storage is read from there, whatever the container, and refused where the file ends before", async () => {
  const calls = new Calls();
  for (const [start, length, elements] of [
    [0, 2, 6],
    [4, 2, 6],
    [4, 2, 10],
    [5, 2, 10],
    [8, 2, 10],
    [1, 1, 6],
    [5, 2, 6],
  ] as const) {
    const a = { a: inWindow(start, length, elements) };
    const name = `${length} from ${start} of ${elements}, 6 in the file`;
    await calls.does(`${name}, zip`, () => read(torchZip(dictPickle(a), { 0: six })));
    await calls.does(`${name}, old`, () => read(legacy(a, ["0"], [stored(6, six)])));
  }
  calls.approve("io/torch/windows");
});

test("torch's old files, and pickles of arrays, are approved", async () => {
  const calls = new Calls();
  const file = (name: string, bytes: Uint8Array) => calls.does(name, () => read(bytes));
  const a = { a: F32("0", [2, 3], [3, 1]) };
  await file("one storage", legacy(a, ["0"], [stored(6, six)]));
  await file(
    "two",
    legacy({ ...a, b: F32("k", [2], [1], 0, 2) }, ["k", "0"], [stored(2, floats(8, 9)), stored(6, six)]),
  );
  await file(
    "a window",
    legacy(
      { w: tensorOpcodes("0", "FloatStorage", 6, [2], [2], 0, [], tuple(text("v"), integer(2), integer(4))) },
      ["0"],
      [stored(6, six)],
    ),
  );
  await file(
    "a window too far",
    legacy(
      { w: tensorOpcodes("0", "FloatStorage", 6, [2], [2], 0, [], tuple(text("v"), integer(2), integer(5))) },
      ["0"],
      [stored(6, six)],
    ),
  );
  await file("cut off", legacy(a, ["0"], [stored(6, six.subarray(0, 23))]));
  await file("fewer elements", legacy(a, ["0"], [stored(5, six)]));
  await file("negative", legacy(a, ["0"], [stored(-1, six)]));
  await file("no data", legacy(a, ["0"], []));
  await file("twice", legacy(a, ["0", "0"], [stored(6, six), stored(6, six)]));
  await file("not listed", legacy(a, [], []));
  await file("of no tensor", legacy(a, ["0", "1"], [stored(6, six), stored(0, floats())]));
  await file("no list", legacy(a, [], [], { list: dict({}) }));
  await file(
    "width unknown",
    legacy({ a: tensorOpcodes("0", "QUInt4x2Storage", 2, [2], [1]) }, ["0"], [stored(2, six)]),
  );
  await file("version 1002", legacy(a, ["0"], [stored(6, six)], { version: 1002 }));
  await file("big-endian", legacy(a, ["0"], [stored(6, six)], { little: false }));
  await file("pickles cut off", legacy(a, ["0"], []).subarray(0, 90));
  for (const bytes of [
    [],
    [0x80, 2],
    [...legacy(a, [], []).subarray(0, 15)],
    [...legacy(a, [], []).subarray(0, 14)],
  ])
    await calls.does(`is old: ${bytes.length}`, () =>
      isLegacyContainer(memorySource("x", Uint8Array.from(bytes))),
    );
  calls.title("arrays");
  const array = (bytes: Uint8Array, shape: number[]) => [
    ...global("numpy.core.multiarray", "_reconstruct"),
    ...tuple(),
    ...op.reduce,
    ...tuple(
      integer(1),
      tuple(...shape.map(integer)),
      [
        ...global("numpy", "dtype"),
        ...tuple(text("f4")),
        ...op.reduce,
        ...tuple(integer(3), text("<")),
        ...op.build,
      ],
      [...op.false],
      [0x43, bytes.length, ...bytes],
    ),
    ...op.build,
  ];
  await file(
    "one array",
    Uint8Array.from([
      ...op.proto,
      ...dict({ model: dict({ w: array(six, [3, 2]), v: array(six, [6]) }), author: text("é") }),
      ...op.stop,
    ]),
  );
  await file(
    "bytes behind",
    Uint8Array.from([...op.proto, ...dict({ w: array(six, [3, 2]) }), ...op.stop, 0, 0]),
  );
  await file("no array", dictPickle({ a: integer(3) }));
  await file("a storage", dictPickle({ a: F32("0", [1], [1]), w: array(six, [6]) }));
  await file("hostile", Uint8Array.from([...op.proto, ...global("posix", "system"), ...op.stop]));
  calls.approve("io/torch/olds");
});

test("torch files that stay open are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const keep = (name: string, bytes: Uint8Array) =>
    calls.does(name, async () => {
      writeFileSync(join(folder, "k"), bytes);
      const file = new KeptFile(join(folder, "k"));
      try {
        return numbers(await keepTorchFile(file));
      } finally {
        await file.close();
      }
    });
  await calls.does("kept", async () => {
    writeFileSync(
      join(folder, "k"),
      torchZip(
        dictPickle({
          rows: F32("0", [2, 3], [3, 1]),
          turned: F32("0", [3, 2], [1, 3]),
          none: F32("0", [0], [1]),
          tail: F32("0", [2], [1], 4),
        }),
        { 0: six },
      ),
    );
    const file = new KeptFile(join(folder, "k"));
    const tensors = await keepTorchFile(file);
    const kept = numbers(tensors);
    await file.close();
    return [kept, [...tensors.keys()]];
  });
  await keep(
    "types",
    torchZip(
      dictPickle({ a: tensorOpcodes("0", "ComplexFloatStorage", 3, [3], [1]), b: F32("0", [6], [1]) }),
      { 0: six },
    ),
  );
  await keep("no tensors", torchZip(dictPickle({ a: integer(3) })));
  await keep("expanded too far", torchZip(dictPickle({ a: F32("0", [200_000], [0]) }), { 0: six }));
  await keep("no torch file", six);
  await keep("empty", new Uint8Array(0));
  calls.approve("io/torch/kept");
});

test("zip archives, damaged ones too, and those that are written are approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const directory = (name: string, bytes: Uint8Array) =>
    calls.does(name, async () => {
      const source = memorySource("x", bytes);
      const entries = await readZipDirectory(source);
      const places: unknown[] = [];
      for (const entry of entries.values()) places.push([entry, await locateEntryData(source, entry)]);
      return places;
    });
  const entries = { a: Uint8Array.of(1, 2, 3), "é/b": Uint8Array.of(4), none: new Uint8Array(0) };
  await directory("plain", zip(entries));
  await directory("ZIP64", zip(entries, { zip64: true }));
  await directory("none", zip({}));
  const plain = zip(entries);
  const end = plain.length - 22;
  const central = Buffer.from(plain).readUInt32LE(end + 16);
  const changed = async (name: string, change: (bytes: Buffer) => void, from = plain) => {
    const bytes = Buffer.from(from);
    change(bytes);
    await directory(name, bytes);
  };
  for (const length of [0, 21, end, plain.length - 1])
    await directory(
      `cut to ${length === end ? "the end record" : length < 22 ? length : "one less"}`,
      plain.subarray(0, length),
    );
  await directory("a byte behind", Buffer.concat([plain, Buffer.alloc(1)]));
  await changed("no end signature", (bytes) => bytes.writeUInt8(0, end));
  await changed("one entry more", (bytes) => bytes.writeUInt16LE(4, end + 10));
  await changed("one entry less", (bytes) => bytes.writeUInt16LE(2, end + 10));
  await changed("directory far away", (bytes) => bytes.writeUInt32LE(plain.length, end + 16));
  await changed("directory elsewhere", (bytes) => bytes.writeUInt32LE(central + 1, end + 16));
  await changed("a directory too short", (bytes) =>
    bytes.writeUInt32LE(Buffer.from(plain).readUInt32LE(end + 12) - 1, end + 12),
  );
  await changed("entry signature", (bytes) => bytes.writeUInt8(0, central));
  await changed("local signature", (bytes) => bytes.writeUInt8(0, 0));
  await changed("two sizes", (bytes) => bytes.writeUInt32LE(2, central + 20));
  await changed("past the end", (bytes) => {
    bytes.writeUInt32LE(9999, central + 20);
    bytes.writeUInt32LE(9999, central + 24);
  });
  await changed("header past the end", (bytes) => bytes.writeUInt32LE(plain.length, central + 42));
  await changed("local extra past the end", (bytes) => bytes.writeUInt16LE(65535, 28));
  await changed("size in a missing ZIP64 field", (bytes) => bytes.writeUInt32LE(0xffffffff, central + 24));
  await changed("encrypted", (bytes) => bytes.writeUInt16LE(1, central + 8));
  await changed("compressed", (bytes) => bytes.writeUInt16LE(8, central + 10));
  await changed("ZIP64 asked for", (bytes) => bytes.writeUInt16LE(0xffff, end + 10));
  const wide = zip(entries, { zip64: true });
  await changed("ZIP64 locator", (bytes) => bytes.writeUInt8(0, wide.length - 42), wide);
  await changed("ZIP64 end", (bytes) => bytes.writeUInt8(0, wide.length - 42 - 56), wide);
  await directory(
    "twice",
    (() => {
      const two = Buffer.from(zip({ a: Uint8Array.of(1), b: Uint8Array.of(2) }));
      two[two.indexOf("b", 60)] = 0x61;
      const at = two.lastIndexOf("b");
      if (at > 0) two[at] = 0x61;
      return two;
    })(),
  );
  calls.title("written");
  const write = (name: string, tooWide: number | undefined, ...names: string[]) =>
    calls.once(name, async () => {
      const path = join(folder, "w.zip");
      const handle = await open(path, "w");
      const writer = new ZipWriter(handle, tooWide);
      for (const [i, each] of names.entries())
        await writer.add(each, () => [Uint8Array.of(i, 2, 3), new Uint8Array(60 * i)]);
      await writer.finish();
      await handle.close();
      const bytes = readFileSync(path);
      const source = memorySource("x", bytes);
      const starts = [];
      for (const entry of (await readZipDirectory(source)).values())
        starts.push([entry.name, entry.size, entry.headerStart, await locateEntryData(source, entry)]);
      return [starts, bytes];
    });
  await write("two", undefined, "a", "é漢");
  await write("nothing", undefined);
  for (const tooWide of [0, 3, 4, 100, 200])
    await write(`wide from ${tooWide}`, tooWide, "a", "bb", "c".repeat(70));
  await write("many", undefined, ...Array.from({ length: 5 }, (_, i) => `n${i}`));
  for (const [bytes, before] of [
    [[], 0],
    [[0], 0],
    [[49, 50, 51, 52, 53, 54, 55, 56, 57], 0],
    [[52, 53, 54, 55, 56, 57], 0x884863d2],
    [[255, 0, 1], 0xffffffff],
  ] as [number[], number][])
    await calls.of(tableCrc32, Uint8Array.from(bytes), before);
  calls.approve("io/torch/archives");
});

test("what is written for torch is approved", async () => {
  const folder = temporaryFolder();
  const calls = new Calls({ folder });
  const model: StateDict = new Map([
    ["b.w", eighths([2, 3])],
    ["é", eighths([])],
    ["none", eighths([0, 4])],
    ["long", eighths([300])],
  ]);
  const write = (name: string, given: unknown, options?: object) =>
    calls.once(name, async () => {
      mkdirSync(join(folder, name), { recursive: true });
      const path = join(folder, name, "m.pth");
      await writeTorchCheckpoint(path, given as StateDict, options as never);
      const bytes = readFileSync(path);
      const file = await openTorchFile(memorySource("x", bytes));
      const root = [...(file.root as Map<string, unknown>)].filter(([key]) => key !== "model");
      const entries = [...(await readZipDirectory(memorySource("x", bytes))).values()].map(
        (entry) => `${entry.name} ${entry.size}`,
      );
      return [
        entries,
        root,
        numbers(await file.readTensors(file.state("model").tensors)).map((line) => line.slice(0, 60)),
        bytes,
        readdirSync(join(folder, name)),
      ];
    });
  await write("default", model);
  for (const dtype of ["F32", "F16", "BF16"]) await write(dtype, model, { dtype });
  await write("extras", new Map([["a", eighths([1])]]), {
    extras: {
      epoch: 7,
      name: "漢",
      yes: true,
      no: false,
      none: null,
      half: 0.5,
      minus: -1,
      big: 2 ** 40,
      huge: 1e300,
      255: 255,
      256: 256,
      nan: Number.NaN,
    },
  });
  await write("none", new Map());
  await write(
    "shapes",
    new Map([
      ["a", { shape: [2], data: new Float32Array(3) }],
      ["b", eighths([1])],
      ["c", { shape: [], data: new Float32Array(0) }],
    ]),
  );
  for (const options of [
    { dtype: "F64" },
    { extras: 3 },
    { extras: [1] },
    { extras: { a: [1] } },
    { extras: { a: undefined } },
    { extras: null },
    { extra: {} },
  ])
    await write(JSON.stringify(options), model, options);
  await write("an object", {});
  await calls.does("no path", () => writeTorchCheckpoint(3 as never, model));
  await calls.does("pickle", () => pickleOf(new Map([["a", { shape: [256, 3] }]]), "BF16", { é: "x" }));
  calls.note("left", readdirSync(join(folder, "shapes")));
  calls.approve("io/torch/written");
});
