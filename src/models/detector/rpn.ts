import type { Rng } from "../../core/rng";
import { type Tensor, tf } from "../../core/tf";
import { Conv2d } from "../../nn/convolutions";
import { normal, zeros } from "../../nn/init";
import { Module } from "../../nn/module";
import { absoluteError, binaryCrossEntropy } from "./losses";

/** Every layer starts as N(0, 0.01) with bias 0. */
const start = { initialize: normal(0.01), initializeBias: zeros };

/** The convolutions before the outputs. Keys `conv0`, `conv1`. */
class RegionConvolutions extends Module {
  readonly conv0: Conv2d;
  readonly conv1: Conv2d;

  constructor(channels: number, rng: Rng) {
    super();
    this.conv0 = new Conv2d(channels, channels, rng, start);
    this.conv1 = new Conv2d(channels, channels, rng, start);
  }

  forward(x: Tensor): Tensor {
    return tf.relu(this.conv1.forward(tf.relu(this.conv0.forward(x))));
  }
}

/**
 * Two convolutions and two outputs, the same for every level. Keys `conv.conv0`, `conv.conv1`, `objectness_logits`,
 * `anchor_deltas`. Reference: detectron2 modeling/proposal_generator/rpn.py StandardRPNHead.
 */
export class RegionHead extends Module {
  readonly conv: RegionConvolutions;
  readonly objectness_logits: Conv2d;
  readonly anchor_deltas: Conv2d;

  constructor(channels: number, anchors: number, rng: Rng) {
    super();
    this.conv = new RegionConvolutions(channels, rng);
    this.objectness_logits = new Conv2d(channels, anchors, rng, { kernel: 1, ...start });
    this.anchor_deltas = new Conv2d(channels, 4 * anchors, rng, { kernel: 1, ...start });
  }

  /** Maps [B, H, W, C] -> logits [B, A] and deltas [B, A, 4], level by level in the order of anchors. */
  forward(maps: readonly Tensor[]): RegionOutputs {
    const outputs = maps.map((map) => {
      const hidden = this.conv.forward(map);
      const batch = map.shape[0];
      return {
        logits: tf.reshape(this.objectness_logits.forward(hidden), [batch, -1]),
        deltas: tf.reshape(this.anchor_deltas.forward(hidden), [batch, -1, 4]),
      };
    });
    return {
      logits: tf.concat(
        outputs.map(({ logits }) => logits),
        1,
      ),
      deltas: tf.concat(
        outputs.map(({ deltas }) => deltas),
        1,
      ),
    };
  }
}

export interface RegionOutputs {
  /** [B, A]. */
  logits: Tensor;
  /** [B, A, 4]. */
  deltas: Tensor;
}

/**
 * What the outputs are to be at the anchors that were drawn. Places are numbers of [B * A]; rows that nobody needs have
 * weight 0.
 */
export interface RegionTargets {
  /** int32 [S]. */
  places: Tensor;
  /** [S]: 1 for an object, 0 for background. */
  labels: Tensor;
  /** [S]. */
  weights: Tensor;
  /** int32 [P], [P, 4] and [P]: those with an object alone. */
  boxPlaces: Tensor;
  boxTargets: Tensor;
  boxWeights: Tensor;
}

/** The two losses, each a weighted sum. Reference: detectron2 modeling/proposal_generator/rpn.py losses. */
export function regionLosses(
  { logits, deltas }: RegionOutputs,
  targets: RegionTargets,
): Record<RegionLoss, Tensor> {
  const drawn = tf.gather(tf.reshape(logits, [-1]), targets.places);
  const boxes = tf.gather(tf.reshape(deltas, [-1, 4]), targets.boxPlaces);
  return {
    loss_rpn_cls: tf.sum(tf.mul(binaryCrossEntropy(drawn, targets.labels), targets.weights)),
    loss_rpn_loc: absoluteError(boxes, targets.boxTargets, targets.boxWeights),
  };
}

export type RegionLoss = "loss_rpn_cls" | "loss_rpn_loc";

/** Key `rpn_head.*`, as detectron2 has it. */
export class ProposalGenerator extends Module {
  readonly rpn_head: RegionHead;

  constructor(channels: number, anchors: number, rng: Rng) {
    super();
    this.rpn_head = new RegionHead(channels, anchors, rng);
  }
}
