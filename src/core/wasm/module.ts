import { leb, PAGE_BYTES } from "../wasmAssembler";
import type { FunctionCode } from "./function";
import type { Code } from "./values";

/** The part of the WebAssembly API used here; TypeScript declares it with the DOM only, which this library does without. */
declare namespace WebAssembly {
  class Memory {
    constructor(size: { initial: number });
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

/** Functions over one memory that grows. Views into it are good until it does. */
export interface WasmModule<Name extends string> {
  readonly functions: Readonly<Record<Name, (...numbers: number[]) => number>>;
  readonly buffer: ArrayBuffer;
  /** Makes the memory at least this large. Throws RangeError where there is no more. */
  ensure(bytes: number): void;
}

export function createModule<Name extends string>(functions: Record<Name, FunctionCode>): WasmModule<Name> {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const module = new WebAssembly.Module(encode(Object.values(functions)));
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return {
    functions: instance.exports as WasmModule<Name>["functions"],
    get buffer() {
      return memory.buffer;
    },
    ensure(bytes) {
      const missing = Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES);
      if (missing > 0) memory.grow(missing);
    },
  };
}

function encode(functions: readonly FunctionCode[]): Uint8Array {
  const vector = (items: readonly Code[]) => [...leb(items.length), ...items.flat()];
  const section = (id: number, content: Code) => [id, ...leb(content.length), ...content];
  const text = (value: string) => [value.length, ...Buffer.from(value)];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(functions.map(({ type }) => type))),
    ...section(2, vector([[...text("env"), ...text("memory"), 2, 0, 1]])),
    ...section(3, vector(functions.map((_, i) => leb(i)))),
    ...section(7, vector(functions.map(({ name }, i) => [...text(name), 0, ...leb(i)]))),
    ...section(10, vector(functions.map(({ body }) => [...leb(body.length), ...body]))),
  ]);
}
