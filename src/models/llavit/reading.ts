import { type Tensor, tf } from "../../core/tf";
import { UNSEEN } from "../../nn/attentionMask";
import { KeyValueCache } from "../../nn/cache";
import { headSizes } from "../llamaConfig";
import type { AnswerInputs, Llavit } from "./llavit";

/** What a pass over tokens gives: the logits [1, V] behind the last of them, and by name of state what is kept. */
export interface Read {
  readonly logits: Tensor;
  readonly kept: Record<string, Tensor>;
}

/** Tokens that go on from those that were read before, and what the host says of them. */
export interface FurtherTokens {
  /** int32 [1, T]; those behind the last one only fill up. */
  readonly ids: Tensor;
  /** int32 [1]: which one is the last. */
  readonly last: Tensor;
  /** int32 [T]. */
  readonly positions: Tensor;
  /** [capacity, T], see `CacheBefore`. */
  readonly places: Tensor;
  /** [T, capacity]. */
  readonly mask: Tensor;
}

/** Shapes of what a model keeps of the tokens that it has read, by name. */
export function keptShapes({ language }: Llavit, capacity: number): Record<string, readonly number[]> {
  const { kvHeads, headDim } = headSizes(language.config);
  const shape = [1, kvHeads, capacity, headDim];
  const names = language.layers.flatMap((_, i) =>
    ["key", "value"].map((part) => `layers.${i}.attention.${part}`),
  );
  return Object.fromEntries(names.map((name) => [name, shape]));
}

/** Reads the beginning of a prompt, up to where its image ends: `ids` [1, start + patches]. */
export function readImage(model: Llavit, inputs: AnswerInputs, start: number, capacity: number): Read {
  const cache = new KeyValueCache(capacity);
  const hidden = model.hidden(inputs, start, { cache });
  const tokens = hidden.shape[1]!;
  return { logits: logitsOf(model, hidden, tf.tensor([tokens - 1], [1], "int32")), kept: cache.after };
}

/** Reads on: tokens of text behind what is kept. */
export function readOn(model: Llavit, tokens: FurtherTokens, kept: Readonly<Record<string, Tensor>>): Read {
  const { ids, last, positions, places, mask } = tokens;
  const cache = new KeyValueCache(places.shape[0]!, { kept, positions, places });
  const embeddings = model.language.tok_embeddings.forward(ids);
  const hidden = model.language.hidden(embeddings, { cache, mask });
  return { logits: logitsOf(model, hidden, last), kept: cache.after };
}

/** hidden [1, T, H] -> [1, V] of one token. */
function logitsOf({ language }: Llavit, hidden: Tensor, token: Tensor): Tensor {
  const [, tokens, dim] = hidden.shape as [number, number, number];
  return language.logits(tf.gather(tf.reshape(hidden, [tokens, dim]), token as tf.Tensor1D));
}

/** What the host says of tokens that are read on. */
export interface Places {
  readonly positions: Int32Array;
  readonly places: Float32Array;
  readonly mask: Float32Array;
}

/**
 * Places of `count` tokens behind `read` others, in a pass of `width` tokens: each sees what is before it, with `window` only
 * so many, itself included. Those that fill up stand nowhere.
 */
export function placesOf(
  read: number,
  count: number,
  { width, capacity, window = capacity }: { width: number; capacity: number; window?: number },
): Places {
  const positions = Int32Array.from({ length: width }, (_, t) => (t < count ? read + t : 0));
  const places = new Float32Array(capacity * width);
  for (let t = 0; t < count; t++) places[(read + t) * width + t] = 1;
  const mask = new Float32Array(width * capacity).fill(UNSEEN);
  for (const [t, at] of positions.entries())
    mask.fill(0, t * capacity + Math.max(0, at - window + 1), t * capacity + at + 1);
  return { positions, places, mask };
}
