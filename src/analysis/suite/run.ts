import { inspect } from "node:util";
import { callback, checkOptions, row } from "../../core/options";
import type { Metric } from "./metrics";
import type { SuiteResult } from "./result";

/** How far a suite is with one of its parts. */
export interface SuitePartState {
  /** "in1k", "c/fog/3". */
  readonly key: string;
  /** The set that it is of: "ImageNet-C". */
  readonly data: string;
  state: "waiting" | "running" | "done";
  /** Images of it (of its shard); undefined until it is opened. */
  total: number | undefined;
  /** Images that are answered, and those of them that were before this call. */
  done: number;
  kept: number;
}

/** How far a suite is. */
export interface SuiteProgress {
  /** What is being evaluated: "in1k", "c/fog/3". */
  readonly part: string;
  /** Parts finished, and all. */
  readonly partsDone: number;
  readonly parts: number;
  /** Images of this part (of its shard) that are done in this call, and that had to be. */
  readonly done: number;
  readonly total: number;
  readonly imagesPerSecond: number;
  /** What it runs on. */
  readonly engine: string;
}

/** What the work of a suite tells its run. */
export interface SuiteDriver {
  readonly runsOn: (engine: string) => void;
  readonly opened: (key: string, images: number, kept: number) => void;
  readonly advanced: (key: string, images: number) => void;
  /** A part is finished; `metrics` are those of all finished parts. */
  readonly finished: (key: string, metrics: () => readonly Metric[]) => void;
}

/**
 * A suite that goes on by itself: watch it (`luvit.live`), stop it, or await `done` for its result. A stop, or an
 * interrupt, ends it after the current batch; what was answered is kept, and the same call with the same `out` goes on.
 */
export class SuiteRun {
  readonly name = "suite";
  /** Resolves with the result, of as much as was evaluated where it was stopped; rejects if it fails. */
  readonly done: Promise<SuiteResult>;
  state: "running" | "done" | "stopped" | "failed" = "running";
  readonly parts: readonly SuitePartState[];
  /** What it runs on, known when the model is ready. */
  engine: string | undefined;
  private readonly stopping = new AbortController();
  private readonly listeners = new Set<(progress: SuiteProgress) => void>();
  private metricsOfParts: () => readonly Metric[] = () => [];
  private found: readonly Metric[] | undefined;
  private partStartedAt = 0;

  constructor(
    parts: readonly Pick<SuitePartState, "key" | "data">[],
    body: (driver: SuiteDriver, signal: AbortSignal) => Promise<SuiteResult>,
  ) {
    checkOptions("SuiteRun", row("a list of parts"), parts);
    checkOptions("SuiteRun", callback(), body);
    this.parts = parts.map(({ key, data }) => ({
      key,
      data,
      state: "waiting",
      total: undefined,
      done: 0,
      kept: 0,
    }));
    this.done = this.drive(body);
    this.done.catch(() => {}); // whoever awaits it gets the error; nobody awaiting must not end the session
  }

  /** The numbers of the parts that are finished. */
  get metrics(): readonly Metric[] {
    this.found ??= this.metricsOfParts();
    return this.found;
  }

  /** Ends it after the current batch. */
  stop(): Promise<SuiteResult> {
    this.stopping.abort();
    return this.done;
  }

  /** Calls back after every batch; returns the function that ends it. */
  onProgress(listener: (progress: SuiteProgress) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  toString(): string {
    const running = this.parts.find(({ state }) => state === "running");
    const finished = this.parts.filter(({ state }) => state === "done").length;
    const at = running ? ` · ${running.key}, ${running.done} of ${running.total} images` : "";
    return [`SuiteRun ${this.state} · ${finished} of ${this.parts.length} parts${at}`, this.engine]
      .filter(Boolean)
      .join(" · ");
  }

  [inspect.custom](): string {
    return this.toString();
  }

  private async drive(
    body: (driver: SuiteDriver, signal: AbortSignal) => Promise<SuiteResult>,
  ): Promise<SuiteResult> {
    try {
      const result = await body(this.driver(), this.stopping.signal);
      this.state = result.complete ? "done" : "stopped";
      return result;
    } catch (error) {
      this.state = "failed";
      throw error;
    }
  }

  private driver(): SuiteDriver {
    return {
      runsOn: (engine) => {
        this.engine = engine;
      },
      opened: (key, images, kept) => {
        Object.assign(this.part(key), { state: "running", total: images, done: kept, kept });
        this.partStartedAt = performance.now();
      },
      advanced: (key, images) => this.advance(this.part(key), images),
      finished: (key, metrics) => {
        this.part(key).state = "done";
        this.metricsOfParts = metrics;
        this.found = undefined;
      },
    };
  }

  private advance(part: SuitePartState, images: number): void {
    part.done += images;
    const done = part.done - part.kept;
    const progress: SuiteProgress = {
      part: part.key,
      partsDone: this.parts.filter(({ state }) => state === "done").length,
      parts: this.parts.length,
      done,
      total: part.total! - part.kept,
      imagesPerSecond: (1000 * done) / (performance.now() - this.partStartedAt),
      engine: this.engine!,
    };
    for (const listener of this.listeners) listener(progress);
  }

  private part(key: string): SuitePartState {
    return this.parts.find((part) => part.key === key)!;
  }
}
