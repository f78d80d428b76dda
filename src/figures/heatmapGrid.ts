import { checkOptions, type Field, list, object, optionsOf, whole } from "../core/options";
import { type ColormapName, plotlyColorscale } from "./colormap";
import { type Figure, figure } from "./figure";
import { formatRange } from "./format";
import { colormapField, ends, label, labels, numbers } from "./options";

import type { PanelGrid, PlotlyAxis, PlotlyTrace } from "./spec";
import { arrangePanels } from "./svg/panelGrid";
import { baseLayout } from "./theme";

/** What `heatmapGrid` draws. */
export interface HeatmapGridOptions {
  /** Each map as rows of numbers, first row on top. */
  maps: readonly { title: string; values: readonly (readonly number[])[] }[];
  /** With its unit, beside the color bar. */
  zTitle: string;
  title?: string;
  /** What the columns and the rows of the maps are; default "column" and "row". */
  xTitle?: string;
  yTitle?: string;
  /** Names of the rows and of the columns, where they are the same; default their numbers. */
  labels?: readonly string[];
  /** Most maps in a row; default 4. Where the page is narrow there are fewer. */
  columns?: number;
  /** Default coolwarm for values on both sides of zero, with zero in its middle, else viridis. */
  colormap?: ColormapName;
  /** Values at the ends of the color bar; default the least and the greatest of all maps. */
  range?: [number, number];
}

export const heatmapGridOptions = optionsOf<HeatmapGridOptions>(
  { maps: list(object({ title: label, values: list(numbers, 1) }, {}), 1), zTitle: label },
  {
    title: label,
    xTitle: label,
    yTitle: label,
    labels,
    columns: whole(1, 1000),
    colormap: colormapField,
    range: ends as unknown as Field<[number, number]>,
  },
);

/** Pixels: of the whole figure, of one map at most, between maps. */
const [width, most, gap] = [816, 420, 36];

/**
 * Maps over rows and columns of cells, counted from 0, side by side with one color bar.
 *
 * @example
 * luvit.show(luvit.figures.heatmapGrid({ maps: [{ title: "eye", values: [[1, 0], [0, 1]] }], zTitle: "cosine" }));
 */
export function heatmapGrid(options: HeatmapGridOptions): Figure {
  checkOptions("heatmapGrid", heatmapGridOptions, options);
  const { maps, zTitle, title = "" } = options;
  const { colormap, cmin, cmax } = colorsOf(options);
  const base = baseLayout(title, { colorbar: true });
  const data: PlotlyTrace[] = [];
  const axes: Record<string, PlotlyAxis> = {};
  for (const [index, map] of maps.entries()) {
    const suffix = index === 0 ? "" : String(index + 1);
    const square = { autorange: "reversed" as const, scaleanchor: `x${suffix}` };
    const named = namesOnAxis(options.labels);
    const plain = { showgrid: false, constrain: "domain" as const, ...named };
    axes[`xaxis${suffix}`] = { anchor: `y${suffix}`, ...plain, ...(named && { tickangle: -45 }) };
    axes[`yaxis${suffix}`] = { anchor: `x${suffix}`, ...plain, ...square };
    data.push({
      type: "heatmap",
      name: map.title,
      z: map.values.map((row) => [...row]),
      coloraxis: "coloraxis",
      xaxis: `x${suffix}`,
      yaxis: `y${suffix}`,
      hovertemplate: "row %{y}, column %{x}: %{z:.4g}",
    });
  }
  const panels = gridOf(options, base.margin!.t);
  const colorbar = { title: { text: zTitle, side: "right" as const } };
  const coloraxis = { colorscale: plotlyColorscale(colormap), cmin, cmax, colorbar };
  const layout = arrangePanels({ ...base, ...axes, coloraxis }, panels, width);
  const count = `${maps.length} ${maps.length === 1 ? "map" : "maps"}`;
  const summary = `${count}, ${zTitle} ${formatRange(cmin, cmax).join(" to ")}`;
  return figure(data, layout, summary, panels);
}

/** At most sixteen names, evenly spread. */
function namesOnAxis(names: readonly string[] | undefined): Partial<PlotlyAxis> | undefined {
  if (!names) return undefined;
  const every = Math.ceil(names.length / 16);
  const tickvals = [...names.keys()].filter((i) => i % every === 0);
  return { tickvals, ticktext: tickvals.map((i) => names[i]!) };
}

function gridOf(options: HeatmapGridOptions, top: number): PanelGrid {
  const { maps, xTitle = "column", yTitle = "row", columns = 4 } = options;
  const { length = 1, 0: first = [0] } = maps[0]?.values ?? [];
  const names = Math.max(0, ...(options.labels ?? []).map((name) => 6 * name.length - 24));
  return {
    titles: maps.map((map) => map.title),
    xTitle,
    yTitle,
    ratio: length / Math.max(1, first.length),
    panelWidth: [Math.min(130, Math.max(80, 2 * first.length)), most],
    gap,
    columns,
    margin: { l: 56 + names, r: 92, t: top, b: 52 + names },
  };
}

/** The color map and its ends; around zero the ends are equally far from it. */
function colorsOf({ maps, range, colormap }: HeatmapGridOptions): {
  colormap: ColormapName;
  cmin: number;
  cmax: number;
} {
  const [low, high] = range ?? rangeOf(maps);
  const isAround = low < 0 && high > 0;
  const chosen = colormap ?? (isAround ? "coolwarm" : "viridis");
  if (!isAround || chosen !== "coolwarm") return { colormap: chosen, cmin: low, cmax: high };
  const end = Math.max(-low, high);
  return { colormap: chosen, cmin: -end, cmax: end };
}

function rangeOf(maps: HeatmapGridOptions["maps"]): [number, number] {
  let range: [number, number] | undefined;
  for (const value of maps.flatMap(({ values }) => values.flat())) {
    if (!Number.isFinite(value)) continue;
    range = range ? [Math.min(range[0], value), Math.max(range[1], value)] : [value, value];
  }
  return range ?? [0, 1];
}
