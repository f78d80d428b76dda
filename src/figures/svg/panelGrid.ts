import { sum } from "../../core/mean";
import type { PanelGrid, PlotlyAnnotation, PlotlyAxis, PlotlyLayout } from "../spec";
import { wrapText } from "./text";

const titleSize = 12.5;
const lineHeight = 17.25;
/** Of the numbers below a panel, and from there to the title of the next. */
const numbersBelow = 34;

/** A layout whose panels stand in as many columns as fit a width, with their titles broken into lines that fit. */
export function arrangePanels(layout: PlotlyLayout, grid: PanelGrid, width: number): PlotlyLayout {
  const { titles, gap, ratio, panelWidth, margin, below: belowPanel = numbersBelow } = grid;
  const [least, most] = panelWidth;
  const space = width - margin.l - margin.r;
  const columns = Math.min(
    grid.columns,
    titles.length,
    Math.max(1, Math.floor((space + gap) / (least + gap))),
  );
  const rows = Math.ceil(titles.length / columns);
  const side = Math.min(most, (space - gap * (columns - 1)) / columns);
  const wrapped = titles.map((title) => wrapText(title, titleSize, side + gap - 8));
  const lines = Math.max(...wrapped.map((title) => title.split("<br>").length));
  const head = lines * lineHeight + 6;
  const heights = Array.from({ length: rows }, (_, row) => side * ratioOf(ratio, row * columns, columns));
  const tops = heights.map((_, row) => sum(heights.slice(0, row)) + row * (belowPanel + head));
  const area = {
    width: columns * side + gap * (columns - 1),
    height: sum(heights) + (rows - 1) * (belowPanel + head),
  };
  const axes: Record<string, PlotlyAxis> = {};
  // Titles that it was given for another width go; words in the panels stay.
  const annotations = (layout.annotations ?? []).filter(({ xref }) => xref !== "paper");
  for (const [index, text] of wrapped.entries()) {
    const suffix = index === 0 ? "" : String(index + 1);
    const [column, row] = [index % columns, Math.floor(index / columns)];
    const x0 = (column * (side + gap)) / area.width;
    const y1 = 1 - tops[row]! / area.height;
    const x: [number, number] = [x0, x0 + side / area.width];
    const y: [number, number] = [Math.max(0, y1 - heights[row]! / area.height), y1];
    const isLowest = index + columns >= titles.length;
    axes[`xaxis${suffix}`] = { ...titled(layout, `xaxis${suffix}`, isLowest ? grid.xTitle : ""), domain: x };
    axes[`yaxis${suffix}`] = {
      ...titled(layout, `yaxis${suffix}`, column === 0 ? grid.yTitle : ""),
      domain: y,
    };
    annotations.push(titleAbove(text, (x[0] + x[1]) / 2, y1));
  }
  const around = { ...margin, t: margin.t + Math.round(head) };
  // Above the titles, which a legend of Plotly's would cover.
  const legend = layout.legend && { legend: { ...layout.legend, y: 1 + (head + 6) / area.height } };
  return {
    ...layout,
    ...axes,
    ...legend,
    annotations,
    margin: around,
    width: Math.round(area.width + around.l + around.r),
    height: Math.round(area.height + around.t + around.b),
  };
}

/** Of the highest panel of a row. */
function ratioOf(ratio: number | readonly number[], first: number, columns: number): number {
  return typeof ratio === "number" ? ratio : Math.max(...ratio.slice(first, first + columns));
}

function titled(layout: PlotlyLayout, name: `xaxis${string}` | `yaxis${string}`, text: string): PlotlyAxis {
  return { ...layout[name], title: { text } };
}

function titleAbove(text: string, x: number, y: number): PlotlyAnnotation {
  const place = { xref: "paper", yref: "paper", xanchor: "center", yanchor: "bottom" } as const;
  return { text, x, y, ...place, showarrow: false };
}
