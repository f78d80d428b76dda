import { describeValue } from "../core/options";
import { Rng } from "../core/rng";
import { tf } from "../core/tf";
import type { Exercise, FunctionExercise, ValueExercise } from "./exercise";
import {
  differenceInWords,
  distance,
  farthest,
  hasShapeOf,
  inWords,
  type Numbers,
  numbersOf,
} from "./numbers";
import { Verdict } from "./verdict";

/** What a function computes, relative to the largest number: single precision. */
const SAME = 1e-3;
/** What is typed by hand, each number relative to itself: rounding to three digits. */
const TYPED = 2e-3;
/** What counts as nearly the same number. */
const NEAR = 0.1;

type Answer = (...inputs: readonly unknown[]) => unknown;

/** What one call gave, beside what it should. */
interface Called {
  readonly inputs: readonly unknown[];
  readonly value: unknown;
  readonly given: Numbers | undefined;
  readonly expected: Numbers;
}

/** Judges an answer to an exercise. */
export function judge(exercise: Exercise, answer: unknown): Verdict {
  if (answer === undefined) return open(exercise);
  if (!exercise.inputs) return judgeValue(exercise, answer);
  const engine = tf.engine();
  engine.startScope(); // whatever tensors an answer makes are let go
  try {
    return judgeFunction(exercise, answer);
  } finally {
    engine.endScope();
  }
}

function open({ expects, inputs }: Exercise): Verdict {
  const reminder = inputs ? " (a body in braces needs return)" : "";
  return new Verdict("open", `not answered yet; the answer is ${expects}${reminder}`);
}

function judgeValue({ right, mistakes, hint, praise, expects }: ValueExercise, answer: unknown): Verdict {
  const given = numbersOf(answer);
  const expected = numbersOf(right)!;
  if (!given || !hasShapeOf(given, expected) || given.values.some(Number.isNaN))
    return new Verdict("no", `expected ${expects}, got ${given ? inWords(given) : describeValue(answer)}`);
  const isCounted = expected.values.every(Number.isInteger);
  const most = isCounted ? 0 : TYPED;
  if (farthest(given, expected) <= most) return new Verdict("right", praise);
  const known = mistakes.find((mistake) => farthest(given, numbersOf(mistake.answer)!) <= most);
  if (known) return new Verdict("no", known.hint);
  if (farthest(given, expected) > NEAR) return new Verdict("no", hint);
  return new Verdict("nearly", `${isCounted ? "close, but a count is exact." : "close."} ${hint}`);
}

function judgeFunction(exercise: FunctionExercise, answer: unknown): Verdict {
  if (typeof answer !== "function")
    return new Verdict("no", `expected ${exercise.expects}, got ${describeValue(answer)}`);
  const draw = () => exercise.inputs(new Rng(0).fork("exercise", exercise.id));
  const [inputs, own] = [draw(), draw()]; // an answer may sort or fill its lists in place
  const calls: Called[] = [];
  for (const [i, one] of inputs.entries()) {
    const { value, failure } = call(answer as Answer, own[i]);
    if (failure !== undefined) return new Verdict("no", `${shown(one)} ${failure}. ${exercise.hint}`);
    if (value === undefined && i === 0) return open(exercise);
    const expected = numbersOf((exercise.right as Answer)(...one))!;
    calls.push({ inputs: one, value, given: numbersOf(value), expected });
  }
  return judgeCalls(exercise, calls);
}

function judgeCalls({ mistakes, hint, praise }: FunctionExercise, calls: readonly Called[]): Verdict {
  const wrong = calls.filter(({ given, expected }) => !given || distance(given, expected) > SAME);
  if (wrong.length === 0) return new Verdict("right", praise);
  const known = mistakes.find((mistake) => calls.every((one) => givesThe(mistake.answer as Answer, one)));
  if (known) return new Verdict("no", known.hint);
  const difference = told(wrong[0]);
  if (wrong.length === calls.length) return new Verdict("no", `${difference} ${hint}`);
  const share = `right for ${calls.length - wrong.length} of ${calls.length} inputs`;
  return new Verdict("nearly", `${share}; ${difference} ${hint}`);
}

function call(answer: Answer, inputs: readonly unknown[]): { value?: unknown; failure?: string } {
  try {
    const value = answer(...inputs);
    if (!(value instanceof Promise)) return { value };
    value.catch(() => {}); // told here
    return { failure: "it gives a Promise: leave out async and give the value itself" };
  } catch (error) {
    return { failure: `it throws "${error instanceof Error ? error.message : String(error)}"` };
  }
}

/** Whether a mistake gives what the answer gave. */
function givesThe(mistake: Answer, { inputs, given }: Called): boolean {
  const same = numbersOf(mistake(...inputs));
  return given !== undefined && same !== undefined && distance(given, same) <= SAME;
}

function told({ inputs, value, given, expected }: Called): string {
  const difference = given
    ? differenceInWords(given, expected)
    : `${describeValue(value)}, which is neither a number nor rows of one length, expected ${inWords(expected)}`;
  return `${shown(inputs)} it gives ${difference}.`;
}

function shown(inputs: readonly unknown[]): string {
  const words = inputs.map((input) => {
    const numbers = numbersOf(input);
    return numbers ? inWords(numbers) : describeValue(input);
  });
  return `for (${words.join("; ")})`;
}
