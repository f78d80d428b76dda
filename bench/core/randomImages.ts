import type { Rng } from "../../src/core/rng";
import type { HostFeed } from "../../src/train/feeds";

/** Bytes of images [B, 3, S, S], as a step that normalizes them is fed. */
export function randomBytes(batch: number, size: number, rng: Rng): HostFeed {
  const shape = [batch, 3, size, size];
  return { data: Uint8Array.from({ length: batch * 3 * size * size }, () => 256 * rng.uniform()), shape };
}

/** Images [B, 3, S, S] of normal noise, which is what normalized images look like to a matrix product. */
export function randomImages(batch: number, size: number, rng: Rng): HostFeed {
  const shape = [batch, 3, size, size];
  return { data: Float32Array.from({ length: batch * 3 * size * size }, () => rng.normal()), shape };
}
