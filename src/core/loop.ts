/** Lets timers, signals and messages have their turn; long loops await it every step. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Milliseconds that a loop of short steps may go on before others have their turn. */
const LONGEST_TURN = 15;

/** The turn of a loop whose steps are too short to breathe at each. */
export class Turn {
  private end = performance.now() + LONGEST_TURN;

  /** @param signal what the loop is ended by. */
  constructor(private readonly signal?: AbortSignal) {}

  /** Breathes where it is time to; throws what the signal was aborted with. */
  async pass(): Promise<void> {
    if (performance.now() < this.end) return;
    await breathe();
    this.signal?.throwIfAborted();
    this.end = performance.now() + LONGEST_TURN;
  }
}
