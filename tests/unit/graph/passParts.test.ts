import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { type Graph, graphText, optimize } from "../../../src/graph";
import type { GraphNode } from "../../../src/graph/ir";
import { AFTER, foldConstants, recomputeBlocks, removeDeadCode, simplify } from "../../../src/graph/passes";
import { inOrderOfNeed } from "../../../src/graph/passes/order";
import { inBlock } from "../../../src/graph/scopes";
import { isLuvitError, randomTensor } from "../nn/support";
import { traceOf, valuesOfGraph } from "./support";

before(() => startBackend({ backend: "cpu" }));

const opsOf = ({ nodes }: Graph) => nodes.map(({ op }) => op);

/** Constants that are left when all of a trace without inputs is worked out, by the results' names. */
function folded(make: () => Tensor | Tensor[]) {
  const graph = removeDeadCode(foldConstants(traceOf([], make)));
  const byId = new Map(graph.constants.map((constant) => [constant.value.id, constant]));
  const constants = graph.outputs.map(({ id }) => byId.get(id));
  return { ops: opsOf(graph), constants: constants.map((one) => one && { ...one.value, data: one.data }) };
}

describe("what depends on constants alone", () => {
  test("stays one number where all of it is the same, however large, and keeps its type and shape", () => {
    const big = [600, 700];
    for (const [make, number, shape, dtype] of [
      [() => tf.tile(tf.ones([600, 1]), [1, 700]), 1, big, "float32"],
      [() => tf.exp(tf.zeros(big)), 1, big, "float32"],
      [() => tf.add(tf.fill(big, 2, "int32"), tf.scalar(3, "int32")), 5, big, "int32"],
      [() => tf.fill(big, 1, "bool"), 1, big, "bool"],
      [() => tf.onesLike(tf.tensor([5, 6], [2], "int32")), 1, [2], "int32"],
      [() => tf.zerosLike(tf.tensor([true, false])), 0, [2], "bool"],
      [() => tf.less(tf.zeros(big), 1), 1, big, "bool"],
      [() => tf.concat([tf.ones([2, 1]), tf.ones([2, 3])], 1), 1, [2, 4], "float32"],
      [() => tf.gather(tf.fill([600, 9], 7), tf.tensor1d([4, 0, 4], "int32")), 7, [3, 9], "float32"],
    ] as const) {
      const { ops, constants } = folded(make as () => Tensor);
      assert.deepEqual(ops, [], `${make}`);
      const [{ data, shape: found, dtype: type }] = constants as [NonNullable<(typeof constants)[0]>];
      assert.deepEqual([[...data], found, type], [[number], shape, dtype], `${make}`);
    }
  });

  test("is written out number by number where it differs, zeros of either sign among them", () => {
    for (const [make, numbers] of [
      [() => tf.concat([tf.zeros([1]), tf.fill([2], -0)]), [0, -0, -0]],
      [() => tf.concat([tf.ones([1]), tf.fill([2], 2)]), [1, 2, 2]],
      [() => tf.gather(tf.tensor1d([5, 6, 7]), tf.tensor1d([2, 0], "int32")), [7, 5]],
      [() => tf.stack([tf.tensor1d([1, 2]), tf.tensor1d([3, 4])], 1), [1, 3, 2, 4]],
      [() => tf.cumsum(tf.ones([3])), [1, 2, 3]],
      [() => tf.pad(tf.ones([1]), [[1, 0]]), [0, 1]],
      [() => tf.reverse(tf.tensor1d([1, 2, 3])), [3, 2, 1]],
    ] as const) {
      const { ops, constants } = folded(make as () => Tensor);
      assert.deepEqual([ops, [...constants[0]!.data]], [[], numbers], `${make}`);
    }
  });

  test("is empty where its shape is, and is worked with as such", () => {
    for (const [make, shape, numbers] of [
      [() => tf.fill([0, 3], 2), [0, 3], []],
      [() => tf.slice(tf.ones([2, 3]), [0, 0], [0, 3]), [0, 3], []],
      [() => tf.zerosLike(tf.tensor2d([], [0, 3])), [0, 3], []],
      [() => tf.add(tf.fill([0, 3], 2), 1), [0, 3], []],
      [() => tf.sum(tf.fill([0, 3], 2)), [], [0]],
      [() => tf.concat([tf.fill([0], 2), tf.tensor1d([5, 6])]), [2], [5, 6]],
    ] as const) {
      const { ops, constants } = folded(make as () => Tensor);
      assert.deepEqual([ops, constants[0]!.shape, [...constants[0]!.data]], [[], shape, numbers], `${make}`);
    }
    const graph = optimize(traceOf([[2, 3]], (x) => tf.concat([x, tf.fill([0, 3], 2)])));
    const x = randomTensor([2, 3]);
    assert.deepEqual(valuesOfGraph(graph, [x]), [x.dataSync()]);
  });

  test("of several results each has its own numbers", () => {
    const { constants } = folded(() => tf.split(tf.tensor1d([1, 1, 2, 3]), 2));
    assert.deepEqual(
      constants.map((one) => [[...one!.data], one!.shape]),
      [
        [[1], [2]],
        [[2, 3], [2]],
      ],
    );
  });

  test("is left to be computed where it is more than 65536 numbers that differ", () => {
    const random = (length: number) => folded(() => tf.exp(tf.range(0, length))).ops;
    assert.deepEqual(random(2 ** 16), []);
    assert.deepEqual(random(2 ** 16 + 1), ["Range", "Exp"]);
    const reshaped = folded(() => tf.reshape(tf.tensor1d(new Float32Array(70000).map((_, i) => i)), [7, -1]));
    assert.deepEqual([reshaped.ops, reshaped.constants[0]!.data.length], [[], 70000]);
  });

  test("becomes a scalar beside an operand of the result's shape, and beside no other", () => {
    const wide = (shape: number[], make: (x: Tensor) => Tensor) => {
      const graph = removeDeadCode(foldConstants(traceOf([shape], make)));
      return graph.constants.map(({ value }) => value.shape);
    };
    assert.deepEqual(
      wide([2, 3], (x) => tf.sub(tf.fill([2, 3], 4), x)),
      [[]],
    );
    assert.deepEqual(
      wide([2, 3], (x) => tf.div(x, tf.fill([3], 4))),
      [[]],
    );
    assert.deepEqual(
      wide([2, 1], (x) => tf.sub(tf.fill([2, 3], 4), x)),
      [[2, 3]],
    );
    const chosen = wide([2, 3], (x) => tf.where(tf.less(x, 0), tf.fill([2, 3], 4), x));
    assert.ok(
      chosen.some((shape) => shape.length === 2),
      "a choice does not broadcast everywhere",
    );
    assert.deepEqual(
      wide([2, 3], (x) => tf.concat([x, tf.fill([2, 3], 4)])),
      [[2, 3]],
    );
  });
});

describe("what changes nothing", () => {
  const left = (make: (x: Tensor) => Tensor | Tensor[], shape = [2, 3]) => {
    const graph = traceOf([shape], make);
    const simple = removeDeadCode(simplify(graph));
    const x = randomTensor(shape);
    assert.deepEqual(valuesOfGraph(simple, [x]), valuesOfGraph(graph, [x]));
    return opsOf(simple);
  };

  test("goes from whichever side it stands, and stays where it would change something", () => {
    const one = () => tf.ones([2, 3]);
    const zero = () => tf.zeros([2, 3]);
    for (const [make, ops] of [
      [(x: Tensor) => tf.mul(one(), x), []],
      [(x: Tensor) => tf.mul(x, one()), []],
      [(x: Tensor) => tf.add(zero(), x), []],
      [(x: Tensor) => tf.add(x, zero()), []],
      [(x: Tensor) => tf.sub(x, zero()), []],
      [(x: Tensor) => tf.div(x, one()), []],
      [(x: Tensor) => tf.sub(zero(), x), ["Fill", "Sub"]],
      [(x: Tensor) => tf.div(one(), x), ["Fill", "RealDiv"]],
      [(x: Tensor) => tf.mul(x, zero()), ["Fill", "Multiply"]],
      [(x: Tensor) => tf.add(x, one()), ["Fill", "Add"]],
      [(x: Tensor) => tf.mul(x, tf.ones([4, 2, 3])), ["Fill", "Multiply"]],
    ] as const) {
      const graph = foldConstants(traceOf([[2, 3]], make));
      const expected = ops.filter((op) => op !== "Fill");
      assert.deepEqual(opsOf(removeDeadCode(simplify(graph))), expected, `${make}`);
    }
  });

  test("a sum, mean or extreme over axes of length one is a Reshape, or nothing where the axes stay", () => {
    for (const reduce of [tf.sum, tf.mean, tf.max, tf.min]) {
      assert.deepEqual(
        left((x) => reduce(x, 1), [2, 1, 3]),
        ["Reshape"],
      );
      assert.deepEqual(
        left((x) => reduce(x, 1, true), [2, 1, 3]),
        [],
      );
      assert.deepEqual(left((x) => reduce(x, 2), [2, 1, 3]).length, 1);
      assert.notDeepEqual(
        left((x) => reduce(x, 2), [2, 1, 3]),
        ["Reshape"],
      );
    }
    const types = left((x) => tf.mean(tf.cast(x, "int32"), 1), [2, 1]);
    assert.deepEqual(types.at(-1), "Mean", "of whole numbers it is of another type");
    assert.deepEqual(
      left((x) => tf.prod(x, 1), [2, 1]),
      ["Prod"],
    );
  });

  test("parts, paddings and copies of the whole go; parts of one length that are others stay", () => {
    const empty = () => tf.zeros([0, 3]);
    for (const [make, ops] of [
      [(x: Tensor) => tf.concat([x]), []],
      [(x: Tensor) => tf.split(x, 1), []],
      [(x: Tensor) => tf.engine().runKernel("Concat", [x] as never, { axis: 0 }) as Tensor, []],
      [
        (x: Tensor) => tf.engine().runKernel("SplitV", { x }, { numOrSizeSplits: [2], axis: 0 }) as Tensor[],
        [],
      ],
      [(x: Tensor) => tf.engine().runKernel("Tile", { x }, { reps: [1, 1] }) as Tensor, []],
      [(x: Tensor) => tf.reverse(x, 0), ["Reverse"]],
      [(x: Tensor) => tf.concat([x, empty()]), ["Concat"]],
      [(x: Tensor) => tf.transpose(tf.reshape(x, [3, 2])), ["Reshape", "Transpose"]],
      [(x: Tensor) => tf.transpose(tf.reshape(x, [1, 6]), [0, 1]), ["Reshape"]],
    ] as const)
      assert.deepEqual(
        left(make as (x: Tensor) => Tensor).filter((op) => op !== "Fill"),
        ops,
        `${make}`,
      );
  });

  test("chains of three end where one does", () => {
    assert.deepEqual(
      left((x) => tf.reshape(tf.reshape(tf.reshape(x, [6]), [3, 2]), [1, 6])),
      ["Reshape"],
    );
    const turn = (x: Tensor) => tf.transpose(x, [2, 0, 1]);
    assert.deepEqual(
      left((x) => turn(turn(turn(x))), [2, 3, 4]),
      [],
    );
    assert.deepEqual(
      left((x) => turn(turn(x)), [2, 3, 4]),
      ["Transpose"],
    );
  });
});

test("nodes stay in their order, helpers stand right before the first that needs them, once", () => {
  const node = (op: string, inputs: number[], output: number): GraphNode => ({
    op,
    inputs,
    inputNames: inputs.map(() => "x"),
    outputs: [{ id: output, shape: [], dtype: "float32" }],
    attributes: {},
  });
  const nodes = [node("a", [0], 1), node("b", [11], 2), node("c", [12, 2], 3)];
  const helpers = [node("h3", [], 13), node("h2", [11], 12), node("h1", [1], 11)];
  assert.deepEqual(
    inOrderOfNeed(nodes, helpers).map(({ op }) => op),
    ["a", "h1", "b", "h2", "c"],
  );
});

describe("memory for time", () => {
  const layer = (name: string, x: Tensor, w: Tensor) =>
    inBlock(name, () => tf.sigmoid(tf.matMul(tf.square(x) as tf.Tensor2D, w as tf.Tensor2D)));
  const two = (x: Tensor, ...weights: Tensor[]) =>
    tf.grads((v: Tensor, w: Tensor) => tf.mean(layer("second", layer("first", x, v), w)) as tf.Scalar)(
      weights,
    );
  const shapes = [
    [2, 3],
    [3, 3],
    [3, 3],
  ];
  const traced = () => traceOf(shapes, two);

  test("is traded only where that is asked for", () => {
    const [plain, kept] = [optimize(traced()), optimize(traced(), { memory: "keep" })];
    assert.equal(graphText(kept), graphText(plain));
    assert.ok(!opsOf(plain).includes(AFTER));
    assert.ok(opsOf(optimize(traced(), { memory: "recompute" })).includes(AFTER));
    for (const memory of ["recomputed", true, null])
      assert.throws(() => optimize(traced(), { memory } as never), isLuvitError("bad-argument", "memory"));
    assert.throws(() => optimize({} as Graph), isLuvitError("bad-argument", "optimize"));
  });

  test("a block that only what is fed enters waits too, its weights do not", () => {
    const graph = optimize(traced());
    const recomputed = recomputeBlocks(graph);
    const waits = recomputed.nodes.filter(({ op }) => op === AFTER);
    const [fed, weight] = recomputed.inputs.map(({ value }) => value.id);
    assert.deepEqual(
      waits.map(({ inputs, inputNames }) => [inputs[0], inputNames]),
      [[fed, ["x", "signal"]]],
    );
    assert.ok(!waits.some(({ inputs }) => inputs[0] === weight));
    const inputs = shapes.map((shape, i) => randomTensor(shape, i + 1));
    assert.deepEqual(valuesOfGraph(recomputed, inputs), valuesOfGraph(graph, inputs));
    const squares = recomputed.nodes.filter(({ op }) => op === "Square");
    assert.deepEqual(
      squares.map(({ block }) => block),
      ["first", "second", undefined],
      "the last block is not computed twice",
    );
  });
});
