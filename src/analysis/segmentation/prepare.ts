import { LuvitError } from "../../core/errors";
import { Rng } from "../../core/rng";
import { cropBox, normalize, resize, shorterSideSize } from "../../data/pixels";
import type { MaskedDataset, MaskedSample } from "../../data/segmentation";
import { loadIfReadable } from "../../data/unreadable";
import type { Segmenter } from "../../models/segmenter";

/** An image as a segmenter is to see it, and the ids that its logits are compared with. */
export interface PreparedImage {
  readonly index: number;
  readonly path: string;
  /** [3, height, width], normalized. */
  readonly pixels: Float32Array;
  readonly height: number;
  readonly width: number;
  readonly target: { readonly ids: Int32Array; readonly height: number; readonly width: number };
}

/** How images come before a segmenter; undefined for one that cannot be read, which the set's report then tells. */
export type Prepare = (index: number) => Promise<PreparedImage | undefined>;

/** Images as the set's own transform cuts them into squares, with masks cut the same. */
export function squares(dataset: MaskedDataset): Prepare {
  return async (index) => {
    const sample = (await loadIfReadable(dataset, index, new Rng(0).fork(index))) as MaskedSample | undefined;
    if (!sample) return undefined;
    const side = { height: dataset.size, width: dataset.size };
    return { index, path: sample.path, pixels: sample.image, ...side, target: { ids: sample.ids, ...side } };
  };
}

/**
 * Whole images, their shorter side resized (bilinear) to `side`, without the pixels on the right and below that fill no
 * patch; masks as they are stored.
 *
 * Reference: LUSSeg/ImageNetSegModel util/datasets.py.
 */
export function wholeImages(dataset: MaskedDataset, model: Segmenter, side: number): Prepare {
  const { patchSize } = model.encoder.config;
  return async (index) => {
    const pair = await dataset.pair(index).catch((error: unknown) => {
      if (!(error instanceof LuvitError && error.code === "bad-image")) throw error;
      dataset.report.add(dataset.path(index), error.message);
      return undefined;
    });
    if (!pair) return undefined;
    const { image, mask } = pair;
    const to = shorterSideSize(image.width, image.height, side);
    const isSame = to.width === image.width && to.height === image.height;
    const resized = isSame ? image : resize(image, to.width, to.height, { filter: "bilinear" });
    const box = filledPart(to, patchSize);
    const isFilled = box.width === to.width && box.height === to.height;
    const part = isFilled ? resized : cropBox(resized, { left: 0, top: 0, ...box });
    const { width, height } = box;
    return { index, path: dataset.path(index), pixels: normalize(part), height, width, target: mask };
  };
}

/**
 * What of an image fills patches. One that is not square and has as many rows as columns keeps a pixel more, so that it is
 * not taken for a square, whose positions may be others.
 */
function filledPart({ width, height }: { width: number; height: number }, patch: number) {
  const cut = { width: width - (width % patch), height: height - (height % patch) };
  if (width === height || cut.width !== cut.height) return cut;
  return width > height ? { ...cut, width: cut.width + 1 } : { ...cut, height: cut.height + 1 };
}
