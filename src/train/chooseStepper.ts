import { LuvitError } from "../core/errors";
import { tf } from "../core/tf";
import { onnxRuntimeProblem } from "../engine";
import type { Module } from "../nn/module";
import type { AdamW } from "../optim/adamw";
import { CompiledStepper } from "./compiledStepper";
import { EagerStepper, type Feeds, type Stepper, type StepTask } from "./stepper";

/** What training steps run on: one compiled graph on onnxruntime, tfjs op by op, or the former where it can be. */
export type TrainEngine = "auto" | "onnxruntime" | "eager";

/**
 * "auto" takes onnxruntime where it is installed and the run needs nothing it lacks; LUVIT_ENGINE sets another default.
 * @throws LuvitError("engine") when a demanded engine cannot be used.
 */
export function chooseStepper<M extends Module>(
  task: StepTask<M>,
  optimizer: AdamW,
  accumulate: number,
  wanted: TrainEngine = (process.env.LUVIT_ENGINE as TrainEngine | undefined) ?? "auto",
): Stepper {
  const problem = wanted === "eager" ? "asked for" : whyNotCompiled();
  const eager = (reason: string) => new EagerStepper(task, optimizer, reason);
  if (wanted !== "onnxruntime" && problem !== undefined) return eager(problem);
  const compiled = new CompiledStepper(task, optimizer, accumulate);
  if (problem === undefined) return wanted === "onnxruntime" ? compiled : new AutoStepper(compiled, eager);
  throw new LuvitError("engine", `${task.name}: engine "onnxruntime" cannot be used: ${problem}`);
}

/** One compiled graph, or op by op where the step turns out not to compile; the run then says why. */
class AutoStepper<M extends Module> implements Stepper {
  private chosen: Stepper | undefined;

  constructor(
    private readonly compiled: CompiledStepper<M>,
    private readonly eager: (reason: string) => Stepper,
  ) {}

  get engine(): string {
    return (this.chosen ?? this.compiled).engine;
  }

  async step(group: readonly Feeds[], lr: number): Promise<number> {
    this.chosen ??= await this.choose(group[0]);
    return this.chosen.step(group, lr);
  }

  async sync(): Promise<void> {
    await this.chosen?.sync();
  }

  async dispose(): Promise<void> {
    await this.compiled.dispose();
  }

  private async choose(feeds: Feeds): Promise<Stepper> {
    try {
      await this.compiled.prepare(feeds);
      return this.compiled;
    } catch (error) {
      const [reason] = (error as Error).message.split("\n");
      return this.eager(`this step does not compile: ${reason}`);
    }
  }
}

function whyNotCompiled(): string | undefined {
  if (tf.getBackend() === "tensorflow") return "the tensorflow backend is preferred";
  return onnxRuntimeProblem();
}
