import { segment, slot } from "../signals";
import { CellInterrupt, currentExecution, type Execution } from "./execution";

/** Milliseconds a library that listens for SIGINT has to finish and save before its cell is ended. */
const libraryGrace = 1400;

/** Milliseconds after which loops of an ended cell that never came back are forgotten. */
const forgetAfter = 60_000;

/** Ends cells: at once, or after the library that listens for it has saved. */
export class Interrupts {
  private running: Execution | undefined;
  private handled = 0;
  private grace: NodeJS.Timeout | undefined;
  /** Ended cells whose code may still be going on. */
  private readonly ended = new Set<Execution>();

  constructor(private readonly signals: Int32Array) {}

  /**
   * Follows one cell until its promise settles. `asked` is how many interrupts there had been when somebody asked for the
   * cell: later ones are for it, also if it has not started yet.
   */
  watch(execution: Execution | undefined, asked = this.requested()): void {
    clearTimeout(this.grace);
    this.running = execution;
    this.hear(asked);
    this.announce();
    this.catchUp();
  }

  /** Before a cell's code runs: takes what was asked for while it was compiled; throws where that ended the cell. */
  check(execution: Execution): void {
    this.catchUp();
    if (!execution.interruption) return;
    this.settled(execution);
    throw execution.interruption;
  }

  /** The code of a cell has come to its end; it needs no further telling. */
  settled(execution: Execution): void {
    this.ended.delete(execution);
    this.announce();
  }

  /**
   * Takes an interrupt: listeners of SIGINT are told and have their grace, else the cell ends at once. Those asked for
   * by number are taken once. A second one waits for nobody.
   */
  take(request?: number): void {
    if (request !== undefined && request <= this.handled) return;
    this.hear(request ?? this.handled);
    const listening = notifyListeners();
    const { running } = this;
    if (running && (!listening || running.askedAt !== undefined)) {
      this.end(running, new CellInterrupt("KeyboardInterrupt", "the cell was interrupted"));
    } else if (running) {
      running.askedAt = Date.now();
      this.grace = setTimeout(() => this.end(running, stillSaving()), libraryGrace);
    }
    this.announce();
  }

  /** Ends a cell now; what it started throws `reason` at its next loop. */
  end(execution: Execution, reason: CellInterrupt): void {
    execution.interruption = reason;
    execution.fail(reason);
    this.ended.add(execution);
    setTimeout(() => this.settled(execution), forgetAfter).unref();
    this.announce();
  }

  /** What loops of cells call while `stop` is set: throws where the cell was ended. */
  readonly halt = (): void => {
    this.catchUp();
    const { running } = this;
    if (running?.askedAt !== undefined && Date.now() - running.askedAt > libraryGrace)
      this.end(running, stillSaving());
    const execution = currentExecution.getStore();
    if (execution?.interruption) throw execution.interruption;
  };

  private catchUp(): void {
    const request = this.requested();
    if (request > this.handled) this.take(request);
  }

  private requested(): number {
    return Atomics.load(this.signals, slot.request);
  }

  private hear(request: number): void {
    this.handled = request;
    Atomics.store(this.signals, slot.heard, request);
  }

  private announce(): void {
    const asked = this.running?.askedAt !== undefined && this.running.interruption === undefined;
    Atomics.store(this.signals, slot.stop, asked || this.ended.size > 0 ? 1 : 0);
  }
}

function stillSaving(): CellInterrupt {
  const what =
    "the cell was interrupted; a training run it started finishes its step and saves: await run.done";
  return new CellInterrupt("KeyboardInterrupt", what);
}

let notifying = false;

/** The listener that keeps SIGINT from ending the process; `take` is what it calls. */
export function listenForSigint(take: () => void): () => void {
  const listener = () => {
    if (!notifying) take();
  };
  ownListeners.add(listener);
  process.on("SIGINT", listener);
  return () => {
    ownListeners.delete(listener);
    process.off("SIGINT", listener);
  };
}

const ownListeners = new Set<unknown>();

/** Calls the listeners of libraries, as a signal would; false when there are none. */
function notifyListeners(): boolean {
  const listeners = process.listeners("SIGINT").filter((listener) => !ownListeners.has(listener));
  notifying = true;
  try {
    for (const listener of listeners) listener.call(process, "SIGINT");
  } finally {
    notifying = false;
  }
  return listeners.length > 0;
}

/** The end of the interruptible part: a signal that is on its way must arrive before it is over. */
export function leaveSegment(signals: Int32Array): void {
  const { interruptible, signalled, none } = segment;
  if (Atomics.compareExchange(signals, slot.segment, interruptible, none) !== signalled) return;
  const until = Date.now() + 1000;
  while (Date.now() < until); // the signal ends this loop, and with it the cell
  Atomics.store(signals, slot.segment, none);
}
