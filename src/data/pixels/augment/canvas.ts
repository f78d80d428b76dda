import { flipHorizontally } from "../geometry";
import { BORDER } from "../kernels/borderKernel";
import { COUNTER_SETS } from "../kernels/lookupKernel";
import { type PixelMemory, type PlacedPixels, placeSize } from "../kernels/pixelMemory";
import { normalizePlaced } from "../normalize";
import type { RgbImage } from "../rgbImage";

/** A byte for every byte. */
export type Table = Uint8Array;
/** Of red, green and blue. */
export type Tables = readonly [Table, Table, Table];

const CHANNEL = 256;

/**
 * An image that is changed where it lies in a PixelMemory. What only sends bytes through tables waits until somebody
 * looks at pixels, and so does mirroring; most often that is the normalization, which then does both on its way.
 */
export class Canvas {
  /** [3, 256]. */
  private pending: Table | undefined;

  /** The rows of `placed` follow each other without gaps. */
  constructor(
    readonly memory: PixelMemory,
    private placed: PlacedPixels,
    private mirrored = false,
  ) {}

  get width(): number {
    return this.placed.width;
  }

  get height(): number {
    return this.placed.height;
  }

  get pixelCount(): number {
    return this.placed.width * this.placed.height;
  }

  /** Sends every channel through its table. */
  lookUp(tables: Tables): void {
    const { pending } = this;
    const next = new Uint8Array(3 * CHANNEL);
    tables.forEach((table, c) => {
      if (pending) for (let i = c * CHANNEL; i < (c + 1) * CHANNEL; i++) next[i] = table[pending[i]];
      else next.set(table, c * CHANNEL);
    });
    this.pending = next;
  }

  /** How often each channel has each byte. */
  histograms(): Uint32Array[] {
    const { memory, placed, pending } = this;
    const address = memory.take(4 * COUNTER_SETS * 3 * CHANNEL);
    const counts = memory.ints(address, COUNTER_SETS * 3 * CHANNEL).fill(0);
    memory.run.histograms(placed.address, this.pixelCount, address);
    return [0, 1, 2].map((c) => {
      const sums = new Uint32Array(CHANNEL);
      for (let i = c * CHANNEL; i < (c + 1) * CHANNEL; i++) {
        for (let set = 0; set < COUNTER_SETS; set++) {
          sums[pending ? pending[i] : i % CHANNEL] += counts[3 * CHANNEL * set + i];
        }
      }
      return sums;
    });
  }

  /** The pixels, which may still be mirrored. They may be changed in place. */
  settled(): PlacedPixels {
    const { memory, placed, pending } = this;
    if (pending) {
      const table = memory.take(pending.length);
      memory.bytes(table, pending.length).set(pending);
      memory.run.lookUp(placed.address, this.pixelCount, table);
      this.pending = undefined;
    }
    return placed;
  }

  /** A copy with the outermost pixels repeated BORDER times around it, not mirrored: where its first pixel lies. */
  bordered(): { address: number; line: number } {
    const { memory, width, height } = this;
    const { address } = this.settled();
    const line = 3 * (width + 2 * BORDER);
    const target = memory.take(placeSize(line, height + 2 * BORDER));
    memory.run.bordered(address, width, height, Number(this.mirrored), target);
    return { address: target + BORDER * line + 3 * BORDER, line };
  }

  /** Room for an image like this one. */
  takeTarget(): number {
    return this.memory.take(placeSize(3 * this.width, this.height));
  }

  /** Shows what lies at `address` from now on, mirrored as before or as it is. */
  replace(address: number, mirrored = this.mirrored): void {
    this.placed = { ...this.placed, address };
    this.mirrored = mirrored;
  }

  /** Normalized: the address of float32 [3, height, width]. */
  planes(): number {
    return normalizePlaced(this.memory, this.placed, this.mirrored, this.pending);
  }

  image(): RgbImage {
    const { address, width, height } = this.settled();
    const image = { data: this.memory.bytes(address, 3 * width * height).slice(), width, height };
    return this.mirrored ? flipHorizontally(image) : image;
  }
}
