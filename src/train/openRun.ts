import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { checkOptions, partsWith } from "../core/options";
import { type JsonObject, readJsonObject } from "../io/bytes";
import { readConfig } from "../io/checkpoint";
import { listTrainingCheckpoints, readMetrics } from "../io/runs";
import type { Classifier } from "../models/classifier";
import { openDetector } from "../models/detector/checkpoints";
import type { Detector } from "../models/detector/detector";
import type { MaskedAutoencoder } from "../models/mae";
import { openClassifier } from "../models/openClassifier";
import { openMae } from "../models/openMae";
import type { OpenModelOptions } from "../models/openModel";
import { openSegmenter } from "../models/openSegmenter";
import type { Segmenter } from "../models/segmenter";
import type { StepRecord } from "./run";

/** What a run's folder says of the run. Prints as one line. */
export class SavedRun {
  readonly folder: string;
  /** "pretrain", "finetune", "detect" or "segment". */
  readonly task: string;
  /** Every step, as `metrics.jsonl` has it; what was not finite is null. */
  readonly history: readonly StepRecord[];
  /** Steps of the newest checkpoint, and of the whole run. */
  readonly step: number;
  readonly totalSteps: number;
  readonly checkpoint: string;
  /** What decided its numbers: plan, options, data. */
  readonly settings: JsonObject;
  readonly config: JsonObject | undefined;
  readonly recipe: string | undefined;
  readonly seed: number;
  /** Newer checkpoints that cannot be read, and why. */
  readonly notes: readonly string[];

  constructor(parts: {
    folder: string;
    task: string;
    history: readonly StepRecord[];
    step: number;
    totalSteps: number;
    checkpoint: string;
    settings: JsonObject;
    config: JsonObject | undefined;
    recipe: string | undefined;
    seed: number;
    notes: readonly string[];
  }) {
    checkOptions("SavedRun", partsWith("folder", "task", "history", "checkpoint"), parts);
    const { folder, task, history, step, totalSteps, checkpoint, settings, config, recipe, seed, notes } =
      parts;
    this.folder = folder;
    this.task = task;
    this.history = history;
    this.step = step;
    this.totalSteps = totalSteps;
    this.checkpoint = checkpoint;
    this.settings = settings;
    this.config = config;
    this.recipe = recipe;
    this.seed = seed;
    this.notes = notes;
  }

  get done(): boolean {
    return this.step === this.totalSteps;
  }

  /**
   * The model of the newest checkpoint that can be read.
   *
   * @throws LuvitError as `classifier.open`.
   */
  model(options: OpenModelOptions = {}): Promise<Classifier | Detector | MaskedAutoencoder | Segmenter> {
    const { task, folder } = this;
    if (task === "detect") return openDetector(folder, options);
    if (task === "segment") return openSegmenter(folder, options);
    return task === "pretrain" ? openMae(folder, options) : openClassifier(folder, options);
  }

  toString(): string {
    const { task, folder, step, totalSteps, recipe, seed } = this;
    const last = this.history.at(-1)?.loss;
    const loss = typeof last === "number" ? `loss ${last.toFixed(4)}` : "";
    const from = recipe === undefined ? "" : `recipe ${recipe}`;
    const parts = [`step ${step}/${totalSteps}`, loss, from, `seed ${seed}`, folder, ...this.notes];
    return `SavedRun(${task}) ${this.done ? "done" : "stopped"} · ${parts.filter(Boolean).join(" · ")}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Opens the folder of a run that this or another process made: its history, its settings, and (`model()`) its model.
 * Reads no weights.
 *
 * @throws LuvitError("missing-file") where no run has saved anything, LuvitError("bad-file") where nothing can be read.
 */
export async function openRun(folder: string): Promise<SavedRun> {
  if (!existsSync(folder)) throw new LuvitError("missing-file", `${folder}: there is no such folder`);
  const notes: string[] = [];
  const history = (await readMetrics(join(folder, "metrics.jsonl"))) as StepRecord[];
  for (const { folder: checkpoint } of (await listTrainingCheckpoints(folder)).reverse()) {
    try {
      const { value } = await readJsonObject(join(checkpoint, "state.json"));
      const config = await readConfig(checkpoint);
      return savedRun(folder, history, checkpoint, value as unknown as SavedState, config, notes);
    } catch (error) {
      if (!(error instanceof LuvitError)) throw error;
      notes.push(`skipped ${basename(checkpoint)}: ${error.message}`);
    }
  }
  if (notes.length > 0) throw new LuvitError("bad-file", `${folder}: ${notes.join("; ")}`);
  const found = history.length > 0 ? `${history.length} steps were logged, none saved` : "no run wrote there";
  throw new LuvitError("missing-file", `${folder}: no checkpoint of a run is there; ${found}`);
}

interface SavedState {
  step: number;
  plan: JsonObject & { task: string; totalSteps: number };
  rng: { seed: number };
  recipe?: string | null;
}

function savedRun(
  folder: string,
  history: readonly StepRecord[],
  checkpoint: string,
  { step, plan, rng, recipe }: SavedState,
  config: JsonObject | undefined,
  notes: readonly string[],
): SavedRun {
  if (!Number.isInteger(step) || typeof plan?.task !== "string" || typeof rng?.seed !== "number") {
    throw new LuvitError("bad-file", `${checkpoint}/state.json: says nothing of a run`);
  }
  const { task, totalSteps } = plan;
  const about = { settings: plan, config, recipe: recipe ?? undefined, seed: rng.seed, notes };
  return new SavedRun({ folder, task, history, step, totalSteps, checkpoint, ...about });
}
