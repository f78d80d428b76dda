import { dataUrl } from "./html";
import { ImageFigure, type RgbImage, rgbPng } from "./image";
import { escapeXml } from "./svg/text";
import { figureFont } from "./theme";

/** An image at its place in an image, in pixels. */
export interface Layer {
  image: RgbImage;
  left: number;
  top: number;
}

/** Images, and marks and words over them. */
export interface Composition {
  width: number;
  height: number;
  layers: readonly Layer[];
  /** SVG elements. */
  marks: string;
  /** What the image shows, for readers who do not see it. */
  alt: string;
  /** The same for pages, whose words keep their size where the images have to be small. */
  html: string;
}

/** One image of all, on transparent ground; as SVG its words and marks stay what they are. */
export async function compose(composition: Composition): Promise<ImageFigure> {
  const { width, height, layers, alt, html } = composition;
  const { default: sharp } = await import("sharp");
  const ground = { width, height, channels: 4 as const, background: { r: 0, g: 0, b: 0, alpha: 0 } };
  const images = layers.map(({ image: { data, ...size }, left, top }) => ({
    input: Buffer.from(data),
    raw: { ...size, channels: 3 as const },
    left,
    top,
  }));
  const marks = { input: Buffer.from(svgAround(composition, "")), left: 0, top: 0 };
  const png = await sharp({ create: ground })
    .composite([...images, marks])
    .png({ compressionLevel: 9 })
    .toBuffer();
  return new ImageFigure({ png, width, height, alt, forms: { svg: () => composedSvg(composition), html } });
}

async function composedSvg(composition: Composition): Promise<string> {
  const images = composition.layers.map(async ({ image, left, top }) => {
    const url = dataUrl("image/png", await rgbPng(image));
    return `<image x="${left}" y="${top}" width="${image.width}" height="${image.height}" href="${url}"/>`;
  });
  const title = `<title>${escapeXml(composition.alt)}</title>`;
  return svgAround(composition, title + (await Promise.all(images)).join(""));
}

function svgAround({ width, height, marks }: Composition, below: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="${escapeXml(figureFont)}">${below}${marks}</svg>`;
}
