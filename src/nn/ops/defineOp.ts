import { sizeOf } from "../../core/hostTensor";
import { ownOpRules } from "../../core/opRegistry";
import { checkOptions } from "../../core/options";
import { type BackendName, onBackend, type Tensor, tensorField, tf } from "../../core/tf";

/** Shape and element type of an operand or result. */
export interface OperandInfo {
  shape: number[];
  dtype: "float32" | "int32";
}

type NumberArray = Float32Array | Int32Array;

/**
 * One op of our own. The three faces of an op stand side by side: the shape rule (what a tracer needs), the eager loop
 * over host memory (cpu and wasm), and the same thing written in stock tfjs ops (every other backend).
 */
export interface OpDefinition<Inputs extends string, Attributes> {
  name: string;
  inputs: readonly Inputs[];
  /** Shapes of the results from the shapes of the inputs. */
  outputs(inputs: Record<Inputs, OperandInfo>, attributes: Attributes): OperandInfo[];
  /** Fills `results`; operands and results are row-major. */
  compute(
    operands: Record<Inputs, NumberArray>,
    results: Float32Array[],
    shapes: Record<Inputs, number[]>,
    attributes: Attributes,
  ): void;
  /** The same in stock ops. */
  composite(operands: Record<Inputs, Tensor>, attributes: Attributes): Tensor[];
  /** Gradient towards each differentiable input, lazily; inputs named in `saved` are given back. */
  gradient?: {
    saved: readonly Inputs[];
    /** Gradients by input name; each is computed only if asked for. `upstreams` has one gradient per result. */
    backward(
      upstream: Tensor,
      saved: Record<Inputs, Tensor>,
      attributes: Attributes,
      upstreams: Tensor[],
    ): { [Name in Inputs]?: () => Tensor };
  };
}

/** Every op defined so far, by name. */
export const definedOps = ownOpRules as unknown as Map<string, OpDefinition<string, object>>;

/** Registers an op with tfjs (kernels for the chosen backend, gradient for all) and returns the function that runs it. */
export function defineOp<Inputs extends string, Attributes extends object>(
  op: OpDefinition<Inputs, Attributes>,
): (operands: Record<Inputs, Tensor>, attributes: Attributes) => Tensor[] {
  definedOps.set(op.name, op as unknown as OpDefinition<string, object>);
  onBackend((backendName) => registerKernel(op, backendName));
  if (op.gradient) registerGradient(op, op.gradient);
  return (operands, attributes) => {
    for (const [index, name] of op.inputs.entries()) {
      // Those behind the first may be left out.
      if (index === 0 || operands[name] !== undefined) checkOptions(op.name, tensorField, operands[name]);
    }
    const result = tf.engine().runKernel(op.name, operands as never, attributes as never) as unknown;
    return (Array.isArray(result) ? result : [result]) as Tensor[];
  };
}

function registerGradient<Inputs extends string, Attributes extends object>(
  op: OpDefinition<Inputs, Attributes>,
  gradient: NonNullable<OpDefinition<Inputs, Attributes>["gradient"]>,
): void {
  tf.registerGradient({
    kernelName: op.name,
    inputsToSave: [...gradient.saved],
    gradFunc: (upstream, savedList, attributes) => {
      const all = Array.isArray(upstream) ? upstream : [upstream];
      const saved = Object.fromEntries(gradient.saved.map((name, i) => [name, savedList[i]]));
      const gradients = gradient.backward(
        all[0],
        saved as Record<Inputs, Tensor>,
        attributes as Attributes,
        all,
      );
      return gradients as Record<string, () => Tensor>;
    },
  });
}

function registerKernel<Inputs extends string, Attributes extends object>(
  op: OpDefinition<Inputs, Attributes>,
  backendName: BackendName,
): void {
  const host = backendName === "wasm" ? wasmMemory : backendName === "cpu" ? cpuMemory : undefined;
  tf.registerKernel({
    kernelName: op.name,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) => {
      const operands = inputs as Record<Inputs, tf.TensorInfo>;
      const attributes = attrs as unknown as Attributes;
      if (!host) return tf.tidy(() => op.composite(operands as never, attributes) as tf.Tensor[]);
      const infos = operands as unknown as Record<Inputs, OperandInfo>;
      const outputs = op.outputs(infos, attributes).map((info) => host.allocate(backend, info));
      const arrays = {} as Record<Inputs, NumberArray>;
      const shapes = {} as Record<Inputs, number[]>;
      for (const name of op.inputs) {
        if (!operands[name]) continue;
        arrays[name] = host.view(backend, operands[name]);
        shapes[name] = operands[name].shape;
      }
      // Views are taken after every allocation: growing the wasm heap replaces its buffer.
      const results = outputs.map((info) => host.view(backend, info) as Float32Array);
      op.compute(arrays, results, shapes, attributes);
      return outputs.length === 1 ? outputs[0] : outputs;
    },
  });
}

/** Access to a backend's tensors as host arrays. */
export interface HostMemory {
  allocate(backend: unknown, info: OperandInfo): tf.TensorInfo;
  view(backend: unknown, info: tf.TensorInfo): NumberArray;
}

interface WasmBackend {
  makeOutput(shape: number[], dtype: string): tf.TensorInfo;
  typedArrayFromHeap(info: tf.TensorInfo): NumberArray;
}

interface CpuBackend {
  data: { get(id: object): { values: NumberArray } };
  makeTensorInfo(shape: number[], dtype: string, values: NumberArray): tf.TensorInfo;
}

export const wasmMemory: HostMemory = {
  allocate: (backend, info) => (backend as WasmBackend).makeOutput(info.shape, info.dtype),
  view: (backend, info) => (backend as WasmBackend).typedArrayFromHeap(info),
};

export const cpuMemory: HostMemory = {
  allocate: (backend, info) => {
    const size = sizeOf(info.shape);
    const values = info.dtype === "int32" ? new Int32Array(size) : new Float32Array(size);
    return (backend as CpuBackend).makeTensorInfo(info.shape, info.dtype, values);
  },
  view: (backend, info) => (backend as CpuBackend).data.get(info.dataId).values,
};
