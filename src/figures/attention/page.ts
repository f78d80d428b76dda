import { join } from "node:path";
import type { AttentionMaps } from "../../analysis/attentionMaps";
import { LuvitError } from "../../core/errors";
import { pageAround } from "../browser/pageAround";
import { browserScript } from "../browserScript";
import { colormapTable } from "../colormap";
import type { ImageFigure, RgbImage } from "../image";
import { escapeXml } from "../svg/text";
import { figureFont, themes } from "../theme";
import type { Numbers } from "./browser/evidence";
import type { KernelPage, ModelHeader, Section, ViewerHeader } from "./browser/payload";
import { chooseLayers, type LayerSteps, packedSize, packModels } from "./payload";
import { describeRow, imageOf, staticImage } from "./staticImage";

/** A model and an image in a page. */
export interface PageModel {
  readonly title: string;
  readonly maps: AttentionMaps;
  /** What `Evidence` reads; empty where nothing but attention is shown. */
  readonly numbers: Numbers;
}

/** Names of classes that are spoken of, which of them can be chosen, and how evidence for them was found. */
export type PageClasses = Pick<ViewerHeader, "labels" | "choices" | "methods">;

export interface PageOptions {
  readonly title: string;
  readonly layers?: readonly string[] | undefined;
  readonly maxBytes: number;
  /** Where the page may ask further questions. */
  readonly live?: KernelPage | undefined;
}

/** What a viewer is made of. */
export interface ViewerPage {
  readonly html: string;
  readonly image: ImageFigure;
  readonly title: string;
  readonly summary: string;
  readonly svg: string;
}

/** @throws LuvitError("bad-argument") for layers that are not there or do not fit. */
export async function viewerPage(
  models: readonly PageModel[],
  classes: PageClasses,
  { title, layers, maxBytes, live }: PageOptions,
): Promise<ViewerPage> {
  const rows = models.map((one) => ({ ...one, layer: lastBlock(one.maps, layers) }));
  const image = await staticImage(rows);
  const images = await Promise.all(models.map(({ maps }) => imageUrl(imageOf(maps))));
  const still = await webpUrl(image);
  const around = (steps: LayerSteps, data: string) => {
    const heads = models.map((one, index) => modelHeader(one, steps, images[index]!));
    return viewerHtml({ ...headerOf(title, heads, classes), live }, data, image, still);
  };
  const everything = new Map(models.flatMap(({ maps }) => maps.layers.map(({ layer }) => [layer, 1])));
  const frame = Buffer.byteLength(pageAround(around(everything, ""), title));
  const beside = packedSize(models.flatMap(({ numbers }) => [...numbers.values()]));
  const maps = models.map((one) => one.maps);
  const packed = (steps: LayerSteps) =>
    packModels(
      models.map((one) => ({ maps: one.maps, numbers: one.numbers.values() })),
      steps,
    );
  const { steps, data } = chooseLayers(maps, layers, { budget: maxBytes - frame, beside, packed });
  return {
    html: around(steps, data),
    ...{ image, title, summary: rows.map(describeRow).join(" "), svg: await image.toSvg() },
  };
}

/** @throws LuvitError("bad-argument") for models that cannot stand side by side, and too few labels. */
export function expectComparable(
  where: string,
  models: readonly AttentionMaps[],
  labels: readonly string[],
): void {
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
  if (problems.length > 0) throw new LuvitError("bad-argument", `${where}: ${problems.join("; ")}`);
}

/** The layer that the static image shows. */
function lastBlock({ layers }: AttentionMaps, wanted: readonly string[] | undefined) {
  const shown = layers.filter(({ layer }) => wanted?.includes(layer) ?? true);
  const choice = shown.length > 0 ? shown : layers;
  return choice.filter(({ layer }) => layer.startsWith("blocks.")).at(-1) ?? choice.at(-1)!;
}

function modelHeader({ title, maps, numbers }: PageModel, steps: LayerSteps, image: string): ModelHeader {
  const { foreground, valid } = maps.sample;
  const regions =
    foreground && Array.from(foreground, (region, patch) => (valid?.[patch] === 0 ? -1 : region));
  const stages = maps.layers.map(({ layer, heads }) => ({ name: layer, heads }));
  const shown = stages.filter(({ name }) => steps.has(name));
  const leftOut = stages.filter(({ name }) => !steps.has(name)).map(({ name }) => name);
  const layers = shown.map((one) => ({ ...one, step: steps.get(one.name)! }));
  const sections = [...numbers].map(
    ([name, values]): Section => ({
      name,
      type: values instanceof Uint8Array ? "u8" : values instanceof Uint16Array ? "u16" : "f32",
      length: values.length,
    }),
  );
  return { title, image, grid: maps.grid, regions, layers, stages, sections, leftOut };
}

function headerOf(title: string, models: readonly ModelHeader[], classes: PageClasses): ViewerHeader {
  const table = (name: "magma" | "viridis" | "coolwarm") =>
    Buffer.from(colormapTable(name)).toString("base64");
  const colors = { attention: table("magma"), entropy: table("viridis"), effect: table("coolwarm") };
  return { title, font: figureFont, models, colors, themes, ...classes };
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
${header.live ? `${scriptOf("live/browser/main")}\n` : ""}${scriptOf("browser/main")}
</div>`;
}

const scriptOf = (entry: string) => `<script>${browserScript(join(__dirname, entry))}</script>`;

/** As a data URL: PNG where that is small, as of drawings, else good JPEG. */
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
