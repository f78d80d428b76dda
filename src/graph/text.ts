import { checkOptions } from "../core/options";
import type { Graph, GraphAttributes, GraphConstant, GraphNode, GraphValue } from "./ir";
import { graphField } from "./options";
import { uniformValue } from "./values";

/** Constants of at most this many numbers are written out. */
const SHOWN_NUMBERS = 8;

/**
 * A graph as text, one node a line:
 * `%12 float32[8,197,768] = LuvitLayerNorm(x=%11, weight=@blocks.0.norm1.weight, bias=@…) {eps=0.000001}`.
 * A node of a block's forward pass ends with ` in blocks.0`. Values are numbered in order of definition, so that equal
 * graphs print alike whatever their ids. Inputs and state go by name (@), uniform constants by value, other constants
 * by number (#).
 */
export function graphText(graph: Graph): string {
  checkOptions("graphText", graphField, graph);
  const names = nameValues(graph);
  const declare = (kind: string, value: GraphValue) => `${kind} ${names.get(value.id)} ${typeText(value)}`;
  return [
    `graph ${graph.name}`,
    ...graph.inputs.map(({ value }) => declare("input", value)),
    ...graph.state.map(({ value }) => declare("state", value)),
    ...graph.constants
      .filter((constant) => uniformValue(constant) === undefined)
      .map((constant) => `${declare("constant", constant.value)} = ${dataText(constant)}`),
    ...graph.nodes.map((node) => nodeText(node, names)),
    ...graph.outputs.map(({ name, id }) => `output ${name} = ${names.get(id)}`),
    "",
  ].join("\n");
}

function nameValues({ inputs, state, constants, nodes }: Graph): Map<number, string> {
  const names = new Map<number, string>();
  for (const { name, value } of [...inputs, ...state]) names.set(value.id, `@${name}`);
  let varying = 0;
  for (const constant of constants) {
    const uniform = uniformValue(constant);
    names.set(
      constant.value.id,
      uniform === undefined ? `#${varying++}` : uniformText(uniform, constant.value),
    );
  }
  for (const [i, value] of nodes.flatMap((node) => node.outputs).entries()) names.set(value.id, `%${i}`);
  return names;
}

/** "0.125"; with its type where it is not a float32 scalar: "1:float32[8,197]". */
function uniformText(number: number, value: GraphValue): string {
  const isPlain = value.dtype === "float32" && value.shape.length === 0;
  return isPlain ? numberText(number) : `${numberText(number)}:${typeText(value)}`;
}

const typeText = ({ dtype, shape }: GraphValue) => `${dtype}[${shape.join(",")}]`;

/** At most nine digits, which tell any two float32 apart. */
function numberText(number: number): string {
  return Object.is(number, -0) ? "-0" : String(Number(number.toPrecision(9)));
}

function dataText({ data }: GraphConstant): string {
  const shown = Array.from(data.subarray(0, SHOWN_NUMBERS), numberText).join(",");
  return data.length > SHOWN_NUMBERS ? `[${shown},…${data.length} numbers]` : `[${shown}]`;
}

function nodeText(
  { op, inputs, inputNames, outputs, attributes, block }: GraphNode,
  names: Map<number, string>,
): string {
  const results = outputs.map((value) => `${names.get(value.id)} ${typeText(value)}`).join(", ");
  const operands = inputs.map((id, i) => `${inputNames[i]}=${names.get(id)}`).join(", ");
  const place = block === undefined ? "" : ` in ${block}`;
  return `${results} = ${op}(${operands})${attributesText(attributes)}${place}`;
}

function attributesText(attributes: GraphAttributes): string {
  const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return "";
  return ` {${entries.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")}}`;
}
