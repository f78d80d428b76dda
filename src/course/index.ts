import { LuvitError } from "../core/errors";
import { checkOptions, text } from "../core/options";
import type { Exercise } from "./exercise";
import { exercises } from "./exercises";
import { judge } from "./judge";
import type { Verdict } from "./verdict";

/** Exercises of the course in notebooks/course, and what they say about answers: `luvit.check`. */
export { Verdict, type VerdictKind } from "./verdict";

const byId: ReadonlyMap<string, Exercise> = new Map(exercises.map((exercise) => [exercise.id, exercise]));

/** Names of all exercises, in the order of the course. */
export const names: readonly string[] = [...byId.keys()];

/**
 * Judges an answer: right, nearly, or a hint. Functions are called with several small inputs; nothing is kept of an answer.
 *
 * @throws LuvitError("bad-argument") for an exercise that is not there.
 *
 * @example
 * console.log(String(luvit.check.exercise("tokens/count", 196)));
 */
export function exercise(name: string, answer: unknown): Verdict {
  checkOptions("check.exercise", text, name);
  const asked = byId.get(name);
  if (asked) return judge(asked, answer);
  throw new LuvitError(
    "bad-argument",
    `check.exercise: no exercise "${name}"; there are ${names.join(", ")}`,
  );
}
