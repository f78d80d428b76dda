import { constant, get, PAGE_BYTES, set, simd } from "./wasm/binary";
import { createKernel, loopUpTo, shiftLeft, simdAt, type WasmKernel } from "./wasm/kernel";

/*
 * Float16 and bfloat16 by the million. A loop in JavaScript turns 0.2 G numbers a second into float32; eight lanes of
 * WebAssembly do as many as the memory can take. The numbers pass through a window of the kernel's own memory that
 * stays in the processor's cache.
 */

/** Stored types of two bytes. */
export type ShortFloat = "F16" | "BF16";

/** Bytes converted at a time. */
const WINDOW = PAGE_BYTES;
/** Where the float32 numbers of a window lie in the kernel's memory. */
const OUTPUT = WINDOW;
/** Bytes of one turn of the kernel's loops. */
const STEP = 16;

const [AT, END] = [0, 1];
const [BITS, MAGNITUDE, SHIFTED, NORMAL, RESULT] = [2, 3, 4, 5, 6];
const [FOUND, PATTERN] = [3, 4];

const load = (offset: number) => [...get(AT), ...simdAt(0x00, offset)];
/** Four 16-bit numbers as 32-bit lanes. */
const loadShorts = (offset: number) => [...get(AT), ...simdAt(0x04, offset)];
const store = (offset: number, value: readonly number[]) => [
  ...[...get(AT), ...constant(1), ...shiftLeft],
  ...[...value, ...simdAt(0x0b, OUTPUT + offset)],
];
const spread = (value: number) => [...constant(value), ...simd(0x11)];
const spreadShort = (local: number) => [...get(local), ...simd(0x10)];
const shift = (value: readonly number[], bits: number) => [...value, ...constant(bits), ...simd(0xab)];
const [EQUAL_SHORTS, LESS, GREATER] = [0x2d, 0x39, 0x3b].map(simd);
const [AND, OR, SELECT, ANY] = [0x4e, 0x50, 0x52, 0x53].map(simd);
const [PLUS, FLOAT_MINUS] = [0xae, 0xe5].map(simd);

/** Adding this to a half's exponent, in place in a float32, turns its bias of 15 into 127. */
const BIAS = 112 << 23;
const SMALLEST_NORMAL = 113 << 23;

/**
 * Exponent and fraction moved into place are a float32 with a wrong bias. Subnormal halves are read as if they had a
 * leading one, which is then subtracted as a float; infinities and NaN get the bias twice.
 */
function widenHalves(group: number): number[] {
  const subnormal = [
    ...[...get(SHIFTED), ...spread(SMALLEST_NORMAL), ...PLUS],
    ...[...spread(SMALLEST_NORMAL), ...FLOAT_MINUS],
  ];
  const special = [...get(NORMAL), ...spread(BIAS), ...PLUS];
  const sign = shift([...get(BITS), ...spread(0x8000), ...AND], 16);
  return [
    ...[...loadShorts(8 * group), ...set(BITS)],
    ...[...get(BITS), ...spread(0x7fff), ...AND, ...set(MAGNITUDE)],
    ...[...shift(get(MAGNITUDE), 13), ...set(SHIFTED)],
    ...[...get(SHIFTED), ...spread(BIAS), ...PLUS, ...set(NORMAL)],
    ...[
      ...subnormal,
      ...get(NORMAL),
      ...get(MAGNITUDE),
      ...spread(0x400),
      ...LESS,
      ...SELECT,
      ...set(RESULT),
    ],
    ...[...special, ...get(RESULT), ...get(MAGNITUDE), ...spread(0x7bff), ...GREATER, ...SELECT],
    ...[...sign, ...OR, ...set(RESULT)],
    ...store(16 * group, get(RESULT)),
  ];
}

const groups = [0, 1];
const converter = { parameters: 2, result: false } as const;

let kernel: WasmKernel | undefined;

function shortFloatKernel(): WasmKernel {
  kernel ??= makeKernel();
  return kernel;
}

function makeKernel(): WasmKernel {
  const halves = groups.flatMap(widenHalves);
  const bfloats = groups.flatMap((group) => store(16 * group, shift(loadShorts(8 * group), 16)));
  const matches = [...load(0), ...get(PATTERN), ...AND, ...get(PATTERN), ...EQUAL_SHORTS];
  const search = [...get(FOUND), ...matches, ...OR, ...set(FOUND)];
  return createKernel(
    [
      { ...converter, name: "F16", vectors: 5, body: loopUpTo(halves, AT, STEP, END) },
      { ...converter, name: "BF16", vectors: 0, body: loopUpTo(bfloats, AT, STEP, END) },
      {
        ...{ name: "anyWith", parameters: 3, vectors: 2, result: true },
        body: [
          ...[...spreadShort(2), ...set(PATTERN)],
          ...[...loopUpTo(search, AT, STEP, END), ...get(FOUND), ...ANY],
        ],
      },
    ],
    WINDOW + 2 * WINDOW,
  );
}

/** Little-endian F16 or BF16 as float32, exactly. `out` has half as many elements as there are bytes. */
export function widenShortFloats(bytes: Uint8Array, dtype: ShortFloat, out: Float32Array): void {
  const { buffer, functions } = shortFloatKernel();
  const input = new Uint8Array(buffer, 0, WINDOW);
  const output = new Float32Array(buffer, OUTPUT, WINDOW / 2);
  for (let at = 0; at < bytes.length; at += WINDOW) {
    const window = bytes.subarray(at, at + WINDOW);
    input.set(window);
    functions[dtype](0, window.length);
    out.set(output.subarray(0, window.length / 2), at / 2);
  }
}

/** Whether there is an infinity or a NaN: all exponent bits set. */
export function hasSpecialShortFloats(bytes: Uint8Array, dtype: ShortFloat): boolean {
  const { buffer, functions } = shortFloatKernel();
  const input = new Uint8Array(buffer, 0, WINDOW);
  const exponent = dtype === "F16" ? 0x7c00 : 0x7f80;
  for (let at = 0; at < bytes.length; at += WINDOW) {
    const window = bytes.subarray(at, at + WINDOW);
    input.set(window);
    input.fill(0, window.length, Math.ceil(window.length / STEP) * STEP);
    if (functions.anyWith(0, window.length, exponent) !== 0) return true;
  }
  return false;
}
