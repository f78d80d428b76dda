import { checkOptions } from "../core/options";
import { Rng } from "../core/rng";
import { datasetField, type ImageDataset } from "./dataset";
import { expectSample } from "./expectSample";
import { seedOption } from "./options";
import { type RgbImage, unnormalize } from "./pixels";

/**
 * The images of a (small) set as a model sees them, back in RGB bytes.
 *
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/val", { transform: luvit.data.transforms.none(64) });
 * luvit.show(await luvit.figures.imageGrid([await luvit.data.preview(images.take(6))]));
 */
export async function preview(dataset: ImageDataset, options: { seed?: number } = {}): Promise<RgbImage[]> {
  checkOptions("data.preview", datasetField, dataset);
  checkOptions("data.preview", seedOption, options);
  const { seed = 0 } = options;
  const loads = Array.from({ length: dataset.length }, (_, i) => dataset.load(i, new Rng(seed).fork(i)));
  return (await Promise.all(loads)).map((sample) => {
    expectSample(sample, dataset);
    return unnormalize(sample.image, sample.width ?? dataset.size, sample.height ?? dataset.size);
  });
}
