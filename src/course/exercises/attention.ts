import { type Tensor, tf } from "../../core/tf";
import type { Exercise } from "../exercise";
import { drawRows } from "./rows";

const TOKENS = 197;
const WIDTH = 768;
const HEADS = 12;

const scores = (q: Tensor, k: Tensor) => q.matMul(k, false, true);

/** 02: attention. */
export const attention: readonly Exercise[] = [
  {
    id: "attention/formula",
    expects: "a function (q: Tensor, k: Tensor, v: Tensor) => Tensor",
    right: (q: Tensor, k: Tensor, v: Tensor) =>
      tf.softmax(scores(q, k).div(Math.sqrt(q.shape[1]!))).matMul(v),
    inputs: (rng) =>
      [2, 3, 4].map((count) =>
        [4, 4, 3].map((width) => tf.tensor2d(drawRows(rng, count, width), [count, width])),
      ),
    praise:
      "softmax(q kᵀ / √d) v: every token takes a mean of all values, weighted by how well its query fits their keys.",
    hint: "Scores are products of every query with every key, divided by the root of the width; softmax over the keys; then the values.",
    mistakes: [
      {
        answer: (q: Tensor, k: Tensor, v: Tensor) => tf.softmax(scores(q, k)).matMul(v),
        hint: "The scores are not divided by √d: they grow with the width, and softmax with them.",
      },
      {
        answer: (q: Tensor, k: Tensor, v: Tensor) => tf.softmax(scores(q, k).div(q.shape[1]!)).matMul(v),
        hint: "Divided by d; it is the root of d.",
      },
      {
        answer: (q: Tensor, k: Tensor, v: Tensor) =>
          tf.softmax(scores(q, k).div(Math.sqrt(q.shape[0]!))).matMul(v),
        hint: "Divided by the root of the number of tokens; it is that of the width, q.shape[1].",
      },
      {
        answer: (q: Tensor, k: Tensor, v: Tensor) =>
          tf.softmax(scores(q, k)).div(Math.sqrt(q.shape[1]!)).matMul(v),
        hint: "Divided after softmax, so that the shares no longer add up to 1; the scores are divided before.",
      },
      {
        answer: (q: Tensor, k: Tensor, v: Tensor) =>
          tf.transpose(tf.softmax(tf.transpose(scores(q, k).div(Math.sqrt(q.shape[1]!))))).matMul(v),
        hint: "Softmax runs over the queries: each query's shares of the keys have to add up to 1.",
      },
      {
        answer: (q: Tensor, k: Tensor, v: Tensor) => scores(q, k).div(Math.sqrt(q.shape[1]!)).matMul(v),
        hint: "Without softmax the scores are no shares: they may be negative and add up to anything.",
      },
    ],
  },
  {
    id: "attention/even",
    expects: "[share, entropy in nats]",
    right: [1 / 65, Math.log(65)],
    praise: "Even shares have the greatest entropy there is: ln 65 = 4.17 nats.",
    hint: "Queries of zeros fit every key alike: what are 65 equal shares, and what is −Σ a ln a of them?",
    mistakes: [
      { answer: [1 / 65, Math.log2(65)], hint: "That is in bits; nats take the natural logarithm." },
      { answer: [1 / 64, Math.log(64)], hint: "The class token is a key, too: 65 keys." },
      { answer: [1 / 65, 0], hint: "Entropy 0 is a row that looks at one token only." },
      { answer: [0, 0], hint: "A query of zeros makes the scores zero, not the shares: they add up to 1." },
    ],
  },
  {
    id: "attention/cost",
    expects: "a number of multiply-adds",
    right: 2 * TOKENS ** 2 * WIDTH,
    praise:
      "60 million, beside 465 million of the four projections: at 197 tokens attention itself is cheap; at 4096, as in detection, it is not.",
    hint: "q kᵀ is one product, shares times values another; each is tokens × tokens × width, all heads together.",
    mistakes: [
      { answer: TOKENS ** 2 * WIDTH, hint: "That is one of the two products." },
      { answer: (2 * TOKENS ** 2 * WIDTH) / HEADS, hint: "That is one head; there are twelve." },
      { answer: 4 * TOKENS * WIDTH ** 2, hint: "That is the projections to q, k, v and back." },
      {
        answer: 2 * TOKENS ** 2 * WIDTH * HEADS,
        hint: "768 is the width of all heads together: each has 64.",
      },
    ],
  },
];
