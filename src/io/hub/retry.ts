import { setTimeout as sleep } from "node:timers/promises";
import { LuvitError } from "../../core/errors";

/** A failure that may pass by itself. */
export class PassingFailure extends Error {
  constructor(
    message: string,
    /** Milliseconds the server asked to wait. */
    readonly wait?: number,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

export interface RetryOptions {
  /** For the message when it never passes. */
  readonly what: string;
  readonly signal: AbortSignal;
  /** Milliseconds before the second attempt; doubled for each further one. */
  readonly delay: number;
  /** A number that grows while the work gets on: after growth, attempts are counted anew. */
  readonly progress?: () => number;
}

/** Attempts that get nowhere before it is given up: over half a minute at the usual delay. */
const MOST_ATTEMPTS = 7;
const LONGEST_DELAY = 20_000;
/** The hub counts requests over five minutes. */
const LONGEST_WAIT = 300_000;

/**
 * Repeats `attempt` after passing failures, waiting longer each time.
 *
 * @throws LuvitError("network") in the end.
 */
export async function retrying<Result>(
  { what, signal, delay, progress = () => 0 }: RetryOptions,
  attempt: () => Promise<Result>,
): Promise<Result> {
  let reached = progress();
  for (let tried = 1; ; tried++) {
    try {
      signal.throwIfAborted();
      return await attempt();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (!(error instanceof PassingFailure)) throw error;
      if (progress() > reached) tried = 1;
      reached = progress();
      if (tried === MOST_ATTEMPTS) {
        throw new LuvitError("network", `${what}: ${error.message}, ${tried} times in a row`, {
          cause: error,
        });
      }
      const own = Math.min(LONGEST_DELAY, delay * 2 ** (tried - 1)) * (0.75 + 0.5 * Math.random());
      await sleep(Math.min(LONGEST_WAIT, error.wait ?? own), undefined, { signal }).catch(() => {});
    }
  }
}
