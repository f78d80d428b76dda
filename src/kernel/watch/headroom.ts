import { Inspector } from "./inspector";

/**
 * Memory above V8's limit for what ends a cell that reaches it, however late that comes: while a debugger is attached, V8
 * does not end the process there but stops it with the reason "OOM", and gives it four times the memory.
 */
export class Headroom {
  private inspector: Inspector | undefined;

  /** From now on; settles when the thread of the cells has heard it. */
  async open(): Promise<void> {
    if (this.inspector) return;
    const inspector = new Inspector();
    this.inspector = inspector;
    inspector.on("Debugger.paused", ({ reason }) => {
      if (reason === "OOM") void inspector.post("Debugger.resume").catch(() => {}); // it may run already
    });
    await inspector.post("Debugger.enable");
    await inspector.post("Debugger.setSkipAllPauses", { skip: true }); // which this reason is not one of
  }

  get isOpen(): boolean {
    return this.inspector !== undefined;
  }

  /** No longer, and V8's limit is again what it was: a process with an open session waits at its end. */
  close(): void {
    this.inspector?.close();
    this.inspector = undefined;
  }
}
