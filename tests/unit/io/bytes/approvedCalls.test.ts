import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { LuvitError } from "../../../../src/core/errors";
import type { HostTensor, StoredDtype } from "../../../../src/core/hostTensor";
import * as bytes from "../../../../src/io/bytes";
import { memorySource } from "../../../../src/io/bytes/byteSource";
import { bfloatBits, halfBits } from "../../../../src/io/bytes/floats";
import { foreignStart } from "../../../../src/io/bytes/foreignStart";
import { JsonSplitter } from "../../../../src/io/bytes/jsonSplitter";
import { openFailure, requireRange } from "../../../../src/io/bytes/keptFile";
import { Calls } from "../../../support/calls";
import { temporaryFolder } from "../../../support/temporaryFolder";

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
const code = (name: string) => Object.assign(new Error(`${name}: told by the system`), { code: name });

/** What is said without the words of the system's own parser, which another version has others for. */
const withoutParser = (error: LuvitError) => `${error.code}: ${error.message.replace(/ \(.*/s, "")}`;

describe("of bytes", () => {
  it("what sources give is approved", async () => {
    const tmp = temporaryFolder("bytes");
    const at = (name: string) => join(tmp, name);
    const calls = new Calls({ tmp });
    writeFileSync(
      at("ten"),
      Uint8Array.from({ length: 10 }, (_, i) => i * 3),
    );
    writeFileSync(at("empty"), "");
    writeFileSync(at("pointer"), pointer);
    writeFileSync(at("long"), pointer + "x".repeat(1024));
    execFileSync("mkfifo", [at("pipe")]);
    const read = async (path: string, start: number, end: number) => {
      const source = await bytes.fileSource(path);
      try {
        return [source.name, source.size, await source.read(start, end)];
      } finally {
        await source.close();
      }
    };
    const kept = (path: string, start: number, end: number) => {
      const file = new bytes.KeptFile(path);
      try {
        return [file.size, file.readNow(start, end)];
      } finally {
        void file.close();
      }
    };
    const ranges = [
      [0, 10],
      [3, 7],
      [10, 10],
      [0, 0],
      [9, 11],
      [-1, 2],
      [5, 4],
      [0.5, 2],
      [0, Number.NaN],
      [0, 2 ** 60],
    ] as const;
    for (const [start, end] of ranges) {
      await calls.does(`fileSource ${start} ${end}`, () => read(at("ten"), start, end));
      await calls.does(`KeptFile ${start} ${end}`, () => kept(at("ten"), start, end));
      await calls.does(`memorySource ${start} ${end}`, () =>
        memorySource("m", Uint8Array.of(0, 3, 6, 9, 12, 15, 18, 21, 24, 27)).read(start, end),
      );
      await calls.of(requireRange, "f", 10, start, end);
    }
    for (const name of ["empty", "pointer", "long", "pipe", "none", ".", "ten/x", "x".repeat(300)]) {
      await calls.does(`fileSource of ${name.slice(0, 20)}`, () => read(at(name), 0, 0));
      await calls.does(`KeptFile of ${name.slice(0, 20)}`, () => kept(at(name), 0, 0));
    }
    for (const name of ["ENOENT", "ENOTDIR", "EACCES"]) await calls.of(openFailure, "p", code(name));
    const large = at("large");
    const size = 2 ** 24 + 2 ** 23 + 11;
    writeFileSync(
      large,
      Buffer.alloc(
        size,
        Uint8Array.from({ length: 251 }, (_, i) => i),
      ),
    );
    await calls.once("in pieces", () => read(large, 5, size));
    calls.title("counted");
    const memory = memorySource("m", Uint8Array.of(1, 2, 3, 4));
    const counted = new bytes.CountingSource(memory);
    await calls.does("counting", async () => [
      counted.name,
      counted.size,
      await counted.read(1, 4),
      counted.readMany,
      counted.keep,
    ]);
    calls.note("counts", [counted.bytesRead, counted.reads]);
    await calls.does("a failing read is not counted", () => counted.read(1, 5));
    const many = new bytes.CountingSource({
      ...memory,
      readMany: async (wanted, use) =>
        wanted.forEach(({ start, end }, i) => {
          use(i, new Uint8Array(end - start).fill(i));
        }),
      keep: () => undefined,
    });
    const used: unknown[] = [];
    await many.readMany!(
      [
        { start: 0, end: 2 },
        { start: 1, end: 2 },
      ],
      (i, got) => used.push([i, got]),
    );
    calls.note("many", [used, many.bytesRead, many.reads, many.keep?.()]);
    calls.note("counts", [counted.bytesRead, counted.reads]);
    calls.title("copies");
    const own = Buffer.from([1, 2, 3]);
    const copy = await memorySource("m", own).read(0, 3);
    copy[0] = 9;
    calls.note("the original", own);
    calls.title("kept");
    const source = await bytes.fileSource(at("ten"));
    const file = source.keep!()!;
    calls.note("kept", [
      file.name,
      file.size,
      source.keep!() === file,
      file.isAt(statSync(at("ten"))),
      file.identity === new bytes.KeptFile(at("ten")).identity,
    ]);
    const stretch = new bytes.KeptStretch(file, 2, 5);
    calls.note("a stretch", [stretch.start, stretch.end, stretch.read(), await file.read(0, 1)]);
    renameSync(at("ten"), at("moved"));
    writeFileSync(at("ten"), "another");
    calls.note("after another took its name", [stretch.read(), await source.read(2, 5)]);
    await source.close();
    const opened = await bytes.fileSource(at("ten"));
    rmSync(at("ten"));
    calls.note("of one that is gone", opened.keep!());
    await opened.close();
    const replaced = await bytes.fileSource(at("long"));
    rmSync(at("long"));
    writeFileSync(at("long"), "another");
    calls.note("of one that another has replaced", replaced.keep!());
    await replaced.close();
    const changed = await bytes.fileSource(at("long"));
    appendFileSync(at("long"), "x");
    calls.note("of one that has grown", changed.keep!());
    await changed.close();
    writeFileSync(at("vast"), "");
    truncateSync(at("vast"), 2 ** 43);
    const vast = await bytes.fileSource(at("vast"));
    await calls.does("more than there is memory", () => vast.read(0, 2 ** 43).catch(withoutParser));
    await vast.close();
    appendFileSync(at("moved"), "x");
    await calls.does("after it was written into", () => stretch.read());
    await file.close();
    await file.close();
    await calls.does("after it was closed", () => file.readNow(0, 1));
    writeFileSync(at("touched"), "abc");
    const touched = new bytes.KeptFile(at("touched"));
    utimesSync(at("touched"), 1, 1);
    await calls.does("after it was touched", () => touched.readNow(0, 1));
    await touched.close();
    writeFileSync(at("shorter"), new Uint8Array(2000));
    const shorter = await bytes.fileSource(at("shorter"));
    truncateSync(at("shorter"), 1500);
    await calls.does("became shorter", () => shorter.read(0, 2000));
    await calls.does("as far as it goes", async () => (await shorter.read(0, 1500)).length);
    await shorter.close();
    await calls.does("closed", () => shorter.read(0, 1).catch(withoutParser));
    calls.approve("io/bytes sources");
  });

  it("what ranges are read at once is approved", async () => {
    const tmp = temporaryFolder("ranges");
    const calls = new Calls({ tmp });
    const mega = 2 ** 20;
    const log: unknown[] = [];
    const source = {
      ...memorySource(
        "m",
        new Uint8Array(4 * mega).map((_, i) => i % 250),
      ),
    };
    const { read } = source;
    source.read = async (start, end) => {
      log.push(["read", start, end]);
      await new Promise((resolve) => setImmediate(resolve));
      return read(start, end);
    };
    const told = async (name: string, ranges: readonly [number, number][]) => {
      log.length = 0;
      await calls.once(name, async () => {
        await bytes.readRanges(
          source,
          ranges.map(([start, end], i) => ({ start, end, tag: `t${i}` })),
          (tag, own, again) =>
            log.push([tag, own.length, own[0], own.buffer.byteLength === own.length, again]),
        );
        return log;
      });
    };
    await told("none", []);
    await told("one", [[5, 9]]);
    await told("touching, overlapping, within, apart", [
      [0, 4],
      [4, 8],
      [6, 12],
      [7, 9],
      [13, 20],
      [20, 20],
      [30, 31],
    ]);
    await told("in any order", [
      [30, 31],
      [10, 12],
      [0, 10],
      [40, 41],
      [0, 2],
      [12, 13],
    ]);
    await told("up to a MiB", [
      [0, mega - 1],
      [mega - 1, mega],
      [mega, mega + 1],
    ]);
    await told("twice the same", [
      [3, 5],
      [3, 5],
    ]);
    await told("beyond the end", [
      [0, 4],
      [4 * mega, 4 * mega + 1],
    ]);
    calls.note("log", log);
    await calls.does("a use that throws", () =>
      bytes.readRanges(
        source,
        [
          { start: 0, end: 1, tag: 0 },
          { start: 5, end: 6, tag: 1 },
        ],
        () => {
          throw new Error("use");
        },
      ),
    );
    const path = join(tmp, "file");
    writeFileSync(path, Uint8Array.of(1, 2, 3, 4, 5, 6));
    const file = await bytes.fileSource(path);
    const again: unknown[] = [];
    await bytes.readRanges(
      file,
      [
        { start: 1, end: 3, tag: "a" },
        { start: 3, end: 6, tag: "b" },
      ],
      (tag, own, more) => {
        const place = more!()!;
        again.push([tag, own, place.start, place.end, place.read()]);
      },
    );
    await file.close();
    calls.note("again", again);
    await calls.does("many by itself", async () => {
      const got: unknown[] = [];
      await bytes.readRanges(
        {
          ...source,
          readMany: async (ranges, use) =>
            [...ranges].reverse().forEach((_, i) => {
              use(ranges.length - 1 - i, Uint8Array.of(i));
            }),
        },
        [
          { start: 1, end: 2, tag: "a" },
          { start: 5, end: 6, tag: "b" },
        ],
        (tag, own) => got.push([tag, own]),
      );
      return got;
    });
    for (const names of [[], ["a"], ["a", "b", "c"]])
      await calls.does(`requireNames ${names}`, () =>
        bytes.requireNames(source, { tensors: new Map([["a", 1]]) }, names),
      );
    calls.approve("io/bytes ranges");
  });

  it("what numbers and tensors are read as is approved", async () => {
    const calls = new Calls();
    calls.note("bytesPerElement", bytes.bytesPerElement);
    const raw = Uint8Array.from(
      { length: 16 },
      (_, i) => [0, 1, 0x80, 0x3f, 255, 255, 0, 0xc0, 7, 0, 0, 0x80, 0x80, 0x7f, 1, 0x42][i],
    );
    for (const dtype of Object.keys(bytes.bytesPerElement) as StoredDtype[]) {
      await calls.of(bytes.widenToFloat32, raw, dtype);
      await calls.does(`${dtype} at an odd place`, () =>
        bytes.widenToFloat32(new Uint8Array([9, ...raw]).subarray(1), dtype),
      );
      for (const length of [0, 1, 3, 7])
        await calls.does(`${length} bytes of ${dtype}`, () =>
          bytes.widenToFloat32(raw.subarray(0, length), dtype),
        );
    }
    const wide = new Uint8Array(BigInt64Array.of(2n ** 53n + 1n, -1n, -(2n ** 40n) - 5n, 0n).buffer);
    await calls.does("I64", () => bytes.widenToFloat32(wide, "I64"));
    await calls.does("F64", () =>
      bytes.widenToFloat32(new Uint8Array(Float64Array.of(0.1, 1e300, -0, Number.NaN).buffer), "F64"),
    );
    const floats = Float32Array.from([
      0,
      -0,
      1,
      -1.5,
      65504,
      65519.996,
      65520,
      -1e10,
      1e-8,
      2.98e-8,
      2.981e-8,
      5.96e-8,
      8.9e-8,
      9e-8,
      6.1e-5,
      6.103e-5,
      1.0004883,
      1.0014648,
      3.14062,
      1e38,
      3.4e38,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    for (const dtype of ["F32", "F16", "BF16"] as const)
      await calls.does(`narrowed to ${dtype}`, () =>
        [
          ...new (dtype === "F32" ? Uint32Array : Uint16Array)(
            new Uint8Array(bytes.narrowFromFloat32(floats, dtype)).buffer,
          ),
        ].map((one) => one.toString(16)),
      );
    await calls.does("of a view", () => [
      bytes.narrowFromFloat32(floats.subarray(2, 4), "F32"),
      bytes.narrowFromFloat32(floats.subarray(2, 4), "F16"),
    ]);
    for (const bits of [
      0x3f800000, 0x3f801000, 0x3f801001, 0x3f803000, 0x3f808000, 0x3f808001, 0x3f818000, 0x7f7fffff,
      0x7f800000, 0x7f800001, 0xff800001, 0x7fc00000, 0x33000000, 0x33000001, 0x33800000, 0x387fffff,
      0x38800000, 0x477fefff, 0x477ff000, 0x80000001, 0xb3c00000,
    ])
      await calls.does(bits.toString(16), () => [bfloatBits(bits).toString(16), halfBits(bits).toString(16)]);
    calls.title("tensors");
    const again = (stretch?: bytes.KeptStretch) => () => stretch;
    const shorts = () => new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x7bff).buffer);
    for (const dtype of ["F16", "BF16", "F32", "I8", "BOOL", "F64"] as StoredDtype[]) {
      await calls.does(`of ${dtype}`, () => {
        const data =
          dtype === "F32" || dtype === "F64" ? new Uint8Array(Float64Array.of(1, 2).buffer) : shorts();
        const tensor = new bytes.StoredTensor([3], dtype, data);
        const before = [tensor.bytes, tensor.isFinite, tensor.peek()];
        tensor.release();
        return [
          before,
          tensor.data,
          tensor.bytes,
          tensor.isFinite,
          tensor.place(),
          tensor.data === tensor.peek(),
          tensor.shape,
          tensor.dtype,
        ];
      });
    }
    await calls.does("an odd number of bytes", () => new bytes.StoredTensor([1], "F16", new Uint8Array(3)));
    await calls.does("F32 of an array of their own are taken", () => {
      const data = new Uint8Array(8);
      const tensor = new bytes.StoredTensor([2], "F32", data);
      const part = new bytes.StoredTensor([1], "F32", data.subarray(4));
      return [tensor.data.buffer === data.buffer, part.data.buffer === data.buffer];
    });
    const tmp = temporaryFolder("tensors");
    const path = join(tmp, "file");
    writeFileSync(
      path,
      Buffer.concat([Buffer.of(9), shorts(), new Uint8Array(Float32Array.of(1, 2).buffer)]),
    );
    const file = new bytes.KeptFile(path);
    const [short, single] = [new bytes.KeptStretch(file, 1, 7), new bytes.KeptStretch(file, 7, 15)];
    const placed = (tensor: HostTensor) => {
      const place = tensor.place?.();
      return (
        place && [place.path === path, place.identity === file.identity, place.start, place.end, place.dtype]
      );
    };
    const states = (name: string, tensor: bytes.StoredTensor) => {
      calls.note(name, [tensor.bytes?.length, tensor.isFinite, placed(tensor), tensor.peek()]);
      tensor.release();
      calls.note("  released", [tensor.bytes?.length, tensor.isFinite, placed(tensor), tensor.peek()]);
      const data = tensor.data;
      data[0] = 77;
      tensor.release();
      calls.note("  given away", [tensor.bytes?.length, tensor.isFinite, placed(tensor), tensor.peek()]);
    };
    states("halves kept in a file", new bytes.StoredTensor([3], "F16", short));
    states("halves that can be read again", new bytes.StoredTensor([3], "F16", shorts(), again(short)));
    states("halves that can no longer", new bytes.StoredTensor([3], "F16", shorts(), again(undefined)));
    states("singles kept in a file", new bytes.StoredTensor([2], "F32", single));
    states(
      "singles that can be read again",
      new bytes.StoredTensor([2], "F32", new Uint8Array(Float32Array.of(1, 2).buffer), again(single)),
    );
    states("bytes kept in a file", new bytes.StoredTensor([6], "U8", short));
    await file.close();
    calls.title("what is not finite");
    const host = (...data: number[]): HostTensor => ({ shape: [data.length], data: Float32Array.from(data) });
    for (const tensor of [
      host(),
      host(1, 2),
      host(1, Number.NaN),
      host(Number.NaN, Number.POSITIVE_INFINITY, 3, Number.NEGATIVE_INFINITY),
    ])
      await calls.of(bytes.describeNonFinite, tensor);
    await calls.does("stored", () => [
      bytes.describeNonFinite(new bytes.StoredTensor([3], "F16", shorts())),
      bytes.describeNonFinite(new bytes.StoredTensor([2], "F16", new Uint8Array([0, 0x7c, 1, 0x7c]))),
      bytes.describeNonFinite(new bytes.StoredTensor([1], "BF16", new Uint8Array([0x80, 0x7f]))),
    ]);
    const unreadable = new bytes.UnreadableTensor("a.b", [2, 3], "F8_E4M3");
    calls.note("unreadable", [unreadable.problem, unreadable.shape]);
    await calls.does("its data", () => unreadable.data);
    calls.approve("io/bytes numbers");
  });

  it("what is taken for JSON is approved", async () => {
    const tmp = temporaryFolder("json");
    const calls = new Calls({ tmp });
    const path = join(tmp, "file.json");
    const texts: (string | Uint8Array)[] = [
      "",
      " ",
      "{}",
      "[]",
      "[1]",
      "[[1,2],[3]]",
      '{"a":[1,{"b":[2]}, "x,]}\\"" ],"c": {"d":[1]},"e":null , "ä\\u00e4":"日" }',
      '\ufeff{"a":[1]}\r\n',
      '{"a":[1,]}',
      '{"a":[,1]}',
      '{"a":1,}',
      "{,}",
      '{"a"}',
      '{"a" 1}',
      "{a:1}",
      '{"a":[1}',
      '{"a":[1]',
      '{"a":',
      '{"a":[1]} x',
      '{"a":[1]}{}',
      '{"a":1,"a":2}',
      '{"\\q":1}',
      '{"a":}',
      "[1 2]",
      '["a""b"]',
      "[1]]",
      "5",
      '"x"',
      "null",
      '{"a":[]}',
      '{"a":[ ],"b":[1]}',
      '{"a":[tru',
      Uint8Array.from([0x5b, 0x22, 0xff, 0x22, 0x5d]),
      Uint8Array.from([0xff, 0xfe, 0x7b, 0]),
      Uint8Array.from([0xfe, 0xff, 0, 0x7b]),
      Uint8Array.from([0x1f, 0x8b, 8]),
      "PK\u0003\u0004",
      Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd]),
      Uint8Array.from([0xfd, 0x37, 0x7a, 0x58, 0x5a]),
      "<!doctype html>",
      "\n  <xml>",
      '{"<":1}',
      pointer,
    ];
    for (const text of texts) {
      writeFileSync(path, text);
      const shown = typeof text === "string" ? JSON.stringify(text) : Buffer.from(text).toString("hex");
      await calls.does(`parts of ${shown}`, async () => {
        const parts: unknown[] = [];
        await bytes
          .forEachJsonPart(path, (...part) => parts.push(part))
          .catch((error) => (error.cause?.cause ? withoutParser(error) : Promise.reject(error)));
        return parts;
      });
      await calls.does("  whole", () => bytes.readJsonObject(path).catch(withoutParser));
      calls.note("  foreign", foreignStart(typeof text === "string" ? new TextEncoder().encode(text) : text));
    }
    const whole =
      '{"info":{"a":"}]\\\\"},"images":[{"id":1,"n":"日本"},[2,[3]],"te\\"xt",-1.5e3 ,true],"more":[],"last":7}';
    for (const size of [1, 2, 3, 7]) {
      await calls.does(`in chunks of ${size}`, () => {
        const parts: unknown[] = [];
        const splitter = new JsonSplitter((...part) => parts.push(part));
        const all = new TextEncoder().encode(whole);
        for (let from = 0; from < all.length; from += size) {
          const chunk = all.slice(from, from + size);
          splitter.push(chunk);
          chunk.fill(0x78); // it is taken again for the next
        }
        splitter.end();
        return parts;
      });
    }
    writeFileSync(path, "[1]");
    const stumble = () => {
      throw new TypeError("use");
    };
    await calls.does("an error of the use goes through", () => bytes.forEachJsonPart(path, stumble));
    await calls.does("no file", () => bytes.forEachJsonPart(join(tmp, "none"), () => {}));
    await calls.does("no file, whole", () => bytes.readJsonObject(join(tmp, "none")));
    writeFileSync(path, `{${" ".repeat(4 * 2 ** 20 - 8)}"a日":[1,2]}`);
    await calls.does("over a chunk's end", async () => {
      const parts: unknown[] = [];
      await bytes.forEachJsonPart(path, (...part) => parts.push(part));
      return parts;
    });
    truncateSync(path, 64 * 2 ** 20 + 1);
    await calls.does("too large", () => bytes.readJsonObject(path));
    calls.title("keys");
    for (const text of [
      "{}",
      '{"a":1,"a":2}',
      '{"a":{"b":1,"b":2},"c":[{"d":1},{"d":2,"d":3}],"a":1}',
      '["a","a"]',
      '{"a":"{\\"a\\":1}","\\u0061":2}',
      '{"a":":","b":"a"}',
      '{"a":1,"a":2,"a":3}',
      "5",
    ])
      await calls.of(bytes.repeatedKeys, text);
    calls.approve("io/bytes json");
  });
});
