import { inspect } from "node:util";
import { breathe } from "../core/loop";
import { checkOptions, optionsOf, whole } from "../core/options";
import { Rng } from "../core/rng";
import { textTable } from "../core/textTable";
import type { EngineOptions } from "../engine";
import { engineOptions } from "../engine/options";
import { type Provenance, type ResultTable, resultTable } from "../io/tables";
import type { Llavit } from "../models/llavit/llavit";
import { type Prompt, promptOf } from "../models/llavit/prompt";
import { type Forward, openForward } from "./forward";
import { MOST } from "./options";
import {
  llavitField,
  type PromptRoom,
  promptFeeds,
  type QuestionDataset,
  questionsField,
  roomFor,
} from "./questions";

/** How answers are evaluated. */
export interface EvaluateAnswersOptions extends EngineOptions {
  /** Sequences at a time; default 32. */
  batchSize?: number;
}

export const evaluateAnswersOptions = optionsOf<EvaluateAnswersOptions>(
  {},
  { ...engineOptions.optional, batchSize: whole(1, MOST) },
);

/** One answer that might be given. */
interface Candidate {
  index: number;
  kind: string;
  question: string;
  answer: string;
  choice: string;
  /** Of all its tokens and the end, nats. */
  logLikelihood: number;
}

/** How a model answers a set. Prints as a table of kinds. */
export class AnswerEvaluation {
  constructor(
    /** A row per question and choice: its log-likelihood in nats, and whether it is the model's (`said`) and the right one. */
    readonly table: ResultTable,
    /** Percent of questions of each kind whose likeliest choice is right. */
    readonly byKind: ReadonlyMap<string, { right: number; questions: number }>,
  ) {}

  /** Percent of all questions. */
  get right(): number {
    const all = [...this.byKind.values()];
    const count = all.reduce((sum, { questions }) => sum + questions, 0);
    return all.reduce((sum, { right, questions }) => sum + right * questions, 0) / count;
  }

  toString(): string {
    const rows = [...this.byKind].map(([kind, { right, questions }]) => [
      kind,
      right.toFixed(1),
      String(questions),
    ]);
    return textTable(["question", "right %", "questions"], [...rows, ["all", this.right.toFixed(1), ""]]);
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Compares the likelihood of every answer that may be given to every question. The likeliest is what the model says; of
 * equal ones the first.
 *
 * @throws LuvitError("bad-argument") for options that cannot be, or images of another size than the model's.
 *
 * @example
 * const language = await luvit.llavit.languageModel("data/llama-toy");
 * const tower = luvit.mae.create({ encoder: luvit.vit.toy, decoder: luvit.mae.decoderToy });
 * const model = await luvit.llavit.create({ tower, language });
 * console.log(await luvit.train.evaluateAnswers(model, luvit.data.toy.questions(2, 12)));
 */
export async function evaluateAnswers(
  model: Llavit,
  questions: QuestionDataset,
  options: EvaluateAnswersOptions = {},
  provenance: Provenance = {},
): Promise<AnswerEvaluation> {
  checkOptions("evaluateAnswers", llavitField, model);
  checkOptions("evaluateAnswers", questionsField, questions);
  checkOptions("evaluateAnswers", evaluateAnswersOptions, options);
  const { batchSize = 32, ...engine } = options;
  const room = roomFor(model, questions, "evaluateAnswers", ({ choices }) => choices);
  const forward = await open(model, room, batchSize, engine);
  try {
    const candidates: Candidate[] = [];
    for await (const group of groupsOf(model, questions, batchSize))
      candidates.push(...(await judged(model, forward, room, group, batchSize)));
    return evaluationOf(candidates, { data: String(questions), model: String(model), ...provenance });
  } finally {
    await forward.dispose();
  }
}

/** What is judged at a time: candidates whose likelihood is still to be known, with their prompts and images. */
interface Group {
  candidates: Candidate[];
  prompts: Prompt[];
  images: Float32Array[];
}

async function* groupsOf(model: Llavit, set: QuestionDataset, size: number): AsyncGenerator<Group> {
  let group: Group = { candidates: [], prompts: [], images: [] };
  for (let index = 0; index < set.length; index++) {
    const { image, kind, question, answer, choices } = await set.load(index, new Rng(0));
    for (const choice of choices) {
      group.candidates.push({ index, kind, question, answer, choice, logLikelihood: 0 });
      group.prompts.push(promptOf(model, question, choice));
      group.images.push(image);
      if (group.candidates.length < size) continue;
      yield group;
      group = { candidates: [], prompts: [], images: [] };
    }
  }
  if (group.candidates.length > 0) yield group;
}

function open(model: Llavit, room: PromptRoom, size: number, engine: EngineOptions): Promise<Forward> {
  const side = model.vision_tower.config.imageSize;
  const inputs = {
    images: { shape: [size, 3, side, side] },
    ids: { shape: [size, room.tokens], dtype: "int32" as const },
    rows: { shape: [size * room.answer], dtype: "int32" as const },
  };
  const body = { inputs, body: (fed: object) => ({ logits: model.logitsAt(fed as never, room.start) }) };
  return openForward("answers", model, body, engine);
}

/** The group's candidates with their likelihoods; the last group is filled up with its first prompt. */
async function judged(model: Llavit, forward: Forward, room: PromptRoom, group: Group, size: number) {
  const full = Array.from({ length: size }, (_, i) => (i < group.prompts.length ? i : 0));
  const prompts = full.map((i) => group.prompts[i]);
  const pixels = group.images[0].length;
  const images = new Float32Array(size * pixels);
  for (const [at, i] of full.entries()) images.set(group.images[i], at * pixels);
  const rows = new Int32Array(size * room.answer);
  for (const [b, { ids, answerFrom }] of prompts.entries())
    for (let t = answerFrom; t < ids.length; t++)
      rows[b * room.answer + t - answerFrom] = b * room.tokens + t - 1;
  const feeds = {
    ...promptFeeds(model, images, prompts, room),
    rows: { data: rows, shape: [rows.length], dtype: "int32" } as const,
  };
  const { logits } = await forward.run(feeds);
  await breathe();
  const { vocabulary } = model.language.config;
  return group.candidates.map((candidate, b) => {
    const { ids, answerFrom } = prompts[b];
    const tokens = ids.slice(answerFrom);
    const at = (i: number) =>
      logProbability(logits, (b * room.answer + i) * vocabulary, vocabulary, tokens[i]);
    return { ...candidate, logLikelihood: tokens.reduce((sum, _, i) => sum + at(i), 0) };
  });
}

/** log softmax of one row at a token. */
function logProbability(logits: Float32Array, start: number, width: number, token: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < width; i++) most = Math.max(most, logits[start + i]);
  let sum = 0;
  for (let i = 0; i < width; i++) sum += Math.exp(logits[start + i] - most);
  return logits[start + token] - most - Math.log(sum);
}

function evaluationOf(candidates: readonly Candidate[], provenance: Provenance): AnswerEvaluation {
  const said = new Map<number, Candidate>();
  for (const one of candidates) {
    const best = said.get(one.index);
    if (!best || one.logLikelihood > best.logLikelihood) said.set(one.index, one);
  }
  const kinds = new Map<string, { right: number; questions: number }>();
  for (const { kind, choice, answer } of said.values()) {
    const { right, questions } = kinds.get(kind) ?? { right: 0, questions: 0 };
    kinds.set(kind, { right: right + Number(choice === answer), questions: questions + 1 });
  }
  const percent = [...kinds].map(
    ([kind, { right, questions }]) => [kind, { right: (100 * right) / questions, questions }] as const,
  );
  const column = <T>(of: (candidate: Candidate) => T) => candidates.map(of);
  const table = resultTable(
    {
      index: column(({ index }) => index),
      kind: column(({ kind }) => kind),
      question: column(({ question }) => question),
      answer: column(({ answer }) => answer),
      choice: column(({ choice }) => choice),
      logLikelihood: column(({ logLikelihood }) => logLikelihood),
      said: column((one) => Number(said.get(one.index) === one)),
      right: column(({ choice, answer }) => Number(choice === answer)),
    },
    provenance,
  );
  return new AnswerEvaluation(table, new Map(percent));
}
