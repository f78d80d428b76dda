import { inspect } from "node:util";
import type { PanelGrid, PlotlyFigure, PlotlyLayout, PlotlyTrace } from "./spec";

/** A figure of ours: plain Plotly JSON that also knows how to write itself. */
export interface Figure extends PlotlyFigure {
  /** Writes it by the file's ending: `.html` (to point at and zoom into, no network), `.png`, `.svg`, `.pdf` or `.json`. */
  save(path: string): Promise<string>;
}

/** Makes a figure that prints as one line of numbers where it is not drawn. */
export function figure(
  data: PlotlyTrace[],
  layout: PlotlyLayout,
  summary: string,
  panels?: PanelGrid,
): Figure {
  const meta = panels ? { summary, panels } : { summary };
  const made: PlotlyFigure = { data, layout: { ...layout, meta } };
  const print = () => `Figure: ${summary}`;
  const save = async (path: string) => (await import("./saveFigure")).saveFigure(made, path);
  return Object.defineProperties(made, {
    [inspect.custom]: { value: print },
    save: { value: save },
  }) as Figure;
}
