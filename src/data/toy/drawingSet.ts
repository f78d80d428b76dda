import { inspect } from "node:util";
import {
  checkOptions,
  object,
  oneOf,
  optionsOf,
  seed as seedField,
  shaped,
  share,
  whole,
} from "../../core/options";
import type { Preprocessing } from "../../core/preprocessing";
import { Rng } from "../../core/rng";
import { expectIndex, type ImageDataset, type Sample, SkipReport, spreadIndices } from "../dataset";
import type { EvalTransform, ImageTransform } from "../imageTransform";
import { type CellMask, maskCells } from "../masks";
import type { RgbImage } from "../pixels";
import { none } from "../transforms";
import { backgroundFamilies, backgroundNames } from "./backgrounds";
import { allShapes, backgroundFamily, drawObject, ownBackgroundShare, rasterise } from "./scene";

/** Whose background an object stands on, as in ImageNet-9. */
export type DrawnBackground = "original" | "mixed_same" | "mixed_rand";

/** What is drawn. */
export interface DrawingOptions {
  /** Pixels, default 64. */
  size?: number;
  /** Pixels of a cell of the masks, default an eighth of the size. */
  patch?: number;
  /** Of the twelve shapes, the first so many; default all. */
  classes?: number;
  /** Share of images on the background family of their class, which is one of six; the others are on any. Default 0.5. */
  ownBackground?: number;
  /**
   * "original" (default); "mixed_same": the same objects on other backgrounds of their class; "mixed_rand": on backgrounds
   * of a class with another family.
   */
  background?: DrawnBackground;
}

export const drawingOptions = optionsOf<DrawingOptions>(
  {},
  {
    size: whole(8, 1024),
    patch: whole(1, 1024),
    classes: whole(2, allShapes.length),
    ownBackground: share,
    background: oneOf(["original", "mixed_same", "mixed_rand"]),
  },
);

const counts = object({ seed: seedField, count: whole(1, 1_000_000) }, {});

/** RGB bytes [H, W, 3], and [H, W] where the object covers at least half of a pixel. */
export interface Drawing {
  readonly rgb: Uint8Array;
  readonly covered: Uint8Array;
}

/** What is so of a drawing. */
export interface DrawingFacts {
  readonly shape: string;
  readonly background: string;
  /** Share of the image that the object covers. */
  readonly area: number;
}

type Plan = Required<DrawingOptions> & { readonly seed: number };

/** Drawings of one object each, with masks; made when they are asked for, and kept. */
export class DrawingSet implements ImageDataset {
  readonly classes: string[];
  readonly report = new SkipReport();

  constructor(
    readonly plan: Plan,
    private readonly numbers: ArrayLike<number>,
    readonly transform: ImageTransform,
    /** What was drawn, by number: common to all views of a set. */
    readonly kept: Map<number, Drawing> = new Map(),
  ) {
    checkOptions("DrawingSet", shaped("a plan, from data.toy.drawings", "seed", "classes"), plan);
    this.classes = allShapes.slice(0, plan.classes).map(({ name }) => name);
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
    const { seed, background } = this.plan;
    return `toy drawing ${this.numberAt(index)} of seed ${seed}, ${background}`;
  }

  label(index: number): number {
    return this.numberAt(index) % this.plan.classes;
  }

  /** The drawing's number, the same in every view. */
  number(index: number): number {
    return this.numberAt(index);
  }

  /** What is so of the drawing. */
  facts(index: number): DrawingFacts {
    const { covered } = this.drawing(index);
    const area = covered.reduce((sum, one) => sum + one, 0) / covered.length;
    const { family } = this.backgroundOf(this.numberAt(index));
    return { shape: this.classes[this.label(index)], background: backgroundNames[family], area };
  }

  /** The drawing, RGB bytes. */
  pixels(index: number): RgbImage {
    const { size } = this.plan;
    return { data: this.drawing(index).rgb, width: size, height: size };
  }

  /** The image, and where nothing is random about the transform, the cells that show the object. */
  async load(index: number, rng: Rng): Promise<Sample & Partial<CellMask>> {
    const image = this.transform.apply(this.pixels(index), rng);
    const sample = { image, label: this.label(index), path: this.path(index), index };
    const { ids, preprocessing } = this.transform as Partial<EvalTransform>;
    if (!ids || !preprocessing) return sample;
    const { size, patch } = this.plan;
    const map = { ids: Int32Array.from(this.drawing(index).covered), width: size, height: size };
    const { ids: seen, width } = (this.transform as EvalTransform).ids(map);
    return { ...sample, ...maskCells(seen, width, patch) };
  }

  take(count: number): DrawingSet {
    return this.subset(spreadIndices(this.length, count));
  }

  subset(indices: ArrayLike<number>): DrawingSet {
    const numbers = Array.from(indices, (index) => this.numberAt(index));
    return new DrawingSet(this.plan, numbers, this.transform, this.kept);
  }

  withTransform(transform: ImageTransform): DrawingSet {
    return new DrawingSet(this.plan, this.numbers, transform, this.kept);
  }

  toString(): string {
    const { seed, size, classes, ownBackground, background } = this.plan;
    const share = `${(100 * ownBackground).toFixed(0)} % on their class's background`;
    return `DrawingSet(${this.length} drawings, ${classes} classes, ${share}, ${background}; seed ${seed}, ${size} px)`;
  }

  [inspect.custom](): string {
    return this.toString();
  }

  /** What was drawn. */
  drawing(index: number): Drawing {
    const number = this.numberAt(index);
    const known = this.kept.get(number);
    if (known) return known;
    const made = this.draw(number);
    this.kept.set(number, made);
    return made;
  }

  private numberAt(index: number): number {
    expectIndex(index, this.length);
    return this.numbers[index];
  }

  private draw(number: number): Drawing {
    const { size } = this.plan;
    const { family, rng } = this.backgroundOf(number);
    const object = drawObject(number % this.plan.classes, this.stream(number).fork("object"));
    const { rgb, coverage } = rasterise(object, backgroundFamilies[family](rng), size);
    return { rgb, covered: Uint8Array.from(coverage, (share) => (share >= 0.5 ? 1 : 0)) };
  }

  /** A drawing's family of backgrounds, and the stream that goes on with its numbers. */
  private backgroundOf(number: number): { family: number; rng: Rng } {
    const { classes, background, ownBackground } = this.plan;
    const own = number % classes;
    const stream = this.stream(number);
    const rng = stream.fork("background", background);
    const label = background === "mixed_rand" ? strangerOf(own, classes, stream.fork("stranger")) : own;
    return { family: backgroundFamily(label, rng, ownBackground), rng };
  }

  private stream(number: number): Rng {
    return new Rng(this.plan.seed).fork("toy drawing", number);
  }
}

/** A class whose usual background is another than that of `label`. */
function strangerOf(label: number, classes: number, rng: Rng): number {
  const families = backgroundFamilies.length;
  const others = Array.from({ length: classes }, (_, other) => other);
  const strangers = others.filter((other) => other % families !== label % families);
  return strangers[rng.integer(strangers.length)];
}

/**
 * Drawings of one object each before a background of six families, of any number and size, with masks: a larger set than
 * `data/shapes`, with twelve classes of which two share each family. Everything follows from the seed, and the set knows the
 * facts of each drawing. Drawing `i` has the class `i` modulo the number of classes, and the same object whatever its
 * background.
 *
 * @throws LuvitError("bad-argument") for a count or options that cannot be.
 *
 * @example
 * const { drawings } = luvit.data.toy;
 * const training = drawings(1, 600, { size: 48, ownBackground: 0.7 });
 * const swapped = drawings(2, 120, { size: 48, ownBackground: 0.7, background: "mixed_rand" });
 * console.log(training, swapped.facts(0));
 */
export function drawings(seed: number, count: number, options: DrawingOptions = {}): DrawingSet {
  checkOptions("data.toy.drawings", counts, { seed, count });
  checkOptions("data.toy.drawings", drawingOptions, options);
  const { size = 64, patch = Math.max(1, Math.floor(size / 8)) } = options;
  const { classes = allShapes.length, ownBackground = ownBackgroundShare, background = "original" } = options;
  const numbers = Array.from({ length: count }, (_, i) => i);
  return new DrawingSet({ seed, size, patch, classes, ownBackground, background }, numbers, none(size));
}
