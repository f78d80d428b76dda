import { LuvitError } from "../../core/errors";
import type { CocoImage, DetectionDataset } from "../../data/coco";
import { dataUrl } from "../html";

/** Widest image that a figure carries, pixels. */
const WIDEST = 720;

/**
 * An image of a set as a data URL, not larger than it is shown.
 *
 * @throws LuvitError("bad-image") for files that cannot be read, or are of another size than their annotations.
 */
export async function embedded(
  dataset: DetectionDataset,
  { fileName, width, height, id }: CocoImage,
): Promise<string> {
  const at = dataset.images.findIndex((image) => image.id === id);
  const image = await dataset.cache.get(dataset.path(at));
  if (image.width !== width || image.height !== height) {
    const sizes = `${image.width} x ${image.height} pixels, its annotations are for ${width} x ${height}`;
    throw new LuvitError("bad-image", `${fileName} has ${sizes}`);
  }
  const { default: sharp } = await import("sharp");
  const raw = { width, height, channels: 3 as const };
  const jpeg = await sharp(image.data, { raw })
    .resize({ width: WIDEST, withoutEnlargement: true })
    .jpeg({ quality: 86 })
    .toBuffer();
  return dataUrl("image/jpeg", jpeg);
}
