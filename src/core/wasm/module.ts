import {
  compileFunctions,
  createMemory,
  ensureBytes,
  type FunctionCode,
  instantiate,
  PAGE_BYTES,
} from "./binary";

/** Functions over one memory that grows and that other threads can read. Views into it are good until it grows. */
export interface WasmModule<Name extends string> {
  readonly functions: Readonly<Record<Name, (...numbers: number[]) => number>>;
  readonly buffer: SharedArrayBuffer;
  /** Makes the memory at least this large. Throws RangeError where there is no more. */
  ensure(bytes: number): void;
}

export function createModule<Name extends string>(functions: Record<Name, FunctionCode>): WasmModule<Name> {
  const memory = createMemory(PAGE_BYTES, true);
  const compiled = compileFunctions(Object.values(functions), true);
  return {
    functions: instantiate(compiled, memory) as WasmModule<Name>["functions"],
    get buffer() {
      return memory.buffer as unknown as SharedArrayBuffer;
    },
    ensure: (bytes) => ensureBytes(memory, bytes),
  };
}
