import type { PixelMemory } from "../kernels/pixelMemory";
import { STATE_BYTES, setState, unreadBits } from "./bitReader";
import { BLOCK_BYTES } from "./entropyKernel";
import type { JpegHeader } from "./header";
import type { PlacedFile } from "./placedFile";
import { SLACK } from "./unstuffKernel";

/** Descriptions of an MCU's blocks. */
export interface PlacedBlocks {
  readonly start: number;
  readonly count: number;
  readonly predictors: number;
  readonly components: number;
}

const [EOI, RST0] = [0xd9, 0xd0];

/**
 * The coded data of a scan, MCU after MCU, stretch after stretch between restart markers. Every method gives false where
 * the data are broken.
 */
export class CodedStream {
  private readonly source: number;
  private readonly end: number;
  private readonly streamTop: number;
  private readonly state: number;
  private readonly cell: number;
  private bottom = 0;
  private next: number;
  private marker = 0;
  private restarts = 0;
  private leftInStretch = 0;
  private readonly stretch: number;
  private readonly memory: PixelMemory;
  private readonly blocks: PlacedBlocks;
  private leftInImage: number;

  constructor(parts: {
    memory: PixelMemory;
    file: PlacedFile;
    header: JpegHeader;
    blocks: PlacedBlocks;
    leftInImage: number;
  }) {
    const { memory, file, header, blocks, leftInImage } = parts;
    this.memory = memory;
    this.blocks = blocks;
    this.leftInImage = leftInImage;

    const length = file.length - header.dataStart;
    this.stretch = header.restartInterval || leftInImage;
    this.source = file.address + header.dataStart;
    this.streamTop = memory.take(length + 2 * SLACK) + length + 2 * SLACK;
    this.state = memory.take(STATE_BYTES);
    this.cell = memory.take(4);
    [this.next, this.end] = [this.source, this.source + length];
  }

  /** Reads over MCUs. */
  skip(count: number): boolean {
    const { start, count: blocks } = this.blocks;
    return this.inStretches(count, (some) =>
      this.memory.run.skipMcus(start, start + BLOCK_BYTES * blocks, some, this.state, this.bottom),
    );
  }

  /** Reads MCUs; see `readMcus`. */
  read(count: number, coefficients: number, ends: number, order: number): boolean {
    const { start, count: blocks } = this.blocks;
    return this.inStretches(count, (some, before) => {
      const [to, endsTo] = [coefficients + 128 * blocks * before, ends + blocks * before];
      const stream = [order, this.state, this.bottom] as const;
      return this.memory.run.readMcus(start, start + BLOCK_BYTES * blocks, some, to, endsTo, ...stream);
    });
  }

  /** Whether the image ends where it should, however much of it was read. */
  finish(): boolean {
    if (!this.closeStretch()) return false;
    while (this.marker !== EOI) {
      if (this.leftInImage <= 0 || !this.openStretch()) return false;
      this.leftInImage -= this.stretch;
    }
    return true;
  }

  private inStretches(count: number, run: (some: number, before: number) => number): boolean {
    for (let done = 0; done < count; ) {
      if (this.leftInStretch === 0 && !(this.closeStretch() && this.openStretch())) return false;
      const some = Math.min(count - done, this.leftInStretch);
      if (run(some, done) === 0) return false;
      done += some;
      this.leftInStretch -= some;
      this.leftInImage -= some;
    }
    return true;
  }

  private stateIn(memory: PixelMemory): Int32Array {
    return memory.ints(this.state, STATE_BYTES / 4);
  }

  private closeStretch(): boolean {
    return this.bottom === 0 || unreadBits(this.stateIn(this.memory), this.bottom) >= 0;
  }

  private openStretch(): boolean {
    const { memory, next, end } = this;
    if (next !== this.source && this.marker !== (RST0 | (this.restarts++ & 7))) return false;
    const stop = memory.run.unstuff(next, end, this.streamTop, this.cell);
    this.bottom = memory.ints(this.cell, 1)[0];
    memory.bytes(this.bottom - SLACK, SLACK).fill(0);
    memory.ints(this.blocks.predictors, this.blocks.components).fill(0);
    setState(this.stateIn(memory), this.streamTop);
    this.marker = stop < end ? memory.bytes(stop + 1, 1)[0] : 0;
    this.next = stop + 2;
    this.leftInStretch = Math.min(this.stretch, this.leftInImage);
    return true;
  }
}
