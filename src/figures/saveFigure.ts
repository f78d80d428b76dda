import { LuvitError } from "../core/errors";
import { writeAtomically } from "../core/writeAtomically";
import { type PlotlyFigure, figureSummary } from "./figure";
import { renderSvg } from "./svg/render";

/** How to draw a bitmap. */
export interface PngOptions {
  /** Default light. */
  theme?: "light" | "dark";
  /** Pixels per unit of the figure's size; default 2. */
  scale?: number;
}

/** A figure as PNG bytes, through librsvg. Texts need at least one font on the machine. */
export async function figurePng(figure: PlotlyFigure, options: PngOptions = {}): Promise<Uint8Array> {
  const { default: sharp } = await import("sharp");
  const svg = renderSvg(figure, { theme: options.theme ?? "light" });
  return sharp(Buffer.from(svg), { density: 72 * (options.scale ?? 2) })
    .png()
    .toBuffer();
}

/** Writes a figure by the file's ending: `.svg`, `.png`, `.html` (a picture on a page) or `.json` (Plotly). */
export async function saveFigure(figure: PlotlyFigure, path: string): Promise<string> {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending === "svg") writeAtomically(path, renderSvg(figure));
  else if (ending === "png") writeAtomically(path, await figurePng(figure));
  else if (ending === "html") writeAtomically(path, figurePage(figure));
  else if (ending === "json") writeAtomically(path, `${JSON.stringify(figure)}\n`);
  else throw new LuvitError("bad-argument", `saveFigure: ${path} ends in none of .svg, .png, .html, .json`);
  return path;
}

function figurePage(figure: PlotlyFigure): string {
  const title = figureSummary(figure).replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const style =
    ":root{color-scheme:light dark}body{margin:0;display:grid;place-items:center;min-height:100vh}svg{max-width:100%;height:auto}";
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${style}</style>${renderSvg(figure)}</html>\n`;
}
