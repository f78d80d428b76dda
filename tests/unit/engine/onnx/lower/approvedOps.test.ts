import { before, test } from "node:test";
import { startBackend } from "../../../../../src/core/tf";
import { lowerGraph, type Target } from "../../../../../src/engine/onnx/lower";
import { Calls } from "../../../../support/calls";
import { errorText } from "../../../../support/valueText";
import { onnxLines } from "../../lower/loweredLines";
import { casesByPart, caseText, type Given, graphOfCase } from "../../lower/opCases";

/*
 * What is approved: what each call becomes in ONNX. That it computes the right numbers is tested in lower/engines.test.ts.
 */

before(() => startBackend({ backend: "cpu" }));

const ways: [string, Given, Target][] = [
  ["fed", "fed", {}],
  ["webgpu", "fed", { provider: "webgpu" }],
  ["float16", "fed", { provider: "webgpu", products: "float16" }],
  ["uniform", "uniform", {}],
];

for (const [part, cases] of Object.entries(casesByPart))
  test(`what ops become in ONNX is approved: ${part}`, () => {
    const calls = new Calls();
    for (const one of cases) {
      calls.title(caseText(one));
      const seen = new Set<string>();
      for (const [name, given, target] of ways) {
        let lines: string[];
        try {
          lines = onnxLines(lowerGraph(graphOfCase(one, given), target).model);
        } catch (error) {
          lines = [`! ${errorText(error)}`];
        }
        const text = lines.join("\n");
        // What is as another way is not repeated.
        if (!seen.has(text)) calls.lines.push(`${name}:`, ...lines.map((line) => `  ${line}`));
        seen.add(text);
      }
    }
    calls.approve(`engine/onnx/lower, ${part}`);
  });
