import { LuvitError } from "../core/errors";
import { checkOptions, flag, optionsOf, whole } from "../core/options";
import { type ColormapName, colormap } from "./colormap";
import { compose } from "./composition";
import { formatRange } from "./format";
import { dataUrl, escapeHtml } from "./html";
import { type GridMap, type ImageFigure, type RgbImage, resizeImage, valueRange } from "./image";
import { imageTable } from "./imageTable";
import { inGray, overlayMap } from "./maps";
import { cell, colormapField, ends, label, labels, objects, share } from "./options";
import { maskOutline, patchLines } from "./svg/patchPaths";
import { niceTicks } from "./svg/scale";
import { escapeXml, px, textElement, wrapText } from "./svg/text";
import { neutralColor } from "./theme";

/** What `overlays` draws. */
export interface OverlaysOptions {
  images: readonly RgbImage[];
  /** Numbers over the patches of each image. */
  maps: readonly GridMap[];
  /** Patches of the object (1) of each image, which are outlined; anything else is not the object. */
  masks?: readonly (GridMap | undefined)[];
  /** With its unit, beside the color bar. */
  zTitle: string;
  /** Above each image. */
  titles?: readonly string[];
  /** Values at the ends of the color bar; default the least and the greatest of all maps. */
  range?: readonly [number, number];
  colormap?: ColormapName;
  /** Weight of the colors over the image, which is shown in gray, 0 to 1; default 0.6. */
  alpha?: number;
  /** Whether the patches are divided by lines; default true. */
  lines?: boolean;
  /** Most images in a row; default 4. */
  columns?: number;
  /** Width of an image in pixels; default 176. */
  cell?: number;
}

export const overlaysOptions = optionsOf<OverlaysOptions>(
  {
    images: objects("a list of images { data, width, height }"),
    maps: objects("a list of maps { values, width, height }"),
    zTitle: label,
  },
  {
    masks: objects("a list of maps, or undefined, one per image"),
    titles: labels,
    range: ends,
    colormap: colormapField,
    alpha: share,
    lines: flag,
    columns: whole(1, 1000),
    cell,
  },
);

const [gap, head, barWidth, barSpace] = [10, 22, 12, 98];

/**
 * Images under their maps, on one color scale with a color bar, the patches divided by lines and the object outlined.
 *
 * @throws LuvitError("bad-argument") where images, maps and masks are not as many as each other.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const shown = await luvit.data.preview(images.take(1));
 * const map = { width: 2, height: 2, values: [0, 1, 2, 3] };
 * luvit.show(await luvit.figures.overlays({ images: shown, maps: [map], zTitle: "share (%)" }));
 */
export async function overlays(options: OverlaysOptions): Promise<ImageFigure> {
  checkOptions("overlays", overlaysOptions, options);
  const { images, maps, cell: wanted = 176, zTitle } = options;
  expectEqualCounts(options);
  const columns = Math.min(options.columns ?? 4, images.length);
  const rows = Math.ceil(images.length / columns);
  const titleHeight = options.titles ? head : 0;
  const patches = maps[0]!.width;
  const cell = patches * Math.max(1, Math.round(wanted / patches));
  const heights = images.map(({ width, height }) => Math.round((cell * height) / width));
  const rowHeight = Math.max(...heights) + titleHeight;
  const range = options.range ?? sharedRange(maps);
  const width = columns * (cell + gap) - gap + barSpace;
  const height = rows * (rowHeight + gap) - gap;
  const places = images.map((_, index) => ({
    left: (index % columns) * (cell + gap),
    top: Math.floor(index / columns) * (rowHeight + gap) + titleHeight,
  }));
  const tinted = await Promise.all(
    images.map((image, i) => tint(image, maps[i]!, [cell, heights[i]!], range, options)),
  );
  const layers = tinted.map((image, i) => ({ image, ...places[i]! }));
  const inside = tinted.map((image, i) => marksWithin(options, i, image));
  const marks = places.map((place, i) =>
    inside[i]!.replace("<svg", `<svg x="${place.left}" y="${place.top}"`),
  );
  const names = places.map(({ left, top }, i) => titleSvg(options.titles?.[i], left + cell / 2, top - 8));
  const bar = barSvg(options, range, {
    left: width - barSpace + 16,
    top: titleHeight,
    height: height - titleHeight,
  });
  const alt = `${images.length} ${images.length === 1 ? "image" : "images"} under ${zTitle}, ${formatRange(...range).join(" to ")}`;
  const marked = await Promise.all(tinted.map((image, i) => drawnOver(image, inside[i]!)));
  const cells = marked.map((image, i) => ({ image, above: options.titles?.[i] }));
  const html = await imageTable({
    rows: Array.from({ length: rows }, (_, row) => cells.slice(row * columns, (row + 1) * columns)),
    cell,
    alt,
    foot: barHtml(options, range),
  });
  return compose({ width, height, layers, marks: [...marks, ...names, bar].join(""), alt, html });
}

function expectEqualCounts({ images, maps, masks, titles }: OverlaysOptions): void {
  const counts = { images, maps, masks: masks ?? images, titles: titles ?? images };
  const wrong = Object.entries(counts).filter(([, list]) => list.length !== images.length);
  if (images.length > 0 && wrong.length === 0) return;
  const got = wrong.map(([name, list]) => `${list.length} ${name}`).join(", ");
  throw new LuvitError(
    "bad-argument",
    `overlays: ${images.length} images need as many of everything, got ${got || "none"}`,
  );
}

function sharedRange(maps: readonly GridMap[]): [number, number] {
  const ranges = maps.map(({ values }) => valueRange(values));
  return [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
}

async function tint(
  image: RgbImage,
  map: GridMap,
  [width, height]: readonly [number, number],
  range: readonly [number, number],
  { colormap: name, alpha }: OverlaysOptions,
): Promise<RgbImage> {
  const kernel = image.width * 2 <= width ? "nearest" : "lanczos3";
  const large = await resizeImage(image, width, height, kernel);
  return overlayMap(inGray(large), map, { colormap: name, alpha, range });
}

/** Patch lines and the object's outline of one image. */
function marksWithin(
  { maps, masks, lines = true }: OverlaysOptions,
  index: number,
  { width, height }: RgbImage,
): string {
  const mask = masks?.[index];
  const outline = mask ? maskOutline(mask, width, height) : "";
  const grid = `<path d="${patchLines(maps[index]!, width, height)}" stroke="#fff" stroke-opacity=".28" fill="none"/>`;
  const stroke = (look: string) => `<path d="${outline}" ${look} fill="none" stroke-linecap="square"/>`;
  const border =
    stroke('stroke="#000" stroke-opacity=".55" stroke-width="4.5"') +
    stroke('stroke="#fff" stroke-width="2.2"');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${lines ? grid : ""}${outline ? border : ""}</svg>`;
}

function titleSvg(title: string | undefined, x: number, y: number): string {
  if (!title) return "";
  return `<text x="${x}" y="${y}" font-size="13" text-anchor="middle" fill="${neutralColor}">${escapeXml(title)}</text>`;
}

/** An image with marks drawn over it. */
async function drawnOver({ data, width, height }: RgbImage, marks: string): Promise<RgbImage> {
  const { default: sharp } = await import("sharp");
  const raw = { width, height, channels: 3 as const };
  const drawn = await sharp(data, { raw })
    .composite([{ input: Buffer.from(marks) }])
    .removeAlpha()
    .raw()
    .toBuffer();
  return { width, height, data: drawn };
}

/** The color scale in words of the page, below the images. */
function barHtml(
  { zTitle, colormap: name = "viridis" }: OverlaysOptions,
  range: readonly [number, number],
): string {
  const colors = Array.from({ length: 9 }, (_, i) => `rgb(${colormap(name, i / 8).join(",")})`);
  const stops = colors.map((color, i) => `<stop offset="${i / 8}" stop-color="${color}"/>`).join("");
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="10"><linearGradient id="c">${stops}</linearGradient><rect width="100%" height="10" fill="url(#c)"/></svg>`;
  const [low, high] = formatRange(...range).map((value) => `<span>${escapeHtml(value)}</span>`);
  const bar = `<img src="${dataUrl("image/svg+xml", svg)}" alt="" width="200" height="10" style="flex:1;min-width:60px;max-width:260px;height:10px;margin:0">`;
  const look =
    "display:flex;flex-wrap:wrap;align-items:center;gap:2px 8px;margin:4px 3px;font:12px/1.35 system-ui,sans-serif;opacity:.78";
  // A narrow page wraps between the words and the scale, never inside it.
  const scale = `<span style="display:flex;flex:1 1 170px;align-items:center;gap:8px">${low}${bar}${high}</span>`;
  return `<div style="${look}"><span>${escapeHtml(zTitle)}</span>${scale}</div>`;
}

function barSvg(
  { zTitle, colormap: name = "viridis" }: OverlaysOptions,
  [low, high]: readonly [number, number],
  { left, top, height }: { left: number; top: number; height: number },
): string {
  const steps = 48;
  const cells = Array.from({ length: steps }, (_, index) => {
    const y = top + height * (1 - (index + 1) / steps);
    const fill = `rgb(${colormap(name, (index + 0.5) / steps).join(",")})`;
    return `<rect x="${left}" y="${px(y)}" width="${barWidth}" height="${px(height / steps + 0.6)}" fill="${fill}"/>`;
  });
  const labels = niceTicks(low, high, 4).map(({ value, label }) => {
    const y = top + height * (1 - (value - low) / (high - low || 1)) + 4;
    return `<text x="${left + barWidth + 6}" y="${px(y)}" font-size="11" fill="${neutralColor}">${label}</text>`;
  });
  const [x, y] = [left + barWidth + 48, top + height / 2];
  const title = { x, y, size: 12, anchor: "middle", fill: neutralColor, rotate: -90 } as const;
  return cells.join("") + labels.join("") + textElement(wrapText(zTitle, 12, height), title);
}
