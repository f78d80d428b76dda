import { LuvitError } from "../core/errors";
import type { ImageDataset } from "./dataset";

/** @throws LuvitError("bad-argument") for whole images, in shapes of their own. */
export function expectSquares(
  { ownShapes }: Pick<ImageDataset, "ownShapes">,
  where: string,
  size: number | string = "size",
): void {
  if (!ownShapes) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: takes squares, and this set gives whole images of many shapes (data.wholeImages); ` +
      `give it set.withTransform(data.transforms.evaluation(${size})), or the set that they were made of`,
  );
}
