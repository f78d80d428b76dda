import { kill, pid } from "node:process";
import { segment, slot } from "../signals";
import type { CellsThread } from "../watch/cellsThread";
import type { Stopper } from "../watch/stopper";
import type { Hearing } from "../watch/watched";
import type { ToCells } from "./channel";

const explanations = {
  listening:
    "interrupted: a library finishes its step and saves; interrupt again to stop it at once, without what it has not saved",
  native:
    "interrupted, but the cell is inside native code, which nothing can stop: it ends when that returns. Restarting the " +
    "kernel ends it at once; the variables of all cells, and what has not been written to a file, are lost",
};

/** What a debugger has stopped. */
interface Debugged {
  readonly isStopped: boolean;
  /** Lets it go on. */
  goOn(): Promise<void>;
}

/** Milliseconds after which a cell whose code does not notice the interrupt gets a signal. */
const signalAfter = 200;

/** Reaches the thread of the cells, whatever it is doing. */
export class Interrupter {
  /** Called at each interrupt. */
  onInterrupt: () => void = () => {};
  private readonly signals: Int32Array;
  private readonly toCells: (message: ToCells) => void;
  private readonly cells: CellsThread;
  private readonly stopper: Stopper;
  /** Says something to the user of the running cell. */
  private readonly say: (text: string) => void;
  private readonly debugged: Debugged;

  constructor(parts: {
    signals: Int32Array;
    toCells: (message: ToCells) => void;
    cells: CellsThread;
    stopper: Stopper;
    say: (text: string) => void;
    debugged: Debugged;
  }) {
    const { signals, toCells, cells, stopper, say, debugged } = parts;
    this.signals = signals;
    this.toCells = toCells;
    this.cells = cells;
    this.stopper = stopper;
    this.say = say;
    this.debugged = debugged;
  }

  /**
   * Loops and functions of cells see the request in shared memory; code that awaits gets a message; what computes
   * outside the cells' own code before the first `await` gets a signal, and what hears none of that is stopped: at once,
   * or at the second request where a library listens that finishes its step and saves. A cell that a debugger has stopped
   * goes on to its end.
   */
  async interrupt(): Promise<void> {
    const { signals } = this;
    const number = Atomics.add(signals, slot.request, 1) + 1;
    Atomics.store(signals, slot.stop, 1);
    const remind = () => this.toCells({ kind: "interrupt", number });
    remind();
    this.onInterrupt();
    setTimeout(() => this.signal(), signalAfter);
    const hearing = async () => (await this.cells.ask("hears", number)) as Hearing;
    this.stopper.stop({
      isOpen: () => this.isUnheard(number),
      remind,
      hearing,
      tell: (why) => this.say(explanations[why]),
    });
    if (!this.debugged.isStopped) return;
    await hearing().catch(() => undefined); // what does not hear is ended where it stands, as soon as it goes on
    await this.debugged.goOn();
  }

  private signal(): void {
    const { interruptible, signalled } = segment;
    if (process.platform === "win32" || !this.isUnheard(Atomics.load(this.signals, slot.request))) return;
    if (Atomics.compareExchange(this.signals, slot.segment, interruptible, signalled) === interruptible)
      kill(pid, "SIGINT");
  }

  /** Whether the cells' thread was asked to end a cell and has not heard it yet. */
  get isWaiting(): boolean {
    return this.isUnheard(Atomics.load(this.signals, slot.request));
  }

  private isUnheard(request: number): boolean {
    return Atomics.load(this.signals, slot.heard) < request;
  }
}
