import { onBackend, type Tensor, tf } from "../../core/tf";
import { type HostMemory, wasmMemory } from "./defineOp";

/*
 * What stock tfjs 4.22 gets wrong or lacks, mended by registration rather than by a fork:
 * - the gradient of a matMul whose operands have different batch shapes (tfjs issues 8721, 8548);
 * - wasm has no UnsortedSegmentSum, which the gradient of `gather` needs;
 * - wasm multiplies transposed operands about ten times slower than plain ones.
 */

type Kernel = NonNullable<ReturnType<typeof tf.getKernel>>;
type KernelArguments = Parameters<Kernel["kernelFunc"]>[0];

onBackend((backend) => {
  registerBroadcastSafeMatMulGradient();
  if (backend !== "wasm") return;
  registerSegmentSum(wasmMemory);
  registerUntransposedMatMul("BatchMatMul");
  registerUntransposedMatMul("_FusedMatMul");
});

function registerBroadcastSafeMatMulGradient(): void {
  tf.registerGradient({
    kernelName: "BatchMatMul",
    inputsToSave: ["a", "b"],
    gradFunc: (upstream, saved, attributes) => {
      const dy = upstream as Tensor;
      const [a, b] = saved;
      const { transposeA, transposeB } = attributes as unknown as { transposeA: boolean; transposeB: boolean };
      return {
        a: () =>
          sumToShape(transposeA ? tf.matMul(b, dy, transposeB, true) : tf.matMul(dy, b, false, !transposeB), a),
        b: () =>
          sumToShape(transposeB ? tf.matMul(dy, a, true, transposeA) : tf.matMul(a, dy, !transposeA, false), b),
      };
    },
  });
}

/** Sums a gradient over the axes along which its operand was broadcast. */
function sumToShape(gradient: Tensor, operand: Tensor): Tensor {
  const extra = gradient.rank - operand.rank;
  const axes = gradient.shape
    .map((length, axis) => (axis < extra || (operand.shape[axis - extra] === 1 && length !== 1) ? axis : -1))
    .filter((axis) => axis >= 0);
  return axes.length === 0 ? gradient : tf.reshape(tf.sum(gradient, axes), operand.shape);
}

function registerSegmentSum(memory: HostMemory): void {
  tf.registerKernel({
    kernelName: "UnsortedSegmentSum",
    backendName: "wasm",
    kernelFunc: ({ inputs, attrs, backend }) => {
      const { x, segmentIds } = inputs as Record<string, tf.TensorInfo>;
      const { numSegments } = attrs as unknown as { numSegments: number };
      const rowShape = x.shape.slice(segmentIds.shape.length);
      const output = memory.allocate(backend, { shape: [numSegments, ...rowShape], dtype: "float32" });
      const [values, ids, sums] = [x, segmentIds, output].map((info) => memory.view(backend, info));
      const width = rowShape.reduce((product, length) => product * length, 1);
      sums.fill(0);
      for (let row = 0; row < ids.length; row++) {
        const target = ids[row] * width;
        if (target < 0) continue;
        for (let i = 0; i < width; i++) sums[target + i] += values[row * width + i];
      }
      return output;
    },
  });
}

/** Transposes operands explicitly, then runs the backend's fast untransposed product. */
function registerUntransposedMatMul(kernelName: string): void {
  const stock = tf.getKernel(kernelName, "wasm");
  const transpose = tf.getKernel("Transpose", "wasm");
  if (!stock || !transpose) return;
  const swapLastAxes = (x: tf.TensorInfo, backend: unknown): tf.TensorInfo => {
    const rank = x.shape.length;
    const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    return transpose.kernelFunc({ inputs: { x }, attrs: { perm }, backend } as never) as tf.TensorInfo;
  };
  tf.unregisterKernel(kernelName, "wasm");
  tf.registerKernel({
    ...stock,
    kernelFunc: (call: KernelArguments) => {
      const { a, b } = call.inputs as Record<string, tf.TensorInfo>;
      const { transposeA, transposeB } = call.attrs as unknown as { transposeA: boolean; transposeB: boolean };
      const plainA = transposeA ? swapLastAxes(a, call.backend) : a;
      const plainB = transposeB ? swapLastAxes(b, call.backend) : b;
      const result = stock.kernelFunc({
        ...call,
        inputs: { ...call.inputs, a: plainA, b: plainB },
        attrs: { ...call.attrs, transposeA: false, transposeB: false },
      });
      const backend = call.backend as { disposeData(id: object): void };
      if (transposeA) backend.disposeData(plainA.dataId);
      if (transposeB) backend.disposeData(plainB.dataId);
      return result;
    },
  });
}
