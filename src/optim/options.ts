import { entry, number, object, optionsOf, pair, type Rule, shareBelowOne, whole } from "../core/options";
import type { AdamWOptions } from "./adamw";
import type { LayerDecayOptions } from "./groups";
import type { EpochCosine, WarmupCosine } from "./schedule";

/** Greatest rate: what float32 holds. A rate that is merely far too large shows in the loss, which stops the run. */
const MOST_RATE = 1e38;

/** A learning rate; 0 stands still. */
export const rate = number(0, MOST_RATE);
/** A learning rate above 0. */
export const positiveRate = number(0, MOST_RATE, true);
export const weightDecay = entry(number(0, 1000), "AdamW's", 0.05);
export const betas = entry(pair(shareBelowOne), "AdamW's", [0.9, 0.95]);
export const layerDecay = entry(number(0, 1, true), "factor on the rate from layer to layer", 0.75);
/** Epochs or steps of a schedule. */
export const epochCount = whole(1, 10_000_000);
export const warmupEpochs = entry(number(0, 10_000_000), "epochs of warm-up", 40);

export const adamWOptions = optionsOf<AdamWOptions>({}, { betas, eps: number(0, 1, true) });

export const weightDecayOption = object({ weightDecay }, {});

export const layerDecayOptions = optionsOf<LayerDecayOptions>(
  { weightDecay, layerDecay, depth: whole(0, 10_000) },
  {},
);

/** What is wrong with a schedule's parts together: no rate rises above the peak, the warm-up is a part of the whole. */
export function scheduleFits(schedule: Partial<EpochCosine>): ReturnType<Rule<EpochCosine>> {
  const most = Number.POSITIVE_INFINITY;
  const { lr = most, minLr = 0, warmupLr = 0, warmupEpochs: warmup = 0, epochs = most } = schedule;
  const wrong: [name: string, expected: string][] = [];
  if (minLr > lr) wrong.push(["minLr", `at most the peak rate (${lr})`]);
  if (warmupLr > lr) wrong.push(["warmupLr", `at most the peak rate (${lr})`]);
  if (warmup > epochs) wrong.push(["warmupEpochs", `at most epochs (${epochs})`]);
  return wrong;
}

const schedule = { lr: positiveRate, minLr: rate, warmupEpochs, epochs: number(0, 10_000_000, true) };

export const warmupCosineOptions = optionsOf<WarmupCosine>(schedule, {}, scheduleFits);
export const epochCosineOptions = optionsOf<EpochCosine>({ ...schedule, warmupLr: rate }, {}, scheduleFits);
