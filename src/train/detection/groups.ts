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

/** What belongs together, before it is compared. */
interface Cell {
  readonly imageId: number;
  readonly truths: CocoAnnotation[];
  readonly results: CocoResult[];
}

/** Objects and results by class and image. */
export class Groups {
  /** By label, then by the image's id. */
  private readonly cells: ReadonlyMap<number, Cell>[];

  /** Of an image and class the best `most` results count; those of unknown classes are left out. */
  constructor(
    private readonly truth: CocoAnnotations,
    results: readonly CocoResult[],
    private readonly kind: CocoKind,
    private readonly most: number,
  ) {
    const cells = truth.categories.map(() => new Map<number, Cell>());
    const cellOf = (categoryId: number, imageId: number): Cell | undefined => {
      const ofClass = cells[truth.label(categoryId) ?? -1];
      const known = ofClass?.get(imageId);
      if (known || !ofClass) return known;
      const cell = { imageId, truths: [], results: [] };
      ofClass.set(imageId, cell);
      return cell;
    };
    for (const one of truth.annotations) cellOf(one.categoryId, one.imageId)?.truths.push(one);
    for (const one of results)
      if (truth.has(one.imageId)) cellOf(one.categoryId, one.imageId)?.results.push(one);
    this.cells = cells;
  }

  get classes(): number {
    return this.cells.length;
  }

  /** Of a class, by image in the order of ids; images with neither objects nor results are left out. */
  *of(label: number): Generator<Group> {
    const cells = [...this.cells[label].values()].sort((a, b) => a.imageId - b.imageId);
    for (const { imageId, truths, results } of cells) {
      const best = results.sort((a, b) => b.score - a.score).slice(0, this.most);
      yield { label, imageId, truths, results: best, ...overlaps(this.truth, truths, best, this.kind) };
    }
  }
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
