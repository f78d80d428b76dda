import { join, relative } from "node:path";
import { resultTable } from "../analysis/provenance";
import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import { finetuneAugment, type ImageDataset, maeAugment } from "../data";
import { ready } from "../engine";
import { formatDuration } from "../figures/format";
import { writeTable } from "../io/table";
import type { Module } from "../nn/module";
import { live } from "../notebook";
import type { CompiledStepOptions } from "../train/compiledStepper";
import { finetune } from "../train/finetune";
import { finetuneOptions, trainOptions } from "../train/options";
import type { RecipeNotes, TrainOptions } from "../train/plan";
import { pretrain } from "../train/pretrain";
import {
  finetuneMae,
  finetune as finetuneRecipe,
  maePretrain,
  maePretrain1600,
  supervised,
  toyFinetune,
  toyPretrain,
} from "../train/recipes";
import type { Run, RunResult } from "../train/run";
import { entriesOf } from "./folders";
import { encoderOf, maeFrom, tunedFrom } from "./models";
import { picturesFrom } from "./pictures";
import { type RunRequest, wordsOf } from "./request";
import { loadConfig } from "./runConfig";
import { Stopping } from "./signals";

const pretrainRecipes = { maePretrain, maePretrain1600, toyPretrain };
const finetuneRecipes = { finetune: finetuneRecipe, finetuneMae, supervised, toyFinetune };

/** `luvit pretrain`: exit status. */
export async function pretrainCommand(request: RunRequest): Promise<number> {
  const { config, path } = loadConfig("pretrain", request.file);
  const out = freeFolder(request, path(config.out));
  const recipe = pretrainRecipes[config.recipe];
  const seed = request.seed ?? config.options?.seed;
  const options = {
    ...recipe,
    ...given(config.options),
    ...config.engine,
    seed,
    out,
    resume: request.resume,
  };
  checkOptions(`${request.file}: options`, trainOptions, options);
  await startEngine(request, config.engine);
  const { imageSize: size } = encoderOf(config.model.encoder);
  // Before the model: a folder that is not there is said at once, not after a language model was loaded.
  const pictures = await picturesFrom(config.data.train, size, maeAugment, path);
  const model = await maeFrom({ ...config.model, seed: request.seed ?? config.model.seed }, path);
  announce(request, model, recipe.recipe);
  return drive(request, "pretrain", [pictures], options, () => pretrain(model, pictures, options));
}

/** `luvit finetune`: exit status. */
export async function finetuneCommand(request: RunRequest): Promise<number> {
  const { config, path } = loadConfig("finetune", request.file);
  const out = freeFolder(request, path(config.out));
  const recipe = finetuneRecipes[config.recipe];
  const seed = request.seed ?? config.options?.seed;
  const common = { out, resume: request.resume, seed };
  const settled = { ...recipe, ...given(config.options), ...config.engine, ...common };
  checkOptions(`${request.file}: options`, finetuneOptions, settled);
  await startEngine(request, config.engine);
  const { imageSize: size } = encoderOf(config.model.encoder);
  const pictures = await picturesFrom(config.data.train, size, finetuneAugment, path);
  const { validation: held } = config.data;
  const validation = held && (await picturesFrom(held, size, undefined, path));
  const model = await tunedFrom({ ...config.model, seed: request.seed ?? config.model.seed }, path);
  const options = { ...settled, validation };
  announce(request, model, recipe.recipe);
  const sets = validation ? [pictures, validation] : [pictures];
  return drive(request, "finetune", sets, options, () => finetune(model, pictures, options));
}

/** Says what runs are computed on; how they use memory is theirs alone. */
async function startEngine({ print }: RunRequest, engine: CompiledStepOptions = {}): Promise<void> {
  const { memory: _, ...wish } = engine;
  print(String(await ready(wish)));
}

/** A rate of one's own takes the place of the recipe's, however that is written. */
function given<T extends { lr?: number; baseLr?: number }>(options: T | undefined): Partial<T> {
  if (options?.baseLr !== undefined) return { lr: undefined, ...options };
  return options ?? {};
}

/** @throws LuvitError("bad-argument") for a folder that holds something which is not to be gone on with. */
function freeFolder({ out, resume }: RunRequest, configured: string): string {
  const folder = out ?? configured;
  const isFree = entriesOf(folder).length === 0;
  if (resume || isFree) return folder;
  throw new LuvitError(
    "bad-argument",
    `${folder} holds something already: --resume goes on with it, --out <folder> writes elsewhere`,
  );
}

function announce({ print }: RunRequest, model: Module, recipe: RecipeNotes): void {
  const { name, source, expected, cost, departs } = recipe;
  print(String(model));
  print(`recipe ${name} (${source}): ${cost}; expected: ${expected}`);
  if (departs) print(`  done otherwise here: ${departs}`);
}

/** Follows a run to its end or its stop, and writes its metrics as a table. */
async function drive<M extends Module>(
  request: RunRequest,
  command: string,
  sets: readonly ImageDataset[],
  options: TrainOptions,
  start: () => Run<M>,
): Promise<number> {
  const { print } = request;
  let stop = () => {};
  const { value, status } = await Stopping.around(
    "step",
    () => stop(),
    async () => {
      const run = start();
      stop = () => void run.stop();
      live(run);
      return { run, result: await run.done };
    },
  );
  const { run, result } = value;
  for (const note of run.notes) print(note);
  for (const { report } of sets) if (report.count > 0) print(String(report));
  await writeMetrics(run, result, options);
  const done = `${result.history.length} of ${run.totalSteps} steps in ${formatDuration(result.seconds)}`;
  print(`${result.stopped ? "stopped" : "done"}: ${done} · ${relative(process.cwd(), run.out!) || "."}`);
  if (!result.stopped) return 0;
  print(`go on with: luvit ${command} ${wordsOf(request)} --resume`);
  return status ?? 130;
}

/** `metrics.arrow`: a row per step, every metric a column (null where a step has none), and the provenance. */
async function writeMetrics<M extends Module>(
  run: Run<M>,
  { model, history }: RunResult<M>,
  { recipe, seed = 0 }: TrainOptions,
): Promise<void> {
  const names = [...new Set(history.flatMap((record) => Object.keys(record)))];
  const columns = names.map((name) => [name, history.map((record) => record[name] ?? null)]);
  const provenance = { model: model.toString(), recipe: recipe?.name, seed };
  await writeTable(join(run.out!, "metrics.arrow"), resultTable(Object.fromEntries(columns), provenance));
}
