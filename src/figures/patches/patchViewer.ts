import { join } from "node:path";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import type { SeenImage } from "../../analysis/answers/spoken";
import { LuvitError } from "../../core/errors";
import { checkOptions, partsWith } from "../../core/options";
import { writeAtomically } from "../../core/writeAtomically";
import { unnormalize } from "../../data/pixels";
import { pageAround } from "../browser/pageAround";
import { browserScript } from "../browserScript";
import { colormapTable } from "../colormap";
import { dataUrl, escapeHtml, scriptJson } from "../html";
import { type ImageFigure, rgbPng } from "../image";
import { overlays } from "../overlays";
import { figureFont, themes } from "../theme";
import { type PatchHeader, steps } from "./browser/header";

/** Most numbers that a page carries. */
const MOST_NUMBERS = 4_000_000;

/** Numbers over the patches of an image to be looked into with pointer, touch and keys; where no script runs, an image. */
export class PatchViewer {
  /** What stands in a notebook's output: an element that needs nothing from elsewhere. */
  readonly html: string;
  /** What is seen where no script runs. */
  readonly image: ImageFigure;
  readonly title: string;
  /** The numbers in words. */
  readonly summary: string;

  constructor(parts: { html: string; image: ImageFigure; title: string; summary: string }) {
    checkOptions("PatchViewer", partsWith("html", "image"), parts);
    const { html, image, title, summary } = parts;
    this.html = html;
    this.image = image;
    this.title = title;
    this.summary = summary;
  }

  /**
   * Writes a page of its own (`.html`) or the still image (`.png`, `.svg`).
   *
   * @throws LuvitError("bad-argument") for other endings.
   */
  async save(path: string): Promise<string> {
    if (/\.html?$/i.test(path)) writeAtomically(path, pageAround(this.html, this.title));
    else if (/\.png$/i.test(path)) writeAtomically(path, this.image.png);
    else if (/\.svg$/i.test(path)) writeAtomically(path, await this.image.toSvg());
    else throw new LuvitError("bad-argument", `PatchViewer.save: ${path} ends in none of .html, .png, .svg`);
    return path;
  }

  toString(): string {
    return `PatchViewer: ${this.summary}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }

  [Symbol.for("Jupyter.display")](): Record<string, unknown> {
    const png = Buffer.from(this.image.png).toString("base64");
    return { "text/html": this.html, "image/png": png, "text/plain": this.toString() };
  }
}

/** What a viewer is made of. */
export interface PatchViewerParts
  extends Pick<PatchHeader, "title" | "hint" | "axes" | "start" | "unit" | "sum"> {
  where: string;
  seen: SeenImage;
  /** The map of a choice, 0 to 1, [P]. */
  map(chosen: readonly number[]): ArrayLike<number>;
  /** What the still image shows: choices, each with a title. */
  still: readonly { title: string; chosen: readonly number[] }[];
  zTitle: string;
  summary: string;
}

/** @throws LuvitError("bad-argument") for more numbers than a page bears. */
export async function makePatchViewer(parts: PatchViewerParts): Promise<PatchViewer> {
  const { seen, title, summary, map, still, zTitle, where, ...shown } = parts;
  const { grid, side, values } = seen;
  const count = shown.axes.reduce((all, { choices }) => all * choices.length, grid.rows * grid.columns);
  if (count > MOST_NUMBERS) {
    const advice = "choose fewer layers";
    throw new LuvitError(
      "bad-argument",
      `${where}: ${count} numbers, a page bears ${MOST_NUMBERS}: ${advice}`,
    );
  }
  const pixels = unnormalize(values, side, side);
  const image = await overlays({
    images: still.map(() => pixels),
    maps: still.map(({ chosen }) => ({
      values: Float32Array.from(map(chosen)),
      width: grid.columns,
      height: grid.rows,
    })),
    titles: still.map((one) => one.title),
    zTitle,
    columns: 3,
  });
  const { axes, start, hint, unit, sum } = shown;
  const header: PatchHeader = {
    title,
    hint,
    axes,
    start,
    unit,
    sum,
    themes,
    grid: { rows: grid.rows, columns: grid.columns },
    image: dataUrl("image/png", await rgbPng(pixels)),
    font: figureFont,
    colors: Buffer.from(colormapTable("magma")).toString("base64"),
  };
  return new PatchViewer({ html: htmlOf(header, packed(shown.axes, map), image), image, title, summary });
}

/** All maps in the order of the axes, a number in two bytes each, gzip in base64. */
function packed(axes: PatchHeader["axes"], map: PatchViewerParts["map"]): string {
  const choices = axes.reduce<number[][]>(
    (all, { choices }) => all.flatMap((before) => choices.map((_, i) => [...before, i])),
    [[]],
  );
  const numbers = choices.map((chosen) =>
    Uint16Array.from(map(chosen), (value) => Math.round(steps * Math.min(1, Math.max(0, value)))),
  );
  const bytes = Buffer.concat(numbers.map(({ buffer }) => Buffer.from(buffer)));
  return gzipSync(bytes, { level: 9 }).toString("base64");
}

function htmlOf(header: PatchHeader, data: string, image: ImageFigure): string {
  const { width, height, png, alt } = image;
  return `<div class="luvit-patches" data-lm-suppress-shortcuts="true">
<p><b>${escapeHtml(header.title)}</b></p>
<img src="${dataUrl("image/png", png)}" width="${width}" height="${height}" style="max-width:100%;height:auto" alt="${escapeHtml(alt)}">
<script type="application/json" class="luvit-patches-header">${scriptJson(header)}</script>
<script type="application/gzip;base64" class="luvit-patches-data">${data}</script>
<script>${browserScript(join(__dirname, "browser/main"))}</script>
</div>`;
}
