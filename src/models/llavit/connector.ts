import type { Rng } from "../../core/rng";
import type { Tensor } from "../../core/tf";
import { normal } from "../../nn/init";
import { Linear } from "../../nn/layers";
import { Module } from "../../nn/module";
import { gelu } from "../../nn/ops";

/**
 * From features of images to tokens of a language model: W2 gelu(W1 x + b1) + b2 with exact GELU. Keys `0.*` [H, C], `2.*`
 * [H, H]. Reference: LLaVA multimodal_projector/builder.py (mlp2x_gelu).
 */
export class Connector extends Module {
  readonly layers: readonly [Linear, "gelu", Linear];

  constructor(features: number, dim: number, rng: Rng) {
    super();
    const initialize = normal(0.02);
    this.layers = [
      new Linear(features, dim, rng, { initialize }),
      "gelu",
      new Linear(dim, dim, rng, { initialize }),
    ];
  }

  protected override transparentFields(): readonly string[] {
    return ["layers"];
  }

  /** [B, L, C] -> [B, L, H]. */
  forward(features: Tensor): Tensor {
    const [first, , second] = this.layers;
    return second.forward(gelu(first.forward(features)));
  }
}
