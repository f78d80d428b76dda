import { writeFileSync } from "node:fs";
import { LuvitError } from "../src/core/errors";
import { startBackend } from "../src/core/tf";
import { allreduce } from "./allreduce";
import { ask } from "./ask";
import { checkpoint } from "./checkpoint";
import { compile } from "./compile";
import { type BenchName, type BenchOptions, parseOptions, usage } from "./core/options";
import { stepText } from "./core/print";
import type { Report } from "./core/report";
import { runStepBench, type StepBench } from "./core/stepBench";
import { detectForward, detectStep } from "./detect";
import { entropy } from "./entropy";
import { finetuneStep } from "./finetuneStep";
import { ablateBench, relevanceBench } from "./inside";
import { insidePage } from "./insidePage";
import { jpeg } from "./jpeg";
import { kernel } from "./kernel";
import { loadBlock } from "./loadBlock";
import { loader } from "./loader";
import { notebooks } from "./notebooks";
import { pretrainStep } from "./pretrainStep";
import { restartsBench } from "./restarts";
import { twoWorkers } from "./twoWorkers";

const ofSteps = (bench: StepBench) => async (options: BenchOptions) => {
  const json = await runStepBench(options, bench);
  return { json, text: stepText(json) };
};

const benches: Record<BenchName, (options: BenchOptions) => Promise<Report>> = {
  "pretrain-step": ofSteps(pretrainStep),
  "finetune-step": ofSteps(finetuneStep),
  entropy: ofSteps(entropy),
  "detect-forward": ofSteps(detectForward),
  "detect-step": ofSteps(detectStep),
  ask,
  compile,
  checkpoint,
  "load-block": loadBlock,
  loader,
  jpeg,
  kernel,
  restarts: restartsBench,
  notebooks,
  allreduce,
  "two-workers": twoWorkers,
  relevance: relevanceBench,
  "ablate-heads": ablateBench,
  "inside-page": insidePage,
};

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  await startBackend();
  const { json, text } = await benches[options.name](options);
  console.log(text);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(json, null, 2)}\n`);
}

const args = process.argv.slice(2);
if (args.length === 0 || args.includes("--help")) console.log(usage);
else {
  main(args).catch((error: unknown) => {
    console.error(error instanceof LuvitError ? error.message : error);
    process.exit(1);
  });
}
