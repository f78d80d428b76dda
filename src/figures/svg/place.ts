import type { PlotlyAxis, PlotlyFigure, PlotlyLayout } from "../spec";
import { legendRowHeight, legendRows } from "./legend";
import { arrangePanels } from "./panelGrid";
import { type Box, type Panel, panelsOf } from "./panels";
import type { Scale } from "./scale";
import { textWidth, titleText, wrapText } from "./text";

const tickSize = 11.5;
const slant = -32;

/** A figure with its size, its title in lines that fit, and where everything stands. */
export interface PlacedFigure {
  readonly figure: PlotlyFigure & { layout: { width: number; height: number } };
  /** Within the margins. */
  readonly area: Box;
  readonly panels: readonly Panel[];
}

/** Places a figure in a width: long titles and legends break, crowded names slant, and height and left margin grow by as much. */
export function placeFigure(figure: PlotlyFigure, width = numeric(figure.layout.width, 720)): PlacedFigure {
  const { panels: grid } = figure.layout.meta ?? {};
  const given = grid ? arrangePanels(figure.layout, grid, width) : figure.layout;
  // A foreign figure may have anything for a number.
  const own = { ...given, width: numeric(given.width, 720), height: numeric(given.height, 400) };
  const { l = 64, r = 24, t = 48, b = 56 } = own.margin ?? {};
  const margin = { l: Number(l) || 0, r: Number(r) || 0, t: Number(t) || 0, b: Number(b) || 0 };
  const space = width - margin.l - margin.r;
  const words = titleText(own.title);
  const look = typeof own.title === "object" ? own.title : {};
  const title =
    words === undefined ? undefined : { ...look, text: wrapText(words, 15, width - margin.l - 12) };
  const grown =
    22 * (lines(title?.text) - lines(words)) +
    (own.showlegend ? legendRowHeight * (legendRows(figure.data, space) - 1) : 0);
  const shrunk = !grid && isSquare(own) ? squareLoss(own, margin, width) : 0;
  margin.t += grown;
  const layout = {
    ...own,
    title,
    margin,
    width: grid ? own.width! : width,
    height: (own.height ?? 400) + grown - shrunk,
  };
  const placed = panelsOf({ data: figure.data, layout }, areaOf(layout));
  const slanted = slantedAxes(placed, areaOf(layout));
  if (!slanted) return { figure: { data: figure.data, layout }, area: areaOf(layout), panels: placed };
  Object.assign(layout, slanted.axes, { height: layout.height + slanted.height });
  margin.b += slanted.height;
  margin.l += slanted.left;
  const area = areaOf(layout);
  return {
    figure: { data: figure.data, layout },
    area,
    panels: panelsOf({ data: figure.data, layout }, area),
  };
}

function numeric(value: unknown, otherwise: number): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : otherwise;
}

/** Whether a unit has the same length on both axes, so that the height depends on the width. */
function isSquare(layout: PlotlyLayout): boolean {
  return Object.keys(layout).some(
    (key) => key.startsWith("yaxis") && layout[key as "yaxis"]?.scaleanchor !== undefined,
  );
}

/** By how much the area becomes lower when it becomes narrower. */
function squareLoss(
  own: PlotlyLayout,
  margin: { l: number; r: number; t: number; b: number },
  width: number,
): number {
  const [from, to] = [own.width ?? 720, width].map((all) => all - margin.l - margin.r);
  return Math.round(((own.height ?? 400) - margin.t - margin.b) * (1 - to! / from!));
}

/** How much lower slanted names reach than straight ones. */
export function slantedHeight({ tickangle }: PlotlyAxis, { ticks }: Scale): number {
  if (!tickangle) return 0;
  const longest = ticks.reduce((most, { label }) => Math.max(most, textWidth(label, tickSize)), 0);
  return Math.round(longest * Math.sin((Math.abs(tickangle) * Math.PI) / 180));
}

/** How much the left margin has to grow so that no slanted name of a panel leaves the figure. */
function slantedLeft({ box, xScale }: Panel, { left, width }: Box): number {
  const over = xScale.ticks.map(({ label, value }) => {
    const at = box.left + ((value - xScale.low) / (xScale.high - xScale.low)) * box.width;
    const reach = textWidth(label, tickSize) * Math.cos((slant * Math.PI) / 180);
    // A wider margin moves what is at the left by more than what is at the right.
    return (reach - at) / (1 - (at - left) / width);
  });
  return Math.ceil(Math.max(0, ...over));
}

function slantedAxes(
  panels: readonly Panel[],
  area: Box,
): { axes: Record<string, PlotlyAxis>; height: number; left: number } | undefined {
  const axes: Record<string, PlotlyAxis> = {};
  let [height, left] = [0, 0];
  for (const panel of panels) {
    const { box, xName, xAxis, xScale } = panel;
    const named = xAxis.type === "category" || xAxis.ticktext !== undefined;
    if (!named || xAxis.showticklabels === false) continue;
    const slot = box.width / Math.max(1, xScale.ticks.length);
    if (xScale.ticks.every(({ label }) => textWidth(label, tickSize) < slot - 4)) continue;
    const slanted = { ...xAxis, tickangle: slant };
    axes[xName] = slanted;
    height = Math.max(height, slantedHeight(slanted, xScale));
    left = Math.max(left, slantedLeft(panel, area));
  }
  return height > 0 ? { axes, height, left } : undefined;
}

function areaOf({ width, height, margin }: PlotlyLayout & { width: number; height: number }): Box {
  const { l, r, t, b } = margin!;
  return { left: l, top: t, width: width - l - r, height: height - t - b };
}

function lines(text: string | undefined): number {
  return text === undefined ? 0 : text.split("<br>").length;
}
