import { join } from "node:path";
import { browserScript } from "../browserScript";
import { dataUrl, escapeHtml, scriptJson } from "../html";
import type { PlotlyFigure } from "../spec";
import { figureSummary } from "../summary";
import { placeFigure } from "../svg/place";
import { drawFigure } from "../svg/render";

/**
 * A figure as HTML that needs nothing else: a static image, and a script that draws the same in the page's theme and
 * width, to point at and to zoom into. Viewers that run no scripts keep the image.
 */
export function figureHtml(figure: PlotlyFigure): string {
  const placed = placeFigure(figure);
  const { width, height } = placed.figure.layout;
  const image = dataUrl("image/svg+xml", drawFigure(placed, {}));
  return (
    `<div class="luvit-plot" style="max-width:${width}px;overflow-x:auto">` +
    `<img src="${image}" alt="${escapeHtml(figureSummary(figure))}" width="${width}" height="${height}" style="max-width:100%;height:auto">` +
    `<script type="application/json" class="luvit-figure">${scriptJson(figure)}</script>` +
    `<script>${browserScript(join(__dirname, "browser/main"))}</script></div>`
  );
}
