import { type BoxXywh, encodeMask } from "../../../../src/core/masks";
import { CocoAnnotations, type CocoResult } from "../../../../src/data/coco";

export type Truth = {
  box: BoxXywh;
  label?: number;
  image?: number;
  area?: number;
  crowd?: boolean;
  id?: number;
};

/** Annotations on images of 200 x 200 pixels, of classes "a" (id 10) and "b" (id 20). */
export function annotations(truths: readonly Truth[], images = 1): CocoAnnotations {
  return new CocoAnnotations(
    Array.from({ length: images }, (_, i) => ({ id: i + 1, fileName: `${i}.jpg`, width: 200, height: 200 })),
    [
      { id: 20, name: "b" },
      { id: 10, name: "a" },
    ],
    truths.map(({ box, label = 0, image = 1, area = box[2] * box[3], crowd = false, id }, i) => {
      const [x, y, w, h] = box;
      const segmentation = [Float64Array.of(x, y, x + w, y, x + w, y + h, x, y + h)];
      return {
        id: id ?? i + 1,
        imageId: image,
        categoryId: 10 * (label + 1),
        box,
        area,
        crowd,
        segmentation,
      };
    }),
  );
}

export function result(box: BoxXywh, score: number, label = 0, image = 1): CocoResult {
  const [x, y, w, h] = box;
  const mask = Uint8Array.from({ length: 200 * 200 }, (_, i) => {
    const [row, column] = [Math.floor(i / 200), i % 200];
    return Number(column >= x && column < x + w && row >= y && row < y + h);
  });
  return { imageId: image, categoryId: 10 * (label + 1), score, box, mask: encodeMask(mask, 200, 200) };
}
