import { type SegmentationMaps, segmentationMaps } from "../analysis/segmentation";
import { checkOptions, optionsOf, shaped, text, whole } from "../core/options";
import { unnormalize } from "../data/pixels";
import type { MaskedDataset } from "../data/segmentation";
import type { WholeImages } from "../data/wholeImages";
import type { EngineOptions } from "../engine";
import { engineOptions } from "../engine/options";
import { type Segmenter, segmenterField } from "../models/segmenter";
import { IGNORED_ID } from "../models/segmentTargets";
import { classColor } from "./classColor";
import type { ImageFigure, RgbImage } from "./image";
import { imageGrid } from "./imageGrid";
import { overlayMap } from "./maps";
import { cell } from "./options";

/** What `segmentation` shows. */
export interface SegmentationFigureOptions extends EngineOptions {
  /** Images, spread evenly over the set; default 6. */
  images?: number;
  /** Whose attention's entropy; default the last ViT block. */
  layer?: string;
  /** Width of an image in pixels. */
  cell?: number;
}

export const segmentationFigureOptions = optionsOf<SegmentationFigureOptions>(
  {},
  { ...engineOptions.optional, images: whole(1, 1000), layer: text, cell },
);

/** Weight of the colors of classes over the image. */
const WEIGHT = 0.65;
const ignoredColor = [128, 128, 128] as const;

/**
 * Images with their masks, what a segmenter makes of them, and the attention entropy of their patches side by side, on the
 * squares that the set's transform cuts, or on whole images (`data.wholeImages`). Each class has a color of its own, "other" none; ignored pixels are gray.
 *
 * @example
 * const set = await luvit.data.imageNetS({
 *   images: "data/shapes/val",
 *   masks: "data/shapes/segmentation/validation",
 *   patch: 8,
 *   transform: luvit.data.transforms.none(64),
 * });
 * const model = luvit.segmenter.create({ encoder: luvit.vit.toy, classes: 7 });
 * luvit.show(await luvit.figures.segmentation(model, set, { images: 3 }));
 */
export async function segmentation(
  model: Segmenter,
  dataset: MaskedDataset | WholeImages,
  options: SegmentationFigureOptions = {},
): Promise<ImageFigure> {
  checkOptions("figures.segmentation", segmenterField, model);
  checkOptions(
    "figures.segmentation",
    shaped<MaskedDataset | WholeImages>("a data set with masks", "take", "classes"),
    dataset,
  );
  checkOptions("figures.segmentation", segmentationFigureOptions, options);
  const { images = 6, cell, layer, ...engine } = options;
  const maps = await segmentationMaps(model, dataset.take(images), { layer, ...engine });
  const drawRow = async (one: SegmentationMaps) => {
    const image = unnormalize(one.sample.image, one.shape.width, one.shape.height);
    const entropy = { values: one.entropy, width: one.grid.columns, height: one.grid.rows };
    const [truth, prediction] = [one.truth, one.prediction].map((ids) => colored(image, ids));
    return [image, truth, prediction, await overlayMap(image, entropy)];
  };
  const rows = await Promise.all(maps.map(drawRow));
  const named = (ids: Int32Array) => nameOf(ids, dataset.classes);
  return imageGrid(rows, {
    columnTitles: ["image", "truth", "prediction", "attention entropy"],
    captions: maps.map(({ truth, prediction }: SegmentationMaps) => [
      undefined,
      named(truth),
      named(prediction),
      undefined,
    ]),
    cell,
  });
}

function colored({ data, width, height }: RgbImage, ids: Int32Array): RgbImage {
  const mixed = Uint8Array.from(data, (value, at) => {
    const id = ids[Math.floor(at / 3)];
    if (id === 0) return value;
    const color = id === IGNORED_ID ? ignoredColor : classColor(id);
    return Math.round((1 - WEIGHT) * value + WEIGHT * color[at % 3]);
  });
  return { data: mixed, width, height };
}

/** The most frequent object, or "other" where there is none. */
function nameOf(ids: Int32Array, classes: readonly string[]): string {
  const counts = new Map<number, number>();
  for (const id of ids) if (id !== 0 && id !== IGNORED_ID) counts.set(id, (counts.get(id) ?? 0) + 1);
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  return most ? (classes[most[0] - 1] ?? String(most[0])) : "other";
}
