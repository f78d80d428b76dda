import { either, list } from "../core/options";
import { datasetField, type ImageDataset } from "../data/dataset";
import { image, normalize, type RgbImage } from "../data/pixels";
import { evaluation } from "../data/transforms";
import type { ReadableImages } from "./lookGraphs";

/** What an analysis of single images may be given: a set, an image of any size, or several. */
export type GivenImages = ImageDataset | RgbImage | readonly RgbImage[];

export const givenImages = either(datasetField, either(image, list(image, 1)));

/** The images given, as a set. */
export function readable(given: GivenImages, size: number): ReadableImages {
  if ("load" in given) return given;
  return setOf("data" in given ? [given] : given, size);
}

/** Images of any size as a set; each is resized and cropped as for evaluation, where it does not fit already. */
export function setOf(images: readonly RgbImage[], size: number): ReadableImages {
  const path = (index: number) => (images.length === 1 ? "image" : `image ${index}`);
  return {
    size,
    length: images.length,
    load: async (index) => {
      const given = images[index];
      const fits = given.width === size && given.height === size;
      const image = normalize(fits ? given : evaluation(size).pixels(given));
      return { image, label: -1, path: path(index), index };
    },
  };
}
