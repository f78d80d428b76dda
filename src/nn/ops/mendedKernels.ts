import { sizeOf } from "../../core/hostTensor";
import { onBackend, type Tensor, tf } from "../../core/tf";
import { broadcastShapes } from "../../graph/shapes/rule";
import { sameShape } from "../../graph/values";
import { multiplyBatches } from "./batchedMatMul";
import { type HostMemory, wasmMemory } from "./defineOp";

/*
 * What stock tfjs 4.22 gets wrong or lacks, mended by registration rather than by a fork:
 * - the gradient of a matMul whose operands have different batch shapes (tfjs issues 8721, 8548);
 * - wasm has no UnsortedSegmentSum, which the gradient of `gather` needs;
 * - wasm copies a tensor to clone it, which the tape does for everything it saves; here it counts a reference;
 * - wasm takes the matrices of a smaller batch in turns, which is wrong where an axis of 1 is not the first;
 * - wasm multiplies transposed operands about ten times slower than plain ones, and batches with a plain loop.
 */

type Kernel = NonNullable<ReturnType<typeof tf.getKernel>>;
type KernelArguments = Parameters<Kernel["kernelFunc"]>[0];

onBackend((backend) => {
  registerBroadcastSafeMatMulGradient();
  if (backend !== "wasm") return;
  registerSegmentSum(wasmMemory);
  registerFastMatMul(wasmMemory);
  registerSharedIdentity();
});

function registerBroadcastSafeMatMulGradient(): void {
  tf.registerGradient({
    kernelName: "BatchMatMul",
    inputsToSave: ["a", "b"],
    gradFunc: (upstream, saved, attributes) => {
      const dy = upstream as Tensor;
      const [a, b] = saved;
      const { transposeA, transposeB } = attributes as unknown as {
        transposeA: boolean;
        transposeB: boolean;
      };
      return {
        a: () =>
          sumToShape(
            transposeA ? tf.matMul(b, dy, transposeB, true) : tf.matMul(dy, b, false, !transposeB),
            a,
          ),
        b: () =>
          sumToShape(
            transposeB ? tf.matMul(dy, a, true, transposeA) : tf.matMul(a, dy, !transposeA, false),
            b,
          ),
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
      const width = sizeOf(rowShape);
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

function registerSharedIdentity(): void {
  tf.unregisterKernel("Identity", "wasm");
  tf.registerKernel({
    kernelName: "Identity",
    backendName: "wasm",
    kernelFunc: ({ inputs, backend }) => {
      const { x } = inputs as Record<string, tf.TensorInfo>;
      (backend as { incRef(id: object): void }).incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    },
  });
}

interface MatMulCall {
  a: tf.TensorInfo;
  b: tf.TensorInfo;
  transposeA: boolean;
  transposeB: boolean;
  backend: { disposeData(id: object): void };
}

/** One matrix each: transpose explicitly, then the stock kernel. Equal batches: our SIMD kernel. Else: matrix by matrix. */
function registerFastMatMul(memory: HostMemory): void {
  const stock = tf.getKernel("BatchMatMul", "wasm")!;
  tf.unregisterKernel("BatchMatMul", "wasm");
  tf.registerKernel({
    ...stock,
    kernelFunc: (call: KernelArguments) => {
      const matMul = { ...call.inputs, ...call.attrs, backend: call.backend } as unknown as MatMulCall;
      const [batchShape, otherShape] = [matMul.a, matMul.b].map(({ shape }) => shape.slice(0, -2));
      const batch = sizeOf(batchShape);
      if (!sameShape(batchShape, otherShape)) {
        if (batch === 1 || sizeOf(otherShape) === 1) return stock.kernelFunc(call);
        return multiplyBroadcast(matMul, broadcastShapes(batchShape, otherShape), memory);
      }
      return batch > 1 ? multiplyOnHost(matMul, batch, memory) : multiplyUntransposed(matMul, stock);
    },
  });
}

/** Rows and columns of a factor's matrices. */
function dimensions({ shape }: tf.TensorInfo, transposed: boolean): [number, number] {
  const [first, second] = shape.slice(-2);
  return transposed ? [second, first] : [first, second];
}

/** Batches whose shapes meet by broadcasting. */
function multiplyBroadcast(
  { a, b, transposeA, transposeB, backend }: MatMulCall,
  shape: readonly number[],
  memory: HostMemory,
) {
  const [m, k] = dimensions(a, transposeA);
  const [, n] = dimensions(b, transposeB);
  const output = memory.allocate(backend, { shape: [...shape, m, n], dtype: "float32" });
  const [left, right, product] = [a, b, output].map((info) => memory.view(backend, info) as Float32Array);
  const [places, others] = [a, b].map((info) => placesOf(info.shape.slice(0, -2), shape));
  for (let i = 0; i < places.length; i++) {
    const [from, to] = [places[i] * m * k, others[i] * k * n];
    multiplyBatches(
      { values: left.subarray(from, from + m * k), rows: m, columns: k, transposed: transposeA },
      { values: right.subarray(to, to + k * n), rows: k, columns: n, transposed: transposeB },
      product.subarray(i * m * n, (i + 1) * m * n),
      1,
    );
  }
  return output;
}

/** For each place of a broadcast shape that of the operand of shape `own`. */
function placesOf(own: readonly number[], shape: readonly number[]): number[] {
  const extra = shape.length - own.length;
  let places = [0];
  for (const [axis, length] of shape.entries()) {
    const width = axis < extra ? 1 : own[axis - extra];
    const step = width === 1 ? 0 : 1;
    places = places.flatMap((place) => Array.from({ length }, (_, i) => place * width + i * step));
  }
  return places;
}

function multiplyOnHost(
  { a, b, transposeA, transposeB, backend }: MatMulCall,
  batch: number,
  memory: HostMemory,
) {
  const [m, k] = dimensions(a, transposeA);
  const [, n] = dimensions(b, transposeB);
  const output = memory.allocate(backend, { shape: [...a.shape.slice(0, -2), m, n], dtype: "float32" });
  const values = (info: tf.TensorInfo) => memory.view(backend, info) as Float32Array;
  multiplyBatches(
    { values: values(a), rows: m, columns: k, transposed: transposeA },
    { values: values(b), rows: k, columns: n, transposed: transposeB },
    values(output),
    batch,
  );
  return output;
}

function multiplyUntransposed({ a, b, transposeA, transposeB, backend }: MatMulCall, stock: Kernel) {
  const transpose = tf.getKernel("Transpose", "wasm")!;
  const swapLastAxes = (x: tf.TensorInfo): tf.TensorInfo => {
    const rank = x.shape.length;
    const perm = [...Array(rank - 2).keys(), rank - 1, rank - 2];
    return transpose.kernelFunc({ inputs: { x }, attrs: { perm }, backend } as never) as tf.TensorInfo;
  };
  const plainA = transposeA ? swapLastAxes(a) : a;
  const plainB = transposeB ? swapLastAxes(b) : b;
  const attrs = { transposeA: false, transposeB: false };
  const result = stock.kernelFunc({ inputs: { a: plainA, b: plainB }, attrs, backend } as never);
  if (transposeA) backend.disposeData(plainA.dataId);
  if (transposeB) backend.disposeData(plainB.dataId);
  return result;
}
