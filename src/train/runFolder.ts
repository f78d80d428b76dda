import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { codeVersion } from "../core/commit";
import { LuvitError, listOffenders } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { writeFailure } from "../core/writeAtomically";
import { appendMetrics, readMetrics, syncMetrics, truncateMetrics } from "../io/metricsLog";
import {
  latestTrainingCheckpoint,
  pruneTrainingCheckpoints,
  writeTrainingCheckpoint,
} from "../io/trainingCheckpoint";
import type { Module } from "../nn/module";
import type { AdamW } from "../optim/adamw";
import { rateAt } from "../optim/schedule";
import { expectFrozenWeights, type FrozenWeight, frozenFromFiles, noteFrozenWeights } from "./frozenWeights";
import { refuseNonFinite } from "./nonFinite";
import { positionOf, type RunPlan, type TrainOptions } from "./plan";
import type { StepRecord } from "./run";
import type { WeightAverage } from "./weightAverage";

/** Folders that runs of this process write to now. */
const inUse = new Set<string>();

/**
 * The folder a run writes to: `out` itself if new or resumed, else `out-2`, `out-3`, …, so that nothing is overwritten.
 * It belongs to the run until `releaseRunFolder`.
 *
 * @throws LuvitError("bad-argument") when there is nothing to resume from, or a run still writes there.
 */
export function claimRunFolder(name: string, { out, resume }: TrainOptions): string | undefined {
  if (resume && !out) {
    throw new LuvitError("bad-argument", "resume: true needs `out`, the folder of the run to go on with");
  }
  if (out === false) return undefined;
  const wanted =
    out ?? join("runs", `${name}-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}`);
  if (resume && inUse.has(resolve(wanted))) {
    throw new LuvitError(
      "bad-argument",
      `${wanted}: a run still writes there; await its stop() before resuming it`,
    );
  }
  const folder = resume ? wanted : firstFree(wanted);
  inUse.add(resolve(folder));
  return folder;
}

/** Lets other runs have the folder. */
export function releaseRunFolder(folder: string | undefined): void {
  if (folder) inUse.delete(resolve(folder));
}

function firstFree(wanted: string): string {
  const isEmpty = (path: string) => statSync(path).isDirectory() && readdirSync(path).length === 0;
  const taken = (path: string) => inUse.has(resolve(path)) || (existsSync(path) && !isEmpty(path));
  if (!taken(wanted)) return wanted;
  for (let number = 2; ; number++) if (!taken(`${wanted}-${number}`)) return `${wanted}-${number}`;
}

/** What a store saves and puts back. */
export interface StoredRun<M extends Module> {
  folder: string;
  model: M;
  optimizer: AdamW;
  /** Where the run keeps one. */
  average?: WeightAverage;
  plan: RunPlan;
  /** Everything a resumed run must have the same, the plan among it. */
  settings: Record<string, unknown>;
  /** Checkpoints kept. */
  keep: number;
  /** Name of the recipe that the options were taken from. */
  recipe?: string;
}

/** A run as it stands on disk. */
export class RunStore<M extends Module> {
  private readonly settings: Record<string, unknown>;
  private frozen: Promise<Record<string, FrozenWeight>> | undefined;

  constructor(private readonly run: StoredRun<M>) {
    this.settings = JSON.parse(JSON.stringify(run.settings));
  }

  get metricsFile(): string {
    return join(this.run.folder, "metrics.jsonl");
  }

  /** Makes the folder, so that one that cannot be written is found before anything is computed. */
  async open(): Promise<void> {
    const { folder } = this.run;
    await mkdir(folder, { recursive: true }).catch((cause) => {
      throw writeFailure(folder, cause);
    });
  }

  async log(record: StepRecord): Promise<void> {
    await appendMetrics(this.metricsFile, record);
  }

  /** Forgets the records after a step. */
  async rewind(step: number): Promise<void> {
    await truncateMetrics(this.metricsFile, step);
  }

  /** Saves everything `restore` needs; frozen weights that came from a file are named, not copied. */
  async save(step: number, previous: string | undefined): Promise<string> {
    const { plan, folder: out, keep } = this.run;
    const model = await this.ownWeights();
    const optimizer = await this.run.optimizer.state();
    const lr = rateAt(plan.schedule, positionOf(plan, step - 1).fraction);
    const average = await this.run.average?.state();
    refuseNonFinite(new Map([...model, ...optimizer, ...namedAverages(average)]), step, lr, previous);
    const { epoch, batch } = positionOf(plan, step);
    await syncMetrics(this.metricsFile);
    const folder = await writeTrainingCheckpoint(out, step, {
      model,
      optimizer,
      // With all that the model's file holds, so that it can be loaded in its place.
      average: average && new Map([...model, ...average]),
      state: {
        step,
        plan: this.settings,
        // Every random draw is a function of the seed and the step, and so is the place in the data.
        rng: { seed: plan.seed, step },
        data: { epoch, batch },
        external: await this.frozenWeights(),
        recipe: this.run.recipe ?? null,
        commit: codeVersion(),
      },
    });
    await pruneTrainingCheckpoints(out, keep);
    return folder;
  }

  /**
   * Puts model and optimiser back to the newest checkpoint; undefined if there is none (then the log starts afresh).
   * @throws LuvitError("bad-argument") listing every option that differs from the run's.
   * @throws LuvitError("key-mismatch") for a model with other parameters or other frozen weights.
   */
  async restore(): Promise<RestoredRun | undefined> {
    const { folder, model, optimizer, average } = this.run;
    const checkpoint = await latestTrainingCheckpoint(folder);
    if (!checkpoint) {
      await truncateMetrics(this.metricsFile, 0);
      return undefined;
    }
    const saved = checkpoint.state as unknown as SavedState;
    expectSameSettings(folder, saved.plan, this.settings);
    await expectFrozenWeights(model, saved.external, folder);
    model.load(checkpoint.model, { allowMissing: Object.keys(saved.external), source: checkpoint.folder });
    // They belong to the run and are saved with it, also those that are frozen.
    for (const [path, parameter] of model.namedParameters()) {
      if (checkpoint.model.has(path)) parameter.source = undefined;
    }
    optimizer.load(checkpoint.optimizer, saved.step);
    average?.load(checkpoint.average ?? new Map(), checkpoint.folder);
    await truncateMetrics(this.metricsFile, saved.step);
    const history = (await readMetrics(this.metricsFile)) as StepRecord[];
    return { step: saved.step, folder: checkpoint.folder, history, notes: checkpoint.notes };
  }

  /** Frozen weights do not change during a run, so they are read for their digests once. */
  private frozenWeights(): Promise<Record<string, FrozenWeight>> {
    this.frozen ??= noteFrozenWeights(frozenFromFiles(this.run.model));
    return this.frozen;
  }

  private async ownWeights(): Promise<StateDict> {
    const external = frozenFromFiles(this.run.model);
    const state: StateDict = new Map();
    for (const [path, parameter] of this.run.model.namedParameters()) {
      if (!external.has(path)) state.set(path, { shape: parameter.shape, data: await parameter.peek() });
    }
    return state;
  }
}

function namedAverages(average: StateDict = new Map()): StateDict {
  return new Map([...average].map(([path, tensor]) => [`average of ${path}`, tensor]));
}

/** Where a run goes on. */
export interface RestoredRun {
  step: number;
  /** The checkpoint it goes on from. */
  folder: string;
  /** Steps up to there. */
  history: StepRecord[];
  /** Newer checkpoints that could not be read, and why. */
  notes: readonly string[];
}

interface SavedState {
  step: number;
  plan: Record<string, unknown>;
  external: Record<string, FrozenWeight>;
}

function expectSameSettings(
  folder: string,
  saved: Record<string, unknown>,
  now: Record<string, unknown>,
): void {
  const text = (value: unknown) => JSON.stringify(value) ?? "not given";
  const changed = [...new Set([...Object.keys(saved), ...Object.keys(now)])]
    .filter((key) => text(saved[key]) !== text(now[key]))
    .map((key) => `${key}: was ${text(saved[key])}, now ${text(now[key])}`);
  if (changed.length === 0) return;
  throw new LuvitError(
    "bad-argument",
    `${folder}: the run there cannot be resumed with other options\n${listOffenders(changed)}\n` +
      "Give the same options, or another `out` for a new run.",
  );
}
