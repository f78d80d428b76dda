import { mean, sum } from "../../core/mean";
import type { Exercise } from "../exercise";
import { drawRow } from "./rows";

type Row = readonly number[];
type Errors = readonly Row[];

/** Errors in percent, by corruption and severity. */
const drawErrors = (rng: Parameters<typeof drawRow>[0], types: number): number[][] =>
  Array.from({ length: types }, () => Array.from({ length: 3 }, () => Math.round(10 + 80 * rng.uniform())));

const deviation = (values: Row, degrees: number) =>
  Math.sqrt(sum(values.map((value) => (value - mean(values)) ** 2)) / degrees);

const around = (values: Row, half: number) => [mean(values) - half, mean(values) + half];

/** 07: robustness and background. */
export const robustness: readonly Exercise[] = [
  {
    id: "robustness/mce",
    expects: "a function (errors: number[][], reference: number[][]) => number",
    right: (errors: Errors, reference: Errors) =>
      mean(errors.map((row, i) => (100 * sum(row)) / sum(reference[i]))),
    inputs: (rng) => [2, 3, 4].map((types) => [drawErrors(rng, types), drawErrors(rng, types)]),
    praise: "The mean corruption error: every corruption counts alike, however hard it is.",
    hint: "For each corruption the errors of all severities added up, over the reference's, in percent; then the mean over corruptions.",
    mistakes: [
      {
        answer: (errors: Errors, reference: Errors) => (100 * sum(errors.flat())) / sum(reference.flat()),
        hint: "All corruptions added up first: hard ones then count more. The ratio comes first, then the mean.",
      },
      {
        answer: (errors: Errors, reference: Errors) =>
          mean(errors.map((row, i) => mean(row.map((error, j) => (100 * error) / reference[i][j])))),
        hint: "A ratio for every severity; the severities of a corruption are added up first.",
      },
      {
        answer: (errors: Errors) => mean(errors.map(mean)),
        hint: "That is the plain mean of the errors, without the reference.",
      },
      {
        answer: (errors: Errors, reference: Errors) =>
          mean(errors.map((row, i) => sum(row) / sum(reference[i]))),
        hint: "In percent: AlexNet's own is 100.",
      },
    ],
  },
  {
    id: "robustness/gap",
    expects: "a number of points",
    right: 6.7,
    praise:
      "What a background of the wrong class costs over one of the right class: the less, the more the model looks at the object.",
    hint: "The accuracy with a background of the same class minus that with a random one.",
    mistakes: [
      { answer: -6.7, hint: "Same minus random: a model that uses the background has a positive gap." },
      {
        answer: 13.5,
        hint: "That is the original minus a random background; both halves of the gap are *mixed* images.",
      },
      { answer: (100 * 6.7) / 82.1, hint: "Points, not percent of the accuracy." },
    ],
  },
  {
    id: "robustness/interval",
    expects: "a function (values: number[], t: number) => [number, number]",
    right: (values: Row, t: number) =>
      around(values, (t * deviation(values, values.length - 1)) / Math.sqrt(values.length)),
    inputs: (rng) => [
      [drawRow(rng, 5), 2.776],
      [drawRow(rng, 3), 4.303],
      [drawRow(rng, 4), 3.182],
    ],
    praise: "An interval for the mean over seeds: without it, a difference of two runs is an anecdote.",
    hint: "mean ± t · s / √n, s with n − 1.",
    mistakes: [
      {
        answer: (values: Row, t: number) => around(values, t * deviation(values, values.length - 1)),
        hint: "That is where single runs lie; the mean of n runs is known √n times better.",
      },
      {
        answer: (values: Row, t: number) =>
          around(values, (t * deviation(values, values.length)) / Math.sqrt(values.length)),
        hint: "The deviation of so few runs is divided by n − 1.",
      },
      {
        answer(values: Row, t: number) {
          const s = deviation(values, values.length - 1);
          return around(values, -(t * s) / Math.sqrt(values.length));
        },
        hint: "The lower end comes first.",
      },
      {
        answer: (values: Row, t: number) =>
          around(values, (t * deviation(values, values.length - 1) ** 2) / Math.sqrt(values.length)),
        hint: "That is the variance; s is its root.",
      },
      {
        answer: (values: Row) =>
          around(values, (1.96 * deviation(values, values.length - 1)) / Math.sqrt(values.length)),
        hint: "1.96 is for many runs; for a few of them Student's t is larger.",
      },
      {
        answer: (values: Row, t: number) =>
          around(values, (t * deviation(values, values.length - 1)) / values.length),
        hint: "Divided by n; it is √n.",
      },
    ],
  },
];
