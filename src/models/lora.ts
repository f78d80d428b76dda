import { LuvitError } from "../core/errors";
import type { HostTensor } from "../core/hostTensor";
import { checkOptions, shaped } from "../core/options";
import { rngField } from "../core/options/rng";
import { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { llamaBlockModules, visionModules } from "../io/llama";
import { type Context, inference, site } from "../nn/context";
import { kaimingUniform, zeros } from "../nn/init";
import { Linear } from "../nn/layers";
import { Module } from "../nn/module";
import { linear, linearByGroup } from "../nn/ops";
import { Parameter } from "../nn/parameter";
import { type LoraOptions, loraOptions } from "./loraOptions";
import { LoraReport } from "./loraReport";
import { modelField } from "./options";

export type { LoraOptions } from "./loraOptions";

/** Hugging Face's names of the LLaMA modules' last segments -> those of the original release used here. */
const originalNames = new Map(
  [...llamaBlockModules, ...visionModules].map(({ hf, meta }) => [lastSegment(hf), lastSegment(meta)]),
);

function lastSegment(path: string): string {
  return path.split(".").at(-1)!;
}

/** A bare weight; key `weight`. */
export class LoraMatrix extends Module {
  readonly weight: Parameter;

  constructor(shape: readonly number[], initialize: typeof zeros, seed: number) {
    super();
    this.weight = new Parameter(shape, initialize, seed);
  }
}

/** What a low-rank update computes with. */
export interface LoraScale {
  rank: number;
  alpha: number;
  /** Scale by alpha / sqrt(rank) instead of alpha / rank. */
  rankStabilized?: boolean;
}

/**
 * y = W x + b + (alpha/r) B A x. The base weight keeps its key; `lora_A.weight` [r, in] and `lora_B.weight` [out, r]
 * stand beside it, as in PEFT with `.base_layer` and `.default` taken out. A ~ U(±1/sqrt(in)), B = 0.
 */
export class LoraLinear extends Module {
  weight: Parameter;
  readonly bias?: Parameter;
  readonly lora_A: LoraMatrix;
  readonly lora_B: LoraMatrix;
  readonly rank: number;
  readonly alpha: number;
  readonly rankStabilized: boolean;
  /** True while B A is added into `weight`. */
  merged = false;

  constructor(base: Linear | LoraLinear, scale: LoraScale, rng: Rng) {
    super();
    checkOptions("LoraLinear", modelField, base);
    checkOptions("LoraLinear", shaped("a scale { rank, alpha }", "rank", "alpha"), scale);
    checkOptions("LoraLinear", rngField, rng);
    const { rank, alpha, rankStabilized = false } = scale;
    this.rank = rank;
    this.alpha = alpha;
    this.rankStabilized = rankStabilized;
    this.weight = base.weight;
    if (base.bias) this.bias = base.bias;
    const [outputs, inputs] = base.weight.shape;
    this.lora_A = new LoraMatrix([rank, inputs], kaimingUniform, rng.uint32());
    this.lora_B = new LoraMatrix([outputs, rank], zeros, rng.uint32());
  }

  /** What B A x is multiplied with. */
  get scaling(): number {
    return this.alpha / (this.rankStabilized ? Math.sqrt(this.rank) : this.rank);
  }

  /** Site `<name>.lora`: the scaled update, unless it is merged. */
  forward(x: Tensor, context: Context = inference, name = "linear"): Tensor {
    return this.adapted(x, linear, context, name);
  }

  /** As `Linear.forwardByGroup`, with the same site. */
  forwardByGroup(x: Tensor, groups: number, context: Context = inference, name = "linear"): Tensor {
    const own = (from: Tensor, weight: Tensor, bias?: Tensor) => linearByGroup(from, weight, groups, bias);
    return this.adapted(x, own, context, name);
  }

  private adapted(x: Tensor, product: typeof linear, context: Context, name: string): Tensor {
    const base = product(x, this.weight.value, this.bias?.value);
    if (this.merged) return base;
    const update = product(linear(x, this.lora_A.weight.value), this.lora_B.weight.value);
    return tf.add(base, site(context, `${name}.lora`, tf.mul(update, this.scaling)));
  }

  /** The base weight with the update added, on the host; nothing changes. */
  async mergedWeight(): Promise<HostTensor> {
    if (this.merged) return this.weight.read();
    const sum = tf.tidy(() => tf.add(this.weight.value, this.update()));
    const data = await sum.data<"float32">();
    sum.dispose();
    return { shape: this.weight.shape, data: data.slice() };
  }

  /** scaling B A [out, in]. */
  private update(): Tensor {
    const [b, a] = [this.lora_B.weight.value, this.lora_A.weight.value] as tf.Tensor2D[];
    return tf.mul(tf.matMul(b, a), this.scaling);
  }

  /**
   * Adds (`sign` 1) or takes back (`sign` -1) the update to the base weight. A weight that another model shares stays as
   * it is there.
   */
  addUpdate(sign: 1 | -1): void {
    this.weight = this.weight.detach();
    this.weight.source = undefined; // no longer what the file holds, so checkpoints must keep it
    tf.tidy(() => this.weight.value.assign(tf.add(this.weight.value, tf.mul(this.update(), sign))));
    this.merged = sign === 1;
  }
}

/**
 * Freezes a model and gives every linear named in `targets` a trainable low-rank update. With B = 0 the output is
 * unchanged until training. Reference: LUViT section 3; PEFT lora/layer.py.
 *
 * @throws LuvitError("bad-argument") when no linear has a target's name, listing the names there are.
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy", { block: 4 });
 * console.log(String(luvit.lora.attach(block, { rank: 4, targets: ["q_proj", "v_proj"] })));
 */
export function attach(model: Module, options: LoraOptions = {}): LoraReport {
  checkOptions("lora.attach", modelField, model);
  checkOptions("lora.attach", loraOptions, options);
  const { freeze = true, seed = 0 } = options;
  const { rank, alpha, targets, rankStabilized } = underOwnNames(options);
  const wanted = targets.map((name) => originalNames.get(name) ?? name);
  const linears = [...model.namedModules()].filter(([, m]) => m instanceof Linear);
  const isNamed = (path: string, name: string) => path === name || path.endsWith(`.${name}`);
  const chosen = linears.filter(([path]) => wanted.some((name) => isNamed(path, name)));
  const absent = wanted.filter((name) => !chosen.some(([path]) => isNamed(path, name)));
  if (absent.length > 0) {
    const known = [...new Set(linears.map(([path]) => lastSegment(path)))].join(", ");
    const names = targets.filter((_, i) => absent.includes(wanted[i])).join(", ");
    throw new LuvitError(
      "bad-argument",
      `lora.attach: no linear named ${names}; this model has: ${known || "none without LoRA"}`,
    );
  }
  if (freeze) model.freeze();
  for (const [, base] of chosen) base.freeze();
  const rng = new Rng(seed).fork("lora");
  for (const [path, base] of chosen) {
    model.replaceModule(path, new LoraLinear(base as Linear, { rank, alpha, rankStabilized }, rng));
  }
  const { trainable, total } = model.counts();
  return new LoraReport({ paths: chosen.map(([path]) => path), trainable, total });
}

/** Options that may have PEFT's names, under this library's, with its defaults. */
function underOwnNames(options: LoraOptions) {
  const rank = options.rank ?? options.r ?? 16;
  return {
    rank,
    alpha: options.alpha ?? options.loraAlpha ?? rank,
    targets: options.targets ?? options.targetModules ?? ["q_proj", "v_proj"],
    rankStabilized: options.rankStabilized ?? options.useRslora ?? false,
  };
}

/**
 * Every LoRA linear of a model with its path.
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy", { block: 4 });
 * luvit.lora.attach(block, { rank: 4 });
 * for (const [path, { lora_B }] of luvit.lora.adapters(block)) console.log(path, lora_B.weight.shape);
 */
export function adapters(model: Module): [string, LoraLinear][] {
  checkOptions("lora", modelField, model);
  return [...model.namedModules()].filter(
    (entry): entry is [string, LoraLinear] => entry[1] instanceof LoraLinear,
  );
}

/**
 * Adds the updates into the base weights (for inference and export); a second call changes nothing.
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy", { block: 4 });
 * luvit.lora.attach(block, { rank: 4 });
 * luvit.lora.merge(block);
 */
export function merge(model: Module): void {
  for (const [, layer] of adapters(model)) if (!layer.merged) layer.addUpdate(1);
}

/** Takes merged updates back out, up to float32 rounding. */
export function unmerge(model: Module): void {
  for (const [, layer] of adapters(model)) if (layer.merged) layer.addUpdate(-1);
}
