import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { LuvitError, listOffenders } from "../../core/errors";
import type { StateDict, TensorStream } from "../../core/hostTensor";
import { makeFolder } from "../../core/makeFolder";
import { checkOptions, path } from "../../core/options";
import { isRunning } from "../../core/processes";

import { syncFolder, writeFailure, writeJsonAtomically } from "../../core/writeAtomically";
import { type JsonObject, readJsonObject } from "../bytes";
import {
  type KeptWeights,
  keepWeights,
  MODEL_FILE,
  readConfig,
  writeSavedModel,
  writeWeights,
} from "../checkpoint";

/** Everything needed to go on training at a step. */
export interface TrainingState<Tensors> {
  readonly model: Tensors;
  readonly optimizer: Tensors;
  /** What the model is; absent where it cannot say. */
  readonly config?: JsonObject;
  /** Moving average of the weights, with all that `model` has, where the run keeps one. */
  readonly average?: Tensors;
  /** What is trained beside the model and is no part of it, such as a map to a teacher's width; where there is such. */
  readonly helpers?: Tensors;
  /** Loop position, random state: anything JSON can hold. */
  readonly state: JsonObject;
}

/**
 * A training state that was saved. Its tensors stay on disk until their numbers are asked for, also when the folder is
 * deleted in the meantime.
 */
export interface TrainingCheckpoint extends TrainingState<StateDict> {
  readonly folder: string;
  readonly step: number;
  /** Closes its files: what was not read by then can no longer be. They close by themselves when nobody needs them. */
  close(): Promise<void>;
}

/** The newest checkpoint that can be read, and why newer ones could not. */
export interface LatestCheckpoint extends TrainingCheckpoint {
  readonly notes: readonly string[];
}

/** A checkpoint folder, not yet read. */
export interface CheckpointFolder {
  readonly step: number;
  readonly folder: string;
}

const OPTIMIZER = "optimizer.safetensors";
const AVERAGE = "average.safetensors";
const HELPERS = "helpers.safetensors";
const STATE = "state.json";
const FINISHED = /^checkpoint-(\d{6,})$/;
/** A finished checkpoint that had stepped aside for a new one of its step when its process ended. */
const ASIDE = /^checkpoint-(\d{6,})\.old\.tmp-\d+$/;
const TEMPORARY = /^(?:checkpoint-\d{6,}|metrics\.jsonl)(?:\.old|\.gone)?\.tmp-(\d+)(?:-\d+)?$/;

/** What this process is writing now. A temporary of its number that is not here is of an earlier process. */
const writing = new Set<string>();

/**
 * Writes `<runFolder>/checkpoint-000100/` with model.safetensors, optimizer.safetensors, state.json and, where there are
 * such, config.json, average.safetensors and helpers.safetensors. The folder gets its name only when all of them are on disk, so a crash leaves
 * the whole checkpoint or none. An existing checkpoint of the same step is replaced. Returns the folder.
 *
 * @throws LuvitError("bad-file") when the disk refuses.
 */
export async function writeTrainingCheckpoint(
  runFolder: string,
  step: number,
  { model, optimizer, average, helpers, config, state }: TrainingState<TensorStream>,
): Promise<string> {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new LuvitError("bad-argument", `a checkpoint needs a whole step number, got ${step}`);
  }
  const folder = join(runFolder, `checkpoint-${String(step).padStart(6, "0")}`);
  const temporary = `${folder}.tmp-${process.pid}`;
  writing.add(resolve(temporary));
  try {
    await rm(temporary, { recursive: true, force: true });
    makeFolder(runFolder);
    await mkdir(temporary);
    if (config) await writeSavedModel(temporary, { config, tensors: model });
    else await writeWeights(join(temporary, MODEL_FILE), model);
    await writeWeights(join(temporary, OPTIMIZER), optimizer);
    if (average) await writeWeights(join(temporary, AVERAGE), average, config);
    if (helpers) await writeWeights(join(temporary, HELPERS), helpers);
    await writeJsonAtomically(join(temporary, STATE), state);
    await moveIntoPlace(temporary, folder);
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw writeFailure(folder, cause);
  } finally {
    writing.delete(resolve(temporary));
  }
  return folder;
}

/**
 * Opens one checkpoint folder: its files are looked at, its tensors read when they are needed.
 *
 * @throws LuvitError("missing-file" | "bad-file" | "key-mismatch"): "missing-file" or "bad-file" naming the file at
 * fault, "key-mismatch" where its config is not that of its weights.
 */
export async function readTrainingCheckpoint(folder: string): Promise<TrainingCheckpoint> {
  checkOptions("readTrainingCheckpoint", path, folder);
  const { value: state } = await readJsonObject(join(folder, STATE));
  const config = await readConfig(folder);
  const files: KeptWeights[] = [];
  const close = async () => {
    for (const file of files) await file.close();
  };
  const keep = async (name: string, belongsTo?: JsonObject) => {
    const file = await keepWeights(join(folder, name), belongsTo);
    files.push(file);
    return file.tensors;
  };
  try {
    const model = await keep(MODEL_FILE, config);
    const optimizer = await keep(OPTIMIZER);
    const average = existsSync(join(folder, AVERAGE)) ? await keep(AVERAGE, config) : undefined;
    const helpers = existsSync(join(folder, HELPERS)) ? await keep(HELPERS) : undefined;
    const step = Number(/checkpoint-(\d+)(?:\.old\.tmp-\d+)?$/.exec(resolve(folder))?.[1] ?? Number.NaN);
    return {
      folder,
      step,
      model,
      optimizer,
      ...(average && { average }),
      ...(helpers && { helpers }),
      ...(config && { config }),
      state,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * The finished checkpoints of a run, oldest first; none when the folder does not exist. Reads no tensors. One that was
 * being replaced when its process ended counts as long as its successor is not in place.
 */
export async function listTrainingCheckpoints(runFolder: string): Promise<CheckpointFolder[]> {
  const names = await namesIn(runFolder);
  const found = new Map<number, CheckpointFolder>();
  for (const pattern of [ASIDE, FINISHED]) {
    for (const name of names) {
      const step = Number(pattern.exec(name)?.[1] ?? Number.NaN);
      if (!Number.isNaN(step)) found.set(step, { step, folder: join(runFolder, name) });
    }
  }
  return [...found.values()].sort((a, b) => a.step - b.step);
}

/**
 * Reads the newest checkpoint; when it is damaged or incomplete, the one before, and says why in `notes`. Undefined when
 * the run has none.
 *
 * @throws LuvitError("bad-file") when there are some and none can be read.
 */
export async function latestTrainingCheckpoint(runFolder: string): Promise<LatestCheckpoint | undefined> {
  const notes: string[] = [];
  const checkpoints = await listTrainingCheckpoints(runFolder);
  for (const { folder } of checkpoints.reverse()) {
    try {
      return { ...(await readTrainingCheckpoint(folder)), notes };
    } catch (error) {
      if (!(error instanceof LuvitError)) throw error;
      notes.push(`skipped ${folder}: ${error.message}`);
    }
  }
  if (notes.length === 0) return undefined;
  throw new LuvitError("bad-file", `${runFolder}: no checkpoint can be read\n${listOffenders(notes)}`);
}

/**
 * Deletes what is older than the newest `keep` checkpoints that can be read, and what crashed writers left behind. Damaged
 * checkpoints do not count, so that the newest good one is never deleted; newer ones are left for people to look at.
 * Returns the deleted folders.
 */
export async function pruneTrainingCheckpoints(runFolder: string, keep: number): Promise<string[]> {
  if (!Number.isInteger(keep) || keep < 1) {
    throw new LuvitError("bad-argument", `keep at least one checkpoint, got ${keep}`);
  }
  const checkpoints = await listTrainingCheckpoints(runFolder);
  const oldest = await oldestKept(checkpoints, keep);
  const [doomed, kept] = [true, false].map((isOld) =>
    checkpoints.filter(({ step }) => step < oldest === isOld).map(({ folder }) => folder),
  );
  for (const name of await namesIn(runFolder)) {
    const path = join(runFolder, name);
    const writer = Number(TEMPORARY.exec(name)?.[1] ?? Number.NaN);
    const isAbandoned = writer === process.pid ? !writing.has(resolve(path)) : !isRunning(writer);
    if (!Number.isNaN(writer) && isAbandoned && !kept.includes(path) && !doomed.includes(path))
      doomed.push(path);
  }
  for (const folder of doomed) await removeWhole(folder);
  return doomed;
}

/** Step of the oldest of the newest `keep` checkpoints that can be read; 0 where there are fewer. */
async function oldestKept(checkpoints: readonly CheckpointFolder[], keep: number): Promise<number> {
  let readable = 0;
  for (const { step, folder } of checkpoints.slice().reverse()) {
    if ((await isReadable(folder)) && ++readable === keep) return step;
  }
  return 0;
}

/** Whether a checkpoint is complete: its files are there, and as long as their headers say. Reads no tensors. */
async function isReadable(folder: string): Promise<boolean> {
  try {
    await (await readTrainingCheckpoint(folder)).close();
    return true;
  } catch (error) {
    if (error instanceof LuvitError) return false;
    throw error;
  }
}

/** Takes the name away before the files: a checkpoint that is half deleted is not to be taken for one. */
async function removeWhole(folder: string): Promise<void> {
  const gone = FINISHED.test(basename(folder)) ? `${folder}.gone.tmp-${process.pid}` : folder;
  if (gone !== folder) await rename(folder, gone);
  await rm(gone, { recursive: true, force: true });
}

/**
 * A folder cannot be renamed onto another, so an existing checkpoint of the same step steps aside first, and goes only
 * when its successor is on disk.
 */
async function moveIntoPlace(temporary: string, folder: string): Promise<void> {
  const replaced = `${folder}.old.tmp-${process.pid}`;
  if (existsSync(folder)) {
    await rm(replaced, { recursive: true, force: true });
    await rename(folder, replaced);
  }
  await rename(temporary, folder);
  await syncFolder(dirname(folder));
  await rm(replaced, { recursive: true, force: true });
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw new LuvitError("bad-file", `${folder}: cannot be listed (${error.message})`, { cause: error });
  });
}
