import { join } from "node:path";
import { codeVersion } from "../core/commit";
import { differences } from "../core/differences";
import { LuvitError, listOffenders } from "../core/errors";
import {
  appendMetrics,
  latestTrainingCheckpoint,
  type MetricsRecord,
  pruneTrainingCheckpoints,
  readMetrics,
  readTrainingCheckpoint,
  replaceMetrics,
  syncMetrics,
  type TrainingCheckpoint,
  truncateMetrics,
  writeMetricsTable,
  writeTrainingCheckpoint,
} from "../io/runs";
import { type ModelConfig, modelDifferences } from "../models/config";
import {
  expectFrozenWeights,
  type FrozenWeight,
  frozenFromFiles,
  noteFrozenWeights,
} from "../models/frozenWeights";
import { SavableModel } from "../models/savable";
import { weightsBut } from "../models/writeModel";
import type { Module } from "../nn/module";
import type { AdamW } from "../optim/adamw";
import { type BesideModel, loadHelpers } from "./besideModel";
import { expectClaimed } from "./claimFolder";
import { compareFiles, type RunSets } from "./dataFiles";
import { nonFiniteNames, nonFiniteState, onlyFinite } from "./nonFinite";
import { positionOf, type RunPlan, rateOfStep } from "./plan";
import type { StepRecord } from "./run";
import type { Stepper } from "./stepper";
import type { WeightAverage } from "./weightAverage";

/** What a store saves and puts back. */
export interface StoredRun<M extends Module> {
  folder: string;
  model: M;
  /** What is trained beside the model, and what is frozen there. */
  helpers: BesideModel["helpers"];
  frozen: BesideModel["frozen"];
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
  /** What it is trained and evaluated on. */
  sets: RunSets;
}

/** A run as it stands on disk. */
export class RunStore<M extends Module> {
  private readonly settings: Record<string, unknown>;
  private frozen: Promise<Record<string, FrozenWeight>> | undefined;
  private beside: Promise<Record<string, FrozenWeight>> | undefined;
  /** The checkpoint that model, optimizer and average read from. */
  private adopted: TrainingCheckpoint | undefined;

  constructor(private readonly run: StoredRun<M>) {
    this.settings = JSON.parse(JSON.stringify(run.settings));
  }

  get metricsFile(): string {
    return join(this.run.folder, "metrics.jsonl");
  }

  /** @throws LuvitError("bad-file") for a folder that could not be made: nothing is computed that could not be saved. */
  open(): void {
    expectClaimed(this.run.folder);
  }

  async log(record: StepRecord): Promise<void> {
    await appendMetrics(this.metricsFile, record);
  }

  /** Puts a record in the place of the last one, which was of the same step. */
  async amend(record: StepRecord): Promise<void> {
    await replaceMetrics(this.metricsFile, record);
  }

  /** Writes the whole log as a table, metrics.arrow, which says what it is about. */
  async writeTable(): Promise<void> {
    const { folder, model, recipe, plan } = this.run;
    const about = { model: model.toString(), recipe, seed: plan.seed };
    await writeMetricsTable(join(folder, "metrics.arrow"), await readMetrics(this.metricsFile), about);
  }

  /** Notes the files of the data sets; of a resumed run, gives back what is said of those that are others now. */
  compareData(resumed: boolean): Promise<string[]> {
    return compareFiles(this.run.folder, this.run.sets, resumed);
  }

  /** Forgets the records after a step. */
  async rewind(step: number): Promise<void> {
    await truncateMetrics(this.metricsFile, step);
  }

  /**
   * Saves everything `restore` needs, straight from where it is; frozen weights that came from a file are named, not
   * copied. Model, optimizer and average then have the saved numbers, which stay on disk until they are asked for.
   *
   * @throws LuvitError("non-finite") naming every tensor with NaN or infinities; nothing is saved and nothing changes then.
   */
  async save(step: number, previous: string | undefined, live: Pick<Stepper<M>, "stream">): Promise<string> {
    const { plan, folder: out, keep, optimizer, average, helpers } = this.run;
    const external = await this.frozenWeights();
    const weights = weightsBut(this.run.model, new Map(Object.entries(external)));
    const model = live.stream(weights);
    const moments = live.stream(new Map(optimizer.moments()));
    const beside = helpers.size > 0 ? live.stream(helpers) : undefined;
    // With all that the model's file holds, so that it can be loaded in its place.
    const averages = average && live.stream(new Map([...weights, ...average.byPath()]));
    const lr = rateOfStep(plan, step - 1);
    const refuse = async () => {
      const broken = [...(await nonFiniteNames(model)), ...(await nonFiniteNames(moments))];
      if (beside) broken.push(...(await nonFiniteNames(beside)));
      if (average) broken.push(...(await nonFiniteNames(live.stream(new Map(average.parameters())))));
      return nonFiniteState(broken, step, lr, previous);
    };
    const { epoch, batch } = positionOf(plan, step);
    await syncMetrics(this.metricsFile);
    const folder = await writeTrainingCheckpoint(out, step, {
      model: onlyFinite(model, refuse),
      config: this.describe(external),
      optimizer: onlyFinite(moments, refuse),
      average: averages && onlyFinite(averages, refuse),
      helpers: beside && onlyFinite(beside, refuse),
      state: {
        step,
        plan: this.settings,
        // Every random draw is a function of the seed and the step, and so is the place in the data.
        rng: { seed: plan.seed, step },
        data: { epoch, batch },
        external,
        beside: await this.frozenBeside(),
        recipe: this.run.recipe ?? null,
        commit: codeVersion(),
      },
    });
    await this.adopt(await readTrainingCheckpoint(folder), step, external);
    await pruneTrainingCheckpoints(out, keep);
    return folder;
  }

  /**
   * Puts model and optimizer back to the newest checkpoint; undefined if there is none (then the log starts afresh).
   * @throws LuvitError("bad-argument") listing every option, and everything of the model, that differs from the run's.
   * @throws LuvitError("key-mismatch") for a model with other parameters or other frozen weights.
   */
  async restore(): Promise<RestoredRun | undefined> {
    const { folder, model, frozen } = this.run;
    const checkpoint = await latestTrainingCheckpoint(folder);
    if (!checkpoint) {
      await truncateMetrics(this.metricsFile, 0);
      return undefined;
    }
    const saved = checkpoint.state as unknown as SavedState;
    const notes = this.expectSame(saved.plan, checkpoint.config as ModelConfig | undefined);
    await expectFrozenWeights(new Map(model.namedParameters()), saved.external, folder);
    await expectFrozenWeights(frozen, saved.beside ?? {}, folder);
    await this.adopt(checkpoint, saved.step, saved.external);
    await truncateMetrics(this.metricsFile, saved.step);
    const history = (await readMetrics(this.metricsFile)).map(asMeasured);
    return { step: saved.step, folder: checkpoint.folder, history, notes: [...notes, ...checkpoint.notes] };
  }

  /** Gives model, optimizer and average the numbers of a checkpoint, whose files stay open until those of the next are. */
  private async adopt(
    checkpoint: TrainingCheckpoint,
    step: number,
    external: Readonly<Record<string, FrozenWeight>>,
  ): Promise<void> {
    const { model, optimizer, average, helpers } = this.run;
    model.loadStateDict(checkpoint.model, {
      allowMissing: Object.keys(external),
      source: checkpoint.folder,
    });
    // They belong to the run and are saved with it, also those that are frozen.
    for (const [path, parameter] of model.namedParameters()) {
      if (checkpoint.model.has(path)) parameter.source = undefined;
    }
    optimizer.load(checkpoint.optimizer, step);
    average?.load(checkpoint.average ?? new Map(), checkpoint.folder);
    loadHelpers(helpers, checkpoint.helpers ?? new Map(), checkpoint.folder);
    await this.adopted?.close();
    this.adopted = checkpoint;
  }

  /** Frozen weights do not change during a run, so they are read for their digests once. */
  private frozenWeights(): Promise<Record<string, FrozenWeight>> {
    this.frozen ??= noteFrozenWeights(frozenFromFiles(this.run.model));
    return this.frozen;
  }

  private frozenBeside(): Promise<Record<string, FrozenWeight>> {
    this.beside ??= noteFrozenWeights(this.run.frozen);
    return this.beside;
  }

  /** What the model is; undefined of models that cannot say. */
  private describe(external: ModelConfig["external"]): ModelConfig | undefined {
    const { model } = this.run;
    return model instanceof SavableModel ? { ...model.describe(), external } : undefined;
  }

  /** Compares options and model with the saved ones; gives back what could not be compared. */
  private expectSame(plan: Record<string, unknown>, saved: ModelConfig | undefined): string[] {
    const now = this.describe({});
    const changed = differences(plan, this.settings);
    if (saved && now) changed.push(...modelDifferences(saved, now));
    if (changed.length === 0) {
      const unknown =
        "the checkpoint is of an earlier version and does not say what its model is: not compared";
      return saved || !now ? [] : [unknown];
    }
    throw new LuvitError(
      "bad-argument",
      `${this.run.folder}: the run there cannot be resumed with other options or another model\n` +
        `${listOffenders(changed)}\nGive the same, or another \`out\` for a new run.`,
    );
  }
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
  /** Of what is frozen beside the model. */
  beside?: Record<string, FrozenWeight>;
}

/** A record of the log as it was measured: what JSON has no number for is not one. */
function asMeasured(record: MetricsRecord): StepRecord {
  const values = Object.entries(record).map(([name, value]) => [name, value ?? Number.NaN]);
  return Object.fromEntries(values) as StepRecord;
}
