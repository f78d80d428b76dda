import { boxIou, maskArea, maskIou } from "../../core/masks";
import type { CocoAnnotation, CocoAnnotations, CocoKind, CocoResult } from "../../data/coco";

/** What is in an image of one class, and what was found of it. */
export interface Group {
  readonly label: number;
  readonly imageId: number;
  readonly truths: readonly CocoAnnotation[];
  /** The best, by falling score; equal ones in the order they came in. */
  readonly results: readonly CocoResult[];
  /** Areas of the results, in pixels. */
  readonly areas: Float64Array;
  /** Intersection over union, [results, truths]; of a result alone where the truth is a crowd. */
  readonly ious: Float64Array;
}

/** Groups by class and, in each, by image in the order of ids; those with neither truths nor results are left out. */
export function groupsOf(
  truth: CocoAnnotations,
  results: readonly CocoResult[],
  kind: CocoKind,
  most: number,
): Group[][] {
  const found = byImageAndLabel(truth, results);
  const imageIds = truth.images.map(({ id }) => id).sort((a, b) => a - b);
  return truth.categories.map(({ id: categoryId }, label) =>
    imageIds.flatMap((imageId) => {
      const truths = truth.of(imageId).filter((annotation) => annotation.categoryId === categoryId);
      const here = found.get(imageId)?.get(label) ?? [];
      if (truths.length === 0 && here.length === 0) return [];
      const best = [...here].sort((a, b) => b.score - a.score).slice(0, most);
      return { label, imageId, truths, results: best, ...overlaps(truth, truths, best, kind) };
    }),
  );
}

function byImageAndLabel(truth: CocoAnnotations, results: readonly CocoResult[]) {
  const found = new Map<number, Map<number, CocoResult[]>>();
  for (const result of results) {
    const label = truth.label(result.categoryId);
    if (label === undefined) continue;
    const ofImage = found.get(result.imageId) ?? new Map<number, CocoResult[]>();
    found.set(result.imageId, ofImage);
    const others = ofImage.get(label);
    if (others) others.push(result);
    else ofImage.set(label, [result]);
  }
  return found;
}

function overlaps(
  truth: CocoAnnotations,
  truths: readonly CocoAnnotation[],
  results: readonly CocoResult[],
  kind: CocoKind,
): Pick<Group, "areas" | "ious"> {
  const crowd = truths.map((annotation) => annotation.crowd);
  if (kind === "bbox") {
    const boxes = results.map(({ box }) => box!);
    const areas = Float64Array.from(boxes, ([, , width, height]) => width * height);
    const truthBoxes = truths.map(({ box }) => box);
    return { areas, ious: boxIou(boxes, truthBoxes, crowd) };
  }
  const masks = results.map(({ mask }) => mask!);
  if (masks.length === 0) return { areas: new Float64Array(0), ious: new Float64Array(0) };
  const truthMasks = truths.map((annotation) => truth.mask(annotation));
  return { areas: Float64Array.from(masks, maskArea), ious: maskIou(masks, truthMasks, crowd) };
}
