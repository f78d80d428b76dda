import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { LuvitError } from "../../core/errors";
import type { ReadReply, ReadRequest, ReadSuccess } from "./messages";

/** A request under way, and who waits for it. */
export interface PendingRead {
  readonly request: ReadRequest;
  /** Threads that ended while they had it. */
  readonly losses: number;
  resolve(reply: ReadSuccess): void;
  reject(error: Error): void;
}

/** One worker thread with the requests it has. It holds the process open only while it has any. */
export class ReadingThread {
  private readonly worker = new Worker(join(__dirname, "thread.js"), { execArgv: [] });
  private readonly pending = new Map<number, PendingRead>();
  private failure: Error | undefined;
  private closing = false;

  /** `onLost` is told when the thread ends by itself: why, and which requests it leaves. */
  constructor(onLost: (reason: string, left: PendingRead[]) => void) {
    this.worker.unref();
    this.worker.on("message", (reply: ReadReply) => this.settle(reply));
    this.worker.on("error", (error) => {
      this.failure = error;
    });
    this.worker.on("exit", (code) => {
      if (this.closing) return;
      onLost(this.failure?.message ?? `exit code ${code}`, [...this.pending.values()]);
    });
  }

  /** Requests it has not answered yet. */
  get load(): number {
    return this.pending.size;
  }

  send(read: PendingRead): void {
    this.pending.set(read.request.id, read);
    this.worker.ref();
    this.worker.postMessage(read.request);
  }

  async close(): Promise<void> {
    this.closing = true;
    await this.worker.terminate();
  }

  private settle(reply: ReadReply): void {
    const read = this.pending.get(reply.id);
    this.pending.delete(reply.id);
    if (this.pending.size === 0) this.worker.unref();
    if ("image" in reply) read?.resolve(reply);
    else read?.reject(reply.code ? new LuvitError(reply.code, reply.message) : new Error(reply.message));
  }
}
