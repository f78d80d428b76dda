import { Rng } from "../../src/core/rng";
import type { ImageDataset } from "../../src/data/dataset";
import { colorNames } from "../../src/data/toy/questionScene";
import type { QuestionSet } from "../../src/data/toy/questionSet";
import { toyShapes } from "../../src/data/toy/shapes";
import type { QuestionDataset } from "../../src/train/questions";

const shapeNames = toyShapes.map(({ name }) => name);

/** Drawings of one object, labeled with its color and its name: what a tower learns from before it is frozen. */
export function captioned(set: QuestionSet): ImageDataset {
  const label = (index: number) => {
    const [{ name, color }] = set.facts(index).objects;
    return shapeNames.indexOf(name) * colorNames.length + colorNames.indexOf(color);
  };
  return {
    classes: shapeNames.flatMap((name) => colorNames.map((color) => `${color} ${name}`)),
    length: set.length,
    size: set.size,
    report: set.report,
    preprocessing: set.preprocessing,
    load: async (index, rng) => ({ ...(await set.load(index, rng)), label: label(index) }),
    path: (index) => set.path(index),
    label,
    take: (count) => captioned(set.take(count)),
    subset: (indices) => captioned(set.subset(indices)),
    withTransform: (transform) => captioned(set.withTransform(transform)),
  };
}

/** The questions that are asked about one object. */
export function ofOneObject(set: QuestionSet): QuestionSet {
  const all = Array.from({ length: set.length }, (_, index) => index);
  return set.subset(all.filter((index) => set.facts(index).objects.length === 1));
}

/** The same questions, each about the drawing of another: what can be answered without seeing. */
export function blindfolded(set: QuestionSet, seed: number): QuestionDataset {
  return shownTo(set, set.subset(new Rng(seed).fork("blind").permutation(set.length)));
}

/** Questions of one set about the drawings of another. */
function shownTo(set: QuestionSet, shown: QuestionSet): QuestionDataset {
  return {
    classes: set.classes,
    length: set.length,
    size: set.size,
    report: set.report,
    preprocessing: set.preprocessing,
    question: (index) => set.question(index),
    load: async (index, rng) => ({
      ...(await set.load(index, rng)),
      image: (await shown.load(index, rng)).image,
    }),
    path: (index) => set.path(index),
    label: (index) => set.label(index),
    take: (count) => shownTo(set.take(count), shown.take(count)),
    subset: (indices) => shownTo(set.subset(indices), shown.subset(indices)),
    withTransform: (transform) => shownTo(set.withTransform(transform), shown.withTransform(transform)),
  };
}
