import { inspect } from "node:util";
import { isDrawable, isPlotlyDrawable } from "./drawable";
import type { PlotlyFigure } from "./spec";
import { figureHtml } from "./interactive/figureHtml";
import { plotlyHtml } from "./plotly/plotlyHtml";
import { plotlyTemplate } from "./plotly/template";
import { figurePng } from "./saveFigure";
import { placeFigure } from "./svg/place";

/** What notebooks hand to Plotly where they have it. */
export const plotlyMime = "application/vnd.plotly.v1+json";

/** A figure as Plotly is to draw it: like the pictures here, legible on white and on near-black. */
function plotlyJson(figure: PlotlyFigure): object {
  if (!isDrawable(figure)) return { data: figure.data, layout: figure.layout };
  const { data, layout } = placeFigure(figure).figure;
  return { data, layout: { template: plotlyTemplate, ...layout } };
}

/**
 * A figure in every form that a notebook may show: Plotly JSON, HTML that needs neither network nor trust for its
 * picture, PNG, and a line with its numbers. Plotly's extension of JupyterLab shows the PNG pixel by pixel until it is
 * pointed at, hence it has the figure's size. What the renderer here cannot draw has no still picture, and Plotly in its
 * HTML.
 */
export async function figureBundle(figure: PlotlyFigure): Promise<Record<string, unknown>> {
  const plain = { "text/plain": inspect(figure), [plotlyMime]: plotlyJson(figure) };
  if (!isPlotlyDrawable(figure)) return plain;
  if (!isDrawable(figure)) return { ...plain, "text/html": plotlyHtml(figure) };
  const png = Buffer.from(await figurePng(figure, { scale: 1 })).toString("base64");
  return { ...plain, "text/html": figureHtml(figure), "image/png": png };
}
