import { mean, sum } from "../../core/mean";
import type { Exercise } from "../exercise";
import { drawRow } from "./rows";

const DIM = 4096;
const HIDDEN = 11_008;
const ATTENTION = 4 * DIM ** 2;
const MLP = 3 * DIM * HIDDEN;

type Row = readonly number[];

const meanSquare = (x: Row) => mean(x.map((value) => value ** 2));
const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));

/** 04: a language model's block, from its formulas. */
export const llama: readonly Exercise[] = [
  {
    id: "llama/rmsnorm",
    expects: "a function (x: number[], gain: number[], eps: number) => number[]",
    right: (x: Row, gain: Row, eps: number) =>
      x.map((value, i) => (value / Math.sqrt(meanSquare(x) + eps)) * gain[i]),
    inputs: (rng) => [0.5, 0.1, 1e-5].map((eps, i) => [drawRow(rng, 3 + i), drawRow(rng, 3 + i), eps]), // large: it must be in its place
    praise: "No mean is taken away and no bias added: half of LayerNorm, and enough.",
    hint: "x / √(mean(x²) + ε) · g, number by number.",
    mistakes: [
      {
        answer: (x: Row, gain: Row, eps: number) =>
          x.map((value, i) => {
            const variance = mean(x.map((one) => (one - mean(x)) ** 2));
            return ((value - mean(x)) / Math.sqrt(variance + eps)) * gain[i];
          }),
        hint: "That is LayerNorm: RMSNorm takes no mean away.",
      },
      {
        answer: (x: Row, gain: Row, eps: number) =>
          x.map((value, i) => (value / Math.sqrt(sum(x.map((one) => one ** 2)) + eps)) * gain[i]),
        hint: "The sum of the squares; it is their mean.",
      },
      {
        answer: (x: Row, _gain: Row, eps: number) => x.map((value) => value / Math.sqrt(meanSquare(x) + eps)),
        hint: "The gain is missing.",
      },
      {
        answer: (x: Row, gain: Row, eps: number) =>
          x.map((value, i) => (value / (Math.sqrt(meanSquare(x)) + eps)) * gain[i]),
        hint: "ε is added under the root.",
      },
      {
        answer: (x: Row, gain: Row) => x.map((value, i) => (value / Math.sqrt(meanSquare(x))) * gain[i]),
        hint: "ε is missing: a token of zeros would be divided by 0.",
      },
    ],
  },
  {
    id: "llama/gate",
    expects: "a function (gate: number[], up: number[]) => number[]",
    right: (gate: Row, up: Row) => gate.map((z, i) => z * sigmoid(z) * up[i]),
    inputs: (rng) => [3, 4, 2].map((length) => [drawRow(rng, length), drawRow(rng, length)]),
    praise: "silu(gate) ⊙ up: one projection decides how much of the other passes.",
    hint: "silu(z) = z · sigmoid(z) of the first, times the second.",
    mistakes: [
      {
        answer: (gate: Row, up: Row) => gate.map((z, i) => sigmoid(z) * up[i]),
        hint: "A sigmoid alone; silu multiplies it with its input.",
      },
      {
        answer: (gate: Row, up: Row) => gate.map((z, i) => z * sigmoid(-z) * up[i]),
        hint: "The sign in the exponent: sigmoid(z) = 1 / (1 + e^−z).",
      },
      {
        answer: (gate: Row, up: Row) => gate.map((z, i) => z * up[i] * sigmoid(up[i])),
        hint: "silu bends the first one, the gate (w1).",
      },
      {
        answer: (gate: Row, up: Row) => gate.map((z, i) => z * sigmoid(z) + up[i]),
        hint: "The two are multiplied, not added.",
      },
    ],
  },
  {
    id: "llama/parameters",
    expects: "a number of parameters",
    right: ATTENTION + MLP + 2 * DIM,
    praise: "202,383,360: more than twice a whole ViT-B, all of it frozen.",
    hint: "Four square matrices of 4096, three between 4096 and 11008, two gains; no biases.",
    mistakes: [
      { answer: ATTENTION + MLP, hint: "The two RMSNorms have a gain each, 4096 numbers." },
      {
        answer: ATTENTION + (2 * MLP) / 3 + 2 * DIM,
        hint: "A gated MLP has three matrices: gate, up and down.",
      },
      { answer: 32 * (ATTENTION + MLP + 2 * DIM), hint: "That is all 32 blocks; one is asked for." },
      { answer: ATTENTION + MLP + 6 * DIM + 2 * HIDDEN + 3 * DIM, hint: "LLaMA has no biases." },
      { answer: ATTENTION + MLP + DIM, hint: "There are two norms: before attention, and before the MLP." },
    ],
  },
];
