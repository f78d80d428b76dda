import { LuvitError } from "../core/errors";
import { checkOptions, list, number, optionsOf, row } from "../core/options";
import { compose } from "./composition";
import { escapeHtml } from "./html";
import { expectImage, type ImageFigure, type RgbImage, resizeImage } from "./image";
import { imageTable } from "./imageTable";
import { cell, label, objects, labels as texts } from "./options";
import { escapeXml } from "./svg/text";
import { neutralColor } from "./theme";

/** A color and what it stands for. */
export interface LegendEntry {
  name: string;
  color: readonly [number, number, number];
}

/** How a grid of images looks. */
export interface ImageGridOptions {
  /** Above the columns. */
  columnTitles?: readonly string[];
  /** Left of the rows. */
  rowLabels?: readonly string[];
  /** Below each image, row by row. */
  captions?: readonly (readonly (string | undefined)[])[];
  /** Below all: names with their colors, each 0 to 255. */
  legend?: readonly LegendEntry[];
  /** Factor on the images' own size; default brings the widest image to 160 pixels. */
  scale?: number;
  /** Width of each cell in pixels instead of `scale`. */
  cell?: number;
  /** What the image shows, for readers who do not see it. */
  alt?: string;
}

export const imageGridOptions = optionsOf<ImageGridOptions>(
  {},
  {
    columnTitles: texts,
    rowLabels: texts,
    captions: objects("a list of rows of texts"),
    legend: objects("a list of names with colors"),
    scale: number(0, 1000, true),
    cell,
    alt: label,
  },
);

const gap = 6;
const fontSize = 13;
/** Labels stand on transparent ground; this gray is legible on white and on near-black. */
const labelColor = neutralColor;

/**
 * Rows of images in equal cells, with labels; small images grow in whole pixels.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const shown = await luvit.data.preview(images.take(6));
 * await (await luvit.figures.imageGrid([shown], { columnTitles: images.classes })).save("images.png");
 */
export async function imageGrid(
  rows: readonly (readonly (RgbImage | undefined)[])[],
  options: ImageGridOptions = {},
): Promise<ImageFigure> {
  checkOptions("imageGrid", list(row("a list of images")), rows);
  checkOptions("imageGrid", imageGridOptions, options);
  const images = rows.flat().filter((image): image is RgbImage => image !== undefined);
  const largest = images.reduce<RgbImage | undefined>(
    (best, image) => (!best || image.width > best.width ? image : best),
    undefined,
  );
  if (!largest) throw new LuvitError("bad-argument", "imageGrid: no images");
  const scale = options.cell ? options.cell / largest.width : (options.scale ?? 160 / largest.width);
  const cell = {
    width: Math.max(1, Math.round(largest.width * scale)),
    height: Math.max(1, Math.round(largest.height * scale)),
  };
  const grid = gridGeometry(rows, cell, options);
  const shown = await Promise.all(
    rows.map((row) => Promise.all(row.map((image) => image && fitted(image, cell)))),
  );
  const layers = shown.flatMap((row, y) =>
    row.flatMap((image, x) => (image ? [{ image, left: grid.left(x), top: grid.top(y) }] : [])),
  );
  const { columnTitles, rowLabels, captions, alt = describe(rows, options) } = options;
  const cells = shown.map((row, y) => row.map((image, x) => image && { image, below: captions?.[y]?.[x] }));
  const { svg, height, html: foot } = legendOf(options.legend ?? [], grid);
  const html = await imageTable({ rows: cells, columnTitles, rowLabels, cell: cell.width, alt, foot });
  const marks = labels(rows, cell, grid, options) + svg;
  return compose({ ...grid, height: grid.height + height, layers, marks, alt, html });
}

/** Colored squares with names, in as many lines as the width needs. */
function legendOf(entries: readonly LegendEntry[], { width, height: top }: Size) {
  const [line, square] = [20, 11];
  let [x, y] = [0, 0];
  const items = entries.map(({ name, color }) => {
    const wide = square + 6 + name.length * fontSize * 0.56 + 16;
    if (x > 0 && x + wide > width) [x, y] = [0, y + line];
    const place = { x, y: top + 8 + y };
    x += wide;
    const fill = `rgb(${color.join(",")})`;
    return { name, fill, place };
  });
  const svg = items.map(
    ({ name, fill, place }) =>
      `<rect x="${place.x}" y="${place.y}" width="${square}" height="${square}" fill="${fill}"/>` +
      `<text x="${place.x + square + 6}" y="${place.y + 10}" font-size="12" fill="${labelColor}">${escapeXml(name)}</text>`,
  );
  const marks = items.map(
    ({ name, fill }) =>
      `<span style="white-space:nowrap"><span style="display:inline-block;width:11px;height:11px;margin-right:5px;background:${fill}"></span>${escapeHtml(name)}</span>`,
  );
  const look =
    "display:flex;flex-wrap:wrap;gap:2px 14px;margin:4px 3px;font:12px/1.35 system-ui,sans-serif;opacity:.78";
  const html = items.length > 0 ? `<div style="${look}">${marks.join("")}</div>` : "";
  return { svg: svg.join(""), height: items.length > 0 ? y + line + 8 : 0, html };
}

interface Size {
  width: number;
  height: number;
}

interface GridGeometry extends Size {
  left(column: number): number;
  top(row: number): number;
}

function gridGeometry(
  rows: readonly (readonly unknown[])[],
  cell: Size,
  options: ImageGridOptions,
): GridGeometry {
  const columns = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const longest = (options.rowLabels ?? []).reduce((most, label) => Math.max(most, label.length), 0);
  const indent = longest === 0 ? 0 : Math.ceil(longest * fontSize * 0.6) + 12;
  const head = options.columnTitles ? fontSize + 10 : 0;
  const caption = options.captions ? fontSize + 7 : 0;
  const left = (column: number) => indent + column * (cell.width + gap);
  const top = (row: number) => head + row * (cell.height + caption + gap);
  return { left, top, width: left(columns) - gap, height: top(rows.length) - gap + (caption > 0 ? gap : 0) };
}

function fitted(image: RgbImage, { width, height }: Size): Promise<RgbImage> {
  const kernel = image.width * 2 <= width ? "nearest" : "lanczos3";
  return resizeImage(expectImage(image, "imageGrid"), width, height, kernel);
}

function labels(
  rows: readonly (readonly unknown[])[],
  cell: Size,
  grid: GridGeometry,
  options: ImageGridOptions,
): string {
  const text = (content: string, x: number, y: number, anchor: string, size = fontSize) =>
    `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}">${escapeXml(content)}</text>`;
  const titles = (options.columnTitles ?? []).map((title, x) =>
    text(title, grid.left(x) + cell.width / 2, fontSize + 1, "middle"),
  );
  const names = (options.rowLabels ?? []).map((label, y) =>
    text(label, grid.left(0) - 10, grid.top(y) + cell.height / 2 + fontSize / 3, "end"),
  );
  const captions = rows.flatMap((row, y) =>
    row.map((_, x) =>
      text(
        options.captions?.[y]?.[x] ?? "",
        grid.left(x) + cell.width / 2,
        grid.top(y) + cell.height + fontSize + 1,
        "middle",
        11,
      ),
    ),
  );
  const all = [...titles, ...names, ...captions].join("");
  return `<g fill="${labelColor}">${all}</g>`;
}

function describe(rows: readonly (readonly unknown[])[], options: ImageGridOptions): string {
  const columns = options.columnTitles ? `: ${options.columnTitles.join(" | ")}` : "";
  return `${rows.length} ${rows.length === 1 ? "row" : "rows"} of ${rows[0]?.length ?? 0} images${columns}`;
}
