import { LuvitError } from "../core/errors";
import { formatShape } from "../core/hostTensor";
import { checkOptions, shaped } from "../core/options";
import { type Tensor, tensorField } from "../core/tf";
import type { KeyValueCache } from "./cache";
import type { PositionRule } from "./positionEmbedding";

/** Receives named intermediate values, e.g. "blocks.11.attn.pattern" [B, H, T, T]. The tensor belongs to the caller. */
export type Tap = (name: string, value: Tensor) => void;

/**
 * Sees every named intermediate value and gives back what the rest of the pass computes with: the value itself, or
 * another of the same shape. Of one image it may make several: the rest of the pass then runs on all of them. Traced and
 * differentiated like the rest of the pass.
 */
export type Edit = (name: string, value: Tensor) => Tensor;

/** Tokens from `start` to before `end`. */
export interface TokenRange {
  readonly start: number;
  readonly end: number;
}

/** What a forward pass may be told besides its input. The default is inference without taps. */
export interface Context {
  /** Sees what `edit` made of a value. */
  readonly tap?: Tap;
  readonly edit?: Edit;
  /**
   * Drop-path factors [2 * depth, B], drawn on the host: 0 drops the branch of that sample, 1/(1-p) keeps it. Row 2k
   * belongs to the attention branch of block k, row 2k+1 to its MLP branch.
   */
  readonly dropPath?: Tensor;
  /**
   * Which tokens those of a language model see, [T, T] or [B, 1, T, T], from `AttentionMask.tensor`; it stands in the place
   * of the causal mask that their config asks for.
   */
  readonly mask?: Tensor;
  /**
   * Takes images of any height and width that the patch divides, and says how a vision transformer's positions are made
   * for their grid. Left out, images must have the model's own size. Its own square is never resized. "dino" also takes
   * other sizes, whose last rows and columns of pixels, which fill no patch, are left out.
   */
  readonly positions?: PositionRule;
  /**
   * Where tokens of images stand among those of a language model, in order, in all sequences alike or sequence by sequence:
   * what has projections of its own for them uses them.
   */
  readonly visual?: readonly TokenRange[] | readonly (readonly TokenRange[])[];
  /**
   * How many tokens, from the first on, are read of an encoder's last layer with attention: from its queries on only those
   * are computed, and its places have no others. Default all. What reads a class token alone reads 1.
   */
  readonly lastQueries?: number;
  /** What a language model read before, beside which it keeps what it reads now; `mask` [T, capacity] says what is seen of it. */
  readonly cache?: KeyValueCache;
}

/** The context of a forward pass in which nothing is random. */
export const inference: Context = {};

const contextField = shaped<Context>("a context { tap, edit, … }");

/**
 * A named place of a forward pass: shows its value to the context's edit and tap, and gives back what goes on.
 *
 * @throws LuvitError("shape-mismatch") for an edit that gives back another shape or type.
 */
export function site(context: Context, name: string, value: Tensor): Tensor {
  checkOptions("site", contextField, context);
  const { edit, tap } = context;
  const going = edit ? edited(edit, name, value) : value;
  tap?.(name, going);
  return going;
}

function edited(edit: Edit, name: string, value: Tensor): Tensor {
  const made = edit(name, value);
  checkOptions(`edit of ${name}: what it gives back`, tensorField, made);
  const isOne = value.rank > 1 && value.shape[0] === 1;
  const own = isOne ? [made.shape[0], ...value.shape.slice(1)] : value.shape;
  if (made.dtype === value.dtype && formatShape(made.shape) === formatShape(own)) return made;
  const described = ({ dtype, shape }: Tensor) => `${dtype} ${formatShape(shape)}`;
  throw new LuvitError(
    "shape-mismatch",
    `edit of ${name}: expected ${described(value)}, got ${described(made)}`,
  );
}
