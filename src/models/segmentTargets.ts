import { LuvitError } from "../core/errors";
import { nearestIndices } from "../core/resample";

/** Pixels with this id are not counted. Reference: LUSSeg/ImageNet-S README. */
export const IGNORED_ID = 1000;

/** What a step's loss compares logits with. */
export interface SegmentTargets {
  /** [batch * rows * columns]; 0 where a pixel is ignored. */
  readonly ids: Int32Array;
  /** [batch * rows * columns]: all / counted where a pixel counts, else 0, so that a mean over all is one over the counted. */
  readonly weights: Float32Array;
}

export interface IdMaps {
  /** Ids of a batch's pixels, [batch, height, width]. */
  readonly ids: ArrayLike<number>;
  readonly height: number;
  readonly width: number;
}

/**
 * Ids of a batch shrunk to rows x columns by nearest neighbor, with the weights of their pixels. Where everything is
 * ignored all weights are 0, and so are loss and gradients (the official code has 0 / 0 there).
 *
 * Reference: LUSSeg/ImageNetSegModel engine_segfinetune.py.
 *
 * @throws LuvitError("bad-dataset") for ids that are no class; `nameOf` says which image of the batch is which.
 */
export function segmentTargets(
  { ids, height, width }: IdMaps,
  { rows, columns, classes }: { rows: number; columns: number; classes: number },
  nameOf: (image: number) => string = (image) => `image ${image} of the batch`,
): SegmentTargets {
  const [down, across] = [nearestIndices(height, rows), nearestIndices(width, columns)];
  const batch = ids.length / (height * width);
  const small = new Int32Array(batch * rows * columns);
  const weights = new Float32Array(small.length);
  let [at, counted] = [0, 0];
  for (let image = 0; image < batch; image++) {
    for (const y of down) {
      for (const x of across) {
        const id = ids[(image * height + y) * width + x];
        if (id !== IGNORED_ID) {
          if (!(id >= 0 && id < classes)) throw foreignId(id, classes, nameOf(image));
          small[at] = id;
          weights[at] = 1;
          counted++;
        }
        at++;
      }
    }
  }
  if (counted > 0) for (let i = 0; i < weights.length; i++) weights[i] *= weights.length / counted;
  return { ids: small, weights };
}

function foreignId(id: number, classes: number, name: string): LuvitError {
  return new LuvitError(
    "bad-dataset",
    `${name}: its mask has id ${id}; the model tells ids 0 (other) to ${classes - 1} apart, and ${IGNORED_ID} is ignored`,
  );
}
