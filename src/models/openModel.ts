import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LuvitError, listOffenders } from "../core/errors";
import type { StateDict } from "../core/hostTensor";
import { checkOptions, flag, optionsOf, path, text } from "../core/options";
import type { JsonObject } from "../io/bytes";
import { CONFIG_FILE, keepWeights, MODEL_FILE, readConfig } from "../io/checkpoint";
import {
  isRunFolder,
  latestTrainingCheckpoint,
  listTrainingCheckpoints,
  readTrainingCheckpoint,
} from "../io/runs";
import { buildModel } from "./build";
import type { Classifier } from "./classifier";
import { type ModelConfig, parseModelConfig, sharedDifferences } from "./config";
import type { Detector } from "./detector/detector";
import { readExternal } from "./external";
import { expectFrozenWeights } from "./frozenWeights";
import type { LlamaLanguageModel } from "./languageModel";
import type { Llavit } from "./llavit/llavit";
import { MaskedAutoencoder } from "./mae";
import type { SavableModel } from "./savable";
import type { Segmenter } from "./segmenter";

export interface LoadModelOptions {
  /** Where the frozen block is now, if it was only named and lies elsewhere. See `llama.loadBlock`. */
  block?: string;
}

export interface OpenModelOptions extends LoadModelOptions {
  /** Of a run: the moving average of the weights that it kept, instead of these. */
  averaged?: boolean;
}

export const openOptions = optionsOf<OpenModelOptions>({}, { block: text, averaged: flag });

/** The kinds of models that are saved, by `modelType`. */
interface Kinds {
  "luvit-classifier": Classifier;
  "luvit-detector": Detector;
  "luvit-segmenter": Segmenter;
  "luvit-mae": MaskedAutoencoder;
  "luvit-language-model": LlamaLanguageModel;
  "luvit-llavit": Llavit;
}

const loaders: Readonly<Record<keyof Kinds, string>> = {
  "luvit-classifier": "classifier",
  "luvit-detector": "detector",
  "luvit-segmenter": "segmenter",
  "luvit-mae": "mae",
  "luvit-language-model": "llama",
  "luvit-llavit": "llavit",
};

/** Reads what `save` wrote. See `loadClassifierFolder`. */
export async function loadModel<Kind extends keyof Kinds>(
  kind: Kind,
  folder: string,
  options: LoadModelOptions = {},
): Promise<Kinds[Kind]> {
  checkOptions("load", path, folder);
  const config = await readConfig(folder);
  if (!config) throw nothingSaved(kind, folder);
  // The config alone says of what kind the model is; its weights may be large.
  expectKind(kind, parseModelConfig(join(folder, CONFIG_FILE), config), folder);
  const { tensors } = await keepWeights(join(folder, MODEL_FILE), config);
  return modelFrom(kind, { folder, config, tensors }, options);
}

/** The model of a folder that `save` wrote, or of a run's folder: that of its newest checkpoint. */
export async function openModel<Kind extends keyof Kinds>(
  kind: Kind,
  path: string,
  given: OpenModelOptions = {},
): Promise<Kinds[Kind]> {
  checkOptions("open", openOptions, given);
  const { averaged = false, ...options } = given;
  if (!isRunFolder(path)) {
    if (!averaged) return loadModel(kind, path, options);
    throw new LuvitError("bad-argument", `${path}: is no run's folder, which alone holds averaged weights`);
  }
  const isCheckpoint = existsSync(join(path, "state.json"));
  const found = isCheckpoint ? await readTrainingCheckpoint(path) : await latestTrainingCheckpoint(path);
  if (!found) throw new LuvitError("missing-file", `${path}: the run there has not saved a checkpoint yet`);
  const { folder, config, model } = found;
  if (!config) {
    const advice = "build the model and put the weights into it with train.loadRunWeights";
    throw new LuvitError(
      "bad-file",
      `${folder}: an earlier version did not note what its model is; ${advice}`,
    );
  }
  const tensors = averaged ? found.average : model;
  if (!tensors) {
    throw new LuvitError(
      "missing-file",
      `${folder}: no averaged weights; the run was started without emaDecay`,
    );
  }
  return modelFrom(kind, { folder, config, tensors }, options);
}

/** Whether a path is a run's folder, or one that `save` wrote; those of others have no, or another, config. */
export async function isSavedFolder(path: string): Promise<boolean> {
  if (isRunFolder(path)) return true;
  const config = await readConfig(path).catch(() => undefined);
  return String(config?.modelType).startsWith("luvit-");
}

/** What the model of such a folder is, its weights not read; undefined where nothing says it. */
export async function configOf(path: string): Promise<ModelConfig | undefined> {
  if (!(await isSavedFolder(path))) return undefined;
  const checkpoints = await listTrainingCheckpoints(path);
  for (const folder of [...checkpoints.map((one) => one.folder), path].reverse()) {
    const config = await readConfig(folder).catch(() => undefined);
    if (config) return parseModelConfig(join(folder, CONFIG_FILE), config);
  }
  return undefined;
}

/**
 * Compares a model with what is said beside weights that are to be loaded into it; nothing where nothing is said.
 * @throws LuvitError("key-mismatch") listing what the two compute otherwise, which no shape may show.
 */
export async function expectSameParts(path: string, model: SavableModel): Promise<void> {
  const saved = await configOf(basename(path) === MODEL_FILE ? dirname(path) : path);
  const changed = saved ? sharedDifferences(saved, model.describe()) : [];
  if (changed.length === 0) return;
  throw new LuvitError(
    "key-mismatch",
    `${path}: the weights there are of a model that computes otherwise\n${listOffenders(changed)}`,
  );
}

/** What a model is made from. */
interface Source {
  readonly folder: string;
  readonly config: JsonObject;
  readonly tensors: StateDict;
}

async function modelFrom<Kind extends keyof Kinds>(
  kind: Kind,
  { folder, config: value, tensors }: Source,
  options: LoadModelOptions,
): Promise<Kinds[Kind]> {
  const path = join(folder, CONFIG_FILE);
  const config = parseModelConfig(path, value);
  expectKind(kind, config, folder);
  const model = await buildModel(config, path);
  const outside = Object.keys(config.external);
  const source = join(folder, MODEL_FILE);
  // Before what lies elsewhere is read, which may be large.
  model.loadStateDict(tensors, { allowMissing: outside, source });
  if (outside.length > 0) {
    const external = await readExternal(model, config, folder, options.block);
    for (const [key, tensor] of external.tensors)
      external.parameters.get(key)!.load(tensor, external.source(key));
    await expectFrozenWeights(new Map(model.namedParameters()), config.external, folder);
  }
  model.unfreeze();
  for (const branch of config.frozen) model.freeze(branch);
  if (model instanceof MaskedAutoencoder && config.modelType === "luvit-mae")
    model.decoderIsFresh = config.decoderIsFresh;
  return model as unknown as Kinds[Kind];
}

function expectKind(kind: keyof Kinds, { modelType }: ModelConfig, folder: string): void {
  if (modelType === kind) return;
  const [is, wanted] = [modelType, kind].map((type) => type.slice("luvit-".length));
  const advice = `use ${loaders[modelType]}.load`;
  throw new LuvitError("bad-argument", `${folder}: holds a ${is}, not a ${wanted}; ${advice}`);
}

function nothingSaved(kind: keyof Kinds, folder: string): LuvitError {
  if (!existsSync(folder)) return new LuvitError("missing-file", `${folder}: there is no such folder`);
  const advice = isRunFolder(folder)
    ? `it is a run's folder: use ${loaders[kind]}.open`
    : "model.save(folder) writes one; checkpoints of others are loaded with loadCheckpoint";
  return new LuvitError("missing-file", `${folder}: no saved model, ${CONFIG_FILE} is missing; ${advice}`);
}
