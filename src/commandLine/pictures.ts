import { type ImageDataset, imageFolder, imageNet1k, type TransformFactory } from "../data";
import type { PicturesConfig } from "./runConfig";

/** The pictures of a configuration, at the model's size. */
export async function picturesFrom(
  config: PicturesConfig,
  size: number,
  augment: TransformFactory | undefined,
  path: (relative: string) => string,
): Promise<ImageDataset> {
  const { kind = "folder", part = augment ? "train" : "val", take } = config;
  const options = { size, augment };
  const set =
    kind === "imageNet1k"
      ? await imageNet1k(path(config.path), part, options)
      : await imageFolder(path(config.path), options);
  return take === undefined ? set : set.take(take);
}
