import type { CellsThread } from "./cellsThread";
import { Headroom } from "./headroom";

/** Milliseconds between two looks at the memory while a cell runs, and while the memory for JavaScript is nearly full. */
const interval = 50;
const shortInterval = 10;

/** Share of the memory for JavaScript from which one step can fill it: an array that grows, or two made one. */
const halfFull = 0.4;
/** Share that is worth a closer look. */
const filling = 0.6;
/** Share at which garbage is collected, and the cell ended where that leaves nearly as much. */
const full = 0.92;
/**
 * Further share that a cell may take that begins with a full memory, be it one that is over V8's limit: it may be the one
 * that frees it.
 */
const allowance = 0.02;

/** Ends a cell that is about to fill the memory, before V8 ends the process with everything in it. */
export class MemoryGuard {
  private readonly headroom = new Headroom();
  private readonly looks: NodeJS.Timeout;
  private looking = false;
  private isClosed = false;
  private cell: unknown;
  private threshold = full;

  /**
   * `limit`: bytes that the cells' JavaScript may have; `running` names the running cell; `onFull` is called when its
   * code was stopped.
   */
  constructor(
    private readonly cells: CellsThread,
    private readonly limit: number,
    private readonly running: () => unknown,
    private readonly onFull: () => void,
  ) {
    this.looks = setInterval(() => void this.look(), interval).unref();
  }

  /** The process ends. */
  close(): void {
    clearInterval(this.looks);
    this.isClosed = true;
    this.headroom.close();
  }

  /** The memory of the whole process is cheap to read, hence read first. */
  private async look(): Promise<void> {
    if (this.looking || (this.running() === undefined && !this.headroom.isOpen)) return;
    if (process.memoryUsage.rss() < halfFull * this.limit) return this.headroom.close();
    this.looking = true;
    const share = await this.judge().catch(() => undefined); // a thread that cannot be asked is asked again
    this.looking = false;
    if (share === undefined || this.isClosed) return;
    if (share < halfFull) return this.headroom.close();
    void this.headroom.open().catch(() => {});
    if (share > filling) setTimeout(() => void this.look(), shortInterval).unref();
  }

  private async judge(): Promise<number> {
    const share = Number(await this.cells.ask("heapShare"));
    if (this.running() !== this.cell) {
      this.cell = this.running();
      this.threshold = Math.max(full, share + allowance);
    }
    if (this.cell === undefined) return share;
    if (share < this.threshold || (await this.cells.ask("isFull", this.threshold)) !== true) return share;
    this.threshold = Number.POSITIVE_INFINITY; // once per cell
    this.onFull();
    return share;
  }
}
