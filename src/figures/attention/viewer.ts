import { join } from "node:path";
import { inspect } from "node:util";
import type { AttentionMaps } from "../../analysis/attentionMaps";
import { LuvitError } from "../../core/errors";
import { checkOptions, list, optionsOf, partsWith, such, whole } from "../../core/options";
import { writeAtomically } from "../../core/writeAtomically";
import { pageAround } from "../browser/pageAround";
import { browserScript } from "../browserScript";
import { colormapTable } from "../colormap";
import type { ImageFigure, RgbImage } from "../image";
import { label, labels } from "../options";
import { escapeXml } from "../svg/text";
import { figureFont, themes } from "../theme";
import type { ModelHeader, ViewerHeader } from "./browser/payload";
import { chooseLayers, packLayers } from "./payload";
import { describeRow, imageOf, staticImage } from "./staticImage";

/** What `attentionViewer` shows beside the maps. */
export interface AttentionViewerOptions {
  title?: string;
  /** Names of the models; default "model", or "model A" and "model B". */
  labels?: readonly string[];
  /** Which layers go into the page; default as many as fit, spread over the depth, the last among them. */
  layers?: readonly string[];
  /** Most bytes of the page; default 2,000,000. */
  maxBytes?: number;
}

export const attentionViewerOptions = optionsOf<AttentionViewerOptions>(
  {},
  { title: label, labels, layers: list(label, 1), maxBytes: whole(10_000, 1_000_000_000) },
);

const attentionOf = such<AttentionMaps | readonly AttentionMaps[]>(
  "maps from analysis.attentionMaps, or a list of them",
  (value) => [value].flat().every((maps) => typeof maps === "object" && maps !== null && "layers" in maps),
);

/** Attention to be looked into with pointer, touch and keys; where no script runs, an image of it. */
export class AttentionViewer {
  /** What stands in a notebook's output: an element that needs nothing from elsewhere. */
  readonly html: string;
  /** What is seen where no script runs. */
  readonly image: ImageFigure;
  readonly title: string;
  /** The numbers in words. */
  readonly summary: string;
  /** The image as SVG. */
  private readonly svg: string;

  constructor(parts: { html: string; image: ImageFigure; title: string; summary: string; svg: string }) {
    checkOptions("AttentionViewer", partsWith("html", "image", "svg"), parts);
    const { html, image, title, summary, svg } = parts;
    this.html = html;
    this.image = image;
    this.title = title;
    this.summary = summary;
    this.svg = svg;
  }

  /** Writes a page of its own (`.html`) or the still image (`.png`, `.svg`). */
  save(path: string): string {
    if (/\.html?$/i.test(path)) writeAtomically(path, pageAround(this.html, this.title));
    else if (/\.png$/i.test(path)) writeAtomically(path, this.image.png);
    else if (/\.svg$/i.test(path)) writeAtomically(path, this.svg);
    else {
      const endings = ".html, .png, .svg";
      throw new LuvitError("bad-argument", `AttentionViewer.save: ${path} ends in none of ${endings}`);
    }
    return path;
  }

  toString(): string {
    return `AttentionViewer: ${this.summary}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }

  [Symbol.for("Jupyter.display")](): Record<string, unknown> {
    const png = Buffer.from(this.image.png).toString("base64");
    return { "text/html": this.html, "image/png": png, "text/plain": this.toString() };
  }
}

/**
 * A viewer for the attention of one model, or of two side by side whose query patch, layer and settings move together:
 * an image under the attention of the patch that is pointed at, a thumbnail and an entropy (nats) per head, mean and
 * maximum over heads, rollout, and a map of every patch's entropy.
 *
 * @throws LuvitError("bad-argument") for more than two models, different patch grids, unknown layers and layers that do
 * not fit into `maxBytes`.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const maps = await luvit.analysis.attentionMaps(model, images, { index: 3 });
 * (await luvit.figures.attentionViewer(maps, { labels: ["ViT"] })).save("viewer.html");
 */
export async function attentionViewer(
  maps: AttentionMaps | readonly AttentionMaps[],
  options: AttentionViewerOptions = {},
): Promise<AttentionViewer> {
  checkOptions("attentionViewer", attentionViewerOptions, options);
  checkOptions("attentionViewer", attentionOf, maps);
  const models = "layers" in maps ? [maps] : [...maps];
  const { title = "Where does each patch look?", layers, maxBytes = 2_000_000 } = options;
  const labels = options.labels ?? (models.length > 1 ? ["model A", "model B"] : ["model"]);
  expectComparable(models, labels);
  const titled = models.map((one, index) => ({ title: labels[index]!, maps: one }));
  const rows = titled.map((one) => ({ ...one, layer: lastBlock(one.maps, layers) }));
  const image = await staticImage(rows);
  const images = await Promise.all(models.map((one) => imageUrl(imageOf(one))));
  const still = await webpUrl(image);
  const around = (chosen: ReturnType<typeof chooseLayers>, data: string) => {
    const heads = titled.map((one, index) =>
      modelHeader(one.title, one.maps, chosen[index]!, images[index]!),
    );
    return viewerHtml(headerOf(title, heads), data, image, still);
  };
  const frame = pageAround(
    around(
      models.map((one) => [...one.layers]),
      "",
    ),
    title,
  );
  const chosen = chooseLayers(models, layers, maxBytes - Buffer.byteLength(frame));
  const summary = rows.map(describeRow).join(" ");
  const html = around(chosen, packLayers(chosen));
  return new AttentionViewer({ html, image, title, summary, svg: await image.toSvg() });
}

function expectComparable(models: readonly AttentionMaps[], labels: readonly string[]): void {
  const grids = models.map(({ grid: { rows, columns } }) => `${rows} × ${columns}`);
  const problems = [
    models.length === 1 || models.length === 2
      ? ""
      : `shows one model or two side by side, got ${models.length}`,
    labels.length === models.length
      ? ""
      : `${models.length} models need as many labels, got ${labels.length}`,
    new Set(grids).size <= 1 ? "" : `models side by side need the same patches, got ${grids.join(" and ")}`,
  ].filter(Boolean);
  if (problems.length > 0) throw new LuvitError("bad-argument", `attentionViewer: ${problems.join("; ")}`);
}

/** The layer that the static image shows. */
function lastBlock({ layers }: AttentionMaps, wanted: readonly string[] | undefined) {
  const shown = layers.filter(({ layer }) => wanted?.includes(layer) ?? true);
  const choice = shown.length > 0 ? shown : layers;
  return choice.filter(({ layer }) => layer.startsWith("blocks.")).at(-1) ?? choice.at(-1)!;
}

function modelHeader(
  title: string,
  { sample, grid, layers }: AttentionMaps,
  chosen: AttentionMaps["layers"],
  image: string,
): ModelHeader {
  const { foreground, valid } = sample;
  const regions =
    foreground && Array.from(foreground, (region, patch) => (valid?.[patch] === 0 ? -1 : region));
  const leftOut = layers.filter((layer) => !chosen.includes(layer)).map(({ layer }) => layer);
  const shown = chosen.map(({ layer, heads }) => ({ name: layer, heads }));
  return { title, image, grid, regions, layers: shown, leftOut };
}

function headerOf(title: string, models: readonly ModelHeader[]): ViewerHeader {
  const table = (name: "magma" | "viridis") => Buffer.from(colormapTable(name)).toString("base64");
  const colors = { attention: table("magma"), entropy: table("viridis") };
  return { title, font: figureFont, models, colors, themes };
}

/** The element with everything in it. The script puts a shadow root over the image, so that only one is seen. */
function viewerHtml(header: ViewerHeader, data: string, image: ImageFigure, still: string): string {
  const json = JSON.stringify(header).replace(/</g, "\\u003c");
  return `<div class="luvit-attention" data-lm-suppress-shortcuts="true">
<p><b>${escapeXml(header.title)}</b></p>
<img src="${still}" width="${image.width}" height="${image.height}" style="max-width:100%;height:auto" alt="${escapeXml(image.alt)}">
<p><small>A still image: run the cell, or trust the notebook, to look into the attention of every patch, layer and head.</small></p>
<script type="application/json" class="luvit-attention-header">${json}</script>
<script type="application/gzip;base64" class="luvit-attention-data">${data}</script>
<script>${browserScript(join(__dirname, "browser/main"))}</script>
</div>`;
}

/** The smaller of PNG and good JPEG as a data URL. */
async function imageUrl({ data, width, height }: RgbImage): Promise<string> {
  const { default: sharp } = await import("sharp");
  const raw = () => sharp(data, { raw: { width, height, channels: 3 } });
  const png = await raw().png({ compressionLevel: 9 }).toBuffer();
  if (png.length < 16_384) return `data:image/png;base64,${png.toString("base64")}`;
  const jpeg = await raw().jpeg({ quality: 92, chromaSubsampling: "4:4:4" }).toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString("base64")}`;
}

/** The still image, ground transparent, at a fifth of the PNG's bytes. */
async function webpUrl({ png }: ImageFigure): Promise<string> {
  const { default: sharp } = await import("sharp");
  const webp = await sharp(png).webp({ quality: 88, smartSubsample: true }).toBuffer();
  return `data:image/webp;base64,${webp.toString("base64")}`;
}
