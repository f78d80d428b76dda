import { slot, termination } from "../signals";
import { Inspector } from "./inspector";
import { type Asked, question } from "./watched";

/** Milliseconds between two looks whether the thread of the cells waits to be stopped. */
const interval = 2;

/**
 * The thread of the cells as another thread of the process reaches it while it computes: between two steps of any
 * JavaScript, WebAssembly or regular expression, but not inside native code. Sessions are short, since a process with
 * an open one waits at its end.
 */
export class CellsThread {
  constructor(private readonly signals: Int32Array) {}

  /**
   * Asks one of the questions of `Watched`; answered once the thread is in JavaScript, or waits for events. The question
   * is on its way when this returns. Where the answer is that its code has to be stopped, the thread waits at this very
   * step of it until it is: its promises never settle and its `finally` blocks do not run. What waits for events goes on.
   */
  async ask(...asked: Asked): Promise<unknown> {
    const inspector = new Inspector();
    let terminated: Promise<unknown> | undefined;
    const look = setInterval(() => {
      terminated ??= this.terminate(inspector);
    }, interval);
    try {
      return await evaluate(inspector, question(...asked));
    } finally {
      clearInterval(look);
      // The answer to a termination comes when the code has ended, which it cannot where a debugger has stopped it.
      void Promise.resolve(terminated)
        .catch(() => {})
        .finally(() => inspector.close());
    }
  }

  /** Stops the code of a thread that waits for it: the request is in its queue before it goes on. */
  private terminate(inspector: Inspector): Promise<unknown> | undefined {
    const { wanted, taken, sent } = termination;
    if (Atomics.compareExchange(this.signals, slot.termination, wanted, taken) !== wanted) return undefined;
    const terminated = inspector.post("Runtime.terminateExecution");
    Atomics.store(this.signals, slot.termination, sent);
    return terminated;
  }
}

async function evaluate(inspector: Inspector, expression: string): Promise<unknown> {
  const { result } = await inspector.post("Runtime.evaluate", {
    expression,
    returnByValue: true,
    silent: true,
    disableBreaks: true, // a thread that stops within a question takes no message any more, that to go on neither
  });
  return result?.value;
}
