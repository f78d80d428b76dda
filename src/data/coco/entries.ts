import { LuvitError } from "../../core/errors";
import type { BoxXywh } from "../../core/masks";
import type { Fields } from "./fields";
import { isPolygons, type Segmentation, segmentationOf } from "./segmentation";

/** An image of a COCO file. */
export interface CocoImage {
  readonly id: number;
  /** Below the folder of images. */
  readonly fileName: string;
  readonly width: number;
  readonly height: number;
}

/** A class of a COCO file. Ids may have gaps; labels are positions in the order of ids. */
export interface CocoCategory {
  readonly id: number;
  readonly name: string;
}

/** An object in an image of a COCO file. */
export interface CocoAnnotation {
  readonly id: number;
  readonly imageId: number;
  readonly categoryId: number;
  /** In pixels; not the smallest box around the outline, but what the file says. */
  readonly box: BoxXywh;
  /** Decides whether the object counts as small, medium or large. */
  readonly area: number;
  /** A group that nobody has told apart: it is neither trained with nor missed. */
  readonly crowd: boolean;
  /** Absent in files that know boxes alone. */
  readonly segmentation?: Segmentation;
}

export function imageOf(fields: Fields): CocoImage {
  const image = {
    id: fields.whole("id"),
    fileName: fields.text("file_name"),
    width: fields.side("width"),
    height: fields.side("height"),
  };
  const leadsOut = /^(?:[a-z]:|[\\/])|(?:^|[\\/])\.\.(?:[\\/]|$)|\0/i;
  if (typeof image.fileName === "string" && leadsOut.test(image.fileName))
    fields.refuse(`file_name: ${JSON.stringify(image.fileName)} leads out of the folder of images`);
  return image;
}

export function categoryOf(fields: Fields): CocoCategory {
  return { id: fields.whole("id"), name: fields.text("name") };
}

/** An annotation; `imageAt` and `hasCategory` know what it may point at. */
export function annotationOf(
  fields: Fields,
  imageAt: (id: number) => CocoImage | undefined,
  hasCategory: (id: number) => boolean,
): CocoAnnotation {
  const annotation = {
    id: fields.whole("id"),
    imageId: fields.whole("image_id"),
    categoryId: fields.whole("category_id"),
    box: fields.box("bbox"),
    area: fields.number("area", 0),
    crowd: fields.flag("iscrowd"),
  };
  const image = imageAt(annotation.imageId);
  if (!image && Number.isInteger(annotation.imageId))
    fields.refuse(`image_id: there is no image ${annotation.imageId}`);
  if (!hasCategory(annotation.categoryId) && Number.isInteger(annotation.categoryId))
    fields.refuse(`category_id: there is no category ${annotation.categoryId}`);
  if (!fields.has("segmentation")) return annotation;
  return { ...annotation, segmentation: readSegmentation(fields, image) };
}

/** What an entry's `segmentation` holds; it has to have the size of the image. */
export function readSegmentation(fields: Fields, image: CocoImage | undefined): Segmentation | undefined {
  try {
    const found = segmentationOf(fields.get("segmentation"));
    if (image && !isPolygons(found) && (found.height !== image.height || found.width !== image.width)) {
      const sizes = `[${found.height}, ${found.width}] of an image of [${image.height}, ${image.width}]`;
      fields.refuse(`segmentation: a mask of size ${sizes}`);
    }
    return found;
  } catch (error) {
    if (!(error instanceof LuvitError)) throw error;
    fields.refuse(`segmentation: ${error.message}`);
    return undefined;
  }
}
