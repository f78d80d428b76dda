import { test } from "node:test";
import { lowerNodes, refuseUnknownOps, sharedRules, withoutCopies } from "../../../../src/engine/lower";
import { Call } from "../../../../src/engine/lower/call";
import { halvedValues } from "../../../../src/engine/lower/halved";
import { isSingle, type Ops, type Value } from "../../../../src/engine/lower/ops";
import { Scope } from "../../../../src/engine/lower/scope";
import { unlessSingle } from "../../../../src/engine/lower/shapes";
import { graphText } from "../../../../src/graph";
import type { Graph, GraphDtype, GraphNode, GraphValue } from "../../../../src/graph/ir";
import { Calls } from "../../../support/calls";
import { GraphWriter } from "../support";

/*
 * What is approved: what all engines' lowering shares, over operators that only write down what they are asked.
 */

/** Each call becomes its text. */
function written(): Ops<Value> {
  const shape = (value: Value) => [...value.shape];
  const named =
    (op: string) =>
    (x: Value, ...rest: unknown[]) => ({
      name: `${op}(${[x.name, ...rest.map((one) => (typeof one === "object" && one && "name" in one ? one.name : JSON.stringify(one)))].join(" ")})`,
      shape: shape(x),
      dtype: x.dtype,
    });
  const names = [
    "add",
    "sub",
    "mul",
    "div",
    "sqrt",
    "square",
    "softmax",
    "logSoftmax",
    "sum",
    "mean",
    "transpose",
    "slice",
  ];
  return {
    engine: "written",
    ...Object.fromEntries(names.map((name) => [name, named(name)])),
    scalar: (number: number, dtype = "float32") => ({ name: `${number}`, shape: [], dtype, number }),
    store: (to: readonly number[], dtype: string, data: ArrayLike<number>) => ({
      name: `<${Array.from(data)}>`,
      shape: to,
      dtype,
    }),
    cast: (x: Value, dtype: string) => (x.dtype === dtype ? x : { ...x, name: `${dtype}(${x.name})`, dtype }),
    reshape: (x: Value, to: readonly number[]) => ({
      name: `reshape(${x.name} [${to}])`,
      shape: to,
      dtype: x.dtype,
    }),
    expand: (x: Value, to: readonly number[]) =>
      `${x.shape}` === `${to}` ? x : { name: `expand(${x.name} [${to}])`, shape: to, dtype: x.dtype },
    concat: (parts: readonly Value[], axis: number) => ({
      name: `concat(${parts.map(({ name }) => name)} ${axis})`,
      shape: parts[0].shape,
      dtype: parts[0].dtype,
    }),
    split: (x: Value, lengths: readonly number[], axis: number) =>
      lengths.map((length, i) => ({
        name: `${x.name}.${i}`,
        shape: x.shape.map((one, at) => (at === axis ? length : one)),
        dtype: x.dtype,
      })),
  } as unknown as Ops<Value>;
}

const value = (name: string, shape: number[], dtype = "float32", number?: number): Value => ({
  name,
  shape,
  dtype,
  ...(number !== undefined && { number }),
});

test("scopes, calls and graphs of every engine are approved", async () => {
  const calls = new Calls();
  calls.note("rules", Object.keys(sharedRules).sort().join(" "));
  for (const shape of [[], [1], [1, 1], [0], [2], [1, 3]]) await calls.of(isSingle, { shape });
  const g = new GraphWriter();
  const [x, n, w] = [g.input("x", [2, 3]), g.input("n", [2], "int32"), g.state("w", [3, 4])];
  const [product] = g.node("BatchMatMul", { a: x, b: w }, [{ shape: [2, 4] }], {
    transposeA: false,
    transposeB: false,
  });
  const [y] = g.node("Exp", { x: product }, [{ shape: [2, 4] }], {
    axis: -1,
    axes: [0, -1],
    first: 0,
    nothing: [],
    list: null,
    single: -2,
    none: undefined,
    value: 7,
  });
  g.output("y", y);
  const graph = g.finish("own");
  for (const products of ["float32", "bfloat16"] as const) {
    const scope = new Scope(written(), graph, products);
    calls.title(`products in ${products}`);
    const define = (what: GraphValue, given: Value) =>
      calls.once(`define ${what.id} as ${given.name} ${given.dtype} [${given.shape}]`, () => {
        scope.define(what.id, given);
        return scope.stored(what.id);
      });
    await define(x, value("x", [2, 3]));
    await define(x, value("row", [1, 3]));
    await define(x, value("one", [], "float32", 2));
    await define(x, value("half", [2, 3], "bfloat16"));
    await define(x, value("wider", [3, 2]));
    await define(x, value("more", [1, 2, 3]));
    await define(n, value("floats", [2]));
    await define(n, value("number", [], "float32", 3));
    await define(w, value("w", [3, 4], "float16"));
    await define(product, value("p", [2, 4]));
    await define(y, value("wrong", [4]));
    await define(y, value("wrong", [2, 3]));
    for (const what of [x, n, w, product])
      calls.note(`value ${what.id}`, [
        scope.small(what.id),
        scope.whole(what.id),
        scope.moved(what.id),
        scope.typeOf(what.id),
        scope.producerOf(what.id)?.op,
      ]);
  }
  const scope = new Scope(written(), graph, "float32");
  for (const [what, name] of [
    [x, "x"],
    [w, "w"],
    [product, "p"],
  ] as const)
    scope.define(what.id, value(name, [...what.shape]));
  const call = new Call(scope, graph.nodes[1]);
  await calls.does("id", () => [call.id("x"), product.id]);
  await calls.does("id of none", () => call.id("y"));
  await calls.does("operands", () => [call.input("x"), call.small("x"), call.moved("x"), call.inputs()]);
  await calls.does("attribute and shape", () => [
    call.attribute("value"),
    call.attribute("missing"),
    call.shape(),
  ]);
  for (const name of ["axis", "single", "first", "missing"])
    await calls.does(`axis ${name}`, () => call.axis(name, 3));
  for (const name of ["axis", "axes", "first", "nothing", "list", "none", "missing"])
    await calls.does(`axes ${name}`, () => call.axes(name, 3));
  await calls.does("refuse", () => call.refuse("this use"));
  await calls.does("unlessSingle", () => unlessSingle(call, "x", ({ name }) => value(`other ${name}`, [])));
  scope.define(product.id, value("one", [1, 1]));
  await calls.does("unlessSingle of one", () =>
    unlessSingle(call, "x", ({ name }) => value(`other ${name}`, [])),
  );
  calls.title("graphs");
  await calls.does("known ops", () => refuseUnknownOps("it", graph, { Exp: 1, BatchMatMul: 1 }));
  await calls.does("unknown ops", () => refuseUnknownOps("it", graph, { toString: 1 }));
  await calls.does("unknown ops with advice", () => refuseUnknownOps("it", graph, { Exp: 1 }, "do without"));
  await calls.does("an op with the name of a method", () =>
    refuseUnknownOps("it", { ...graph, nodes: [{ ...graph.nodes[0], op: "toString" }] }, {}),
  );
  const lowered = (
    title: string,
    write: (h: GraphWriter) => GraphValue | GraphValue[],
    rules: object = sharedRules,
  ) =>
    calls.does(title, () => {
      const h = new GraphWriter();
      const results = [write(h)].flat();
      const own = h.finish();
      const inside = new Scope(written(), own, "float32");
      for (const { name, value: declared } of [...own.inputs, ...own.state])
        inside.define(declared.id, value(name, [...declared.shape], declared.dtype));
      lowerNodes(own, inside, rules as never);
      return results
        .map(({ id }) => inside.whole(id))
        .map(({ name, shape, dtype }) => `${name} ${dtype}[${shape}]`);
    });
  const one = (
    h: GraphWriter,
    op: string,
    operands: Record<string, GraphValue> | GraphValue[],
    shape: number[],
    attributes = {},
    dtype?: GraphDtype,
  ) => h.node(op, operands, [{ shape, dtype }], attributes)[0];
  for (const data of [[2], [2, 2], [2, 3], [0, -0], [Number.NaN, Number.NaN], []])
    await lowered(`constant ${data.map((number) => (Object.is(number, -0) ? "-0" : number))}`, (h) =>
      h.constant(Float32Array.from(data), [data.length]),
    );
  const xs = (h: GraphWriter, shape = [2, 3]) => h.input("x", shape);
  for (const [num, start, stop] of [
    [1, 2, 5],
    [2, 2, 5],
    [4, 1, -0.5],
  ])
    await lowered(`LinSpace of ${num}`, (h) => one(h, "LinSpace", {}, [num], { start, stop, num }));
  await lowered("Range", (h) => one(h, "Range", {}, [3], { start: 5, stop: -4, step: -3 }, "int32"));
  for (const op of ["OnesLike", "ZerosLike"])
    await lowered(op, (h) => one(h, op, { x: xs(h) }, [2, 3], {}, "int32"));
  await lowered("Fill", (h) => one(h, "Fill", {}, [2], { value: 2.5, shape: [2] }));
  await lowered("Identity and Cast", (h) => [
    one(h, "Identity", { x: xs(h) }, [2, 3]),
    one(h, "Cast", { x: xs(h) }, [2, 3], { dtype: "int32" }, "int32"),
  ]);
  for (const axis of [0, 1, -1, undefined]) {
    await lowered(`Concat ${axis}`, (h) =>
      one(h, "Concat", [h.input("a", [2, 2]), h.input("b", [2, 2])], [2, 2], { axis }),
    );
    await lowered(`Pack ${axis}`, (h) =>
      one(h, "Pack", [h.input("a", [2, 2]), h.input("b", [2, 2])], [2, 2, 2], { axis }),
    );
    await lowered(`Unpack ${axis}`, (h) =>
      h.node("Unpack", { value: h.input("a", [2, 2]) }, [{ shape: [2] }, { shape: [2] }], { axis }),
    );
    await lowered(`SplitV ${axis}`, (h) =>
      h.node(
        "SplitV",
        { x: h.input("a", [2, 2]) },
        axis === 0 || axis === undefined
          ? [{ shape: [1, 2] }, { shape: [1, 2] }]
          : [{ shape: [2, 1] }, { shape: [2, 1] }],
        { axis },
      ),
    );
  }
  await lowered("Reshape, ExpandDims, Transpose", (h) => [
    one(h, "Reshape", { x: xs(h) }, [6], { shape: [6] }),
    one(h, "ExpandDims", { input: xs(h) }, [2, 1, 3], { dim: 1 }),
    one(h, "Transpose", { x: xs(h, [2, 2]) }, [2, 2], { perm: [1, 0] }),
  ]);
  await lowered("the same of one number", (h) => {
    const number = h.constant(Float32Array.of(4), [2, 3]);
    return [
      one(h, "Reshape", { x: number }, [6], { shape: [6] }),
      one(h, "Transpose", { x: number }, [3, 2], { perm: [1, 0] }),
      one(h, "Slice", { x: number }, [1, 2], { begin: [0, 0], size: [1, 2] }),
    ];
  });
  for (const begin of [1, [1], [1, 2]])
    await lowered(`Slice from ${begin}`, (h) =>
      one(h, "Slice", { x: xs(h) }, [2, 3], { begin, size: [1, 1] }),
    );
  const adam = (more: object) => (h: GraphWriter) =>
    h.node(
      "LuvitAdamW",
      {
        parameter: h.input("p", [2]),
        gradient: h.input("g", [2]),
        average: h.input("m", [2]),
        squares: h.input("v", [2]),
        schedule: h.input("s", [3]),
      },
      [0, 1, 2].map(() => ({ shape: [2] })),
      { beta1: 0.75, beta2: 0.5, eps: 0.25, weightDecay: 0.125, lrScale: 0.5, ...more },
    );
  await lowered("AdamW", adam({}));
  await lowered("cross entropy", (h) =>
    one(
      h,
      "LuvitCrossEntropy",
      { logits: h.input("l", [1, 1, 1]), targets: h.input("t", [1, 1, 1]) },
      [1, 1, 1],
    ),
  );
  await lowered("its gradient", (h) =>
    one(
      h,
      "LuvitCrossEntropyGradient",
      { logits: h.input("l", [2, 4, 5]), targets: h.input("t", [2, 4, 5]), dy: h.input("dy", []) },
      [2, 4, 5],
    ),
  );
  await lowered("patch loss", (h) =>
    one(
      h,
      "LuvitPatchLoss",
      { prediction: h.input("p", [1, 1, 1]), target: h.input("t", [1, 1, 1]), mask: h.input("m", [1, 1]) },
      [1, 1, 1],
    ),
  );
  await lowered("softmax", (h) => one(h, "Softmax", { logits: xs(h) }, [2, 3], { dim: 1 }));
  await lowered("an op that gives less", (h) => one(h, "Less", { x: xs(h) }, [3, 3]), {
    Less: (its: Call<Value, Ops<Value>, Scope<Value, Ops<Value>>>) => its.input("x"),
  });
  calls.approve("engine/lower, shared");
});

test("what is left out as a copy, and what may be kept in half, is approved", () => {
  const calls = new Calls();
  const both = (title: string, write: (g: GraphWriter) => Record<string, GraphValue>) => {
    const g = new GraphWriter();
    for (const [name, output] of Object.entries(write(g))) g.output(name, output);
    const graph: Graph = g.finish();
    const lines = graphText(withoutCopies(graph)).trimEnd().split("\n").slice(1);
    const makers = new Map(
      graph.nodes.flatMap((node: GraphNode) =>
        node.outputs.map(({ id }, i) => [id, `${node.op}.${i}`] as const),
      ),
    );
    const declared = new Map([...graph.inputs, ...graph.state].map(({ name, value: { id } }) => [id, name]));
    calls.lines.push(
      `${title}:`,
      ...lines.map((line) => `  ${line}`),
      `  in half: ${[...halvedValues(graph)].map((id) => makers.get(id) ?? declared.get(id)).sort()}`,
    );
  };
  const op = (g: GraphWriter, name: string, x: GraphValue, attributes = {}, shape = x.shape) =>
    g.node(name, { x }, [{ shape, dtype: x.dtype }], attributes)[0];
  const times = (g: GraphWriter, a: GraphValue, b: GraphValue, shape = [2, 2]) =>
    g.node("BatchMatMul", { a, b }, [{ shape }], { transposeA: false, transposeB: false })[0];
  for (const name of ["Identity", "Cast", "Reshape", "Tile", "Transpose", "Slice", "Neg"])
    both(`${name} that changes nothing`, (g) => ({ y: op(g, name, g.input("x", [2, 3]), { perm: [0, 1] }) }));
  for (const shape of [[1, 5], [5, 1], [1, 1], [], [2, 2]])
    both(`Transpose of [${shape}]`, (g) => ({
      y: op(g, "Transpose", g.input("x", shape), { perm: [1, 0] }),
    }));
  both("a cast to another type", (g) => ({
    y: g.node("Cast", { x: g.input("x", [2]) }, [{ shape: [2], dtype: "int32" }], { dtype: "int32" })[0],
  }));
  both("chains, and what nobody needs", (g) => {
    const x = g.input("x", [2]);
    op(g, "Exp", op(g, "Identity", x));
    return { y: op(g, "Neg", op(g, "Reshape", op(g, "Identity", x))), x: op(g, "Identity", x) };
  });
  both("a product of products", (g) => {
    const [x, w] = [g.input("x", [2, 2]), g.state("w", [2, 2])];
    return { y: times(g, times(g, x, w), w) };
  });
  both("a product used in a sum too", (g) => {
    const [x, w] = [g.input("x", [2, 2]), g.state("w", [2, 2])];
    const p = times(g, x, w);
    return { y: times(g, p, w), z: op(g, "Exp", p) };
  });
  both("an activation between products", (g) => {
    const [x, w] = [g.input("x", [2, 2]), g.state("w", [2, 2])];
    return { y: times(g, op(g, "Exp", times(g, x, w)), w) };
  });
  both("moved on the way to a product", (g) => {
    const [x, w] = [g.input("x", [2, 2]), g.state("w", [2, 2])];
    return {
      y: times(g, op(g, "Transpose", op(g, "Reshape", op(g, "Exp", x), {}, [2, 2]), { perm: [1, 0] }), w),
    };
  });
  both("moved and given back", (g) => {
    const [x, w] = [g.input("x", [2, 2]), g.state("w", [2, 2])];
    const e = op(g, "Exp", x);
    return { y: times(g, op(g, "Transpose", e, { perm: [1, 0] }), w), e };
  });
  both("summed over rows for a bias", (g) => {
    const [x, w] = [g.input("x", [2, 2]), g.state("w", [2, 2])];
    const e = op(g, "Exp", x);
    return { y: times(g, e, w), b: op(g, "LuvitSumRows", e, {}, [2]) };
  });
  both("summed over rows only", (g) => ({
    b: op(g, "LuvitSumRows", op(g, "Exp", g.input("x", [2, 2])), {}, [2]),
  }));
  for (const name of ["Softmax", "Exp"])
    both(`${name} multiplied for its gradient`, (g) => {
      const [x, w] = [g.input("x", [2, 2]), g.state("w", [2, 2])];
      const p = op(g, name, x);
      return { y: times(g, p, w), d: g.node("Multiply", { a: p, b: x }, [{ shape: [2, 2] }])[0] };
    });
  both("parts of a product's operand", (g) => {
    const parts = g.node(
      "LuvitSplitQkv",
      { x: op(g, "Exp", g.input("x", [1, 2, 6])) },
      [0, 1, 2].map(() => ({ shape: [1, 1, 2, 2] })),
      { heads: 1 },
    );
    return { y: times(g, parts[0], parts[1], [1, 1, 2, 2]), z: times(g, parts[0], parts[2], [1, 1, 2, 2]) };
  });
  both("parts of which one is used otherwise", (g) => {
    const parts = g.node(
      "LuvitSplitQkv",
      { x: op(g, "Exp", g.input("x", [1, 2, 6])) },
      [0, 1, 2].map(() => ({ shape: [1, 1, 2, 2] })),
      { heads: 1 },
    );
    return { y: times(g, parts[0], parts[1], [1, 1, 2, 2]), z: op(g, "Exp", parts[2]) };
  });
  calls.approve("engine/lower, copies and halves");
});
