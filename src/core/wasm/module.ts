import {
  type CompiledFunctions,
  compileFunctions,
  createMemory,
  ensureBytes,
  type FunctionCode,
  instantiate,
  PAGE_BYTES,
  type WasmMemory,
} from "./binary";

/** Functions over one memory that grows and that other threads can read. Views into it are good until it grows. */
export interface WasmModule<Name extends string> {
  readonly functions: Readonly<Record<Name, (...numbers: number[]) => number>>;
  readonly buffer: SharedArrayBuffer;
  /**
   * Makes the memory at least this large.
   *
   * @throws RangeError where there is no more.
   */
  ensure(bytes: number): void;
}

/** What is compiled, and in time made faster, serves all memories of a thread. */
const known = new WeakMap<object, CompiledFunctions>();

function compiledOnce(functions: Record<string, FunctionCode>): CompiledFunctions {
  const compiled = known.get(functions) ?? compileFunctions(Object.values(functions), true);
  known.set(functions, compiled);
  return compiled;
}

export function createModule<Name extends string>(
  functions: Record<Name, FunctionCode>,
  memory: WasmMemory = createMemory(PAGE_BYTES, true),
): WasmModule<Name> {
  const compiled = compiledOnce(functions);
  return {
    functions: instantiate(compiled, memory) as WasmModule<Name>["functions"],
    get buffer() {
      return memory.buffer as unknown as SharedArrayBuffer;
    },
    ensure: (bytes) => ensureBytes(memory, bytes),
  };
}
