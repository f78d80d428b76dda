import { inspect } from "node:util";
import { checkOptions, optionsOf, partsWith } from "../core/options";
import type { Preprocessing } from "../core/preprocessing";
import { printable } from "../core/printable";
import type { Rng } from "../core/rng";
import type { ClassMapping } from "./classMapping";
import { expectIndex, type ImageDataset, type Sample, SkipReport, spreadIndices } from "./dataset";
import { BuiltInTransform, type ImageTransform, transform } from "./imageTransform";
import { bytes, folderArgument } from "./options";
import { type DecodeOptions, decodeOptions, hereReader, type ImageReader, PixelCache } from "./reading";
import { describeOthers, type LabeledFile, scanClassFolders } from "./scanFolder";
import { evaluation } from "./transforms";
import { readOrReplace } from "./unreadable";

/** How the images of a folder are read. */
export interface ImageFolderOptions extends DecodeOptions {
  /** E.g. `transforms.mae(64)`; default `transforms.evaluation(224)`. */
  transform?: ImageTransform;
  /** Bytes of decoded pixels kept in memory, or false for none; default 512 MB. */
  cache?: number | false;
}

export const imageFolderOptions = optionsOf<ImageFolderOptions>(
  {},
  {
    ...decodeOptions.optional,
    transform,
    cache: bytes,
  },
);

const defaultCacheBytes = 512e6;

/** Images in class folders. Views made with `take`, `subset` and `withTransform` share the memory and the report. */
export class FolderDataset implements ImageDataset {
  readonly root: string;
  readonly classes: string[];
  readonly files: readonly LabeledFile[];
  readonly transform: ImageTransform;
  readonly cache: PixelCache;
  readonly report: SkipReport;
  readonly mapping?: ClassMapping;
  /** How many files of its class folders are not called images, by their endings. */
  readonly others: ReadonlyMap<string, number>;

  constructor(parts: {
    root: string;
    classes: string[];
    files: readonly LabeledFile[];
    transform: ImageTransform;
    cache: PixelCache;
    report?: SkipReport;
    mapping?: ClassMapping;
    others?: ReadonlyMap<string, number>;
  }) {
    checkOptions("FolderDataset", partsWith("root", "classes", "files", "transform", "cache"), parts);
    const {
      root,
      classes,
      files,
      transform,
      cache,
      report = new SkipReport(),
      mapping,
      others = new Map(),
    } = parts;
    this.root = root;
    this.classes = classes;
    this.files = files;
    this.transform = transform;
    this.cache = cache;
    this.report = report;
    this.mapping = mapping;
    this.others = others;
  }

  get length(): number {
    return this.files.length;
  }

  get size(): number {
    return this.transform.size;
  }

  get hasBytes(): boolean {
    return BuiltInTransform.hasBytes(this.transform);
  }

  get preprocessing(): Preprocessing | undefined {
    return this.transform.preprocessing;
  }

  path(index: number): string {
    return this.fileAt(index).path;
  }

  label(index: number): number {
    return this.fileAt(index).label;
  }

  /** Reads one image: image [3, size, size]. Others of their class replace unreadable ones; `report` names these. */
  load(index: number, rng: Rng, reader: ImageReader = hereReader): Promise<Sample> {
    return readOrReplace(this, index, async (at) => {
      const { cache, transform } = this;
      const { path, label } = this.files[at];
      const image = await reader.read({ path, cache, transform, rng });
      return { image, label, path, index: at };
    });
  }

  /** `count` images spread evenly over the set, so that every class comes up. */
  take(count: number): FolderDataset {
    return this.subset(spreadIndices(this.length, count));
  }

  /** The images at these positions, in this order. */
  subset(indices: ArrayLike<number>): FolderDataset {
    return this.with({ files: Array.from(indices, (index) => this.fileAt(index)) });
  }

  /** The same images under another transform. */
  withTransform(transform: ImageTransform): FolderDataset {
    return this.with({ transform });
  }

  [inspect.custom](): string {
    const skipped = this.report.count > 0 ? `, ${this.report.count} unreadable` : "";
    const others = this.others.size > 0 ? `; ${describeOthers(this.others)}` : "";
    const { name } = this.transform;
    return `FolderDataset(${printable(this.root)}) ${this.length} images, ${this.classes.length} classes, ${name} ${this.size} px${skipped}${others}`;
  }

  private with(change: { files?: LabeledFile[]; transform?: ImageTransform }): FolderDataset {
    const { root, classes, cache, report, mapping, others } = this;
    const { files, transform } = { files: this.files, transform: this.transform, ...change };
    return new FolderDataset({ root, classes, files, transform, cache, report, mapping, others });
  }

  private fileAt(index: number): LabeledFile {
    expectIndex(index, this.length);
    return this.files[index];
  }
}

/**
 * A folder of class folders, as ImageNet-1K's `train` and `val`. Labels are positions in the sorted class names.
 *
 * @throws LuvitError("missing-file" | "bad-dataset"): "missing-file" or "bad-dataset" when the folder is missing, empty
 * or half copied.
 * @example
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform: luvit.data.transforms.mae(64) });
 * console.log(images.length, images.classes);
 */
export async function imageFolder(root: string, options: ImageFolderOptions = {}): Promise<FolderDataset> {
  checkOptions("data.imageFolder", folderArgument, { root });
  checkOptions("data.imageFolder", imageFolderOptions, options);
  const { classes, files, others } = await scanClassFolders(root);
  const [report, transform] = [new SkipReport(), options.transform ?? evaluation()];
  return new FolderDataset({ root, classes, files, transform, cache: cacheOf(options), report, others });
}

/** The pixel memory that the options ask for; `usualExif` is what a set does about orientations where nothing is said. */
export function cacheOf(options: ImageFolderOptions, usualExif?: DecodeOptions["exif"]): PixelCache {
  const { cache = defaultCacheBytes, exif = usualExif, gray16, maxPixels } = options;
  return new PixelCache(cache === false ? 0 : cache, { exif, gray16, maxPixels });
}
