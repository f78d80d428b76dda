import type { PlotlyAxis, PlotlyDatum, PlotlyFigure, PlotlyTrace } from "../spec";
import { makeScale, type Scale } from "./scale";

/** A rectangle in pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** As the layout calls an axis: `xaxis`, `yaxis2`. */
export type AxisName = `${"x" | "y"}axis${string}`;

/** One pair of axes with its traces, placed on the image. */
export interface Panel {
  readonly box: Box;
  /** Names of the axes in the layout. */
  readonly xName: AxisName;
  readonly yName: AxisName;
  readonly xAxis: PlotlyAxis;
  readonly yAxis: PlotlyAxis;
  readonly xScale: Scale;
  readonly yScale: Scale;
  readonly traces: readonly PlotlyTrace[];
  /** From one place of a bar to the next, in units of the horizontal axis (powers of ten on a logarithmic one). */
  readonly barUnit: number;
  /** Horizontal pixel of a data value. */
  x(value: PlotlyDatum): number;
  /** Vertical pixel of a data value. */
  y(value: PlotlyDatum): number;
}

/** The panels of a figure within the area that the margins leave. */
export function panelsOf(figure: PlotlyFigure, area: Box): Panel[] {
  const groups = new Map<string, PlotlyTrace[]>();
  for (const trace of figure.data) {
    if (trace.visible === "legendonly" || trace.visible === false) continue;
    const key = `${trace.xaxis ?? "x"} ${trace.yaxis ?? "y"}`;
    groups.set(key, [...(groups.get(key) ?? []), trace]);
  }
  return [...groups].map(([key, traces]) => {
    const [x, y] = key.split(" ") as [string, string];
    const names = { xName: `xaxis${x.slice(1)}` as const, yName: `yaxis${y.slice(1)}` as const };
    const xAxis = figure.layout[names.xName] ?? {};
    const yAxis = figure.layout[names.yName] ?? {};
    return { ...names, ...makePanel(traces, xAxis, yAxis, domainBox(xAxis, yAxis, area)) };
  });
}

function makePanel(
  traces: readonly PlotlyTrace[],
  xAxis: PlotlyAxis,
  yAxis: PlotlyAxis,
  space: Box,
): Omit<Panel, "xName" | "yName"> {
  const heatmaps = traces.every((trace) => trace.type === "heatmap");
  const lines = traces.every((trace) => trace.type === "scatter" && trace.mode === "lines");
  const [across, up] = [space.width / 80, space.height / 45];
  const isSquare = yAxis.scaleanchor !== undefined;
  const most = Math.min(space.width, space.height) / 62;
  const barUnit = unitOf(traces, xAxis.type === "log");
  const bars = traces.some(({ type }) => type === "bar");
  const xScale = makeScale(
    xAxis,
    traces.flatMap((trace) => (trace.type === "bar" ? barExtent(trace, xAxis, barUnit) : extent(trace, "x"))),
    isSquare ? most : across,
    heatmaps || lines || bars,
  );
  const yScale = makeScale(
    yAxis,
    traces.flatMap((trace) => extent(trace, "y")),
    isSquare ? most : up,
    heatmaps,
  );
  const box = yAxis.scaleanchor === undefined ? space : equalUnits(space, xScale, yScale);
  const x = (value: PlotlyDatum) => box.left + fraction(xScale, value) * box.width;
  const y = (value: PlotlyDatum) => box.top + (1 - fraction(yScale, value)) * box.height;
  return { box, xAxis, yAxis, xScale, yScale, traces, barUnit, x, y };
}

/** Where the bars of a trace stand. */
function placesOf({ x, y }: PlotlyTrace): readonly PlotlyDatum[] {
  return x ?? (y ?? []).map((_, index) => index);
}

/** From one place of a bar to the next in axis units: the least distance of two, 1 between categories. */
function unitOf(traces: readonly PlotlyTrace[], isLog: boolean): number {
  const places = traces.filter(({ type }) => type === "bar").flatMap(placesOf);
  const units = places
    .filter((place) => typeof place === "number")
    .map((place) => (isLog ? Math.log10(place as number) : (place as number)));
  const numbers = [...new Set(units)].filter(Number.isFinite).sort((a, b) => a - b);
  let least = Number.POSITIVE_INFINITY;
  for (const [index, place] of numbers.entries())
    if (index > 0) least = Math.min(least, place - numbers[index - 1]!);
  return Number.isFinite(least) ? least : 1;
}

/** Position of a value between the ends of its axis, 0 to 1 inside. */
export function fraction(scale: Scale, value: PlotlyDatum): number {
  return (scale.place(value) - scale.low) / (scale.high - scale.low);
}

function domainBox(xAxis: PlotlyAxis, yAxis: PlotlyAxis, area: Box): Box {
  const [x0, x1] = xAxis.domain ?? [0, 1];
  const [y0, y1] = yAxis.domain ?? [0, 1];
  return {
    left: area.left + x0 * area.width,
    top: area.top + (1 - y1) * area.height,
    width: (x1 - x0) * area.width,
    height: (y1 - y0) * area.height,
  };
}

/** The largest centered box in which one unit is equally long on both axes. */
function equalUnits(space: Box, xScale: Scale, yScale: Scale): Box {
  const xUnits = Math.abs(xScale.high - xScale.low);
  const yUnits = Math.abs(yScale.high - yScale.low);
  const unit = Math.min(space.width / xUnits, space.height / yUnits);
  const [width, height] = [unit * xUnits, unit * yUnits];
  return {
    left: space.left + (space.width - width) / 2,
    top: space.top + (space.height - height) / 2,
    width,
    height,
  };
}

/** From half a place before the first bar to half a place behind the last, so that none is cut. */
function barExtent(trace: PlotlyTrace, { type }: PlotlyAxis, unit: number): PlotlyDatum[] {
  return placesOf(trace).flatMap((place): PlotlyDatum[] => {
    if (typeof place !== "number") return [place];
    if (type === "log") return [place * 10 ** (-unit / 2), place * 10 ** (unit / 2)];
    return [place - unit / 2, place + unit / 2];
  });
}

/** Values a trace needs to fit on an axis. */
function extent(trace: PlotlyTrace, side: "x" | "y"): PlotlyDatum[] {
  if (trace.type === "heatmap") {
    const length = side === "y" ? (trace.z?.length ?? 0) : (trace.z?.[0]?.length ?? 0);
    return [-0.5, length - 0.5];
  }
  const values = trace[side] ?? [];
  if (side === "x") return values;
  const errors = trace.error_y?.array ?? [];
  const reach = values.flatMap((value, index) =>
    typeof value === "number" && errors[index] ? [value + errors[index]!, value - errors[index]!] : [value],
  );
  return trace.type === "bar" ? [0, ...reach] : reach;
}
