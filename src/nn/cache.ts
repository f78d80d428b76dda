import { type Tensor, tf } from "../core/tf";

/** Keys [B, G, T, C] and values of one attention. */
interface Kept {
  readonly key: Tensor;
  readonly value: Tensor;
}

/**
 * Keys and values of the tokens that a language model has read, so that the next one alone is computed. Of causal models
 * only: what was read must not see what comes. It owns its tensors.
 */
export class KeyValueCache {
  private readonly kept = new Map<string, Kept>();
  private tokens = 0;

  /** Tokens read before those of the pass that is running. */
  get length(): number {
    return this.tokens;
  }

  /**
   * Keeps a pass's keys and values beside those of `name` before, and gives back all of them: with `window` only those
   * that the last token sees. To be called inside a tidy.
   */
  extend(name: string, key: Tensor, value: Tensor, window?: number): Kept {
    const before = this.kept.get(name);
    const joined = (old: Tensor | undefined, more: Tensor) =>
      tf.keep(old ? tf.concat([old, more], 2) : tf.clone(more));
    const all = { key: joined(before?.key, key), value: joined(before?.value, value) };
    this.kept.set(name, all);
    if (before) tf.dispose([before.key, before.value]);
    if (!before || window === undefined) return all;
    return { key: lastTokens(all.key, window), value: lastTokens(all.value, window) };
  }

  /** A pass over so many tokens has ended. */
  advance(tokens: number): void {
    this.tokens += tokens;
  }

  dispose(): void {
    for (const { key, value } of this.kept.values()) tf.dispose([key, value]);
    this.kept.clear();
    this.tokens = 0;
  }
}

function lastTokens(x: Tensor, count: number): Tensor {
  const [batch, groups, tokens, channels] = x.shape as [number, number, number, number];
  const first = Math.max(0, tokens - count);
  return tf.slice(x, [0, 0, first, 0], [batch, groups, tokens - first, channels]);
}
