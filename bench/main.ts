import { writeFileSync } from "node:fs";
import { LuvitError } from "../src/core/errors";
import { startBackend } from "../src/core/tf";
import { type BenchOptions, parseOptions, usage } from "./core/options";
import { stepText } from "./core/print";
import { runStepBench, type StepBench } from "./core/stepBench";
import { entropy } from "./entropy";
import { finetuneStep } from "./finetuneStep";
import { pretrainStep } from "./pretrainStep";

const stepBenches: Partial<Record<BenchOptions["name"], StepBench>> = {
  "pretrain-step": pretrainStep,
  "finetune-step": finetuneStep,
  entropy,
};

async function main(args: readonly string[]): Promise<void> {
  const options = parseOptions(args);
  await startBackend();
  const bench = stepBenches[options.name]!;
  const result = await runStepBench(options, bench);
  console.log(stepText(result));
  if (options.json) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
}

const args = process.argv.slice(2);
if (args.length === 0 || args.includes("--help")) console.log(usage);
else {
  main(args).catch((error: unknown) => {
    console.error(error instanceof LuvitError ? error.message : error);
    process.exit(1);
  });
}
