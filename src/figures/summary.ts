import type { PlotlyFigure } from "./figure";

/** The figure's numbers in one line; its title when it carries none. */
export function figureSummary(figure: PlotlyFigure): string {
  const title = figure.layout.title?.text.replace(/<br>.*$/, "").replace(/<[^>]*>/g, "");
  return figure.layout.meta?.summary ?? title ?? `${figure.data.length} traces`;
}
