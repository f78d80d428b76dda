import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tensorflowProblem } from "../../../src/engine";
import { loadTensorflow, type TensorflowBinding } from "../../../src/engine/tensorflow/binding";
import { applyEnvironment } from "../../../src/engine/tensorflow/environment";
import { openTensorflowEngine } from "../../../src/engine/tensorflow/executor";
import { TfOps } from "../../../src/engine/tensorflow/lower/ops";
import { TfSession } from "../../../src/engine/tensorflow/session";
import { TfState } from "../../../src/engine/tensorflow/state";
import { addVariable, addZeroing } from "../../../src/engine/tensorflow/variables";
import { addWriters } from "../../../src/engine/tensorflow/writers";
import type { GraphDtype, GraphInput } from "../../../src/graph/ir";
import { isLuvitError } from "../nn/support";
import { GraphWriter, openGraph } from "./support";

const options: { skip: string | false } = { skip: tensorflowProblem() ?? false };

/** What a TensorFlow graph of its own was prepared for, and tensors that have not been given back. */
class Watched {
  readonly prepared = new Set<string>();
  readonly tensors = new Set<number>();
  readonly binding: TensorflowBinding;

  constructor() {
    applyEnvironment({});
    const real = loadTensorflow();
    this.binding = {
      TF_Version: real.TF_Version,
      isUsingGpuDevice: () => real.isUsingGpuDevice(),
      loadSavedModel: (folder, tags) => real.loadSavedModel(folder, tags),
      deleteSavedModel: (id) => real.deleteSavedModel(id),
      tensorDataSync: (id) => real.tensorDataSync(id),
      createTensor: (shape, dtype, values) => this.keep(real.createTensor(shape, dtype, values)),
      deleteTensor: (id) => {
        this.tensors.delete(id);
        real.deleteTensor(id);
      },
      runSavedModel: (model, inputs, inputNames, outputNames) => {
        this.prepared.add(`${inputNames} -> ${outputNames}`);
        const results = real.runSavedModel(model, inputs, inputNames, outputNames);
        for (const { id } of results) this.keep(id);
        return results;
      },
    };
  }

  private keep(id: number): number {
    this.tensors.add(id);
    return id;
  }
}

interface Entry {
  name: string;
  shape: readonly number[];
  dtype?: GraphDtype;
  role?: "trained" | "moment" | "frozen";
}

function openState(entries: readonly Entry[], watched: Watched): TfState {
  const ops = new TfOps();
  const variables = entries.map(({ name, shape, dtype = "float32" }, id) => {
    const input: GraphInput = { name, value: { id, shape, dtype } };
    return addVariable(ops, input, dtype);
  });
  const named = new Map(variables.map((variable) => [variable.input.name, variable]));
  const withRole = (role: Entry["role"]) =>
    entries.filter((entry) => entry.role === role).map(({ name }) => name);
  const parts = {
    variables: named,
    writers: addWriters(ops, variables),
    zeroing: addZeroing(
      ops,
      withRole("moment").map((name) => named.get(name)!),
    ),
    changing: new Set(entries.filter(({ role }) => role !== "frozen").map(({ name }) => name)),
  };
  return new TfState({ session: new TfSession(watched.binding, ops.nodes), ...parts });
}

const many: Entry[] = Array.from({ length: 300 }, (_, i) => ({ name: `e${i}`, shape: [2, (i % 7) + 1] }));
const numbersOf = ({ shape }: Entry, i: number) =>
  Float32Array.from({ length: shape[0] * shape[1] }, (_, k) => i + k / 16);

describe("the state in TensorFlow's variables", options, () => {
  test("300 entries written and read one by one take five prepared graphs at most", () => {
    const watched = new Watched();
    const state = openState(many, watched);
    for (const [i, entry] of many.entries()) state.write({ [entry.name]: numbersOf(entry, i) });
    for (const [i, entry] of many.entries())
      assert.deepEqual(state.read([entry.name])[entry.name], numbersOf(entry, i));
    assert.ok(watched.prepared.size <= 5, `${watched.prepared.size}`);
  });

  test("entries written in any order, and again, have their own numbers", () => {
    const state = openState(many, new Watched());
    const order = many.map((_, i) => (i * 7) % many.length);
    for (const i of order) state.write({ [`e${i}`]: numbersOf(many[i], -1) });
    for (const i of order) state.write({ [`e${i}`]: numbersOf(many[i], i) });
    const values = state.read();
    for (const [i, entry] of many.entries()) assert.deepEqual(values[entry.name], numbersOf(entry, i));
  });

  test("what was read ahead is not what is read after a write", () => {
    const state = openState(many.slice(0, 3), new Watched());
    for (const [i, entry] of many.slice(0, 3).entries()) state.write({ [entry.name]: numbersOf(entry, i) });
    state.read(["e0"]);
    state.write({ e1: numbersOf(many[1], 9) });
    assert.deepEqual(state.read(["e1"]).e1, numbersOf(many[1], 9));
  });

  test("no tensor is kept when what was read ahead is given back", () => {
    const watched = new Watched();
    const state = openState(many, watched);
    for (const [i, entry] of many.entries()) state.write({ [entry.name]: numbersOf(entry, i) });
    state.read(["e5"]);
    assert.ok(watched.tensors.size > 0);
    state.letGo();
    assert.equal(watched.tensors.size, 0);
  });

  test("an entry is read although others of its group are not written", () => {
    const state = openState(many.slice(0, 4), new Watched());
    state.write({ e2: numbersOf(many[2], 2) });
    assert.deepEqual(state.read(["e2"]).e2, numbersOf(many[2], 2));
    assert.throws(() => state.read(["e1"]), isLuvitError("bad-argument", "e1"));
  });

  const withMoments: Entry[] = [
    { name: "w", shape: [2, 2], role: "trained" },
    { name: "m", shape: [2, 2], role: "moment" },
    { name: "v", shape: [2, 2], role: "moment" },
  ];

  test("moments begin at zero, those that were written do not", () => {
    const zeros = new Float32Array(4);
    const fresh = openState(withMoments, new Watched());
    fresh.requireWritten(["m", "v"]);
    assert.deepEqual(fresh.read(["m", "v"]), { m: zeros, v: zeros });
    const resumed = openState(withMoments, new Watched());
    resumed.write({ m: Float32Array.of(1, 2, 3, 4) });
    assert.deepEqual(resumed.read(["m", "v"]), { m: Float32Array.of(1, 2, 3, 4), v: zeros });
  });

  test("entries of other element types are written and read as well", () => {
    const state = openState(
      [
        { name: "x", shape: [2] },
        { name: "n", shape: [3], dtype: "int32", role: "frozen" },
        { name: "b", shape: [2], dtype: "bool", role: "frozen" },
      ],
      new Watched(),
    );
    state.write({ x: Float32Array.of(1, 2), n: Int32Array.of(7, -8, 9), b: Uint8Array.of(1, 0) });
    assert.deepEqual(state.read(["n", "b", "x"]), {
      n: Float32Array.of(7, -8, 9),
      b: Float32Array.of(1, 0),
      x: Float32Array.of(1, 2),
    });
  });

  test("a written array may change afterwards", () => {
    const state = openState(many.slice(0, 1), new Watched());
    const array = numbersOf(many[0], 0);
    state.write({ e0: array });
    array.fill(-1);
    assert.deepEqual(state.read(["e0"]).e0, numbersOf(many[0], 0));
  });
});

test("fed numbers arrive bit for bit", options, async () => {
  const bits = Uint32Array.of(0x80000000, 1, 0x7f800000, 0xff7fffff, 0x3f800001, 0x7fc12345, 0);
  const g = new GraphWriter();
  const shape = [bits.length];
  const x = g.input("x", shape);
  g.output("y", g.node("Identity", { x }, [{ shape }])[0]);
  const executor = await openGraph(g.finish(), {}, { open: openTensorflowEngine });
  const { y } = await executor.run("step", { x: new Float32Array(bits.buffer) });
  assert.deepEqual(new Uint32Array(y.buffer, y.byteOffset, y.length), bits);
  await executor.dispose();
});
