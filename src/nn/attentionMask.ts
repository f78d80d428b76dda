import { LuvitError, listOffenders } from "../core/errors";
import { checkOptions, oneOf, optionsOf, shaped, such, whole } from "../core/options";
import { type Tensor, tf } from "../core/tf";

/** Added to the score of a key that a query does not see. */
export const UNSEEN = -1e9;

/** A number a token, for every sequence: [B][T]. */
type Rows = readonly ArrayLike<number>[];

/** Which keys each query of each sequence sees, made on the host. */
export class AttentionMask {
  /**
   * @param visible [B, T, T] 1 where query (row) sees key (column), else 0; one sequence stands for any number of them.
   */
  constructor(
    readonly visible: Uint8Array,
    readonly sequences: number,
    readonly tokens: number,
  ) {
    checkOptions("AttentionMask", shaped("numbers 0 and 1", "length"), visible);
    const expected = sequences * tokens * tokens;
    if (visible.length === expected && expected > 0) return;
    const shape = `${sequences} sequences of ${tokens} tokens`;
    throw new LuvitError(
      "bad-argument",
      `attention mask: ${visible.length} entries, not ${expected} (${shape})`,
    );
  }

  sees(sequence: number, query: number, key: number): boolean {
    return this.visible[(sequence * this.tokens + query) * this.tokens + key] === 1;
  }

  /** What is added to the scores, [T, T] for one sequence, else [B, 1, T, T]: 0 where seen, else a large negative number. */
  numbers(): Float32Array {
    return Float32Array.from(this.visible, (seen) => (seen ? 0 : UNSEEN));
  }

  /** Its `numbers` as a tensor, for `Context.mask` and `scaledDotProductAttention`. */
  tensor(): Tensor {
    const { sequences, tokens } = this;
    return tf.tensor(this.numbers(), sequences === 1 ? [tokens, tokens] : [sequences, 1, tokens, tokens]);
  }
}

/** How the tokens of one image see each other: all of them, only earlier ones, or only themselves. */
export type WithinImage = "bidirectional" | "causal" | "none";

/** Which tokens are of images, which are real, and how those of one image see each other. */
export interface PrefixMaskOptions {
  /** [B][T] 1 where a token stands for a part of an image, else 0. Those that touch are of one image. */
  image: Rows;
  /** [B][T] 0 where a token only fills up its sequence, so that nothing sees it; default 1 everywhere. */
  real?: Rows;
  /** Default "bidirectional". */
  within?: WithinImage;
  /** How many positions each token sees back, itself included; default all. Tokens of one image see each other whatever it is. */
  window?: number;
}

const isFlag = (value: number) => value === 0 || value === 1;
const rows = such<Rows>("sequences of 0 and 1, all of one length", (value) => {
  if (!Array.isArray(value) || value.length === 0) return false;
  const lists = value.map((row) =>
    ArrayBuffer.isView(row) || Array.isArray(row) ? Array.from(row as never) : [],
  );
  return lists.every((row) => row.length > 0 && row.length === lists[0].length && row.every(isFlag as never));
});

export const prefixMaskOptions = optionsOf<PrefixMaskOptions>(
  { image: rows },
  { real: rows, within: oneOf(["bidirectional", "causal", "none"]), window: whole(1) },
);

/**
 * Text sees what is before it; the tokens of an image see, beside what is before them, all of their image. Two images with
 * text between them are two: the earlier does not see the later.
 * Reference: transformers models/gemma3/modeling_gemma3.py, masking_utils.py (block_sequence_ids).
 *
 * @throws LuvitError("bad-argument") listing what cannot be.
 *
 * @example
 * const mask = luvit.nn.prefixMask({ image: [[0, 1, 1, 0]] });
 * mask.sees(0, 1, 2); // true: both are of the image
 */
export function prefixMask(options: PrefixMaskOptions): AttentionMask {
  checkOptions("prefixMask", prefixMaskOptions, options);
  const { image, real, within = "bidirectional", window = Number.POSITIVE_INFINITY } = options;
  const tokens = image[0].length;
  expectSameRows(image, real);
  const visible = new Uint8Array(image.length * tokens * tokens);
  for (const [sequence, flags] of image.entries()) {
    const runs = runsOf(flags);
    const isReal = (key: number) => !real || real[sequence][key] === 1;
    const sees = (query: number, key: number) => {
      const together = runs[query] >= 0 && runs[query] === runs[key];
      if (together && within === "none") return query === key;
      if (together && within === "bidirectional") return true;
      return key <= query && query - key < window;
    };
    for (let query = 0; query < tokens; query++)
      for (let key = 0; key < tokens; key++)
        visible[(sequence * tokens + query) * tokens + key] = Number(isReal(key) && sees(query, key));
  }
  return new AttentionMask(visible, image.length, tokens);
}

/** The number of the image that each token is of, counted from 0; -1 for text. */
function runsOf(flags: ArrayLike<number>): Int32Array {
  let run = -1;
  return Int32Array.from(flags, (flag, i) => {
    if (flag === 1 && (i === 0 || flags[i - 1] !== 1)) run++;
    return flag === 1 ? run : -1;
  });
}

function expectSameRows(image: Rows, real: Rows | undefined): void {
  const shape = (some: Rows) => `${some.length} sequences of ${some[0].length} tokens`;
  if (!real || shape(real) === shape(image)) return;
  const lines = [`image: ${shape(image)}`, `real: ${shape(real)}`];
  throw new LuvitError("bad-argument", `prefixMask: both speak of the same tokens\n${listOffenders(lines)}`);
}
