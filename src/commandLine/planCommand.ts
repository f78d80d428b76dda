import { readFileSync } from "node:fs";
import { memoryUsage } from "node:process";
import { LuvitError } from "../core/errors";
import { placeIn, possibleSizes } from "../distributed/place";
import { engineMemory } from "../engine";
import { formatDuration } from "../figures/format";
import type { Module } from "../nn/module";
import type { TrainOptions } from "../train/plan";
import { costOf } from "../train/recipeCost";
import { finetuneMae, pretrainMae } from "../train/recipes";
import { partsOfSteps, planWork, type WorkPlan } from "../train/workPlan";
import { expectFile } from "./folders";
import { parseJsonWithComments } from "./jsonc";
import type { RunRequest } from "./request";
import { type PreparedRun, prepareFinetune, preparePretrain } from "./trainCommand";

/** What a plan is made for. */
export interface PlanRequest extends RunRequest {
  readonly workers: number;
  /** Gigabits per second between machines. */
  readonly network: number;
  /** How long this machine is measured for. */
  readonly seconds: number;
}

/** `luvit plan`: measures a configuration's steps here and says what a run over several workers would take. */
export async function planCommand(request: PlanRequest): Promise<number> {
  const { print, workers, network, seconds } = request;
  if (placeIn().size > 1)
    throw new LuvitError("bad-argument", "plan measures one machine alone: call it without mpirun or srun");
  const run = await prepared(request);
  const { options, model, sets } = run;
  const { accumulate = 1, batchSize, epochs, cooldownEpochs } = options;
  if (accumulate % workers !== 0)
    throw new LuvitError(
      "bad-argument",
      `plan: accumulate is ${accumulate}; ${possibleSizes(accumulate).join(", ")} workers can share that, not ${workers}`,
    );
  const { steps } = costOf({ epochs, cooldownEpochs, batchSize, accumulate }, sets[0].length);
  print(`measuring for ${Math.round(seconds)} s: steps of one batch, then of two`);
  const one = await medianStep(run, 1, seconds / 2);
  const two = await medianStep(run, 2, seconds / 2);
  const memory = memoryUsage.rss() + engineMemory();
  const parts = partsOfSteps(one, two);
  const trained = model.counts().trainable;
  const bytesPerNumber = options.sums === "bfloat16" ? 2 : 4;
  const common = { accumulate, totalSteps: steps, trained, bytesPerNumber, ...parts };
  const plan = planWork({ ...common, workers, networkRate: (network * 1e9) / 8 });
  const images = batchSize * accumulate;
  print(`${steps} steps of ${images} images (${(steps * images).toLocaleString("en")} in all)`);
  print(
    `each of ${workers} workers: ${plan.batches} of ${accumulate} batches a step, ` +
      `${(plan.bytes / 1e6).toFixed(0)} MB sent and as many received a step, ${(memory / 2 ** 30).toFixed(1)} GiB of memory`,
  );
  print(
    `measured here: ${parts.batchSeconds.toFixed(2)} s a batch of ${batchSize}, ${parts.updateSeconds.toFixed(2)} s a step beside them`,
  );
  print(`expected: ${stepText(plan)}; the run ${formatDuration(plan.total)}`);
  print(
    `limited by ${LIMITS[plan.limit]}; ${(100 * plan.efficiency).toFixed(0)} % of ${workers} times one worker`,
  );
  print(
    "an estimate from one machine: that the others are like it, and that the network gives what was said, is assumed",
  );
  return 0;
}

const LIMITS: Readonly<Record<WorkPlan["limit"], string>> = {
  batches: "computing: more workers, up to accumulate, make it faster",
  update: "AdamW, which every worker does: a larger step has fewer of them",
  sum: 'the network: a larger step, "sums": "bfloat16" or a faster network make it less',
};

function stepText({ seconds, step }: WorkPlan): string {
  const parts = `${step.batches.toFixed(2)} batches, ${step.update.toFixed(2)} AdamW, ${step.sum.toFixed(2)} sum`;
  return `${seconds.toFixed(2)} s a step (${parts})`;
}

/** The run of a configuration of `luvit pretrain` or `luvit finetune`, told apart by its recipe. */
async function prepared(request: RunRequest): Promise<PreparedRun<Module>> {
  expectFile(request.file, "the configuration");
  const config = parseJsonWithComments(request.file, readFileSync(request.file, "utf8"));
  const { recipe } = (config ?? {}) as { recipe?: unknown };
  const name = String(recipe ?? "");
  if (name.startsWith("pretrain")) return preparePretrain(request);
  if (name.startsWith("finetune") || name === "supervised") return prepareFinetune(request);
  throw new LuvitError(
    "bad-argument",
    `${request.file}: plan takes configurations of pretrain and finetune, whose recipe is ${pretrainMae.recipe.name}, ` +
      `${finetuneMae.recipe.name} or the like, not ${JSON.stringify(recipe)}`,
  );
}

/** Seconds of a step, the first two left out: in those an engine gets ready. */
async function medianStep(run: PreparedRun<Module>, accumulate: number, seconds: number): Promise<number> {
  const changed: Partial<TrainOptions> = { accumulate, epochs: 10_000, out: false, resume: false };
  const going = run.start(changed);
  const times: number[] = [];
  let last = performance.now();
  const end = last + 1000 * seconds;
  going.onRecord(() => {
    const now = performance.now();
    times.push((now - last) / 1000);
    last = now;
    if (now > end && times.length > 3) void going.stop();
  });
  await going.done;
  const settled = times.slice(2).sort((a, b) => a - b);
  return settled[Math.floor(settled.length / 2)];
}
