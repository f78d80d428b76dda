import type { Rng } from "../../core/rng";
import { type Tensor, tf } from "../../core/tf";
import { Conv2d, inPlace, UpConv2d } from "../../nn/convolutions";
import { normal, uniform, zeros } from "../../nn/init";
import { Linear } from "../../nn/layers";
import { Module } from "../../nn/module";
import { crossEntropy } from "../../nn/ops/crossEntropy";
import type { Initializer } from "../../nn/parameter";
import { absoluteError, binaryCrossEntropy } from "./losses";

export interface RoiHeadOptions {
  /** Channels of the maps. */
  inputs: number;
  classes: number;
  convolutions: number;
  /** Channels of the convolutions. */
  channels: number;
  /** Width of the box head's linear layer. */
  hidden: number;
  /** Bins along a side that the box head sees. */
  boxBins: number;
  normEps: number;
}

/** Kaiming's normal of a weight whose fan out is that of torch, for ReLU: fvcore's c2_msra_fill. */
const kaimingNormal = (fanOut: number): Initializer => normal(Math.sqrt(2 / fanOut));

/** Convolutions with norm and ReLU under the names `<name>1`, `<name>2`, …, fields of `owner`. */
function addConvolutions(
  owner: Module,
  name: string,
  { inputs, convolutions, channels, normEps }: RoiHeadOptions,
  rng: Rng,
): Conv2d[] {
  return Array.from({ length: convolutions }, (_, i) => {
    const layer = new Conv2d(i === 0 ? inputs : channels, channels, rng, {
      bias: false,
      normEps,
      initialize: kaimingNormal(9 * channels),
    });
    (owner as unknown as Record<string, Conv2d>)[`${name}${i + 1}`] = layer;
    return layer;
  });
}

const runConvolutions = (owner: Module, name: string, count: number, x: Tensor) =>
  Array.from(
    { length: count },
    (_, i) => (owner as unknown as Record<string, Conv2d>)[`${name}${i + 1}`],
  ).reduce((map, layer) => tf.relu(layer.forward(map)), x);

/** Keys `conv1`, …, `fc1` [hidden, channels * bins * bins], inputs in the order (channel, y, x). */
export class BoxHead extends Module {
  readonly fc1: Linear;

  constructor(
    private readonly options: RoiHeadOptions,
    rng: Rng,
  ) {
    super();
    const { convolutions, channels, inputs, boxBins, hidden } = options;
    addConvolutions(this, "conv", options, rng);
    const width = (convolutions > 0 ? channels : inputs) * boxBins * boxBins;
    this.fc1 = new Linear(width, hidden, rng, { initialize: uniform(Math.sqrt(3 / width)) });
  }

  /** x [R, P, P, C] -> [R, hidden]. */
  forward(x: Tensor): Tensor {
    const map = runConvolutions(this, "conv", this.options.convolutions, x);
    const flat = tf.reshape(tf.transpose(map, [0, 3, 1, 2]), [x.shape[0], -1]);
    return tf.relu(this.fc1.forward(flat));
  }
}

/** Keys `cls_score` [K + 1, hidden], background last, and `bbox_pred` [4 K, hidden], class by class. */
export class BoxPredictor extends Module {
  readonly cls_score: Linear;
  readonly bbox_pred: Linear;

  constructor(hidden: number, classes: number, rng: Rng) {
    super();
    this.cls_score = new Linear(hidden, classes + 1, rng, { initialize: normal(0.01) });
    this.bbox_pred = new Linear(hidden, 4 * classes, rng, { initialize: normal(0.001) });
  }

  /** [R, hidden] -> logits [R, K + 1] and deltas [R, 4 K]. */
  forward(x: Tensor): BoxOutputs {
    return { logits: this.cls_score.forward(x), deltas: this.bbox_pred.forward(x) };
  }
}

export interface BoxOutputs {
  logits: Tensor;
  deltas: Tensor;
}

/** Keys `mask_fcn1`, …, `deconv`, `predictor` [K, C, 1, 1]. */
export class MaskHead extends Module {
  readonly deconv: UpConv2d;
  readonly predictor: Conv2d;

  constructor(
    private readonly options: RoiHeadOptions,
    rng: Rng,
  ) {
    super();
    const { channels, classes, inputs, convolutions } = options;
    addConvolutions(this, "mask_fcn", options, rng);
    const before = convolutions > 0 ? channels : inputs;
    // torch takes the inputs of a transposed convolution for its fan out
    this.deconv = new UpConv2d(before, channels, rng, {
      initialize: kaimingNormal(4 * before),
      initializeBias: zeros,
    });
    this.predictor = new Conv2d(channels, classes, rng, {
      kernel: 1,
      initialize: normal(0.001),
      initializeBias: zeros,
    });
  }

  /**
   * x [R, P, P, C] and a class of each (int32 [R]) -> logits [R, 2P, 2P] of that class; of the others none is made. Pixels
   * are put in their places last, where each is one number instead of C.
   */
  forward(x: Tensor, classes: Tensor): Tensor {
    const four = tf.relu(this.deconv.four(runConvolutions(this, "mask_fcn", this.options.convolutions, x)));
    const [count, side, , , , channels] = four.shape as number[];
    const { weight, bias } = this.predictor;
    const chosen = tf.gather(tf.reshape(weight.value, [weight.shape[0], channels]), classes);
    const product = tf.matMul(
      tf.reshape(four, [count, 4 * side * side, channels]),
      tf.reshape(chosen, [count, channels, 1]),
    );
    const shift = tf.reshape(tf.gather(bias!.value, classes), [count, 1, 1]);
    const logits = inPlace(tf.reshape(tf.add(product, shift), [count, side, side, 2, 2, 1]));
    return tf.reshape(logits, [count, 2 * side, 2 * side]);
  }
}

/** Keys `box_head.*`, `box_predictor.*`, `mask_head.*`. Reference: detectron2 modeling/roi_heads. */
export class RoiHeads extends Module {
  readonly box_head: BoxHead;
  readonly box_predictor: BoxPredictor;
  readonly mask_head?: MaskHead;

  constructor(options: RoiHeadOptions & { masks: boolean }, rng: Rng) {
    super();
    this.box_head = new BoxHead(options, rng);
    this.box_predictor = new BoxPredictor(options.hidden, options.classes, rng);
    if (options.masks) this.mask_head = new MaskHead(options, rng);
  }

  /** What the boxes are: pooled maps [R, P, P, C] -> logits and deltas. */
  boxes(pooled: Tensor): BoxOutputs {
    return this.box_predictor.forward(this.box_head.forward(pooled));
  }
}

/** What boxes are to be. Rows that nobody needs have weight 0. */
export interface BoxTargets {
  /** [R, K + 1]: the weight of a sample at its class, 0 elsewhere. */
  classes: Tensor;
  /** int32 [F]: sample * K + class of those with an object. */
  boxPlaces: Tensor;
  /** [F, 4]. */
  boxTargets: Tensor;
  /** [F]. */
  boxWeights: Tensor;
}

/** Reference: detectron2 modeling/roi_heads/fast_rcnn.py losses. */
export function boxLosses({ logits, deltas }: BoxOutputs, targets: BoxTargets): Record<BoxLoss, Tensor> {
  const chosen = tf.gather(tf.reshape(deltas, [-1, 4]), targets.boxPlaces);
  return {
    loss_cls: tf.mul(crossEntropy(logits, targets.classes), logits.shape[0]),
    loss_box_reg: absoluteError(chosen, targets.boxTargets, targets.boxWeights),
  };
}

export type BoxLoss = "loss_cls" | "loss_box_reg";

/** Logits and targets [F, S, S], the weight of each mask [F]: a weighted sum over pixels. */
export function maskLoss(logits: Tensor, targets: Tensor, weights: Tensor): Tensor {
  return tf.sum(tf.mul(tf.sum(binaryCrossEntropy(logits, targets), [1, 2]), weights));
}
