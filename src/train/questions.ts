import { LuvitError } from "../core/errors";
import { such } from "../core/options";
import type { ImageDataset, Sample } from "../data/dataset";
import type { Question } from "../data/toy";
import type { Llavit } from "../models/llavit/llavit";
import { labelsOf, type Prompt, promptOf } from "../models/llavit/prompt";
import { answerTargets } from "../models/llavit/targets";
import { expectImageSize } from "./checkSizes";
import { type Feeds, imageFeed } from "./feeds";

/** An image with a question about it. */
export type Asked = Omit<Sample, "image"> & Question;

/** Images with a question and its answer each, e.g. of `data.toy.questions`. */
export interface QuestionDataset extends ImageDataset {
  question(index: number): Question;
  load(...given: Parameters<ImageDataset["load"]>): Promise<Sample & Question>;
}

export const questionsField = such<QuestionDataset>(
  "questions about images, e.g. of data.toy.questions: a data set with question(index)",
  (value) => {
    if (typeof value !== "object" || value === null || !("question" in value)) return false;
    return "load" in value && "length" in value && typeof value.question === "function";
  },
);

export const llavitField = such<Llavit>(
  "a model of images and text, from llavit.create or llavit.open",
  (value) =>
    typeof value === "object" &&
    value !== null &&
    ["vision_tower", "mm_projector", "tokenizer"].every((name) => name in value),
);

/** Room that the prompts of a set need. */
export interface PromptRoom {
  /** Where images begin. */
  readonly start: number;
  /** Tokens of the longest prompt with its answer. */
  readonly tokens: number;
  /** Tokens of the longest answer. */
  readonly answer: number;
}

/**
 * @throws LuvitError("bad-argument") where a set's images are of another size than the model takes, or an answer is empty.
 */
export function roomFor(
  model: Llavit,
  set: QuestionDataset,
  where: string,
  answersOf = onlyRight,
): PromptRoom {
  expectImageSize(set, model.vision_tower.config.imageSize, where);
  const room = { start: 0, tokens: 1, answer: 1 };
  for (let index = 0; index < set.length; index++) {
    const asked = set.question(index);
    for (const answer of answersOf(asked)) {
      const prompt = promptOf(model, asked.question, answer);
      if (answer === "")
        throw new LuvitError("bad-argument", `${where}: question ${index} has an empty answer`);
      room.start = prompt.start;
      room.tokens = Math.max(room.tokens, prompt.ids.length);
      room.answer = Math.max(room.answer, prompt.ids.length - prompt.answerFrom);
    }
  }
  return room;
}

const onlyRight = ({ answer }: Question): readonly string[] => [answer];

/** Images and tokens of prompts, filled up with token 0 behind them, where causal text does not see it. */
export function promptFeeds(
  model: Llavit,
  images: Float32Array,
  prompts: readonly Prompt[],
  { tokens }: PromptRoom,
) {
  const ids = new Int32Array(prompts.length * tokens);
  for (const [i, prompt] of prompts.entries()) ids.set(prompt.ids, i * tokens);
  return {
    images: imageFeed(images, model.vision_tower.config.imageSize),
    ids: { data: ids, shape: [prompts.length, tokens], dtype: "int32" },
  } as const;
}

/** What a step over a batch of questions is fed; only answers count. */
export function answerFeeds(
  model: Llavit,
  images: Float32Array,
  asked: readonly Asked[],
  room: PromptRoom,
): Feeds {
  const { vocabulary } = model.language.config;
  const prompts = asked.map(({ question, answer }) => promptOf(model, question, answer));
  const labels = prompts.map((prompt) => labelsOf(prompt, room.tokens));
  const { rows, targets } = answerTargets(labels, vocabulary, asked.length * room.answer);
  return {
    ...promptFeeds(model, images, prompts, room),
    rows: { data: rows, shape: [rows.length], dtype: "int32" },
    targets: { data: targets, shape: [rows.length, vocabulary] },
  };
}
