import { LuvitError } from "../core/errors";
import type { Rng } from "../core/rng";
import type { Llavit } from "../models/llavit/llavit";
import { endOf, type Prompt } from "../models/llavit/prompt";
import type { Reader, Speech } from "./reader";

/** How an answer is chosen. */
export interface Choosing {
  /** Tokens after which it is cut off. */
  most: number;
  /** 0: always the likeliest token; above: drawn from the probabilities of logits / temperature. */
  temperature: number;
  rng: Rng;
}

/** Tokens of an answer, until its end or the most that are wanted. */
export async function generate(
  model: Llavit,
  reader: Reader,
  image: Float32Array,
  prompt: Prompt,
  choosing: Choosing,
): Promise<number[]> {
  const { vocabulary } = model.language.config;
  const end = endOf(model);
  const answered: number[] = [];
  const logits = await reader.begin(image, prompt.ids);
  let said: Speech = { logits, tokens: [likeliest(logits, noiseOf(vocabulary, choosing))] };
  for (;;) {
    for (const [i, token] of said.tokens.entries()) {
      expectFinite(said.logits[i * vocabulary + token]);
      answered.push(token);
      if (endsWith(answered, end)) return answered.slice(0, -end.length);
      if (answered.length >= choosing.most) return answered;
    }
    said = await reader.say(answered.at(-1)!, noiseOf(reader.atOnce * vocabulary, choosing));
  }
}

/**
 * Added to logits, it makes the likeliest token one that is drawn from the probabilities of logits / temperature: Gumbel's
 * numbers times the temperature. Reference: Maddison, Tarlow, Minka 2014, "A* Sampling".
 */
function noiseOf(count: number, { temperature, rng }: Choosing): Float32Array {
  if (temperature === 0) return new Float32Array(count);
  return Float32Array.from({ length: count }, () => -temperature * Math.log(-Math.log(rng.uniform())));
}

function likeliest(logits: Float32Array, noise: Float32Array): number {
  return logits.reduce((at, value, i) => (value + noise[i] > logits[at] + noise[at] ? i : at), 0);
}

function expectFinite(logit: number): void {
  if (Number.isFinite(logit)) return;
  throw new LuvitError("non-finite", "llavit: the model's numbers are not finite, it can say nothing");
}

function endsWith(tokens: readonly number[], end: readonly number[]): boolean {
  return (
    tokens.length >= end.length && end.every((token, i) => tokens[tokens.length - end.length + i] === token)
  );
}
