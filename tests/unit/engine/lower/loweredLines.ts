import type { OnnxModel, OnnxNode } from "../../../../src/engine/onnx/model";
import type { TfAttribute, TfNode } from "../../../../src/engine/tensorflow/graphDef";
import { valueText } from "../../../support/valueText";

const numbersOf = (data: ArrayLike<number | bigint>) => valueText(Array.from(data, Number));

export const onnxNode = ({ op, domain, inputs, outputs, attributes }: OnnxNode): string =>
  `${domain ? "ms." : ""}${op}(${inputs.join(", ")}) ${valueText(attributes)} -> ${outputs.join(", ")}`;

/** An ONNX model, a node a line. */
export function onnxLines({ nodes, inputs, outputs, initializers }: Omit<OnnxModel, "name">): string[] {
  const port = ({ name, dtype, shape }: { name: string; dtype: string; shape: readonly number[] }) =>
    `${name} ${dtype}[${shape}]`;
  return [
    `in ${inputs.map(port).join(", ")}`,
    ...initializers.map((one) => `${port(one)} = ${numbersOf(one.data)}`),
    ...nodes.map(onnxNode),
    `out ${outputs.map(port).join(", ")}`,
  ];
}

function attribute(value: TfAttribute): string {
  if (!("tensor" in value)) return valueText(Object.values(value)[0]);
  const { dtype, shape, data } = value.tensor;
  const Type = { float32: Float32Array, int32: Int32Array }[dtype as string] ?? Uint8Array;
  return `${dtype}[${shape}] ${numbersOf(new Type(Uint8Array.from(data).buffer))}`;
}

/** Nodes of TensorFlow, one a line. */
export const tensorflowLines = (nodes: readonly TfNode[]): string[] =>
  nodes.map(({ name, op, inputs, attributes }) => {
    const told = Object.entries(attributes).map(([key, value]) => `${key}=${attribute(value)}`);
    return `${name} ${op}(${inputs.join(", ")}) ${told.join(" ")}`;
  });
