import type { PlotlyFigure } from "../figures/figure";
import { figureSummary } from "../figures/figure";
import { renderSvg } from "../figures/svg/render";
import { dataUrl, escapeHtml, scriptJson } from "./html";

/**
 * A figure as HTML that needs nothing else: a static picture, and beside it the Plotly JSON that an exported page
 * turns into an interactive plot. Viewers that run no scripts keep the picture.
 */
export function figureHtml(figure: PlotlyFigure): string {
  const width = figure.layout.width ?? 720;
  const picture = dataUrl("image/svg+xml", renderSvg(figure));
  return (
    `<div class="luvit-plot" style="max-width:${width}px">` +
    `<img src="${picture}" alt="${escapeHtml(figureSummary(figure))}" style="width:100%;height:auto;min-width:${Math.round(0.62 * width)}px">` +
    `<script type="application/json" class="luvit-figure">${scriptJson(figure)}</script></div>`
  );
}
