import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import { imageGridOptions } from "./options";
import { expectImage, Picture, type RgbImage, resizeImage } from "./picture";
import { escapeXml } from "./svg/text";
import { figureFont, neutralColor } from "./theme";

/** How a grid of images looks. */
export interface ImageGridOptions {
  /** Above the columns. */
  columnTitles?: readonly string[];
  /** Left of the rows. */
  rowLabels?: readonly string[];
  /** Below each image, row by row. */
  captions?: readonly (readonly (string | undefined)[])[];
  /** Factor on the images' own size; default brings the widest image to 160 pixels. */
  scale?: number;
  /** Width of each cell in pixels instead of `scale`. */
  cell?: number;
  /** What the picture shows, for readers who do not see it. */
  alt?: string;
}

const gap = 6;
const fontSize = 13;
/** Labels stand on transparent ground; this grey is legible on white and on near-black. */
const labelColor = neutralColor;

/** Rows of images in equal cells, with labels; small images grow in whole pixels. */
export async function imageGrid(
  rows: readonly (readonly (RgbImage | undefined)[])[],
  options: ImageGridOptions = {},
): Promise<Picture> {
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
  const { default: sharp } = await import("sharp");
  const layers = await Promise.all(
    rows.flatMap((row, y) =>
      row.map(async (image, x) => (image ? placed(image, cell, grid.left(x), grid.top(y)) : undefined)),
    ),
  );
  const labels = Buffer.from(labelSvg(rows, cell, grid, options));
  const png = await sharp({
    create: {
      width: grid.width,
      height: grid.height,
      channels: 4,
      background: { r: 0, g: 0, b: 0, alpha: 0 },
    },
  })
    .composite([...layers.filter((layer) => layer !== undefined), { input: labels, left: 0, top: 0 }])
    .png({ compressionLevel: 9 })
    .toBuffer();
  const alt = options.alt ?? describe(rows, options);
  return new Picture(png, grid.width, grid.height, alt);
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

async function placed(
  image: RgbImage,
  cell: Size,
  left: number,
  top: number,
): Promise<{
  input: Buffer;
  raw: { width: number; height: number; channels: 3 };
  left: number;
  top: number;
}> {
  const kernel = image.width * 2 <= cell.width ? "nearest" : "lanczos3";
  const { data } = await resizeImage(expectImage(image, "imageGrid"), cell.width, cell.height, kernel);
  return { input: Buffer.from(data), raw: { ...cell, channels: 3 }, left, top };
}

function labelSvg(
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
  const labels = (options.rowLabels ?? []).map((label, y) =>
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
  const all = [...titles, ...labels, ...captions].join("");
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${grid.width}" height="${grid.height}" fill="${labelColor}" font-family="${escapeXml(figureFont)}">${all}</svg>`;
}

function describe(rows: readonly (readonly unknown[])[], options: ImageGridOptions): string {
  const columns = options.columnTitles ? `: ${options.columnTitles.join(" | ")}` : "";
  return `${rows.length} ${rows.length === 1 ? "row" : "rows"} of ${rows[0]?.length ?? 0} images${columns}`;
}
