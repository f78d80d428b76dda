import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { listOffenders } from "../../core/errors";
import { checkOptions, partsWith, shaped } from "../../core/options";
import type { Provenance } from "../provenance";
import type { SegmentationCounts } from "./meter";
import { SegmentationScores, type SegmentationSummary } from "./scores";

/** A segmenter's scores and how they came about. Prints beside the published numbers. */
export class SegmentationEvaluation {
  readonly scores: SegmentationScores;
  /** "whole images, shorter side 256". */
  readonly protocol: string;
  /** Images by the shape that the model was given, "256 x 384"; those whose counts were kept before are not among them. */
  readonly shapes: Readonly<Record<string, number>>;
  /** "images 512 to 751": what, of its shard, was not got to before it was stopped. */
  readonly missing: readonly string[];
  /** Images that could not be read, and why; they are in no number. */
  readonly unreadable: readonly string[];

  constructor(
    counts: SegmentationCounts,
    parts: {
      classes: readonly string[];
      about: Provenance;
      protocol: string;
      shapes: Readonly<Record<string, number>>;
      missing: readonly string[];
      unreadable: readonly string[];
    },
  ) {
    checkOptions(
      "SegmentationEvaluation",
      shaped("counts of pixels, from benchmark.segmentation", "whole", "bands", "sizes"),
      counts,
    );
    checkOptions("SegmentationEvaluation", partsWith("classes", "about", "missing", "unreadable"), parts);
    this.scores = new SegmentationScores(counts, parts.classes, parts.about);
    this.protocol = parts.protocol;
    this.shapes = parts.shapes;
    this.missing = parts.missing;
    this.unreadable = parts.unreadable;
  }

  /** Every image was looked at. */
  get complete(): boolean {
    return this.missing.length === 0;
  }

  /** A row per class: id, name, iou (percent), pixels; and the provenance. */
  get table(): Table {
    return this.scores.table;
  }

  get summary(): SegmentationSummary {
    return this.scores.summary;
  }

  toString(): string {
    const { scores, protocol, shapes, missing, unreadable } = this;
    const count = Object.keys(shapes).length;
    const kinds = count === 0 ? "" : `, ${count} shape${count === 1 ? "" : "s"} of images`;
    const lines = [
      String(scores),
      `${protocol}${kinds}`,
      ...missing.map((range) => `not looked at: ${range}`),
    ];
    if (unreadable.length > 0)
      lines.push(`${unreadable.length} images could not be read:\n${listOffenders([...unreadable])}`);
    return lines.join("\n");
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
