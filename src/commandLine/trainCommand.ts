import { relative } from "node:path";
import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import { type ImageDataset, transforms } from "../data";
import { placeIn } from "../distributed/place";
import { type EngineOptions, ready } from "../engine";
import { formatDuration } from "../figures/format";
import type { Classifier } from "../models/classifier";
import type { MaskedAutoencoder } from "../models/mae";
import type { Module } from "../nn/module";
import { live } from "../notebook";
import { distill, distillOptions } from "../train/distill";
import { finetune, finetuneOptions } from "../train/finetune";
import { type RecipeNotes, type TrainOptions, trainOptions } from "../train/plan";

import { pretrain } from "../train/pretrain";
import {
  distillLuvit,
  distillToy,
  finetuneLuvit,
  finetuneMae,
  finetuneToy,
  pretrainMae,
  pretrainMae1600,
  pretrainToy,
  supervised,
} from "../train/recipes";
import type { Run } from "../train/run";
import { entriesOf } from "./folders";
import { imagesFrom } from "./images";
import { encoderOf, maeFrom, shapeOf, trainedFrom, tunedFrom } from "./models";
import { type RunRequest, wordsOf } from "./request";
import { loadConfig } from "./runConfig";
import { Stopping } from "./signals";

const pretrainRecipes = { pretrainMae, pretrainMae1600, pretrainToy };
const distillRecipes = { distillLuvit, distillToy };
const finetuneRecipes = { finetuneLuvit, finetuneMae, supervised, finetuneToy };

/** A run that a configuration describes and that has not begun. */
export interface PreparedRun<M extends Module> {
  readonly model: M;
  /** The sets that are read. */
  readonly sets: readonly ImageDataset[];
  readonly options: TrainOptions;
  /** Begins it, with some options in the place of its own. */
  start(changed?: Partial<TrainOptions>): Run<M>;
}

/** `luvit pretrain`: exit status. */
export async function pretrainCommand(request: RunRequest): Promise<number> {
  const { sets, start } = await preparePretrain(request);
  return drive(request, "pretrain", sets, () => start());
}

export async function preparePretrain(request: RunRequest): Promise<PreparedRun<MaskedAutoencoder>> {
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
  const images = await imagesFrom(config.data.train, transforms.mae(size), "train", path);
  const named = { ...config.model, seed: request.seed ?? config.model.seed };
  const model = await maeFrom(named, path, request.print);
  announce(request, model, recipe.recipe);
  const start = (changed = {}) => pretrain(model, images, { ...options, ...changed });
  return { model, sets: [images], options, start };
}

/** `luvit finetune`: exit status. */
export async function finetuneCommand(request: RunRequest): Promise<number> {
  const { sets, start } = await prepareFinetune(request);
  return drive(request, "finetune", sets, () => start());
}

export async function prepareFinetune(request: RunRequest): Promise<PreparedRun<Classifier>> {
  const { config, path } = loadConfig("finetune", request.file);
  const out = freeFolder(request, path(config.out));
  const recipe = finetuneRecipes[config.recipe];
  const seed = request.seed ?? config.options?.seed;
  const common = { out, resume: request.resume, seed };
  const settled = { ...recipe, ...given(config.options), ...config.engine, ...common };
  checkOptions(`${request.file}: options`, finetuneOptions, settled);
  await startEngine(request, config.engine);
  const { imageSize: size } = await shapeOf(config.model, path);
  const images = await imagesFrom(config.data.train, transforms.finetune(size), "train", path);
  const { validation: held } = config.data;
  const validation = held && (await imagesFrom(held, transforms.evaluation(size), "val", path));
  const named = { ...config.model, seed: request.seed ?? config.model.seed };
  const model = await tunedFrom(named, path, images.classes.length, request.print);
  const options = { ...settled, validation };
  announce(request, model, recipe.recipe);
  const sets = validation ? [images, validation] : [images];
  const start = (changed = {}) => finetune(model, images, { ...options, ...changed });
  return { model, sets, options, start };
}

/** `luvit distill`: exit status. */
export async function distillCommand(request: RunRequest): Promise<number> {
  const { config, path } = loadConfig("distill", request.file);
  const out = freeFolder(request, path(config.out));
  const recipe = distillRecipes[config.recipe];
  const seed = request.seed ?? config.options?.seed;
  const common = { out, resume: request.resume, seed };
  const settled = { ...recipe, ...given(config.options), ...config.engine, ...common };
  checkOptions(`${request.file}: options`, distillOptions, settled);
  await startEngine(request, config.engine);
  const { imageSize: size } = await shapeOf(config.model, path);
  const images = await imagesFrom(config.data.train, transforms.finetune(size), "train", path);
  const { validation: held } = config.data;
  const validation = held && (await imagesFrom(held, transforms.evaluation(size), "val", path));
  const { model: teacher, run: past } = await trainedFrom(config.teacher, path, request.print);
  request.print(`teacher: ${teacher}${past?.recipe === undefined ? "" : `, recipe ${past.recipe}`}`);
  for (const note of past?.notes ?? []) request.print(note);
  const named = { ...config.model, seed: request.seed ?? config.model.seed };
  const model = await tunedFrom(named, path, teacher.classes, request.print);
  announce(request, model, recipe.recipe);
  const sets = validation ? [images, validation] : [images];
  return drive(request, "distill", sets, () => distill(model, teacher, images, { ...settled, validation }));
}

/** Says what runs are computed on; how they use memory is theirs alone. */
export async function startEngine(
  { print }: RunRequest,
  engine: EngineOptions & { memory?: unknown } = {},
): Promise<void> {
  const { memory: _, ...wish } = engine;
  print(String(await ready(wish)));
}

/** A rate of one's own takes the place of the recipe's, however that is written. */
export function given<T extends { lr?: number; baseLr?: number }>(options: T | undefined): Partial<T> {
  const ownRate = options?.lr !== undefined || options?.baseLr !== undefined;
  return { ...(ownRate && { lr: undefined, baseLr: undefined }), ...options } as Partial<T>;
}

/** @throws LuvitError("bad-argument") for a folder that holds something which is not to be gone on with. */
export function freeFolder({ out, resume }: RunRequest, configured: string): string {
  const folder = out ?? configured;
  if (placeIn().rank > 0) return folder; // the first worker's, and its business
  const isFree = entriesOf(folder).length === 0;
  if (resume || isFree) return folder;
  throw new LuvitError(
    "bad-argument",
    `${folder} holds something already: --resume goes on with it, --out <folder> writes elsewhere`,
  );
}

export function announce({ print }: RunRequest, model: Module, recipe: RecipeNotes): void {
  const { name, source, expected, cost, departs } = recipe;
  print(String(model));
  print(`recipe ${name} (${source}): ${cost}; expected: ${expected}`);
  if (departs) print(`  done otherwise here: ${departs}`);
}

/** Follows a run to its end or its stop. */
export async function drive<M extends Module>(
  request: RunRequest,
  command: string,
  sets: readonly ImageDataset[],
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
      if (run.out !== undefined) live(run);
      return { run, result: await run.done };
    },
  );
  const { run, result } = value;
  for (const note of run.notes) print(note);
  for (const { report } of sets) if (report.count > 0) print(String(report));
  const done = `${result.history.length} of ${run.totalSteps} steps in ${formatDuration(result.seconds)}`;
  const where = run.out === undefined ? "" : ` · ${relative(process.cwd(), run.out) || "."}`;
  print(`${result.stopped ? "stopped" : "done"}: ${done}${where}`);
  if (!result.stopped) return 0;
  print(`go on with: luvit ${command} ${wordsOf(request)} --resume`);
  return status ?? 130;
}
