import { mkdirSync, readdirSync, rmdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { LuvitError } from "../core/errors";
import { makeFolder } from "../core/makeFolder";
import { writeFailure } from "../core/writeAtomically";
import { LOCK_FILE, type LockHolder, RunLock } from "../io/runs";
import type { TrainOptions } from "./plan";

/** Folders that runs of this process write to now. */
const inUse = new Map<string, RunLock>();
/** Those of them that were made for the run. */
const made = new Set<string>();
/** Folders that the disk refused, until their runs have said so. */
const refused = new Map<string, LuvitError>();

/**
 * The folder a run writes to: `out` itself if new or resumed, else `out-2`, `out-3`, …, so that nothing is overwritten.
 * It belongs to the run, whatever other processes want, until `releaseRunFolder`.
 *
 * @throws LuvitError("bad-argument") when there is nothing to resume from, or a run still writes there. What the disk
 * refuses is for the run to say: `expectClaimed`.
 */
export function claimRunFolder(name: string, { out, resume }: TrainOptions): string | undefined {
  if (resume && !out) {
    throw new LuvitError("bad-argument", "resume: true needs `out`, the folder of the run to go on with");
  }
  if (out === false) return undefined;
  const time = new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
  const wanted = out ?? join("runs", `${name}-${time}`);
  try {
    return resume ? claimForResume(wanted) : claimFirstFree(wanted);
  } catch (error) {
    if (!(error instanceof LuvitError) || error.code !== "bad-file") throw error;
    refused.set(resolve(wanted), error);
    return wanted;
  }
}

/** @throws LuvitError("bad-file") when the disk had refused the folder. */
export function expectClaimed(folder: string): void {
  const failure = refused.get(resolve(folder));
  refused.delete(resolve(folder));
  if (failure) throw failure;
}

/** Lets other runs have the folder; one that was made for a run which wrote nothing goes. */
export function releaseRunFolder(folder: string | undefined): void {
  if (folder === undefined) return;
  inUse.get(resolve(folder))?.release();
  inUse.delete(resolve(folder));
  if (!made.delete(resolve(folder))) return;
  try {
    rmdirSync(folder);
  } catch {
    // what is in it stays
  }
}

function claimForResume(folder: string): string {
  makeAll(folder);
  const holder = lock(folder);
  if (!holder) return folder;
  const who = holder.pid === process.pid ? "await its stop() before resuming it" : describe(folder, holder);
  throw new LuvitError("bad-argument", `${folder}: a run still writes there; ${who}`);
}

function describe(folder: string, { pid, host, since }: LockHolder): string {
  const rest = `if that process is no run, delete ${join(folder, LOCK_FILE)}`;
  return `process ${pid} on ${host}, since ${since}; stop it before resuming, or, ${rest}`;
}

/** Made exclusively, or found empty and locked: two processes that want the same folder get two. */
function claimFirstFree(wanted: string): string {
  makeAll(dirname(wanted));
  for (let number = 1; ; number++) {
    const folder = number === 1 ? wanted : `${wanted}-${number}`;
    const isNew = make(folder);
    if (!isNew && !isEmpty(folder)) continue;
    if (lock(folder)) continue;
    if (isNew) made.add(resolve(folder));
    if (isEmpty(folder)) return folder;
    releaseRunFolder(folder); // another run came and went between the two looks
  }
}

/** Whether the folder was made; false where something of its name is there. */
function make(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw writeFailure(folder, cause);
  }
}

function makeAll(folder: string): void {
  try {
    makeFolder(folder);
  } catch (cause) {
    throw writeFailure(folder, cause);
  }
}

function isEmpty(folder: string): boolean {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return false;
  return readdirSync(folder).every((name) => name.startsWith(LOCK_FILE));
}

/** Takes the lock for this process; who has it otherwise. */
function lock(folder: string): LockHolder | undefined {
  const taken = RunLock.take(folder);
  if (!(taken instanceof RunLock)) return taken;
  inUse.set(resolve(folder), taken);
  return undefined;
}
