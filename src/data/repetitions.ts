/** How often each image of an epoch comes, and over which batches its repetitions are spread. */
export interface Repetitions {
  /** Times that each image comes. */
  readonly repeats: number;
  readonly batchSize: number;
  /** Batches that make one optimizer step. */
  readonly spread: number;
}

/** Positions in a data set in the order of an epoch, and which repetition of its image each is, from 0; [N] each. */
export interface RepeatedOrder {
  readonly indices: Int32Array;
  readonly repetition: Int32Array;
}

/**
 * Repeated augmentation: an epoch stays as long as its order, but only the first images of it come, each `repeats`
 * times. The repetitions of an image fall into the same step and, where a step has several batches, into different ones
 * of these, as they go to different GPUs in the reference.
 *
 * Reference: Hoffer et al. 2020; DeiT samplers.py RASampler, with as many processes as a step has batches.
 */
export function repeatedOrder(order: Int32Array, { repeats, batchSize, spread }: Repetitions): RepeatedOrder {
  const perStep = batchSize * spread;
  const whole = repeats === 1 ? 0 : Math.floor(order.length / perStep) * perStep;
  const streamPosition = (at: number) => {
    if (at >= whole) return at;
    const inStep = at % perStep;
    return at - inStep + (inStep % batchSize) * spread + Math.floor(inStep / batchSize);
  };
  const indices = new Int32Array(order.length);
  const repetition = new Int32Array(order.length);
  for (let at = 0; at < order.length; at++) {
    const position = streamPosition(at);
    indices[at] = order[Math.floor(position / repeats)];
    repetition[at] = position % repeats;
  }
  return { indices, repetition };
}
