/*
 * Just enough of WebAssembly's binary format for kernels written by hand, and how they are brought to life. Each name
 * gives the bytes of one instruction. Reference: WebAssembly Core Specification 2.0, chapter 5.
 */

/** The part of the WebAssembly API used here; TypeScript declares it with the DOM only, which this library does without. */
declare namespace WebAssembly {
  class Memory {
    constructor(size: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: object);
    readonly exports: Record<string, unknown>;
  }
}

export type WasmMemory = WebAssembly.Memory;
export type CompiledFunctions = WebAssembly.Module;

/** A function in bytes: its type, and its locals, instructions and end. */
export interface FunctionCode {
  readonly name: string;
  readonly type: readonly number[];
  readonly body: readonly number[];
}

export const PAGE_BYTES = 65536;
const MOST_PAGES = 65536;

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
export const constant = (value: number) => [0x41, ...signedLeb(value)];
export const add = [0x6a];

/** A memory of at least so many bytes; one that threads share can be read in all of them. */
export function createMemory(bytes: number, shared = false): WasmMemory {
  const initial = Math.ceil(bytes / PAGE_BYTES);
  return new WebAssembly.Memory({ initial, ...(shared && { shared, maximum: MOST_PAGES }) });
}

/**
 * Makes a memory at least this large; views made before are no longer good.
 *
 * @throws RangeError where there is no more.
 */
export function ensureBytes(memory: WasmMemory, bytes: number): void {
  const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES);
  if (missing > 0) memory.grow(missing);
}

/** Functions over one memory, which they import; `shared` as it is. */
export function compileFunctions(functions: readonly FunctionCode[], shared = false): CompiledFunctions {
  const limits = shared ? [3, 1, ...leb(MOST_PAGES)] : [0, 1];
  const vector = (items: readonly (readonly number[])[]) => [...leb(items.length), ...items.flat()];
  const section = (id: number, content: readonly number[]) => [id, ...leb(content.length), ...content];
  const text = (value: string) => [value.length, ...Buffer.from(value)];
  const bytes = Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(functions.map(({ type }) => type))),
    ...section(2, vector([[...text("env"), ...text("memory"), 2, ...limits]])),
    ...section(3, vector(functions.map((_, i) => leb(i)))),
    ...section(7, vector(functions.map(({ name }, i) => [...text(name), 0, ...leb(i)]))),
    ...section(10, vector(functions.map(({ body }) => [...leb(body.length), ...body]))),
  ]);
  return new WebAssembly.Module(bytes);
}

/** The functions by name, over `memory`. */
export function instantiate(
  compiled: CompiledFunctions,
  memory: WasmMemory,
): Record<string, (...numbers: number[]) => number> {
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return exports as Record<string, (...numbers: number[]) => number>;
}
