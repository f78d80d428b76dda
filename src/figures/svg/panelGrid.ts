import type { PanelGrid, PlotlyAnnotation, PlotlyAxis, PlotlyLayout } from "../spec";
import { wrapText } from "./text";

const titleSize = 12.5;
const lineHeight = 17.25;
/** Of the numbers below a panel, and from there to the title of the next. */
const belowPanel = 34;

/** A layout whose panels stand in as many columns as fit a width, with their titles broken into lines that fit. */
export function arrangePanels(layout: PlotlyLayout, grid: PanelGrid, width: number): PlotlyLayout {
  const { titles, gap, ratio, panelWidth, margin } = grid;
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
  const area = {
    width: columns * side + gap * (columns - 1),
    height: rows * side * ratio + (rows - 1) * (belowPanel + head),
  };
  const axes: Record<string, PlotlyAxis> = {};
  const annotations: PlotlyAnnotation[] = [];
  for (const [index, text] of wrapped.entries()) {
    const suffix = index === 0 ? "" : String(index + 1);
    const [column, row] = [index % columns, Math.floor(index / columns)];
    const x0 = (column * (side + gap)) / area.width;
    const y1 = 1 - (row * (side * ratio + belowPanel + head)) / area.height;
    const x: [number, number] = [x0, x0 + side / area.width];
    const y: [number, number] = [Math.max(0, y1 - (side * ratio) / area.height), y1];
    const isLowest = index + columns >= titles.length;
    axes[`xaxis${suffix}`] = { ...titled(layout, `xaxis${suffix}`, isLowest ? grid.xTitle : ""), domain: x };
    axes[`yaxis${suffix}`] = {
      ...titled(layout, `yaxis${suffix}`, column === 0 ? grid.yTitle : ""),
      domain: y,
    };
    annotations.push(titleAbove(text, (x[0] + x[1]) / 2, y1));
  }
  const around = { ...margin, t: margin.t + Math.round(head) };
  return {
    ...layout,
    ...axes,
    annotations,
    margin: around,
    width: Math.round(area.width + around.l + around.r),
    height: Math.round(area.height + around.t + around.b),
  };
}

function titled(layout: PlotlyLayout, name: `xaxis${string}` | `yaxis${string}`, text: string): PlotlyAxis {
  return { ...layout[name], title: { text } };
}

function titleAbove(text: string, x: number, y: number): PlotlyAnnotation {
  const place = { xref: "paper", yref: "paper", xanchor: "center", yanchor: "bottom" } as const;
  return { text, x, y, ...place, showarrow: false };
}
