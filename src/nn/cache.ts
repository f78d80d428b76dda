import { LuvitError } from "../core/errors";
import { type Tensor, tf } from "../core/tf";

/** Keys [B, G, T, C] and values of one attention. */
interface Kept {
  readonly key: Tensor;
  readonly value: Tensor;
}

/** What a pass goes on from: what passes before it kept, and what the host says of its own tokens. */
export interface CacheBefore {
  /** By name of state, as `after` of the pass before. */
  readonly kept: Readonly<Record<string, Tensor>>;
  /** int32 [T]: the position of each token of the pass. */
  readonly positions: Tensor;
  /** [capacity, T]: 1 where a token of the pass (column) takes its place (row), else 0. */
  readonly places: Tensor;
}

/**
 * Keys and values of the tokens that a language model has read, so that the next ones alone are computed: one cache a pass,
 * in tensors that have room for `capacity` tokens, so that every pass over as many tokens is the same graph. Of causal models
 * only: what was read must not see what comes. Which tokens of the cache are seen says the context's mask.
 */
export class KeyValueCache {
  /** Keys and values after the pass, [B, G, capacity, C], by name of state. */
  readonly after: Record<string, Tensor> = {};

  constructor(
    readonly capacity: number,
    /** Left out, the pass begins with the first token, and sees itself alone. */
    private readonly before?: CacheBefore,
  ) {}

  /** int32 [T] where the pass goes on from others; without, its tokens are numbered from 0. */
  get positions(): Tensor | undefined {
    return this.before?.positions;
  }

  /** Keeps a pass's keys and values, and gives back those that its tokens may see. */
  extend(name: string, key: Tensor, value: Tensor): Kept {
    const kept = { key: this.placed(`${name}.key`, key), value: this.placed(`${name}.value`, value) };
    return this.before ? kept : { key, value };
  }

  private placed(name: string, x: Tensor): Tensor {
    const { capacity, before } = this;
    const [batch, groups, tokens, channels] = x.shape as [number, number, number, number];
    if (tokens > capacity)
      throw new LuvitError("bad-argument", `cache: ${tokens} tokens do not fit into the room of ${capacity}`);
    const room = () => tf.zeros([batch, groups, capacity - tokens, channels]);
    const alone = () => (tokens < capacity ? tf.concat([x, room()], 2) : tf.clone(x));
    const placed = before ? put(x, before.places, before.kept[name]) : alone();
    this.after[name] = placed;
    return placed;
  }
}

/**
 * x [B, G, T, C] at its places among what was kept. A product with zeros and ones, since tfjs takes a hundred times as long
 * to gather.
 */
function put(x: Tensor, places: Tensor, kept: Tensor): Tensor {
  const [capacity, tokens] = places.shape as [number, number];
  const isFree = tf.sub(1, tf.sum(places, 1, true));
  return tf.add(tf.mul(kept, isFree), tf.matMul(tf.reshape(places, [1, 1, capacity, tokens]), x));
}
