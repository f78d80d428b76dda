import { parseHex } from "../colormap";
import type { PlotlyColorAxis, PlotlyTrace } from "../spec";
import { barGroupWidth, seriesColor, undefinedColor } from "../theme";
import type { Box, Panel } from "./panels";
import { paint, px, textElement, textWidth } from "./text";

/** Draws one trace of a panel. */
export function drawTrace(trace: PlotlyTrace, panel: Panel, colors: PlotlyColorAxis | undefined): string {
  if (trace.type === "heatmap") return drawHeatmap(trace, panel, colors);
  if (trace.type === "bar") return drawBars(trace, panel);
  const mode = trace.mode ?? "lines";
  const opacity = trace.opacity === undefined ? "" : ` opacity="${px(trace.opacity)}"`;
  const parts = [
    mode.includes("lines") ? drawLine(trace, panel) : "",
    mode.includes("markers") ? drawMarkers(trace, panel) : "",
  ];
  return `<g class="series"${opacity}>${parts.join("")}</g>`;
}

/** The color of a trace's line or marker, as an attribute may have it. */
export function traceColor(trace: PlotlyTrace): string {
  return paint(trace.line?.color ?? trace.marker?.color ?? seriesColor(0));
}

/** The color of a trace's markers. */
export function markerColor(trace: PlotlyTrace): string {
  return paint(trace.marker?.color ?? traceColor(trace));
}

function points(trace: PlotlyTrace, panel: Panel): [number, number][] {
  return (trace.y ?? []).map((y, index) => [panel.x(trace.x?.[index] ?? index), panel.y(y)]);
}

/** More points of a line than these are taken together where they share a column of pixels. */
const manyPoints = 4000;

/** The points of a line, of each column of pixels the first, the last, the highest and the lowest. */
function linePoints(trace: PlotlyTrace, panel: Panel): [number, number][] {
  const all = points(trace, panel);
  if (all.length <= manyPoints) return all;
  const kept: [number, number][] = [];
  for (let from = 0; from < all.length; ) {
    const column = Math.floor(all[from]![0]);
    let to = from + 1;
    while (to < all.length && Math.floor(all[to]![0]) === column) to++;
    let [low, high] = [from, from];
    for (let index = from; index < to; index++) {
      if (all[index]![1] < all[low]![1]) low = index;
      if (all[index]![1] > all[high]![1]) high = index;
    }
    for (const index of [...new Set([from, Math.min(low, high), Math.max(low, high), to - 1])])
      kept.push(all[index]!);
    from = to;
  }
  return kept;
}

function drawLine(trace: PlotlyTrace, panel: Panel): string {
  let path = "";
  let pen = "M";
  for (const [x, y] of linePoints(trace, panel)) {
    const visible = Number.isFinite(x) && Number.isFinite(y);
    if (visible) path += `${pen}${px(x)} ${px(y)}`;
    pen = visible ? "L" : "M";
  }
  if (path === "") return "";
  const fill = trace.fill === "toself" ? filled(path, trace) : "";
  const width = Number(trace.line?.width ?? 2);
  const pattern =
    { dash: `${3 * width + 2} ${2 * width + 2}`, dot: `${width} ${2 * width}`, solid: "" }[
      trace.line?.dash ?? "solid"
    ] ?? "";
  const dash = pattern === "" ? "" : ` stroke-dasharray="${pattern}"`;
  return `${fill}<path d="${path}" fill="none" stroke="${traceColor(trace)}" stroke-width="${width}" stroke-linejoin="round" stroke-linecap="round"${dash}/>`;
}

/** What the lines of a path enclose; of a color with a fourth channel that is how strong it is. */
function filled(path: string, trace: PlotlyTrace): string {
  const [, red, green, blue, strength] =
    /^rgba\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*([\d.]+)\s*\)$/.exec(trace.fillcolor ?? "") ?? [];
  const color =
    strength === undefined ? paint(trace.fillcolor ?? traceColor(trace)) : `rgb(${red},${green},${blue})`;
  const closed = path.replace(/(?<=.)M/g, "ZM");
  return `<g opacity="${strength ?? 0.5}"><path d="${closed}Z" fill="${color}"/></g>`;
}

function drawMarkers(trace: PlotlyTrace, panel: Panel): string {
  const seen = new Set<number>();
  const shapes: string[] = [];
  for (const [x, y] of points(trace, panel)) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    // Of marks that cover each other to half a pixel one is drawn.
    const place = Math.round(2 * x) * 65_536 + Math.round(2 * y);
    if (!seen.has(place)) shapes.push(markerShape(trace, x, y));
    seen.add(place);
  }
  return `<g fill="${markerColor(trace)}">${shapes.join("")}</g>`;
}

/** One marker, also used by the legend. */
export function markerShape(trace: PlotlyTrace, x: number, y: number): string {
  const r = (trace.marker?.size ?? 7) / 2;
  const [cx, cy] = [px(x), px(y)];
  switch (trace.marker?.symbol ?? "circle") {
    case "diamond":
      return `<path d="M${cx} ${px(y - 1.25 * r)}L${px(x + 1.25 * r)} ${cy}L${cx} ${px(y + 1.25 * r)}L${px(x - 1.25 * r)} ${cy}Z"/>`;
    case "square":
      return `<rect x="${px(x - 0.9 * r)}" y="${px(y - 0.9 * r)}" width="${px(1.8 * r)}" height="${px(1.8 * r)}"/>`;
    case "triangle-up":
      return `<path d="M${cx} ${px(y - 1.2 * r)}L${px(x + 1.1 * r)} ${px(y + 0.8 * r)}L${px(x - 1.1 * r)} ${px(y + 0.8 * r)}Z"/>`;
    default:
      return `<circle cx="${cx}" cy="${cy}" r="${px(r)}"/>`;
  }
}

/** The rectangle of one bar; undefined where there is no number. */
export function barBox(trace: PlotlyTrace, index: number, panel: Panel): Box | undefined {
  const value = trace.y?.[index];
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  const group = panel.traces.filter((other) => other.type === "bar");
  const width = barGroupWidth / group.length;
  const shift = (group.indexOf(trace) - (group.length - 1) / 2) * width;
  const { xScale, barUnit } = panel;
  const unit = (barUnit * panel.box.width) / (xScale.high - xScale.low);
  const left = panel.x(trace.x?.[index] ?? index) + (shift - width / 2) * unit + 1;
  const [top, bottom] = [panel.y(Math.max(value, 0)), panel.y(Math.min(value, 0))];
  return { left, top, width: width * unit - 2, height: bottom - top };
}

function drawBars(trace: PlotlyTrace, panel: Panel): string {
  const bars = (trace.y ?? []).map((value, index) => {
    const box = barBox(trace, index, panel);
    if (!box) return "";
    const bar = `<rect x="${px(box.left)}" y="${px(box.top)}" width="${px(box.width)}" height="${px(box.height)}" fill="${traceColor(trace)}" rx="1.5"/>`;
    const error = trace.error_y?.array[index] ?? 0;
    const middle = box.left + box.width / 2;
    const number = value as number;
    return bar + (error > 0 ? errorBar(middle, panel.y(number - error), panel.y(number + error)) : "");
  });
  return `<g class="series">${bars.join("")}</g>`;
}

/** The values of a bar trace, each beyond the end of its bar and its error bar; none where they would overlap. */
export function barLabels(trace: PlotlyTrace, panel: Panel): string {
  const texts = Array.isArray(trace.text) ? trace.text : [];
  const boxes = texts.map((_, index) => barBox(trace, index, panel));
  if (
    texts.some((text, index) => textWidth(text, 11) > (boxes[index]?.width ?? Number.POSITIVE_INFINITY) + 3)
  )
    return "";
  const labels = texts.map((text, index) => {
    const box = boxes[index];
    if (!box) return "";
    const value = trace.y![index] as number;
    const error = trace.error_y?.array[index] ?? 0;
    const end = panel.y(value < 0 ? value - error : value + error);
    if (end < panel.box.top - 1 || end > panel.box.top + panel.box.height + 1) return "";
    const y = value < 0 ? end + 14 : end - 5;
    return textElement(text, { x: box.left + box.width / 2, y, size: 11.5, anchor: "middle" });
  });
  return labels.join("");
}

function errorBar(x: number, low: number, high: number): string {
  const cap = (y: number) => `M${px(x - 5)} ${px(y)}H${px(x + 5)}`;
  return `<path class="error" d="M${px(x)} ${px(low)}V${px(high)}${cap(low)}${cap(high)}" fill="none" stroke-width="1.4"/>`;
}

/** Cells; neighbors of one color in a row are drawn as one. */
function drawHeatmap(trace: PlotlyTrace, panel: Panel, shared: PlotlyColorAxis | undefined): string {
  const colors = heatmapColors(trace, shared);
  if (!colors) return "";
  const cells = (trace.z ?? []).flatMap((row, y) => {
    const [top, bottom] = [panel.y(y - 0.5), panel.y(y + 0.5)].sort((a, b) => a - b) as [number, number];
    return runsOf(row.map((value) => (value === null ? "none" : scaleColor(colors, value)))).map(
      ({ fill, start, end }) => {
        const [left, right] = [panel.x(start - 0.5), panel.x(end - 0.5)];
        return `<rect x="${px(left)}" y="${px(top)}" width="${px(right - left)}" height="${px(bottom - top)}" fill="${fill}"/>`;
      },
    );
  });
  return `<g shape-rendering="crispEdges">${cells.join("")}</g>`;
}

function runsOf(fills: readonly string[]): { fill: string; start: number; end: number }[] {
  const runs: { fill: string; start: number; end: number }[] = [];
  for (const [i, fill] of fills.entries()) {
    const last = runs.at(-1);
    if (last?.fill === fill) last.end = i + 1;
    else runs.push({ fill, start: i, end: i + 1 });
  }
  return runs;
}

/** The figure's colors, or a heatmap's own. */
export function heatmapColors(
  { coloraxis, colorscale, zmin, zmax }: PlotlyTrace,
  shared: PlotlyColorAxis | undefined,
): PlotlyColorAxis | undefined {
  if (coloraxis !== undefined || !colorscale) return shared;
  return { colorscale, cmin: zmin ?? 0, cmax: zmax ?? 1 };
}

/** The color of a value on a color axis. */
export function scaleColor({ colorscale, cmin, cmax }: PlotlyColorAxis, value: number): string {
  if (!Number.isFinite(value)) return undefinedColor;
  const at = Math.min(1, Math.max(0, (value - cmin) / (cmax - cmin || 1)));
  const above = Math.max(
    1,
    colorscale.findIndex(([stop]) => stop >= at),
  );
  const [[low, from], [high, to]] = [colorscale[above - 1]!, colorscale[above]!];
  const weight = (at - low) / (high - low || 1);
  const target = parseHex(to);
  const mixed = parseHex(from).map((channel, index) =>
    Math.round(channel + (target[index]! - channel) * weight),
  );
  return `rgb(${mixed.join(",")})`;
}
