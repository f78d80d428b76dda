import type { Readable } from "node:stream";

/** The body of an answer that is still to come. */
export interface Body {
  /**
   * Hands on what comes, in order, until `take` says that it has enough or nothing more comes. A chunk is its taker's
   * only during the call: its memory is used again. Throws what `take` throws and what the connection fails with.
   */
  receive(take: (chunk: Uint8Array) => boolean): Promise<void>;
  /** Ends it unread. */
  discard(): void;
}

/** The body of an undici answer. */
export class StreamedBody implements Body {
  constructor(private readonly stream: Readable) {}

  async receive(take: (chunk: Uint8Array) => boolean): Promise<void> {
    const { stream } = this;
    try {
      await new Promise<void>((resolve, reject) => {
        stream.on("data", (chunk: Uint8Array) => {
          try {
            if (!take(chunk)) resolve();
          } catch (error) {
            reject(error);
          }
        });
        stream.on("end", resolve).on("error", reject).on("close", resolve);
      });
    } finally {
      if (!stream.readableEnded) this.discard();
    }
  }

  discard(): void {
    this.stream.on("error", () => {}).destroy();
  }
}
