import { inspect } from "node:util";
import type { AttentionMaps } from "../../analysis/attentionMaps";
import { LuvitError } from "../../core/errors";
import { checkOptions, list, optionsOf, partsWith, such, whole } from "../../core/options";
import { writeAtomically } from "../../core/writeAtomically";
import { pageAround } from "../browser/pageAround";
import type { ImageFigure } from "../image";
import { label, labels } from "../options";
import { expectComparable, type ViewerPage, viewerPage } from "./page";

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

  constructor(parts: ViewerPage) {
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
  expectComparable("attentionViewer", models, labels);
  const shown = models.map((one, index) => ({ title: labels[index]!, maps: one, numbers: new Map() }));
  const classes = { labels: [], choices: [], methods: [] };
  return new AttentionViewer(await viewerPage(shown, classes, { title, layers, maxBytes }));
}
