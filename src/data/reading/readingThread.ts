import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { LuvitError } from "../../core/errors";
import type { Planes } from "../pixels";
import type { CommonMemory } from "./commonMemory";
import { type ReadReply, type ReadRequest, type ReadSuccess, SLOTS } from "./messages";

/** An image that somebody waits for. */
export interface PendingRead {
  readonly request: Omit<ReadRequest, "slot" | "length" | "isBytes" | "address">;
  /** Where its numbers belong. */
  readonly into: Planes;
  readonly signal?: AbortSignal;
  /** Threads that ended while they had it. */
  readonly losses: number;
  resolve(reply: ReadSuccess): void;
  reject(error: Error): void;
}

/** One worker thread with the requests it has. It holds the process open only while it has any. */
export class ReadingThread {
  private readonly worker: Worker;
  private readonly pending = new Map<number, { read: PendingRead; slot: number }>();
  private readonly freeSlots = Array.from({ length: SLOTS }, (_, slot) => slot);
  /** Where its results lie. */
  private memory: SharedArrayBuffer | undefined;
  private failure: Error | undefined;
  private closing = false;

  /**
   * One of the threads that work in a common memory, if there is one. `onFree` is told when a request was answered;
   * `onLost` when the thread ends by itself: why, and which requests it leaves.
   */
  constructor(
    readonly number: number,
    private readonly common: CommonMemory | undefined,
    onFree: () => void,
    onLost: (reason: string, left: PendingRead[]) => void,
  ) {
    const workerData = { region: common?.region(number) };
    this.worker = new Worker(join(__dirname, "thread.js"), { execArgv: [], workerData });
    this.worker.unref();
    this.worker.on("message", (reply: ReadReply) => {
      this.settle(reply);
      onFree();
    });
    this.worker.on("error", (error) => {
      this.failure = error;
    });
    this.worker.on("exit", (code) => {
      if (this.closing) return;
      const left = [...this.pending.values()].map(({ read }) => read);
      onLost(this.failure?.message ?? `exit code ${code}`, left);
    });
  }

  /** Requests it has not answered yet. */
  get load(): number {
    return this.pending.size;
  }

  get hasRoom(): boolean {
    return this.freeSlots.length > 0;
  }

  send(read: PendingRead): void {
    const slot = this.freeSlots.pop()!;
    this.pending.set(read.request.id, { read, slot });
    this.worker.ref();
    const { buffer, byteOffset, length } = read.into;
    const address = this.common && buffer === this.common.buffer ? byteOffset : undefined;
    const isBytes = read.into instanceof Uint8Array;
    this.worker.postMessage({ ...read.request, slot, length, isBytes, address } satisfies ReadRequest);
  }

  async close(): Promise<void> {
    this.closing = true;
    await this.worker.terminate();
  }

  private settle(reply: ReadReply): void {
    const { read, slot } = this.pending.get(reply.id)!;
    this.pending.delete(reply.id);
    if (this.pending.size === 0 && !this.closing) this.worker.unref();
    if (reply.done) {
      if (reply.memory) this.memory = reply.memory;
      if (reply.address !== undefined) {
        const Numbers = read.into instanceof Uint8Array ? Uint8Array : Float32Array;
        read.into.set(new Numbers(this.memory!, reply.address, read.into.length));
      }
      read.resolve(reply);
    } else read.reject(reply.code ? new LuvitError(reply.code, reply.message) : new Error(reply.message));
    this.freeSlots.push(slot);
  }
}
