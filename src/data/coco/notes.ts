import { maskArea } from "../../core/masks";
import type { CocoAnnotation, CocoCategory, CocoImage } from "./entries";
import { isPolygons } from "./segmentation";

/** Annotations, as far as notes are made on them. */
interface Noted {
  readonly images: readonly CocoImage[];
  readonly categories: readonly CocoCategory[];
  readonly annotations: readonly CocoAnnotation[];
  image(id: number): CocoImage;
  of(imageId: number): readonly CocoAnnotation[];
}

/** What is unusual in annotations and used as COCO itself would use it, a line each. */
export function notesOn(truth: Noted): string[] {
  const { annotations, images, categories } = truth;
  const count = (holds: (one: CocoAnnotation) => boolean) => annotations.filter(holds).length;
  const onlyCrowds = images.filter(
    ({ id }) => truth.of(id).length > 0 && truth.of(id).every(({ crowd }) => crowd),
  );
  const found: [number, string][] = [
    [Number(annotations.length === 0), "file without objects; nothing can be scored or learned"],
    [count((one) => isOutside(one, truth)), "boxes reach more than a pixel out of their image"],
    [count((one) => isLarger(one, truth)), "areas are larger than their image"],
    [count(isEmpty), "objects have an empty mask; training leaves them out, evaluation misses them"],
    [count(isFlatBox), "objects are a box without an area; training leaves them out"],
    [onlyCrowds.length, "images have crowds alone; training leaves them out"],
    [repeated(categories.map(({ name }) => name)), "classes have the name of another one"],
    [repeated(images.map(({ fileName }) => fileName)), "images have the file of another one"],
    [
      count(({ id }) => id === 0),
      "annotation has id 0, which pycocotools takes for no match and this library does not",
    ],
  ];
  return found.filter(([times]) => times > 0).map(([times, note]) => `${times} ${note}`);
}

function isOutside({ box: [x, y, width, height], imageId }: CocoAnnotation, truth: Noted): boolean {
  const image = truth.image(imageId);
  return x < -1 || y < -1 || x + width > image.width + 1 || y + height > image.height + 1;
}

function isLarger({ area, imageId }: CocoAnnotation, truth: Noted): boolean {
  const image = truth.image(imageId);
  return area > (image.width + 1) * (image.height + 1);
}

function isEmpty({ segmentation }: CocoAnnotation): boolean {
  if (segmentation === undefined) return false;
  return isPolygons(segmentation) ? segmentation.every(isFlat) : maskArea(segmentation) === 0;
}

/** A polygon with no width or no height. */
function isFlat(polygon: ArrayLike<number>): boolean {
  return [0, 1].some((axis) => {
    const along = Array.from(polygon).filter((_, i) => i % 2 === axis);
    return along.every((value) => value === along[0]);
  });
}

const isFlatBox = ({ box: [, , width, height], segmentation }: CocoAnnotation) =>
  segmentation === undefined && (width === 0 || height === 0);

const repeated = (names: readonly string[]) => names.length - new Set(names).size;
