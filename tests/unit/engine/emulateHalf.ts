import {
  elementTypes,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
} from "../../../src/engine/onnx/model";

/*
 * What computes in float16 on a GPU, on the CPU: every number that would be float16 is a float32 rounded to float16's
 * digits. (onnxruntime's own way on the CPU leaves the rounding out where a node follows that takes more.)
 */

/** Splits a float32 into its first eleven binary digits and the rest. Reference: Dekker 1971, Veltkamp's splitting. */
const SPLIT = 2 ** 13 + 1;
/** Adding it and taking it away rounds to whole multiples of 2^-24, float16's least number. */
const LEAST = 0.75;
const [LEAST_NORMAL, OVERFLOW] = [2 ** -14, 65520];

type Half = Set<string>;

class Rounding {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: OnnxInitializer[] = [];
  private names = 0;

  constructor() {
    const numbers = {
      split: SPLIT,
      least: LEAST,
      normal: LEAST_NORMAL,
      overflow: OVERFLOW,
      infinite: Infinity,
    };
    for (const [name, number] of Object.entries(numbers))
      this.initializers.push({
        name: `half ${name}`,
        shape: [],
        dtype: "float32",
        data: Float32Array.of(number),
      });
  }

  private node(op: string, inputs: string[], output = `half ${this.names++}`): string {
    this.nodes.push({ op, domain: "", inputs, outputs: [output], attributes: {} });
    return output;
  }

  round(x: string, output: string): void {
    const large = this.node("Mul", [x, "half split"]);
    const digits = this.node("Sub", [large, this.node("Sub", [large, x])]);
    const small = this.node("Sub", [this.node("Add", [x, "half least"]), "half least"]);
    const size = this.node("Abs", [x]);
    const finite = this.node("Where", [this.node("Less", [size, "half normal"]), small, digits]);
    const infinite = this.node("Mul", [this.node("Sign", [x]), "half infinite"]);
    this.node("Where", [this.node("Less", [size, "half overflow"]), finite, infinite], output);
  }

  /** The node, its float16 results rounded. */
  apply({ op, attributes, inputs, outputs, domain }: OnnxNode, half: Half): void {
    const casts = op === "Cast";
    const isHalf = casts ? attributes.to === elementTypes.float16 : inputs.some((name) => half.has(name));
    const plain = casts && (isHalf || half.has(inputs[0]));
    const given = isHalf ? outputs.map((name) => name && `${name} exact`) : outputs;
    this.nodes.push({
      op: plain ? "Identity" : op,
      domain,
      inputs,
      outputs: given,
      attributes: plain ? {} : attributes,
    });
    if (!isHalf) return;
    for (const [i, name] of outputs.entries()) {
      half.add(name);
      this.round(given[i], name);
    }
  }
}

/** The model with float32 in place of float16, rounded at every result. */
export function emulateHalf(model: OnnxModel): OnnxModel {
  const rounding = new Rounding();
  const half: Half = new Set();
  for (const { name, dtype } of [...model.inputs, ...model.initializers])
    if (dtype === "float16") half.add(name);
  for (const node of model.nodes) rounding.apply(node, half);
  const widened = model.initializers.map((one): OnnxInitializer => {
    if (one.dtype !== "float16") return one;
    return { ...one, dtype: "float32", data: Float32Array.from(one.data as Uint16Array, halfOf) };
  });
  const typed = <Port extends { dtype: string }>(ports: readonly Port[]) =>
    ports.map((port) => ({ ...port, dtype: port.dtype === "float16" ? ("float32" as const) : port.dtype }));
  const initializers = [...widened, ...rounding.initializers];
  return {
    ...model,
    ...{ inputs: typed(model.inputs), outputs: typed(model.outputs) },
    nodes: rounding.nodes,
    initializers,
  } as OnnxModel;
}

/** The number that sixteen bits stand for. */
export function halfOf(bits: number): number {
  const [sign, exponent, mantissa] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}
