import { LuvitError } from "./errors";
import { breathe } from "./loop";

/**
 * Runs work that the stop button of a notebook, Ctrl-C or the caller's own signal ends: its signal is aborted with a
 * LuvitError "interrupted", and the work rejects with it as soon as it has put its things in order.
 */
export async function interruptible<Result>(
  outer: AbortSignal | undefined,
  what: string,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const controller = new AbortController();
  const stop = () => controller.abort(new LuvitError("interrupted", `${what} was stopped`));
  // The synchronous part of a cell may run under a listener of its own; one added there would be lost.
  await breathe();
  if (outer?.aborted) stop();
  outer?.addEventListener("abort", stop);
  process.on("SIGINT", stop);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", stop);
    outer?.removeEventListener("abort", stop);
  }
}
