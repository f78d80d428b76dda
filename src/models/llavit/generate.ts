import { LuvitError } from "../../core/errors";
import type { Rng } from "../../core/rng";
import { type Tensor, tf } from "../../core/tf";
import { KeyValueCache } from "../../nn/cache";
import type { Context } from "../../nn/context";
import type { Llavit } from "./llavit";
import { endOf, type Prompt } from "./prompt";

/** How an answer is chosen. */
export interface Choosing {
  /** Tokens after which it is cut off. */
  most: number;
  /** 0: always the likeliest token; above: drawn from the probabilities of logits / temperature. */
  temperature: number;
  rng: Rng;
}

/**
 * Tokens of an answer, until its end or the most that are wanted. What was read is kept, so that each further token is
 * computed alone.
 */
export async function generate(
  model: Llavit,
  image: Float32Array,
  prompt: Prompt,
  { most, temperature, rng }: Choosing,
): Promise<number[]> {
  const { imageSize } = model.vision_tower.config;
  const end = endOf(model);
  const cache = new KeyValueCache();
  const answered: number[] = [];
  try {
    let logits = tf.tidy(() => {
      const ids = tf.tensor(Int32Array.from(prompt.ids), [1, prompt.ids.length], "int32");
      const images = tf.tensor(image, [1, 3, imageSize, imageSize]);
      const hidden = model.hidden({ images, ids }, prompt.start, { cache });
      return lastLogits(model, hidden);
    });
    cache.advance(prompt.ids.length);
    for (;;) {
      const token = await chosen(logits, temperature, rng);
      answered.push(token);
      if (endsWith(answered, end)) return answered.slice(0, -end.length);
      if (answered.length >= most) return answered;
      logits = tf.tidy(() => next(model, token, { cache }));
      cache.advance(1);
    }
  } finally {
    cache.dispose();
  }
}

function next(model: Llavit, token: number, context: Context): Tensor {
  const ids = tf.tensor(Int32Array.of(token), [1, 1], "int32");
  return lastLogits(model, model.language.hidden(model.language.tok_embeddings.forward(ids), context));
}

/** [1, T, H] -> [1, V], of the last token. */
function lastLogits(model: Llavit, hidden: Tensor): Tensor {
  const [, tokens, dim] = hidden.shape as [number, number, number];
  return model.language.logits(tf.reshape(tf.slice(hidden, [0, tokens - 1, 0], [1, 1, dim]), [1, dim]));
}

async function chosen(logits: Tensor, temperature: number, rng: Rng): Promise<number> {
  const values = await logits.data<"float32">();
  logits.dispose();
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
