import { inspect } from "node:util";
import { isDrawable, isPlotlyDrawable } from "./drawable";
import { formatNumber } from "./format";
import { figureHtml } from "./interactive/figureHtml";
import { withEmbeddedImages } from "./plotly/embeddedImages";
import { plotlyHtml } from "./plotly/plotlyHtml";
import { plotlyTemplate } from "./plotly/template";
import { figurePng } from "./saveFigure";
import { type PlotlyFigure, plotlyMime } from "./spec";
import { figureSummary } from "./summary";
import { placeFigure } from "./svg/place";

/** More points than a page can carry and point at. */
const mostPoints = 200_000;

function pointsOf({ data }: PlotlyFigure): number {
  return data.reduce(
    (sum, { y, z }) => sum + (y?.length ?? 0) + (z ?? []).reduce((all, row) => all + row.length, 0),
    0,
  );
}

/** A figure of so many points that a page would be slow with them: an image, and why there is no more. */
async function imageOnly(figure: PlotlyFigure): Promise<Record<string, unknown>> {
  const png = Buffer.from(await figurePng(figure, { scale: 1 })).toString("base64");
  const points = formatNumber(pointsOf(figure));
  const text = `${figureSummary(figure)}\n${points} points: shown as an image only; thin them out to point at them`;
  return { "text/plain": text, "image/png": png };
}

/** A figure as Plotly is to draw it: like the images here, legible on white and on near-black. */
function plotlyJson(figure: PlotlyFigure): object {
  if (!isDrawable(figure)) return withEmbeddedImages(figure);
  const { data, layout } = withEmbeddedImages(placeFigure(figure).figure);
  return { data, layout: { template: plotlyTemplate, ...layout } };
}

/**
 * A figure in every form that a notebook may show: Plotly JSON, HTML that needs neither network nor trust for its
 * image, PNG, and a line with its numbers. Plotly's extension of JupyterLab shows the PNG pixel by pixel until it is
 * pointed at, hence it has the figure's size. What the renderer here cannot draw has no still image, and Plotly in its
 * HTML.
 */
export async function figureBundle(figure: PlotlyFigure): Promise<Record<string, unknown>> {
  if (isDrawable(figure) && pointsOf(figure) > mostPoints) return imageOnly(figure);
  const plain = { "text/plain": inspect(figure), [plotlyMime]: plotlyJson(figure) };
  if (!isPlotlyDrawable(figure)) return plain;
  if (!isDrawable(figure)) return { ...plain, "text/html": plotlyHtml(figure) };
  const png = Buffer.from(await figurePng(figure, { scale: 1 })).toString("base64");
  return { ...plain, "text/html": figureHtml(figure), "image/png": png };
}
