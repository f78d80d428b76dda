import { LuvitError } from "../core/errors";

/** Runs one thing after the other: what has begun ends before the next begins. */
export class InTurn {
  private last: Promise<unknown> = Promise.resolve();
  private closed = false;
  private closing: Promise<void> | undefined;

  constructor(
    /** Of the owner, for messages. */
    private readonly name: string,
  ) {}

  /** @throws LuvitError("engine") once closed. */
  do<Result>(body: () => Result | Promise<Result>): Promise<Result> {
    const turn = this.last.then(() => {
      if (this.closed) throw new LuvitError("engine", `${this.name}: it was disposed`);
      return body();
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** The last turn; what comes after it is refused. */
  close(body: () => void | Promise<void>): Promise<void> {
    this.closing ??= this.do(() => {
      this.closed = true;
      return body();
    });
    return this.closing;
  }
}
