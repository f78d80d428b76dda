/** How many of the last steps count. */
const most = 31;

/** Steps before which nothing is said: the first ones compile, fill caches, warm up. */
const least = 3;

/** Milliseconds that a sample spans at least; shorter steps are taken together, the clock has no more digits. */
const span = 100;

/** How long the rest of something takes, by the median of its last steps; what happens between steps now and then does not count. */
export class Pace {
  private readonly samples: number[] = [];
  private steps = 0;
  private from: { at: number; count: number } | undefined;

  constructor(private readonly now: () => number = Date.now) {}

  /** So much is done; the first call, before anything is, starts the clock. */
  reach(count: number): void {
    const at = this.now();
    if (this.from === undefined || count < this.from.count) {
      this.from = { at, count };
      return;
    }
    this.steps++;
    if (count === this.from.count || at - this.from.at < span) return;
    this.samples.push((at - this.from.at) / (count - this.from.count) / 1000);
    if (this.samples.length > most) this.samples.shift();
    this.from = { at, count };
  }

  /** Seconds that so much more takes; undefined while nobody can tell. */
  secondsFor(rest: number): number | undefined {
    if (this.steps < least || this.samples.length < least) return undefined;
    const sorted = [...this.samples].sort((a, b) => a - b);
    return sorted[sorted.length >> 1]! * Math.max(0, rest);
  }
}
