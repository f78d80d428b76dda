import { type DetectionErrorKind, errorKinds } from "../analysis/detection/errorKinds";
import { DetectionErrors } from "../analysis/detection/errors";
import { LuvitError } from "../core/errors";
import { checkOptions, instance, named, optionsOf } from "../core/options";
import { type Figure, figure } from "./figure";
import { label } from "./options";
import type { PanelGrid, PlotlyAxis, PlotlyTrace } from "./spec";
import { arrangePanels } from "./svg/panelGrid";
import { barGroupWidth, baseLayout, seriesColor } from "./theme";

/** What `detectionErrors` draws. */
export interface DetectionErrorsOptions {
  /** Errors by the name of their detector. */
  errors: Readonly<Record<string, DetectionErrors>>;
  title?: string;
}

export const detectionErrorsOptions = optionsOf<DetectionErrorsOptions>(
  { errors: named(instance(DetectionErrors, "what coco.errorsByKind gave")) },
  { title: label },
);

/** What is wrong, in a word that fits below a bar. */
const words: Readonly<Record<DetectionErrorKind, string>> = {
  classification: "class",
  localization: "place",
  both: "both",
  duplicate: "twice",
  background: "nothing",
  missed: "missed",
};

/**
 * Errors by kind, a bar per detector: how much AP50 each kind costs, and how many there are.
 *
 * @throws LuvitError("bad-argument") for no errors to draw.
 * @example
 * const truth = await luvit.coco.read("data/shapes/coco/annotations/instances_val.json");
 * const errors = await luvit.coco.errorsByKind(truth, []);
 * luvit.show(luvit.figures.detectionErrors({ errors: { LUViT: errors } }));
 */
export function detectionErrors(options: DetectionErrorsOptions): Figure {
  checkOptions("detectionErrors", detectionErrorsOptions, options);
  const all = Object.entries(options.errors);
  if (all.length === 0) throw new LuvitError("bad-argument", "detectionErrors: there are no errors to draw");
  const cost = all.map(([name, errors], index) =>
    bars(name, index, "", errors, (kind) => Number((100 * errors.gain[kind]).toFixed(2))),
  );
  const count = all.map(([name, errors], index) =>
    bars(name, index, "2", errors, (kind) => errors.count(kind)),
  );
  const axes: Record<string, PlotlyAxis> = {
    xaxis: { type: "category", showgrid: false, anchor: "y" },
    xaxis2: { type: "category", showgrid: false, anchor: "y2" },
    yaxis: { rangemode: "tozero", anchor: "x" },
    yaxis2: { rangemode: "tozero", anchor: "x2" },
  };
  const base = baseLayout(options.title ?? "", { legend: all.length > 1 });
  const grid: PanelGrid = {
    titles: [
      "<b>AP50 lost</b><br><sub>points, if all of a kind were mended</sub>",
      "<b>Number of errors</b><br><sub>up to 100 results an image and class</sub>",
    ],
    xTitle: "what is wrong",
    yTitle: "",
    ratio: 0.62,
    panelWidth: [280, 440],
    gap: 48,
    columns: 2,
    margin: base.margin!,
  };
  const layout = arrangePanels({ ...base, ...axes, barmode: "group", bargap: 1 - barGroupWidth }, grid, 968);
  return figure([...cost, ...count], layout, all.map(summaryOf).join("; "), grid);
}

function bars(
  name: string,
  index: number,
  suffix: "" | "2",
  errors: DetectionErrors,
  numberOf: (kind: DetectionErrorKind) => number,
): PlotlyTrace {
  const values = errorKinds.map(numberOf);
  const told = errorKinds.map((kind) => {
    return `${kind}: ${errors.count(kind)}, ${(100 * errors.gain[kind]).toFixed(1)} points of AP50`;
  });
  return {
    type: "bar",
    name,
    legendgroup: name,
    showlegend: suffix === "",
    x: errorKinds.map((kind) => words[kind]),
    y: values,
    customdata: told,
    hovertemplate: `${name}<br>%{customdata}`,
    text: values.map((value) => (suffix === "" ? brief(value) : String(value))),
    textposition: "outside",
    marker: { color: seriesColor(index) },
    xaxis: `x${suffix}`,
    yaxis: `y${suffix}`,
  };
}

/** Two digits: longer ones would stand in each other's way. */
const brief = (value: number) => value.toFixed(Math.abs(value) < 9.95 ? 1 : 0).replace("-", "−");

function summaryOf([name, errors]: readonly [string, DetectionErrors]): string {
  const kinds = errorKinds.map(
    (kind) => `${kind} ${errors.count(kind)} (${(100 * errors.gain[kind]).toFixed(1)})`,
  );
  return `${name}: AP50 ${(100 * errors.ap50).toFixed(1)}, errors (and points lost) ${kinds.join(", ")}`;
}
