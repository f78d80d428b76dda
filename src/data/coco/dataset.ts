import { join } from "node:path";
import { inspect } from "node:util";
import { LuvitError, listOffenders } from "../../core/errors";
import { checkOptions, flag, instance, object, partsWith } from "../../core/options";
import { printable } from "../../core/printable";
import { Rng } from "../../core/rng";
import { expectIndex, type ImageDataset, type Sample, SkipReport, spreadIndices } from "../dataset";
import { type Geometry, type PlacedObjects, placeObjects, SquareTransform } from "../detection";
import type { ImageTransform } from "../imageTransform";
import { hereReader, type ImageReader, type PixelCache } from "../reading";
import { readOrReplace } from "../unreadable";
import type { CocoAnnotations } from "./annotations";
import type { CocoAnnotation, CocoImage } from "./entries";
import { isPolygons } from "./segmentation";

/** An image in a padded square with its objects; crowds are not among them. */
export interface DetectionSample extends Sample, PlacedObjects {
  readonly imageId: number;
  /** How the image got into the square; `covered` is the size without padding. */
  readonly geometry: Geometry;
}

/** Images of a COCO file with their objects. */
export class DetectionDataset implements ImageDataset {
  readonly root: string;
  readonly truth: CocoAnnotations;
  readonly images: readonly CocoImage[];
  readonly transform: SquareTransform;
  readonly cache: PixelCache;
  readonly report: SkipReport;

  constructor(parts: {
    root: string;
    truth: CocoAnnotations;
    images: readonly CocoImage[];
    transform: SquareTransform;
    cache: PixelCache;
    report?: SkipReport;
  }) {
    checkOptions("DetectionDataset", partsWith("root", "truth", "images", "transform", "cache"), parts);
    this.root = parts.root;
    this.truth = parts.truth;
    this.images = parts.images;
    this.transform = parts.transform;
    this.cache = parts.cache;
    this.report = parts.report ?? new SkipReport();
  }

  get classes(): string[] {
    return this.truth.classes;
  }

  get length(): number {
    return this.images.length;
  }

  get size(): number {
    return this.transform.size;
  }

  path(index: number): string {
    return join(this.root, this.imageAt(index).fileName);
  }

  /** Images have no class of their own: always 0. */
  label(_index: number): number {
    return 0;
  }

  /** Reads an image with its objects; in place of an unreadable one, or of one of another size, the next one comes. */
  load(index: number, rng: Rng, reader: ImageReader = hereReader): Promise<DetectionSample> {
    return readOrReplace(this, index, async (at) => {
      const info = this.images[at];
      const path = this.path(at);
      const geometry = this.transform.geometry(info, new Rng(rng.seed)); // what the reader draws, too
      const objects = this.truth.of(info.id).filter(({ crowd }) => !crowd);
      const placed = placeObjects(
        objects.map((one) => this.outlined(one)),
        geometry,
        this.size,
      );
      const transform = this.transform.expecting(info);
      const image = await reader.read({ path, cache: this.cache, transform, rng });
      return { image, label: 0, path, index: at, imageId: info.id, geometry, ...placed };
    });
  }

  take(count: number): DetectionDataset {
    return this.subset(spreadIndices(this.length, count));
  }

  subset(indices: ArrayLike<number>): DetectionDataset {
    return this.with({ images: Array.from(indices, (index) => this.imageAt(index)) });
  }

  /** The same images under `transforms.largeScaleJitter` or `transforms.fitSquare`. */
  withTransform(transform: ImageTransform): DetectionDataset {
    return this.with({ transform: expectSquare(transform) });
  }

  /**
   * The images that can be trained with, which have an object that is no crowd.
   *
   * @throws LuvitError("bad-dataset") with `masks` when objects are outlined by pixels, or not at all.
   */
  trainable(options: { masks?: boolean } = {}): DetectionDataset {
    checkOptions("trainable", object({}, { masks: flag }), options);
    if (options.masks) expectPolygons(this.truth);
    return this.with({ images: withObjects(this.truth, this.images) });
  }

  [inspect.custom](): string {
    const { name } = this.transform;
    const skipped = this.report.count > 0 ? `, ${this.report.count} unreadable` : "";
    const counts = `${this.length} images, ${this.classes.length} classes`;
    return `DetectionDataset(${printable(this.root)}) ${counts}, ${name} ${this.size} px${skipped}`;
  }

  private imageAt(index: number): CocoImage {
    expectIndex(index, this.length);
    return this.images[index];
  }

  private with(change: { images?: readonly CocoImage[]; transform?: SquareTransform }): DetectionDataset {
    const { root, truth, images, transform, cache, report } = this;
    return new DetectionDataset({ root, truth, images, transform, cache, report, ...change });
  }

  private outlined({ box, categoryId, segmentation }: CocoAnnotation) {
    const polygons = segmentation && isPolygons(segmentation) ? segmentation : undefined;
    return { box, label: this.truth.label(categoryId)!, polygons };
  }
}

/** A set of this kind, as an argument. */
export const detectionField = instance(DetectionDataset, "a data set with objects, from data.coco");

/** Images with an object that is no crowd. */
export function withObjects(truth: CocoAnnotations, images: readonly CocoImage[]): CocoImage[] {
  return images.filter(({ id }) => truth.of(id).some(({ crowd }) => !crowd));
}

function expectPolygons(truth: CocoAnnotations): void {
  const wrong = truth.annotations.filter(
    ({ crowd, segmentation }) => !crowd && !(segmentation && isPolygons(segmentation)),
  );
  if (wrong.length === 0) return;
  const lines = wrong.map(
    ({ id, segmentation }) => `annotation ${id}: ${segmentation ? "runs of pixels" : "a box alone"}`,
  );
  const summary = `masks are learned from polygons, and ${wrong.length} objects have none`;
  const advice = "for boxes alone, make the detector with masks: false";
  throw new LuvitError("bad-dataset", `${summary}:\n${listOffenders(lines)}\n${advice}`);
}

/** @throws LuvitError("bad-argument") for a transform that cannot take objects along. */
export function expectSquare(transform: ImageTransform): SquareTransform {
  if (transform instanceof SquareTransform) return transform;
  const choice = "transforms.largeScaleJitter or transforms.fitSquare";
  throw new LuvitError(
    "bad-argument",
    `${transform.name} cannot take boxes and outlines along; use ${choice}`,
  );
}
