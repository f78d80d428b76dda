import { type ColormapName, plotlyColorscale } from "./colormap";
import { formatNumber } from "./format";
import {
  type PlotlyAnnotation,
  type PlotlyAxis,
  type PlotlyFigure,
  type PlotlyTrace,
  figure,
} from "./figure";
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

/** Maps over the patch grid side by side with one colour bar. */
export function heatmapGrid(options: HeatmapGridOptions): PlotlyFigure {
  const { maps, zTitle, title = "", columns = Math.min(4, Math.max(1, maps.length)) } = options;
  const rows = Math.max(1, Math.ceil(maps.length / columns));
  const values = maps.flatMap((map) => map.values.flat()).filter(Number.isFinite);
  const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const greatest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const [cmin, cmax] = options.range ?? (values.length > 0 ? [least, greatest] : [0, 1]);
  const axes: Record<string, PlotlyAxis> = {};
  const annotations: PlotlyAnnotation[] = [];
  const data = maps.map((map, index): PlotlyTrace => {
    const suffix = index === 0 ? "" : String(index + 1);
    const [x, y] = [
      cellDomain(index % columns, columns, 0.05),
      cellDomain(rows - 1 - Math.floor(index / columns), rows, 0.16),
    ];
    axes[`xaxis${suffix}`] = {
      domain: x,
      anchor: `y${suffix}`,
      showticklabels: false,
      showgrid: false,
      constrain: "domain",
    };
    axes[`yaxis${suffix}`] = {
      domain: y,
      anchor: `x${suffix}`,
      showticklabels: false,
      showgrid: false,
      autorange: "reversed",
      scaleanchor: `x${suffix}`,
      constrain: "domain",
    };
    annotations.push({
      text: map.title,
      x: (x[0] + x[1]) / 2,
      y: y[1],
      xref: "paper",
      yref: "paper",
      xanchor: "center",
      yanchor: "bottom",
      showarrow: false,
    });
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
  const cell = Math.min(300, 640 / columns);
  const base = baseLayout(title, { width: Math.round(columns * cell + 140), colorbar: true });
  const margin = { ...base.margin!, l: 24, t: base.margin!.t + 20, b: 20 };
  const layout = {
    ...base,
    ...axes,
    margin,
    height: Math.round(rows * (cell + 30) + margin.t + margin.b),
    annotations,
    coloraxis: {
      colorscale: plotlyColorscale(options.colormap ?? "viridis"),
      cmin,
      cmax,
      colorbar: { title: { text: zTitle, side: "right" as const } },
    },
  };
  return figure(
    data,
    layout,
    `${maps.length} maps, ${zTitle} ${formatNumber(cmin)} to ${formatNumber(cmax)}`,
  );
}

function cellDomain(index: number, count: number, gap: number): [number, number] {
  const size = (1 - gap * (count - 1)) / count;
  return [index * (size + gap), index * (size + gap) + size];
}
