import { mean, sum } from "../../core/mean";
import type { Rng } from "../../core/rng";
import type { Exercise } from "../exercise";

type Box = readonly number[];

const area = ([left, top, right, bottom]: Box) => (right - left) * (bottom - top);

function overlap(a: Box, b: Box, isClipped = true): number {
  const sides = [0, 1].map((i) => Math.min(a[i + 2], b[i + 2]) - Math.max(a[i], b[i]));
  const [width, height] = isClipped ? sides.map((side) => Math.max(0, side)) : sides;
  return width * height;
}

const iou = (a: Box, b: Box) => overlap(a, b) / (area(a) + area(b) - overlap(a, b));

/** Precision at each of a ranked list's hits. */
const precisions = (hits: readonly boolean[]) =>
  hits.flatMap((hit, i) => (hit ? [hits.slice(0, i + 1).filter(Boolean).length / (i + 1)] : []));

const envelope = (values: readonly number[]) => values.map((_, i) => Math.max(...values.slice(i)));

function drawHits(rng: Rng, length: number): boolean[] {
  const hits = Array.from({ length }, () => rng.uniform() < 0.5);
  return [true, false, ...hits, false, true, true];
}

const levelOf = (side: number) => Math.floor(4 + Math.log2(side / 224));
const clipped = (level: number) => Math.min(5, Math.max(2, level));

/** 08: boxes and masks. */
export const dense: readonly Exercise[] = [
  {
    id: "dense/iou",
    expects: "a function (a: number[], b: number[]) => number, of boxes [left, top, right, bottom]",
    right: iou,
    inputs: () => [
      [
        [0, 0, 4, 4],
        [2, 1, 6, 5],
      ],
      [
        [0, 0, 2, 3],
        [5, 6, 8, 9],
      ],
      [
        [1, 1, 7, 5],
        [2, 2, 4, 4],
      ],
    ],
    praise: "Intersection over union: 1 for the same box, 0 for boxes that do not touch.",
    hint: "The overlap's width and height, neither below 0; their product over the two areas less that product.",
    mistakes: [
      {
        answer: (a: Box, b: Box) => overlap(a, b, false) / (area(a) + area(b) - overlap(a, b, false)),
        hint: "Boxes apart from each other have a negative width *and* height, whose product is positive: clip at 0.",
      },
      {
        answer: (a: Box, b: Box) => overlap(a, b) / (area(a) + area(b)),
        hint: "The overlap is in both areas and counted twice in that union.",
      },
      {
        answer: (a: Box, b: Box) => overlap(a, b) / (a[2] * a[3] + b[2] * b[3] - overlap(a, b)),
        hint: "The last two numbers are right and bottom, not width and height.",
      },
      {
        answer: (a: Box, b: Box) => overlap(a, b) / Math.min(area(a), area(b)),
        hint: "Over the smaller box; a small box inside of a large one would count as perfect.",
      },
    ],
  },
  {
    id: "dense/ap",
    expects: "a function (hits: boolean[], objects: number) => number",
    right: (hits: boolean[], objects: number) => sum(envelope(precisions(hits))) / objects,
    inputs: (rng) => [1, 2, 3].map((length) => [drawHits(rng, length), 7]),
    praise:
      "Objects that are never found count with precision 0. COCO reads the same curve at 101 recalls, and takes the mean over ten IoUs.",
    hint: "At each hit the precision so far; none may be less than a later one; their sum over the number of objects.",
    mistakes: [
      {
        answer: (hits: boolean[], objects: number) => sum(precisions(hits)) / objects,
        hint: "A precision below a later one is raised to it first.",
      },
      {
        answer: (hits: boolean[]) => sum(envelope(precisions(hits))) / precisions(hits).length,
        hint: "Divided by the objects that were found: those that were missed must count.",
      },
      {
        answer: (hits: boolean[]) => hits.filter(Boolean).length / hits.length,
        hint: "That is the precision of the whole list, whatever its order.",
      },
      {
        answer: (hits: boolean[], objects: number) => hits.filter(Boolean).length / objects,
        hint: "That is the recall of the whole list.",
      },
      {
        answer: (hits: boolean[]) => mean(precisions(hits)),
        hint: "The plain mean over the hits: raise each precision to later ones first, and divide by all objects.",
      },
    ],
  },
  {
    id: "dense/level",
    expects: "a function (width: number, height: number) => number",
    right: (width: number, height: number) => clipped(levelOf(Math.sqrt(width * height))),
    inputs: () => [
      [224, 224],
      [30, 20],
      [200, 180],
      [1200, 900],
      [448, 448],
      [500, 60],
      [10, 10],
    ],
    praise: "Small boxes are cut out of fine maps, large ones out of coarse ones.",
    hint: "⌊4 + log₂(√(w · h) / 224)⌋, no less than 2 and no more than 5.",
    mistakes: [
      {
        answer: (width: number, height: number) => levelOf(Math.sqrt(width * height)),
        hint: "There are only levels 2 to 5: clip.",
      },
      {
        answer: (width: number, height: number) =>
          clipped(Math.round(4 + Math.log2(Math.sqrt(width * height) / 224))),
        hint: "Rounded; it is the floor.",
      },
      {
        answer: (width: number, height: number) => clipped(levelOf(width * height)),
        hint: "The root of the area, not the area.",
      },
      {
        answer: (width: number, height: number) =>
          clipped(Math.floor(4 + Math.log(Math.sqrt(width * height) / 224))),
        hint: "Math.log is the natural logarithm; this one is Math.log2.",
      },
      {
        answer: (width: number, height: number) => clipped(levelOf(Math.max(width, height))),
        hint: "The longer side; it is the root of the area.",
      },
    ],
  },
];
