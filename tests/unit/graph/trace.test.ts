import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { graphText, interpret, trace } from "../../../src/graph";
import { Linear } from "../../../src/nn";
import { Parameter } from "../../../src/nn/parameter";
import { assertNoLeak, isLuvitError, randomTensor } from "../nn/support";
import { traceOf } from "./support";

before(async () => {
  await startBackend();
});

const scalarState = { w: { shape: [] } };

describe("what a trace gives", () => {
  test("a small graph as text", () => {
    const graph = trace("square", {
      inputs: { x: { shape: [2, 3] }, rows: { shape: [2], dtype: "int32" } },
      state: { w: { shape: [4, 3] } },
      body: ({ x, rows }, { w }) => {
        const [loss, [gradient]] = valueAndGradients(() => {
          const y = tf.matMul(x as tf.Tensor2D, w as unknown as tf.Tensor2D, false, true);
          return tf.sum(tf.mul(tf.square(y), tf.tensor([1, 2, 3, 4])));
        }, [w]);
        return { loss, picked: tf.gather(x, rows as tf.Tensor1D), w: tf.sub(w, tf.mul(gradient, 0.5)) };
      },
    });
    const lines = graphText(graph).split("\n");
    assert.deepEqual(lines.slice(0, 9), [
      "graph square",
      "input @x float32[2,3]",
      "input @rows int32[2]",
      "state @w float32[4,3]",
      "constant #0 float32[4] = [1,2,3,4]",
      "%0 float32[2,4] = BatchMatMul(a=@x, b=@w) {transposeA=false, transposeB=true}",
      "%1 float32[2,3] = Identity(x=@x)",
      "%2 float32[4,3] = Identity(x=@w)",
      "%3 float32[2,4] = Square(x=%0)",
    ]);
    assert.match(lines.at(-4)!, /^output loss = %\d+$/);
    assert.equal(graphText(graph), graphText(structuredClone(graph)));
  });

  test("assignments to state become outputs, later reads see them, the live variable keeps its value", () => {
    const live = tf.variable(tf.scalar(3));
    const graph = trace("assign", {
      inputs: { x: { shape: [] } },
      state: { live, ...scalarState },
      body: ({ x }, { w }) => {
        live.assign(tf.mul(live, x));
        w.assign(tf.add(w, live));
        return {};
      },
    });
    assert.deepEqual(
      graph.outputs.map(({ name }) => name),
      ["live", "w"],
    );
    assert.equal(live.dataSync()[0], 3);
    tf.tidy(() => {
      const result = interpret(graph, { inputs: { x: tf.scalar(2) }, state: { live, w: tf.scalar(10) } });
      assert.deepEqual([result.live.dataSync()[0], result.w.dataSync()[0]], [6, 16]);
    });
    live.dispose();
  });

  test("parameters by substitutes: their memory is not made", () => {
    const layer = new Linear(3, 2, new Rng(0));
    const graph = trace("linear", {
      inputs: { x: { shape: [5, 3] } },
      state: { weight: { shape: [2, 3] }, bias: { shape: [2] } },
      body: ({ x }, { weight, bias }) =>
        Parameter.withSubstitutes(
          [
            [layer.weight, weight],
            [layer.bias!, bias],
          ],
          () => ({ y: layer.forward(x) }),
        ),
    });
    assertNoLeak(() => layer.weight.value, 1);
    const x = randomTensor([5, 3]);
    const fed = { inputs: { x }, state: { weight: layer.weight.value, bias: layer.bias!.value } };
    assert.deepEqual(interpret(graph, fed).y.dataSync(), layer.forward(x).dataSync());
  });

  test("uniform constants hold one number, attributes are complete", () => {
    const graph = traceOf([[2, 3]], (x) => [
      tf.add(x, tf.ones([2, 3])),
      tf.sum(x, -1),
      tf.transpose(x),
      tf.reshape(x, [3, -1]),
      tf.slice(x, [0, 1], [-1, 2]),
    ]);
    assert.deepEqual(graph.constants[0].data, Float32Array.of(1));
    assert.deepEqual(
      graph.nodes.map(({ attributes }) => attributes),
      [
        {},
        { axis: [1], keepDims: false },
        { perm: [1, 0] },
        { shape: [3, 2] },
        { begin: [0, 1], size: [2, 2] },
      ],
    );
  });
});

describe("what a trace leaves behind", () => {
  const { assign } = tf.Variable.prototype;

  function assertUntouched(body: () => void): void {
    const backend = tf.getBackend();
    const gradient = tf.getGradient("Tile");
    const x = randomTensor([2, 2]);
    const values = x.dataSync().slice();
    const variables = Object.keys(tf.engine().registeredVariables).length;
    const { numTensors, numBytes, numDataBuffers } = tf.memory();
    const depth = Error.stackTraceLimit;
    assertNoLeak(body);
    const after = tf.memory();
    assert.deepEqual(
      [after.numTensors, after.numBytes, after.numDataBuffers],
      [numTensors, numBytes, numDataBuffers],
    );
    assert.equal(tf.getBackend(), backend);
    assert.equal(tf.getGradient("Tile"), gradient);
    assert.equal(tf.Variable.prototype.assign, assign);
    assert.equal(Object.keys(tf.engine().registeredVariables).length, variables);
    assert.equal(Error.stackTraceLimit, depth);
    assert.deepEqual(x.dataSync(), values);
    assert.deepEqual(
      tf.add(x, x).dataSync(),
      values.map((value) => 2 * value),
    );
  }

  const step = (loss: (w: Tensor) => Tensor) => () =>
    trace("step", {
      inputs: {},
      state: { w: { shape: [3] } },
      body: (_, { w }) => ({ g: valueAndGradients(() => loss(w), [w])[1][0] }),
    });

  test("nothing, after a gradient", () => assertUntouched(step((w) => tf.sum(tf.tile(tf.square(w), [7])))));

  test("nothing, after errors outside and inside a gradient", () => {
    const failing = (loss: (w: Tensor) => Tensor) => () => assert.throws(step(loss));
    assertUntouched(() => assert.throws(() => traceOf([[2]], (x) => tf.tensor(x.dataSync()))));
    assertUntouched(failing((w) => tf.sum(tf.mul(tf.square(w), tf.square(w).dataSync()[0]))));
    assertUntouched(failing((w) => tf.sum(tf.mul(tf.square(w), tf.variable(tf.zeros([3]))))));
    assertUntouched(failing((w) => tf.sum(tf.topk(tf.square(w), 2).values)));
  });
});

describe("what a trace refuses, and where", () => {
  const refuses = (
    body: (x: Tensor) => Tensor,
    code: Parameters<typeof isLuvitError>[0],
    ...texts: string[]
  ) => assert.throws(() => traceOf([[2, 3]], body), isLuvitError(code, ...texts, "trace.test"));

  test("reading values", () => {
    refuses(
      (x) => tf.mul(x, tf.exp(x).dataSync()[0]),
      "bad-argument",
      "must not read tensor values",
      "float32[2, 3] made by Exp",
    );
    refuses((x) => tf.mul(x, x.arraySync() as never), "bad-argument", 'made by "x0"');
  });

  test("an op without a shape rule", () => {
    refuses((x) => tf.cumprod(x), "engine", "no shape rule for the op Cumprod");
  });

  test("shapes that do not fit", () => {
    refuses((x) => tf.add(x, tf.tensor([1, 2])), "shape-mismatch", "Add of a float32[2, 3], b float32[2]");
    refuses((x) => tf.concat([x, tf.zeros([2, 4])], 0), "shape-mismatch", "[2,3], [2,4] differ off axis 0");
  });

  test("tensors and variables from outside", () => {
    const outside = tf.tensor([1, 2, 3]);
    const variable = tf.variable(outside);
    refuses(
      (x) => tf.add(x, outside),
      "bad-argument",
      "input b of Add is a tensor float32[3] from outside the step",
    );
    refuses((x) => tf.add(x, variable), "bad-argument", "name it in the state");
    const assigns = (x: Tensor) => {
      variable.assign(tf.sum(x, 0));
      return x;
    };
    refuses(assigns, "bad-argument", "assign to a variable that is not named in its state");
    refuses(() => tf.variable(outside), "bad-argument", "must not make variables");
    assert.deepEqual(variable.dataSync(), Float32Array.of(1, 2, 3));
  });

  test("a parameter that the state does not name keeps its loaded values", () => {
    const layer = new Linear(3, 2, new Rng(0), { bias: false });
    layer.weight.load({ shape: [2, 3], data: new Float32Array(6).fill(7) });
    refuses((x) => layer.forward(x), "bad-argument", "must be named in its state");
    assert.deepEqual(layer.weight.value.dataSync(), new Float32Array(6).fill(7));
  });

  test("async bodies, nested traces, wrong new state", () => {
    const asynchronous = async () => ({});
    const spec = { inputs: {}, state: scalarState };
    const code = "bad-argument";
    assert.throws(() => trace("a", { ...spec, body: asynchronous as never }), isLuvitError(code, "async"));
    const nested = () => ({ y: tf.scalar(trace("b", { ...spec, body: () => ({}) }).nodes.length) });
    assert.throws(() => trace("a", { ...spec, body: nested }), isLuvitError(code, "inside another trace"));
    const misshapen = () => ({ w: tf.zeros([2]) });
    assert.throws(() => trace("a", { ...spec, body: misshapen }), isLuvitError("shape-mismatch", '"w"'));
  });

  test("a traced tensor used after its trace", () => {
    let escaped: Tensor | undefined;
    traceOf([[2]], (x) => {
      escaped = tf.keep(tf.exp(x));
      return x;
    });
    assert.throws(() => tf.add(escaped!, 1), isLuvitError("bad-argument", "finished trace"));
    escaped?.dispose();
  });

  test("interpreting with a feed missing or misshapen", () => {
    const graph = traceOf([[2, 3]], (x) => tf.exp(x));
    assert.throws(() => interpret(graph, { inputs: {} }), isLuvitError("bad-argument", '"x0" is nothing'));
    const inputs = { x0: tf.zeros([3, 2]) };
    assert.throws(() => interpret(graph, { inputs }), isLuvitError("bad-argument", "expected float32[2, 3]"));
  });
});

function valueAndGradients(f: () => Tensor, variables: tf.Variable[]): [Tensor, Tensor[]] {
  const { value, grads } = tf.variableGrads(f as () => tf.Scalar, variables);
  return [value, variables.map(({ name }) => grads[name])];
}
