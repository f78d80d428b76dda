import { LuvitError } from "../core/errors";
import type { tf } from "../core/tf";
import { atCallSite } from "./callSite";
import type { GraphAttributes, GraphConstant, GraphDtype, GraphNode, GraphValue } from "./ir";
import { currentBlock } from "./scopes";
import { shapeRule, type ValueInfo } from "./shapes";
import { compactData, formatValue, typedArray } from "./values";

/** Name given to every member of a list operand (Concat, Pack), which tfjs leaves unnamed. */
export const LIST_INPUT = "tensors";

type Operand = readonly [name: string, info: tf.TensorInfo];
type KernelInputs = tf.NamedTensorInfoMap | readonly tf.TensorInfo[];

/** Writes down what a traced body does: which tfjs data id stands for which graph value, and every kernel call. */
export class Recorder {
  readonly nodes: GraphNode[] = [];
  readonly constants: GraphConstant[] = [];
  private readonly values = new WeakMap<object, GraphValue>();
  private readonly madeBy = new Map<number, string>();
  private nextId = 0;

  constructor(
    /** Of the graph, for messages. */
    readonly name: string,
  ) {}

  /** A value that comes from outside: an input, a state entry. */
  declare(dataId: object, info: ValueInfo, name: string): GraphValue {
    const value = this.makeValue(info, `"${name}"`);
    this.values.set(dataId, value);
    return value;
  }

  /** From now on `dataId` stands for what `newDataId` stands for. */
  rebind(dataId: object, info: tf.TensorInfo): void {
    this.values.set(dataId, this.valueOf(info, "an assignment"));
  }

  addConstant(dataId: object, numbers: ArrayLike<number>, info: ValueInfo): void {
    const data = compactData(typedArray(info.dtype, numbers));
    const value = this.makeValue(info, "a constant");
    this.constants.push({ value, data });
    this.values.set(dataId, value);
  }

  /** One kernel call; gives back its results under new data ids. */
  addNode(op: string, inputs: KernelInputs, attributes: GraphAttributes): tf.TensorInfo[] {
    const operands = namedOperands(inputs);
    const values = operands.map(([name, info]) => this.valueOf(info, `input ${name} of ${op}`));
    const call = {
      inputs: Object.fromEntries(operands.map(([name], i) => [name, values[i]])),
      list: values,
      attributes: plainAttributes(attributes),
    };
    const result = this.applyRule(op, call, operands);
    const outputs = result.outputs.map((info) => this.makeValue(info, op));
    const block = currentBlock();
    this.nodes.push({
      op,
      inputs: values.map(({ id }) => id),
      inputNames: operands.map(([name]) => name),
      outputs,
      attributes: plainAttributes(result.attributes ?? call.attributes),
      ...(block !== undefined && { block }),
    });
    return outputs.map((value) => this.tensorInfo(value));
  }

  /**
   * The graph value behind a tensor.
   *
   * @throws LuvitError("bad-argument") for tensors made outside the trace.
   */
  valueOf(info: tf.TensorInfo, role: string): GraphValue {
    const value = this.values.get(info.dataId);
    if (value) return value;
    throw new LuvitError(
      "bad-argument",
      `trace "${this.name}": ${role} is a tensor ${formatValue(info as ValueInfo)} from outside the step${atCallSite()}; ` +
        "hand it over as an input, or name it in the state",
    );
  }

  /** The refusal to give out numbers that do not exist yet. */
  readError(dataId: object): LuvitError {
    const value = this.values.get(dataId);
    const what = value ? `${formatValue(value)} made by ${this.madeBy.get(value.id)}` : "a tensor";
    const message = `trace "${this.name}": a step must not read tensor values (${what})${atCallSite()}`;
    return new LuvitError("bad-argument", message);
  }

  private applyRule(
    op: string,
    call: Parameters<ReturnType<typeof shapeRule>>[0],
    operands: readonly Operand[],
  ) {
    try {
      return shapeRule(op)(call);
    } catch (error) {
      const given = operands.map(([name], i) => `${name} ${formatValue(call.list[i])}`).join(", ");
      const problem = `trace "${this.name}": ${op} of ${given}: ${(error as Error).message}${atCallSite()}`;
      throw new LuvitError("shape-mismatch", problem, { cause: error });
    }
  }

  private makeValue({ shape, dtype }: ValueInfo, maker: string): GraphValue {
    const value = { id: this.nextId++, shape: [...shape], dtype };
    this.madeBy.set(value.id, maker);
    return value;
  }

  private tensorInfo(value: GraphValue): tf.TensorInfo {
    const dataId = {};
    this.values.set(dataId, value);
    return { dataId, shape: [...value.shape], dtype: value.dtype };
  }
}

/** Operands with names; optional ones that are absent are left out. */
function namedOperands(inputs: KernelInputs): Operand[] {
  if (Array.isArray(inputs)) return inputs.map((info) => [LIST_INPUT, info]);
  const entries = Object.entries(inputs as tf.NamedTensorInfoMap);
  return entries.filter(([, info]) => info).map(([name, info]) => [name, info as tf.TensorInfo]);
}

/** Attributes without typed arrays and absent entries. */
function plainAttributes(attributes: GraphAttributes): GraphAttributes {
  const plain = (value: unknown): unknown =>
    Array.isArray(value) || ArrayBuffer.isView(value)
      ? Array.from(value as ArrayLike<unknown>, plain)
      : value;
  const present = Object.entries(attributes ?? {}).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  return Object.fromEntries(present.map(([name, value]) => [name, plain(value)]));
}

export const graphDtypes: readonly string[] = ["float32", "int32", "bool"] satisfies GraphDtype[];
