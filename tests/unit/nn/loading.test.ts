import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { HostTensor, StateDict } from "../../../src/core/hostTensor";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import type { Engine } from "../../../src/engine";
import { LayerNorm, Linear, LoadReport, Parameter, zeros } from "../../../src/nn";
import {
  fetchState,
  parameterShapes,
  sendParameters,
  streamOfParameters,
  withTracedParameters,
} from "../../../src/nn/modelState";
import { assertNoLeak, isLuvitError, randomArray } from "./support";

before(() => startBackend());

const given = (...numbers: number[]) => ({ shape: [numbers.length], data: Float32Array.from(numbers) });
const stateOf = (more: Record<string, HostTensor> = {}): StateDict =>
  new Map(Object.entries({ weight: given(1, 2), bias: given(3, 4), ...more }));

test("weights count as a file's where the file is named, and as nobody's where they came from memory", () => {
  const norm = new LayerNorm(2);
  const named = norm.loadStateDict(stateOf(), { source: "a.safetensors", notes: ["half of it"] });
  assert.deepEqual([norm.weight.source, norm.bias.source], ["a.safetensors", "a.safetensors"]);
  assert.deepEqual([named.source, named.notes], ["a.safetensors", ["half of it"]]);
  const plain = norm.loadStateDict(stateOf());
  assert.deepEqual([norm.weight.source, norm.bias.source], [undefined, undefined]);
  assert.deepEqual([plain.source, plain.notes], ["the state dict", []]);
});

test("what does not fit is told under both names, a tensor of no use to the model is not judged", () => {
  const norm = new LayerNorm(2);
  const fileNames = new Map([
    ["extra", "theirs"],
    ["weight", "gamma"],
  ]);
  const state = stateOf({ extra: given(1), weight: given(1, 2, 3) });
  const problems = [
    "2 keys",
    "unexpected: extra (in the file theirs)",
    "weight (in the file gamma): file has [3], model expects [2]",
  ];
  assert.throws(() => norm.loadStateDict(state, { fileNames }), isLuvitError("key-mismatch", ...problems));
  assert.throws(
    () =>
      norm.loadStateDict(stateOf({ weight: { ...given(1, 2), problem: "cannot be read" } }), { fileNames }),
    isLuvitError("key-mismatch", "weight (in the file gamma): cannot be read"),
  );
  const strange = { ...given(1, 2, 3), problem: "cannot be read" };
  const report = norm.loadStateDict(stateOf({ extra: strange }), { allowUnexpected: ["ex"] });
  assert.deepEqual([report.loaded, report.unexpected], [["weight", "bias"], ["extra"]]);
});

test("a prefix allows what begins with it, and nothing that has it further inside", () => {
  const layer = new Linear(2, 2, new Rng(1));
  const weight = { shape: [2, 2], data: new Float32Array(4) };
  const wrong = () => layer.loadStateDict(new Map([["weight", weight]]), { allowMissing: ["ias"] });
  assert.throws(wrong, isLuvitError("key-mismatch", "missing: bias", "allowMissing / allowUnexpected"));
  const state = new Map([
    ["weight", weight],
    ["bias", given(1, 2)],
    ["an.extra", given(1)],
  ]);
  assert.throws(
    () => layer.loadStateDict(state, { allowUnexpected: ["extra"] }),
    isLuvitError("key-mismatch", "unexpected: an.extra"),
  );
});

test("a report says what was found before what was kept and what was not used", () => {
  const parts = {
    loaded: ["a", "b"],
    missing: ["c"],
    unexpected: ["d", "e", "f"],
    source: "x.pth",
    notes: ["fresh"],
  };
  assert.equal(
    `${new LoadReport(parts)}`,
    "loaded 2 tensors from x.pth (fresh, 1 kept as they were, 3 in the file not used)",
  );
  assert.equal(
    `${new LoadReport({ ...parts, missing: [], unexpected: [], notes: [] })}`,
    "loaded 2 tensors from x.pth",
  );
});

test("values that were never used stay the tensor that was given; read copies it, what is used is a copy too", async () => {
  const [parameter, tensor] = [new Parameter([2], zeros, 0), given(3, 4)];
  assert.equal(parameter.isFresh, true);
  parameter.load(tensor);
  assert.equal(parameter.isFresh, false);
  assert.equal(await parameter.peek(), tensor.data);
  assert.equal(await parameter.tensor(), tensor);
  const { data } = await parameter.read();
  data[0] = 9;
  assert.deepEqual([...tensor.data], [3, 4]);
  tf.tidy(() => parameter.value.assign(tf.tensor1d([5, 6])));
  assert.deepEqual([...tensor.data], [3, 4]);
  assert.deepEqual([...(await parameter.tensor()).data], [5, 6]);
  const other = given(7, 8);
  assertNoLeak(() => parameter.load(other));
  other.data[0] = 0;
  assert.deepEqual([...(await parameter.read()).data], [7, 8], "once it was used, numbers are copied in");
  assert.throws(() => parameter.load(given(1)), isLuvitError("shape-mismatch", "[2]", "[1]"));
});

test("a tensor that lies in a file is read where it lies, and let go, only while nobody used it", async () => {
  const [parameter, calls] = [new Parameter([2], zeros, 0), [] as string[]];
  const place = { path: "a file" } as never;
  assert.deepEqual([parameter.place(), parameter.release()], [undefined, undefined]);
  parameter.load({
    ...given(3, 4),
    peek: () => {
      calls.push("peek");
      return Float32Array.of(3, 4);
    },
    place: () => place,
    release: () => void calls.push("release"),
  });
  assert.equal(parameter.place(), place);
  parameter.release();
  assert.deepEqual([...(await parameter.peek())], [3, 4]);
  assert.deepEqual(calls, ["release", "peek"]);
  parameter.value.dataSync();
  parameter.release();
  assert.deepEqual([parameter.place(), calls.length], [undefined, 3]);
});

test("a traced pass reads what stands in for parameters, which is gone when it ends, also by an error", () => {
  const norm = new LayerNorm(2);
  const state = { weight: tf.variable(tf.tensor1d([5, 5])), bias: tf.variable(tf.tensor1d([6, 6])) };
  assert.deepEqual(parameterShapes(norm), { weight: { shape: [2] }, bias: { shape: [2] } });
  const inside = withTracedParameters(norm, state, () => [norm.weight.value, norm.bias.value]);
  assert.deepEqual(inside, [state.weight, state.bias]);
  assert.throws(() => withTracedParameters(norm, state, () => assert.fail("broken")), /broken/);
  assert.deepEqual([...norm.weight.value.dataSync(), ...norm.bias.value.dataSync()], [1, 1, 0, 0]);
});

test("a dispose too many, or of a shared one, takes nothing from the other owner", async () => {
  const parameter = new Parameter([2], zeros, 0);
  parameter.value.dataSync();
  assert.equal(parameter.share(), parameter);
  parameter.dispose();
  assert.deepEqual([...(await parameter.read()).data], [0, 0]);
  const own = parameter.share().detach();
  assert.notEqual(own, parameter);
  parameter.dispose();
  await assert.rejects(parameter.tensor(), isLuvitError("bad-argument", "disposed"));
  own.dispose();
});

test("parameters that lie in files are read by the engine itself; those that it leaves are sent, and the others", async () => {
  const made = (source?: string) => {
    const parameter = new Parameter([2], (values) => values.fill(1), 0);
    if (source) parameter.load({ ...given(2, 2), place: () => ({ path: source }) as never });
    return parameter;
  };
  const parameters = { a: made(), b: made("x"), c: made("y") };
  const written: Record<string, number[]> = {};
  const offered: string[] = [];
  const engine = (loadState?: Engine["loadState"]) =>
    ({
      loadState,
      async writeState(values: Record<string, Float32Array>) {
        for (const [name, data] of Object.entries(values)) written[name] = [...data];
      },
    }) as unknown as Engine;
  const reading = engine(async (places) => {
    offered.push(...places.keys());
    return ["c"];
  });
  await sendParameters(reading, Object.entries(parameters));
  assert.deepEqual([offered, written], [["b", "c"], { a: [1, 1], c: [2, 2] }]);
  await sendParameters(Promise.resolve(engine()), Object.entries(parameters));
  assert.deepEqual(Object.keys(written).sort(), ["a", "b", "c"]);
  const failing = engine(async () => Promise.reject(new Error("no disk")));
  await assert.rejects(sendParameters(failing, Object.entries(parameters)), /no disk/);
  await assert.rejects(
    sendParameters(Promise.reject(new Error("not opened")), Object.entries(parameters)),
    /not opened/,
  );
});

test("what an engine changed comes back with its source, all of it or, where it fails on the way, nothing", async () => {
  const [a, b] = [new Parameter([2], zeros, 0), new Parameter([3], zeros, 0)];
  a.load(given(1, 1), "a file");
  const numbers: Record<string, Float32Array> = { a: Float32Array.of(5, 6), b: randomArray(3) };
  const asked: string[][] = [];
  const engine = {
    async readState(names: string[]) {
      asked.push(names);
      return Object.fromEntries(names.map((name) => [name, numbers[name]]));
    },
  } as unknown as Engine;
  await fetchState(engine, [
    ["a", a],
    ["b", b],
  ]);
  assert.deepEqual([...(await a.read()).data, a.source, b.source], [5, 6, "a file", undefined]);
  assert.deepEqual((await b.read()).data, numbers.b);
  assert.deepEqual(asked.flat(), ["a", "b"]);
  const large = new Parameter([2 ** 26], zeros, 0);
  const broken = {
    async readState(names: string[]) {
      if (names.includes("large")) throw new Error("gone");
      return Object.fromEntries(names.map((name) => [name, Float32Array.of(9, 9)]));
    },
  } as unknown as Engine;
  await assert.rejects(
    fetchState(broken, [
      ["a", a],
      ["large", large],
    ]),
    /gone/,
  );
  assert.deepEqual([...(await a.read()).data], [5, 6]);
});

test("a stream of parameters has their shapes and reads those that are asked for", async () => {
  const [a, b] = [new Parameter([2], (values) => values.fill(1), 0), new Parameter([1, 3], zeros, 0)];
  const stream = streamOfParameters(
    new Map([
      ["a", a],
      ["b", b],
    ]),
  );
  assert.deepEqual(
    [...stream.shapes],
    [
      ["a", [2]],
      ["b", [1, 3]],
    ],
  );
  assert.deepEqual(await stream.read(["b"]), { b: new Float32Array(3) });
  assert.deepEqual(await stream.read(["a"]), { a: Float32Array.of(1, 1) });
});
