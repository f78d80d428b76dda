import { LuvitError } from "../core/errors";
import { checkOptions, number, oneOf, optionsOf, path as pathField } from "../core/options";
import { writeAtomically } from "../core/writeAtomically";
import { pageAround } from "./browser/pageAround";
import { expectDrawable, isDrawable } from "./drawable";
import { figureHtml } from "./interactive/figureHtml";

import { figureField } from "./options";
import { figurePdf } from "./pdf/figurePdf";
import { plotlyHtml } from "./plotly/plotlyHtml";
import type { PlotlyFigure } from "./spec";
import { figureSummary } from "./summary";
import { renderSvg } from "./svg/render";

/** How to draw a bitmap. */
export interface PngOptions {
  /** Default light. */
  theme?: "light" | "dark";
  /** Pixels per unit of the figure's size; default 2. */
  scale?: number;
}

export const pngOptions = optionsOf<PngOptions>(
  {},
  { theme: oneOf(["light", "dark"]), scale: number(0, 20, true) },
);

/** A figure as PNG bytes, through librsvg. Texts need at least one font on the machine. */
export async function figurePng(figure: PlotlyFigure, options: PngOptions = {}): Promise<Uint8Array> {
  checkOptions("figurePng", figureField, figure);
  checkOptions("figurePng", pngOptions, options);
  const { default: sharp } = await import("sharp");
  const svg = renderSvg(figure, { theme: options.theme ?? "light" });
  return sharp(Buffer.from(svg), { density: 72 * (options.scale ?? 2) })
    .png()
    .toBuffer();
}

/** Writes a figure by the file's ending: `.svg`, `.pdf`, `.png`, `.html` (a page to point at and zoom into) or `.json` (Plotly). */
export async function saveFigure(figure: PlotlyFigure, path: string): Promise<string> {
  checkOptions("saveFigure", figureField, figure);
  checkOptions("saveFigure", pathField, path);
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending === "svg" || ending === "png" || ending === "pdf") expectDrawable(figure, path);
  if (ending === "svg") writeAtomically(path, renderSvg(figure));
  else if (ending === "png") writeAtomically(path, await figurePng(figure));
  else if (ending === "pdf") writeAtomically(path, figurePdf(figure));
  else if (ending === "html") writeAtomically(path, pageAround(htmlOf(figure), figureSummary(figure)));
  else if (ending === "json") writeAtomically(path, `${JSON.stringify(figure)}\n`);
  else
    throw new LuvitError(
      "bad-argument",
      `saveFigure: ${path} ends in none of .svg, .pdf, .png, .html, .json`,
    );
  return path;
}

function htmlOf(figure: PlotlyFigure): string {
  return isDrawable(figure) ? figureHtml(figure) : plotlyHtml(figure);
}
