import {
  add,
  compileFunctions,
  constant,
  createMemory,
  ensureBytes,
  type FunctionCode,
  get,
  instantiate,
  PAGE_BYTES,
  set,
  simd,
} from "../../core/wasm/binary";

/*
 * tfjs's wasm backend multiplies batches of matrices with a plain loop (about 1.5 GFLOP/s), and attention is made of
 * batches. This is a small SIMD kernel of our own for them, written straight as WebAssembly: four rows by eight columns
 * of the product are kept in registers.
 */

/** The product C [M, N] = A [M, K] B [K, N] over one WebAssembly memory. M is a multiple of 4, N of 8. */
export interface SimdMatMul {
  /** At least `floats` numbers of memory; earlier contents may be lost. */
  memory(floats: number): Float32Array;
  /** Offsets in floats into `memory`. */
  multiply(a: number, b: number, c: number, m: number, k: number, n: number): void;
}

export const ROWS = 4;
export const COLUMNS = 8;

export function createSimdMatMul(): SimdMatMul {
  const memory = createMemory(16 * PAGE_BYTES);
  const { multiply: run } = instantiate(compileFunctions([multiplyFunction()]), memory);
  return {
    memory(floats) {
      ensureBytes(memory, 4 * floats);
      return new Float32Array(memory.buffer);
    },
    multiply: (a, b, c, m, k, n) => run(4 * a, 4 * b, 4 * c, 4 * (a + m * k), 4 * k, 4 * n),
  };
}

// Locals: six parameters (byte addresses and strides), then integers, then vectors.
const [A, B, C, A_END, A_STRIDE, B_STRIDE] = [0, 1, 2, 3, 4, 5];
const [COLUMN, B_AT, A_AT, A_STOP, ADDRESS] = [6, 7, 8, 9, 10];
const [B0, B1, SPLAT] = [11, 12, 13];
const accumulator = (row: number, half: number) => 14 + 2 * row + half;

const LESS = [0x49];
const load = (offset: number) => [...simd(0), 2, offset];
const loadSplat = [...simd(9), 2, 0];
const store = (offset: number) => [...simd(11), 2, offset];
const ADD = simd(0xe4);
const MULTIPLY = simd(0xe6);
const ZERO = [...simd(12), ...Array(16).fill(0)];
const advance = (local: number, by: number[]) => [...get(local), ...by, ...add, ...set(local)];
const loopWhileLess = (body: number[], local: number, end: number) => [
  ...[0x03, 0x40, ...body],
  ...[...get(local), ...get(end), ...LESS, 0x0d, 0, 0x0b],
];

const rows = Array.from({ length: ROWS }, (_, row) => row);
const halves = [0, 1];

function accumulateRow(row: number): number[] {
  const step = row === 0 ? get(A_AT) : [...get(ADDRESS), ...get(A_STRIDE), ...add];
  const sums = halves.flatMap((half) => [
    ...get(accumulator(row, half)),
    ...[...get(SPLAT), ...get(half === 0 ? B0 : B1), ...MULTIPLY],
    ...[...ADD, ...set(accumulator(row, half))],
  ]);
  return [...step, ...set(ADDRESS), ...get(ADDRESS), ...loadSplat, ...set(SPLAT), ...sums];
}

function storeRow(row: number): number[] {
  const step = row === 0 ? [...get(C), ...get(COLUMN)] : [...get(ADDRESS), ...get(B_STRIDE)];
  const stores = halves.flatMap((half) => [
    ...get(ADDRESS),
    ...get(accumulator(row, half)),
    ...store(16 * half),
  ]);
  return [...step, ...add, ...set(ADDRESS), ...stores];
}

function multiplyFunction(): FunctionCode {
  const inner = [
    ...[...get(B_AT), ...load(0), ...set(B0), ...get(B_AT), ...load(16), ...set(B1)],
    ...rows.flatMap(accumulateRow),
    ...advance(B_AT, get(B_STRIDE)),
    ...advance(A_AT, constant(4)),
  ];
  const column = [
    ...rows.flatMap((row) => halves.flatMap((half) => [...ZERO, ...set(accumulator(row, half))])),
    ...[...get(B), ...get(COLUMN), ...add, ...set(B_AT)],
    ...[...get(A), ...set(A_AT), ...get(A), ...get(A_STRIDE), ...add, ...set(A_STOP)],
    ...loopWhileLess(inner, A_AT, A_STOP),
    ...rows.flatMap(storeRow),
    ...advance(COLUMN, constant(4 * COLUMNS)),
  ];
  const rowGroup = [
    ...[...constant(0), ...set(COLUMN)],
    ...loopWhileLess(column, COLUMN, B_STRIDE),
    ...rows.flatMap(() => [...advance(A, get(A_STRIDE)), ...advance(C, get(B_STRIDE))]),
  ];
  const locals = [2, 5, 0x7f, 3 + 2 * ROWS, 0x7b];
  return {
    name: "multiply",
    type: [0x60, 6, ...Array<number>(6).fill(0x7f), 0],
    body: [...locals, ...loopWhileLess(rowGroup, A, A_END), 0x0b],
  };
}
