import { huggingFace, type ImageDataset, type ImageTransform, imageFolder, imageNet1k } from "../data";
import type { ImageNet1kPart } from "../data/sets";
import type { ImagesConfig } from "./runConfig";

/** The images of a configuration, for training or for validation. */
export async function imagesFrom(
  { kind = "folder", path: place, part, partial, take }: ImagesConfig,
  transform: ImageTransform,
  usual: "train" | "val",
  path: (relative: string) => string,
): Promise<ImageDataset> {
  const options = { transform };
  const open: Record<typeof kind, () => Promise<ImageDataset>> = {
    folder: () => imageFolder(path(place), options),
    imageNet1k: () => imageNet1k(path(place), (part as ImageNet1kPart) ?? usual, { ...options, partial }),
    huggingFace: () =>
      huggingFace(path(place), { ...options, split: part ?? (usual === "val" ? "validation" : usual) }),
  };
  const set = await open[kind]();
  return take === undefined ? set : set.take(take);
}
