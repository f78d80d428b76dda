import { describe, it } from "node:test";
import * as binary from "../../../../src/core/wasm/binary";
import {
  copyBytes,
  forEach,
  loopWhile,
  repeatWhile,
  wasmFunction,
  when,
} from "../../../../src/core/wasm/function";
import { createKernel, loopUpTo, simdAt } from "../../../../src/core/wasm/kernel";
import { createModule } from "../../../../src/core/wasm/module";
import { bytes, F32, F64, f64, floats, I32, I64, i32, shorts, V128 } from "../../../../src/core/wasm/values";
import { Calls } from "../../../support/calls";

const [A, B, OUT] = [0, 16, 32];
type Expression = (a: I32, b: I32, x: I32, y: I32) => number[] | readonly number[];

const shared = binary.createMemory(1, true);

/** What an expression leaves in 16 bytes, over 32 given ones and two numbers. */
function run(memory: ArrayLike<number>, numbers: readonly [number, number], store: Expression): Uint8Array {
  const code = wasmFunction("f", ["a", "b", "x", "y"], ({ a, b, x, y }) => ({ body: [store(a, b, x, y)] }));
  const module = createModule({ f: code }, shared);
  const view = new Uint8Array(module.buffer).fill(0, 0, 64);
  view.set(Uint8Array.from(memory), A);
  module.functions.f(A, B, ...numbers);
  return view.slice(OUT, OUT + 16);
}

const awkward = Uint8Array.from([
  1, 2, 127, 128, 255, 254, 0, 64, 200, 100, 3, 0, 0, 255, 128, 127, 9, 2, 129, 127, 1, 255, 7, 65, 55, 100,
  253, 255, 3, 0, 128, 255,
]);
const single = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const double = (...values: number[]) => new Uint8Array(Float64Array.from(values).buffer);

type Lanes = "bytes" | "shorts" | "lanes" | "singles" | "doubles";
const read = (out: Uint8Array, as: Lanes) => {
  const buffer = out.slice().buffer;
  const kinds = {
    bytes: Uint8Array,
    shorts: Int16Array,
    lanes: Int32Array,
    singles: Float32Array,
    doubles: Float64Array,
  };
  return Array.from(new kinds[as](buffer) as Float32Array);
};

describe("of the writer of WebAssembly", () => {
  it("what instructions come to is approved", async () => {
    const calls = new Calls();
    const vectors: [Lanes, Lanes, Uint8Array, Record<string, (a: V128, b: V128) => V128>][] = [
      [
        "bytes",
        "bytes",
        awkward,
        {
          equalBytes: (a, b) => a.equalBytes(b),
          without: (a, b) => a.without(b),
          and: (a, b) => a.and(b),
          or: (a, b) => a.or(b),
          xor: (a, b) => a.xor(b),
          chosen: (a, b) =>
            a.chosen(b, bytes([255, 0, 15, 240, 255, 0, 1, 128, 255, 0, 255, 0, 170, 85, 0, 255])),
          plusBytes: (a, b) => a.plusBytes(b),
          picked: (a) => a.picked(bytes([15, 0, 16, 128, 7, 7, 1, 255, 3, 2, 14, 13, 12, 11, 10, 9])),
          mixed: (a, b) => a.mixed(b, [0, 16, 31, 15, 1, 17, 2, 18, 3, 19, 30, 29, 28, 14, 13, 12]),
          "inTurn 1 0": (a, b) => a.inTurn(b, 1, 0),
          "inTurn 1 1": (a, b) => a.inTurn(b, 1, 1),
          "inTurn 2 0": (a, b) => a.inTurn(b, 2, 0),
          "inTurn 2 1": (a, b) => a.inTurn(b, 2, 1),
          "inTurn 4 1": (a, b) => a.inTurn(b, 4, 1),
          "inTurn 8 0": (a, b) => a.inTurn(b, 8, 0),
          "inTurn 8 1": (a, b) => a.inTurn(b, 8, 1),
          narrowedToSignedBytes: (a, b) => a.narrowedToSignedBytes(b),
          narrowedToBytes: (a, b) => a.narrowedToBytes(b),
        },
      ],
      [
        "shorts",
        "shorts",
        awkward,
        {
          plusShorts: (a, b) => a.plusShorts(b),
          minusShorts: (a, b) => a.minusShorts(b),
          timesShorts: (a, b) => a.timesShorts(b),
          timesFractions: (a, b) => a.timesFractions(b),
          "shortsShiftedLeft 3": (a) => a.shortsShiftedLeft(3),
          "shortsShiftedRightUnsigned 3": (a) => a.shortsShiftedRightUnsigned(3),
          lowBytesAsShorts: (a) => a.lowBytesAsShorts(),
          highBytesAsShorts: (a) => a.highBytesAsShorts(),
          narrowedToShorts: (a, b) => a.narrowedToShorts(b),
        },
      ],
      [
        "lanes",
        "lanes",
        awkward,
        {
          plus: (a, b) => a.plus(b),
          minus: (a, b) => a.minus(b),
          "shiftedLeft 5": (a) => a.shiftedLeft(5),
          "shiftedRight 5": (a) => a.shiftedRight(5),
          "shiftedRightUnsigned 5": (a) => a.shiftedRightUnsigned(5),
          below: (a, b) => a.below(b),
          lowShortsAsLanes: (a) => a.lowShortsAsLanes(),
          highShortsAsLanes: (a) => a.highShortsAsLanes(),
          dot: (a, b) => a.dot(b),
        },
      ],
      [
        "lanes",
        "singles",
        awkward,
        { toFloats: (a) => a.toFloats(), unsignedToFloats: (a) => a.unsignedToFloats() },
      ],
      ["lanes", "doubles", awkward, { toDoubles: (a) => a.toDoubles() }],
      [
        "singles",
        "singles",
        single(1.5, -2.25, 0.1, 1e9, 4, -0.5, 7, 1e-3),
        {
          plusFloats: (a, b) => a.plusFloats(b),
          minusFloats: (a, b) => a.minusFloats(b),
          timesFloats: (a, b) => a.timesFloats(b),
          dividedByFloats: (a, b) => a.dividedByFloats(b),
          roots: (a) => a.roots(),
          "roots of the other": (_, b) => b.roots(),
          magnitudes: (a) => a.magnitudes(),
        },
      ],
      [
        "singles",
        "lanes",
        single(1.5, -2.25, 7, -1, 1.5, -2, 9, -3),
        { floatsBelow: (a, b) => a.floatsBelow(b) },
      ],
      [
        "singles",
        "singles",
        single(0.5, 1.5, -2.5, 2.6, -0.4, -1.6, 3.5, 7),
        { rounded: (a) => a.rounded(), "rounded others": (_, b) => b.rounded() },
      ],
      [
        "singles",
        "lanes",
        single(1.5, -2.25, -0.1, 2097151, 0, -1, -2097151, 0.999),
        { floored: (a) => a.floored(), "floored others": (_, b) => b.floored() },
      ],
      [
        "doubles",
        "doubles",
        double(1.5, -2.75, 1e10, 0.125),
        {
          plusDoubles: (a, b) => a.plusDoubles(b),
          minusDoubles: (a, b) => a.minusDoubles(b),
          timesDoubles: (a, b) => a.timesDoubles(b),
          flooredDoubles: (a) => a.flooredDoubles(),
          "flooredDoubles others": (_, b) => b.flooredDoubles(),
        },
      ],
      [
        "doubles",
        "lanes",
        double(-2.75, 1e10, 7.9, -2.75),
        { cutToLanes: (a) => a.cutToLanes(), "cutToLanes others": (_, b) => b.cutToLanes() },
      ],
      [
        "doubles",
        "singles",
        double(-2.75, 0.1, 7.9, 1e300),
        { toSingles: (a) => a.toSingles(), "toSingles others": (_, b) => b.toSingles() },
      ],
      [
        "doubles",
        "lanes",
        double(1, -2, 1, 3),
        {
          doublesAtLeast: (a, b) => a.doublesAtLeast(b),
          "doublesAtLeast turned": (a, b) => b.doublesAtLeast(a),
          doublesBelow: (a, b) => a.doublesBelow(b),
          "doublesBelow turned": (a, b) => b.doublesBelow(a),
        },
      ],
    ];
    for (const [from, to, memory, operations] of vectors) {
      calls.note(`# ${from} to ${to}`, [read(memory.slice(0, 16), from), read(memory.slice(16), from)]);
      for (const [name, operation] of Object.entries(operations))
        await calls.does(name, () =>
          read(
            run(memory, [0, 0], (a, b) => a.plus(OUT).storeVector(operation(a.loadVector(), b.loadVector()))),
            to,
          ),
        );
    }

    calls.title("integers");
    const integers: Record<string, (x: I32, y: I32) => I32> = {
      plus: (x, y) => x.plus(y),
      minus: (x, y) => x.minus(y),
      times: (x, y) => x.times(y),
      and: (x, y) => x.and(y),
      or: (x, y) => x.or(y),
      xor: (x, y) => x.xor(y),
      shiftedLeft: (x) => x.shiftedLeft(3),
      shiftedRight: (x) => x.shiftedRight(3),
      shiftedRightUnsigned: (x) => x.shiftedRightUnsigned(3),
      equals: (x, y) => x.equals(y),
      below: (x, y) => x.below(y),
      above: (x, y) => x.above(y),
      atLeast: (x, y) => x.atLeast(y),
      atMost: (x, y) => x.atMost(y),
      isZero: (x) => x.isZero(),
      plus5: (x) => x.plus(5),
      "by way of 64 bits": (x, y) =>
        x.toI64().shiftedLeft(y.toI64()).or(x.toI64()).shiftedRightUnsigned(i32(7).toI64()).toI32(),
      "by way of doubles": (x, y) => x.toF64().times(f64(0.3)).plus(y.toF64()).minus(f64(0.25)).toI32(),
      "floor of doubles": (x) => x.toF64().times(f64(0.3)).floor().toI32(),
      "doubles at least": (x, y) => x.toF64().atLeast(y.toF64()),
      "doubles below": (x, y) => x.toF64().below(y.toF64()),
      "beyond the range": (x) => x.toF64().times(f64(1e9)).toI32(),
    };
    for (const pair of [
      [7, 7],
      [-9, 5],
      [5, -9],
      [0, 2 ** 31 - 1],
      [123456789, 40],
    ] as [number, number][])
      await calls.does(`of ${pair}`, () =>
        Object.entries(integers).map(
          ([name, operation]) =>
            `${name} ${
              read(
                run([], pair, (a, _, x, y) => a.plus(OUT).store(operation(x, y))),
                "lanes",
              )[0]
            }`,
        ),
      );
    calls.title("loads and stores");
    const whole = (name: string, store: Expression, as: Lanes = "bytes") =>
      calls.does(name, () => read(run(awkward, [-2, 77], store), as));
    await whole("loadByte, storeByte", (a) => a.storeByte(a.loadByte(4), OUT + 3));
    await whole(
      "loadByte and loadShort are unsigned",
      (a) => [
        ...a.store(a.loadByte(4), OUT),
        ...a.store(a.loadShort(4), OUT + 4),
        ...a.store(a.load(3), OUT + 8),
      ],
      "lanes",
    );
    await whole("loadShort, storeShort", (a) => a.storeShort(a.loadShort(3), OUT + 2));
    await whole("load, store", (a, b) => a.store(b.load(), OUT + 4));
    await whole("loadI64, storeI64", (a) => a.storeI64(a.loadI64(1), OUT + 8));
    await whole("loadF32, storeF32", (a) => a.storeF32(a.loadF32(8), OUT + 12));
    await whole("loadF64", (a) => a.store(a.loadF64(8).atLeast(f64(0)), OUT));
    await whole("loadVector, storeVector", (a, b) => b.storeVector(a.loadVector(5), OUT - B));
    await whole("loadBytesAsShorts", (a) => a.storeVector(a.loadBytesAsShorts(3), OUT), "shorts");
    await whole("loadInLanes", (a) => a.storeVector(a.loadInLanes(2), OUT));
    await whole("storeHalf 0", (a) => a.plus(OUT).storeHalf(a.loadVector(), 0));
    await whole("storeHalf 1", (a) => a.plus(OUT).storeHalf(a.loadVector(), 1));
    await whole("inBytes", (a, _, x) => a.storeVector(x.inBytes(), OUT));
    await whole("inShorts", (a, _, x) => a.storeVector(x.inShorts(), OUT), "shorts");
    await whole("inLanes", (a, _, __, y) => a.storeVector(y.inLanes(), OUT), "lanes");
    await whole("inDoubles", (a) => a.storeVector(f64(-1.25).inDoubles(), OUT), "doubles");
    await whole("constants", (a) => a.storeVector(floats([1, -2.5, 3, 0]), OUT), "singles");
    await whole("shorts", (a) => a.storeVector(shorts([1, -2, 3, 4, 5, 6, 7, -32768]), OUT), "shorts");
    await whole(
      "lanes and bits",
      (a) => [
        ...a.store(a.loadVector().lane(2), OUT),
        ...a.store(a.loadVector().firstLane(), OUT + 4),
        ...a.store(a.loadVector().bitsOfBytes(), OUT + 8),
        ...a.store(a.loadVector().bitsOfLanes(), OUT + 12),
      ],
      "lanes",
    );
    await whole(
      "anyTrue",
      (a) => [
        ...a.store(a.loadVector().anyTrue(), OUT),
        ...a.store(bytes(Array(16).fill(0)).anyTrue(), OUT + 4),
      ],
      "lanes",
    );
    calls.note(
      "classes",
      [I32, I64, F32, F64, V128].map(({ name }) => name),
    );
    calls.approve("core/wasm instructions");
  });

  it("what functions, loops and memories come to is approved", async () => {
    const calls = new Calls();
    calls.title("numbers as bytes");
    for (const value of [0, 1, 127, 128, 16383, 16384, 2 ** 31, 2 ** 32 - 1])
      await calls.does(`leb ${value}`, () => binary.leb(value));
    for (const value of [0, 1, 63, 64, -1, -64, -65, 8191, 8192, 2 ** 31 - 1, -(2 ** 31)])
      await calls.does(`signedLeb ${value}`, () => binary.signedLeb(value));
    calls.note("instructions", [
      binary.get(3),
      binary.set(4),
      binary.simd(0x0b),
      binary.simd(0xae),
      binary.constant(-65),
      binary.add,
      simdAt(0xfe, 300),
    ]);
    calls.title("memories");
    for (const size of [0, 1, binary.PAGE_BYTES, binary.PAGE_BYTES + 1])
      await calls.does(`createMemory ${size}`, () => [
        binary.createMemory(size).buffer.byteLength,
        binary.createMemory(size).buffer.constructor.name,
        binary.createMemory(size, true).buffer.constructor.name,
      ]);
    const memory = binary.createMemory(1);
    for (const size of [0, binary.PAGE_BYTES, binary.PAGE_BYTES + 1, 5, 3 * binary.PAGE_BYTES]) {
      binary.ensureBytes(memory, size);
      calls.note(`after ensureBytes ${size}`, memory.buffer.byteLength);
    }
    await calls.does("more than there can be", () => {
      try {
        binary.ensureBytes(memory, 2 ** 33);
      } catch (error) {
        return (error as Error).name;
      }
    });
    calls.title("functions");
    const functions = {
      sumTo: wasmFunction("sumTo", ["count", "from"], ({ count, from }, locals) => {
        const [i, all] = [locals.i32(), locals.i32()];
        return { body: [all.set(from), forEach(i, count, [all.set(all.plus(i))])], result: all };
      }),
      once: wasmFunction("once", ["x"], ({ x }, locals) => {
        const turns = locals.i32();
        return { body: [repeatWhile([turns.set(turns.plus(1))], turns.below(x))], result: turns };
      }),
      maybe: wasmFunction("maybe", ["x"], ({ x }, locals) => {
        const turns = locals.i32();
        return { body: [loopWhile(turns.below(x), [turns.set(turns.plus(1))])], result: turns };
      }),
      either: wasmFunction("either", ["x"], ({ x }, locals) => {
        const [found, other, third] = [locals.i32(), locals.f64(), locals.i64()];
        locals.v128();
        return {
          body: [
            when(x, [found.set(i32(7))], [found.set(i32(-200000))]),
            when(x, [other.set(f64(2)), third.set(i32(3).toI64())]),
          ],
          result: found.plus(other.toI32()).plus(third.toI32()),
        };
      }),
      copy: wasmFunction("copy", ["to", "from", "length"], ({ to, from, length }) => ({
        body: [copyBytes(to, from, length)],
      })),
    };
    const module = createModule(functions);
    for (const pair of [
      [0, 5],
      [1, 5],
      [7, 0],
      [100, -1],
    ])
      await calls.does(`sumTo ${pair}`, () => module.functions.sumTo(...pair));
    for (const x of [0, 1, 3, -1])
      await calls.does(`of ${x}`, () => [
        module.functions.once(x),
        module.functions.maybe(x),
        module.functions.either(x),
      ]);
    new Uint8Array(module.buffer).set([1, 2, 3, 4, 5]);
    calls.note("copy", [module.functions.copy(100, 1, 3), new Uint8Array(module.buffer).slice(98, 105)]);
    calls.note("codes", [functions.either.type, functions.copy.type, functions.sumTo.body]);
    module.ensure(binary.PAGE_BYTES + 1);
    calls.note("grown", [
      module.buffer.byteLength,
      module.buffer.constructor.name,
      new Uint8Array(module.buffer)[1],
    ]);
    const own = binary.createMemory(1, true);
    const second = createModule(functions, own);
    new Uint8Array(second.buffer)[9] = 8;
    calls.note("over another memory", [
      second.functions.copy(0, 9, 1),
      new Uint8Array(own.buffer as ArrayBuffer)[0],
      new Uint8Array(module.buffer)[0],
    ]);
    const kernel = createKernel(
      [
        {
          name: "count",
          parameters: 2,
          vectors: 0,
          result: true,
          body: [
            ...loopUpTo([...binary.get(0), ...binary.constant(1), 0x3a, 0, 0], 0, 3, 1),
            ...binary.get(0),
          ],
        },
        {
          name: "fill",
          parameters: 1,
          vectors: 2,
          result: false,
          body: [...binary.get(0), ...binary.set(0), ...binary.get(0), ...binary.get(2), ...simdAt(0x0b, 5)],
        },
      ],
      binary.PAGE_BYTES + 1,
    );
    for (const [from, to] of [
      [0, 7],
      [4, 4],
      [5, 4],
    ])
      await calls.does(`loopUpTo from ${from} to ${to}`, () => kernel.functions.count(from, to));
    calls.note("bytes of the kernel", [kernel.buffer.byteLength, new Uint8Array(kernel.buffer, 0, 10)]);
    new Uint8Array(kernel.buffer).fill(9, 0, 30);
    kernel.functions.fill(2);
    calls.note("after a vector of zeros at 7", new Uint8Array(kernel.buffer, 0, 24));
    calls.approve("core/wasm functions");
  });
});
