import { checkOptions, list, object, oneOf, optionsOf, whole } from "../core/options";
import { type Figure, figure } from "./figure";
import { formatNumber } from "./format";
import { label, numbers, sameLength, side } from "./options";

import type { PlotlyTrace } from "./spec";
import { axis, baseLayout, seriesColor } from "./theme";

/** One quantity over training steps. */
export interface CurveSeries {
  name: string;
  steps: readonly number[];
  values: readonly number[];
}

/** What `lossCurves` draws. */
export interface LossCurvesOptions {
  series: readonly CurveSeries[];
  title?: string;
  /** With its unit; default `loss`. */
  yTitle?: string;
  xTitle?: string;
  yScale?: "linear" | "log";
  /** Points over which the strong line averages; default a 25th of the series, at least 5; none below 20 points. */
  smoothing?: number;
  /** Most points drawn per line; default 1000. */
  maxPoints?: number;
  width?: number;
  height?: number;
}

export const lossCurvesOptions = optionsOf<LossCurvesOptions>(
  { series: list(object({ name: label, steps: numbers, values: numbers }, {}, sameLength)) },
  {
    title: label,
    yTitle: label,
    xTitle: label,
    yScale: oneOf(["linear", "log"]),
    smoothing: whole(1, 1_000_000),
    maxPoints: whole(2, 100_000),
    width: side,
    height: side,
  },
);

/** Training curves: the raw values faint, their moving mean strong. */
export function lossCurves(options: LossCurvesOptions): Figure {
  checkOptions("lossCurves", lossCurvesOptions, options);
  const { series, title = "", yTitle = "loss", xTitle = "optimizer step", maxPoints = 1000 } = options;
  const data = series.flatMap((curve, index) =>
    curveTraces(curve, seriesColor(index), options.smoothing, maxPoints),
  );
  const layout = {
    ...baseLayout(title, { width: options.width, height: options.height, legend: series.length > 1 }),
    xaxis: axis(xTitle),
    yaxis: axis(yTitle, { type: options.yScale ?? "linear" }),
  };
  return figure(data, layout, series.map(describeCurve).join("; "));
}

function curveTraces(
  curve: CurveSeries,
  color: string,
  window: number | undefined,
  maxPoints: number,
): PlotlyTrace[] {
  const smooth = movingMean(curve.values, window ?? smoothingWindow(curve.values.length));
  const keep = thin(curve.values.length, maxPoints);
  const x = keep.map((index) => curve.steps[index] ?? index);
  const shared = { type: "scatter" as const, legendgroup: curve.name, x };
  const raw = keep.map((index) => round(curve.values[index]!));
  const strong = keep.map((index) => round(smooth[index]!));
  return [
    {
      ...shared,
      name: `${curve.name}, raw`,
      mode: "lines",
      y: raw,
      line: { color, width: 1.2 },
      opacity: 0.49,
      showlegend: false,
      hoverinfo: "skip",
    },
    {
      ...shared,
      name: curve.name,
      // One value alone has no line.
      mode: strong.length === 1 ? "lines+markers" : "lines",
      y: strong,
      line: { color, width: 2.2 },
      hovertemplate: "step %{x}: %{y:.4g}",
    },
  ];
}

/** Over how many of so many values a curve is smoothed: a 25th, at least 5; few values stay as they are. */
export function smoothingWindow(length: number): number {
  return length < 20 ? 1 : Math.max(5, Math.round(length / 25));
}

/** Mean over the `window` values around each one, evenly fewer at the ends; gaps and infinities are left out. */
export function movingMean(values: readonly number[], window: number): number[] {
  const half = Math.floor(window / 2);
  const sums = [0];
  const counts = [0];
  for (const value of values) {
    const finite = Number.isFinite(value);
    sums.push(sums[sums.length - 1]! + (finite ? value : 0));
    counts.push(counts[counts.length - 1]! + (finite ? 1 : 0));
  }
  return values.map((_, index) => {
    const reach = Math.min(half, Math.max(Math.ceil(half / 3), Math.min(index, values.length - 1 - index)));
    const [from, to] = [Math.max(0, index - reach), Math.min(values.length, index + reach + 1)];
    return (sums[to]! - sums[from]!) / (counts[to]! - counts[from]!);
  });
}

/** At most `most` indices of 0..length-1, evenly spread, with the first and the last. */
export function thin(length: number, most: number): number[] {
  if (length <= most) return Array.from({ length }, (_, index) => index);
  return Array.from({ length: most }, (_, index) => Math.round((index * (length - 1)) / (most - 1)));
}

function describeCurve({ name, steps, values }: CurveSeries): string {
  if (values.length === 0) return `${name}: no values yet`;
  const last = values.length - 1;
  return `${name} ${formatNumber(values[0]!)} → ${formatNumber(values[last]!)} over ${formatNumber(steps[last] ?? last)} steps`;
}

/** Six digits: more than a screen can show, half the size in the file. */
function round(value: number): number {
  return Number(value.toPrecision(6));
}
