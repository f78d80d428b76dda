import { before, test } from "node:test";
import { startBackend, tf } from "../../../../src/core/tf";
import { optimize } from "../../../../src/graph";
import type { Graph, GraphAttributes, GraphDtype, GraphValue } from "../../../../src/graph/ir";
import {
  AFTER,
  foldConstants,
  recomputeBlocks,
  removeDeadCode,
  shareCommonSubexpressions,
  simplify,
} from "../../../../src/graph/passes";
import { inOrderOfNeed } from "../../../../src/graph/passes/order";
import { Rewriter } from "../../../../src/graph/passes/rewriter";
import "../../../../src/nn/ops";
import { GraphWriter } from "../../engine/support";
import { GraphCalls } from "../graphCalls";

/*
 * What is approved: what each pass makes of small graphs, node by node.
 */

before(() => startBackend({ backend: "cpu" }));

type Shape = readonly number[];

/** A graph written by hand, with fewer words. */
class Sketch extends GraphWriter {
  x(name: string, shape: Shape, dtype: GraphDtype = "float32") {
    return this.input(name, shape, dtype);
  }
  /** A constant that is the same everywhere. */
  all(number: number, shape: Shape = [], dtype: GraphDtype = "float32") {
    const data = { float32: Float32Array, int32: Int32Array, bool: Uint8Array }[dtype].of(number);
    return this.constant(data, shape, dtype);
  }
  of(...numbers: number[]) {
    return this.constant(Float32Array.from(numbers), [numbers.length], "float32");
  }
  op(
    name: string,
    operands: Record<string, GraphValue> | GraphValue[],
    shape: Shape,
    attributes: GraphAttributes = {},
    dtype: GraphDtype = "float32",
  ): GraphValue {
    return this.node(name, operands, [{ shape, dtype }], attributes)[0];
  }
}

const sketch = (write: (g: Sketch) => Record<string, GraphValue>): Graph => {
  const g = new Sketch();
  for (const [name, value] of Object.entries(write(g))) g.output(name, value);
  return g.finish();
};

test("what is left out as changing nothing is approved", () => {
  const calls = new GraphCalls();
  const pass = (title: string, write: (g: Sketch) => GraphValue) =>
    calls.graph(title, () => simplify(sketch((g) => ({ y: write(g) }))));
  const neutral: [string, number][] = [
    ["Add", 0],
    ["Multiply", 1],
    ["RealDiv", 1],
    ["Sub", 0],
  ];
  for (const [op, number] of neutral) {
    pass(`x ${op} ${number}`, (g) => g.op(op, { a: g.x("x", [2, 3]), b: g.all(number) }, [2, 3]));
    pass(`${number} ${op} x`, (g) => g.op(op, { a: g.all(number), b: g.x("x", [2, 3]) }, [2, 3]));
    pass(`x ${op} ${1 - number}`, (g) => g.op(op, { a: g.x("x", [2, 3]), b: g.all(1 - number) }, [2, 3]));
    pass(`x ${op} ${number} [2,3]`, (g) =>
      g.op(op, { a: g.x("x", [2, 3]), b: g.all(number, [2, 3]) }, [2, 3]),
    );
    pass(`x [3] ${op} ${number} [2,3]`, (g) =>
      g.op(op, { a: g.x("x", [3]), b: g.all(number, [2, 3]) }, [2, 3]),
    );
    pass(`x int32 ${op} ${number}`, (g) => g.op(op, { a: g.x("x", [2], "int32"), b: g.all(number) }, [2]));
    pass(`x ${op} y`, (g) => g.op(op, { a: g.x("x", [2]), b: g.x("y", [2]) }, [2]));
    pass(`x ${op} varying`, (g) => g.op(op, { a: g.x("x", [2]), b: g.of(number, 1 - number) }, [2]));
    pass(`${number} ${op} ${number}`, (g) => g.op(op, { a: g.all(number), b: g.all(number) }, []));
  }
  pass("-0 added", (g) => g.op("Add", { a: g.x("x", [2]), b: g.all(-0) }, [2]));
  pass("Maximum 0", (g) => g.op("Maximum", { a: g.x("x", [2]), b: g.all(0) }, [2]));
  for (const op of ["Identity", "Cast", "Reshape", "Slice", "PadV2", "Tile", "Transpose", "Reverse"]) {
    const attributes = { perm: [0, 1], begin: [0, 0], size: [2, 3], shape: [2, 3], reps: [1, 1] };
    pass(`${op} of the same shape`, (g) => g.op(op, { x: g.x("x", [2, 3]) }, [2, 3], attributes));
  }
  for (const op of ["Slice", "PadV2", "Tile"])
    pass(`${op} of another shape`, (g) => g.op(op, { x: g.x("x", [2, 3]) }, [2, 4]));
  pass("Cast to another type", (g) => g.op("Cast", { x: g.x("x", [2]) }, [2], { dtype: "int32" }, "int32"));
  pass("Concat of one", (g) => g.op("Concat", [g.x("x", [2, 3])], [2, 3], { axis: 0 }));
  pass("Concat of two, one empty", (g) => g.op("Concat", [g.x("x", [2]), g.x("y", [0])], [2], { axis: 0 }));
  pass("SplitV into one", (g) =>
    g.op("SplitV", { x: g.x("x", [2, 3]) }, [2, 3], { numOrSizeSplits: [2], axis: 0 }),
  );
  pass(
    "SplitV into two",
    (g) =>
      g.node("SplitV", { x: g.x("x", [2]) }, [{ shape: [2] }, { shape: [0] }], {
        numOrSizeSplits: [2, 0],
        axis: 0,
      })[0],
  );
  pass("ExpandDims", (g) => g.op("ExpandDims", { input: g.x("x", [2, 3]) }, [2, 1, 3], { dim: 1 }));
  pass("Reshape of ExpandDims", (g) =>
    g.op("Reshape", { x: g.op("ExpandDims", { input: g.x("x", [2, 3]) }, [2, 1, 3], { dim: 1 }) }, [6], {
      shape: [6],
    }),
  );
  pass("Reshape of Reshape and back", (g) =>
    g.op("Reshape", { x: g.op("Reshape", { x: g.x("x", [2, 3]) }, [6], { shape: [6] }) }, [2, 3], {
      shape: [2, 3],
    }),
  );
  pass("three Reshapes", (g) => {
    const first = g.op("Reshape", { x: g.x("x", [2, 3]) }, [6], { shape: [6] });
    return g.op("Reshape", { x: g.op("Reshape", { x: first }, [3, 2], { shape: [3, 2] }) }, [1, 6], {
      shape: [1, 6],
    });
  });
  pass("Reshape of Exp of Reshape", (g) =>
    g.op(
      "Reshape",
      { x: g.op("Exp", { x: g.op("Reshape", { x: g.x("x", [2, 3]) }, [6], { shape: [6] }) }, [6]) },
      [2, 3],
      { shape: [2, 3] },
    ),
  );
  const twice = (first: Shape, second: Shape) =>
    pass(`Transpose ${first} then ${second}`, (g) => {
      const shape = [2, 3, 5];
      const middle = first.map((axis) => shape[axis]);
      const y = g.op("Transpose", { x: g.x("x", shape) }, middle, { perm: first });
      return g.op(
        "Transpose",
        { x: y },
        second.map((axis) => middle[axis]),
        { perm: second },
      );
    });
  twice([1, 2, 0], [2, 0, 1]);
  twice([1, 2, 0], [1, 2, 0]);
  twice([1, 0, 2], [2, 1, 0]);
  twice([2, 1, 0], [2, 1, 0]);
  for (const op of ["Max", "Mean", "Min", "Sum", "Prod"]) {
    const name = op === "Max" ? "reductionIndices" : "axis";
    pass(`${op} over ones`, (g) =>
      g.op(op, { x: g.x("x", [2, 1, 3]) }, [2, 3], { [name]: [1], keepDims: false }),
    );
    pass(`${op} over ones that stay`, (g) =>
      g.op(op, { x: g.x("x", [2, 1, 3]) }, [2, 1, 3], { [name]: [1], keepDims: true }),
    );
    pass(`${op} over two`, (g) =>
      g.op(op, { x: g.x("x", [2, 1, 3]) }, [1, 3], { [name]: [0], keepDims: false }),
    );
    pass(`${op} over ones of int32`, (g) =>
      g.op(op, { x: g.x("x", [2, 1], "int32") }, [2], { [name]: [1] }, op === "Mean" ? "float32" : "int32"),
    );
  }
  calls.approve("graph/passes, simplify");
});

test("what is worked out beforehand is approved", () => {
  const calls = new GraphCalls();
  const pass = (title: string, write: (g: Sketch) => Record<string, GraphValue>) =>
    calls.graph(title, () => foldConstants(sketch(write)));
  const one = (title: string, write: (g: Sketch) => GraphValue) => pass(title, (g) => ({ y: write(g) }));
  one("Fill", (g) => g.op("Fill", {}, [2, 3], { shape: [2, 3], value: 1.5, dtype: "float32" }));
  one("Fill of nothing", (g) => g.op("Fill", {}, [0, 3], { shape: [0, 3], value: 1.5 }));
  one("Fill with yes", (g) => g.op("Fill", {}, [2], { shape: [2], value: true, dtype: "bool" }, "bool"));
  one("ZerosLike", (g) => g.op("ZerosLike", { x: g.x("x", [2, 3], "int32") }, [2, 3], {}, "int32"));
  one("OnesLike", (g) => g.op("OnesLike", { x: g.x("x", [2, 3]) }, [2, 3]));
  one("a number taken to a large shape stays one", (g) =>
    g.op(
      "Exp",
      { x: g.op("Tile", { x: g.all(2, [1, 1]) }, [1000, 1000], { reps: [1000, 1000] }) },
      [1000, 1000],
    ),
  );
  one("sum of two numbers", (g) => g.op("Add", { a: g.all(2, [3, 1]), b: g.all(-0.5, [4]) }, [3, 4]));
  one("two equal numbers joined", (g) => g.op("Concat", [g.all(2, [3]), g.all(2, [4])], [7], { axis: 0 }));
  one("two numbers joined", (g) => g.op("Concat", [g.all(2, [3]), g.all(5, [1])], [4], { axis: 0 }));
  one("0 and -0 joined", (g) => g.op("Concat", [g.all(0, [2]), g.all(-0, [1])], [3], { axis: 0 }));
  one("a number looked up", (g) =>
    g.op("GatherV2", { x: g.all(7, [5]), indices: g.constant(Int32Array.of(3, 1), [2], "int32") }, [2], {
      axis: 0,
      batchDims: 0,
    }),
  );
  one("numbers looked up", (g) =>
    g.op("GatherV2", { x: g.of(7, 8, 9), indices: g.constant(Int32Array.of(2, 1), [2], "int32") }, [2], {
      axis: 0,
      batchDims: 0,
    }),
  );
  one("padded numbers", (g) =>
    g.op("PadV2", { x: g.all(3, [2]) }, [4], { paddings: [[1, 1]], constantValue: 0 }),
  );
  one("sum of a number", (g) => g.op("Sum", { x: g.all(0.5, [2, 3]) }, [2], { axis: [1], keepDims: false }));
  one("a reshape of varying numbers", (g) =>
    g.op("Reshape", { x: g.of(1, 2, 3, 4) }, [2, 2], { shape: [2, 2] }),
  );
  one("a comparison", (g) => g.op("Greater", { a: g.of(1, 2, 3), b: g.all(2) }, [3], {}, "bool"));
  one("a cast", (g) => g.op("Cast", { x: g.of(1.7, -1.7) }, [2], { dtype: "int32" }, "int32"));
  pass("parts", (g) => {
    const parts = g.node("SplitV", { x: g.of(1, 2, 3) }, [{ shape: [1] }, { shape: [2] }], {
      numOrSizeSplits: [1, 2],
      axis: 0,
    });
    return { first: parts[0], second: parts[1] };
  });
  pass("parts of a number", (g) => {
    const parts = g.node("Unpack", { value: g.all(4, [2, 3]) }, [{ shape: [3] }, { shape: [3] }], {
      axis: 0,
    });
    return { first: parts[0], second: parts[1] };
  });
  for (const size of [65536, 65537])
    one(`${size} varying numbers`, (g) =>
      g.op("Concat", [g.all(1, [size - 1]), g.all(2, [1])], [size], { axis: 0 }),
    );
  one("what an input takes part in", (g) =>
    g.op("Add", { a: g.x("x", [2, 3]), b: g.all(2, [2, 3]) }, [2, 3]),
  );
  one("on the left", (g) => g.op("Sub", { a: g.all(2, [2, 3]), b: g.x("x", [2, 3]) }, [2, 3]));
  one("what makes the result's shape", (g) => g.op("Add", { a: g.x("x", [3]), b: g.all(2, [2, 3]) }, [2, 3]));
  one("in three operands", (g) =>
    g.op("Select", { condition: g.x("c", [2], "bool"), t: g.all(1, [2]), e: g.all(2, [2]) }, [2]),
  );
  one("in a product", (g) =>
    g.op("BatchMatMul", { a: g.x("x", [2, 3]), b: g.all(2, [3, 2]) }, [2, 2], {
      transposeA: false,
      transposeB: false,
    }),
  );
  one("varying numbers in a sum", (g) => g.op("Add", { a: g.x("x", [3]), b: g.of(1, 2, 3) }, [3]));
  calls.approve("graph/passes, fold");
});

test("what is computed once, left out and put in order is approved", async () => {
  const calls = new GraphCalls();
  const share = (title: string, write: (g: Sketch) => Record<string, GraphValue>) =>
    calls.graph(title, () => shareCommonSubexpressions(sketch(write)));
  const two = (make: (g: Sketch, x: GraphValue, nth: number) => GraphValue) => (g: Sketch) => {
    const x = g.x("x", [2, 2]);
    return { first: make(g, x, 0), second: make(g, x, 1) };
  };
  share(
    "equal nodes",
    two((g, x) => g.op("Exp", { x }, [2, 2])),
  );
  share(
    "equal chains",
    two((g, x) => g.op("Sin", { x: g.op("Exp", { x }, [2, 2]) }, [2, 2])),
  );
  share(
    "other ops",
    two((g, x, nth) => g.op(["Exp", "Sin"][nth], { x }, [2, 2])),
  );
  share(
    "other attributes",
    two((g, x, nth) => g.op("Sum", { x }, [2], { axis: [nth], keepDims: false })),
  );
  share(
    "attributes in another order",
    two((g, x, nth) =>
      g.op("Sum", { x }, [2], nth ? { axis: [0], keepDims: false } : { keepDims: false, axis: [0] }),
    ),
  );
  share(
    "other names of operands",
    two((g, x, nth) => g.op("Sub", nth ? { a: x, b: x } : { b: x, a: x }, [2, 2])),
  );
  share("sides changed", (g) => {
    const [a, b] = [g.x("a", [2]), g.x("b", [2])];
    return { first: g.op("Add", { a, b }, [2]), second: g.op("Add", { a: b, b: a }, [2]) };
  });
  share(
    "equal numbers",
    two((g, x) => g.op("Add", { a: x, b: g.all(2) }, [2, 2])),
  );
  share(
    "other numbers",
    two((g, x, nth) => g.op("Add", { a: x, b: g.all(2 + nth) }, [2, 2])),
  );
  share(
    "numbers of another shape",
    two((g, x, nth) => g.op("Add", { a: x, b: g.all(2, nth ? [1] : []) }, [2, 2])),
  );
  share(
    "numbers of another type",
    two((g, x, nth) => g.op("Add", { a: x, b: nth ? g.all(0) : g.all(0, [], "int32") }, [2, 2])),
  );
  const long = (last: number) => [...Array.from({ length: 20 }, (_, i) => i), last];
  share(
    "equal long constants",
    two((g) => g.op("Exp", { x: g.of(...long(3)) }, [21])),
  );
  share(
    "long constants with another end",
    two((g, _, nth) => g.op("Exp", { x: g.of(...long(nth)) }, [21])),
  );
  share("several results", (g) => {
    const x = g.x("x", [3]);
    const split = () =>
      g.node("SplitV", { x }, [{ shape: [1] }, { shape: [2] }], { numOrSizeSplits: [1, 2], axis: 0 });
    return { a: split()[0], b: split()[1] };
  });
  calls.graph("nothing is needed", () =>
    removeDeadCode(
      sketch((g) => {
        g.op("Exp", { x: g.x("x", [2]) }, [2]);
        return {};
      }),
    ),
  );
  calls.graph("a chain that ends nowhere, and its constant", () =>
    removeDeadCode(
      sketch((g) => {
        const x = g.x("x", [2]);
        g.op("Add", { a: g.op("Exp", { x }, [2]), b: g.all(3) }, [2]);
        g.state("unused", [2]);
        return { y: g.op("Add", { a: x, b: g.all(5, [1]) }, [2]), x };
      }),
    ),
  );
  calls.graph("one of two results is enough", () =>
    removeDeadCode(
      sketch((g) => ({
        y: g.node("SplitV", { x: g.x("x", [3]) }, [{ shape: [1] }, { shape: [2] }], {
          numOrSizeSplits: [1, 2],
          axis: 0,
        })[1],
      })),
    ),
  );
  const node = (name: string, inputs: number[], outputs: number[]) => ({
    op: name,
    inputs,
    inputNames: inputs.map(() => "x"),
    outputs: outputs.map((id) => ({ id, shape: [], dtype: "float32" as const })),
    attributes: {},
  });
  const ops = (nodes: Parameters<typeof inOrderOfNeed>[0], helpers: Parameters<typeof inOrderOfNeed>[1]) =>
    inOrderOfNeed(nodes, helpers)
      .map(({ op }) => op)
      .join(" ");
  const [a, b, c] = [node("a", [0], [1]), node("b", [1, 21], [2]), node("c", [22, 2], [3])];
  const helpers = [node("unneeded", [1], [23]), node("late", [21], [22]), node("early", [1], [21])];
  await calls.does("order with helpers", () => ops([a, b, c], helpers));
  await calls.does("order without", () => ops([a, c, b], []));
  await calls.does("order of nodes that need later ones", () => ops([b, c, a], helpers));
  await calls.does("order of none", () => ops([], helpers));
  const graph = sketch((g) => ({ y: g.op("Add", { a: g.x("x", [2]), b: g.all(2) }, [2]) }));
  const rewriter = new Rewriter(graph);
  await calls.does("value", () => rewriter.value(0));
  await calls.does("constant", () => [rewriter.constant(0), rewriter.constant(1), rewriter.constant(9)]);
  await calls.does("maker before", () => rewriter.maker(2));
  await calls.once("new constant", () => [
    rewriter.addConstant([3], "int32", Int32Array.of(1, 2, 3)),
    rewriter.constant(3),
    rewriter.value(3),
  ]);
  await calls.once("run", () =>
    rewriter.run((one, given) => {
      given.keep({ ...one, op: "Sub" });
      given.replace(2, 3);
    }),
  );
  await calls.does("maker after", () => rewriter.maker(2)?.op);
  calls.approve("graph/passes, sharing and order");
});

/** Blocks of the forward pass by node; what is behind the last marked node is the gradients. */
function marked(graph: Graph, blocks: readonly (string | undefined)[]): Graph {
  return {
    ...graph,
    nodes: graph.nodes.map((node, i) => (blocks[i] ? { ...node, block: blocks[i] } : node)),
  };
}

test("what is computed anew for its gradients, and all passes in turn, are approved", async () => {
  const calls = new GraphCalls();
  calls.note("AFTER", AFTER);
  /** Three blocks of two ops each, then gradients of all. */
  const three = (keepInside = false, counted = false) =>
    sketch((g) => {
      const [x, w] = [g.x("x", [2, 3]), g.state("w", [2, 3])];
      const index = g.x("n", [2, 3], "int32");
      const block = (given: GraphValue) => {
        const inner = g.op("Multiply", { a: given, b: w }, [2, 3]);
        const used = counted ? g.op("Add", { a: inner, b: index }, [2, 3]) : inner;
        return { inner, out: g.op("Tanh", { x: used }, [2, 3]) };
      };
      const first = block(x);
      const second = block(first.out);
      const third = block(second.out);
      const loss = g.op("Sum", { x: third.out }, [], { axis: [0, 1], keepDims: false });
      const dy = g.op("OnesLike", { x: third.out }, [2, 3]);
      const d3 = g.op("Multiply", { a: dy, b: third.inner }, [2, 3]);
      const d2 = g.op("Multiply", { a: d3, b: second.inner }, [2, 3]);
      const d1 = g.op("Multiply", { a: g.op("Square", { x: first.inner }, [2, 3]), b: d2 }, [2, 3]);
      return { loss, d1, ...(keepInside ? { inner: first.inner } : {}) };
    });
  const names = ["one", "one", "two", "two", "three", "three"];
  calls.graph("three blocks", () => recomputeBlocks(marked(three(), names)));
  calls.graph("a value inside is a result", () => recomputeBlocks(marked(three(true), names)));
  calls.graph("with an int32 from outside", () =>
    recomputeBlocks(
      marked(three(false, true), ["one", "one", "one", "two", "two", "two", "three", "three", "three"]),
    ),
  );
  calls.graph("one block", () =>
    recomputeBlocks(marked(three(), ["one", "one", "one", "one", "one", "one"])),
  );
  calls.graph("no blocks", () => recomputeBlocks(three()));
  calls.graph("a block whose insides another one takes", () =>
    recomputeBlocks(marked(three(), ["one", "two", "two", "two", "three", "three"])),
  );
  calls.graph("a block that comes twice", () =>
    recomputeBlocks(marked(three(), ["one", "one", "two", "two", "one", "one"])),
  );
  const whole = (memory?: "keep" | "recompute") => () =>
    optimize(marked(three(), names), memory === undefined ? {} : { memory });
  calls.graph("optimize", whole());
  calls.graph("optimize, keep", whole("keep"));
  calls.graph("optimize, recompute", whole("recompute"));
  calls.graph("all passes need each other", () =>
    optimize(
      sketch((g) => {
        const x = g.x("x", [2, 3]);
        const zero = g.op(
          "Sub",
          { a: g.op("Fill", {}, [2, 3], { shape: [2, 3], value: 2 }), b: g.all(2, [2, 3]) },
          [2, 3],
        );
        const same = g.op("Add", { a: x, b: zero }, [2, 3]);
        const [a, b] = [g.op("Exp", { x: same }, [2, 3]), g.op("Exp", { x }, [2, 3])];
        const flat = g.op(
          "Reshape",
          { x: g.op("Reshape", { x: g.op("Sub", { a, b }, [2, 3]) }, [6], { shape: [6] }) },
          [3, 2],
          { shape: [3, 2] },
        );
        return { y: flat };
      }),
    ),
  );
  for (const options of [{ memory: "" }, { memory: "none" }, { memory: null }, { memories: "keep" }, 1, null])
    await calls.does(`options ${JSON.stringify(options)}`, () => optimize(three(), options as never));
  for (const graph of [undefined, {}, { nodes: [], inputs: [], state: [] }, []])
    await calls.does(`graph ${JSON.stringify(graph)}`, () => optimize(graph as never));
  calls.note("tensors left", tf.memory().numTensors);
  calls.approve("graph/passes, recompute and all");
});
