import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Wait } from "./syncChildren";
import { heapLimit } from "./watched";

/** What the watching thread starts with. */
export interface WatchData {
  signals: SharedArrayBuffer;
  heapLimit: number;
}

/** To the watching thread: what the thread of the cells is about to do. */
export type ToWatch =
  | { kind: "cell"; number: number; milliseconds?: number }
  | { kind: "idle" }
  | { kind: "waits"; wait: Wait };

/** From it: the running cell's code was stopped because memory is full; its time is over. */
export type FromWatch = "full" | "overdue";

/** A thread that ends cells whose time is over or that fill the memory, whatever they compute. */
export class Watch {
  private readonly worker: Worker;
  private cells = 0;

  constructor(signals: Int32Array, on: Record<FromWatch, () => void>) {
    const workerData: WatchData = { signals: signals.buffer as SharedArrayBuffer, heapLimit: heapLimit() };
    this.worker = new Worker(join(__dirname, "main.js"), { workerData });
    this.worker.unref();
    this.worker.on("message", (message: FromWatch) => on[message]());
    this.worker.on("error", () => {}); // without it cells run as well, only unwatched
  }

  /** A cell begins, which may take so many milliseconds. */
  begin(milliseconds?: number): void {
    this.post({ kind: "cell", number: ++this.cells, milliseconds });
  }

  end(): void {
    this.post({ kind: "idle" });
  }

  /** The thread begins to wait for a process. */
  waits(wait: Wait): void {
    this.post({ kind: "waits", wait });
  }

  close(): void {
    void this.worker.terminate();
  }

  private post(message: ToWatch): void {
    this.worker.postMessage(message);
  }
}
