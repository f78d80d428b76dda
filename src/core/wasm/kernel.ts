import {
  add,
  compileFunctions,
  constant,
  createMemory,
  type FunctionCode,
  get,
  instantiate,
  leb,
  set,
  simd,
} from "./binary";

/** A function of i32 parameters over the module's memory, its instructions written down as bytes. */
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

const I32 = 0x7f;
const V128 = 0x7b;

export function createKernel(functions: readonly WasmFunction[], bytes: number): WasmKernel {
  const memory = createMemory(bytes);
  return {
    buffer: memory.buffer,
    functions: instantiate(compileFunctions(functions.map(codeOf)), memory),
  };
}

/** A vector instruction with an address: `offset` bytes are added, nothing is assumed of the alignment. */
export const simdAt = (opcode: number, offset: number) => [...simd(opcode), 0, ...leb(offset)];
export const shiftLeft = [0x74];

/** Repeats `body` while local `at`, advanced by `step` after each turn, lies below local `end`; at least once. */
export function loopUpTo(body: readonly number[], at: number, step: number, end: number): number[] {
  const advance = [...get(at), ...constant(step), ...add, ...set(at)];
  const again = [...get(at), ...get(end), 0x49, 0x0d, 0];
  return [0x03, 0x40, ...body, ...advance, ...again, 0x0b];
}

function codeOf({ name, parameters, vectors, result, body }: WasmFunction): FunctionCode {
  const signature = [...leb(parameters), ...Array<number>(parameters).fill(I32)];
  const locals = vectors > 0 ? [1, ...leb(vectors), V128] : [0];
  return {
    name,
    type: [0x60, ...signature, ...(result ? [1, I32] : [0])],
    body: [...locals, ...body, 0x0b],
  };
}
