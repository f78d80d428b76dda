import { inspect } from "node:util";
import { isDrawable, isPlotlyDrawable } from "./drawable";
import type { PlotlyFigure } from "./figure";
import { figureHtml } from "./interactive/figureHtml";
import { plotlyHtml } from "./plotly/plotlyHtml";
import { figurePng } from "./saveFigure";
import { placeFigure } from "./svg/place";
import { figureFont, neutralColor } from "./theme";

/** What notebooks hand to Plotly where they have it. */
export const plotlyMime = "application/vnd.plotly.v1+json";

const line = {
  gridcolor: "rgba(128,128,128,.2)",
  linecolor: neutralColor,
  zeroline: false,
  showline: true,
  ticks: "",
};
const look = {
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: figureFont, size: 12.5, color: neutralColor },
  title: {
    x: 0,
    xref: "paper",
    xanchor: "left",
    y: 1,
    yref: "container",
    yanchor: "top",
    pad: { t: 14 },
    font: { size: 15 },
  },
  xaxis: line,
  yaxis: line,
  coloraxis: { colorbar: { thickness: 12, outlinewidth: 0 } },
  hovermode: "closest",
};

/** A figure as Plotly is to draw it: like the pictures here, legible on white and on near-black. */
function plotlyJson(figure: PlotlyFigure): object {
  if (!isDrawable(figure)) return { data: figure.data, layout: figure.layout };
  const { data, layout } = placeFigure(figure).figure;
  return { data, layout: { template: { layout: look }, ...layout } };
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
