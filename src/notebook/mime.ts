import { inspect } from "node:util";
import type { RgbImage } from "../figures/image";
import { isFigure, type PlotlyFigure, plotlyMime } from "../figures/spec";
import { foreignBundle } from "./foreign";
import { dataUrl, escapeHtml } from "./html";
import type { MimeBundle } from "./nbformat";
import { isArrowTable, isHostTensor, isRecords, isRgbImage } from "./recognized";
import { jupyterDisplay } from "./symbols";

/**
 * How a value looks in a notebook: its own bundle, a figure, a model, a tensor, an image, a table, or its text. Always has
 * `text/plain`; HTML only where a class or `html()` says that it is. A promise where an image has to be drawn or the value's own display method returns one.
 */
export function mimeBundleOf(value: unknown): MimeBundle | Promise<MimeBundle> {
  const own = ownBundle(value);
  if (own instanceof Promise) return own.then((bundle) => complete(bundle, value));
  return complete(own, value);
}

/** As `mimeBundleOf`, and lists are taken apart: records become a table, figures and images stand side by side. */
export function richBundleOf(value: unknown): MimeBundle | Promise<MimeBundle> {
  if (isRecords(value)) {
    const { table } = require("./table") as typeof import("./table");
    return mimeBundleOf(table(value));
  }
  if (!Array.isArray(value) || value.length === 0 || !value.every(hasImage)) return mimeBundleOf(value);
  const bundles = value.map(mimeBundleOf);
  if (bundles.some((bundle) => bundle instanceof Promise)) return Promise.all(bundles).then(sideBySide);
  return sideBySide(bundles as MimeBundle[]);
}

/** What a bundle says about itself: the size of a figure's image. */
export function metadataOf(bundle: MimeBundle): Record<string, unknown> {
  const { layout } = (bundle[plotlyMime] ?? {}) as Partial<PlotlyFigure>;
  if (!layout || !("image/png" in bundle)) return {};
  return { "image/png": { width: layout.width, height: layout.height } };
}

/** The MIME types that stand in a list of images, richest first. */
const preference = [
  "text/html",
  "image/svg+xml",
  "image/png",
  "image/jpeg",
  "image/gif",
  "text/markdown",
  "text/latex",
];

function richest(bundle: MimeBundle): [mime: string, content: unknown] {
  const mime =
    preference.find((name) => name in bundle) ??
    Object.keys(bundle).find((name) => name !== "text/plain") ??
    "text/plain";
  return [mime, bundle[mime]];
}

function complete(own: MimeBundle | undefined, value: unknown): MimeBundle | Promise<MimeBundle> {
  if (own) return { "text/plain": inspect(value), ...own };
  if (isFigure(value)) return drawn(value);
  if (isArrowTable(value)) {
    const { arrowBundle } = require("./arrowDisplay") as typeof import("./arrowDisplay");
    return arrowBundle(value);
  }
  if (isHostTensor(value)) return import("./tensorDisplay").then(({ tensorBundle }) => tensorBundle(value));
  if (isRgbImage(value)) return pictured(value);
  const image = imageBundle(value);
  if (image) return image;
  const foreign = foreignBundle(value);
  if (foreign) return { "text/plain": inspect(value), ...foreign };
  return { "text/plain": typeof value === "string" ? value : inspect(value) };
}

// What draws is loaded when something is drawn: it is half of what a kernel would load at its start.
async function drawn(figure: PlotlyFigure): Promise<MimeBundle> {
  return (await import("../figures/figureBundle")).figureBundle(figure);
}

async function pictured(image: RgbImage): Promise<MimeBundle> {
  const { imageGrid } = await import("../figures/imageGrid");
  return mimeBundleOf(await imageGrid([[image]], { alt: `${image.width} × ${image.height} pixels` }));
}

function ownBundle(value: unknown): MimeBundle | undefined | Promise<MimeBundle | undefined> {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return undefined;
  const method: unknown = Reflect.get(value, jupyterDisplay);
  if (typeof method !== "function") return undefined;
  const bundle: unknown = method.call(value);
  return bundle instanceof Promise ? bundle.then(encodeBytes) : encodeBytes(bundle);
}

function encodeBytes(bundle: unknown): MimeBundle | undefined {
  if (typeof bundle !== "object" || bundle === null) return undefined;
  const encode = (content: unknown) =>
    content instanceof Uint8Array ? Buffer.from(content).toString("base64") : content;
  return Object.fromEntries(Object.entries(bundle).map(([mime, content]) => [mime, encode(content)]));
}

/** PNG or JPEG bytes, or an object that carries them as `png`. */
function imageBundle(value: unknown): MimeBundle | undefined {
  const bytes = imageBytes(value);
  const mime = bytes && imageMime(bytes);
  if (!mime) return undefined;
  const { alt } = value as { alt?: unknown };
  const text = typeof alt === "string" ? `Image: ${alt}` : `${mime}, ${bytes.length} bytes`;
  return { "text/plain": text, [mime]: Buffer.from(bytes).toString("base64") };
}

function imageBytes(value: unknown): Uint8Array | undefined {
  const bytes = value instanceof Uint8Array ? value : (value as { png?: unknown } | null | undefined)?.png;
  return bytes instanceof Uint8Array ? bytes : undefined;
}

function imageMime(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0x89 && bytes[1] === 0x50 && bytes[2] === 0x4e) return "image/png";
  return bytes[0] === 0xff && bytes[1] === 0xd8 ? "image/jpeg" : undefined;
}

function hasImage(value: unknown): boolean {
  const bytes = imageBytes(value);
  const own =
    typeof value === "object" && value !== null && typeof Reflect.get(value, jupyterDisplay) === "function";
  return (
    own || isFigure(value) || isRgbImage(value) || (bytes !== undefined && imageMime(bytes) !== undefined)
  );
}

function sideBySide(bundles: readonly MimeBundle[]): MimeBundle {
  const cells = bundles.map((bundle) => {
    const [mime, content] = richest(bundle);
    const alt = escapeHtml(String(bundle["text/plain"]));
    if (mime === "text/html")
      return `<div style="flex:0 1 auto;min-width:min(100%,320px)">${String(content)}</div>`;
    if (mime === "image/svg+xml") return `<img src="${dataUrl(mime, String(content))}" alt="${alt}">`;
    if (mime.startsWith("image/"))
      return `<img src="${escapeHtml(`data:${mime};base64,${String(content)}`)}" alt="${alt}">`;
    return `<pre>${alt}</pre>`;
  });
  const html = `<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start">${cells.join("")}</div>`;
  return { "text/plain": bundles.map((bundle) => bundle["text/plain"]).join("\n"), "text/html": html };
}
