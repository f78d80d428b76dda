import { LuvitError, listOffenders } from "../../core/errors";
import { type Tensor, tf } from "../../core/tf";

/**
 * Where images begin: at one token in all sequences, or in each at its own; undefined for a sequence without an image.
 * Sequences are filled up behind, where causal text does not see it, so that all tokens are numbered from 0.
 */
export type ImageStart = number | readonly (number | undefined)[];

interface Counts {
  readonly images: number;
  /** Tokens of an image. */
  readonly patches: number;
  readonly batch: number;
  readonly tokens: number;
}

/** @throws LuvitError("shape-mismatch") listing the sequences whose image does not fit, or counts that do not agree. */
export function expectImages(start: ImageStart, { images, patches, batch, tokens }: Counts): void {
  const starts = typeof start === "number" ? new Array<number>(batch).fill(start) : start;
  const wrong = starts.flatMap((at, row) => {
    if (at === undefined || (Number.isInteger(at) && at >= 0 && at + patches <= tokens)) return [];
    return [`sequence ${row}: ${patches} tokens of an image from token ${at} on`];
  });
  const having = starts.filter((at) => at !== undefined).length;
  if (starts.length !== batch) wrong.push(`${starts.length} places of images for ${batch} sequences`);
  else if (having !== images) wrong.push(`${having} sequences have an image, ${images} images are given`);
  if (wrong.length === 0) return;
  const shape = `ids [${batch}, ${tokens}]`;
  throw new LuvitError("shape-mismatch", `llavit: images do not fit among ${shape}\n${listOffenders(wrong)}`);
}

/** One sequence of x [B, T, H]: [1, T, H]. */
export function rowOf(x: Tensor, row: number): Tensor {
  const [, tokens, dim] = x.shape as [number, number, number];
  return tf.slice(x, [row, 0, 0], [1, tokens, dim]);
}

/** Tokens of images [B, L, H] in the place of those of text [B, T, H] from token `start` on. */
export function spliced(visual: Tensor, text: Tensor, start: number): Tensor {
  const [batch, tokens, dim] = text.shape as [number, number, number];
  const end = start + visual.shape[1]!;
  const part = (from: number, to: number) =>
    to > from ? [tf.slice(text, [0, from, 0], [batch, to - from, dim])] : [];
  return tf.concat([...part(0, start), visual, ...part(end, tokens)], 1);
}
