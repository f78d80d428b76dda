import assert from "node:assert/strict";
import { test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import type { EngineName } from "../../../src/engine";
import { compilingEngines, GraphWriter, openGraph } from "./support";

/** Calls of tfjs's kernels that an engine's own op would take for something else, and how they are refused. */
const calls: Record<
  string,
  { engines: readonly EngineName[]; said: RegExp; write: (graph: GraphWriter) => void }
> = {
  "a choice whose condition has fewer axes": {
    engines: ["onnxruntime", "tensorflow"],
    said: /Select.*a condition of lower rank/,
    write: (graph) => {
      const condition = graph.input("condition", [2], "bool");
      const [t, e] = ["t", "e"].map((name) => graph.input(name, [2, 2]));
      graph.output("y", graph.node("Select", { condition, t, e }, [{ shape: [2, 2] }])[0]);
    },
  },
  "a look-up in batches before another axis": {
    engines: ["onnxruntime"],
    said: /GatherV2.*batchDims 1 with axis 2/,
    write: (graph) => {
      const [x, indices] = [graph.input("x", [2, 3, 4]), graph.input("indices", [2, 1], "int32")];
      const attributes = { axis: 2, batchDims: 1 };
      graph.output("y", graph.node("GatherV2", { x, indices }, [{ shape: [2, 3, 1] }], attributes)[0]);
    },
  },
  "a convolution channel by channel with unequal strides": {
    engines: ["tensorflow"],
    said: /DepthwiseConv2dNative.*a stride of 2 down and 1 across/,
    write: (graph) => {
      const [x, filter] = [graph.input("x", [1, 6, 6, 2]), graph.input("filter", [3, 3, 2, 1])];
      const attributes = { strides: [2, 1], pad: "valid", dilations: [1, 1] };
      const output = { shape: [1, 2, 4, 2] };
      graph.output("y", graph.node("DepthwiseConv2dNative", { x, filter }, [output], attributes)[0]);
    },
  },
};

for (const { engine, open, options } of compilingEngines) {
  for (const [what, { engines, said, write }] of Object.entries(calls)) {
    if (!engines.includes(engine)) continue;
    test(`${engine} refuses ${what}, by name`, options, async () => {
      const writer = new GraphWriter();
      write(writer);
      await assert.rejects(openGraph(writer.finish(), {}, { threads: 1, open }), (error: unknown) => {
        assert.ok(error instanceof LuvitError, `${error}`);
        assert.equal(error.code, "engine");
        assert.match(error.message, said);
        return true;
      });
    });
  }
}
