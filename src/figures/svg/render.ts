import type { PlotlyAnnotation, PlotlyColorAxis, PlotlyFigure, PlotlyTrace } from "../figure";
import { figureSummary } from "../figure";
import { type FigureTheme, figureFont, themes } from "../theme";
import { niceTicks } from "./scale";
import { type Box, type Panel, fraction, panelsOf } from "./panels";
import { escapeXml, px, textElement, textWidth } from "./text";
import { drawTrace, markerShape, scaleColor, traceColor } from "./traces";

/** How to draw: `auto` follows the reader's preference, a fixed theme is for bitmaps. */
export interface RenderOptions {
  theme?: "auto" | "light" | "dark";
}

/**
 * Draws a figure as SVG. This is our own renderer for the subset of Plotly that the figures emit: Plotly itself runs
 * outside a browser only in an emulated DOM (1.5 s and 245 MB more, a newer Node than ours, text measured by guess),
 * and its pictures cannot follow the reader's light or dark preference.
 */
export function renderSvg(figure: PlotlyFigure, options: RenderOptions = {}): string {
  const { layout } = figure;
  const [width, height] = [layout.width ?? 720, layout.height ?? 400];
  const margin = layout.margin ?? { l: 64, r: 24, t: 48, b: 56 };
  const area: Box = {
    left: margin.l,
    top: margin.t,
    width: width - margin.l - margin.r,
    height: height - margin.t - margin.b,
  };
  const panels = panelsOf(figure, area);
  const titleLines = layout.title ? layout.title.text.split("<br>").length : 0;
  const body = [
    `<rect class="bg" width="${width}" height="${height}"/>`,
    layout.title ? textElement(layout.title.text, { x: area.left, y: 24, size: 15 }) : "",
    layout.showlegend ? drawLegend(figure.data, area.left, 20 + 22 * titleLines) : "",
    ...panels.map((panel, index) => drawPanel(panel, layout.coloraxis, index)),
    ...(layout.annotations ?? []).map((annotation) => drawAnnotation(annotation, area, panels[0])),
    layout.coloraxis && figure.data.some((trace) => trace.coloraxis)
      ? drawColorbar(layout.coloraxis, area)
      : "",
  ];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ` +
    `font-family="${escapeXml(figureFont)}"><title>${escapeXml(figureSummary(figure))}</title>` +
    `<style>${themeStyle(options.theme ?? "auto")}</style>${body.join("")}</svg>`
  );
}

function themeStyle(theme: "auto" | "light" | "dark"): string {
  if (theme !== "auto") return rules(themes[theme]);
  return `${rules(themes.light)}@media (prefers-color-scheme:dark){${rules(themes.dark)}}`;
}

function rules({ background, text, muted, grid, axis }: FigureTheme): string {
  return (
    `.bg{fill:${background}}.text{fill:${text}}.muted{fill:${muted}}.grid{stroke:${grid}}` +
    `.axis{stroke:${axis}}.error{stroke:${text}}`
  );
}

function drawPanel(panel: Panel, colors: PlotlyColorAxis | undefined, index: number): string {
  const { left, top, width, height } = panel.box;
  const clip = `<clipPath id="panel${index}"><rect x="${px(left)}" y="${px(top - 16)}" width="${px(width)}" height="${px(height + 16)}"/></clipPath>`;
  const traces = panel.traces.map((trace) => drawTrace(trace, panel, colors)).join("");
  return `${clip}${drawAxes(panel)}<g clip-path="url(#panel${index})">${traces}</g>`;
}

function drawAxes(panel: Panel): string {
  const { left, top, width, height } = panel.box;
  const [right, bottom] = [left + width, top + height];
  const parts: string[] = [];
  for (const tick of panel.xScale.ticks) {
    const at = left + ((tick.value - panel.xScale.low) / (panel.xScale.high - panel.xScale.low)) * width;
    if (panel.xAxis.showgrid !== false)
      parts.push(`<path class="grid" d="M${px(at)} ${px(top)}V${px(bottom)}"/>`);
    if (panel.xAxis.showticklabels !== false)
      parts.push(
        textElement(tick.label, { x: at, y: bottom + 18, size: 11.5, className: "muted", anchor: "middle" }),
      );
  }
  for (const tick of panel.yScale.ticks) {
    const at = bottom - ((tick.value - panel.yScale.low) / (panel.yScale.high - panel.yScale.low)) * height;
    if (panel.yAxis.showgrid !== false)
      parts.push(`<path class="grid" d="M${px(left)} ${px(at)}H${px(right)}"/>`);
    if (panel.yAxis.showticklabels !== false)
      parts.push(
        textElement(tick.label, { x: left - 8, y: at + 4, size: 11.5, className: "muted", anchor: "end" }),
      );
  }
  const bare = panel.traces.every((trace) => trace.type === "heatmap");
  if (!bare)
    parts.push(`<path class="axis" fill="none" d="M${px(left)} ${px(top)}V${px(bottom)}H${px(right)}"/>`);
  if (panel.xAxis.title)
    parts.push(
      textElement(panel.xAxis.title.text, {
        x: left + width / 2,
        y: bottom + 42,
        size: 12.5,
        className: "muted",
        anchor: "middle",
      }),
    );
  if (panel.yAxis.title?.text) {
    const at = { x: left - Math.min(46, left - 14), y: top + height / 2 };
    parts.push(
      textElement(panel.yAxis.title.text, {
        ...at,
        size: 12.5,
        className: "muted",
        anchor: "middle",
        rotate: -90,
      }),
    );
  }
  return parts.join("");
}

function drawLegend(traces: readonly PlotlyTrace[], left: number, y: number): string {
  let x = left;
  const entries = traces.filter((trace) => trace.showlegend !== false && trace.name);
  return entries
    .map((trace) => {
      const mark = legendMark(trace, x, y);
      const text = textElement(trace.name!, { x: x + 26, y: y + 4, size: 12 });
      x += 26 + textWidth(trace.name!, 12) + 20;
      return mark + text;
    })
    .join("");
}

function legendMark(trace: PlotlyTrace, x: number, y: number): string {
  const color = traceColor(trace);
  if (trace.type === "bar")
    return `<rect x="${px(x + 4)}" y="${px(y - 6)}" width="14" height="12" rx="1.5" fill="${color}"/>`;
  const line = `<path d="M${px(x)} ${px(y)}h20" stroke="${color}" stroke-width="${trace.line?.width ?? 2}"/>`;
  const marker = `<g fill="${trace.marker?.color ?? color}">${markerShape(trace, x + 10, y)}</g>`;
  const mode = trace.mode ?? "lines";
  return (mode.includes("lines") ? line : "") + (mode.includes("markers") ? marker : "");
}

/** Text at a place of the area (`paper`) or at data coordinates of the first panel. */
function drawAnnotation(note: PlotlyAnnotation, area: Box, panel: Panel | undefined): string {
  const size = note.font?.size ?? 12.5;
  const extraLines = note.text.split("<br>").length - 1;
  const lift = {
    top: size,
    middle: size * 0.35 - extraLines * size * 0.7,
    bottom: -4 - extraLines * size * 1.38,
  }[note.yanchor ?? "middle"];
  const anchor = ({ left: "start", center: "middle", right: "end" } as const)[note.xanchor ?? "center"];
  const onPaper = note.xref === "paper" || !panel;
  const x = onPaper ? area.left + note.x * area.width : panel.x(note.x);
  const y = onPaper ? area.top + (1 - note.y) * area.height : panel.y(note.y);
  return textElement(note.text, { x, y: y + lift, size, anchor, fill: note.font?.color });
}

function drawColorbar(colors: PlotlyColorAxis, area: Box): string {
  const [x, width, steps] = [area.left + area.width + 14, 12, 64];
  const cells = Array.from({ length: steps }, (_, index) => {
    const value = colors.cmin + ((index + 0.5) / steps) * (colors.cmax - colors.cmin);
    const y = area.top + area.height * (1 - (index + 1) / steps);
    return `<rect x="${px(x)}" y="${px(y)}" width="${width}" height="${px(area.height / steps + 0.5)}" fill="${scaleColor(colors, value)}"/>`;
  });
  const scale = { low: colors.cmin, high: colors.cmax, ticks: [], place: (value: unknown) => Number(value) };
  const labels = niceTicks(colors.cmin, colors.cmax, 5).map(({ value, label }) =>
    textElement(label, {
      x: x + width + 6,
      y: area.top + area.height * (1 - fraction(scale, value)) + 4,
      size: 11,
      className: "muted",
    }),
  );
  const at = { x: x + width + 56, y: area.top + area.height / 2 };
  const title = colors.colorbar?.title;
  const name = title
    ? textElement(title.text, { ...at, size: 12, className: "muted", anchor: "middle", rotate: -90 })
    : "";
  return cells.join("") + labels.join("") + name;
}
