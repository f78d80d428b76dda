import { mean, sum } from "../../core/mean";
import type { Exercise } from "../exercise";
import { drawRows } from "./rows";

type Row = readonly number[];

const logSoftmax = (row: Row) => {
  const total = Math.log(sum(row.map(Math.exp)));
  return row.map((value) => value - total);
};

/** Who sees whom: rows ask, columns are looked at. */
const square = (size: number, sees: (asks: number, asked: number) => boolean) =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (__, j) => Number(sees(i, j))));

/** 09: a language model that sees. */
export const llavit: readonly Exercise[] = [
  {
    id: "llavit/mask",
    expects: "a function (visual: number, text: number) => number[][], of 0 and 1",
    right: (visual: number, text: number) =>
      square(visual + text, (i, j) => j <= i || (i < visual && j < visual)),
    inputs: () => [
      [2, 1],
      [3, 2],
      [2, 3],
    ],
    praise: "Patches see each other in both directions, text sees all patches and the text before it.",
    hint: "A row for each token that asks: the visual ones come first and see all visual ones; text sees what is before it and itself.",
    mistakes: [
      {
        answer: (visual: number, text: number) => square(visual + text, (i, j) => j <= i),
        hint: "That is the plain causal mask: the first patch does not see the last one.",
      },
      {
        answer: (visual: number, text: number) => square(visual + text, () => true),
        hint: "Text sees the text behind it: the model could read the answer.",
      },
      {
        answer: (visual: number, text: number) =>
          square(visual + text, (i, j) => (i < visual ? j < visual : j >= visual && j <= i)),
        hint: "Text does not see the patches: it would be blind.",
      },
      {
        answer: (visual: number, text: number) =>
          square(visual + text, (i, j) => j < i || (i < visual && j < visual)),
        hint: "A word sees itself, too.",
      },
      {
        answer: (visual: number, text: number) =>
          square(visual + text, (i, j) => i <= j || (i < visual && j < visual)),
        hint: "Rows ask and columns are looked at; this is the other way round.",
      },
    ],
  },
  {
    id: "llavit/patches",
    expects: "a number of visual tokens",
    right: 576,
    praise:
      "24 × 24: most of the tokens of a short question are patches, which is why attention among them matters.",
    hint: "How many patches of 14 pixels fit along 336? LLaVA hands on patches only.",
    mistakes: [
      { answer: 577, hint: "LLaVA leaves the class token out." },
      { answer: 256, hint: "That is a tower at 224 pixels; LLaVA-1.5's takes 336." },
      { answer: 24, hint: "That is one side." },
      { answer: 441, hint: "That is patches of 16 pixels; CLIP's ViT-L has 14." },
    ],
  },
  {
    id: "llavit/likelihood",
    expects: "a function (logits: number[][], ids: number[]) => number",
    right: (logits: readonly Row[], ids: readonly number[]) =>
      sum(ids.map((id, i) => logSoftmax(logits[i])[id])),
    inputs: (rng) => [[0, 2], [1, 1, 3], [2]].map((ids) => [drawRows(rng, ids.length, 4), ids]),
    praise: "The log-likelihood of an answer: how choices are compared without writing a word.",
    hint: "At every token of the answer the log-softmax of its row at its id, added up.",
    mistakes: [
      {
        answer: (logits: readonly Row[], ids: readonly number[]) =>
          mean(ids.map((id, i) => logSoftmax(logits[i])[id])),
        hint: "The mean per token: a fine score, but not the likelihood of the whole answer.",
      },
      {
        answer: (logits: readonly Row[], ids: readonly number[]) =>
          -sum(ids.map((id, i) => logSoftmax(logits[i])[id])),
        hint: "With its sign turned it is the loss; a log-likelihood is negative.",
      },
      {
        answer: (logits: readonly Row[], ids: readonly number[]) => sum(ids.map((id, i) => logits[i][id])),
        hint: "Logits are no logarithms of shares until log-softmax makes them so.",
      },
      {
        answer: (logits: readonly Row[], ids: readonly number[]) =>
          Math.exp(sum(ids.map((id, i) => logSoftmax(logits[i])[id]))),
        hint: "The likelihood itself; it underflows for long answers, hence its logarithm.",
      },
    ],
  },
];
