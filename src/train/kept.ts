import type { Module } from "../nn/module";

/** What holds a model's weights on an engine. */
interface Closable {
  dispose(): Promise<void>;
}

interface Kept<T> {
  readonly key: string;
  readonly weights: Weights;
  readonly value: T;
  readonly timer: NodeJS.Timeout;
}

/** Which parameters a model has, under which paths, and which values they have now. */
type Weights = ReadonlyMap<string, object>;

/** Something that is open and nobody else has until it is given back. */
export interface Taken<T> {
  readonly value: T;
  giveBack(): Promise<void>;
}

/**
 * Something of a model that stays open after its use, for the same question about the next image: handing an engine the
 * weights of a large model takes longer than a run. One a slot, since it holds those weights; it is let go when another is
 * asked for, or when nobody asked for a while, the sooner the larger it is.
 */
export class KeptSlot<T extends Closable> {
  private kept: Kept<T> | undefined;

  /** The open one of that key and these weights, or a new one. */
  async take(model: Module, key: string, open: () => Promise<T>): Promise<Taken<T>> {
    const weights = weightsOf(model);
    const found = this.kept?.key === key && isSame(this.kept.weights, weights) ? this.kept : undefined;
    if (found) {
      this.kept = undefined;
      clearTimeout(found.timer);
    } else await this.release();
    const value = found?.value ?? (await open());
    return {
      value,
      giveBack: async () => {
        await this.release();
        const timer = setTimeout(() => this.letGo(), patienceFor(model)).unref();
        this.kept = { key, weights, value, timer };
      },
    };
  }

  /** Lets it go at once: something else needs the memory. */
  async release(): Promise<void> {
    const found = this.kept;
    this.kept = undefined;
    clearTimeout(found?.timer);
    await found?.value.dispose();
  }

  private letGo(): void {
    const { value } = this.kept!;
    this.kept = undefined;
    // Its engine may have ended before; then nothing is left to give back.
    value.dispose().catch(() => undefined);
  }
}

const MINUTE = 60_000;

/** Milliseconds: a minute for a gigabyte of weights and more, ten for a tenth of it, an hour at most. */
function patienceFor(model: Module): number {
  const bytes = 4 * [...model.namedParameters()].reduce((sum, [, { size }]) => sum + size, 0);
  return MINUTE * Math.min(60, Math.max(1, 1e9 / bytes));
}

/** The model's weights as they are now: any that is replaced, loaded or trained makes others of them. */
function weightsOf(model: Module): Weights {
  return new Map([...model.namedParameters()].map(([path, parameter]) => [path, parameter.values]));
}

function isSame(a: Weights, b: Weights): boolean {
  return a.size === b.size && [...a].every(([path, values]) => b.get(path) === values);
}
