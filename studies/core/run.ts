import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LuvitError } from "../../src/core/errors";
import { makeFolder } from "../../src/core/makeFolder";
import { writeJsonAtomically } from "../../src/core/writeAtomically";
import { type Measure, Stopped, type Study, type StudySize } from "./study";

/** A trial's measures, as they lie on disk. */
export interface Done {
  trial: string;
  seed: number;
  size: StudySize;
  commit: string;
  machine: string;
  measures: Measure[];
}

/** What a study is run with. */
export interface RunOptions {
  size: StudySize;
  /** Holds a file per finished trial, and the folders of runs. */
  out: string;
  commit: string;
  machine: string;
  print(line: string): void;
}

/**
 * Runs every trial of a study that is not done yet, and gives back all of them; undefined after a stop. A killed study
 * goes on where it was: finished trials are read, an unfinished one resumes its run.
 *
 * @throws LuvitError("bad-argument") for an `out` that holds trials of another size.
 */
export async function runStudy(study: Study, options: RunOptions): Promise<Done[] | undefined> {
  const { out, size, print } = options;
  makeFolder(out);
  const done: Done[] = [];
  const trials = study.trials(size);
  for (const [i, trial] of trials.entries()) {
    const file = join(out, `${trial.name}.json`);
    const known = readDone(file, size);
    if (known) {
      done.push(known);
      continue;
    }
    const started = performance.now();
    print(`${i + 1}/${trials.length} ${trial.name}`);
    try {
      const measures = await trial.run(join(out, trial.name));
      const { commit, machine } = options;
      const made: Done = { trial: trial.name, seed: trial.seed, size, commit, machine, measures };
      await writeJsonAtomically(file, made as unknown as Record<string, never>);
      done.push(made);
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
      print("stopped; the same command goes on");
      return undefined;
    }
    print(`    ${((performance.now() - started) / 1000).toFixed(0)} s`);
  }
  return done;
}

function readDone(file: string, size: StudySize): Done | undefined {
  if (!existsSync(file)) return undefined;
  const found = JSON.parse(readFileSync(file, "utf8")) as Done;
  if (found.size.epochs === size.epochs) return found;
  const message = `${file}: of ${found.size.epochs} epochs, asked for are ${size.epochs}; give another --out`;
  throw new LuvitError("bad-argument", message);
}
