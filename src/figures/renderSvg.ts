import { checkOptions, flag, oneOf, optionsOf } from "../core/options";
import { figureField, side } from "./options";
import type { PlotlyFigure } from "./spec";
import { type RenderOptions, renderSvg as render } from "./svg/render";

export const renderOptions = optionsOf<RenderOptions>(
  {},
  { theme: oneOf(["auto", "light", "dark"]), width: side, inline: flag },
);

/**
 * A figure as SVG, for files and pages of one's own. (`svg/render` is also a part of pages' scripts, where options are
 * this library's.)
 * @throws LuvitError("bad-argument") for options that cannot be.
 */
export function renderSvg(figure: PlotlyFigure, options: RenderOptions = {}): string {
  checkOptions("renderSvg", figureField, figure);
  checkOptions("renderSvg", renderOptions, options);
  return render(figure, options);
}
