import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import { type ColormapName, colormap } from "./colormap";
import { overlayMap } from "./maps";
import { overlaysOptions } from "./options";
import { type GridMap, Picture, type RgbImage, resizeImage, valueRange } from "./picture";
import { maskOutline, patchLines } from "./svg/patchPaths";
import { niceTicks } from "./svg/scale";
import { escapeXml, px, textElement, wrapText } from "./svg/text";
import { figureFont, neutralColor } from "./theme";

/** What `overlays` draws. */
export interface OverlaysOptions {
  images: readonly RgbImage[];
  /** Numbers over the patches of each image. */
  maps: readonly GridMap[];
  /** Patches of the object (1) of each image, which are outlined; anything else is not the object. */
  masks?: readonly (GridMap | undefined)[];
  /** With its unit, beside the colour bar. */
  zTitle: string;
  /** Above each image. */
  titles?: readonly string[];
  /** Values at the ends of the colour bar; default the least and the greatest of all maps. */
  range?: readonly [number, number];
  colormap?: ColormapName;
  /** Weight of the colours over the image, which is shown in grey, 0 to 1; default 0.6. */
  alpha?: number;
  /** Whether the patches are divided by lines; default true. */
  lines?: boolean;
  /** Most images in a row; default 4. */
  columns?: number;
  /** Width of an image in pixels; default 176. */
  cell?: number;
}

const [gap, head, barWidth, barSpace] = [10, 22, 12, 98];

/**
 * Images under their maps, on one colour scale with a colour bar, the patches divided by lines and the object outlined.
 *
 * @throws LuvitError("bad-argument") where images, maps and masks are not as many as each other.
 */
export async function overlays(options: OverlaysOptions): Promise<Picture> {
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
  const { default: sharp } = await import("sharp");
  const ground = { width, height, channels: 4 as const, background: { r: 0, g: 0, b: 0, alpha: 0 } };
  const layers = tinted.map(({ data, ...size }, i) => ({
    input: Buffer.from(data),
    raw: { ...size, channels: 3 as const },
    ...places[i]!,
  }));
  const marks = places.map((place, i) => markSvg(options, i, place, [cell, heights[i]!]));
  const bar = barSvg(options, range, {
    left: width - barSpace + 16,
    top: titleHeight,
    height: height - titleHeight,
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${escapeXml(figureFont)}">${marks.join("")}${bar}</svg>`;
  const png = await sharp({ create: ground })
    .composite([...layers, { input: Buffer.from(svg), left: 0, top: 0 }])
    .png({ compressionLevel: 9 })
    .toBuffer();
  const alt = `${images.length} ${images.length === 1 ? "image" : "images"} under ${zTitle}, ${words(range[0])} to ${words(range[1])}`;
  return new Picture(png, width, height, alt);
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
  return overlayMap(inGrey(large), map, { colormap: name, alpha, range });
}

/** Without its colours, so that those of the map can be read. */
function inGrey({ data, width, height }: RgbImage): RgbImage {
  const grey = Uint8Array.from(data, (_, index) => {
    const at = index - (index % 3);
    return 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
  });
  return { width, height, data: grey };
}

/** Patch lines, the object's outline and the title of one image. */
function markSvg(
  { maps, masks, titles, lines = true }: OverlaysOptions,
  index: number,
  { left, top }: { left: number; top: number },
  [width, height]: readonly [number, number],
): string {
  const grid = maps[index]!;
  const mask = masks?.[index];
  const title = titles?.[index];
  const outline = mask ? maskOutline(mask, width, height) : "";
  const parts = [
    lines
      ? `<path d="${patchLines(grid, width, height)}" stroke="#fff" stroke-opacity=".28" fill="none"/>`
      : "",
    outline &&
      `<path d="${outline}" stroke="#000" stroke-opacity=".55" stroke-width="4.5" fill="none" stroke-linecap="square"/>`,
    outline && `<path d="${outline}" stroke="#fff" stroke-width="2.2" fill="none" stroke-linecap="square"/>`,
    title
      ? `<text x="${width / 2}" y="-8" font-size="13" text-anchor="middle" fill="${neutralColor}">${escapeXml(title)}</text>`
      : "",
  ];
  const [marks, name] = [parts.slice(0, 3).join(""), parts[3]];
  const within = `<svg x="${left}" y="${top}" width="${width}" height="${height}">${marks}</svg>`;
  return `${within}<g transform="translate(${left} ${top})">${name}</g>`;
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

function words(value: number): string {
  return String(Number(value.toPrecision(3)));
}
