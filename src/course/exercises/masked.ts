import { mean, sum } from "../../core/mean";
import type { Exercise } from "../exercise";
import { drawRow, drawRows } from "./rows";

type Rows = readonly (readonly number[])[];

const byNoise = (noise: readonly number[], sign = 1): number[] =>
  noise.map((_, i) => i).sort((a, b) => sign * (noise[a] - noise[b]));

const kept = (noise: readonly number[], ratio: number) => Math.floor(noise.length * (1 - ratio));

/** Mean square error of each row. */
const errors = (predicted: Rows, target: Rows): number[] =>
  predicted.map((row, i) => mean(row.map((value, j) => (value - target[i][j]) ** 2)));

function variance(values: readonly number[], degrees: number): number {
  const center = mean(values);
  return sum(values.map((value) => (value - center) ** 2)) / degrees;
}

const EPS = 1e-6;

/** 03: masked auto-encoding. */
export const masked: readonly Exercise[] = [
  {
    id: "masked/keep",
    expects: "a function (noise: number[], ratio: number) => number[]",
    right: (noise: number[], ratio: number) => byNoise(noise).slice(0, kept(noise, ratio)),
    inputs: (rng) => [
      [drawRow(rng, 8), 0.75],
      [drawRow(rng, 6), 0.5],
      [drawRow(rng, 9), 0.6],
    ],
    praise: "Sorting noise draws without replacement: every set of patches is as likely as any other.",
    hint: "Positions sorted by their noise, the least first; of them the first ⌊length · (1 − ratio)⌋.",
    mistakes: [
      {
        answer: (noise: number[], ratio: number) => byNoise(noise, -1).slice(0, kept(noise, ratio)),
        hint: "The patches with the most noise are kept here; the official code keeps those with the least.",
      },
      {
        answer: (noise: number[], ratio: number) => byNoise(noise).slice(kept(noise, ratio)),
        hint: "These are the masked ones.",
      },
      {
        answer: (noise: number[], ratio: number) => byNoise(noise).slice(0, kept(noise, 1 - ratio)),
        hint: "The ratio is what is removed: 1 − ratio is kept.",
      },
      {
        answer: (noise: number[], ratio: number) =>
          byNoise(noise).slice(0, Math.round(noise.length * (1 - ratio))),
        hint: "Rounded up where it does not come out even; the official code rounds down.",
      },
      {
        answer: (noise: number[], ratio: number) =>
          byNoise(noise)
            .slice(0, kept(noise, ratio))
            .map((i) => noise[i]),
        hint: "The noise itself is given back; the positions are wanted.",
      },
      {
        answer: (noise: number[], ratio: number) =>
          byNoise(noise)
            .slice(0, kept(noise, ratio))
            .sort((a, b) => a - b),
        hint: "The right patches, sorted by place; the order of the noise is kept, since the decoder undoes it.",
      },
    ],
  },
  {
    id: "masked/loss",
    expects: "a function (predicted: number[][], target: number[][], mask: number[]) => number",
    right: (predicted: Rows, target: Rows, mask: number[]) =>
      sum(errors(predicted, target).map((error, i) => error * mask[i])) / sum(mask),
    inputs: (rng) =>
      [
        [1, 0, 1, 1],
        [0, 1, 1, 1],
        [1, 1, 0, 0],
      ].map((mask) => [drawRows(rng, 4, 3), drawRows(rng, 4, 3), mask]),
    praise: "Only what the model has not seen counts: copying visible patches earns nothing.",
    hint: "The mean square error of every patch; of these the mean over patches with mask 1.",
    mistakes: [
      {
        answer: (predicted: Rows, target: Rows) => mean(errors(predicted, target)),
        hint: "The mean over all patches: the visible ones should not count.",
      },
      {
        answer: (predicted: Rows, target: Rows, mask: number[]) =>
          mean(errors(predicted, target).map((error, i) => error * mask[i])),
        hint: "Divided by all patches; there are only Σ mask that count.",
      },
      {
        answer: (predicted: Rows, target: Rows, mask: number[]) =>
          sum(errors(predicted, target).map((error, i) => error * mask[i] * target[i].length)) / sum(mask),
        hint: "The squares of a patch are added up; their mean is wanted.",
      },
      {
        answer: (predicted: Rows, target: Rows, mask: number[]) =>
          sum(errors(predicted, target).map((error, i) => error * mask[i])),
        hint: "Added up over the removed patches; it is their mean.",
      },
      {
        answer: (predicted: Rows, target: Rows, mask: number[]) =>
          sum(errors(predicted, target).map((error, i) => error * (1 - mask[i]))) /
          sum(mask.map((one) => 1 - one)),
        hint: "The loss of the visible patches: mask 1 means removed.",
      },
    ],
  },
  {
    id: "masked/target",
    expects: "a function (patch: number[]) => number[]",
    right: (patch: number[]) =>
      patch.map((value) => (value - mean(patch)) / Math.sqrt(variance(patch, patch.length - 1) + EPS)),
    inputs: (rng) => [[drawRow(rng, 4)], [drawRow(rng, 6)], [[0.5, 0.502, 0.498]]], // the last: nearly flat
    praise: "Every patch has mean 0 and deviation 1: the model is asked for texture, not for brightness.",
    hint: "Take the mean away and divide by √(variance + 1e-6), the variance with n − 1 as in torch, 1e-6 under the root.",
    mistakes: [
      {
        answer: (patch: number[]) =>
          patch.map((value) => (value - mean(patch)) / Math.sqrt(variance(patch, patch.length) + EPS)),
        hint: "The variance is divided by n; torch.var divides by n − 1 unless told otherwise, and so does MAE.",
      },
      {
        answer: (patch: number[]) =>
          patch.map((value) => (value - mean(patch)) / (variance(patch, patch.length - 1) + EPS)),
        hint: "Divided by the variance; it is its root.",
      },
      {
        answer: (patch: number[]) =>
          patch.map((value) => value / Math.sqrt(variance(patch, patch.length - 1) + EPS)),
        hint: "The mean is still there.",
      },
      {
        answer: (patch: number[]) =>
          patch.map((value) => (value - mean(patch)) / (Math.sqrt(variance(patch, patch.length - 1)) + EPS)),
        hint: "1e-6 is added to the variance, under the root: in a nearly flat patch that is not the same.",
      },
    ],
  },
];
