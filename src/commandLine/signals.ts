/** What a stop was asked with, and the status a process that was stopped so ends with. */
const statuses = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

type StopSignal = keyof typeof statuses;

/** Turns the first Ctrl-C (or SIGTERM, or a terminal that is closed) into a request to stop, and lets the second end the process at once. */
export class Stopping {
  private asked: StopSignal | undefined;

  private constructor(
    private readonly unit: string,
    private readonly stop: () => void,
  ) {}

  /** Runs `body`; `stop` is called at the first signal, after which the body is to end with the unit that it is at. */
  static async around<T>(
    unit: "step" | "batch" | "image",
    stop: () => void,
    body: () => Promise<T>,
  ): Promise<{ value: T; status: number | undefined }> {
    const stopping = new Stopping(unit, stop);
    const listeners = (Object.keys(statuses) as StopSignal[]).map((name) => {
      const listener = () => stopping.take(name);
      process.on(name, listener);
      return () => process.off(name, listener);
    });
    try {
      const value = await body();
      return { value, status: stopping.asked && statuses[stopping.asked] };
    } finally {
      // Once asked, the process is about to end; a second signal meanwhile is still to end it in the same way.
      if (stopping.asked === undefined) for (const off of listeners) off();
    }
  }

  private take(signal: StopSignal): void {
    if (this.asked) process.exit(statuses[signal]);
    this.asked = signal;
    process.stderr.write(`\nstopping after this ${this.unit}, then saving; once more ends at once\n`);
    this.stop();
  }
}
