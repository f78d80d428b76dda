import type { CellsThread } from "./cellsThread";

/** Milliseconds between two looks at the memory while a cell runs. */
const interval = 50;
/** The same while the memory for JavaScript is far from full. */
const longInterval = 500;

/** Share of the memory for JavaScript at which a cell is ended: a little later V8 ends the process. */
const full = 0.85;
const farFromFull = 0.6;

/** Ends a cell that is about to fill the memory, before V8 ends the process with everything in it. */
export class MemoryGuard {
  private threshold = full;
  private looking = false;
  private nextLook = 0;

  /** `isRunning` says whether a cell runs; `onFull` is called when its code was stopped. `limit`: bytes that its JavaScript may have. */
  constructor(
    private readonly cells: CellsThread,
    private readonly limit: number,
    private readonly isRunning: () => boolean,
    private readonly onFull: () => void,
  ) {
    setInterval(() => void this.look(), interval).unref();
  }

  /** The whole process's memory is cheap to read, hence read first. */
  private async look(): Promise<void> {
    if (this.looking || !this.isRunning() || Date.now() < this.nextLook) return;
    if (process.memoryUsage.rss() < farFromFull * this.limit) return;
    this.looking = true;
    try {
      await this.judge();
    } catch {
      this.nextLook = Date.now() + longInterval; // a thread that cannot be asked is asked later
    } finally {
      this.looking = false;
    }
  }

  private async judge(): Promise<void> {
    const share = Number(await this.cells.ask("heapShare"));
    if (!(share >= farFromFull)) this.nextLook = Date.now() + longInterval;
    if (!(share >= this.threshold)) return;
    const live = await this.cells.liveHeapShare();
    if (live < this.threshold || (await this.cells.ask("isInCode")) !== true) {
      this.nextLook = Date.now() + longInterval;
      return;
    }
    await this.cells.terminate();
    this.onFull();
    const left = await this.cells.liveHeapShare();
    this.threshold = left < full ? full : (left + 1) / 2; // what cells keep is theirs: the next may free it
  }
}
