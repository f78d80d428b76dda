import { createModule, type WasmModule } from "../../core/wasm/module";
import { grayToRgb, upsample, yccToRgb } from "../jpeg/colourKernel";
import { readMcus, skipMcus } from "../jpeg/entropyKernel";
import { transformBlocks } from "../jpeg/transformKernel";
import { unstuff } from "../jpeg/unstuffKernel";
import { affineListed } from "./affineExactKernel";
import { affine } from "./affineKernel";
import { bordered } from "./borderKernel";
import { lumaSum, saturate, sharpen } from "./enhanceKernel";
import { histograms, lookUp } from "./lookupKernel";
import { planes } from "./normalizeKernel";
import { horizontal, horizontal1, horizontal2, horizontal3, ROWS, vertical } from "./resampleKernel";
import { copyStrip, shiftColumns, shiftRows } from "./shiftKernel";

const kernels = {
  horizontal,
  horizontal1,
  horizontal2,
  horizontal3,
  vertical,
  planes,
  unstuff,
  readMcus,
  skipMcus,
  transformBlocks,
  upsample,
  yccToRgb,
  grayToRgb,
  histograms,
  lookUp,
  lumaSum,
  saturate,
  sharpen,
  bordered,
  affine,
  affineListed,
  shiftRows,
  shiftColumns,
  copyStrip,
};

/** Memory that one large picture has claimed is given back from here on. */
const MOST_KEPT_BYTES = 128 * 2 ** 20;
const ALIGNMENT = 16;

/** Not in use: as many as were ever needed within one another. */
const idle: PixelMemory[] = [];

/**
 * Memory of this thread that kernels on pixels work in. Places in it are given away from the start again for every
 * picture.
 */
export class PixelMemory {
  private readonly module: WasmModule<keyof typeof kernels> = createModule(kernels);
  private next = ALIGNMENT;

  /** The address of so many bytes; as many as ALIGNMENT before it can be read. Views made before are no longer good. */
  take(bytes: number): number {
    const address = this.next;
    this.next = address + Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    this.module.ensure(this.next);
    return address;
  }

  get run() {
    return this.module.functions;
  }

  bytes = (address: number, length: number) => new Uint8Array(this.module.buffer, address, length);
  shorts = (address: number, length: number) => new Int16Array(this.module.buffer, address, length);
  ints = (address: number, length: number) => new Int32Array(this.module.buffer, address, length);
  doubles = (address: number, length: number) => new Float64Array(this.module.buffer, address, length);
  floats = (address: number, length: number) => new Float32Array(this.module.buffer, address, length);

  /** Runs a step that takes what it needs; nothing of it stays but what the step copies out. */
  static use<Result>(step: (memory: PixelMemory) => Result): Result {
    const memory = idle.pop() ?? new PixelMemory();
    memory.next = ALIGNMENT;
    try {
      return step(memory);
    } finally {
      if (memory.module.buffer.byteLength <= MOST_KEPT_BYTES) idle.push(memory);
    }
  }
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
