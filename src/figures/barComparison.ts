import { checkOptions, list, object, optionsOf } from "../core/options";
import { type Figure, figure } from "./figure";
import { formatNumber } from "./format";
import { label, labels, numbers, side } from "./options";

import type { PlotlyTrace } from "./spec";
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

export const barComparisonOptions = optionsOf<BarComparisonOptions>(
  {
    categories: labels,
    series: list(object({ name: label, values: numbers }, { errors: numbers })),
    yTitle: label,
  },
  { title: label, width: side, height: side },
);

/**
 * Numbers of several models side by side, the value above each bar.
 *
 * @example
 * luvit.show(luvit.figures.barComparison({ title: "Top-1", yTitle: "%", categories: ["val"], series: [{ name: "ViT", values: [83.2] }] }));
 */
export function barComparison(options: BarComparisonOptions): Figure {
  checkOptions("barComparison", barComparisonOptions, options);
  const { categories, series, title = "", yTitle } = options;
  const label = labelsOf(series.flatMap(({ values }) => values));
  const data = series.map(
    ({ name, values, errors }, index): PlotlyTrace => ({
      type: "bar",
      name,
      x: [...categories],
      y: [...values],
      text: values.map(label),
      textposition: errors ? "inside" : "outside",
      hovertemplate: `${name}, %{x}: %{y:.4g}`,
      marker: { color: seriesColor(index) },
      ...(errors ? { error_y: { type: "data", array: [...errors], visible: true } } : {}),
    }),
  );
  const layout = {
    ...baseLayout(title, { width: options.width ?? 600, height: options.height, legend: series.length > 1 }),
    barmode: "group" as const,
    bargap: 1 - barGroupWidth,
    xaxis: { type: "category" as const, showgrid: false },
    yaxis: axis(yTitle, { rangemode: "tozero" }),
  };
  const summary = series.map(
    ({ name, values }) =>
      `${name} ${values.map((value, index) => `${categories[index]} ${formatNumber(value)}`).join(", ")}`,
  );
  return figure(data, layout, summary.join("; "));
}

/** Writes numbers with as many decimals as the one that needs most, three digits of the largest. */
function labelsOf(all: readonly number[]): (value: number) => string {
  const values = all.filter(Number.isFinite);
  const decimals = values.map((value) => decimalsOf(formatNumber(value)));
  const largest = Math.max(...values.map(Math.abs));
  const most = Math.min(Math.max(0, 2 - Math.floor(Math.log10(largest || 1))), Math.max(0, ...decimals));
  const isPlain = values.every((value) => Math.abs(value) < 1000);
  return (value) => (isPlain ? value.toFixed(most) : formatNumber(value)).replace("-", "−");
}

/** Of "0.25" two, of "4.20e-4" five. */
function decimalsOf(number: string): number {
  const [digits, power = "0"] = number.split("e");
  return (String(Number(digits)).split(".")[1]?.length ?? 0) - Number(power);
}
