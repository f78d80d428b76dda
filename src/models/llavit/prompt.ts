import type { Tokenizer } from "../../io/tokenizer";
import type { PromptTemplate } from "../config";
import { NOT_COUNTED } from "./targets";

export type { PromptTemplate };

/** Image, question, answer, a line each. */
export const plainTemplate: PromptTemplate = { before: "", between: "", after: "\n", end: "\n" };

/** LLaVA-1.5's, without its system text. Reference: llava-hf/llava-1.5-7b-hf, chat template. */
export const llavaTemplate: PromptTemplate = {
  before: "USER: ",
  between: "\n",
  after: " ASSISTANT:",
  end: "</s>",
};

/** A question as tokens, with an answer or without. */
export interface Prompt {
  /** Token by token; 0 where the image stands. */
  readonly ids: readonly number[];
  /** Where the image begins. */
  readonly start: number;
  /** Where the answer begins. */
  readonly answerFrom: number;
}

/** What prompts are made with: a `Llavit`. */
export interface Speaker {
  readonly tokenizer: Tokenizer;
  readonly template: PromptTemplate;
  /** Tokens that an image takes. */
  readonly patches: number;
}

/** The tokens of a question about an image, and of its answer with the end behind it where there is one. */
export function promptOf(model: Speaker, question: string, answer?: string): Prompt {
  const { tokenizer, template, patches } = model;
  const before = [...tokenizer.begin, ...tokenizer.encode(template.before)];
  const asked = tokenizer.encode(template.between + question + template.after);
  const answered = answer === undefined ? [] : [...tokenizer.encode(answer), ...endOf(model)];
  const image = new Array<number>(patches).fill(0);
  const ids = [...before, ...image, ...asked, ...answered];
  return { ids, start: before.length, answerFrom: ids.length - answered.length };
}

/** Tokens that an answer ends with. */
export function endOf({ tokenizer, template }: Omit<Speaker, "patches">): number[] {
  return tokenizer.encode(template.end);
}

/** A prompt's tokens where the answer stands, `NOT_COUNTED` everywhere else, filled up to a length. */
export function labelsOf({ ids, answerFrom }: Prompt, length: number): Int32Array {
  const labels = new Int32Array(length).fill(NOT_COUNTED);
  for (let i = answerFrom; i < ids.length; i++) labels[i] = ids[i];
  return labels;
}
