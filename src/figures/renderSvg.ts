import { checkOptions } from "../core/options";
import type { PlotlyFigure } from "./spec";
import { type RenderOptions, renderSvg as render, renderOptions } from "./svg/render";

/**
 * A figure as SVG, for files and pages of one's own. (`svg/render` is also a part of pages' scripts, where options are
 * this library's.)
 * @throws LuvitError("bad-argument") for options that cannot be.
 */
export function renderSvg(figure: PlotlyFigure, options: RenderOptions = {}): string {
  checkOptions("renderSvg", renderOptions, options);
  return render(figure, options);
}
