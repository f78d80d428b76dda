import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Rng } from "../../../src/core/rng";
import { type Tensor, tf } from "../../../src/core/tf";
import { type ImageDataset, SkipReport } from "../../../src/data/dataset";
import { Linear, Module } from "../../../src/nn";
import { pretrainRules } from "../../../src/optim";
import { startRun } from "../../../src/train/loop";
import { settlePlan, type TrainOptions } from "../../../src/train/plan";
import type { Run, StepRecord } from "../../../src/train/run";
import type { TrainingTask } from "../../../src/train/steps";
import type { Calls } from "../../support/calls";

export const SIDE = 2;

/** Images of numbers that are drawn for each, two classes in turn; some of which cannot be read. */
export class DrawnSet implements ImageDataset {
  readonly classes = ["even", "odd"];
  readonly size = SIDE;
  readonly report = new SkipReport();
  readonly loads: string[] = [];
  constructor(
    readonly length: number,
    private readonly broken: readonly number[] = [],
    private readonly root = "drawn",
  ) {}
  path = (index: number) => `${this.root}/${this.label(index)}/${index}.png`;
  label = (index: number) => index % 2;
  async load(index: number, rng: Rng) {
    this.loads.push(`${index}`);
    const path = this.path(index);
    if (this.broken.includes(index)) {
      this.report.add(path, `${path}: cannot be decoded`);
      const other = (index + 2) % this.length;
      return this.sample(other, rng);
    }
    return this.sample(index, rng);
  }
  private sample(index: number, rng: Rng) {
    const image = Float32Array.from(
      { length: 3 * SIDE * SIDE },
      (_, i) => (index + 1) / 8 + (i % 3) / 4 + 0.1 * rng.uniform(),
    );
    return { image, label: this.label(index), path: this.path(index), index };
  }
  take = () => this;
  subset = () => this;
  withTransform = () => this;
}

/** Two weights for each of three channels. */
export class Tiny extends Module {
  readonly layer: Linear;
  constructor(seed = 1) {
    super();
    this.layer = new Linear(3, 2, new Rng(seed));
  }
  forward(images: Tensor): Tensor {
    return this.layer.forward(tf.mean(images, [2, 3]));
  }
}

export type Parts = Partial<TrainingTask<Tiny>>;

export function task(set: DrawnSet, options: TrainOptions, parts: Parts = {}): TrainingTask<Tiny> {
  const model = parts.model ?? new Tiny();
  const plan = settlePlan(set, options, [0.9, 0.95]);
  return {
    name: "tiny",
    model,
    dataset: set,
    plan,
    settings: { kind: "drawn" },
    rules: pretrainRules(model, plan.weightDecay),
    feeds: ({ images, labels }, micro) => ({
      images: { data: images, shape: [images.length / 12, 3, SIDE, SIDE] },
      wanted: { data: Float32Array.from(labels, (label) => label + micro / 100), shape: [labels.length] },
    }),
    loss: ({ images, wanted }) =>
      tf.mean(tf.square(tf.sub(tf.sum(model.forward(images), 1), wanted))) as Tensor,
    ...parts,
  };
}

/** Five batches of 2 in an epoch, one a step. */
export const plain: TrainOptions = { epochs: 2, batchSize: 2, lr: 0.05, engine: "eager", out: false };

export const go = (options: TrainOptions, parts: Parts = {}, set = new DrawnSet(11)) =>
  startRun(task(set, options, parts), options);

export const told = ({ imagesPerSecond, ...record }: StepRecord): Record<string, unknown> => ({
  ...record,
  timed: imagesPerSecond > 0,
});

export const logged = (folder: string) =>
  existsSync(join(folder, "metrics.jsonl"))
    ? readFileSync(join(folder, "metrics.jsonl"), "utf8")
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line).step)
    : [];

export const listed = (folder: string) =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => !name.includes("lock"))
        .sort()
    : "none";

/** What is there of a run, once it has ended. */
export async function ended(calls: Calls, what: string, run: Run<Tiny>) {
  const line = await run.done.then(
    ({ stopped, checkpoint, history, averaged }) => ({
      stopped,
      checkpoint,
      steps: history.length,
      averaged,
    }),
    (error: unknown) => error,
  );
  calls.note(what, line);
  calls.note("  state", [
    run.state,
    run.latest?.step,
    run.checkpoint,
    run.notes,
    run.totalSteps,
    run.epochs,
    run.name,
  ]);
  if (run.out) calls.note("  folder", [listed(run.out), logged(run.out)]);
}
