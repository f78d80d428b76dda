import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { pagePlotlyTheme } from "../figures/theme";
import { scriptJson } from "./html";

/** Plotly's cartesian bundle, compressed (0.66 MB), and the script that turns figure pictures into plots. */
export function plotlyScripts(): string {
  const library = readFileSync(require.resolve("plotly.js-cartesian-dist-min"));
  const packed = gzipSync(library, { level: 9 }).toString("base64");
  return (
    `<script type="application/gzip;base64" id="luvit-plotly">${packed}</script>\n` +
    `<script>(${upgradeFigures.toString()})(${scriptJson(pagePlotlyTheme)});</script>`
  );
}

/** The browser's side; it is written into the page as text, so it may use nothing from outside itself. */
function upgradeFigures(themes: { light: object; dark: object }): void {
  // biome-ignore lint/suspicious/noExplicitAny: the page's globals; this library is compiled without DOM types
  const page = globalThis as any;
  const { document } = page;
  const dark = page.matchMedia("(prefers-color-scheme: dark)");

  async function loadPlotly(): Promise<void> {
    const packed = document.getElementById("luvit-plotly").textContent;
    const bytes = Uint8Array.from(page.atob(packed), (c: string) => c.charCodeAt(0));
    const stream = new page.Blob([bytes]).stream().pipeThrough(new page.DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new page.Response(stream).text();
    document.head.append(script);
  }

  function merge(base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
    const merged: Record<string, unknown> = { ...base };
    for (const [key, value] of Object.entries(over)) {
      const both = typeof value === "object" && typeof merged[key] === "object" && !Array.isArray(value);
      merged[key] = both
        ? merge(merged[key] as Record<string, unknown>, value as Record<string, unknown>)
        : value;
    }
    return merged;
  }

  function layoutFor(layout: Record<string, unknown>): object {
    const theme = (dark.matches ? themes.dark : themes.light) as Record<string, unknown>;
    const themed = merge(theme.all as Record<string, unknown>, layout);
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key))
        themed[key] = merge(theme.axis as Record<string, unknown>, layout[key] as Record<string, unknown>);
    }
    return { ...themed, width: undefined, autosize: true };
  }

  async function draw(source: { textContent: string; parentElement: never }): Promise<void> {
    // biome-ignore lint/suspicious/noExplicitAny: DOM elements, see above
    const box = source.parentElement as any;
    const { data, layout } = JSON.parse(source.textContent);
    const image = box.querySelector("img");
    if (page.innerWidth < 640) return;
    const plot = document.createElement("div");
    plot.style.height = `${layout.height ?? 420}px`;
    plot.style.visibility = "hidden";
    plot.style.position = "absolute";
    plot.style.width = `${image.clientWidth}px`;
    box.append(plot);
    const config = {
      displaylogo: false,
      responsive: true,
      modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    };
    await page.Plotly.newPlot(plot, data, layoutFor(layout), config);
    image.remove();
    Object.assign(plot.style, { position: "", visibility: "", width: "100%" });
    dark.addEventListener("change", () => page.Plotly.relayout(plot, layoutFor(layout)));
  }

  async function upgradeAll(): Promise<void> {
    await loadPlotly();
    for (const source of document.querySelectorAll("script.luvit-figure")) {
      await draw(source).catch((error: unknown) => page.console.warn("the picture stays:", error));
    }
  }
  page.addEventListener(
    "load",
    () => void upgradeAll().catch((error: unknown) => page.console.warn("pictures stay:", error)),
  );
}
