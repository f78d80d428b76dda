import { formatNumber } from "./format";
import { type PlotlyAnnotation, type PlotlyFigure, type PlotlyTrace, figure } from "./figure";
import { axis, barGroupWidth, baseLayout, seriesColor } from "./theme";

/** One model's bars. */
export interface BarSeries {
  name: string;
  /** One per category. */
  values: readonly number[];
  /** Half widths of the error bars, in the values' unit. */
  errors?: readonly number[];
}

/** What `barComparison` draws. */
export interface BarComparisonOptions {
  categories: readonly string[];
  series: readonly BarSeries[];
  /** With its unit. */
  yTitle: string;
  title?: string;
  width?: number;
  height?: number;
}

/** Numbers of several models side by side, the value above each bar. */
export function barComparison(options: BarComparisonOptions): PlotlyFigure {
  const { categories, series, title = "", yTitle } = options;
  const data = series.map(
    ({ name, values, errors }, index): PlotlyTrace => ({
      type: "bar",
      name,
      x: [...categories],
      y: [...values],

      hovertemplate: `${name}, %{x}: %{y:.4g}`,
      marker: { color: seriesColor(index) },
      ...(errors ? { error_y: { type: "data", array: [...errors], visible: true } } : {}),
    }),
  );
  const layout = {
    ...baseLayout(title, { width: options.width ?? 600, height: options.height, legend: series.length > 1 }),
    barmode: "group" as const,
    bargap: 1 - barGroupWidth,
    annotations: series.flatMap((one, index) => barLabels(one, index, series.length)),
    xaxis: { type: "category" as const, showgrid: false },
    yaxis: axis(yTitle, { rangemode: "tozero" }),
  };
  const summary = series.map(
    ({ name, values }) =>
      `${name} ${values.map((value, index) => `${categories[index]} ${formatNumber(value)}`).join(", ")}`,
  );
  return figure(data, layout, summary.join("; "));
}

/** The values, each above its bar and its error bar. */
function barLabels({ values, errors }: BarSeries, index: number, count: number): PlotlyAnnotation[] {
  const shift = ((index - (count - 1) / 2) * barGroupWidth) / count;
  return values.map((value, category) => ({
    text: formatNumber(value),
    x: category + shift,
    y: Math.max(0, value + (errors?.[category] ?? 0)),
    xref: "x",
    yref: "y",
    xanchor: "center",
    yanchor: "bottom",
    showarrow: false,
    font: { size: 11.5 },
  }));
}
