import { LuvitError } from "../core/errors";
import { checkOptions, flag, list, optionsOf, shaped } from "../core/options";
import type { ColormapName } from "./colormap";
import { formatNumber } from "./format";
import {
  expectImage,
  type GridMap,
  type ImageFigure,
  mapImage,
  type RgbImage,
  resizeImage,
  valueRange,
} from "./image";
import { type ImageGridOptions, imageGrid } from "./imageGrid";
import { cell, cellOptions, colormapField, ends, labels, objects, share } from "./options";

/** How a map is laid over an image. */
export interface OverlayOptions {
  colormap?: ColormapName;
  /** Weight of the map, 0 to 1; default 0.6. */
  alpha?: number;
  /** Values at the ends of the color map; default the map's own. */
  range?: readonly [number, number];
  /** Whether patches blend into each other; default false, every patch is a square. */
  smooth?: boolean;
}

/** An image under a half transparent map of its patches. */
export async function overlayMap(
  image: RgbImage,
  map: GridMap,
  options: OverlayOptions = {},
): Promise<RgbImage> {
  checkOptions("overlayMap", overlayOptions, options);
  const { data, width, height } = expectImage(image, "overlayMap");
  const kernel = options.smooth ? "lanczos3" : "nearest";
  const colors = await resizeImage(
    mapImage(map, options.colormap ?? "viridis", options.range),
    width,
    height,
    kernel,
  );
  const alpha = options.alpha ?? 0.6;
  const mixed = new Uint8Array(data.length);
  for (let index = 0; index < data.length; index++) {
    mixed[index] = Math.round((1 - alpha) * data[index]! + alpha * colors.data[index]!);
  }
  return { width, height, data: mixed };
}

/** Without its colors, so that those of the map can be read. */
export function inGray({ data, width, height }: RgbImage): RgbImage {
  const gray = Uint8Array.from(data, (_, index) => {
    const at = index - (index % 3);
    return 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
  });
  return { width, height, data: gray };
}

/** A column of images, or of maps drawn in colors; one entry per row. */
export interface MapColumn {
  title: string;
  images?: readonly RgbImage[];
  maps?: readonly GridMap[];
  colormap?: ColormapName;
  /** Values at the ends of the color map; default each map's own, written below it. */
  range?: readonly [number, number];
  /** Unit of the numbers below the maps. */
  unit?: string;
}

/** What `mapGrid` draws. */
export interface MapGridOptions {
  columns: readonly MapColumn[];
  rowLabels?: readonly string[];
  /** Width of a cell in pixels; default 168. */
  cell?: number;
}

export const overlayOptions = optionsOf<OverlayOptions>(
  {},
  { colormap: colormapField, alpha: share, range: ends, smooth: flag },
);

export const mapGridOptions = optionsOf<MapGridOptions>(
  { columns: objects("a list of columns { title, images } or { title, maps }") },
  { rowLabels: labels, cell },
);

/** Images beside their maps, for instance image, mask, patch norm and entropy, with the range below each map. */
export async function mapGrid(options: MapGridOptions): Promise<ImageFigure> {
  checkOptions("mapGrid", mapGridOptions, options);
  const { columns, rowLabels, cell = 168 } = options;
  const count = columns.map((column) => (column.images ?? column.maps ?? []).length);
  if (count.length === 0 || count.some((length) => length !== count[0] || length === 0)) {
    throw new LuvitError(
      "bad-argument",
      `mapGrid: every column needs the same number of entries, got ${count.join(", ")}`,
    );
  }
  const rows = Array.from({ length: count[0]! }, (_, row) =>
    columns.map((column) => cellImage(column, row, cell)),
  );
  const captions = rows.map((_, row) => columns.map((column) => rangeCaption(column, row)));
  const hasCaptions = captions.flat().some((caption) => caption !== undefined);
  const grid: ImageGridOptions = { columnTitles: columns.map(({ title }) => title), rowLabels, cell };
  return imageGrid(
    await Promise.all(rows.map((row) => Promise.all(row))),
    hasCaptions ? { ...grid, captions } : grid,
  );
}

async function cellImage(column: MapColumn, row: number, cell: number): Promise<RgbImage> {
  if (column.images) return column.images[row]!;
  const map = mapImage(column.maps![row]!, column.colormap, column.range);
  return resizeImage(map, cell, Math.round((cell * map.height) / map.width), "nearest");
}

function rangeCaption(column: MapColumn, row: number): string | undefined {
  if (!column.maps) return undefined;
  const [low, high] = column.range ?? valueRange(column.maps[row]!.values);
  const decimals = Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(high - low || 1))));
  const [from, to] = [low, high].map((value) =>
    Math.abs(value) < 1000 ? value.toFixed(decimals) : formatNumber(value),
  );
  return `${from} – ${to}${column.unit ? ` ${column.unit}` : ""}`;
}

/** One image on its way through the masked autoencoder. */
export interface Reconstruction {
  original: RgbImage;
  /** With the removed patches gray. */
  masked: RgbImage;
  /** The decoder's output. */
  predicted: RgbImage;
  /** The decoder's output where patches were removed, the original elsewhere. */
  combined: RgbImage;
  label?: string;
  /** Stands below what the decoder made. */
  note?: string;
}

const reconstruction = shaped<Reconstruction>(
  "a reconstruction, from analysis.reconstruct",
  "original",
  "masked",
);

/** Reconstructions: original, masked, predicted, predicted with the visible patches put back. */
export function reconstructionGrid(
  rows: readonly Reconstruction[],
  options: { cell?: number } = {},
): Promise<ImageFigure> {
  checkOptions("reconstructionGrid", list(reconstruction, 1), rows);
  checkOptions("reconstructionGrid", cellOptions, options);
  const columnTitles = ["original", "masked", "predicted", "predicted + visible"];
  const rowLabels = rows.some((row) => row.label !== undefined)
    ? rows.map((row) => row.label ?? "")
    : undefined;
  const images = rows.map((row) => [row.original, row.masked, row.predicted, row.combined]);
  const captions = rows.some(({ note }) => note !== undefined)
    ? rows.map(({ note }) => [undefined, undefined, note, note])
    : undefined;
  return imageGrid(images, { columnTitles, rowLabels, captions, cell: options.cell ?? 168 });
}
