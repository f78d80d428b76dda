import type { WasmMemory } from "../../../core/wasm/binary";
import { createModule, type WasmModule } from "../../../core/wasm/module";
import { ROWS } from "./horizontalKernel";
import { kernels } from "./registry";

/** Memory that one large image has claimed is given back from here on. */
const MOST_KEPT_BYTES = 128 * 2 ** 20;
const ALIGNMENT = 16;

/** Not in use: as many as were ever needed within one another. */
const idle: PixelMemory[] = [];

/** A part of a memory, whose other parts others use. */
export interface Region {
  readonly memory: WasmMemory;
  readonly start: number;
  readonly end: number;
}

/** A step needs more than the region has. */
export class RegionFull extends Error {}

/**
 * Memory that kernels on pixels work in. Places in it are given away from the start again for every image, behind the
 * bytes that are kept: there another thread may read results.
 */
export class PixelMemory {
  private readonly module: WasmModule<keyof typeof kernels>;
  private readonly start: number;
  private readonly end: number;
  private next: number;
  private result: number | undefined;

  constructor(keptBytes = 0, region?: Region) {
    this.module = createModule(kernels, region?.memory);
    this.next = this.start = (region?.start ?? 0) + keptBytes + ALIGNMENT;
    this.end = region?.end ?? Number.POSITIVE_INFINITY;
    this.module.ensure(this.start);
  }

  /**
   * The address of so many bytes; as many as ALIGNMENT before it can be read. Views made before are no longer good.
   *
   * @throws RegionFull where there is an end to what may be taken.
   */
  take(bytes: number): number {
    const address = this.next;
    this.next = address + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    if (this.next > this.end) throw new RegionFull(`${this.next - this.start} bytes`);
    this.module.ensure(this.next);
    return address;
  }

  /** The same for what a step gives back: where the caller of `perform` wants it, if it does. */
  takeResult(bytes: number): number {
    return this.result ?? this.take(bytes);
  }

  get run() {
    return this.module.functions;
  }

  get buffer(): SharedArrayBuffer {
    return this.module.buffer;
  }

  /** Whether a large image has made it larger than one should keep. */
  get isTooLarge(): boolean {
    return this.module.buffer.byteLength > MOST_KEPT_BYTES;
  }

  bytes = (address: number, length: number) => new Uint8Array(this.module.buffer, address, length);
  shorts = (address: number, length: number) => new Int16Array(this.module.buffer, address, length);
  ints = (address: number, length: number) => new Int32Array(this.module.buffer, address, length);
  doubles = (address: number, length: number) => new Float64Array(this.module.buffer, address, length);
  floats = (address: number, length: number) => new Float32Array(this.module.buffer, address, length);

  /** Runs a step that takes what it needs; nothing of it stays but a result in its place. */
  perform<Result>(step: (memory: PixelMemory) => Result, resultAddress?: number): Result {
    this.next = this.start;
    this.result = resultAddress;
    return step(this);
  }

  /** Runs a step in any memory of this thread; nothing of it stays but what the step copies out. */
  static use<Result>(step: (memory: PixelMemory) => Result): Result {
    const memory = idle.pop() ?? new PixelMemory();
    try {
      return memory.perform(step);
    } finally {
      if (!memory.isTooLarge) idle.push(memory);
    }
  }
}

/** Where the numbers of an image belong in a memory. */
export interface ResultPlace {
  readonly memory: PixelMemory;
  readonly address: number;
  readonly length: number;
  /** Whether they are bytes, and not float32. */
  readonly isBytes: boolean;
}

/** The numbers there. */
export function placedNumbers({ memory, address, length, isBytes }: ResultPlace): Float32Array | Uint8Array {
  return isBytes ? memory.bytes(address, length) : memory.floats(address, length);
}

/** RGB pixels in a PixelMemory: rows of `line` bytes, readable up to ROWS - 1 rows and 16 bytes behind the last one. */
export interface PlacedPixels {
  readonly address: number;
  readonly line: number;
  readonly width: number;
  readonly height: number;
}

/** Bytes to take for rows of pixels that kernels read. */
export const placeSize = (line: number, height: number) => line * (height + ROWS) + ALIGNMENT;
