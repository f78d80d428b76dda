import {
  type ArraysByName,
  type Engine,
  type EngineName,
  type OpenEngine,
  type OpenOptions,
  onnxRuntimeProblem,
  openEagerEngine,
  openOnnxEngine,
  type Program,
  type TypedArray,
  tensorflowProblem,
} from "../../../src/engine";
import { openTensorflowEngine } from "../../../src/engine/tensorflow/executor";
import type { Graph, GraphAttributes, GraphDtype, GraphNode, GraphValue } from "../../../src/graph/ir";

/** An engine that the tests of executors run on. */
export interface TestedEngine {
  readonly engine: EngineName;
  /** For titles: "onnxruntime webgpu". */
  readonly title: string;
  readonly open: OpenEngine;
  /** Options of a test that runs it: what cannot be run here is skipped, with the reason. */
  readonly options: { readonly skip: string | false };
}

function tested(engine: EngineName, open: OpenEngine, problem?: string): TestedEngine {
  // Not to stdout, which scripts of the tests talk over.
  if (problem) console.error(`SKIPPED: everything that runs ${engine}: ${problem}`);
  return { engine, title: engine, open, options: { skip: problem ?? false } };
}

const onnxruntime = tested("onnxruntime", openOnnxEngine, onnxRuntimeProblem());

/** Options of a test that runs onnxruntime. */
export const withOnnxRuntime = onnxruntime.options;

/** Engines that compile what they run. */
export const compilingEngines: readonly TestedEngine[] = [
  onnxruntime,
  tested("tensorflow", openTensorflowEngine, tensorflowProblem()),
];

/** Every engine that runs in this process. */
export const engines: readonly TestedEngine[] = [...compilingEngines, tested("eager", openEagerEngine)];

/** One graph, opened as the program "step", with its state written. */
export async function openGraph(
  graph: Graph,
  state: ArraysByName,
  {
    guard,
    clipGradNorm,
    open = openOnnxEngine,
    ...options
  }: OpenOptions & Omit<Program, "graph"> & { open?: OpenEngine } = {},
): Promise<Engine> {
  const executor = await open({ step: { graph, guard, clipGradNorm } }, options);
  await executor.writeState(state);
  return executor;
}

/** Writes a graph by hand. */
export class GraphWriter {
  private ids = 0;
  private readonly parts = {
    inputs: [] as Graph["inputs"][number][],
    state: [] as Graph["state"][number][],
    constants: [] as Graph["constants"][number][],
    nodes: [] as GraphNode[],
    outputs: [] as Graph["outputs"][number][],
  };

  private value(shape: readonly number[], dtype: GraphDtype = "float32"): GraphValue {
    return { id: this.ids++, shape, dtype };
  }

  input(name: string, shape: readonly number[], dtype?: GraphDtype): GraphValue {
    const value = this.value(shape, dtype);
    this.parts.inputs.push({ name, value });
    return value;
  }

  state(name: string, shape: readonly number[], dtype?: GraphDtype): GraphValue {
    const value = this.value(shape, dtype);
    this.parts.state.push({ name, value });
    return value;
  }

  constant(data: TypedArray, shape: readonly number[], dtype?: GraphDtype): GraphValue {
    const value = this.value(shape, dtype);
    this.parts.constants.push({ value, data });
    return value;
  }

  /** `operands` by the kernel's names; a list is a list input. */
  node(
    op: string,
    operands: Record<string, GraphValue> | GraphValue[],
    results: { shape: readonly number[]; dtype?: GraphDtype }[],
    attributes: GraphAttributes = {},
  ): GraphValue[] {
    const entries = Object.entries(operands);
    const outputs = results.map(({ shape, dtype }) => this.value(shape, dtype));
    const inputNames = entries.map(([name]) => (Array.isArray(operands) ? "tensors" : name));
    this.parts.nodes.push({ op, inputs: entries.map(([, { id }]) => id), inputNames, outputs, attributes });
    return outputs;
  }

  output(name: string, { id }: GraphValue): void {
    this.parts.outputs.push({ name, id });
  }

  finish(name = "test"): Graph {
    return { name, ...this.parts };
  }
}
