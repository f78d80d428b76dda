import type { MessagePort, Worker } from "node:worker_threads";
import { receiveMessageOnPort } from "node:worker_threads";
import type { ToProtocol } from "../protocol/channel";
import type { Header } from "../protocol/wire";
import { slot } from "../signals";
import type { Wait } from "../watch/syncChildren";

/** Bytes of output that may wait to be sent before the cell that prints has to wait. */
const outstandingLimit = 64 * 1024 * 1024;

/** The cells' end of the way to the thread of the protocol. */
export class Link {
  constructor(
    private readonly worker: Worker,
    private readonly signals: Int32Array,
    private readonly answers: MessagePort,
  ) {}

  /** Sends a message to all frontends. */
  publish(
    type: string,
    content: object,
    parent: Header,
    extra: { metadata?: object; buffers?: Uint8Array[] } = {},
  ): void {
    const bytes = weight(content);
    this.holdBack(bytes);
    this.post({ kind: "publish", type, content: plain(content), parent, bytes, ...extra });
  }

  /** Ends the request at hand. */
  finish(content?: object, failed = false, stopOnError = true): void {
    this.post({ kind: "finish", content, failed, stopOnError });
  }

  /** Asks the user and waits; null when interrupted or when nobody can answer. */
  ask(prompt: string, parent: Header): string | null {
    while (receiveMessageOnPort(this.answers)); // an answer that nobody waits for any more
    Atomics.store(this.signals, slot.answered, 0);
    this.post({ kind: "ask", prompt, password: false, parent });
    Atomics.wait(this.signals, slot.answered, 0);
    return (receiveMessageOnPort(this.answers)?.message as string | null) ?? null;
  }

  /** Waits until everything is with the frontends and the sockets are closed, at most so many milliseconds. */
  end(milliseconds: number): void {
    Atomics.store(this.signals, slot.drained, 0);
    this.post({ kind: "end" });
    Atomics.wait(this.signals, slot.drained, 0, milliseconds);
  }

  /** Tells that this thread begins to wait for a process. */
  waits(wait: Wait): void {
    this.post({ kind: "waits", wait });
  }

  private holdBack(bytes: number): void {
    const { signals } = this;
    for (;;) {
      const waiting = Atomics.load(signals, slot.outstanding);
      if (waiting < outstandingLimit) break;
      if (Atomics.wait(signals, slot.outstanding, waiting, 1000) === "timed-out") break;
    }
    Atomics.add(signals, slot.outstanding, bytes);
  }

  private post(message: ToProtocol): void {
    this.worker.postMessage(message);
  }
}

/** About how many bytes a message has: its texts. */
function weight(content: object): number {
  let bytes = 200;
  for (const value of Object.values(content)) {
    if (typeof value === "string") bytes += value.length;
    else if (value !== null && typeof value === "object" && !Array.isArray(value)) bytes += weight(value);
  }
  return bytes;
}

/** What JSON makes of it: threads refuse functions, JSON leaves them out. */
function plain(content: object): object {
  return JSON.parse(JSON.stringify(content)) as object;
}
