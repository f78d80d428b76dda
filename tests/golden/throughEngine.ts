import { type EngineOptions, type OpenEngine, openEngine } from "../../src/engine";
import { optimize } from "../../src/graph";
import {
  distilling,
  finetuning,
  openFolder,
  parameterErrors,
  pretraining,
  segmenting,
  train,
} from "../unit/engine/goldenRuns";
import { traceStep } from "../unit/graph/support";
import { detectorRunners } from "./detectorCases";
import { distillGraphRunners } from "./distillGraphs";
import { compiledFor } from "./execute";
import { type Evaluate, onEngine, type Steps, stepsOnEngine } from "./gradients";
import { type CaseRunner, maxAbsError } from "./harness";
import { runLlavaMultilayer, runTowerFeatures } from "./llava";
import { runPrefixMask } from "./masks";
import { load } from "./support";
import { runVisionQkv, runVisionQkv2 } from "./visionQkv";

const scenarios = {
  luvit_pretrain: pretraining,
  luvit_finetune: finetuning,
  distill_step: distilling,
  seg_step: segmenting,
};

/** Cases of outputs, gradients and a few steps, whose runner is told what to run them with. */
export const gradientCases: Readonly<Record<string, (evaluate: Evaluate, steps: Steps) => CaseRunner>> = {
  prefix_mask: runPrefixMask,
  vision_qkv: runVisionQkv,
  vision_qkv_2: runVisionQkv2,
  tower_features: runTowerFeatures,
  llava_multilayer: runLlavaMultilayer,
};

/**
 * Golden cases as one graph on an engine: of training runs the losses of every step and all parameters behind the last, of
 * others outputs and gradients.
 */
export function runnersThrough(options: EngineOptions): Record<string, CaseRunner> {
  const runners = Object.entries(scenarios).map(([name, make]): [string, CaseRunner] => [
    name,
    async (folder) => {
      const opened = openFolder(folder);
      const scenario = make(opened);
      const graph = optimize(traceStep(name, scenario.step));
      const { losses, state, description } = await train(
        { open: (programs, more) => openEngine(programs, { ...more, ...options }) },
        graph,
        scenario,
        opened,
      );
      console.log(`     ${name} ran on ${description}`);
      const tolerance = opened.meta.recommended_tolerance;
      const { keys, others } = parameterErrors(state, load(folder, "params_after.safetensors"));
      return [
        { name: "losses", error: maxAbsError(losses, scenario.losses), tolerance: tolerance.loss_abs },
        { name: "parameters", error: others, tolerance: tolerance.params_abs },
        { name: "key biases", error: keys, tolerance: tolerance.params_key_bias_abs },
      ];
    },
  ]);
  const [evaluate, steps] = [onEngine(options), stepsOnEngine(options)];
  const gradients = Object.entries(gradientCases).map(
    ([name, make]) => [name, make(evaluate, steps)] as const,
  );
  const open: OpenEngine = (programs, more) => openEngine(programs, { ...more, ...options });
  return {
    ...Object.fromEntries([...runners, ...gradients]),
    ...detectorRunners(compiledFor(options)),
    ...distillGraphRunners(open),
  };
}
