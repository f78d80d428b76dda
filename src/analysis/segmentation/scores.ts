import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { LuvitError } from "../../core/errors";
import { textTable } from "../../core/textTable";
import { iousOf, meanOf, type PixelCounts } from "../../models/pixelCounts";
import { publishedImageNetS919 } from "../paper";
import { type Provenance, resultTable } from "../provenance";
import { objectSizes, type SegmentationCounts } from "./meter";

/** ImageNet-S's numbers, percent. */
export interface SegmentationSummary {
  /** Over all classes and "other"; one that never occurs counts as 0. */
  readonly mIoU: number;
  /** The same of the bands along borders. */
  readonly boundaryMIoU: number;
  /** Object against no object, mean over images. */
  readonly F: number;
  /** Images whose most frequent object is one of those that are there. */
  readonly accuracy: number;
  /** By size of the objects, over classes that occur in it: S up to 5 % of an image, MS 25, ML 50, L more. */
  readonly S: number;
  readonly MS: number;
  readonly ML: number;
  readonly L: number;
  readonly boundaryS: number;
  readonly boundaryMS: number;
  readonly boundaryML: number;
  readonly boundaryL: number;
}

/** Scores of a segmentation, as ImageNet-S gives them. */
export class SegmentationScores {
  /** Intersection over union by class, "other" first, percent. */
  readonly ious: Float64Array;
  readonly summary: SegmentationSummary;
  /** A row per class: id, name, iou (percent), pixels; and the provenance. */
  readonly table: Table;

  constructor(
    readonly counts: SegmentationCounts,
    readonly classes: readonly string[],
    about: Provenance = {},
  ) {
    const { whole, bands, sizes, sizeBands, images } = counts;
    if (classes.length !== whole.both.length - 1) {
      const found = `${classes.length} names for ${whole.both.length - 1} classes beside "other"`;
      throw new LuvitError("bad-argument", `segmentation scores: ${found}`);
    }
    this.ious = iousOf(whole);
    this.summary = {
      mIoU: meanOf(this.ious),
      boundaryMIoU: meanOf(iousOf(bands)),
      F: (100 * images.f) / images.count,
      accuracy: (100 * images.right) / images.count,
      ...bySize("", sizes),
      ...bySize("boundary", sizeBands),
    } as unknown as SegmentationSummary;
    const ids = Array.from(this.ious, (_, id) => id);
    const names = ["other", ...classes];
    this.table = resultTable({ id: ids, name: names, iou: [...this.ious], pixels: [...whole.target] }, about);
  }

  toString(): string {
    const number = (value: number) => (Number.isNaN(value) ? "–" : value.toFixed(1));
    const rows = Object.entries(this.summary).map(([name, value]) => [name, number(value)]);
    const title = `segmentation of ${this.counts.images.count} images, percent`;
    return [title, textTable(["metric", "%"], rows), ...this.published()].join("\n");
  }

  /** What others have published of the set with as many classes. */
  private published(): string[] {
    if (this.classes.length !== 919) return [];
    const rows = publishedImageNetS919.map(({ pretraining, backbone, code, val }) => {
      return [pretraining, backbone, code, val.toFixed(1)];
    });
    return ["", textTable(["published", "backbone", "code", "mIoU"], rows)];
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** Mean over the classes that occur in the targets at each size. */
function bySize(prefix: string, counts: Readonly<Record<string, PixelCounts>>): Record<string, number> {
  return Object.fromEntries(
    objectSizes.map((size) => {
      const { target } = counts[size];
      return [`${prefix}${size}`, meanOf(iousOf(counts[size]).filter((_, id) => target[id] > 0))];
    }),
  );
}
