import type { DetectionErrors } from "../../analysis/detection/errors";
import { type BoxXywh, maskOutlines } from "../../core/masks";
import {
  type CocoAnnotation,
  type CocoAnnotations,
  type CocoKind,
  type CocoResult,
  isPolygons,
} from "../../data/coco";
import { simplified } from "./simplify";

/** What is drawn over an image, and what it is. */
export type ShapeKind = "right" | "wrong" | "missed" | "crowd" | "ignored" | "labeled";

/** An outline over an image. */
export interface Shape {
  readonly kind: ShapeKind;
  /** Closed lines x1, y1, x2, y2, … in pixels of the image. */
  readonly lines: readonly (readonly number[])[];
  readonly box: BoxXywh;
  /** Beside it: the class, and the score. */
  readonly tag: string;
  /** Where it is pointed at. */
  readonly words: string;
}

/** What a detector found in an image, right and wrong, and what it missed; crowds, and all objects as labeled. */
export function shapesOf(
  imageId: number,
  truth: CocoAnnotations,
  { errors, right, inCrowds }: DetectionErrors,
  kind: CocoKind,
): Shape[] {
  const draw = new Outliner(truth, imageId, kind);
  const nameOf = (id: number) => truth.classes[truth.label(id)!]!;
  const found = (result: CocoResult, shape: ShapeKind, words: string): Shape => {
    const name = nameOf(result.categoryId);
    const [tag, score] = [`${name} ${Math.round(100 * result.score)}`, result.score.toFixed(2)];
    return { kind: shape, ...draw.result(result), tag, words: `<b>${name} ${score}</b><br>${words}` };
  };
  const object = (one: CocoAnnotation, shape: ShapeKind, words: string): Shape => {
    const name = nameOf(one.categoryId);
    return { kind: shape, ...draw.truthOf(one), tag: name, words: `<b>${name}</b><br>${words}` };
  };
  const labeled = truth.of(imageId);
  const good = right.filter(({ result }) => result.imageId === imageId);
  const nothing = inCrowds.filter((result) => result.imageId === imageId);
  const bad = errors.filter((error) => error.imageId === imageId);
  const size = (one: CocoAnnotation) => `${Math.round(one.area)} pixels`;
  return [
    ...good.map(({ result, iou }) =>
      found(result, "right", `right, overlap with its object ${iou.toFixed(2)}`),
    ),
    ...bad.map(({ kind, result, truth: other, iou }) => {
      if (kind === "missed") return object(other!, "missed", `missed, ${size(other!)}`);
      return found(result!, "wrong", wrongWords(kind, other && nameOf(other.categoryId), iou));
    }),
    ...nothing.map((result) => found(result, "ignored", "in a crowd: does not count")),
    ...labeled.map((one) =>
      one.crowd
        ? object(one, "crowd", "a crowd: whatever is found in it does not count")
        : object(one, "labeled", `as labeled, ${size(one)}`),
    ),
  ];
}

function wrongWords(kind: string, name: string | undefined, iou = 0): string {
  const overlap = `overlap with the ${name} there ${iou.toFixed(2)}`;
  const words: Record<string, string> = {
    classification: `wrong class, ${overlap}`,
    localization: `wrong place, ${overlap}`,
    both: `wrong class and place, ${overlap}`,
    duplicate: `found twice, ${overlap}`,
    background: "nothing of the kind is there, overlap with any object below 0.1",
  };
  return words[kind]!;
}

/** Outlines in an image, of boxes or of masks. */
class Outliner {
  /** In pixels of the image; finer than a screen shows. */
  private readonly tolerance: number;

  constructor(
    truth: CocoAnnotations,
    imageId: number,
    private readonly kind: CocoKind,
  ) {
    const { width, height } = truth.image(imageId);
    this.tolerance = Math.max(0.8, Math.max(width, height) / 400);
  }

  result({ box, mask }: CocoResult): Pick<Shape, "lines" | "box"> {
    return this.kind === "bbox" ? boxOutline(box!) : this.outline(maskOutlines(mask!));
  }

  truthOf(one: CocoAnnotation): Pick<Shape, "lines" | "box"> {
    if (this.kind === "bbox" || !one.segmentation) return boxOutline(one.box);
    const { segmentation } = one;
    return this.outline(isPolygons(segmentation) ? segmentation : maskOutlines(segmentation));
  }

  private outline(lines: readonly ArrayLike<number>[]): Pick<Shape, "lines" | "box"> {
    const simple = lines.map((line) => simplified(line, this.tolerance));
    return { lines: simple, box: boundsOf(simple) };
  }
}

function boxOutline(box: BoxXywh): Pick<Shape, "lines" | "box"> {
  const [x, y, width, height] = box;
  return { lines: [[x, y, x + width, y, x + width, y + height, x, y + height]], box };
}

function boundsOf(lines: readonly (readonly number[])[]): BoxXywh {
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0];
  for (const line of lines) {
    for (let i = 0; i < line.length; i += 2) {
      [left, right] = [Math.min(left, line[i]!), Math.max(right, line[i]!)];
      [top, bottom] = [Math.min(top, line[i + 1]!), Math.max(bottom, line[i + 1]!)];
    }
  }
  return right < left ? [0, 0, 0, 0] : [left, top, right - left, bottom - top];
}
