import { mean, sum } from "../../core/mean";
import type { Exercise } from "../exercise";
import { drawRow, drawShares } from "./rows";

type Row = readonly number[];

const term = (a: number) => (a > 0 ? a * Math.log(a) : 0);
const entropyOf = (row: Row) => -sum(row.map(term));
const meanRow = (rows: readonly Row[]) => rows[0].map((_, i) => mean(rows.map((row) => row[i])));
const withZero = (row: Row) => [0, ...row];

/** 06: attention entropy. */
export const entropy: readonly Exercise[] = [
  {
    id: "entropy/row",
    expects: "a function (row: number[]) => number",
    right: entropyOf,
    inputs: (rng) => [[drawShares(rng, 3)], [withZero(drawShares(rng, 4))], [drawShares(rng, 6)]],
    praise: "e to this number is how many tokens the row effectively looks at.",
    hint: "−Σ a ln a, where a share of zero adds nothing.",
    mistakes: [
      {
        answer: (row: Row) => -sum(row.map((a) => a * Math.log(a))),
        hint: "0 · ln 0 is NaN for a computer; its limit is 0: leave zeros out.",
      },
      {
        answer: (row: Row) => -sum(row.map((a) => term(a) / Math.LN2)),
        hint: "That is in bits; the paper's figures are in nats.",
      },
      { answer: (row: Row) => sum(row.map(term)), hint: "The sign: logarithms of shares are negative." },
      {
        answer: (row: Row) => entropyOf(row) / row.length,
        hint: "A mean over the entries; entropy is their sum.",
      },
    ],
  },
  {
    id: "entropy/heads",
    expects: "a function (rows: number[][]) => number",
    right: (rows: readonly Row[]) => mean(rows.map(entropyOf)),
    inputs: (rng) => [2, 3, 4].map((heads) => [Array.from({ length: heads }, () => drawShares(rng, 4))]),
    praise: "First the entropy of each head, then the mean: the paper's order.",
    hint: "Entropy of every row, then their mean.",
    mistakes: [
      {
        answer: (rows: readonly Row[]) => entropyOf(meanRow(rows)),
        hint: "The entropy of the mean row: larger, since heads that look at different places seem to look everywhere.",
      },
      { answer: (rows: readonly Row[]) => sum(rows.map(entropyOf)), hint: "Their sum; it is their mean." },
      {
        answer: (rows: readonly Row[]) => Math.max(...rows.map(entropyOf)),
        hint: "The least calm head only; all of them count.",
      },
    ],
  },
  {
    id: "entropy/share",
    expects: "a function (foreground: number[], background: number[]) => number",
    right: (foreground: Row, background: Row) =>
      100 * mean(foreground.map((value, i) => Number(background[i] > value))),
    inputs: (rng) =>
      [3, 4, 5].map((images) => [
        [...drawRow(rng, images), 1.5],
        [...drawRow(rng, images), 1.5], // a tie, which is not greater
      ]),
    praise: "The paper's number: 84 % for LUViT and 42 % for ViT-B on ImageNet-S-50.",
    hint: "Of how many images in a hundred is the background's entropy the greater one?",
    mistakes: [
      {
        answer: (foreground: Row, background: Row) =>
          100 * mean(foreground.map((value, i) => Number(background[i] < value))),
        hint: "That counts the images in which the foreground's is greater.",
      },
      {
        answer: (foreground: Row, background: Row) =>
          mean(foreground.map((value, i) => Number(background[i] > value))),
        hint: "A share from 0 to 1; percent are wanted.",
      },
      {
        answer: (foreground: Row, background: Row) =>
          100 * mean(foreground.map((value, i) => Number(background[i] >= value))),
        hint: "Where both are equal, neither is greater.",
      },
      {
        answer: (foreground: Row, background: Row) =>
          sum(foreground.map((value, i) => Number(background[i] > value))),
        hint: "That is how many images; of a hundred is asked.",
      },
      {
        answer: (foreground: Row, background: Row) => 100 * (mean(background) - mean(foreground)),
        hint: "That is a difference of means, in which one strange image can decide; images are counted.",
      },
    ],
  },
];
