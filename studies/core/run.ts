import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { LuvitError } from "../../src/core/errors";
import { makeFolder } from "../../src/core/makeFolder";
import { writeJsonAtomically } from "../../src/core/writeAtomically";
import { RunLock } from "../../src/io/runs";
import { type Measure, Stopped, type Study, type StudySize, type Trial } from "./study";

/** A trial's measures, as they lie on disk. */
export interface Done {
  trial: string;
  seed: number;
  size: StudySize;
  commit: string;
  machine: string;
  /** Of the session that ended it. */
  seconds?: number;
  measures: Measure[];
}

/** What a study is run with. */
export interface RunOptions {
  size: StudySize;
  /** Holds a file per finished trial, and the folders of runs. */
  out: string;
  commit: string;
  machine: string;
  /** One trial and what it needs; default all. */
  only?: string;
  print(line: string): void;
}

/** How often a process that has nothing to do looks for what others have finished. */
const LOOK_MS = 1000;
/** Folder of the locks of trials that are being run. */
const CLAIMS = "claims";

/**
 * Runs every trial of a study that is not done yet, and gives back all of them; undefined after a stop. A killed study
 * goes on where it was: finished trials are read, an unfinished one resumes its run. Several processes may work on one
 * `out`: each takes trials that nobody else has, and waits for the others at the end.
 *
 * @throws LuvitError("bad-argument") for an `out` that holds trials of another size, or a trial that the study does not have.
 */
export async function runStudy(study: Study, options: RunOptions): Promise<Done[] | undefined> {
  const { out, size, print } = options;
  makeFolder(out);
  const trials = chosen(study, options);
  const done = new Map<string, Done>();
  let waiting = false;
  for (;;) {
    for (const { name } of trials) {
      const known = done.has(name) ? undefined : readDone(join(out, `${name}.json`), size);
      if (known) done.set(name, known);
    }
    const open = trials.filter(({ name }) => !done.has(name));
    if (open.length === 0) return trials.map(({ name }) => done.get(name)!);
    const ready = open.filter(({ needs = [] }) => needs.every((name) => done.has(name)));
    const claim = firstClaim(ready, out);
    if (!claim) {
      if (!waiting) print(`waiting for ${open.length} that other processes run`);
      waiting = true;
      await wait(LOOK_MS);
      continue;
    }
    waiting = false;
    try {
      if (existsSync(join(out, `${claim.trial.name}.json`))) continue;
      print(`${trials.length - open.length + 1}/${trials.length} ${claim.trial.name}`);
      const made = await runTrial(claim.trial, options);
      print(`    ${made.seconds} s`);
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      print("stopped; the same command goes on");
      return undefined;
    } finally {
      claim.release();
    }
  }
}

/** Those trials of a study that are done, in its order; runs none. */
export function finished(study: Study, { out, size }: Pick<RunOptions, "out" | "size">): Done[] {
  return study.trials(size).flatMap(({ name }) => readDone(join(out, `${name}.json`), size) ?? []);
}

async function runTrial(trial: Trial, { out, size, commit, machine }: RunOptions): Promise<Done> {
  const started = performance.now();
  const measures = await trial.run(join(out, trial.name));
  const seconds = Math.round((performance.now() - started) / 1000);
  const made: Done = { trial: trial.name, seed: trial.seed, size, commit, machine, seconds, measures };
  await writeJsonAtomically(join(out, `${trial.name}.json`), made as unknown as Record<string, never>);
  return made;
}

/** All trials, or the one asked for behind those that it needs. */
function chosen(study: Study, { size, only }: RunOptions): Trial[] {
  const all = study.trials(size);
  if (only === undefined) return all;
  const byName = new Map(all.map((trial) => [trial.name, trial]));
  const wanted = new Set<Trial>();
  const want = (name: string) => {
    const trial = byName.get(name);
    if (!trial)
      throw new LuvitError(
        "bad-argument",
        `${study.name} has no trial ${name}; it has ${[...byName.keys()].join(", ")}`,
      );
    for (const needed of trial.needs ?? []) want(needed);
    wanted.add(trial);
  };
  want(only);
  return [...wanted];
}

/** The first of these trials that no other process has. */
function firstClaim(trials: readonly Trial[], out: string): { trial: Trial; release(): void } | undefined {
  for (const trial of trials) {
    const folder = join(out, CLAIMS, trial.name);
    makeFolder(folder);
    const lock = RunLock.take(folder);
    if (lock instanceof RunLock) return { trial, release: () => lock.release() };
  }
  return undefined;
}

function readDone(file: string, size: StudySize): Done | undefined {
  if (!existsSync(file)) return undefined;
  const found = JSON.parse(readFileSync(file, "utf8")) as Done;
  if (found.size.epochs === size.epochs) return found;
  const message = `${file}: of ${found.size.epochs} epochs, asked for are ${size.epochs}; give another --out`;
  throw new LuvitError("bad-argument", message);
}
