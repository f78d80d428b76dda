import { LuvitError } from "../core/errors";
import { checkOptions, row } from "../core/options";
import { rngField } from "../core/options/rng";
import type { Rng } from "../core/rng";

/** Which patches a batch keeps, drawn on the host and fed to the model as plain indices. */
export interface PatchMask {
  batch: number;
  /** Patches per image, L. */
  patches: number;
  /** Kept patches per image, K. */
  kept: number;
  /** Rows of [B*L, D] that are kept, in shuffled order: [B*K]. */
  keepRows: Int32Array;
  /** For each patch in order, its row in [B*K kept rows, then the mask token]: [B*L]. */
  restoreRows: Int32Array;
  /** 0 kept, 1 removed, in patch order: [B*L]. */
  mask: Float32Array;
  /** The reference's inverse permutation per image: [B*L]. */
  idsRestore: Int32Array;
}

/**
 * MAE's random masking: the int(L*(1-ratio)) patches with the smallest noise stay, in the order of their noise.
 * noise [B*L] row-major. Reference: mae/models_mae.py random_masking.
 */
export function maskFromNoise(noise: ArrayLike<number>, batch: number, ratio: number): PatchMask {
  checkOptions("maskFromNoise", row("a list of numbers"), noise);
  const patches = noise.length / batch;
  if (!Number.isInteger(patches)) {
    throw new LuvitError(
      "shape-mismatch",
      `mask noise: ${noise.length} numbers do not divide into ${batch} images`,
    );
  }
  const kept = Math.trunc(patches * (1 - ratio));
  if (!(kept >= 1 && kept <= patches)) {
    throw new LuvitError(
      "bad-argument",
      `mask: a ratio of ${ratio} keeps ${kept} of ${patches} patches, at least 1 must stay`,
    );
  }
  const result: PatchMask = {
    batch,
    patches,
    kept,
    keepRows: new Int32Array(batch * kept),
    restoreRows: new Int32Array(batch * patches),
    mask: new Float32Array(batch * patches),
    idsRestore: new Int32Array(batch * patches),
  };
  for (let image = 0; image < batch; image++) maskOneImage(noise, image, result);
  return result;
}

function maskOneImage(noise: ArrayLike<number>, image: number, result: PatchMask): void {
  const { batch, patches, kept } = result;
  const start = image * patches;
  const shuffle = Array.from({ length: patches }, (_, i) => i).sort(
    (a, b) => noise[start + a] - noise[start + b],
  );
  for (const [place, patch] of shuffle.entries()) {
    const visible = place < kept;
    result.idsRestore[start + patch] = place;
    result.mask[start + patch] = visible ? 0 : 1;
    result.restoreRows[start + patch] = visible ? image * kept + place : batch * kept;
    if (visible) result.keepRows[image * kept + place] = start + patch;
  }
}

/** Uniform noise [B*L] for `maskFromNoise`. */
export function drawNoise(batch: number, patches: number, rng: Rng): Float32Array {
  checkOptions("drawNoise", rngField, rng);
  return Float32Array.from({ length: batch * patches }, () => rng.uniform());
}
