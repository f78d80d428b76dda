import { Rng } from "../core/rng";
import type { ImageDataset } from "./dataset";
import type { RgbImage } from "./decode";
import { unnormalize } from "./normalize";

/** The pictures of a (small) set as a model sees them, back in RGB bytes. */
export async function pictures(
  dataset: ImageDataset,
  { seed = 0 }: { seed?: number } = {},
): Promise<RgbImage[]> {
  const loads = Array.from({ length: dataset.length }, (_, i) => dataset.load(i, new Rng(seed).fork(i)));
  return (await Promise.all(loads)).map(({ image }) => unnormalize(image, dataset.size, dataset.size));
}
