import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { browserScript } from "../browserScript";
import { escapeHtml, scriptJson } from "../html";
import type { PlotlyFigure } from "../spec";
import { figureSummary } from "../summary";
import { withEmbeddedImages } from "./embeddedImages";
import { plotlyTemplate } from "./template";

const defaultHeight = 450;

/**
 * A figure of any kind that Plotly's cartesian bundle knows (histograms, boxes, contours, pies, …) as HTML that carries
 * Plotly itself, compressed (0.66 MB): it needs no network, but scripts. Without them its line of text is there.
 */
export function plotlyHtml(figure: PlotlyFigure): string {
  const { data, layout } = withEmbeddedImages(figure);
  const height = typeof layout.height === "number" ? layout.height : defaultHeight;
  return (
    `<div class="luvit-plotly" style="min-height:${height}px"><p>${escapeHtml(figureSummary(figure))}</p>` +
    `<script type="application/json" class="luvit-figure">${scriptJson({ data, layout: { template: plotlyTemplate, ...layout } })}</script>` +
    `<script type="text/plain" class="luvit-plotly-library">${packedLibrary()}</script>` +
    `<script>${browserScript(join(__dirname, "browser/main"))}</script></div>`
  );
}

let packed: string | undefined;

function packedLibrary(): string {
  packed ??= gzipSync(readFileSync(require.resolve("plotly.js-cartesian-dist-min")), { level: 9 }).toString(
    "base64",
  );
  return packed;
}
