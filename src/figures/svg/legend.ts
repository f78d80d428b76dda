import type { PlotlyTrace } from "../spec";
import { px, textElement, textWidth } from "./text";
import { markerColor, markerShape, traceColor } from "./traces";

/** Distance between two rows of a legend. */
export const legendRowHeight = 20;

interface Entry {
  trace: PlotlyTrace;
  /** Position among the figure's traces. */
  index: number;
  x: number;
  row: number;
}

/** How many rows the legend takes in a width. */
export function legendRows(traces: readonly PlotlyTrace[], width: number): number {
  return 1 + entriesOf(traces, width).reduce((most, { row }) => Math.max(most, row), 0);
}

/** A mark and a name per trace, broken into rows; `y` is the middle of the first. */
export function drawLegend(
  traces: readonly PlotlyTrace[],
  place: { left: number; width: number; y: number },
): string {
  const items = entriesOf(traces, place.width).map(({ trace, index, x, row }) => {
    const at = { x: place.left + x, y: place.y + row * legendRowHeight };
    const off = trace.visible === "legendonly" ? ' opacity="0.4"' : "";
    const text = textElement(shortened(trace.name!, place.width - 26), {
      x: at.x + 26,
      y: at.y + 4,
      size: 12,
    });
    return `<g class="entry" data-trace="${index}"${off}><g class="series">${legendMark(trace, at.x, at.y)}</g>${text}</g>`;
  });
  return items.join("");
}

function shortened(name: string, width: number): string {
  const most = Math.floor((name.length * width) / textWidth(name, 12));
  return most < name.length ? `${name.slice(0, most - 1)}…` : name;
}

function entriesOf(traces: readonly PlotlyTrace[], width: number): Entry[] {
  const entries: Entry[] = [];
  let [x, row] = [0, 0];
  for (const [index, trace] of traces.entries()) {
    if (trace.showlegend === false || !trace.name) continue;
    const size = 26 + textWidth(trace.name, 12);
    if (x > 0 && x + size > width) [x, row] = [0, row + 1];
    entries.push({ trace, index, x, row });
    x += size + 20;
  }
  return entries;
}

function legendMark(trace: PlotlyTrace, x: number, y: number): string {
  const color = traceColor(trace);
  if (trace.type === "bar")
    return `<rect x="${px(x + 4)}" y="${px(y - 6)}" width="14" height="12" rx="1.5" fill="${color}"/>`;
  const line = `<path d="M${px(x)} ${px(y)}h20" stroke="${color}" stroke-width="${px(trace.line?.width ?? 2)}"/>`;
  const marker = `<g fill="${markerColor(trace)}">${markerShape(trace, x + 10, y)}</g>`;
  const mode = trace.mode ?? "lines";
  return (mode.includes("lines") ? line : "") + (mode.includes("markers") ? marker : "");
}
