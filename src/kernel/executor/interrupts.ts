import { segment, slot } from "../signals";
import type { Hearing } from "../watch/watched";
import { CellInterrupt, currentExecution, type Execution, interrupted } from "./execution";

/** Milliseconds a library that listens for SIGINT has to finish and save before its cell is ended. */
const libraryGrace = 1400;

/** Milliseconds after which loops of an ended cell that never came back are forgotten. */
const forgetAfter = 60_000;

/** Ends cells: at once, or after the library that listens for it has saved. */
export class Interrupts {
  private running: Execution | undefined;
  private handled = 0;
  private limit: { at: number; reason: CellInterrupt; timer: NodeJS.Timeout } | undefined;
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
    clearTimeout(this.limit?.timer);
    this.limit = undefined;
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
      this.end(running, interrupted());
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
    const execution = currentExecution.getStore();
    const { running } = this;
    // What a cell that is over has left running holds up everything else: an interrupt is for it too.
    if (this.catchUp() && execution && execution !== running) this.end(execution, interrupted());
    if (running?.askedAt !== undefined && Date.now() - running.askedAt > libraryGrace)
      this.end(running, stillSaving());
    this.expire();
    if (execution?.interruption) throw execution.interruption;
  };

  /** Gives the running cell so much time. */
  allow(seconds: number): void {
    const milliseconds = 1000 * seconds;
    const reason = new CellInterrupt("TimeLimit", `the cell took longer than ${seconds} s`);
    const timer = setTimeout(() => this.expire(), milliseconds);
    this.limit = { at: Date.now() + milliseconds, reason, timer };
  }

  /** Ends the running cell if its time is over. */
  expire(): void {
    if (this.running && this.limit && this.isOverdue()) this.end(this.running, this.limit.reason);
  }

  isOverdue(): boolean {
    return this.limit !== undefined && Date.now() >= this.limit.at && !this.running?.interruption;
  }

  /** What has become of an interrupt, as another thread asks. */
  hears(request: number): Hearing {
    if (this.handled >= request) return "heard";
    if (!this.running) return "deaf"; // or idle, where nothing is stopped
    const isFirst = this.requested() - this.handled < 2;
    return isFirst && foreignListeners().length > 0 ? "listening" : "deaf";
  }

  /** Takes interrupts that were asked for and not heard yet; whether there were any. */
  catchUp(): boolean {
    const request = this.requested();
    if (request <= this.handled) return false;
    this.take(request);
    return true;
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
    const told = asked || this.isOverdue() || this.ended.size > 0;
    Atomics.store(this.signals, slot.stop, told ? 1 : 0);
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

/** Puts our listeners back where a package has removed them. */
export function keepListening(): void {
  const there = process.listeners("SIGINT") as unknown[];
  for (const listener of ownListeners)
    if (!there.includes(listener)) process.on("SIGINT", listener as () => void);
}

const ownListeners = new Set<unknown>();

/** Calls the listeners of libraries, as a signal would; false when there are none. */
function notifyListeners(): boolean {
  const listeners = foreignListeners();
  notifying = true;
  try {
    for (const listener of listeners) listener.call(process, "SIGINT");
  } finally {
    notifying = false;
  }
  return listeners.length > 0;
}

function foreignListeners(): NodeJS.SignalsListener[] {
  return process.listeners("SIGINT").filter((listener) => !ownListeners.has(listener));
}

/** The end of the interruptible part: a signal that is on its way must arrive before it is over. */
export function leaveSegment(signals: Int32Array): void {
  const { interruptible, signalled, none } = segment;
  if (Atomics.compareExchange(signals, slot.segment, interruptible, none) !== signalled) return;
  const until = Date.now() + 1000;
  while (Date.now() < until); // the signal ends this loop, and with it the cell
  Atomics.store(signals, slot.segment, none);
}
