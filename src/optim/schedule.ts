/** Linear warm-up from 0, then half a cosine down to `minLr`. Epochs may be fractional. */
export interface WarmupCosine {
  lr: number;
  minLr: number;
  warmupEpochs: number;
  epochs: number;
}

/**
 * The rate at a fractional epoch (epoch + iteration / iterationsPerEpoch); the first step's rate is exactly 0.
 * Reference: mae/util/lr_sched.py.
 */
export function warmupCosine({ lr, minLr, warmupEpochs, epochs }: WarmupCosine, epoch: number): number {
  if (epoch < warmupEpochs) return (lr * epoch) / warmupEpochs;
  const progress = (epoch - warmupEpochs) / (epochs - warmupEpochs);
  return minLr + (lr - minLr) * 0.5 * (1 + Math.cos(Math.PI * progress));
}

/** MAE's linear scaling rule: base rate * effective batch / 256. */
export function scaledRate(baseLr: number, effectiveBatch: number): number {
  return (baseLr * effectiveBatch) / 256;
}
