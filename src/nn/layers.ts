import { callback, checkOptions, flag, optionsOf } from "../core/options";
import { rngField } from "../core/options/rng";
import type { Rng } from "../core/rng";
import type { Tensor } from "../core/tf";
import type { Context } from "./context";
import { ones, xavierUniform, zeros } from "./init";
import { Module } from "./module";
import { layerNorm, linear, linearByGroup, rmsNorm } from "./ops";
import { linearSizes, normSizes } from "./options";
import { type Initializer, Parameter } from "./parameter";

export interface LinearOptions {
  bias?: boolean;
  initialize?: Initializer;
}

export const linearOptions = optionsOf<LinearOptions>({}, { bias: flag, initialize: callback() });

/** y = x Wᵀ + b: x [..., in] -> [..., out]. Keys `weight` [out, in], `bias` [out]. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    rng: Rng,
    options: LinearOptions = {},
  ) {
    super();
    checkOptions("Linear", linearSizes, { inputs, outputs });
    checkOptions("Linear", rngField, rng);
    checkOptions("Linear", linearOptions, options);
    const { bias = true, initialize = xavierUniform } = options;
    this.weight = new Parameter([outputs, inputs], initialize, rng.uint32());
    if (bias) this.bias = new Parameter([outputs], zeros, rng.uint32());
  }

  /** What stands in its place (LoRA) has a site under `name`; a plain linear has none. */
  forward(x: Tensor, _context?: Context, _name?: string): Tensor {
    return linear(x, this.weight.value, this.bias?.value);
  }

  /** Of each head its own rows alone: x [P, H, in] -> [P, H, out / groups], head h with group floor(h groups / H). */
  forwardByGroup(x: Tensor, groups: number, _context?: Context, _name?: string): Tensor {
    return linearByGroup(x, this.weight.value, groups, this.bias?.value);
  }
}

/** LayerNorm over the last axis, biased variance. Keys `weight`, `bias` [dim]. MAE uses eps 1e-6, not torch's 1e-5. */
export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    readonly dim: number,
    readonly eps = 1e-6,
  ) {
    super();
    checkOptions("LayerNorm", normSizes, { dim, eps });
    this.weight = new Parameter([dim], ones, 0);
    this.bias = new Parameter([dim], zeros, 0);
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight.value, this.bias.value, this.eps);
  }
}

/** RMSNorm over the last axis. Key `weight` [dim]. LLaMA-1 uses eps 1e-6, LLaMA-2 1e-5. */
export class RMSNorm extends Module {
  readonly weight: Parameter;

  constructor(
    readonly dim: number,
    readonly eps = 1e-6,
  ) {
    super();
    checkOptions("RMSNorm", normSizes, { dim, eps });
    this.weight = new Parameter([dim], ones, 0);
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight.value, this.eps);
  }
}
