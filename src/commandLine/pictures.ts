import { huggingFace, type ImageDataset, imageFolder, imageNet1k } from "../data";
import type { ImageNet1kPart } from "../data/sets/imageNet1k";
import type { TransformFactory } from "../data/transforms";
import type { PicturesConfig } from "./runConfig";

/** The pictures of a configuration, at the model's size. */
export async function picturesFrom(
  { kind = "folder", path: place, part, partial, take }: PicturesConfig,
  size: number,
  augment: TransformFactory | undefined,
  path: (relative: string) => string,
): Promise<ImageDataset> {
  const options = { size, augment };
  const open: Record<typeof kind, () => Promise<ImageDataset>> = {
    folder: () => imageFolder(path(place), options),
    imageNet1k: () =>
      imageNet1k(path(place), (part as ImageNet1kPart) ?? (augment ? "train" : "val"), {
        ...options,
        partial,
      }),
    huggingFace: () =>
      huggingFace(path(place), { ...options, split: part ?? (augment ? "train" : "validation") }),
  };
  const set = await open[kind]();
  return take === undefined ? set : set.take(take);
}
