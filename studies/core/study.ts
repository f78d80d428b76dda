import type { Table } from "apache-arrow";

/** One number of a study. */
export interface Measure {
  /** What was trained: "student". */
  variant: string;
  /** What was measured, with its unit: "top-1 (%)". */
  metric: string;
  /** Where in the model; absent for the whole. */
  layer?: string;
  value: number;
}

/** A piece of a study that is done or not: something trained from one seed and measured. */
export interface Trial {
  /** Also a file's and a folder's name: "student-3". */
  name: string;
  seed: number;
  /** Trials of the study that have to be done before. */
  needs?: readonly string[];
  /**
   * Trains in `folder`, going on with what is there, and measures.
   *
   * @throws Stopped where a stop ended it early.
   */
  run(folder: string): Promise<Measure[]>;
}

/** What a command line says of a study's size. */
export interface StudySize {
  seeds: number;
  epochs: number;
}

/** A table of comparisons that one command computes. */
export interface Study {
  name: string;
  /** Its size where nothing is said. */
  size: StudySize;
  /** The variant that others are compared with, seed by seed. */
  baseline: string;
  /** In the order in which they are run: those of one seed after another, so that what is done can be looked at. */
  trials(size: StudySize): Trial[];
  /** What trials left in `out` and is kept beside the results, by the folder it is kept in: "points". */
  tables?(out: string): Promise<Record<string, Table>>;
}

/** Somebody asked for a stop; what is done is kept. */
export class Stopped extends Error {}
