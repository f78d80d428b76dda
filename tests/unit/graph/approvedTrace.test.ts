import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { type Graph, type TraceSpec, trace } from "../../../src/graph";
import { TRACE_STACK_DEPTH } from "../../../src/graph/callSite";
import { inBlock } from "../../../src/graph/scopes";
import "../../../src/nn/ops";
import { GraphCalls, unplaced } from "./graphCalls";

/*
 * What is approved: graphs that are traced of small bodies, and refusals.
 */

before(() => startBackend({ backend: "cpu" }));

/** The value, when something has been done before it. */
const after = <T>(_done: unknown, value: T): T => value;

const x23 = { x: { shape: [2, 3] } };
type Body = (x: Tensor, w: tf.Variable) => Record<string, Tensor>;
const step = (body: Body, spec: Partial<TraceSpec> = {}): Graph =>
  trace("step", {
    inputs: x23,
    state: { w: { shape: [2, 3] } },
    body: ({ x }, { w }) => body(x, w),
    ...spec,
  });

test("what a trace writes down and what it refuses is approved", async () => {
  const calls = new GraphCalls();
  calls.graph("an input as it is", () => step((x) => ({ x })));
  calls.graph("nothing", () => step(() => ({})));
  calls.graph("state as it is, under its name and another", () => step((_, w) => ({ w, other: w })));
  calls.graph("a new value returned", () => step((x, w) => ({ w: tf.add(w, x), loss: tf.sum(x) })));
  calls.graph("a new value assigned, read again, assigned again", () =>
    step((x, w) => {
      w.assign(tf.mul(w, x));
      const read = tf.neg(w);
      w.assign(tf.add(w, 1));
      return { read };
    }),
  );
  calls.graph("element types of inputs, and bytes", () =>
    trace("types", {
      inputs: {
        a: { shape: [2], dtype: "int32" },
        b: { shape: [2], dtype: "bool" },
        c: { shape: [2], isBytes: true },
        d: { shape: [] },
      },
      state: {},
      body: ({ a, b, c, d }) => ({ y: tf.where(b, tf.add(a, c), d) }),
    }),
  );
  const bytes = trace("bytes", {
    inputs: { c: { shape: [2], isBytes: true }, d: { shape: [2], isBytes: false } },
    state: {},
    body: ({ c, d }) => ({ y: tf.add(c, d) }),
  });
  calls.note("inputs that are bytes", bytes.inputs);
  calls.graph("constants", () =>
    step((x) => ({
      y: tf.add(tf.mul(x, 2), tf.tensor([[1, 2, 3]])),
      z: tf.zeros([3, 2]),
      one: tf.ones([2], "int32"),
      yes: tf.tensor([true, false, true]),
    })),
  );
  calls.graph("lists", () =>
    step((x, w) => ({
      joined: tf.concat([x, w as Tensor, x], 1),
      packed: tf.stack([x, w as Tensor]),
      first: tf.unstack(x)[0],
      only: tf.split(x, [3], 1)[0],
    })),
  );
  calls.graph("lists of one", () =>
    step((x) => {
      const [row] = tf.unstack(tf.slice(x, [1, 0], [1, 3]));
      const [all] = tf.split(x, 1);
      return { row, all, joined: tf.stack(tf.unstack(tf.slice(x, [0, 2], [2, 1]), 1)) };
    }),
  );
  calls.graph("gradients", () =>
    step((x, w) => {
      const { value, grads } = tf.variableGrads(() => tf.sum(tf.square(tf.mul(x, w))) as tf.Scalar, [w]);
      return { loss: value, gradient: Object.values(grads)[0] };
    }),
  );
  calls.graph("the gradient of a tile is one sum", () =>
    step((x) => ({ dx: tf.grad((given) => tf.sum(tf.mul(tf.tile(given, [5, 7]), 2)))(x) })),
  );
  calls.graph("blocks", () =>
    step((x) => {
      const layer = (y: Tensor) => inBlock("blocks.0", () => tf.exp(inBlock("inner", () => tf.sin(y))));
      return { y: inBlock("blocks.1", () => tf.cos(layer(layer(tf.abs(x))))), z: tf.sum(x) };
    }),
  );
  const live = tf.tidy(() =>
    tf.keep(
      tf.variable(
        tf.tensor([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      ),
    ),
  );
  calls.graph("a live variable", () =>
    trace("live", { inputs: {}, state: { live }, body: () => after(live.assign(tf.neg(live)), {}) }),
  );
  calls.note("which keeps its numbers", live);
  live.dispose();
  const outside = tf.ones([3]);
  const stranger = tf.variable(outside);
  const refused = (title: string, body: Body, spec?: Partial<TraceSpec>) =>
    calls.does(title, () => unplaced(() => step(body, spec)));
  await refused("a tensor from outside", (x) => ({ y: tf.add(x, outside) }));
  await refused("a result from outside", () => ({ y: outside }));
  await refused("a value read", (x) => ({ y: tf.scalar(tf.sum(x).dataSync()[0]) }));
  await refused("a constant read", () => ({ y: tf.scalar(tf.scalar(3).dataSync()[0]) }));
  await refused("a state read", (_, w) => ({ y: tf.scalar(w.dataSync()[0]) }));
  await refused("a text", (x) => ({ x, y: tf.tensor(["a"]) }));
  await refused("a complex number", () => ({ y: tf.complex([1], [2]) }));
  await refused("a new variable", (x) => ({ y: tf.variable(x) }));
  await refused("another variable assigned", (x) => after(stranger.assign(tf.ones([3])), { x }));
  await refused("another shape assigned", (x, w) => after(w.assign(tf.ones([3, 2])), { x }));
  await refused("another type assigned", (x, w) => after(w.assign(tf.cast(x, "int32") as never), { x }));
  await refused("a value both assigned and returned", (x, w) => after(w.assign(x), { w: tf.neg(x) }));
  await refused("another shape returned", (x) => ({ w: tf.sum(x) }));
  await refused("another type returned", (x) => ({ w: tf.less(x, 0) }));
  await refused("an op without a rule", (x) => ({
    y: tf.image.rotateWithOffset(tf.reshape(x, [1, 2, 3, 1]), 1),
  }));
  await refused("shapes that do not fit", (x) => ({
    y: tf.engine().runKernel("Add", { a: x, b: tf.ones([4]) } as never) as Tensor,
  }));
  await refused("a trace inside", (x) =>
    after(
      step((y) => ({ y })),
      { x },
    ),
  );
  await refused("a body that throws", () => {
    throw new TypeError("of its own");
  });
  await refused("a body that waits", (async (x: Tensor) => ({ x })) as never);
  for (const results of [undefined, null, 3, { y: 3 }, { y: null }, []])
    await refused(`results ${JSON.stringify(results)}`, (() => results) as never);
  for (const spec of [
    { inputs: null },
    { inputs: { x: {} } },
    { inputs: { x: 3 } },
    ...[[-1], [2, 1.5], [Number.NaN], ["2"], 4].map((shape) => ({ inputs: { x: { shape } } })),
    { state: undefined },
    { body: undefined },
    { body: 3 },
  ])
    await refused(`with ${JSON.stringify(spec)}`, (x) => ({ x }), spec as never);
  for (const spec of [undefined, null, {}, 7])
    await calls.does(`trace ${JSON.stringify(spec)}`, () => trace("step", spec as never));
  await calls.does("inside a gradient", () =>
    unplaced(() =>
      tf.grad((y) =>
        after(
          step((x) => ({ x })),
          y,
        ),
      )(outside),
    ),
  );
  let kept: Tensor | undefined;
  step((x) => {
    kept = tf.keep(tf.neg(x));
    return { x: kept };
  });
  await calls.does("a tensor of a finished trace", () => unplaced(() => tf.abs(kept!)));
  await calls.does("and its numbers", () => unplaced(() => kept!.dataSync()));
  kept!.dispose();
  tf.dispose([outside, stranger]);
  await calls.does("a good one after all", () => step((x) => ({ x })).outputs);
  calls.note("what is left", {
    tensors: tf.memory().numTensors,
    backend: tf.getBackend(),
    depth: Error.stackTraceLimit < TRACE_STACK_DEPTH,
    own: Object.hasOwn(tf.engine(), "makeVariable"),
  });
  calls.approve("graph/trace");
});
