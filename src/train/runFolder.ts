import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { appendMetrics, readMetrics, truncateMetrics } from "../io/metricsLog";
import {
  latestTrainingCheckpoint,
  pruneTrainingCheckpoints,
  writeTrainingCheckpoint,
} from "../io/trainingCheckpoint";
import type { Module } from "../nn/module";
import type { AdamW } from "../optim/adamw";
import { positionOf, type RunPlan, type TrainOptions } from "./plan";
import type { StepRecord } from "./run";

/** The folder a run writes to: `out` itself if new or resumed, else `out-2`, `out-3`, …, so that nothing is overwritten. */
export function chooseRunFolder(name: string, { out, resume }: TrainOptions): string | undefined {
  if (out === false) return undefined;
  const wanted = out ?? join("runs", `${name}-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}`);
  const taken = (folder: string) => existsSync(folder) && readdirSync(folder).length > 0;
  if (resume || !taken(wanted)) return wanted;
  for (let number = 2; ; number++) if (!taken(`${wanted}-${number}`)) return `${wanted}-${number}`;
}

/** A run as it stands on disk. */
export class RunStore<M extends Module> {
  constructor(
    readonly folder: string,
    private readonly model: M,
    private readonly optimizer: AdamW,
    private readonly plan: RunPlan,
    private readonly keep: number,
  ) {}

  get metricsFile(): string {
    return join(this.folder, "metrics.jsonl");
  }

  async log(record: StepRecord): Promise<void> {
    await appendMetrics(this.metricsFile, record);
  }

  /** Saves everything `restore` needs; frozen weights that came from a file are named, not copied. */
  async save(step: number): Promise<string> {
    const model = await this.model.stateDict();
    const external = this.externalWeights();
    for (const path of Object.keys(external)) model.delete(path);
    refuseNonFinite(model, step);
    const { epoch, batch } = positionOf(this.plan, step);
    const folder = await writeTrainingCheckpoint(this.folder, step, {
      model,
      optimizer: await this.optimizer.state(),
      state: {
        step,
        plan: JSON.parse(JSON.stringify(this.plan)),
        // Every random draw is a function of the seed and the step, and so is the place in the data.
        rng: { seed: this.plan.seed, step },
        data: { epoch, batch },
        external,
      },
    });
    await pruneTrainingCheckpoints(this.folder, this.keep);
    return folder;
  }

  /**
   * Puts model and optimiser back to the newest checkpoint; undefined if there is none.
   * @throws LuvitError("bad-argument") listing every option that differs from the run's.
   */
  async restore(): Promise<{ step: number; folder: string; history: StepRecord[] } | undefined> {
    const checkpoint = await latestTrainingCheckpoint(this.folder);
    if (!checkpoint) return undefined;
    const saved = checkpoint.state as { step: number; plan: Record<string, unknown>; external: Record<string, string> };
    expectSamePlan(this.folder, saved.plan, JSON.parse(JSON.stringify(this.plan)));
    this.model.load(checkpoint.model, {
      allowMissing: Object.keys(saved.external),
      source: checkpoint.folder,
    });
    this.optimizer.load(checkpoint.optimizer, saved.step);
    await truncateMetrics(this.metricsFile, saved.step);
    const history = (await readMetrics(this.metricsFile)) as StepRecord[];
    return { step: saved.step, folder: checkpoint.folder, history };
  }

  private externalWeights(): Record<string, string> {
    const frozen = [...this.model.namedParameters()].filter(([, p]) => !p.trainable && p.source !== undefined);
    return Object.fromEntries(frozen.map(([path, parameter]) => [path, parameter.source!]));
  }
}

function refuseNonFinite(model: StateDict, step: number): void {
  const broken = [...model].filter(([, { data }]) => data.some((x) => !Number.isFinite(x))).map(([path]) => path);
  if (broken.length === 0) return;
  const list = listOffenders(broken);
  throw new LuvitError("non-finite", `step ${step}: not saved, these parameters are no longer finite:\n${list}`);
}

function expectSamePlan(folder: string, saved: Record<string, unknown>, now: Record<string, unknown>): void {
  const text = (value: unknown) => JSON.stringify(value);
  const changed = Object.keys(now)
    .filter((key) => text(saved[key]) !== text(now[key]))
    .map((key) => `${key}: was ${text(saved[key])}, now ${text(now[key])}`);
  if (changed.length === 0) return;
  throw new LuvitError(
    "bad-argument",
    `${folder}: the run there cannot be resumed with other options\n${listOffenders(changed)}\n` +
      "Give the same options, or another `out` for a new run.",
  );
}
