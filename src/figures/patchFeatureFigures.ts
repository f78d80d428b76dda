import type { PatchFeatures } from "../analysis/representations/patchFeatures";
import { principalComponents } from "../analysis/representations/pca";
import { LuvitError } from "../core/errors";
import { checkOptions, optionsOf, shaped, whole } from "../core/options";
import { unnormalize } from "../data/pixels";
import { type ImageFigure, type RgbImage, resizeImage } from "./image";
import { imageGrid } from "./imageGrid";
import { cell } from "./options";
import { overlays } from "./overlays";

const features = shaped<PatchFeatures>(
  "what analysis.patchFeatures gave",
  "values",
  "dim",
  "grid",
  "samples",
);

export interface FeatureColorsOptions {
  /** Width of an image in pixels; default 168. */
  cell?: number;
}

const colorsOptions = optionsOf<FeatureColorsOptions>({}, { cell });

/**
 * Features of patches as colors: their first three principal components are red, green and blue, on one scale for all images,
 * so that alike colors are alike features.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * luvit.show(await luvit.figures.featureColors(await luvit.analysis.patchFeatures(model, images.take(3))));
 */
export async function featureColors(
  given: PatchFeatures,
  options: FeatureColorsOptions = {},
): Promise<ImageFigure> {
  checkOptions("featureColors", features, given);
  checkOptions("featureColors", colorsOptions, options);
  const { cell = 168 } = options;
  const { values, dim, grid, layer } = given;
  const { colors, share } = principalComponents(values, dim, 3);
  const bytes = Uint8Array.from(colors, (x) => Math.round(255 * x));
  const patches = 3 * grid.rows * grid.columns;
  const pairs = imagesOf(given).map(async (image, i) => {
    const small = {
      data: bytes.slice(i * patches, (i + 1) * patches),
      width: grid.columns,
      height: grid.rows,
    };
    return [image, await resizeImage(small, image.width, image.height, "nearest")];
  });
  const held = share.reduce((sum, x) => sum + 100 * x, 0).toFixed(0);
  return imageGrid(await Promise.all(pairs), {
    columnTitles: ["image", `${layer}, ${held} % of variance`],
    cell,
    alt: `Principal components of ${layer} as colors, ${held} % of the variance, ${given.samples.length} images`,
  });
}

export interface PatchSimilarityOptions {
  /** Which image the patch is of, from 0. */
  image: number;
  /** Which patch, row by row from 0. */
  patch: number;
  /** Most images in a row; default 4. */
  columns?: number;
  /** Width of an image in pixels; default 176. */
  cell?: number;
}

const count = whole(0, 1e9);
const similarityOptions = optionsOf<PatchSimilarityOptions>(
  { image: count, patch: count },
  { columns: whole(1, 1000), cell },
);

/**
 * Cosine similarity of one patch, which is outlined, to all patches of its own image and of the others: what the model takes
 * for the same thing.
 *
 * @throws LuvitError("bad-argument") for an image or a patch that there is not.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const features = await luvit.analysis.patchFeatures(model, images.take(2));
 * luvit.show(await luvit.figures.patchSimilarity(features, { image: 0, patch: 27 }));
 */
export async function patchSimilarity(
  given: PatchFeatures,
  options: PatchSimilarityOptions,
): Promise<ImageFigure> {
  checkOptions("patchSimilarity", features, given);
  checkOptions("patchSimilarity", similarityOptions, options);
  const { image, patch, columns, cell } = options;
  const { values, dim, grid, samples, layer } = given;
  const patches = grid.rows * grid.columns;
  if (image >= samples.length || patch >= patches) {
    const there = `${samples.length} images of ${patches} patches`;
    throw new LuvitError("bad-argument", `patchSimilarity: image ${image}, patch ${patch} of ${there}`);
  }
  const row = (i: number) => values.subarray(i * dim, (i + 1) * dim);
  const query = row(image * patches + patch);
  const size = { width: grid.columns, height: grid.rows };
  const maps = samples.map((_, i) => ({
    ...size,
    values: Float32Array.from({ length: patches }, (_, p) => cosine(query, row(i * patches + p))),
  }));
  const mark = { ...size, values: Uint8Array.from({ length: patches }, (_, p) => Number(p === patch)) };
  return overlays({
    images: imagesOf(given),
    maps,
    masks: samples.map((_, i) => (i === image ? mark : undefined)),
    zTitle: `cosine similarity, ${layer}`,
    columns,
    cell,
    lines: false,
  });
}

function imagesOf({ samples, size }: PatchFeatures): RgbImage[] {
  return samples.map(({ image }) => unnormalize(image, size.columns, size.rows));
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, ofA, ofB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    ofA += a[i]! ** 2;
    ofB += b[i]! ** 2;
  }
  return ofA === 0 || ofB === 0 ? 0 : dot / Math.sqrt(ofA * ofB);
}
