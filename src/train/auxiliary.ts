import { LuvitError } from "../core/errors";
import { checkOptions, entry, object, optionsOf, type Rule } from "../core/options";
import { Rng } from "../core/rng";
import type { Tensor } from "../core/tf";
import { datasetField, type ImageDataset } from "../data/dataset";
import { type Classifier, classifierField } from "../models/classifier";
import { FusionPath, type FusionPlan, fusion } from "../models/fusion";
import type { LlamaBlocks } from "../models/llamaBlock";
import { fusionPlan } from "../models/mae";
import { inference } from "../nn/context";
import { type FeatureLossOptions, featureLoss, featureLossOptions, stopGradient } from "../nn/distillation";
import { normal } from "../nn/init";
import { LayerNorm, Linear } from "../nn/layers";
import { softTargetCrossEntropy } from "../nn/losses";
import { Module } from "../nn/module";
import { keepingLayers, lossWeight } from "./featureMatches";
import { type FinetuneOptions, finetuneOptions } from "./finetuneOptions";
import { finetuneTask } from "./finetuneTask";
import { startRun } from "./loop";
import type { Run } from "./run";
import type { TrainingTask } from "./steps";
import { sumOf, weighted } from "./taught";

/** How the plain exit's tokens are drawn to those of the exit through the branch. */
export interface ExitMatch extends FeatureLossOptions {
  /** Default 1; 0 for none. */
  weight?: number;
}

/** What an auxiliary exit adds to finetuning. */
export interface AuxiliaryOptions extends FinetuneOptions {
  /** What the second exit goes through, and the plain one does not: a language model's block, or a plan of `fusion.*`. */
  branch: LlamaBlocks | FusionPlan;
  /** Of the second exit's loss and of the tokens' distance; default 0.5. With 0 the run is `finetune` to the bit. */
  weight?: number;
  /** Default cosine. */
  tokens?: ExitMatch;
}

const atTheEnd: Rule<AuxiliaryOptions> = ({ branch }) => {
  const after = (branch as FusionPlan | undefined)?.after;
  return after === undefined
    ? []
    : [["branch", "a plan without `after`: both exits begin behind the last block"]];
};

export const auxiliaryOptions = optionsOf<AuxiliaryOptions>(
  { ...finetuneOptions.required, branch: fusion },
  {
    ...finetuneOptions.optional,
    weight: entry(lossWeight, "of the second exit's loss", 0.5),
    tokens: object(
      {},
      { ...featureLossOptions.optional, weight: entry(lossWeight, "of the tokens' distance", 1) },
    ),
  },
  ...(finetuneOptions.rules as Rule<AuxiliaryOptions>[]),
  atTheEnd,
);

/**
 * A classifier with a second exit that is there only while it is trained. Keys are the classifier's own and
 * `auxiliary.*`: the path (`llama_dim_mapper1`, `llama`, `llama_dim_mapper2`), a norm and a head of its own.
 */
class TwoExits extends Module {
  readonly auxiliary: AuxiliaryExit;

  constructor(
    readonly plain: Classifier,
    plan: FusionPlan,
    seed: number,
  ) {
    super();
    this.auxiliary = new AuxiliaryExit(plain, plan, seed);
  }

  protected override transparentFields(): readonly string[] {
    return ["plain"];
  }
}

/** Tokens -> path -> mean of the patches, or class token -> norm -> head. */
class AuxiliaryExit extends Module {
  readonly path: FusionPath;
  readonly norm: LayerNorm;
  readonly head: Linear;

  constructor({ encoder: { config }, classes }: Classifier, plan: FusionPlan, seed: number) {
    super();
    this.path = new FusionPath(config.dim, plan);
    this.norm = new LayerNorm(config.dim);
    this.head = new Linear(config.dim, classes, new Rng(seed).fork("auxiliary"), {
      initialize: normal(0.02),
    });
  }

  protected override transparentFields(): readonly string[] {
    return ["path"];
  }

  /** Tokens behind the last block [B, T, D] -> tokens behind the path, and logits [B, classes]. */
  forward(x: Tensor, pool: (tokens: Tensor) => Tensor): { tokens: Tensor; logits: Tensor } {
    const tokens = this.path.forward(x, inference);
    return { tokens, logits: this.head.forward(this.norm.forward(pool(tokens))) };
  }
}

/**
 * Finetunes one trunk with two exits: the plain one, and one through a language model's block with a norm and a head of
 * its own. L = CE(plain) + weight (CE(through the branch) + distance(plain tokens, tokens behind the branch)); no gradient
 * of the distance flows through the branch. The trunk is drawn both ways; afterwards the plain exit alone is kept, and
 * costs nothing more. Neither layers, weights nor distance are anybody's published ones.
 *
 * @throws LuvitError("bad-argument") for options that cannot be, a model that has a path already, and data that do not
 * fit it.
 *
 * @example
 * const block = await luvit.llama.loadBlock("data/llama-toy");
 * const model = luvit.classifier.create({ encoder: luvit.vit.toy, classes: 6 });
 * const transform = luvit.data.transforms.finetune(64);
 * const images = await luvit.data.imageFolder("data/shapes/train", { transform });
 * const options = { ...luvit.recipes.finetuneToy, epochs: 1, branch: block, out: false } as const;
 * const { history } = await luvit.train.auxiliary(model, images.take(32), options).done;
 */
export function auxiliary(
  model: Classifier,
  images: ImageDataset,
  options: AuxiliaryOptions,
): Run<Classifier> {
  checkOptions("auxiliary", classifierField, model);
  checkOptions("auxiliary", datasetField, images);
  checkOptions("auxiliary", auxiliaryOptions, options);
  return startRun(auxiliaryTask(model, images, options), options);
}

function auxiliaryTask(
  model: Classifier,
  images: ImageDataset,
  options: AuxiliaryOptions,
): TrainingTask<Classifier> {
  if (model.encoder.fusion) {
    const advice = "both exits need a trunk without one";
    throw new LuvitError("bad-argument", `auxiliary: the model has a fusion path already; ${advice}`);
  }
  const { weight = 0.5, seed = 0, tokens: { weight: pull = 1, ...distance } = {} } = options;
  const { depth } = model.encoder.config;
  const exits = weight === 0 ? undefined : new TwoExits(model, fusionPlan(options.branch)!, seed);
  const task = finetuneTask("auxiliary", model, images, options, { whole: exits });
  const branch = exits?.auxiliary.path.describe(depth);
  const settings = { ...task.settings, weight, branch, tokens: { ...distance, weight: pull } };
  if (!exits) return { ...task, settings };
  return {
    ...task,
    settings,
    loss({ images: pixels, targets, dropPath }) {
      const layers = new Map<string, Tensor>();
      const plain = softTargetCrossEntropy(
        model.forward(pixels, keepingLayers(layers, { dropPath })),
        targets,
      );
      const trunk = layers.get(`blocks.${depth - 1}`)!;
      const { tokens, logits } = exits.auxiliary.forward(trunk, (x) => model.poolTokens(x));
      const terms = [plain, weighted(softTargetCrossEntropy(logits, targets), weight)];
      if (pull > 0) terms.push(weighted(featureLoss(trunk, stopGradient(tokens), distance), weight * pull));
      return sumOf(terms);
    },
  };
}
