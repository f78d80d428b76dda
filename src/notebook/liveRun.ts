/** One optimizer step, or the mean of a few; further numbers are metrics. */
export interface LiveRecord {
  step: number;
  epoch: number;
  loss: number;
  lr: number;
  imagesPerSecond: number;
  [metric: string]: number;
}

/** A training run as seen from outside. */
export interface LiveRun {
  readonly name: string;
  readonly totalSteps: number;
  /** How many epochs the steps make; where it is known, their table keeps its place from the beginning. */
  readonly epochs?: number;
  readonly history: readonly LiveRecord[];
  readonly latest?: LiveRecord;
  readonly done: Promise<unknown>;
  /** What it runs on. */
  readonly engine?: string;
  /** Images that could not be read so far; prints as a list. */
  readonly report?: { readonly count: number };
  /** What its owner should know. */
  readonly notes?: readonly string[];
  readonly state: "running" | "done" | "stopped" | "failed";
  onRecord(listener: (record: LiveRecord) => void): () => void;
}

const ownColumns = ["step", "epoch", "loss", "lr", "imagesPerSecond"];

/** The names of a record's further numbers, e.g. `top1`. */
export function metricsOf(record: LiveRecord): string[] {
  return Object.keys(record).filter((name) => !ownColumns.includes(name));
}
