import { type Tensor, tf } from "../../core/tf";
import { defineOp } from "./defineOp";
import { sumRows } from "./linear";

interface Epsilon {
  eps: number;
}

const likeX = (x: { shape: number[] }) => ({ shape: x.shape, dtype: "float32" as const });
const lastAxis = (x: Tensor) => x.rank - 1;

/** Mean and 1/sqrt(variance + eps) of one row, two passes in double precision. */
function rowStatistics(x: ArrayLike<number>, start: number, width: number, eps: number): [number, number] {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += x[start + i];
  const mean = sum / width;
  let squares = 0;
  for (let i = 0; i < width; i++) squares += (x[start + i] - mean) ** 2;
  return [mean, 1 / Math.sqrt(squares / width + eps)];
}

const layerNormInputGradient = defineOp<"x" | "weight" | "dy", Epsilon>({
  name: "LuvitLayerNormInputGradient",
  inputs: ["x", "weight", "dy"],
  outputs: ({ x }) => [likeX(x)],
  compute: ({ x, weight, dy }, [dx], _shapes, { eps }) => {
    const width = weight.length;
    for (let start = 0; start < x.length; start += width) {
      const [mean, inverse] = rowStatistics(x, start, width, eps);
      let gSum = 0;
      let gxSum = 0;
      for (let i = 0; i < width; i++) {
        const g = dy[start + i] * weight[i];
        gSum += g;
        gxSum += g * (x[start + i] - mean) * inverse;
      }
      for (let i = 0; i < width; i++) {
        const normal = (x[start + i] - mean) * inverse;
        dx[start + i] = inverse * (dy[start + i] * weight[i] - (gSum + normal * gxSum) / width);
      }
    }
  },
  composite: ({ x, weight, dy }, { eps }) => {
    const { normal, inverse } = normalize(x, eps);
    const g = tf.mul(dy, weight);
    const gMean = tf.mean(g, lastAxis(x), true);
    const gxMean = tf.mean(tf.mul(g, normal), lastAxis(x), true);
    return [tf.mul(inverse, tf.sub(g, tf.add(gMean, tf.mul(normal, gxMean))))];
  },
});

const layerNormWeightGradient = defineOp<"x" | "dy", Epsilon>({
  name: "LuvitLayerNormWeightGradient",
  inputs: ["x", "dy"],
  outputs: ({ x }) => [{ shape: x.shape.slice(-1), dtype: "float32" }],
  compute: ({ x, dy }, [dWeight], _shapes, { eps }) => {
    const width = dWeight.length;
    const sum = new Float64Array(width);
    for (let start = 0; start < x.length; start += width) {
      const [mean, inverse] = rowStatistics(x, start, width, eps);
      for (let i = 0; i < width; i++) sum[i] += dy[start + i] * (x[start + i] - mean) * inverse;
    }
    dWeight.set(sum);
  },
  composite: ({ x, dy }, { eps }) => [sumRows(tf.mul(dy, normalize(x, eps).normal))],
});

function normalize(x: Tensor, eps: number): { normal: Tensor; inverse: Tensor } {
  const centered = tf.sub(x, tf.mean(x, lastAxis(x), true));
  const variance = tf.mean(tf.square(centered), lastAxis(x), true);
  const inverse = tf.rsqrt(tf.add(variance, eps));
  return { normal: tf.mul(centered, inverse), inverse };
}

const layerNormOp = defineOp<"x" | "weight" | "bias", Epsilon>({
  name: "LuvitLayerNorm",
  inputs: ["x", "weight", "bias"],
  outputs: ({ x }) => [likeX(x)],
  compute: ({ x, weight, bias }, [y], _shapes, { eps }) => {
    const width = weight.length;
    for (let start = 0; start < x.length; start += width) {
      const [mean, inverse] = rowStatistics(x, start, width, eps);
      for (let i = 0; i < width; i++) y[start + i] = (x[start + i] - mean) * inverse * weight[i] + bias[i];
    }
  },
  composite: ({ x, weight, bias }, { eps }) => [tf.add(tf.mul(normalize(x, eps).normal, weight), bias)],
  gradient: {
    saved: ["x", "weight"],
    backward: (dy, { x, weight }, { eps }) => ({
      x: () => layerNormInputGradient({ x, weight, dy }, { eps })[0],
      weight: () => layerNormWeightGradient({ x, dy }, { eps })[0],
      bias: () => sumRows(dy),
    }),
  },
});

/** LayerNorm over the last axis with the biased variance: x [..., D], weight [D], bias [D]. MAE uses eps 1e-6. */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  return layerNormOp({ x, weight, bias }, { eps })[0];
}

/** The share of the unbiased variance of `width` numbers that the biased one is. */
const biasedShare = (width: number) => (width - 1) / width;

/** Its eps is that of the biased variance. */
const normalRowsOp = defineOp<"x", Epsilon>({
  name: "LuvitNormalRows",
  inputs: ["x"],
  outputs: ({ x }) => [likeX(x)],
  compute: ({ x }, [y], { x: shape }, { eps }) => {
    const width = shape.at(-1)!;
    for (let start = 0; start < x.length; start += width) {
      const [mean, inverse] = rowStatistics(x, start, width, eps);
      const factor = inverse * Math.sqrt(biasedShare(width));
      for (let i = start; i < start + width; i++) y[i] = (x[i] - mean) * factor;
    }
  },
  composite: ({ x }, { eps }) => [tf.mul(normalize(x, eps).normal, Math.sqrt(biasedShare(x.shape.at(-1)!)))],
  gradient: {
    saved: ["x"],
    backward: (dy, { x }, { eps }) => {
      const width = x.shape.at(-1)!;
      const weight = () => tf.fill([width], Math.sqrt(biasedShare(width)));
      return { x: () => layerNormInputGradient({ x, weight: weight(), dy }, { eps })[0] };
    },
  },
});

/** Each row of x [..., D] minus its mean over sqrt(unbiased variance + eps). */
export function normalRows(x: Tensor, eps: number): Tensor {
  return normalRowsOp({ x }, { eps: eps * biasedShare(x.shape.at(-1)!) })[0];
}

/** 1/sqrt(mean(x²) + eps) of one row, in double precision. */
function inverseRms(x: ArrayLike<number>, start: number, width: number, eps: number): number {
  let squares = 0;
  for (let i = 0; i < width; i++) squares += x[start + i] ** 2;
  return 1 / Math.sqrt(squares / width + eps);
}

const rmsNormInputGradient = defineOp<"x" | "weight" | "dy", Epsilon>({
  name: "LuvitRmsNormInputGradient",
  inputs: ["x", "weight", "dy"],
  outputs: ({ x }) => [likeX(x)],
  compute: ({ x, weight, dy }, [dx], _shapes, { eps }) => {
    const width = weight.length;
    for (let start = 0; start < x.length; start += width) {
      const inverse = inverseRms(x, start, width, eps);
      let gxSum = 0;
      for (let i = 0; i < width; i++) gxSum += dy[start + i] * weight[i] * x[start + i] * inverse;
      for (let i = 0; i < width; i++) {
        const normal = x[start + i] * inverse;
        dx[start + i] = inverse * (dy[start + i] * weight[i] - (normal * gxSum) / width);
      }
    }
  },
  composite: ({ x, weight, dy }, { eps }) => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), lastAxis(x), true), eps));
    const normal = tf.mul(x, inverse);
    const g = tf.mul(dy, weight);
    return [tf.mul(inverse, tf.sub(g, tf.mul(normal, tf.mean(tf.mul(g, normal), lastAxis(x), true))))];
  },
});

const rmsNormWeightGradient = defineOp<"x" | "dy", Epsilon>({
  name: "LuvitRmsNormWeightGradient",
  inputs: ["x", "dy"],
  outputs: ({ x }) => [{ shape: x.shape.slice(-1), dtype: "float32" }],
  compute: ({ x, dy }, [dWeight], _shapes, { eps }) => {
    const width = dWeight.length;
    const sum = new Float64Array(width);
    for (let start = 0; start < x.length; start += width) {
      const inverse = inverseRms(x, start, width, eps);
      for (let i = 0; i < width; i++) sum[i] += dy[start + i] * x[start + i] * inverse;
    }
    dWeight.set(sum);
  },
  composite: ({ x, dy }, { eps }) => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), lastAxis(x), true), eps));
    return [sumRows(tf.mul(dy, tf.mul(x, inverse)))];
  },
});

const rmsNormOp = defineOp<"x" | "weight", Epsilon>({
  name: "LuvitRmsNorm",
  inputs: ["x", "weight"],
  outputs: ({ x }) => [likeX(x)],
  compute: ({ x, weight }, [y], _shapes, { eps }) => {
    const width = weight.length;
    for (let start = 0; start < x.length; start += width) {
      const inverse = inverseRms(x, start, width, eps);
      for (let i = 0; i < width; i++) y[start + i] = x[start + i] * inverse * weight[i];
    }
  },
  composite: ({ x, weight }, { eps }) => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), lastAxis(x), true), eps));
    return [tf.mul(tf.mul(x, inverse), weight)];
  },
  gradient: {
    saved: ["x", "weight"],
    backward: (dy, { x, weight }, { eps }) => ({
      x: () => rmsNormInputGradient({ x, weight, dy }, { eps })[0],
      weight: () => rmsNormWeightGradient({ x, dy }, { eps })[0],
    }),
  },
});

/** RMSNorm over the last axis: x rsqrt(mean(x²) + eps) weight. x [..., D], weight [D]. LLaMA-1 uses eps 1e-6. */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor {
  return rmsNormOp({ x, weight }, { eps })[0];
}
