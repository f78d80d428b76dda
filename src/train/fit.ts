import { LuvitError } from "../core/errors";
import type { ImageDataset } from "../data/dataset";

/** @throws LuvitError("bad-argument") when a data set yields pictures of another size than a model takes. */
export function expectImageSize(dataset: ImageDataset, size: number, where: string): void {
  if (dataset.size === size) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: the data set gives ${dataset.size} px pictures, the model takes ${size} px; open it with size: ${size}`,
  );
}
