import { inspect } from "node:util";
import {
  checkOptions,
  list,
  object,
  oneOf,
  optionsOf,
  seed as seedField,
  shaped,
  whole,
} from "../../core/options";
import type { Preprocessing } from "../../core/preprocessing";
import { Rng } from "../../core/rng";
import { expectIndex, type ImageDataset, type Sample, SkipReport, spreadIndices } from "../dataset";
import type { ImageTransform } from "../imageTransform";
import type { RgbImage } from "../pixels";
import { none } from "../transforms";
import { questionScene, type SceneFacts } from "./questionScene";
import {
  type Combinations,
  type Question,
  type QuestionKind,
  questionAbout,
  questionKinds,
  wantedFor,
} from "./questions";

/** What is asked and drawn. */
export interface QuestionOptions {
  /**
   * "trained" (default): one color of each shape is never drawn. "held out": the object asked about (of two, one) has that
   * color.
   */
  combinations?: Combinations;
  /** Default all. */
  kinds?: readonly QuestionKind[];
  /** Pixels, default 64. */
  size?: number;
}

export const questionOptions = optionsOf<QuestionOptions>(
  {},
  {
    combinations: oneOf(["trained", "held out"]),
    kinds: list(oneOf(questionKinds), 1),
    size: whole(8, 1024),
  },
);

const counts = object({ seed: seedField, count: whole(1, 1_000_000) }, {});

/** An image with a question about it. */
export interface QuestionSample extends Sample, Question {}

interface Scene {
  readonly question: Question;
  readonly facts: SceneFacts;
  draw(): RgbImage;
}

/** What was made by number, common to all views of a set: made once. */
interface Kept {
  readonly drawn: Map<number, RgbImage>;
  readonly scenes: Map<number, Scene>;
}

/** Drawings with a question about each; labels are the kinds of questions. */
export class QuestionSet implements ImageDataset {
  readonly classes: string[];
  readonly report = new SkipReport();
  private readonly kept: Kept;

  constructor(
    private readonly plan: {
      seed: number;
      combinations: Combinations;
      kinds: readonly QuestionKind[];
      size: number;
    },
    private readonly numbers: ArrayLike<number>,
    readonly transform: ImageTransform,
    kept: Kept = { drawn: new Map(), scenes: new Map() },
  ) {
    checkOptions("QuestionSet", shaped("a plan, from data.toy.questions", "seed", "kinds"), plan);
    this.classes = [...plan.kinds];
    this.kept = kept;
  }

  get length(): number {
    return this.numbers.length;
  }

  get size(): number {
    return this.transform.size;
  }

  get preprocessing(): Preprocessing | undefined {
    return this.transform.preprocessing;
  }

  path(index: number): string {
    const { seed, combinations } = this.plan;
    return `toy question ${this.numberAt(index)} of seed ${seed}, ${combinations}`;
  }

  label(index: number): number {
    return this.numberAt(index) % this.classes.length;
  }

  /** What is asked. */
  question(index: number): Question {
    return this.sceneOf(this.numberAt(index)).question;
  }

  /** What is so of the drawing. */
  facts(index: number): SceneFacts {
    return this.sceneOf(this.numberAt(index)).facts;
  }

  /** The drawing, RGB bytes. */
  pixels(index: number): RgbImage {
    const number = this.numberAt(index);
    const known = this.kept.drawn.get(number);
    if (known) return known;
    const made = this.sceneOf(number).draw();
    this.kept.drawn.set(number, made);
    return made;
  }

  async load(index: number, rng: Rng): Promise<QuestionSample> {
    const image = this.transform.apply(this.pixels(index), rng);
    return { image, label: this.label(index), path: this.path(index), index, ...this.question(index) };
  }

  take(count: number): QuestionSet {
    return this.subset(spreadIndices(this.length, count));
  }

  subset(indices: ArrayLike<number>): QuestionSet {
    const numbers = Array.from(indices, (index) => this.numberAt(index));
    return new QuestionSet(this.plan, numbers, this.transform, this.kept);
  }

  withTransform(transform: ImageTransform): QuestionSet {
    return new QuestionSet(this.plan, this.numbers, transform, this.kept);
  }

  toString(): string {
    const { seed, combinations } = this.plan;
    const kinds = this.classes.join(", ");
    return `QuestionSet(${this.length} questions: ${kinds}; ${combinations} combinations, seed ${seed}, ${this.size} px)`;
  }

  [inspect.custom](): string {
    return this.toString();
  }

  private numberAt(index: number): number {
    expectIndex(index, this.length);
    return this.numbers[index];
  }

  private sceneOf(number: number): Scene {
    const known = this.kept.scenes.get(number);
    if (known) return known;
    const { seed, combinations, kinds, size } = this.plan;
    const rng = new Rng(seed).fork("question", combinations, number);
    const kind = kinds[number % kinds.length];
    const scene = questionScene(wantedFor(kind, rng.fork("wanted"), combinations), rng.fork("scene"), size);
    const made = { ...scene, question: questionAbout(kind, scene.facts, rng.fork("asked")) };
    this.kept.scenes.set(number, made);
    return made;
  }
}

/**
 * Questions about drawings: what it is, its color, where it is, what is behind it, how two objects lie, and whether their
 * colors are the same. Everything follows from the seed, and the set knows the facts of each drawing. Another seed gives
 * other scenes; `combinations: "held out"` gives objects in colors that are never trained with.
 *
 * @throws LuvitError("bad-argument") for a count or options that cannot be.
 *
 * @example
 * const training = luvit.data.toy.questions(1, 600);
 * const unseen = luvit.data.toy.questions(2, 120, { combinations: "held out" });
 * console.log(training.question(0), training.facts(0));
 */
export function questions(seed: number, count: number, options: QuestionOptions = {}): QuestionSet {
  checkOptions("data.toy.questions", counts, { seed, count });
  checkOptions("data.toy.questions", questionOptions, options);
  const { combinations = "trained", kinds = questionKinds, size = 64 } = options;
  const numbers = Array.from({ length: count }, (_, i) => i);
  return new QuestionSet({ seed, combinations, kinds, size }, numbers, none(size));
}
