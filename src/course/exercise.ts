import type { Rng } from "../core/rng";

/** An answer that is given often and is wrong, and what to say to it. */
export interface Mistake {
  readonly answer: unknown;
  readonly hint: string;
}

interface Asked {
  /** Notebook and name: "tokens/count". */
  readonly id: string;
  /** What an answer is, in words: "a number". */
  readonly expects: string;
  /** A number, rows of numbers, or a function that gives them. */
  readonly right: unknown;
  /** At least three. */
  readonly mistakes: readonly Mistake[];
  /** What to say where no mistake is known. */
  readonly hint: string;
  /** What a right answer shows. */
  readonly praise: string;
}

/** An exercise whose answer is a number or rows of numbers. */
export interface ValueExercise extends Asked {
  readonly inputs?: undefined;
}

/** An exercise whose answer is a function, which is called with several inputs. */
export interface FunctionExercise extends Asked {
  /** Lists of arguments, drawn anew from the stream; small, so that a hint can show them. */
  inputs(rng: Rng): readonly (readonly unknown[])[];
}

export type Exercise = ValueExercise | FunctionExercise;
