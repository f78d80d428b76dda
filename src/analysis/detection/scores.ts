import { inspect } from "node:util";
import type { Table } from "apache-arrow";
import { LuvitError } from "../../core/errors";
import { mean } from "../../core/mean";
import { checkOptions, number, oneOf, optionsOf, partsWith, text } from "../../core/options";
import { textTable } from "../../core/textTable";
import type { CocoKind } from "../../data/coco";
import { type PrecisionCurve, recallPoints } from "../../train/detection/accumulate";
import { areaRanges, iouThresholds } from "../../train/detection/match";
import { type PaperPair, paperTable2 } from "../paper";
import { type Provenance, resultTable } from "../provenance";

/** Curves of a class, [threshold][area range][most results]; undefined where no object of it counts. */
export type CurveSet = readonly (readonly (readonly (PrecisionCurve | undefined)[])[])[];

/** COCO's sizes of objects. */
export type DetectionSize = keyof typeof areaRanges;
const sizes = Object.keys(areaRanges) as DetectionSize[];

/** Which curves a mean is over; what is not named is averaged. */
interface Selection {
  label?: number;
  /** Position in the thresholds. */
  threshold?: number;
  size?: DetectionSize;
  /** Position in the numbers of results. */
  most?: number;
}

/** COCO's twelve numbers, 0 to 1; NaN where no object counts. */
export type DetectionSummary = Readonly<Record<MetricName, number>>;

const metrics = {
  AP: {},
  AP50: { threshold: 0 },
  AP75: { threshold: 5 },
  APs: { size: "small" },
  APm: { size: "medium" },
  APl: { size: "large" },
  AR1: { most: 0 },
  AR10: { most: 1 },
  AR100: {},
  ARs: { size: "small" },
  ARm: { size: "medium" },
  ARl: { size: "large" },
} as const satisfies Record<string, Selection>;

type MetricName = keyof typeof metrics;

/** Which curves a mean is over; what is not named is averaged. */
export interface CurveChoice {
  /** A class by name. */
  label?: string;
  /** An overlap of 0.5, 0.55, … 0.95. */
  iou?: number;
  /** Default all sizes of objects together. */
  size?: DetectionSize;
}

const curveOptions = optionsOf<CurveChoice>({}, { label: text, iou: number(0, 1), size: oneOf(sizes) });

/** COCO's scores of a detector. Prints beside the paper's numbers. */
export class DetectionScores {
  readonly kind: CocoKind;
  readonly classes: readonly string[];
  readonly images: number;
  readonly maxDetections: readonly number[];
  readonly summary: DetectionSummary;
  /** A row per number: metric, value, paperViT, paperLUViT (percent); and the provenance. */
  readonly table: Table;
  /** By class, see `CurveSet`. */
  readonly curves: readonly CurveSet[];

  constructor(
    parts: {
      kind: CocoKind;
      classes: readonly string[];
      images: number;
      maxDetections: readonly number[];
      curves: readonly CurveSet[];
    },
    about: Provenance = {},
  ) {
    checkOptions("DetectionScores", partsWith("kind", "classes", "maxDetections", "curves"), parts);
    this.kind = parts.kind;
    this.classes = parts.classes;
    this.images = parts.images;
    this.maxDetections = parts.maxDetections;
    this.curves = parts.curves;
    this.summary = Object.fromEntries(names.map((name) => [name, this.metric(name)])) as DetectionSummary;
    const values = names.map((name) => percent(this.summary[name]));
    const paper = (model: keyof PaperPair) => names.map((name) => this.paper(name)[model] ?? null);
    this.table = resultTable(
      { metric: names, value: values, paperViT: paper("ViT"), paperLUViT: paper("LUViT") },
      { ...about, data: about.data ?? this.kind },
    );
  }

  /** The twelve numbers for one class, by name. */
  ofClass(name: string): DetectionSummary {
    const label = this.labelOf(name);
    return Object.fromEntries(names.map((one) => [one, this.metric(one, label)])) as DetectionSummary;
  }

  /** A row per class: class, AP, AP50, AP75, APs, APm, APl (percent, null where no object counts). */
  perClass(): Table {
    const rows = this.classes.map((name) => this.ofClass(name));
    const column = (name: MetricName) => rows.map((row) => percent(row[name]));
    const columns = Object.fromEntries(names.slice(0, 6).map((name) => [name, column(name)]));
    return resultTable({ class: [...this.classes], ...columns }, { data: this.kind });
  }

  /** Precision at the recalls 0, 0.01, … 1; NaN where no object counts. */
  precisionRecall(choice: CurveChoice = {}): { recall: number[]; precision: number[] } {
    const chosen = this.chosen("precisionRecall", choice);
    const precision = recallPoints.map((_, i) => mean(chosen.map((curve) => curve.precision[i])));
    return { recall: [...recallPoints], precision };
  }

  /** Average precision, 0 to 1, the area under such a curve; NaN where no object counts. */
  averagePrecision(choice: CurveChoice = {}): number {
    return mean(this.chosen("averagePrecision", choice).map(({ precision }) => mean([...precision])));
  }

  private chosen(where: string, choice: CurveChoice): PrecisionCurve[] {
    checkOptions(where, curveOptions, choice);
    const label = choice.label === undefined ? undefined : this.labelOf(choice.label);
    const threshold = choice.iou === undefined ? undefined : thresholdAt(choice.iou);
    return this.select({ label, threshold, size: choice.size });
  }

  toString(): string {
    const number = (value: number | null | undefined) =>
      value === null || value === undefined ? "–" : value.toFixed(1);
    const rows = names.map((name) => {
      const { ViT, LUViT } = this.paper(name);
      return [name, number(percent(this.summary[name])), number(ViT), number(LUViT)];
    });
    const what = this.kind === "bbox" ? "boxes" : "masks";
    const title = `COCO's scores of ${what}, ${this.images} images, ${this.classes.length} classes, percent`;
    return [title, textTable(["metric", "%", "paper: ViT", "LUViT"], rows)].join("\n");
  }

  [inspect.custom](): string {
    return this.toString();
  }

  private paper(name: MetricName): PaperPair {
    return (paperTable2[this.kind] as Partial<Record<MetricName, PaperPair>>)[name] ?? {};
  }

  private metric(name: MetricName, label?: number): number {
    const curves = this.select({ ...metrics[name], label });
    if (name.startsWith("AR")) return mean(curves.map(({ recall }) => recall));
    return mean(curves.flatMap(({ precision }) => [...precision]));
  }

  private select({ label, threshold, size = "all", most = 2 }: Selection): PrecisionCurve[] {
    const classes = label === undefined ? this.curves : [this.curves[label]];
    return classes.flatMap((ofClass) =>
      ofClass
        .filter((_, i) => threshold === undefined || i === threshold)
        .flatMap((ofThreshold) => ofThreshold[sizes.indexOf(size)][most] ?? []),
    );
  }

  private labelOf(name: string): number {
    const label = this.classes.indexOf(name);
    if (label >= 0 && label === this.classes.lastIndexOf(name)) return label;
    if (label >= 0)
      throw new LuvitError("bad-argument", `several classes have the name ${name}; perClass() has them all`);
    throw new LuvitError("bad-argument", `there is no class ${name}; there are ${this.classes.join(", ")}`);
  }
}

const names = Object.keys(metrics) as MetricName[];
const percent = (value: number) => (Number.isNaN(value) ? null : 100 * value);

function thresholdAt(iou: number): number {
  const found = iouThresholds.findIndex((threshold) => Math.abs(threshold - iou) < 1e-6);
  if (found >= 0) return found;
  throw new LuvitError("bad-argument", `iou is ${iou}, expected one of 0.5, 0.55, … 0.95`);
}
