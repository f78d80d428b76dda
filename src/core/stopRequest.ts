import { breathe } from "./loop";

/** Asks long work to end early. */
export interface StopRequest {
  readonly stopped: boolean;
  stop(): void;
}

/**
 * Runs `body` with a request that an interrupt (SIGINT: Ctrl-C, a notebook's stop button) or the signal turns on; the
 * body is to end soon then, keeping what it has.
 */
export async function withStopRequest<T>(
  signal: AbortSignal | undefined,
  body: (request: StopRequest) => Promise<T>,
): Promise<T> {
  const request = {
    stopped: signal?.aborted ?? false,
    stop() {
      request.stopped = true;
    },
  };
  // tslab runs the synchronous part of a cell with Node's `breakOnSigint`; a listener added there would be lost.
  await breathe();
  process.on("SIGINT", request.stop);
  signal?.addEventListener("abort", request.stop);
  try {
    return await body(request);
  } finally {
    process.off("SIGINT", request.stop);
    signal?.removeEventListener("abort", request.stop);
  }
}
