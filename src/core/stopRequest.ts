import { LuvitError } from "./errors";
import { breathe } from "./loop";

/** Asks long work to end early. */
export interface StopRequest {
  readonly stopped: boolean;
  /** Aborted when it is to stop. */
  readonly signal: AbortSignal;
  stop(): void;
}

/**
 * Runs `body` with a request that an interrupt (SIGINT: Ctrl-C, a notebook's stop button) or the signal turns on; the
 * body is to end soon then, keeping what it has. `reason` is what the request's own signal is aborted with.
 */
export async function withStopRequest<T>(
  signal: AbortSignal | undefined,
  body: (request: StopRequest) => Promise<T>,
  reason?: Error,
): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(reason);
  const request = {
    get stopped() {
      return controller.signal.aborted;
    },
    signal: controller.signal,
    stop,
  };
  // tslab runs the synchronous part of a cell with Node's `breakOnSigint`; a listener added there would be lost.
  await breathe();
  if (signal?.aborted) stop();
  process.on("SIGINT", stop);
  signal?.addEventListener("abort", stop);
  try {
    return await body(request);
  } finally {
    process.off("SIGINT", stop);
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * Runs work that the stop button of a notebook, Ctrl-C or the caller's own signal ends: its signal is aborted with a
 * LuvitError "interrupted", and the work rejects with it as soon as it has put its things in order.
 */
export function interruptible<Result>(
  outer: AbortSignal | undefined,
  what: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const reason = new LuvitError("interrupted", `${what} was stopped`);
  return withStopRequest(outer, ({ signal }) => work(signal), reason);
}
