import { checkOptions } from "../core/options";
import type { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { scaledDotProductAttention } from "../nn/attention";
import { type Context, inference, site } from "../nn/context";
import { Linear } from "../nn/layers";
import { Module } from "../nn/module";
import { firstAlong, gatedSilu, gelu, mergeHeads, splitQkv } from "../nn/ops";
import { type Initializer, Parameter } from "../nn/parameter";
import { attentionSizes } from "./options";

/** Self-attention with one fused projection. Keys `qkv` [3D, D] (rows: all q heads, all k, all v), `proj`. */
export class Attention extends Module {
  readonly qkv: Linear;
  readonly proj: Linear;

  constructor(
    readonly dim: number,
    readonly heads: number,
    rng: Rng,
    initialize: Initializer,
  ) {
    super();
    checkOptions("Attention", attentionSizes, { dim, heads });
    this.qkv = new Linear(dim, 3 * dim, rng, { initialize });
    this.proj = new Linear(dim, dim, rng, { initialize });
  }

  /** x [B, T, D] -> [B, N, D], N the first `queries` tokens. Sites `<name>.out` and those of `scaledDotProductAttention`. */
  forward(x: Tensor, context: Context, name: string, queries?: number): Tensor {
    const [q, k, v] = splitQkv(this.qkv.forward(x, context, `${name}.qkv`), this.heads);
    const asked = firstAlong(q, 2, queries);
    const merged = mergeHeads(scaledDotProductAttention(asked, k, v, { context, name }));
    return site(context, `${name}.out`, this.proj.forward(merged, context, `${name}.proj`));
  }
}

/** What stands between the layers of an MLP: exact GELU, x sigmoid(1.702 x), or GELU's approximation by tanh. */
export type Activation = "gelu" | "quick-gelu" | "gelu-tanh";

/** Reference: transformers activations.py QuickGELUActivation, GELUTanh. */
const activations: Readonly<Record<Activation, (x: Tensor) => Tensor>> = {
  gelu,
  "quick-gelu": (x) => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))),
  "gelu-tanh": (x) => {
    const inner = tf.mul(tf.add(x, tf.mul(tf.mul(tf.square(x), x), 0.044715)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(inner), 1));
  },
};

export const activationNames = Object.keys(activations) as readonly Activation[];

/** The second branch of a block. */
export type MlpKind = Activation | "swiglu";
export const mlpKinds: readonly MlpKind[] = [...activationNames, "swiglu"];

/** The branch of a kind; `hidden` as wide as a plain MLP would be. */
export function mlpOf(
  kind: MlpKind | undefined,
  dim: number,
  hidden: number,
  rng: Rng,
  initialize: Initializer,
): Mlp | SwiGlu {
  if (kind === "swiglu") return new SwiGlu(dim, hidden, rng, initialize);
  return new Mlp(dim, hidden, rng, initialize, kind ?? "gelu");
}

/** fc2(gelu(fc1 x)), exact GELU, or another activation. */
export class Mlp extends Module {
  readonly fc1: Linear;
  readonly fc2: Linear;

  constructor(
    dim: number,
    hidden: number,
    rng: Rng,
    initialize: Initializer,
    private readonly activation: Activation = "gelu",
  ) {
    super();
    this.fc1 = new Linear(dim, hidden, rng, { initialize });
    this.fc2 = new Linear(hidden, dim, rng, { initialize });
  }

  /** x [..., D] -> [..., D]. Site `<name>.out`. */
  forward(x: Tensor, context: Context = inference, name = "mlp"): Tensor {
    const hidden = activations[this.activation](this.fc1.forward(x, context, `${name}.fc1`));
    return site(context, `${name}.out`, this.fc2.forward(hidden, context, `${name}.fc2`));
  }
}

/**
 * w3(silu(a) * b) with [a, b] = w12 x; both have biases. Two thirds as wide as an MLP of the same weights, to a multiple of
 * 8. Reference: Shazeer 2020; facebookresearch/dinov2 layers/swiglu_ffn.py SwiGLUFFNFused.
 */
export class SwiGlu extends Module {
  readonly w12: Linear;
  readonly w3: Linear;
  private readonly hidden: number;

  constructor(dim: number, asWideAs: number, rng: Rng, initialize: Initializer) {
    super();
    this.hidden = Math.floor((Math.trunc((asWideAs * 2) / 3) + 7) / 8) * 8;
    this.w12 = new Linear(dim, 2 * this.hidden, rng, { initialize });
    this.w3 = new Linear(this.hidden, dim, rng, { initialize });
  }

  /** x [B, T, D] -> [B, T, D]. Site `<name>.out`. */
  forward(x: Tensor, context: Context = inference, name = "mlp"): Tensor {
    const [gate, value] = tf.split(this.w12.forward(x, context, `${name}.w12`), 2, -1);
    return site(context, `${name}.out`, this.w3.forward(gatedSilu(gate, value), context, `${name}.w3`));
  }
}

/** A factor per channel on a branch. Key `gamma` [D]. Reference: Touvron et al. 2021, "Going deeper with image transformers". */
export class LayerScale extends Module {
  readonly gamma: Parameter;

  constructor(dim: number, start: number) {
    super();
    this.gamma = new Parameter([dim], (values) => values.fill(start), 0);
  }

  forward(x: Tensor): Tensor {
    return tf.mul(x, this.gamma.value);
  }
}
