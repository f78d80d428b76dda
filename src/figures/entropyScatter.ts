import { checkOptions } from "../core/options";
import { type Figure, figure, type PlotlyAnnotation, type PlotlyAxis, type PlotlyTrace } from "./figure";
import { entropyScatterOptions } from "./options";
import { axis, baseLayout, neutralColor, seriesColor, symbols } from "./theme";

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
  /** Models next to each other with shared axes (default) or over each other in two colours. */
  layout?: "side by side" | "together";
  height?: number;
}

/**
 * Foreground against background attention entropy, one point per image. Below the diagonal the attention over the
 * background is the more spread out; the share of such images is in the title of each panel.
 */
export function entropyScatter(options: EntropyScatterOptions): Figure {
  checkOptions("entropyScatter", entropyScatterOptions, options);
  const series = options.series ?? [{ name: "", points: options.points ?? [] }];
  const panels = options.layout === "together" ? [series] : series.map((one) => [one]);
  const range = sharedRange(series);
  const data: PlotlyTrace[] = [];
  const axes: Record<string, PlotlyAxis> = {};
  for (const [index, models] of panels.entries()) {
    const suffix = index === 0 ? "" : String(index + 1);
    const place = { xaxis: `x${suffix}`, yaxis: `y${suffix}` };
    data.push({ ...diagonal(range), ...place });
    for (const model of models) data.push({ ...cloud(model, series.indexOf(model)), ...place });
    Object.assign(axes, panelAxes(index, panels.length, range));
  }
  const height = options.height ?? (panels.length > 1 ? 460 : 520);
  const width = panels.length > 1 ? Math.min(1000, 60 + 400 * panels.length) : 560;
  const together = panels[0]!.length > 1;
  const headline = [
    options.title,
    ...(panels.length === 1 ? panels[0]!.map((model) => `<sub>${headlineOf(model)}</sub>`) : []),
  ];
  const layout = {
    ...baseLayout(headline.filter(Boolean).join("<br>"), { width, height, legend: together }),
    ...axes,
    annotations:
      panels.length > 1 ? panels.map((models, index) => panelTitle(models[0]!, index, panels.length)) : [],
  };
  layout.margin = { ...layout.margin!, t: layout.margin!.t + (panels.length > 1 ? 36 : 0) };
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

function panelAxes(index: number, count: number, range: [number, number]): Record<string, PlotlyAxis> {
  const suffix = index === 0 ? "" : String(index + 1);
  const gap = 0.08;
  const width = (1 - gap * (count - 1)) / count;
  const left = index * (width + gap);
  const x = axis("mean background entropy (nats)", {
    range,
    domain: [left, left + width],
    anchor: `y${suffix}`,
    constrain: "domain",
  });
  const y = axis(index === 0 ? "mean foreground entropy (nats)" : "", {
    range,
    anchor: `x${suffix}`,
    scaleanchor: `x${suffix}`,
    constrain: "domain",
  });
  return { [`xaxis${suffix}`]: x, [`yaxis${suffix}`]: y };
}

function panelTitle(series: EntropySeries, index: number, count: number): PlotlyAnnotation {
  const gap = 0.08;
  const width = (1 - gap * (count - 1)) / count;
  const [model, share] = headlineOf(series).split(/: (.*)/);
  const text = share === undefined ? model! : `<b>${model}</b><br><sub>${share}</sub>`;
  const x = index * (width + gap) + width / 2;
  return {
    text,
    x,
    y: 1.01,
    xref: "paper",
    yref: "paper",
    xanchor: "center",
    yanchor: "bottom",
    showarrow: false,
  };
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
