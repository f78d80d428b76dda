import { LuvitError } from "../core/errors";
import { tf } from "../core/tf";
import { onnxRuntimeProblem } from "../engine";
import type { Module } from "../nn/module";
import type { AdamW } from "../optim/adamw";
import { CompiledStepper } from "./compiledStepper";
import { EagerStepper, type Stepper, type StepTask } from "./stepper";

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
  const problem = wanted === "eager" ? "asked for" : whyNotCompiled(accumulate);
  if (problem === undefined) return new CompiledStepper(task, optimizer);
  if (wanted !== "onnxruntime") return new EagerStepper(task, optimizer, problem);
  throw new LuvitError("engine", `${task.name}: engine "onnxruntime" cannot be used: ${problem}`);
}

function whyNotCompiled(accumulate: number): string | undefined {
  if (accumulate > 1) return "gradient accumulation is not compiled yet";
  if (tf.getBackend() === "tensorflow") return "the tensorflow backend is preferred";
  return onnxRuntimeProblem();
}
