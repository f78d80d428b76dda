import type { Rng } from "../../core/rng";
import type { Tensor } from "../../core/tf";
import { type Context, inference, site } from "../../nn/context";
import { Conv2d, everySecond, maxPool2, UpConv2d } from "../../nn/convolutions";
import { LayerNorm } from "../../nn/layers";
import { Module } from "../../nn/module";
import { gelu } from "../../nn/ops";

/** A step of a stage: map in, map out, both [B, H, W, C]. */
interface Step extends Module {
  forward(x: Tensor): Tensor;
}

/** What has no parameters but a number in its stage, so that those behind it have theirs. */
class PlainStep extends Module implements Step {
  constructor(readonly forward: (x: Tensor) => Tensor) {
    super();
  }
}

export interface PyramidOptions {
  /** Channels of the map that it is made of. */
  inputs: number;
  /** Channels of every map that it makes. */
  outputs: number;
  normEps: number;
}

/**
 * Five maps of half the size each, made of one: strides 4, 8, 16, 32 and 64 where it has 16.
 * Keys `simfp_2.0.weight`, …, as detectron2 has them. Reference: detectron2 modeling/backbone/vit.py
 * SimpleFeaturePyramid; Li et al. 2022, "Exploring plain vision transformer backbones for object detection".
 */
export class SimpleFeaturePyramid extends Module {
  readonly simfp_2: Step[];
  readonly simfp_3: Step[];
  readonly simfp_4: Step[];
  readonly simfp_5: Step[];

  constructor({ inputs, outputs, normEps }: PyramidOptions, rng: Rng) {
    super();
    const [half, quarter] = [Math.floor(inputs / 2), Math.floor(inputs / 4)];
    const toOutputs = (channels: number) =>
      ([1, 3] as const).map((kernel, i) => {
        return new Conv2d(i === 0 ? channels : outputs, outputs, rng, { kernel, bias: false, normEps });
      });
    this.simfp_2 = [
      new UpConv2d(inputs, half, rng),
      new LayerNorm(half, normEps),
      new PlainStep(gelu),
      new UpConv2d(half, quarter, rng),
      ...toOutputs(quarter),
    ];
    this.simfp_3 = [new UpConv2d(inputs, half, rng), ...toOutputs(half)];
    this.simfp_4 = toOutputs(inputs);
    this.simfp_5 = [new PlainStep(maxPool2), ...toOutputs(inputs)];
  }

  /** x [B, H, W, inputs] -> p2 [B, 4H, 4W, outputs], p3, p4, p5, p6. Taps `simfp_2.0`, …: what each step makes. */
  forward(x: Tensor, context: Context = inference): Tensor[] {
    const stages = {
      simfp_2: this.simfp_2,
      simfp_3: this.simfp_3,
      simfp_4: this.simfp_4,
      simfp_5: this.simfp_5,
    };
    const maps = Object.entries(stages).map(([name, stage]) =>
      stage.reduce((map: Tensor, step, i) => site(context, `${name}.${i}`, step.forward(map)), x),
    );
    return [...maps, everySecond(maps[3])];
  }
}
