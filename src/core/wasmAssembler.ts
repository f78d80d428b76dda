/*
 * Just enough of WebAssembly's binary format for kernels written by hand. Each name gives the bytes of one instruction;
 * a kernel is their concatenation. Reference: WebAssembly Core Specification 2.0, chapter 5.
 */

/** The part of the WebAssembly API used here; TypeScript declares it with the DOM only, which this library does without. */
declare namespace WebAssembly {
  class Memory {
    constructor(size: { initial: number });
    readonly buffer: ArrayBuffer;
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: object);
    readonly exports: Record<string, unknown>;
  }
}

/** A function of i32 parameters over the module's memory. */
export interface WasmFunction {
  readonly name: string;
  /** Number of i32 parameters: locals from 0. */
  readonly parameters: number;
  /** Number of vector locals, after the parameters. */
  readonly vectors: number;
  /** Whether it leaves an i32. */
  readonly result: boolean;
  readonly body: readonly number[];
}

/** Functions over one memory of a fixed size, so that views into it stay good. */
export interface WasmKernel {
  readonly buffer: ArrayBuffer;
  readonly functions: Readonly<Record<string, (...numbers: number[]) => number>>;
}

export const PAGE_BYTES = 65536;
const I32 = 0x7f;
const V128 = 0x7b;

export function createKernel(functions: readonly WasmFunction[], bytes: number): WasmKernel {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(encode(functions)), { env: { memory } });
  return { buffer: memory.buffer, functions: instance.exports as WasmKernel["functions"] };
}

/** Unsigned LEB128. */
export const leb = (value: number): number[] => {
  const low = value & 127;
  return value < 128 ? [low] : [low | 128, ...leb(value >>> 7)];
};

/** Signed LEB128 of a 32-bit integer. */
export const signedLeb = (value: number): number[] => {
  const low = value & 127;
  const rest = value >> 7;
  const ends = (rest === 0 && (low & 64) === 0) || (rest === -1 && (low & 64) !== 0);
  return ends ? [low] : [low | 128, ...signedLeb(rest)];
};

export const get = (local: number) => [0x20, local];
export const set = (local: number) => [0x21, local];
export const simd = (opcode: number) => [0xfd, ...leb(opcode)];
/** A vector instruction with an address: `offset` bytes are added, nothing is assumed of the alignment. */
export const simdAt = (opcode: number, offset: number) => [...simd(opcode), 0, ...leb(offset)];
export const constant = (value: number) => [0x41, ...signedLeb(value)];
export const add = [0x6a];
export const shiftLeft = [0x74];

/** Repeats `body` while local `at`, advanced by `step` after each turn, lies below local `end`; at least once. */
export function loopUpTo(body: readonly number[], at: number, step: number, end: number): number[] {
  const advance = [...get(at), ...constant(step), ...add, ...set(at)];
  const again = [...get(at), ...get(end), 0x49, 0x0d, 0];
  return [0x03, 0x40, ...body, ...advance, ...again, 0x0b];
}

function encode(functions: readonly WasmFunction[]): Uint8Array {
  const vector = (items: readonly (readonly number[])[]) => [...leb(items.length), ...items.flat()];
  const section = (id: number, bytes: readonly number[]) => [id, ...leb(bytes.length), ...bytes];
  const text = (value: string) => [value.length, ...Buffer.from(value)];
  const sized = (bytes: readonly number[]) => [...leb(bytes.length), ...bytes];
  const types = functions.map(({ parameters, result }) => [
    ...[0x60, ...vector(Array(parameters).fill([I32]))],
    ...vector(result ? [[I32]] : []),
  ]);
  const code = functions.map(({ vectors, body }) => {
    const locals = vectors > 0 ? [[...leb(vectors), V128]] : [];
    return sized([...vector(locals), ...body, 0x0b]);
  });
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([[...text("env"), ...text("memory"), 2, 0, 1]])),
    ...section(3, vector(functions.map((_, i) => leb(i)))),
    ...section(7, vector(functions.map(({ name }, i) => [...text(name), 0, ...leb(i)]))),
    ...section(10, vector(code)),
  ]);
}
