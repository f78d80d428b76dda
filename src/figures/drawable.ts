import { LuvitError } from "../core/errors";
import type { PlotlyFigure, PlotlyLayout, PlotlyTrace } from "./spec";

const drawnTypes: readonly string[] = ["scatter", "bar", "heatmap"];

/** Whether the renderer here can draw a figure; others are drawn by Plotly itself, in a page. */
export function isDrawable(figure: PlotlyFigure): boolean {
  return undrawn(figure).length === 0;
}

/** What of a figure Plotly draws and the renderer here does not: types of traces, and ways of those it knows. */
function undrawn({ data, layout }: PlotlyFigure): string[] {
  const { barmode = "group" } = layout as { barmode?: unknown };
  const found = data.flatMap((trace) => {
    if (!drawnTypes.includes(trace.type)) return [trace.type as string];
    const { orientation } = trace as { orientation?: unknown };
    return [
      ...(trace.type === "bar" && orientation === "h" ? ["horizontal bars"] : []),
      ...(trace.type === "bar" && barmode !== "group" ? [`bars that are not side by side (${barmode})`] : []),
      ...(trace.type === "heatmap" && !hasColors(trace, layout)
        ? ["a heatmap without a color scale in numbers"]
        : []),
      ...([trace.x, trace.y, trace.z].some(isPacked) ? ["packed numbers (bdata)"] : []),
    ];
  });
  return [...new Set(found)];
}

/** Plotly also takes a color scale by its name, or has one of its own. */
function hasColors({ coloraxis, colorscale }: PlotlyTrace, layout: PlotlyLayout): boolean {
  const own = coloraxis === undefined ? colorscale : undefined;
  const scale: unknown = own ?? layout.coloraxis?.colorscale;
  return Array.isArray(scale) && scale.length > 1 && scale.every(isStop);
}

const isStop = (stop: unknown) =>
  Array.isArray(stop) && typeof stop[0] === "number" && typeof stop[1] === "string";

const isPacked = (values: unknown) => typeof values === "object" && values !== null && "bdata" in values;

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
  const others = undrawn(figure);
  if (others.length === 0) return;
  throw new LuvitError(
    "bad-argument",
    `${path}: still images are made of ${drawnTypes.join(", ")} traces, this figure has ${others.join(", ")}; save it as .html, where Plotly draws it`,
  );
}
