import { LuvitError } from "../core/errors";
import type { Rng } from "../core/rng";
import type { Llavit } from "../models/llavit/llavit";
import { endOf, type Prompt } from "../models/llavit/prompt";
import type { Reader } from "./reader";

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
  { most, temperature, rng }: Choosing,
): Promise<number[]> {
  const end = endOf(model);
  const answered: number[] = [];
  let logits = await reader.begin(image, prompt.ids);
  for (;;) {
    const token = chosen(logits, temperature, rng);
    answered.push(token);
    if (endsWith(answered, end)) return answered.slice(0, -end.length);
    if (answered.length >= most) return answered;
    logits = await reader.on([token]);
  }
}

function chosen(values: Float32Array, temperature: number, rng: Rng): number {
  const best = values.reduce((at, value, i) => (value > values[at] ? i : at), 0);
  if (!Number.isFinite(values[best]))
    throw new LuvitError("non-finite", "llavit: the model's numbers are not finite, it can say nothing");
  if (temperature === 0) return best;
  const weights = Array.from(values, (value) => Math.exp((value - values[best]) / temperature));
  let left = rng.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  const drawn = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return drawn < 0 ? best : drawn;
}

function endsWith(tokens: readonly number[], end: readonly number[]): boolean {
  return (
    tokens.length >= end.length && end.every((token, i) => tokens[tokens.length - end.length + i] === token)
  );
}
