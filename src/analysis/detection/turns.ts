import { Turn } from "../../core/loop";
import { beginWork } from "../../core/progress";
import { interruptible } from "../../core/stopRequest";

/**
 * Runs a comparison class by class, so that other work goes on meanwhile: shown where it takes longer than a moment,
 * ended by the signal or an interrupt.
 *
 * @throws LuvitError("interrupted") where it was stopped.
 */
export function inTurns<Result>(
  label: string,
  classes: number,
  signal: AbortSignal | undefined,
  compare: (turn: Turn, advance: (classes: number) => void) => Promise<Result>,
): Promise<Result> {
  return interruptible(signal, label, async (stop) => {
    const activity = beginWork({ label: `${label}, classes`, total: classes, kept: 0 });
    try {
      stop.throwIfAborted();
      const result = await compare(new Turn(stop), (done) => activity.advance(done));
      activity.end("done");
      return result;
    } catch (error) {
      activity.end(stop.aborted ? "stopped" : "failed");
      throw error;
    }
  });
}
