import { entry, number, object, pair, shareBelowOne, whole } from "../core/options";

/** Greatest rate: what float32 holds. A rate that is merely far too large shows in the loss, which stops the run. */
const MOST_RATE = 1e38;

/** A learning rate; 0 stands still. */
export const rate = number(0, MOST_RATE);
/** A learning rate above 0. */
export const positiveRate = number(0, MOST_RATE, true);
export const weightDecay = entry(number(0, 1000), "AdamW's", 0.05);
export const betas = entry(pair(shareBelowOne), "AdamW's", [0.9, 0.95]);
export const layerDecay = entry(number(0, 1, true), "factor on the rate from layer to layer", 0.75);
/** Norm that gradients are scaled down to. */
export const gradNorm = entry(number(0, MOST_RATE, true), "greatest norm of a step's gradients together", 1);
/** Epochs or steps of a schedule. */
export const epochCount = whole(1, 10_000_000);
export const warmupEpochs = entry(number(0, 10_000_000), "epochs of warm-up", 40);

export const weightDecayOption = object({ weightDecay }, {});

export const schedule = { lr: positiveRate, minLr: rate, warmupEpochs, epochs: number(0, 10_000_000, true) };
