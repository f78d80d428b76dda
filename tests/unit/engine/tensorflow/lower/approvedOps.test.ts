import { before, test } from "node:test";
import { startBackend } from "../../../../../src/core/tf";
import { lowerGraph } from "../../../../../src/engine/tensorflow/lower";
import { TfOps } from "../../../../../src/engine/tensorflow/lower/ops";
import type { Products } from "../../../../../src/engine/tensorflow/lower/scope";
import type { Graph } from "../../../../../src/graph/ir";
import { Calls } from "../../../../support/calls";
import { errorText } from "../../../../support/valueText";
import { tensorflowLines } from "../../lower/loweredLines";
import { casesByPart, caseText, type Given, graphOfCase } from "../../lower/opCases";

/*
 * What is approved: what each call becomes in TensorFlow. That it computes the right numbers is tested in lower/engines.test.ts.
 */

before(() => startBackend({ backend: "cpu" }));

const ways: [string, Given, Products][] = [
  ["fed", "fed", "float32"],
  ["bfloat16", "fed", "bfloat16"],
  ["uniform", "uniform", "float32"],
];

function linesOf(graph: Graph, products: Products): string[] {
  const ops = new TfOps();
  const given = (name: string) => {
    const { shape, dtype } = graph.inputs.find((input) => input.name === name)!.value;
    return { name: `${name}:0`, shape, dtype };
  };
  const outputs = lowerGraph(ops, graph, given, products);
  const out = [...outputs].map(([name, value]) => `${name} = ${value.name} ${value.dtype}[${value.shape}]`);
  return [...tensorflowLines(ops.nodes), `out ${out.join(", ")}`];
}

for (const [part, cases] of Object.entries(casesByPart))
  test(`what ops become in TensorFlow is approved: ${part}`, () => {
    const calls = new Calls();
    for (const one of cases) {
      calls.title(caseText(one));
      const seen = new Set<string>();
      for (const [name, given, products] of ways) {
        let lines: string[];
        try {
          lines = linesOf(graphOfCase(one, given), products);
        } catch (error) {
          lines = [`! ${errorText(error)}`];
        }
        const text = lines.join("\n");
        // What is as another way is not repeated.
        if (!seen.has(text)) calls.lines.push(`${name}:`, ...lines.map((line) => `  ${line}`));
        seen.add(text);
      }
    }
    calls.approve(`engine/tensorflow/lower, ${part}`);
  });
