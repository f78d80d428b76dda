import { DetectionScores } from "../analysis/detection/scores";
import { LuvitError } from "../core/errors";
import { checkOptions, instance, list, named, number, oneOf, optionsOf, whole } from "../core/options";
import { type Figure, figure } from "./figure";
import { label } from "./options";
import type { PanelGrid, PlotlyAxis, PlotlyTrace } from "./spec";
import { arrangePanels } from "./svg/panelGrid";
import { baseLayout, seriesColor } from "./theme";

/** What `precisionRecall` draws. */
export interface PrecisionRecallOptions {
  /** Scores by the name of their detector; all of boxes, or all of masks. */
  scores: Readonly<Record<string, DetectionScores>>;
  /** What the panels are: overlaps (default), classes, or sizes of objects. */
  by?: "iou" | "class" | "size";
  /** Overlaps, each with a panel of its own beside the mean over all ten; default 0.5, 0.75 and 0.9. */
  ious?: readonly number[];
  /** Classes, each with a panel of its own; default the first 12. */
  classes?: readonly string[];
  title?: string;
  /** Most panels in a row; default 3 or 4. */
  columns?: number;
}

export const precisionRecallOptions = optionsOf<PrecisionRecallOptions>(
  { scores: named(instance(DetectionScores, "what coco.evaluate gave")) },
  {
    by: oneOf(["iou", "class", "size"]),
    ious: list(number(0, 1)),
    classes: list(label, 1),
    title: label,
    columns: whole(1, 100),
  },
);

/** More panels than these are asked for by name. */
const MOST_CLASSES = 12;

type Choice = Parameters<DetectionScores["averagePrecision"]>[0];

/**
 * Precision over recall, a panel per overlap, class or size of objects and a line per detector; the area under each line
 * is its average precision, which stands above it.
 *
 * @throws LuvitError("bad-argument") for no scores, for scores of boxes beside scores of masks, and classes that are none.
 * @example
 * const truth = await luvit.coco.read("data/shapes/coco/annotations/instances_val.json");
 * const found = truth.annotations.map(({ imageId, categoryId, box }, i) => ({ imageId, categoryId, box, score: 1 / (i + 1) }));
 * const scores = await luvit.coco.evaluate(truth, found, { kind: "bbox" });
 * luvit.show(luvit.figures.precisionRecall({ scores: { LUViT: scores } }));
 */
export function precisionRecall(options: PrecisionRecallOptions): Figure {
  checkOptions("precisionRecall", precisionRecallOptions, options);
  const all = Object.entries(options.scores);
  expectOneKind(all);
  const panels = panelsOf(options, all[0]![1].classes);
  const data = panels.flatMap(({ choice }, panel) =>
    all.map(([name, scores], index) => curve(name, scores.precisionRecall(choice), index, panel)),
  );
  const axes: Record<string, PlotlyAxis> = {};
  for (const panel of panels.keys()) {
    const suffix = panel === 0 ? "" : String(panel + 1);
    axes[`xaxis${suffix}`] = { range: [0, 1], anchor: `y${suffix}` };
    axes[`yaxis${suffix}`] = { range: [0, 1.02], anchor: `x${suffix}` };
  }
  const base = baseLayout(options.title ?? "", { legend: all.length > 1 });
  const grid: PanelGrid = {
    titles: panels.map(({ title, choice }) => panelTitle(title, all, choice)),
    xTitle: "recall",
    yTitle: "precision",
    ratio: 0.82,
    panelWidth: [128, 300],
    gap: 40,
    columns: options.columns ?? (panels.length % 3 === 0 ? 3 : 4),
    margin: base.margin!,
  };
  const columns = Math.min(grid.columns, panels.length);
  const layout = arrangePanels({ ...base, ...axes }, grid, Math.min(1100, 88 + 270 * columns));
  const summary = all.map(([name, scores]) => `${name} AP ${percent(scores.averagePrecision())} %`);
  return figure(data, layout, `precision over recall, ${summary.join(", ")}`, grid);
}

function expectOneKind(all: readonly (readonly [string, DetectionScores])[]): void {
  if (all.length === 0) throw new LuvitError("bad-argument", "precisionRecall: there are no scores");
  const kinds = new Set(all.map(([, { kind, classes }]) => `${kind} of ${classes.join(", ")}`));
  if (kinds.size === 1) return;
  const found = [...kinds].join("; and ");
  throw new LuvitError("bad-argument", `precisionRecall: scores of different things, ${found}`);
}

function panelsOf(
  { by = "iou", ious = [0.5, 0.75, 0.9], classes }: PrecisionRecallOptions,
  known: readonly string[],
): { title: string; choice: Choice }[] {
  if (by === "class")
    return (classes ?? known.slice(0, MOST_CLASSES)).map((label) => ({ title: label, choice: { label } }));
  if (by === "size")
    return (["all", "small", "medium", "large"] as const).map((size) => {
      return { title: size === "all" ? "all sizes" : size, choice: { size } };
    });
  const single = ious.map((iou) => ({ title: `overlap ${iou}`, choice: { iou } }));
  return [{ title: "overlaps 0.5 to 0.95", choice: {} }, ...single];
}

function curve(
  name: string,
  { recall, precision }: { recall: number[]; precision: number[] },
  index: number,
  panel: number,
): PlotlyTrace {
  const suffix = panel === 0 ? "" : String(panel + 1);
  return {
    type: "scatter",
    mode: "lines",
    name,
    legendgroup: name,
    showlegend: panel === 0,
    x: recall.map((point) => Number(point.toFixed(2))),
    y: precision.map((value) => (Number.isNaN(value) ? null : Number(value.toPrecision(6)))),
    line: { color: seriesColor(index), width: 2.2, dash: (["solid", "dash", "dot"] as const)[index % 3]! },
    hovertemplate: `${name}<br>recall %{x}, precision %{y:.3f}`,
    xaxis: `x${suffix}`,
    yaxis: `y${suffix}`,
  };
}

function panelTitle(
  title: string,
  all: readonly (readonly [string, DetectionScores])[],
  choice: Choice,
): string {
  const values = all.map(([, scores]) => scores.averagePrecision(choice));
  const told = values.every(Number.isNaN) ? "no objects" : `AP ${values.map(percent).join(" | ")}`;
  return `<b>${title.replace(/</g, "&lt;")}</b><br><sub>${told}</sub>`;
}

const percent = (value: number) => (Number.isNaN(value) ? "–" : (100 * value).toFixed(1));
