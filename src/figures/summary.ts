import type { PlotlyFigure } from "./spec";

/** The figure's numbers in one line; its title, which Plotly also takes as bare text, when it carries none. */
export function figureSummary({ data, layout }: PlotlyFigure): string {
  const title = layout.title as PlotlyFigure["layout"]["title"] | string;
  const text = typeof title === "string" ? title : title?.text;
  const kinds = [...new Set(data.map(({ type }) => type))].join(", ");
  return layout.meta?.summary ?? text?.replace(/<br>.*$/, "").replace(/<[^>]*>/g, "") ?? `Figure: ${kinds}`;
}
