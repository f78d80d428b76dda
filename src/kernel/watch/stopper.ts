import type { CellsThread } from "./cellsThread";
import { endWaitedFor } from "./syncChildren";
import type { Hearing } from "./watched";

/** Milliseconds that code has to hear by itself, and between two attempts to stop it. */
const first = 600;
const again = 400;
/** Milliseconds after which a process that is waited for is killed instead of interrupted. */
const killAfter = 2000;
/** Milliseconds after which the user is told why nothing has happened. */
const tellAfter = 5000;

/** What is to be stopped. */
export interface Order {
  /** Whether the cells' thread has still not done what it was asked to. */
  isOpen(): boolean;
  /** Asks the cells' thread; it answers where it is in JavaScript. */
  hearing(): Promise<Hearing>;
  /** Whether a library that listens for interrupts is given the time to finish. */
  isPatient(): boolean;
  /** Called once when it takes long: a library finishes, or native code computes. */
  tell(why: "listening" | "native"): void;
}

/** Stops what computes where no loop of a cell and no event is reached. */
export class Stopper {
  /** While the cells' thread waits for a process: the processes that it does not wait for. */
  others: number[] | undefined;

  constructor(private readonly cells: CellsThread) {}

  stop(order: Order): void {
    const started = Date.now();
    let asking = false;
    let told = false;
    let last: Hearing | undefined;
    const attempt = async () => {
      if (!order.isOpen()) return;
      setTimeout(attempt, again).unref();
      const waited = Date.now() - started;
      if (this.others) endWaitedFor(this.others, waited < killAfter ? "SIGINT" : "SIGKILL");
      if (waited > tellAfter && !told) {
        told = true;
        if (asking) order.tell("native");
        else if (last === "listening") order.tell("listening");
      }
      if (asking) return; // it is in native code, and answers when it leaves it
      asking = true;
      last = await this.attend(order).catch(() => undefined);
      asking = false;
    };
    setTimeout(attempt, first).unref();
  }

  private async attend(order: Order): Promise<Hearing> {
    const hearing = await order.hearing();
    const stops = hearing === "deaf" || (hearing === "listening" && !order.isPatient());
    if (stops && order.isOpen()) await this.cells.terminate();
    return hearing;
  }
}
