import type { Rng } from "../../core/rng";
import { backgroundNames } from "./backgrounds";
import {
  type ColorName,
  colorNames,
  isHeldOut,
  type ObjectFacts,
  places,
  type SceneFacts,
  type Wanted,
} from "./questionScene";
import { toyShapes } from "./shapes";

/** What is asked: the object, its color, its place, the background, how two objects lie, whether their colors are one. */
export const questionKinds = ["what", "color", "where", "behind", "relation", "same"] as const;
export type QuestionKind = (typeof questionKinds)[number];

/** A question about an image, with all answers that may be given. */
export interface Question {
  readonly kind: string;
  readonly question: string;
  readonly answer: string;
  /** The right one among them. */
  readonly choices: readonly string[];
}

/** Which objects may be drawn: those that are trained with, or images with one that never is. */
export type Combinations = "trained" | "held out";

const shapeNames = toyShapes.map((shape) => shape.name);
const yesOrNo = ["yes", "no"];

/** Objects for a question of a kind. Of two, with one held out, the first is. */
export function wantedFor(kind: QuestionKind, rng: Rng, combinations: Combinations): Wanted {
  const first = drawnObject(rng.fork("first"), combinations === "held out");
  if (kind !== "relation" && kind !== "same") return [first];
  const others = shapeNames.filter((name) => name !== first[0]);
  const stream = rng.fork("second");
  for (;;) {
    const name = others[stream.integer(others.length)];
    const color = colorNames[stream.integer(colorNames.length)];
    const wished = kind === "same" && rng.fork("wish").uniform() < 0.5 ? first[1] : color;
    if (!isHeldOut(name, wished)) return [first, [name, wished]];
  }
}

function drawnObject(rng: Rng, heldOut: boolean): [string, ColorName] {
  for (;;) {
    const name = shapeNames[rng.integer(shapeNames.length)];
    const color = colorNames[rng.integer(colorNames.length)];
    if (isHeldOut(name, color) === heldOut) return [name, color];
  }
}

/** A question of a kind about a drawing. */
export function questionAbout(kind: QuestionKind, { objects, background }: SceneFacts, rng: Rng): Question {
  const [first, second] = objects;
  const ask = (question: string, answer: string, choices: readonly string[]) => ({
    kind,
    question,
    answer,
    choices,
  });
  if (kind === "what") return ask("what is it?", first.name, shapeNames);
  if (kind === "color") return ask(`what color is the ${first.name}?`, first.color, colorNames);
  if (kind === "where") return ask(`where is the ${first.name}?`, first.place!, places);
  if (kind === "behind") return ask("what is behind it?", background, backgroundNames);
  if (kind === "same") {
    const same = first.color === second.color;
    return ask(`are ${first.name} and ${second.name} the same color?`, same ? "yes" : "no", yesOrNo);
  }
  const [question, isSo] = relation(first, second, rng);
  return ask(question, isSo ? "yes" : "no", yesOrNo);
}

function relation(first: ObjectFacts, second: ObjectFacts, rng: Rng): [question: string, isSo: boolean] {
  const [a, b] = rng.uniform() < 0.5 ? [first, second] : [second, first];
  if (rng.uniform() < 0.5) return [`is the ${a.name} left of the ${b.name}?`, a.x < b.x];
  return [`is the ${a.name} above the ${b.name}?`, a.y < b.y];
}
