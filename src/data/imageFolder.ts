import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import { checkOptions } from "../core/options";
import type { Rng } from "../core/rng";
import type { ClassMapping } from "./classMapping";
import {
  expectIndex,
  type ImageDataset,
  readOrNext,
  type Sample,
  SkipReport,
  spreadIndices,
} from "./dataset";
import type { DecodeOptions } from "./decode";
import { folderArgument, imageFolderOptions } from "./options";
import { hereReader, type PictureReader } from "./pictureReader";
import { PixelCache } from "./pixelCache";
import { type LabelledFile, scanClassFolders } from "./scanFolder";
import { evalTransform, type ImageTransform, type TransformFactory } from "./transforms";

/** How the pictures of a folder are read. Give `transform`, or `size` and `augment`; default `evalTransform(224)`. */
export interface ImageFolderOptions extends DecodeOptions {
  transform?: ImageTransform;
  /** Side of the samples in pixels; default 224. */
  size?: number;
  /** E.g. `maeAugment` or `finetuneAugment`; default `evalTransform`. */
  augment?: TransformFactory;
  /** Bytes of decoded pixels kept in memory, or false for none; default 512 MB. */
  cache?: number | false;
}

const defaultCacheBytes = 512e6;

/** Pictures in class folders. Views made with `take`, `subset` and `withTransform` share the memory and the report. */
export class FolderDataset implements ImageDataset {
  constructor(
    readonly root: string,
    readonly classes: string[],
    readonly files: readonly LabelledFile[],
    readonly transform: ImageTransform,
    readonly cache: PixelCache,
    readonly report: SkipReport = new SkipReport(),
    readonly mapping?: ClassMapping,
  ) {}

  get length(): number {
    return this.files.length;
  }

  get size(): number {
    return this.transform.size;
  }

  path(index: number): string {
    return this.fileAt(index).path;
  }

  label(index: number): number {
    return this.fileAt(index).label;
  }

  /** Reads one picture: image [3, size, size]. Unreadable ones are replaced by the next and named in `report`. */
  load(index: number, rng: Rng, reader: PictureReader = hereReader): Promise<Sample> {
    const path = (at: number) => this.files[at].path;
    return readOrNext(index, this.length, this.report, path, async (at) => {
      const { cache, transform } = this;
      const image = await reader.read({ path: path(at), cache, transform, rng });
      return { image, label: this.files[at].label, path: path(at), index: at };
    });
  }

  /** `count` pictures spread evenly over the set, so that every class comes up. */
  take(count: number): FolderDataset {
    return this.subset(spreadIndices(this.length, count));
  }

  /** The pictures at these positions, in this order. */
  subset(indices: ArrayLike<number>): FolderDataset {
    return this.with({ files: Array.from(indices, (index) => this.fileAt(index)) });
  }

  /** The same pictures under another transform. */
  withTransform(transform: ImageTransform): FolderDataset {
    return this.with({ transform });
  }

  [inspect.custom](): string {
    const skipped = this.report.count > 0 ? `, ${this.report.count} unreadable` : "";
    const { name } = this.transform;
    return `FolderDataset(${this.root}) ${this.length} pictures, ${this.classes.length} classes, ${name} ${this.size} px${skipped}`;
  }

  private with(change: { files?: LabelledFile[]; transform?: ImageTransform }): FolderDataset {
    const { root, classes, cache, report, mapping } = this;
    const { files, transform } = { files: this.files, transform: this.transform, ...change };
    return new FolderDataset(root, classes, files, transform, cache, report, mapping);
  }

  private fileAt(index: number): LabelledFile {
    expectIndex(index, this.length);
    return this.files[index];
  }
}

/**
 * A folder of class folders, as ImageNet-1K's `train` and `val`. Labels are positions in the sorted class names.
 *
 * Throws "missing-file" or "bad-dataset" when the folder is missing, empty or half copied.
 */
export async function imageFolder(root: string, options: ImageFolderOptions = {}): Promise<FolderDataset> {
  checkOptions("data.imageFolder", folderArgument, { root });
  checkOptions("data.imageFolder", imageFolderOptions, options);
  const { classes, files } = await scanClassFolders(root);
  return new FolderDataset(root, classes, files, transformOf(options), cacheOf(options));
}

/** The transform that the options ask for. */
export function transformOf(
  options: ImageFolderOptions,
  fallback: TransformFactory = evalTransform,
): ImageTransform {
  const { transform, size, augment } = options;
  if (transform && (augment || (size !== undefined && size !== transform.size))) {
    throw new LuvitError("bad-argument", "give either transform, or size and augment");
  }
  return transform ?? (augment ?? fallback)(size ?? 224);
}

/** The pixel memory that the options ask for. */
export function cacheOf(options: ImageFolderOptions): PixelCache {
  const { cache = defaultCacheBytes, exif } = options;
  return new PixelCache(cache === false ? 0 : cache, { exif });
}
