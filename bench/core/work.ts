import { type ArraysByName, describeEngine, type Traffic } from "../../src/engine";
import { type Graph, optimize, summarize } from "../../src/graph";
import { sendParameters } from "../../src/nn/modelState";
import type { Module } from "../../src/nn/module";
import { arraysOf, type Feeds, specsOf } from "../../src/train/feeds";
import type { StepTask } from "../../src/train/stepPrograms";
import { LOSS_SCALE, traceStep } from "../../src/train/traceStep";
import { openPrograms } from "./engines";
import type { BenchOptions } from "./options";

/** What is measured, ready to be run. */
export interface Work {
  /** For people: engine, device, threads, precision. */
  readonly engine: string;
  /** Floating-point operations of the matrix products of one run. */
  readonly flops: number;
  readonly parameters: { total: number; trainable: number };
  /** Shapes of what a run is fed. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** One run; gives back one number that tells whether it computes the right thing (loss, mean entropy). */
  run(): Promise<number>;
  /** What has moved so far. */
  traffic(): Traffic;
  dispose(): Promise<void>;
}

/** A training step with batches to feed it. */
export interface Training<M extends Module> {
  task: StepTask<M>;
  betas: readonly [number, number];
  lr: number;
  /** Fed one after the other, again and again. */
  batches: readonly Feeds[];
}

/** What the loss is multiplied by for gradients in float16. */
const SCALE = 2 ** 15;

/** A training step on the engine asked for, as `train` runs it. */
export async function openTraining<M extends Module>(
  training: Training<M>,
  options: BenchOptions,
): Promise<Work> {
  const { task, lr, batches } = training;
  const [beta1, beta2] = training.betas;
  const scaled = options.precision === "float16";
  const graph = optimize(traceTraining(training, scaled), { memory: options.memory });
  const lossScale = scaled ? LOSS_SCALE : undefined;
  const executor = await openPrograms({ train: { graph, guard: "loss", lossScale } }, options);
  await sendParameters(executor, task.model.namedParameters());
  let t = 0;
  return {
    ...aboutGraph(graph),
    parameters: task.model.counts(),
    engine: describeEngine(executor.description),
    async run() {
      const feeds = arraysOf(batches[t % batches.length]);
      t++;
      const schedule = Float32Array.of(lr, 1 - beta1 ** t, 1 - beta2 ** t);
      const scale: ArraysByName = scaled ? { [LOSS_SCALE]: Float32Array.of(SCALE) } : {};
      return (await executor.run("train", { ...feeds, schedule, ...scale })).loss[0];
    },
    traffic: () => executor.traffic,
    dispose: () => executor.dispose(),
  };
}

/** The step as a graph, not yet optimized. */
export function traceTraining<M extends Module>(
  { task, betas, batches }: Training<M>,
  scaled = false,
): Graph {
  const { name, model, rules, loss } = task;
  return traceStep(name, { model, rules, betas, inputs: specsOf(batches[0]), loss, scaled });
}

/** What a work is known by before it is opened. */
export function aboutGraph(graph: Graph): Pick<Work, "flops" | "shapes"> {
  const shapes = Object.fromEntries(graph.inputs.map(({ name, value }) => [name, value.shape]));
  return { flops: summarize(graph).matMulFlops, shapes };
}
