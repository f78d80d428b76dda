import type { Rng } from "../core/rng";
import { type Tensor, tf } from "../core/tf";
import { kaimingUniform, uniform } from "./init";
import { LayerNorm } from "./layers";
import { Module } from "./module";
import { addRow, linear } from "./ops";
import { type Initializer, Parameter } from "./parameter";

/*
 * Convolutions of maps [B, H, W, C], channels last, so that a norm over channels is a LayerNorm and a 1 x 1 convolution a
 * product. Weights keep PyTorch's layouts.
 */

export interface ConvolutionOptions {
  /** Pixels of the square kernel, odd; default 3. The map keeps its size. */
  kernel?: number;
  bias?: boolean;
  /** Eps of a norm over the channels behind it; no norm where it is not given. */
  normEps?: number;
  /** Default torch's: U(±1/sqrt(fan in)). */
  initialize?: Initializer;
  /** Default torch's: U(±1/sqrt(fan in)). */
  initializeBias?: Initializer;
}

/** Keys `weight` [O, I, k, k], `bias` [O], `norm.{weight, bias}` [O]. Stride 1. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias?: Parameter;
  readonly norm?: LayerNorm;

  constructor(inputs: number, outputs: number, rng: Rng, options: ConvolutionOptions = {}) {
    super();
    const { kernel = 3, bias = true, normEps, initialize = kaimingUniform } = options;
    const bound = 1 / Math.sqrt(inputs * kernel * kernel);
    const { initializeBias = uniform(bound) } = options;
    this.weight = new Parameter([outputs, inputs, kernel, kernel], initialize, rng.uint32());
    if (bias) this.bias = new Parameter([outputs], initializeBias, rng.uint32());
    if (normEps !== undefined) this.norm = new LayerNorm(outputs, normEps);
  }

  /** x [B, H, W, I] -> [B, H, W, O]. */
  forward(x: Tensor): Tensor {
    const [outputs, inputs, kernel] = this.weight.shape;
    const weight = this.weight.value;
    const product =
      kernel === 1
        ? linear(x, tf.reshape(weight, [outputs, inputs]))
        : tf.conv2d(x as tf.Tensor4D, tf.transpose(weight, [2, 3, 1, 0]) as tf.Tensor4D, 1, "same");
    const shifted = this.bias ? addRow(product, this.bias.value) : product;
    return this.norm ? this.norm.forward(shifted) : shifted;
  }
}

/** A transposed convolution, kernel = stride = 2: twice the size. Keys `weight` [I, O, 2, 2], `bias` [O]. */
export class UpConv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(
    inputs: number,
    readonly outputs: number,
    rng: Rng,
    options: Pick<ConvolutionOptions, "initialize" | "initializeBias"> = {},
  ) {
    super();
    const torch = uniform(1 / Math.sqrt(4 * outputs)); // torch takes a weight's second axis for its fan in
    const { initialize = torch, initializeBias = torch } = options;
    this.weight = new Parameter([inputs, outputs, 2, 2], initialize, rng.uint32());
    this.bias = new Parameter([outputs], initializeBias, rng.uint32());
  }

  /** x [B, H, W, I] -> [B, 2H, 2W, O]: every pixel becomes four. */
  forward(x: Tensor): Tensor {
    return inPlace(this.four(x));
  }

  /** The four that every pixel becomes, not in their places: x [B, H, W, I] -> [B, H, W, 2, 2, O]. */
  four(x: Tensor): Tensor {
    const [batch, height, width, inputs] = x.shape as [number, number, number, number];
    const { outputs } = this;
    const matrix = tf.reshape(tf.transpose(this.weight.value, [2, 3, 1, 0]), [4 * outputs, inputs]);
    const four = linear(x, matrix, tf.tile(this.bias.value, [4]));
    return tf.reshape(four, [batch, height, width, 2, 2, outputs]);
  }
}

/** [B, H, W, 2, 2, C] -> [B, 2H, 2W, C]. */
export function inPlace(four: Tensor): Tensor {
  const [batch, height, width, , , channels] = four.shape as number[];
  const rows = tf.transpose(tf.reshape(four, [batch * height, width, 2, 2 * channels]), [0, 2, 1, 3]);
  return tf.reshape(rows, [batch, 2 * height, 2 * width, channels]);
}

/**
 * The largest of every 2 x 2 pixels, an odd last row or column left out: x [B, H, W, C] -> [B, H/2, W/2, C]. Of equal
 * ones the first gets the gradient, as in torch.
 */
export function maxPool2(x: Tensor): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [rows, columns] = [Math.floor(height / 2), Math.floor(width / 2)];
  const even = tf.slice(x, [0, 0, 0, 0], [batch, 2 * rows, 2 * columns, channels]);
  const across = tf.reshape(even, [batch * rows, 2, columns, 2 * channels]);
  const at = (y: number, x: number) =>
    tf.slice(across, [0, y, 0, x * channels], [batch * rows, 1, columns, channels]);
  const largest = tf.maximum(tf.maximum(at(0, 0), at(0, 1)), tf.maximum(at(1, 0), at(1, 1)));
  return tf.reshape(largest, [batch, rows, columns, channels]);
}

/** Every second pixel, from the first on: x [B, H, W, C] -> [B, ⌈H/2⌉, ⌈W/2⌉, C]. */
export function everySecond(x: Tensor): Tensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [rows, columns] = [Math.ceil(height / 2), Math.ceil(width / 2)];
  const even = tf.pad(x, [
    [0, 0],
    [0, 2 * rows - height],
    [0, 2 * columns - width],
    [0, 0],
  ]);
  const pairs = tf.reshape(even, [batch * rows, 2, columns, 2 * channels]);
  const first = tf.slice(pairs, [0, 0, 0, 0], [batch * rows, 1, columns, channels]);
  return tf.reshape(first, [batch, rows, columns, channels]);
}
