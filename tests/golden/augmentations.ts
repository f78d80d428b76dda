import { erasedBox } from "../../src/data/pixels/augment/erasing";
import {
  type AugmentOp,
  applyAugmentation,
  augmentArgument,
  augmentOps,
} from "../../src/data/pixels/augment/randAugment";
import type { Box } from "../../src/data/pixels/resample";
import type { RgbImage } from "../../src/data/pixels/rgbImage";
import { boxDraws } from "./boxDraws";
import { type CaseFile, type Check, maxAbsError } from "./harness";
import type { GoldenTensor } from "./readTensors";

/** RandAugment's operations on `aug.png` and, for those that look at value ranges, on `lowcontrast.png`. All exact. */
export function augmentChecks(
  images: ReadonlyMap<string, RgbImage>,
  tensors: ReadonlyMap<string, GoldenTensor>,
  meta: CaseFile,
): Check[] {
  const against = (name: string, image: RgbImage, op: AugmentOp, argument: number): Check => {
    const { data } = applyAugmentation(image, { op, argument });
    return { name, error: maxAbsError(data, tensors.get(name)?.data ?? []), tolerance: 0 };
  };
  const image = images.get("aug.png")!;
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  const operations: Check[] = meta.randaugment.flatMap((row: any) => {
    const argument = augmentArgument(row.op, row.magnitude ?? 0, row.sign === -1);
    const error = Math.abs(argument - (row.argument ?? 0));
    return [
      { name: `${row.tensor}, argument`, error, tolerance: Number.EPSILON },
      against(row.tensor, image, row.op, row.argument ?? 0),
    ];
  });
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  const covered = new Set(meta.randaugment.map((row: any) => row.op));
  const low = [...tensors.keys()].filter((name) => name.startsWith("low_"));
  return [
    ...operations,
    ...low.map((name) =>
      against(name, images.get("lowcontrast.png")!, name.slice("low_".length) as AugmentOp, 0),
    ),
    {
      name: "operations without an image",
      error: augmentOps.filter((op) => !covered.has(op)).length,
      tolerance: 0,
    },
  ];
}

/** The boxes of random erasing for given draws. */
export function erasingChecks(meta: CaseFile): Check[] {
  // biome-ignore lint/suspicious/noExplicitAny: rows of a JSON file
  return meta.random_erasing.map((row: any) => {
    const numbers = (box?: Box | null) => (box ? [box.top, box.left, box.height, box.width] : []);
    const drawn = erasedBox(row.width, row.height, boxDraws(row));
    return {
      name: `erased box ${row.height} x ${row.width}`,
      error: maxAbsError(numbers(drawn), numbers(row.box)),
      tolerance: 0,
    };
  });
}
