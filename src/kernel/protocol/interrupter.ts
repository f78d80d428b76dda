import { kill, pid } from "node:process";
import { segment, slot } from "../signals";
import type { ToCells } from "./channel";

/** Milliseconds after which a cell whose code does not notice the interrupt gets a signal. */
const signalAfter = 200;

/** Reaches the thread of the cells, whatever it is doing. */
export class Interrupter {
  /** Called at each interrupt. */
  onInterrupt: () => void = () => {};

  constructor(
    private readonly signals: Int32Array,
    private readonly toCells: (message: ToCells) => void,
  ) {}

  /**
   * Loops and functions of cells see the request in shared memory; code that awaits gets a message; what computes
   * outside the cells' own code before the first `await` gets a signal.
   */
  interrupt(): void {
    const { signals } = this;
    const number = Atomics.add(signals, slot.request, 1) + 1;
    Atomics.store(signals, slot.stop, 1);
    this.toCells({ kind: "interrupt", number });
    this.onInterrupt();
    setTimeout(() => this.signal(), signalAfter);
  }

  private signal(): void {
    const { interruptible, signalled } = segment;
    if (process.platform === "win32" || !this.isUnheard()) return;
    if (Atomics.compareExchange(this.signals, slot.segment, interruptible, signalled) === interruptible)
      kill(pid, "SIGINT");
  }

  private isUnheard(): boolean {
    return Atomics.load(this.signals, slot.heard) < Atomics.load(this.signals, slot.request);
  }
}
