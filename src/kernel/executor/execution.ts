import { AsyncLocalStorage } from "node:async_hooks";
import { setImmediate as deliverSignals } from "node:timers/promises";
import { inspect } from "node:util";
import { heapLimit } from "../watch/watched";
import type { CellOutputs } from "./outputs";

/** One cell while it runs, and whatever it leaves running. */
export class Execution {
  /** Set when the cell was told to end; its loops throw it. */
  interruption: CellInterrupt | undefined;
  /** When somebody first asked it to end. */
  askedAt: number | undefined;
  /** Whether the cell's own code has begun, has not settled and was not ended. */
  inCode = false;
  /** Rejects when the cell is ended from outside. */
  readonly stopped: Promise<never>;
  /** Ends the wait for the cell. */
  fail!: (error: unknown) => void;
  /** Called when the cell's code has come to its end, however. */
  readonly ends: (() => void)[] = [];
  /** Makes what the cell has declared known to those after it. */
  commit: () => void = () => {};

  constructor(
    readonly name: string,
    readonly outputs: CellOutputs,
  ) {
    this.stopped = new Promise<never>((_, reject) => {
      this.fail = (error) => {
        this.inCode = false;
        reject(error);
      };
    });
    this.stopped.catch(() => {}); // a cell that ended otherwise leaves it unheard
  }

  /** Whatever a cell starts carries it along, and may be printed. */
  [inspect.custom](): string {
    return this.name;
  }
}

/** Tells which cell the running code belongs to, across awaits and timers. */
export const currentExecution = new AsyncLocalStorage<Execution>();

/** Whether the code on the stack is that of the running cell, or what a cell that is over has left running. */
export function isInCode(running: Execution | undefined): boolean {
  const execution = currentExecution.getStore();
  return execution !== undefined && execution !== running ? true : running?.inCode === true;
}

/** A cell ended from outside: by the stop button, by Ctrl-C, by a time limit or because memory is full. */
export class CellInterrupt extends Error {
  constructor(
    override readonly name: "KeyboardInterrupt" | "TimeLimit" | "OutOfMemory",
    message: string,
  ) {
    super(message);
  }

  [inspect.custom](): string {
    return `${this.name}: ${this.message}`;
  }
}

/** What ends a cell that the stop button or Ctrl-C is for. */
export function interrupted(): CellInterrupt {
  return new CellInterrupt("KeyboardInterrupt", "the cell was interrupted");
}

/** What ends a cell that fills the memory. */
export function outOfMemory(): CellInterrupt {
  const limit = (heapLimit() / 1e9).toFixed(1);
  return new CellInterrupt(
    "OutOfMemory",
    `the cell was ended before it filled the ${limit} GB that Node gives JavaScript, which would have ended the process. ` +
      "What it had declared is still there: free what is large (x = undefined), or start with " +
      "NODE_OPTIONS=--max-old-space-size=<megabytes>",
  );
}

export function isKeyboardInterrupt(error: unknown): boolean {
  return error instanceof CellInterrupt && error.name === "KeyboardInterrupt";
}

/**
 * Rejects a turn of the event loop after the cell was ended, so that what it does at its end comes first. Code that was
 * stopped from another thread never comes to its end.
 */
export async function stoppedForGood(execution: Execution): Promise<never> {
  try {
    return await execution.stopped;
  } catch (error) {
    await deliverSignals();
    throw error;
  }
}
