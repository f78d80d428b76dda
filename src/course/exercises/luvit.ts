import type { Exercise } from "../exercise";
import { drawRow, drawRows, times } from "./rows";

type Row = readonly number[];
type Matrix = readonly Row[];

const RANK = 16;
const LLAMA = 4096;
const VIT = 768;

/** W x + scale B A x. */
const detour = (x: Row, W: Matrix, A: Matrix, B: Matrix, scale: number): number[] => {
  const added = times(B, times(A, x));
  return times(W, x).map((value, i) => value + scale * added[i]);
};

/** 05: LoRA and LUViT. */
export const luvit: readonly Exercise[] = [
  {
    id: "luvit/lora",
    expects:
      "a function (x: number[], W: number[][], A: number[][], B: number[][], alpha: number) => number[]",
    right: (x: Row, W: Matrix, A: Matrix, B: Matrix, alpha: number) => detour(x, W, A, B, alpha / A.length),
    inputs: (rng) =>
      [
        [3, 2, 4],
        [4, 2, 6],
        [3, 1, 2],
      ].map(([width, rank, alpha]) => [
        drawRow(rng, width),
        drawRows(rng, width, width),
        drawRows(rng, rank, width),
        drawRows(rng, width, rank),
        alpha,
      ]),
    praise: "W stays as it is; A and B learn, and can be added into W when training is over.",
    hint: "W x + (alpha / rank) B (A x), where the rank is the number of rows of A.",
    mistakes: [
      {
        answer: (x: Row, W: Matrix, A: Matrix, B: Matrix, alpha: number) => detour(x, W, A, B, alpha),
        hint: "Scaled by alpha; it is alpha divided by the rank.",
      },
      {
        answer: (x: Row, W: Matrix, A: Matrix, B: Matrix) => detour(x, W, A, B, 1),
        hint: "The scale alpha / rank is missing.",
      },
      {
        answer: (x: Row, _W: Matrix, A: Matrix, B: Matrix, alpha: number) =>
          times(B, times(A, x)).map((value) => (alpha / A.length) * value),
        hint: "The frozen W x is missing: LoRA is added to it.",
      },
    ],
  },
  {
    id: "luvit/trainable",
    expects: "a number of parameters",
    right: 2 * 2 * RANK * LLAMA,
    praise: "262,144, an eighth of a percent of the block's 202 million.",
    hint: "A is [16, 4096] and B is [4096, 16], once for q and once for v.",
    mistakes: [
      { answer: 2 * RANK * LLAMA, hint: "That is one projection; LUViT adapts two, q and v." },
      { answer: 4 * 2 * RANK * LLAMA, hint: "That is all four projections; LUViT adapts q and v only." },
      { answer: 2 * LLAMA ** 2, hint: "Those are the frozen matrices themselves." },
      { answer: 2 * RANK * LLAMA + 2 * RANK ** 2, hint: "B is [4096, 16], not [16, 16]." },
    ],
  },
  {
    id: "luvit/mappers",
    expects: "a number of parameters",
    right: 2 * VIT * LLAMA,
    praise:
      "6,291,456: of what LUViT adds to a ViT and trains, the mappers are 96 %. Hence the baseline MLP-P, mappers without a block.",
    hint: "One matrix from 768 to 4096 and one back, without biases.",
    mistakes: [
      { answer: VIT * LLAMA, hint: "That is the way up; there is one down, too." },
      { answer: 2 * VIT * LLAMA + VIT + LLAMA, hint: "The mappers have no biases." },
      { answer: 2 * VIT * LLAMA + 4 * RANK * LLAMA, hint: "LoRA is counted apart." },
      { answer: 2 * VIT ** 2, hint: "The block is 4096 wide." },
    ],
  },
];
