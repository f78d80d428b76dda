import { LuvitError } from "../core/errors";
import type { ImageDataset } from "../data/dataset";
import { expectSquares } from "../data/expectSquares";

/** @throws LuvitError("bad-argument") when a data set yields images of another size than a model takes. */
export function expectImageSize(
  dataset: Pick<ImageDataset, "size" | "ownShapes">,
  size: number,
  where: string,
): void {
  expectSquares(dataset, where, size);
  if (dataset.size === size) return;
  throw new LuvitError(
    "bad-argument",
    `${where}: the data set gives ${dataset.size} px images, the model takes ${size} px; open it with size: ${size}`,
  );
}

/** @throws LuvitError("bad-argument") when a data set has more classes than a model tells apart. */
export function expectClasses(dataset: ImageDataset, classes: number, where: string): void {
  if (dataset.classes.length <= classes) return;
  const counts = `${dataset.classes.length} classes, the model's head has ${classes}`;
  throw new LuvitError("bad-argument", `${where}: the data set has ${counts}`);
}

/** @throws LuvitError("bad-argument") when a data set has the classes that a model knows, in another order. */
export function expectClassOrder(
  dataset: ImageDataset,
  { classNames }: { classNames: readonly string[] | undefined },
  where: string,
): void {
  if (dataset.mapping || classNames?.length !== dataset.classes.length) return;
  const moved = dataset.classes.findIndex((name, label) => name !== classNames[label]);
  if (moved < 0 || dataset.classes.some((name) => !classNames.includes(name))) return;
  const names = `class ${moved} is ${classNames[moved]} for the model, ${dataset.classes[moved]} in the data set`;
  throw new LuvitError("bad-argument", `${where}: the classes are in another order: ${names}`);
}
