import { checkOptions, list, object, oneOf, optionsOf } from "../core/options";
import { type Figure, figure } from "./figure";
import { label, objects, side } from "./options";

import type { PanelGrid, PlotlyAxis, PlotlyTrace } from "./spec";
import { arrangePanels } from "./svg/panelGrid";
import { baseLayout, neutralColor, seriesColor, symbols } from "./theme";

const [xTitle, yTitle] = ["mean background entropy (nats)", "mean foreground entropy (nats)"];

/** Mean attention entropy of one image, in nats, over its background and its foreground patches. */
export interface EntropyPoint {
  background: number;
  foreground: number;
  /** Shown on hover, for instance the file name. */
  label?: string;
}

/** The images of one model. */
export interface EntropySeries {
  name: string;
  points: readonly EntropyPoint[];
}

/** What `entropyScatter` draws: one cloud (`points`) or one per model (`series`). */
export interface EntropyScatterOptions {
  points?: readonly EntropyPoint[];
  series?: readonly EntropySeries[];
  title?: string;
  /** Models next to each other with shared axes (default) or over each other in two colors. */
  layout?: "side by side" | "together";
  height?: number;
}

const points = objects<NonNullable<EntropyScatterOptions["points"]>>(
  "a list of points { background, foreground }",
);

export const entropyScatterOptions = optionsOf<EntropyScatterOptions>(
  {},
  {
    points,
    series: list(object({ name: label, points }, {})),
    title: label,
    layout: oneOf(["side by side", "together"]),
    height: side,
  },
);

/**
 * Foreground against background attention entropy, one point per image. Below the diagonal the attention over the
 * background is the more spread out; the share of such images is in the title of each panel.
 */
export function entropyScatter(options: EntropyScatterOptions): Figure {
  checkOptions("entropyScatter", entropyScatterOptions, options);
  const series = options.series ?? [{ name: "", points: options.points ?? [] }];
  if (options.layout === "together" || series.length === 1) return onePanel(options, series);
  const range = sharedRange(series);
  const data: PlotlyTrace[] = [];
  const axes: Record<string, PlotlyAxis> = {};
  for (const [index, model] of series.entries()) {
    const suffix = index === 0 ? "" : String(index + 1);
    const place = { xaxis: `x${suffix}`, yaxis: `y${suffix}` };
    data.push({ ...diagonal(range), ...place }, { ...cloud(model, index), ...place });
    Object.assign(axes, panelAxes(suffix, range));
  }
  const base = baseLayout(options.title ?? "");
  const panels: PanelGrid = {
    titles: series.map(panelTitle),
    xTitle,
    yTitle,
    ratio: 1,
    panelWidth: [200, 400],
    gap: 44,
    columns: series.length,
    margin: { ...base.margin!, t: base.margin!.t },
  };
  const layout = arrangePanels({ ...base, ...axes }, panels, Math.min(1000, 88 + 380 * series.length));
  return figure(data, layout, series.map(headlineOf).join("; "), panels);
}

/** One cloud, or several over each other. */
function onePanel(options: EntropyScatterOptions, series: readonly EntropySeries[]): Figure {
  const range = sharedRange(series);
  const data = [diagonal(range), ...series.map(cloud)];
  const headline = [options.title, ...series.map((model) => `<sub>${headlineOf(model)}</sub>`)];
  const size = { width: 560, height: options.height ?? 520, legend: series.length > 1 };
  const axes = panelAxes("", range);
  axes.xaxis = { ...axes.xaxis, title: { text: xTitle } };
  axes.yaxis = { ...axes.yaxis, title: { text: yTitle } };
  const layout = { ...baseLayout(headline.filter(Boolean).join("<br>"), size), ...axes };
  return figure(data, layout, series.map(headlineOf).join("; "));
}

/** Share of images whose background entropy is above their foreground entropy; NaN without images. */
export function shareBelowDiagonal(points: readonly EntropyPoint[]): number {
  return points.filter((point) => point.background > point.foreground).length / points.length;
}

function headlineOf({ name, points }: EntropySeries): string {
  const prefix = name === "" ? "" : `${name}: `;
  if (points.length === 0) return `${prefix}no images`;
  const percent = (100 * shareBelowDiagonal(points)).toFixed(1).replace(/\.0$/, "");
  return `${prefix}background > foreground in ${percent} % of ${points.length} images`;
}

function cloud(series: EntropySeries, index: number): PlotlyTrace {
  const size = series.points.length > 400 ? 5 : series.points.length > 80 ? 7 : 9;
  return {
    type: "scatter",
    mode: "markers",
    name: series.name === "" ? "images" : series.name,
    x: series.points.map((point) => point.background),
    y: series.points.map((point) => point.foreground),
    text: series.points.map((point, image) => point.label ?? `image ${image + 1}`),
    hovertemplate: "%{text}<br>background %{x:.3f} nats<br>foreground %{y:.3f} nats",
    marker: { color: seriesColor(index), size, symbol: symbols[index % symbols.length]! },
    opacity: series.points.length > 80 ? 0.72 : 0.9,
  };
}

function diagonal([low, high]: [number, number]): PlotlyTrace {
  const line = { color: neutralColor, width: 1.5, dash: "dash" as const };
  return {
    type: "scatter",
    mode: "lines",
    name: "equal",
    x: [low, high],
    y: [low, high],
    line,
    showlegend: false,
    hoverinfo: "skip",
  };
}

function panelAxes(suffix: string, range: [number, number]): Record<string, PlotlyAxis> {
  const x: PlotlyAxis = { range, anchor: `y${suffix}`, constrain: "domain" };
  const y: PlotlyAxis = {
    range,
    anchor: `x${suffix}`,
    scaleanchor: `x${suffix}`,
    constrain: "domain",
  };
  return { [`xaxis${suffix}`]: x, [`yaxis${suffix}`]: y };
}

function panelTitle({ name, points }: EntropySeries): string {
  const share = headlineOf({ name: "", points });
  return name === "" ? share : `<b>${name}</b><br><sub>${share}</sub>`;
}

/** One range for both axes of all panels, with some air. */
function sharedRange(series: readonly EntropySeries[]): [number, number] {
  const values = series
    .flatMap(({ points }) => points.flatMap((point) => [point.background, point.foreground]))
    .filter(Number.isFinite);
  if (values.length === 0) return [0, 1];
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const air = Math.max(0.02, 0.06 * (high - low));
  return [low - air, high + air];
}
