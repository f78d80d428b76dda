import { isEmbedded } from "../plotly/embeddedImages";
import type { PlotlyAnnotation, PlotlyColorAxis, PlotlyFigure, PlotlyImage, PlotlyLayout } from "../spec";
import { figureSummary } from "../summary";
import { type FigureTheme, figureFont, themes } from "../theme";
import { drawLegend } from "./legend";
import { type Box, fraction, type Panel } from "./panels";
import { type PlacedFigure, placeFigure, slantedHeight } from "./place";
import { niceTicks } from "./scale";
import { escapeXml, paint, px, textElement, textWidth, titleText } from "./text";
import { barLabels, drawTrace, scaleColor } from "./traces";

/** How to draw. */
export interface RenderOptions {
  /** `auto` (default) follows the reader's preference, a fixed theme is for bitmaps. */
  theme?: "auto" | "light" | "dark";
  /** Width in pixels; default the figure's own. */
  width?: number;
  /** Whether it stands within a page: without ground and without a title of its own. */
  inline?: boolean;
}

/**
 * Draws a figure as SVG. This is our own renderer for the subset of Plotly that the figures emit: Plotly itself runs
 * outside a browser only in an emulated DOM (1.5 s and 245 MB more, a newer Node than ours, text measured by guess),
 * and its images cannot follow the reader's light or dark preference.
 */
export function renderSvg(figure: PlotlyFigure, options: RenderOptions = {}): string {
  return drawFigure(placeFigure(figure, options.width), options);
}

/** Draws a figure that has been placed. */
export function drawFigure({ figure, area, panels }: PlacedFigure, options: RenderOptions): string {
  const { layout } = figure;
  const { width, height } = layout;
  const titleLines = layout.title ? layout.title.text.split("<br>").length : 0;
  const legend = { left: area.left, width: area.width, y: 20 + 22 * titleLines };
  const body = [
    options.inline ? "" : `<rect class="bg" width="${width}" height="${height}"/>`,
    layout.title ? textElement(layout.title.text, { x: area.left, y: 24, size: 15 }) : "",
    layout.showlegend ? drawLegend(figure.data, legend) : "",
    ...panels.map((panel, index) => drawPanel(panel, layout, index)),
    ...(layout.annotations ?? []).map((annotation) => drawAnnotation(annotation, area, panels)),
    layout.coloraxis && figure.data.some((trace) => trace.coloraxis)
      ? drawColorbar(layout.coloraxis, area)
      : "",
  ];
  const title = options.inline ? "" : `<title>${escapeXml(figureSummary(figure))}</title>`;
  // In a page the element around it says what it is.
  const role = options.inline ? 'aria-hidden="true"' : 'role="img"';
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${role} ` +
    `font-family="${escapeXml(figureFont)}">${title}<style>${themeStyle(options.theme ?? "auto")}</style>${body.join("")}</svg>`
  );
}

function themeStyle(theme: "auto" | "light" | "dark"): string {
  if (theme !== "auto") return rules(themes[theme]);
  return `${rules(themes.light)}@media (prefers-color-scheme:dark){${rules(themes.dark)}}`;
}

function rules({ background, text, muted, grid, axis, series }: FigureTheme): string {
  return (
    `.bg{fill:${background}}.text{fill:${text}}.muted{fill:${muted}}.grid{stroke:${grid}}` +
    `.axis{stroke:${axis}}.error{stroke:${text}}.series{filter:${series}}`
  );
}

function drawPanel(panel: Panel, { coloraxis, images }: PlotlyLayout, index: number): string {
  const { left, top, width, height } = panel.box;
  // Marks at the border are whole; images end there.
  const air = images ? 0 : 5;
  const clip = `<clipPath id="panel${index}"><rect x="${px(left - air)}" y="${px(top - air)}" width="${px(width + 2 * air)}" height="${px(height + 2 * air)}"/></clipPath>`;
  const below = (images ?? []).filter((image) => isOn(panel, image)).map((image) => drawImage(image, panel));
  const traces = panel.traces.map((trace) => drawTrace(trace, panel, coloraxis)).join("");
  const labels = panel.traces.map((trace) => (trace.type === "bar" ? barLabels(trace, panel) : ""));
  return `${clip}${drawAxes(panel)}<g clip-path="url(#panel${index})">${below.join("")}${traces}</g>${labels.join("")}`;
}

function drawAxes(panel: Panel): string {
  const { left, top, width, height } = panel.box;
  const [right, bottom] = [left + width, top + height];
  if (panel.xAxis.visible === false && panel.yAxis.visible === false) return "";
  const parts: string[] = [];
  const every = panel.xAxis.tickangle ? Math.ceil((15 * panel.xScale.ticks.length) / width) : 1;
  for (const [index, tick] of panel.xScale.ticks.entries()) {
    const at = left + ((tick.value - panel.xScale.low) / (panel.xScale.high - panel.xScale.low)) * width;
    if (panel.xAxis.showgrid !== false)
      parts.push(`<path class="grid" d="M${px(at)} ${px(top)}V${px(bottom)}"/>`);
    if (panel.xAxis.showticklabels !== false && index % every === 0) {
      const rotate = panel.xAxis.tickangle;
      const place = rotate ? { x: at + 4, y: bottom + 14, rotate } : { x: at, y: bottom + 18 };
      const anchor = rotate ? ("end" as const) : ("middle" as const);
      parts.push(textElement(tick.label, { ...place, size: 11.5, className: "muted", anchor }));
    }
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
  const [xTitle, yTitle] = [panel.xAxis.title, panel.yAxis.title].map(titleText);
  if (xTitle !== undefined)
    parts.push(
      textElement(xTitle, {
        x: left + width / 2,
        y: bottom + 42 + slantedHeight(panel.xAxis, panel.xScale),
        size: 12.5,
        className: "muted",
        anchor: "middle",
      }),
    );
  if (yTitle) {
    const at = { x: left - Math.min(46, left - 14), y: top + height / 2 };
    parts.push(
      textElement(yTitle, {
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

/** Text at a place of the area (`paper`) or at data coordinates of a panel; of the first axes where none are named, as in Plotly. */
function drawAnnotation(given: PlotlyAnnotation, area: Box, panels: readonly Panel[]): string {
  const { text = "", xref = "x", yref = "y" } = given;
  const note = { ...given, text, xref, yref };
  const size = note.font?.size ?? 12.5;
  const extraLines = note.text.split("<br>").length - 1;
  const lift = {
    top: size,
    middle: size * 0.35 - extraLines * size * 0.7,
    bottom: -4 - extraLines * size * 1.38,
  }[note.yanchor ?? "middle"];
  const anchor = ({ left: "start", center: "middle", right: "end" } as const)[note.xanchor ?? "center"];
  const panel = panels.find((one) => isOn(one, note)) ?? panels[0];
  const onPaper = note.xref === "paper" || !panel;
  if (!onPaper && !isWithin(panel, note)) return "";
  const x = onPaper ? area.left + note.x * area.width : panel.x(note.x);
  const y = onPaper ? area.top + (1 - note.y) * area.height : panel.y(note.y);
  if (note.bgcolor) return tagElement(note, x, y, panel?.box ?? area);
  return textElement(note.text, { x, y: y + lift, size, anchor, fill: note.font?.color });
}

/** One line on a ground of its own, moved to where it fits into the panel. */
function tagElement(
  { text, font, bgcolor, yanchor }: PlotlyAnnotation,
  x: number,
  y: number,
  box: Box,
): string {
  const size = font?.size ?? 12.5;
  const [width, height] = [Math.min(box.width, 1.1 * textWidth(text, size) + 7), size + 4];
  const left = Math.max(box.left, Math.min(x, box.left + box.width - width));
  const top = Math.max(box.top, yanchor === "bottom" ? y - height : y);
  const ground = `<rect x="${px(left)}" y="${px(top)}" width="${px(width)}" height="${px(height)}" fill="${paint(bgcolor)}"/>`;
  return ground + textElement(text, { x: left + 3, y: top + size, size, fill: font?.color });
}

/** Whether something stands on the axes of a panel; what names none is the whole figure's. */
function isOn({ xName, yName }: Panel, { xref = "paper", yref = "paper" }: Partial<PlotlyImage>): boolean {
  return xName === `xaxis${xref.slice(1)}` && yName === `yaxis${yref.slice(1)}` && xref !== "paper";
}

/** An image that comes with the figure; what would have to be fetched is not drawn. */
function drawImage(image: PlotlyImage, panel: Panel): string {
  if (!isEmbedded(image)) return "";
  const [left, right] = [panel.x(image.x), panel.x(image.x + image.sizex)];
  const down = panel.yScale.high < panel.yScale.low ? 1 : -1;
  const [top, bottom] = [panel.y(image.y), panel.y(image.y + down * image.sizey)];
  const size = `width="${px(right - left)}" height="${px(bottom - top)}"`;
  return `<image x="${px(left)}" y="${px(top)}" ${size} preserveAspectRatio="none" href="${escapeXml(image.source)}"/>`;
}

function isWithin(panel: Panel, { x, y }: PlotlyAnnotation): boolean {
  const [across, up] = [fraction(panel.xScale, x), fraction(panel.yScale, y)];
  return across >= 0 && across <= 1 && up >= 0 && up <= 1;
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
  const title = titleText(colors.colorbar?.title);
  const name =
    title !== undefined
      ? textElement(title, { ...at, size: 12, className: "muted", anchor: "middle", rotate: -90 })
      : "";
  return cells.join("") + labels.join("") + name;
}
