import type { Graph, GraphInput } from "../../../graph/ir";
import { lowerNodes, refuseUnknownOps, withoutCopies } from "../../lower";
import { int8Inputs } from "../int8/weights";
import type { OnnxDtype, OnnxModel, OnnxNode, OnnxValueInfo } from "../model";
import type { OnnxValue } from "./builder";
import { OnnxOps } from "./ops";
import { rules } from "./rules";
import { inRunOrder } from "./runOrder";
import { type Products, Scope } from "./scope";
import { WebgpuOps } from "./webgpu/ops";
import { webgpuRules } from "./webgpu/rules";

/** A graph as an ONNX model. Its inputs are the graph's inputs and state, its outputs the graph's, by name. */
export interface LoweredGraph {
  readonly model: OnnxModel;
  /** The model's name of each result, by the graph's name of it: a state entry's new value needs a name of its own. */
  readonly outputNames: ReadonlyMap<string, string>;
}

/** What a graph is lowered for. */
export interface Target {
  readonly provider?: string;
  /** State entries that are kept in eight bits. */
  readonly int8?: ReadonlySet<string>;
  /** Default float32. */
  readonly products?: Products;
  /** State entries that are kept in the products' type. */
  readonly halved?: ReadonlySet<string>;
}

/**
 * Writes a traced graph as an ONNX model. State entries named in `int8` are fed as `int8Inputs` says.
 *
 * @throws LuvitError("engine") naming the ops that have no rule.
 */
export function lowerGraph(traced: Graph, target: Target = {}): LoweredGraph {
  const { provider = "cpu", int8 = new Set(), products = "float32", halved = new Set() } = target;
  const graph = withoutCopies(traced);
  const [ops, known] = provider === "webgpu" ? [new WebgpuOps(), webgpuRules] : [new OnnxOps(), rules];
  refuseUnknownOps(ops.engine, graph, known, ops.advice);
  const scope = new Scope(ops, graph, products);
  const inputs = [...graph.inputs, ...graph.state].flatMap((input) => {
    if (int8.has(input.name)) return declareInt8(scope, input);
    return declare(scope, input, halved.has(input.name) ? products : input.value.dtype);
  });
  lowerNodes(graph, scope, known);
  const results = graph.outputs.map(({ name, id }) => ({ name, value: scope.whole(id) }));
  const names = new ResultNames(ops, inputs);
  const outputs = results.map(({ name, value }) => names.give(value, name));
  const outputNames = new Map(results.map(({ name }, i) => [name, outputs[i].name]));
  return { model: assemble(graph, ops, inputs, outputs, names.renamed), outputNames };
}

function declare(scope: Scope, { name, value }: GraphInput, dtype: OnnxDtype): OnnxValueInfo[] {
  const info = { name, shape: value.shape, dtype };
  scope.define(value.id, info);
  return [info];
}

function declareInt8(scope: Scope, input: GraphInput): OnnxValueInfo[] {
  const infos = int8Inputs(input);
  scope.int8.set(input.value.id, infos);
  return [infos.rows, infos.columns, infos.scales];
}

/** The model's names of results: `<name>'`, free of the names of state entries. A value made for it is renamed. */
class ResultNames {
  /** New names of values, by the names the rules gave them. */
  readonly renamed = new Map<string, string>();

  constructor(
    private readonly ops: OnnxOps,
    inputs: readonly OnnxValueInfo[],
  ) {
    for (const { name } of inputs) this.renamed.set(name, name);
    for (const name of ops.initializers.keys()) this.renamed.set(name, name);
  }

  give({ name: value, shape, dtype }: OnnxValue, name: string): OnnxValueInfo {
    const info = { name: `${name}'`, shape, dtype };
    if (this.renamed.has(value)) {
      const [inputs, outputs] = [[value], [info.name]];
      this.ops.nodes.push({ op: "Identity", domain: "", inputs, outputs, attributes: {} });
      this.renamed.set(info.name, info.name);
    } else {
      this.renamed.set(value, info.name);
    }
    return info;
  }
}

/** Drops what no output needs, and inputs with it. The parts of a Split must all be named: none is optional. */
function assemble(
  { name }: Graph,
  ops: OnnxOps,
  inputs: readonly OnnxValueInfo[],
  outputs: readonly OnnxValueInfo[],
  renamed: ReadonlyMap<string, string>,
): OnnxModel {
  const needed = new Set(outputs.map((output) => output.name));
  const rename = (value: string) => renamed.get(value) ?? value;
  const nodes: OnnxNode[] = [];
  for (const node of [...ops.nodes].reverse()) {
    const [operands, results] = [node.inputs.map(rename), node.outputs.map(rename)];
    if (!results.some((value) => needed.has(value))) continue;
    for (const value of operands) needed.add(value);
    nodes.push({
      ...node,
      inputs: operands,
      // Split has no optional result, and of the others none the first.
      outputs: results.map((value, i) => (i === 0 || needed.has(value) || node.op === "Split" ? value : "")),
    });
  }
  return {
    name,
    nodes: inRunOrder(nodes.reverse()),
    inputs: inputs.filter((input) => needed.has(input.name)),
    outputs,
    initializers: [...ops.initializers.values()].filter((constant) => needed.has(constant.name)),
  };
}
