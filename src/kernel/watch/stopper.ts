import { endWaitedFor, type Wait } from "./syncChildren";
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
  /**
   * Tells the cells' thread what is asked of it, as an event: at each attempt, since code that is stopped may be what
   * took the event of the last one.
   */
  remind(): void;
  /** Asks the cells' thread, which stops code that does not hear; it answers where it is in JavaScript. */
  hearing(): Promise<Hearing>;
  /** Called once when it takes long: a library finishes, or native code computes. */
  tell(why: "listening" | "native"): void;
}

/** Stops what computes where no loop of a cell and no event is reached. */
export class Stopper {
  /** The last time that the cells' thread began to wait for a process. */
  wait: Wait | undefined;

  constructor(private readonly signals: Int32Array) {}

  stop(order: Order): void {
    const started = Date.now();
    let asking = false;
    let told = false;
    let last: Hearing | undefined;
    const ask = async () => {
      asking = true;
      last = await order.hearing().catch(() => undefined);
      asking = false;
    };
    const attempt = () => {
      if (!order.isOpen()) return;
      setTimeout(attempt, again).unref();
      order.remind();
      const waited = Date.now() - started;
      if (waited > tellAfter && !told) {
        told = true;
        if (asking) order.tell("native");
        else if (last === "listening") order.tell("listening");
      }
      if (!asking) void ask(); // else it is in native code, and answers when it leaves it
      // Behind the question, which finds the code that waited for the process and not what comes after it.
      if (this.wait) endWaitedFor(this.signals, this.wait, waited < killAfter ? "SIGINT" : "SIGKILL");
    };
    setTimeout(attempt, first).unref();
  }
}
