import { type DetectionErrors, errorsByKind } from "../../analysis/detection/errors";
import { LuvitError } from "../../core/errors";
import {
  checkOptions,
  either,
  instance,
  list,
  named,
  number,
  optionsOf,
  row,
  whole,
} from "../../core/options";
import {
  type CocoAnnotations,
  type CocoKind,
  type CocoResult,
  cocoKind,
  DetectionDataset,
} from "../../data/coco";
import { spreadIndices } from "../../data/dataset";
import { type Figure, figure } from "../figure";
import { label } from "../options";
import type { PanelGrid, PlotlyAnnotation, PlotlyAxis, PlotlyImage, PlotlyTrace } from "../spec";
import { arrangePanels } from "../svg/panelGrid";
import { baseLayout } from "../theme";
import { embedded } from "./embedded";
import { panelParts } from "./panel";
import { type ShapeKind, shapesOf } from "./shapes";

/** What `detections` draws. */
export interface DetectionsOptions {
  /** Images and their objects. */
  dataset: DetectionDataset;
  /** What was found, by the name of the detector; several stand side by side on the same images. */
  results: Readonly<Record<string, readonly CocoResult[]>>;
  /** Boxes (default) or masks. */
  kind?: CocoKind;
  /** Ids of images, or how many of them, evenly spread; default 6. */
  images?: number | readonly number[];
  /** Results of a lower score are left out; default 0.3. */
  leastScore?: number;
  title?: string;
}

export const detectionsOptions = optionsOf<DetectionsOptions>(
  {
    dataset: instance(DetectionDataset, "what data.coco gave"),
    results: named(row("a list of results")) as never,
  },
  {
    kind: cocoKind,
    images: either(whole(1, 1000), list(whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))),
    leastScore: number(-1e9, 1e9),
    title: label,
  },
);

/**
 * Boxes or masks over their images: what is right at an overlap of 0.5, what is wrong, what was missed, crowds, and (switched
 * on in the legend) every object as it is labeled. Pointing at one, by hand, finger or arrow keys, tells its class, score,
 * overlap with the object there, and what is wrong.
 *
 * @throws LuvitError("bad-argument") for images that are not in the set and results that cannot be compared with it,
 * LuvitError("bad-image") for files that cannot be read or are of another size than their annotations.
 * @example
 * const scenes = await luvit.data.coco({ root: "data/shapes/coco", part: "val", transform: luvit.data.transforms.fitSquare(96) });
 * const [one] = scenes.truth.annotations;
 * const results = { LUViT: [{ imageId: one.imageId, categoryId: one.categoryId, score: 0.9, box: one.box }] };
 * luvit.show(await luvit.figures.detections({ dataset: scenes, results, images: [one.imageId] }));
 */
export async function detections(options: DetectionsOptions): Promise<Figure> {
  checkOptions("detections", detectionsOptions, options);
  const { dataset, kind = "bbox", title = "" } = options;
  const ids = imageIds(options);
  const names = Object.keys(options.results);
  if (names.length === 0) throw new LuvitError("bad-argument", "detections: results of no detector");
  const truth = dataset.truth.only(ids);
  const found = await Promise.all(names.map((name) => compared(truth, options, name, ids)));
  const seen = new Set<ShapeKind>();
  const isFirst = (shape: ShapeKind) => seen.size < seen.add(shape).size;
  const parts: ReturnType<typeof panelParts>[] = [];
  const titles: string[] = [];
  const ratios: number[] = [];
  for (const id of ids) {
    const { width, height, fileName } = truth.image(id);
    const source = await embedded(dataset, truth.image(id));
    for (const [at, name] of names.entries()) {
      const shapes = shapesOf(id, truth, found[at]!, kind);
      const panel = { width, height, source, shapes, filled: kind === "segm" };
      parts.push(panelParts(panel, parts.length, isFirst));
      ratios.push(Math.min(2.5, height / width));
      const count = (one: ShapeKind) => shapes.filter((shape) => shape.kind === one).length;
      const told = `${count("right")} right, ${count("wrong")} wrong, ${count("missed")} missed`;
      titles.push(
        `<b>${escaped(names.length > 1 ? name : fileName)}</b><br><sub>${names.length > 1 ? `${escaped(fileName)}: ` : ""}${told}</sub>`,
      );
    }
  }
  return put(
    parts,
    titles,
    { title, columns: names.length > 1 ? names.length : 3, ratios },
    names.map((name, at) => summaryOf(name, found[at]!)),
  );
}

function imageIds({ dataset, images = 6 }: DetectionsOptions): number[] {
  const known = dataset.images.map(({ id }) => id);
  if (typeof images === "number")
    return [...spreadIndices(known.length, Math.min(images, known.length))].map((at) => known[at]!);
  const missing = images.filter((id) => !known.includes(id));
  if (missing.length === 0 && images.length > 0) return [...images];
  const what = images.length === 0 ? "no images" : `images ${missing.join(", ")}, which are not in the set`;
  throw new LuvitError("bad-argument", `detections: asked for ${what}`);
}

function compared(
  truth: CocoAnnotations,
  { results, kind, leastScore = 0.3 }: DetectionsOptions,
  name: string,
  ids: readonly number[],
): Promise<DetectionErrors> {
  const chosen = new Set(ids);
  const shown = results[name]!.filter(({ imageId, score }) => chosen.has(imageId) && score >= leastScore);
  return errorsByKind(truth, shown, { kind });
}

function put(
  parts: readonly ReturnType<typeof panelParts>[],
  titles: readonly string[],
  { title, columns, ratios }: { title: string; columns: number; ratios: readonly number[] },
  summaries: readonly string[],
): Figure {
  const data: PlotlyTrace[] = parts.flatMap(({ traces }) => traces);
  const images: PlotlyImage[] = parts.map(({ image }) => image);
  const annotations: PlotlyAnnotation[] = parts.flatMap(({ tags }) => tags);
  const axes: Record<string, PlotlyAxis> = Object.assign({}, ...parts.map((part) => part.axes));
  const base = baseLayout(title, { legend: true });
  const grid: PanelGrid = {
    titles,
    xTitle: "",
    yTitle: "",
    ratio: ratios,
    panelWidth: [150, 440],
    gap: 14,
    columns,
    margin: { ...base.margin!, l: 8, r: 8, b: 10 },
    below: 14,
  };
  const shown = Math.min(columns, titles.length);
  const layout = arrangePanels(
    { ...base, ...axes, images, annotations },
    grid,
    16 + (shown === 2 ? 420 : 340) * shown + 14 * (shown - 1),
  );
  return figure(data, layout, summaries.join("; "), grid);
}

function summaryOf(name: string, { right, errors }: DetectionErrors): string {
  const missed = errors.filter(({ kind }) => kind === "missed").length;
  return `${name} ${right.length} right, ${errors.length - missed} wrong, ${missed} missed`;
}

const escaped = (text: string) => text.replace(/</g, "&lt;");
