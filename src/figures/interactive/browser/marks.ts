import { formatNumber } from "../../format";
import type { PlotlyDatum, PlotlyTrace } from "../../spec";
import type { Box, Panel } from "../../svg/panels";
import type { PlacedFigure } from "../../svg/place";
import { decode } from "../../svg/text";
import { barBox, heatmapColors, scaleColor, traceColor } from "../../svg/traces";
import { undefinedColor } from "../../theme";

/** Something that can be pointed at: a point, a bar or a cell, in pixels of the drawing. */
export interface Mark {
  readonly trace: PlotlyTrace;
  readonly x: number;
  readonly y: number;
  /** Pointing anywhere in it counts; otherwise the nearest mark does. */
  readonly box?: Box;
  readonly color: string;
  readonly values: Readonly<Record<string, PlotlyDatum | undefined>>;
}

/** Pixels within which a point is found. */
const reach = 32;

/** All marks within their panels, trace by trace. */
export function marksOf({ panels, figure }: PlacedFigure): Mark[] {
  return panels.flatMap((panel) =>
    panel.traces
      .filter((trace) => trace.hoverinfo !== "skip")
      .flatMap((trace) =>
        trace.type === "heatmap"
          ? cellMarks(trace, panel, figure)
          : trace.hoveron === "fills"
            ? shapeMarks(trace, panel)
            : pointMarks(trace, panel),
      )
      .filter(({ x, y }) => isInside(panel.box, x, y)),
  );
}

function pointMarks(trace: PlotlyTrace, panel: Panel): Mark[] {
  return (trace.y ?? []).flatMap((value, index): Mark[] => {
    const name = trace.x?.[index] ?? index;
    const box = trace.type === "bar" ? barBox(trace, index, panel) : undefined;
    const x = box ? box.left + box.width / 2 : panel.x(name);
    const y = panel.y(value);
    if (!Number.isFinite(x) || !Number.isFinite(y)) return [];
    const text = typeof trace.text === "string" ? trace.text : trace.text?.[index];
    const values = { x: name, y: value, text, customdata: trace.customdata?.[index] };
    const slot = box && { ...box, top: panel.box.top, height: panel.box.height };
    return [{ trace, x, y, box: slot, color: traceColor(trace), values }];
  });
}

/** A filled shape is one mark: it is pointed at within its borders, by keys at the middle of them. */
function shapeMarks(trace: PlotlyTrace, panel: Panel): Mark[] {
  const reach = (values: PlotlyDatum[], at: (value: PlotlyDatum) => number, low: number, high: number) => {
    const places = values.filter((value) => value !== null).map(at);
    const within = (place: number) => Math.min(high, Math.max(low, place));
    return [within(Math.min(...places)), within(Math.max(...places))] as const;
  };
  const { box, x, y } = panel;
  const [left, right] = reach(trace.x ?? [], x, box.left, box.left + box.width);
  const [top, bottom] = reach(trace.y ?? [], y, box.top, box.top + box.height);
  if (!(right > left) || !(bottom > top)) return [];
  const shape = { left, top, width: right - left, height: bottom - top };
  const values = { text: String(trace.text ?? trace.name ?? "") };
  const [middleX, middleY] = [(left + right) / 2, (top + bottom) / 2];
  return [{ trace, x: middleX, y: middleY, box: shape, color: traceColor(trace), values }];
}

function cellMarks(trace: PlotlyTrace, panel: Panel, figure: PlacedFigure["figure"]): Mark[] {
  const colors = heatmapColors(trace, figure.layout.coloraxis);
  const width = Math.abs(panel.x(1) - panel.x(0));
  const height = Math.abs(panel.y(1) - panel.y(0));
  return (trace.z ?? []).flatMap((row, j) =>
    row.map((value, i): Mark => {
      const [x, y] = [panel.x(i), panel.y(j)];
      const box = { left: x - width / 2, top: y - height / 2, width, height };
      const color = colors && value !== null ? scaleColor(colors, value) : undefinedColor;
      const hovertext = trace.hovertext?.[j]?.[i];
      return { trace, x, y, box, color, values: { x: i, y: j, z: value, hovertext } };
    }),
  );
}

/** The mark that a place means: the smallest one around it, else the nearest; on lines the horizontal distance counts most. */
export function markAt(marks: readonly Mark[], x: number, y: number): Mark | undefined {
  const around = marks.filter(({ box }) => box && isInside(box, x, y));
  if (around.length > 0) return around.reduce((best, mark) => (areaOf(mark) < areaOf(best) ? mark : best));
  let best: Mark | undefined;
  let least = reach;
  for (const mark of marks) {
    if (mark.box) continue;
    const isLine = mark.trace.type === "scatter" && mark.trace.mode === "lines";
    const distance = Math.hypot(mark.x - x, (mark.y - y) * (isLine ? 0.25 : 1));
    if (distance < least) [best, least] = [mark, distance];
  }
  return best;
}

const areaOf = ({ box }: Mark) => box!.width * box!.height;

/** What a mark says, in lines: the name of its trace unless the rest tells it, then its numbers. */
export function wordsOf({ trace, values }: Mark): string[] {
  const template = trace.hovertemplate ?? (trace.hoveron === "fills" ? "%{text}" : "%{x}: %{y}");
  const text = template
    .replace(/%\{(\w+)(?::([^}]*))?\}/g, (_, key: string, format?: string) => numeral(values[key], format))
    .replace(/<(?!br)[^>]*>/g, "");
  const lines = text.split(/<br\s*\/?>/).map(decode);
  const { name } = trace;
  // The name itself, not letters or digits of it within other words and numbers.
  const isTold = trace.hoveron === "fills" || template.split("<br>").some((line) => isName(line, name));
  return name && !isTold ? [name, ...lines] : lines;
}

/** Whether a line begins with a name, which ends there. */
function isName(line: string, name = ""): boolean {
  return line.startsWith(name) && !/^[\p{L}\p{N}]/u.test(line.slice(name.length));
}

function numeral(value: PlotlyDatum | undefined, format: string | undefined): string {
  if (typeof value !== "number") return value ?? "–";
  const [, digits, kind] = /^\.(\d+)([fg])$/.exec(format ?? "") ?? [];
  if (kind === "f") return value.toFixed(Number(digits)).replace("-", "−");
  return formatNumber(kind === "g" ? Number(value.toPrecision(Number(digits))) : value).replace("-", "−");
}

function isInside({ left, top, width, height }: Box, x: number, y: number): boolean {
  return x >= left - 1 && x <= left + width + 1 && y >= top - 1 && y <= top + height + 1;
}
