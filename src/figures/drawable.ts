import { LuvitError } from "../core/errors";
import type { PlotlyFigure } from "./spec";

const drawnTypes: readonly string[] = ["scatter", "bar", "heatmap"];

/** Whether the renderer here can draw a figure; others are drawn by Plotly itself, in a page. */
export function isDrawable(figure: PlotlyFigure): boolean {
  return figure.data.every(({ type }) => drawnTypes.includes(type));
}

/** What Plotly's cartesian bundle knows. */
const plotlyTypes: readonly string[] = [
  ...drawnTypes,
  "box",
  "contour",
  "histogram",
  "histogram2d",
  "histogram2dcontour",
  "image",
  "pie",
  "scatterternary",
  "violin",
];

/** Whether the Plotly that comes with this library can draw a figure; the rest is for viewers that have all of it. */
export function isPlotlyDrawable(figure: PlotlyFigure): boolean {
  return figure.data.every(({ type }) => plotlyTypes.includes(type));
}

/** @throws LuvitError("bad-argument") when a still image is asked of what only Plotly can draw. */
export function expectDrawable(figure: PlotlyFigure, path: string): void {
  if (isDrawable(figure)) return;
  const others = [...new Set(figure.data.map(({ type }) => type as string))].filter(
    (type) => !drawnTypes.includes(type),
  );
  throw new LuvitError(
    "bad-argument",
    `${path}: still images are made of ${drawnTypes.join(", ")} traces, this figure has ${others.join(", ")}; save it as .html, where Plotly draws it`,
  );
}
