import { checkOptions } from "../core/options";
import { type ColormapName, plotlyColorscale } from "./colormap";
import { type Figure, figure, type PlotlyAnnotation, type PlotlyAxis, type PlotlyTrace } from "./figure";
import { formatNumber } from "./format";
import { heatmapGridOptions } from "./options";
import { baseLayout } from "./theme";

/** What `heatmapGrid` draws. */
export interface HeatmapGridOptions {
  /** Each map as rows of numbers, first row on top. */
  maps: readonly { title: string; values: readonly (readonly number[])[] }[];
  /** With its unit, beside the colour bar. */
  zTitle: string;
  title?: string;
  columns?: number;
  colormap?: ColormapName;
  /** Values at the ends of the colour bar; default the least and the greatest of all maps. */
  range?: [number, number];
}

const [columnGap, rowGap] = [24, 38];

/** Maps over the patch grid side by side with one colour bar. */
export function heatmapGrid(options: HeatmapGridOptions): Figure {
  checkOptions("heatmapGrid", heatmapGridOptions, options);
  const { maps, zTitle, title = "", columns = Math.min(4, Math.max(1, maps.length)) } = options;
  const [cmin, cmax] = options.range ?? rangeOf(maps);
  const size = sizeOf(maps, columns);
  const base = baseLayout(title, { width: size.width + 24 + 92, colorbar: true });
  const margin = { ...base.margin!, l: 24, t: base.margin!.t + 20, b: 20 };
  const axes: Record<string, PlotlyAxis> = {};
  const annotations: PlotlyAnnotation[] = [];
  const data = maps.map((map, index): PlotlyTrace => {
    const suffix = index === 0 ? "" : String(index + 1);
    const x = domain(index % columns, columns, columnGap / size.width);
    const y = domain(size.rows - 1 - Math.floor(index / columns), size.rows, rowGap / size.height);
    const bare = { showticklabels: false, showgrid: false, constrain: "domain" as const };
    axes[`xaxis${suffix}`] = { domain: x, anchor: `y${suffix}`, ...bare };
    const square = { autorange: "reversed" as const, scaleanchor: `x${suffix}` };
    axes[`yaxis${suffix}`] = { domain: y, anchor: `x${suffix}`, ...bare, ...square };
    annotations.push(titleAbove(map.title, (x[0] + x[1]) / 2, y[1]));
    return {
      type: "heatmap",
      name: map.title,
      z: map.values.map((row) => [...row]),
      coloraxis: "coloraxis",
      xaxis: `x${suffix}`,
      yaxis: `y${suffix}`,
      hovertemplate: "row %{y}, column %{x}: %{z:.4g}",
    };
  });
  const colorbar = { title: { text: zTitle, side: "right" as const } };
  const colorscale = plotlyColorscale(options.colormap ?? "viridis");
  const layout = {
    ...base,
    ...axes,
    margin,
    height: size.height + margin.t + margin.b,
    annotations,
    coloraxis: { colorscale, cmin, cmax, colorbar },
  };
  const range = `${formatNumber(cmin)} to ${formatNumber(cmax)}`;
  return figure(data, layout, `${maps.length} maps, ${zTitle} ${range}`);
}

function rangeOf(maps: HeatmapGridOptions["maps"]): [number, number] {
  let range: [number, number] | undefined;
  for (const value of maps.flatMap(({ values }) => values.flat())) {
    if (!Number.isFinite(value)) continue;
    range = range ? [Math.min(range[0], value), Math.max(range[1], value)] : [value, value];
  }
  return range ?? [0, 1];
}

/** The area in which the cells of the first map are square, in pixels. */
function sizeOf(
  maps: HeatmapGridOptions["maps"],
  columns: number,
): { width: number; height: number; rows: number } {
  const rows = Math.max(1, Math.ceil(maps.length / columns));
  const panel = Math.min(320, Math.floor((620 - columnGap * (columns - 1)) / columns));
  const { length = 1, 0: first = [0] } = maps[0]?.values ?? [];
  const tall = Math.round((panel * length) / Math.max(1, first.length));
  return {
    width: columns * panel + columnGap * (columns - 1),
    height: rows * tall + rowGap * (rows - 1),
    rows,
  };
}

function titleAbove(text: string, x: number, y: number): PlotlyAnnotation {
  const place = { xref: "paper", yref: "paper", xanchor: "center", yanchor: "bottom" } as const;
  return { text, x, y, ...place, showarrow: false };
}

function domain(index: number, count: number, gap: number): [number, number] {
  const size = (1 - gap * (count - 1)) / count;
  return [index * (size + gap), index * (size + gap) + size];
}
