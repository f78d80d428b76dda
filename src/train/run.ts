import { inspect } from "node:util";
import type { StateDict } from "../core/hostTensor";
import { checkOptions, partsWith } from "../core/options";
import { type StopRequest, withStopRequest } from "../core/stopRequest";
import { ensureBackend } from "../core/tf";
import type { SkipReport } from "../data/dataset";
import type { Module } from "../nn/module";

const jupyterDisplay = Symbol.for("Jupyter.display");

/** One optimizer step. `loss` is the mean over the step's batches; `lr` the scheduled rate before layer scales. */
export interface StepRecord {
  /** Steps finished, from 1. */
  step: number;
  /** Fractional epoch at the step's start. */
  epoch: number;
  loss: number;
  lr: number;
  imagesPerSecond: number;
  /** Further metrics, e.g. `top1` (percent) on the last step of an epoch. */
  [metric: string]: number;
}

/** How far a run is. */
export type RunState = "running" | "done" | "stopped" | "failed";

/** How a run ended. */
export interface RunResult<M extends Module> {
  model: M;
  history: readonly StepRecord[];
  /** True if `stop()` or an interrupt ended it early; everything is saved and can be resumed. */
  stopped: boolean;
  /** Newest checkpoint folder, if the run writes any. */
  checkpoint?: string;
  /** Moving average of the trained weights by path, where the run keeps one. */
  averaged?: StateDict;
  seconds: number;
}

/** What the loop may do with a run it drives. */
export interface RunDriver<M extends Module> {
  /** Turned on by an interrupt or `stop()`: the loop ends after the current step, saving. */
  readonly request: Pick<StopRequest, "stopped">;
  readonly record: (record: StepRecord) => void;
  /** Takes records after a step back; they are made again. */
  readonly rewind: (step: number) => void;
  readonly run: Run<M>;
}

/** A training run that goes on by itself: watch it, await `done`, or stop it after the current step. */
export class Run<M extends Module> {
  /** Steps so far, those before a resume among them. */
  readonly history: StepRecord[] = [];
  /** Resolves when the run is done or stopped (all saved); rejects if it fails. */
  readonly done: Promise<RunResult<M>>;
  state: RunState = "running";
  /** Newest checkpoint folder. */
  checkpoint: string | undefined;
  /** Moving average of the trained weights by path, where the run keeps one; known when it ends. */
  averaged: StateDict | undefined;
  /** What the steps run on, known after the first. */
  engine: string | undefined;
  /** What its owner should know, e.g. damaged checkpoints that a resume had to pass over. */
  readonly notes: string[] = [];
  private readonly stopping = new AbortController();
  private readonly listeners = new Set<(record: StepRecord) => void>();
  readonly name: string;
  readonly model: M;
  readonly totalSteps: number;
  /** Folder with metrics.jsonl and checkpoints; undefined if nothing is written. */
  readonly out: string | undefined;
  /** Images that could not be read so far. */
  readonly report: SkipReport;
  /** Epochs that the steps make, those of a cool-down among them. */
  readonly epochs?: number;

  constructor(parts: {
    name: string;
    model: M;
    totalSteps: number;
    out: string | undefined;
    report: SkipReport;
    body: (driver: RunDriver<M>) => Promise<void>;
    epochs?: number;
  }) {
    checkOptions("Run", partsWith("name", "model", "totalSteps", "report", "body"), parts);
    const { name, model, totalSteps, out, report, body, epochs } = parts;
    this.name = name;
    this.model = model;
    this.totalSteps = totalSteps;
    this.out = out;
    this.report = report;
    this.epochs = epochs;

    this.done = this.drive(body);
    this.done.catch(() => {}); // whoever awaits `done` gets the error; nobody awaiting must not end the session
  }

  get latest(): StepRecord | undefined {
    return this.history.at(-1);
  }

  /** Finishes the current step, saves, and resolves `done` with `stopped: true`. */
  stop(): Promise<RunResult<M>> {
    this.stopping.abort();
    return this.done;
  }

  /** Calls back after every step; returns the function that ends it. */
  onRecord(listener: (record: StepRecord) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  toString(): string {
    const { step = 0, loss } = this.latest ?? {};
    const at = loss === undefined ? "" : ` · loss ${loss.toFixed(4)}`;
    const head = `Run(${this.name}) ${this.state} · step ${step}/${this.totalSteps}${at}`;
    const { count } = this.report;
    const unreadable = count === 0 ? "" : `${count} unreadable ${count === 1 ? "image" : "images"}`;
    return [head, this.engine, this.out, unreadable, ...this.notes].filter(Boolean).join(" · ");
  }

  [inspect.custom](): string {
    return this.toString();
  }

  private async drive(body: (driver: RunDriver<M>) => Promise<void>): Promise<RunResult<M>> {
    const started = performance.now();
    try {
      await withStopRequest(this.stopping.signal, async (request) => {
        await ensureBackend();
        await body({
          request,
          record: (record) => this.note(record),
          rewind: (step) => this.takeBack(step),
          run: this,
        });
      });
      this.state = (this.latest?.step ?? 0) < this.totalSteps ? "stopped" : "done";
    } catch (error) {
      this.state = "failed";
      throw error;
    }
    const result: RunResult<M> = {
      model: this.model,
      history: this.history,
      stopped: this.state === "stopped",
      checkpoint: this.checkpoint,
      averaged: this.averaged,
      seconds: (performance.now() - started) / 1000,
    };
    // Where a cell ends with `await run.done`, it shows what the run itself shows.
    const shown = this as unknown as Record<symbol, (() => unknown) | undefined>;
    return Object.defineProperties(result, {
      [inspect.custom]: { value: () => this.toString() },
      [jupyterDisplay]: { value: () => shown[jupyterDisplay]?.() },
    });
  }

  private takeBack(step: number): void {
    const kept = this.history.findIndex((record) => record.step > step);
    if (kept >= 0) this.history.length = kept;
  }

  private note(record: StepRecord): void {
    this.history.push(record);
    for (const listener of this.listeners) listener(record);
  }
}
