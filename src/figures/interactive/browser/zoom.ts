import type { PlotlyFigure } from "../../spec";
import type { AxisName, Panel } from "../../svg/panels";
import type { PlacedFigure } from "../../svg/place";

/** Ends of the axes that were zoomed, in axis units. */
export type Ranges = ReadonlyMap<AxisName, [number, number]>;

/** Least pixels of a rectangle that is meant as one. */
const least = 8;

/** The panel that is zoomed by a rectangle that starts at a place: one with a numeric axis and no cells. */
export function zoomable({ panels }: PlacedFigure, x: number, y: number): Panel | undefined {
  return panels.find(
    ({ box, traces }) =>
      x >= box.left &&
      x <= box.left + box.width &&
      y >= box.top &&
      y <= box.top + box.height &&
      traces.every(({ type }) => type === "scatter"),
  );
}

/** The ranges after a rectangle was drawn in a panel; axes that began with the same range stay equal. */
export function zoomTo(
  figure: PlotlyFigure,
  ranges: Ranges,
  panel: Panel,
  [x0, y0, x1, y1]: readonly [number, number, number, number],
): Ranges {
  if (Math.abs(x1 - x0) < least || Math.abs(y1 - y0) < least) return ranges;
  const { box, xScale, yScale } = panel;
  const between = (low: number, high: number, share: number) =>
    low + Math.min(1, Math.max(0, share)) * (high - low);
  const across = [x0, x1].map((x) => between(xScale.low, xScale.high, (x - box.left) / box.width));
  const up = [y0, y1].map((y) => between(yScale.low, yScale.high, 1 - (y - box.top) / box.height));
  const zoomed = new Map(ranges);
  const set = (name: AxisName, ends: number[]) => {
    const [low, high] = [Math.min(...ends), Math.max(...ends)];
    for (const linked of linkedAxes(figure, name)) {
      const [first = 0, last = 1] = figure.layout[linked]?.range ?? [];
      zoomed.set(linked, first <= last ? [low, high] : [high, low]);
    }
  };
  set(panel.xName, across);
  set(panel.yName, up);
  return zoomed;
}

/** A figure seen in ranges and without the traces that are switched off. */
export function withView(figure: PlotlyFigure, ranges: Ranges, off: ReadonlySet<number>): PlotlyFigure {
  const axes = [...ranges].map(([name, range]) => [
    name,
    { ...figure.layout[name], range, rangemode: "normal" },
  ]);
  const data = figure.data.map((trace, index) =>
    off.has(index) ? { ...trace, visible: "legendonly" as const } : trace,
  );
  return { data, layout: { ...figure.layout, ...Object.fromEntries(axes) } };
}

function linkedAxes({ layout }: PlotlyFigure, name: AxisName): AxisName[] {
  const range = String(layout[name]?.range);
  if (!layout[name]?.range) return [name];
  const names = Object.keys(layout).filter((key): key is AxisName => key.startsWith(name.slice(0, 5)));
  return names.filter((other) => String(layout[other]?.range) === range);
}
