import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { checkOptions, partsWith } from "../core/options";
import { writeAtomically } from "../core/writeAtomically";
import { type ColormapName, colormap } from "./colormap";
import { dataUrl } from "./html";
import { escapeXml } from "./svg/text";

/** An image in memory: red, green, blue bytes, row by row from the top. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Numbers over an image's patch grid, row by row from the top. */
export interface GridMap {
  readonly width: number;
  readonly height: number;
  readonly values: ArrayLike<number>;
}

/** Other forms of an image. */
export interface ImageForms {
  /** As SVG, in which words and marks are no pixels. */
  svg?: () => Promise<string>;
  /** For pages, whose words keep their size. */
  html?: string;
}

/** A finished image: PNG bytes and what they show. */
export class ImageFigure {
  readonly png: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** What the image shows, for readers who do not see it. */
  readonly alt: string;
  private readonly forms: ImageForms;

  constructor(parts: { png: Uint8Array; width: number; height: number; alt: string; forms?: ImageForms }) {
    checkOptions("ImageFigure", partsWith("png", "width", "height"), parts);
    const { png, width, height, alt, forms = {} } = parts;
    this.png = png;
    this.width = width;
    this.height = height;
    this.alt = alt;
    this.forms = forms;
  }

  /** The image as SVG; where it was given as PNG only, with that in it. */
  async toSvg(): Promise<string> {
    if (this.forms.svg) return this.forms.svg();
    const { width, height, alt } = this;
    const size = `width="${width}" height="${height}"`;
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ${size}><title>${escapeXml(alt)}</title><image ${size} href="${dataUrl("image/png", this.png)}"/></svg>`;
  }

  /**
   * Writes it by the file's ending: `.png` or `.svg`.
   *
   * @throws LuvitError("bad-argument") for other endings.
   */
  async save(path: string): Promise<string> {
    if (/\.png$/i.test(path)) writeAtomically(path, this.png);
    else if (/\.svg$/i.test(path)) writeAtomically(path, await this.toSvg());
    else throw new LuvitError("bad-argument", `Image.save: ${path} ends in none of .png, .svg`);
    return path;
  }

  [Symbol.for("Jupyter.display")](): Record<string, unknown> {
    const { html } = this.forms;
    const png = Buffer.from(this.png).toString("base64");
    const shown = { "text/plain": `Image: ${this.alt}`, "image/png": png };
    return html === undefined ? shown : { ...shown, "text/html": html };
  }

  [inspect.custom](): string {
    return `Image(${this.width} × ${this.height} pixels: ${this.alt})`;
  }
}

/** Checks that an image's bytes fit its size. */
export function expectImage(image: RgbImage, where: string): RgbImage {
  const expected = image.width * image.height * 3;
  if (image.data.length === expected) return image;
  throw new LuvitError(
    "bad-image",
    `${where}: ${image.width} × ${image.height} RGB needs ${expected} bytes, got ${image.data.length}`,
  );
}

/** Least and greatest finite value; [0, 1] when there is none. */
export function valueRange(values: ArrayLike<number>): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low > high ? [0, 1] : [low, high];
}

/** A map in colors, one pixel per patch. */
export function mapImage(
  map: GridMap,
  name: ColormapName = "viridis",
  range?: readonly [number, number],
): RgbImage {
  if (map.values.length !== map.width * map.height) {
    throw new LuvitError(
      "shape-mismatch",
      `map: ${map.width} × ${map.height} patches need as many values, got ${map.values.length}`,
    );
  }
  const [low, high] = range ?? valueRange(map.values);
  const data = new Uint8Array(map.values.length * 3);
  for (let index = 0; index < map.values.length; index++) {
    const value = map.values[index]!;
    const isMiddle = high === low && !Number.isNaN(value);
    data.set(colormap(name, isMiddle ? 0.5 : (value - low) / (high - low)), 3 * index);
  }
  return { width: map.width, height: map.height, data };
}

/** The same image in another size: whole pixels when it grows (`nearest`), smooth otherwise. */
export async function resizeImage(
  image: RgbImage,
  width: number,
  height: number,
  kernel: "nearest" | "lanczos3",
): Promise<RgbImage> {
  if (image.width === width && image.height === height) return image;
  const { default: sharp } = await import("sharp");
  const data = await sharp(expectImage(image, "resize").data, {
    raw: { width: image.width, height: image.height, channels: 3 },
  })
    .resize(width, height, { kernel, fit: "fill" })
    .raw()
    .toBuffer();
  return { width, height, data };
}

/** An image as PNG. */
export async function rgbPng({ data, width, height }: RgbImage): Promise<Uint8Array> {
  const { default: sharp } = await import("sharp");
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 9 })
    .toBuffer();
}
