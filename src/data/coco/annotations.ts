import { inspect } from "node:util";
import { LuvitError } from "../../core/errors";
import type { Rle } from "../../core/masks";
import { checkOptions, row } from "../../core/options";
import type { CocoAnnotation, CocoCategory, CocoImage } from "./entries";
import { notesOn } from "./notes";
import { maskOf } from "./segmentation";

/** Images, classes and objects, as a COCO file has them. */
export class CocoAnnotations {
  /** In the order of the file. */
  readonly images: readonly CocoImage[];
  /** In the order of their ids: the position is the label. */
  readonly categories: readonly CocoCategory[];
  /** In the order of the file. */
  readonly annotations: readonly CocoAnnotation[];
  /** What could not be read, where that was asked for. */
  readonly leftOut: { readonly count: number; readonly lines: readonly string[] };
  private readonly byImage = new Map<number, CocoAnnotation[]>();
  private readonly labels: ReadonlyMap<number, number>;
  private readonly imagesById: ReadonlyMap<number, CocoImage>;

  constructor(
    images: readonly CocoImage[],
    categories: readonly CocoCategory[],
    annotations: readonly CocoAnnotation[],
    leftOut: { readonly count: number; readonly lines: readonly string[] } = { count: 0, lines: [] },
  ) {
    for (const list of [images, categories, annotations])
      checkOptions("CocoAnnotations", row("a list"), list);
    this.images = images;
    this.categories = [...categories].sort((a, b) => a.id - b.id);
    this.annotations = annotations;
    this.leftOut = leftOut;
    this.labels = new Map(this.categories.map(({ id }, label) => [id, label]));
    this.imagesById = new Map(images.map((image) => [image.id, image]));
    for (const annotation of annotations) {
      const others = this.byImage.get(annotation.imageId);
      if (others) others.push(annotation);
      else this.byImage.set(annotation.imageId, [annotation]);
    }
  }

  /** Names in label order. */
  get classes(): string[] {
    return this.categories.map(({ name }) => name);
  }

  /** The image of an id. */
  image(id: number): CocoImage {
    const image = this.imagesById.get(id);
    if (image) return image;
    throw new LuvitError("bad-argument", `there is no image ${id}; ${this.images.length} others are`);
  }

  has(imageId: number): boolean {
    return this.imagesById.has(imageId);
  }

  /** The objects of an image, in the order of the file. */
  of(imageId: number): readonly CocoAnnotation[] {
    return this.byImage.get(imageId) ?? [];
  }

  /**
   * Some of the images with their objects, in the order given; all classes.
   *
   * @throws LuvitError("bad-argument") for an image that is not there.
   */
  only(imageIds: readonly number[]): CocoAnnotations {
    checkOptions("only", row("a list of ids"), imageIds);
    const ids = [...new Set(imageIds)];
    const images = ids.map((id) => this.image(id));
    return new CocoAnnotations(
      images,
      this.categories,
      ids.flatMap((id) => this.of(id)),
      this.leftOut,
    );
  }

  /** The label of a category, from 0; undefined for an unknown one. */
  label(categoryId: number): number | undefined {
    return this.labels.get(categoryId);
  }

  /** The pixels of an object. */
  mask(annotation: CocoAnnotation): Rle {
    const { height, width } = this.image(annotation.imageId);
    if (annotation.segmentation) return maskOf(annotation.segmentation, height, width);
    throw new LuvitError("bad-dataset", `annotation ${annotation.id} has no segmentation, only a box`);
  }

  [inspect.custom](): string {
    const left = this.leftOut.count > 0 ? `, ${this.leftOut.count} left out` : "";
    const notes = this.notes().map((note) => `\n  ${note}`);
    const counts = `${this.images.length} images, ${this.annotations.length} objects of ${this.categories.length} classes`;
    return `CocoAnnotations ${counts}${left}${notes.join("")}`;
  }

  /** What is unusual and used as COCO itself would. */
  notes(): string[] {
    return notesOn(this);
  }
}
