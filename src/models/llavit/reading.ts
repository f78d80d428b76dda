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

/** What an answer goes on with: the tokens [K], each chosen after the ones before it, the logits [K, V] that they were chosen by. */
export interface Said extends Read {
  readonly tokens: Tensor;
}

/** What the host says of tokens that go on from those that were read before. */
interface Further {
  /** float32 [T]; whole numbers, since WebGPU cannot cut integers. */
  readonly positions: Tensor;
  /** [capacity, T], see `CacheBefore`. */
  readonly places: Tensor;
  /** [T, capacity]. */
  readonly mask: Tensor;
}

/** Tokens of text. */
export interface FurtherText extends Further {
  /** int32 [1, T]; those behind the last one only fill up. */
  readonly ids: Tensor;
  /** int32 [1]: which one is the last. */
  readonly last: Tensor;
}

/** An answer. */
export interface FurtherAnswer extends Further {
  /** int32 [1]: the token that was said last, and not read yet. */
  readonly token: Tensor;
  /** [T, V], added to the logits that each next token is the likeliest of: zeros, or what makes it a drawn one. */
  readonly noise: Tensor;
}

type Kept = Readonly<Record<string, Tensor>>;

/** Shapes of what a model keeps of the tokens that it has read, by name. */
export function keptShapes({ language }: Llavit, capacity: number): Record<string, readonly number[]> {
  const { kvHeads, headDim } = headSizes(language.config);
  const shape = [1, kvHeads, capacity, headDim];
  const names = language.layers.flatMap((_, i) =>
    ["key", "value"].map((part) => `layers.${i}.attention.${part}`),
  );
  return Object.fromEntries(names.map((name) => [name, shape]));
}

/**
 * Reads the beginning of a prompt, its image and what stands around it: `ids` [1, T], of which those behind `last` int32 [1]
 * only fill up.
 */
export function readImage(
  model: Llavit,
  { last, ...inputs }: AnswerInputs & { last: Tensor },
  start: number,
  capacity: number,
): Read {
  const cache = new KeyValueCache(capacity);
  const hidden = model.hidden(inputs, start, { cache });
  return { logits: logitsOf(model, hidden, last), kept: cache.after };
}

/** Reads on: tokens of text behind what is kept. */
export function readOn(model: Llavit, { ids, last, ...further }: FurtherText, kept: Kept): Read {
  const cache = cacheAfter(further, kept);
  const embeddings = model.language.tok_embeddings.forward(ids);
  const hidden = model.language.hidden(embeddings, { cache, mask: further.mask });
  return { logits: logitsOf(model, hidden, last), kept: cache.after };
}

/** Reads what was said last and says what comes next, as many tokens as the host has places for. */
export function sayOn(model: Llavit, { token, noise, ...further }: FurtherAnswer, kept: Kept): Said {
  const count = noise.shape[0];
  const said: Tensor[] = [];
  const logits: Tensor[] = [];
  for (let t = 0; t < count; t++) {
    const ids = tf.reshape(t === 0 ? token : said[t - 1], [1, 1]);
    const read = readOn(model, { ids, last: tf.tensor([0], [1], "int32"), ...oneOf(further, t) }, kept);
    kept = read.kept;
    logits.push(read.logits);
    said.push(tf.argMax(tf.add(read.logits, cut(noise, t)), 1));
  }
  return { tokens: tf.stack(said.map((x) => tf.cast(x, "float32"))), logits: tf.concat(logits), kept };
}

function oneOf({ positions, places, mask }: Further, t: number): Further {
  return {
    positions: tf.slice(positions, [t], [1]),
    places: tf.slice(places, [0, t], [-1, 1]),
    mask: cut(mask, t),
  };
}

/** Row t of x [T, N]: [1, N]. */
const cut = (x: Tensor, t: number): Tensor => tf.slice(x, [t, 0], [1, -1]);

function cacheAfter({ positions, places }: Further, kept: Kept): KeyValueCache {
  return new KeyValueCache(places.shape[0]!, { kept, positions: tf.cast(positions, "int32"), places });
}

/** hidden [1, T, H] -> [1, V] of one token. */
function logitsOf({ language }: Llavit, hidden: Tensor, token: Tensor): Tensor {
  const [, tokens, dim] = hidden.shape as [number, number, number];
  return language.logits(tf.gather(tf.reshape(hidden, [tokens, dim]), token as tf.Tensor1D));
}

/** What the host says of tokens that are read on. */
export interface Places {
  readonly positions: Float32Array;
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
  const positions = Float32Array.from({ length: width }, (_, t) => (t < count ? read + t : 0));
  const places = new Float32Array(capacity * width);
  for (let t = 0; t < count; t++) places[(read + t) * width + t] = 1;
  const mask = new Float32Array(width * capacity).fill(UNSEEN);
  for (const [t, at] of positions.entries())
    mask.fill(0, t * capacity + Math.max(0, at - window + 1), t * capacity + at + 1);
  return { positions, places, mask };
}
