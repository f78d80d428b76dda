/** What notebooks hand to Plotly where they have it. */
export const plotlyMime = "application/vnd.plotly.v1+json";

/** A coordinate: a number, a category or nothing. */
export type PlotlyDatum = number | string | null;

/** Text with Plotly's small HTML: `<br>`, `<b>`, `<sub>`. */
export interface PlotlyText {
  text: string;
  font?: { size?: number; color?: string };
  side?: "right" | "top";
}

/** The part of Plotly's traces that our figures use. */
export interface PlotlyTrace {
  type: "scatter" | "bar" | "heatmap";
  name?: string;
  x?: PlotlyDatum[];
  y?: PlotlyDatum[];
  z?: (number | null)[][];
  mode?: "lines" | "markers" | "lines+markers";
  line?: { color?: string; width?: number; dash?: "solid" | "dash" | "dot" };
  marker?: {
    color?: string;
    size?: number;
    symbol?: PlotlySymbol;
    line?: { width?: number; color?: string };
  };
  error_y?: { type: "data"; array: number[]; visible?: boolean };
  /** Closes the line and fills what it encloses. */
  fill?: "toself";
  fillcolor?: string;
  /** `fills`: pointing into the filled shape counts. */
  hoveron?: "fills";
  opacity?: number;
  /** A text a point; one for all where it is pointed into a filled shape. */
  text?: string[] | string;
  textposition?: "inside" | "outside";
  /** More words for `hovertemplate`, a text a point. */
  customdata?: string[];
  /** Words for `hovertemplate`, a text a cell of a heatmap. */
  hovertext?: string[][];
  /** `legendonly`: switched off in the legend. */
  visible?: boolean | "legendonly";
  hovertemplate?: string;
  hoverinfo?: "skip" | "all" | "text";
  showlegend?: boolean;
  legendgroup?: string;
  coloraxis?: string;
  /** Of a heatmap without a color axis: its own colors, and the values at their ends. */
  colorscale?: [number, string][];
  zmin?: number;
  zmax?: number;
  showscale?: boolean;
  xaxis?: string;
  yaxis?: string;
}

/** Marker shapes; a second cue beside color. */
export type PlotlySymbol = "circle" | "diamond" | "square" | "triangle-up";

/** One axis. */
export interface PlotlyAxis {
  title?: PlotlyText;
  type?: "linear" | "log" | "category";
  range?: [number, number];
  domain?: [number, number];
  anchor?: string;
  autorange?: boolean | "reversed";
  scaleanchor?: string;
  constrain?: "domain";
  tickvals?: number[];
  ticktext?: string[];
  tickangle?: number;
  rangemode?: "tozero" | "normal";
  showgrid?: boolean;
  showticklabels?: boolean;
  /** Whether there are ticks and lines; default true. */
  visible?: boolean;
  automargin?: boolean;
}

/** Text placed in a figure. */
export interface PlotlyAnnotation {
  text: string;
  x: number;
  y: number;
  xref: string;
  yref: string;
  xanchor?: "left" | "center" | "right";
  yanchor?: "top" | "middle" | "bottom";
  showarrow: false;
  font?: { size?: number; color?: string };
  bgcolor?: string;
}

/** An image that lies below the traces of a panel. */
export interface PlotlyImage {
  /** A data URL. */
  source: string;
  /** As traces name them: `x`, `y2`. */
  xref: string;
  yref: string;
  /** Its upper left corner and size in units of the axes. */
  x: number;
  y: number;
  sizex: number;
  sizey: number;
  sizing: "stretch";
  layer: "below";
}

/** A color scale shared by heatmaps. */
export interface PlotlyColorAxis {
  colorscale: [number, string][];
  cmin: number;
  cmax: number;
  colorbar?: { title?: PlotlyText };
}

/** Panels beside and below each other, laid out anew for every width; a figure keeps it in its layout's `meta`. */
export interface PanelGrid {
  /** Above each panel, in the order of their axes: `xaxis`, `xaxis2`, … */
  readonly titles: readonly string[];
  /** Below the lowest panels and left of the first ones, with units. */
  readonly xTitle: string;
  readonly yTitle: string;
  /** Height of a panel over its width: of all, or of each, the highest of which makes its row. */
  readonly ratio: number | readonly number[];
  /** Least and greatest width of a panel, pixels. */
  readonly panelWidth: readonly [number, number];
  /** Between panels side by side, pixels. */
  readonly gap: number;
  /** Most panels in a row. */
  readonly columns: number;
  /** From a panel to the title of the one below, pixels; default room for numbers. */
  readonly below?: number;
  /** Around all panels, their titles left out. */
  readonly margin: { readonly l: number; readonly r: number; readonly t: number; readonly b: number };
}

/** The part of Plotly's layout that our figures use. */
export interface PlotlyLayout {
  title?: PlotlyText;
  width?: number;
  height?: number;
  margin?: { l: number; r: number; t: number; b: number };
  showlegend?: boolean;
  legend?: { orientation: "h"; x: number; xanchor: "left"; y: number; yanchor: "bottom" };
  barmode?: "group";
  bargap?: number;
  annotations?: PlotlyAnnotation[];
  images?: PlotlyImage[];
  coloraxis?: PlotlyColorAxis;
  /** The figure's numbers in one line, for terminals and screen readers. */
  meta?: { summary: string; panels?: PanelGrid };
  [axis: `xaxis${string}`]: PlotlyAxis | undefined;
  [axis: `yaxis${string}`]: PlotlyAxis | undefined;
}

/** A figure as plain Plotly JSON. */
export interface PlotlyFigure {
  data: PlotlyTrace[];
  layout: PlotlyLayout;
}

/** Whether a value is a figure of ours or any object with Plotly's `data` and `layout`. */
export function isFigure(value: unknown): value is PlotlyFigure {
  if (typeof value !== "object" || value === null) return false;
  const { data, layout } = value as Partial<PlotlyFigure>;
  return (
    Array.isArray(data) &&
    typeof layout === "object" &&
    layout !== null &&
    data.every((trace) => typeof trace?.type === "string")
  );
}
