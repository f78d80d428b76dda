import assert from "node:assert/strict";
import { test } from "node:test";
import { checkArrays, expectEntries, expectNoneEmpty } from "../../../src/engine/arrays";
import type { Program, Programs } from "../../../src/engine/executor";
import { InTurn } from "../../../src/engine/inTurn";
import { engineOf, engineOptions } from "../../../src/engine/options";
import {
  changedState,
  commonState,
  expectOnlyUpdates,
  frozenFactors,
  programNamed,
  refuseLossScale,
  resultsOf,
} from "../../../src/engine/programs";
import type { GraphDtype } from "../../../src/graph/ir";
import { assertRejects } from "../io/support";
import { isLuvitError } from "../nn/support";
import { GraphWriter } from "./support";

const shape = [2, 2];
const plain = { transposeA: false, transposeB: false };

/** x times each of `factors`; what `changed` names is set to the last product. */
function products(
  factors: readonly string[],
  changed: readonly string[] = [],
  others: string[] = [],
): Program {
  const g = new GraphWriter();
  let x = g.input("x", shape);
  const state = new Map([...factors, ...others].map((name) => [name, g.state(name, shape)]));
  for (const name of factors) [x] = g.node("BatchMatMul", { a: x, b: state.get(name)! }, [{ shape }], plain);
  for (const name of others) [x] = g.node("Add", { a: x, b: state.get(name)! }, [{ shape }]);
  for (const name of changed) g.output(name, x);
  g.output("y", x);
  return { graph: g.finish() };
}

test("a weight is frozen where no program changes it, not only the one that multiplies with it", () => {
  const frozen = (programs: Programs) => [...frozenFactors(programs)].sort();
  assert.deepEqual(frozen({ read: products(["v", "w"], [], ["bias"]) }), ["v", "w"]);
  assert.deepEqual(frozen({ train: products(["v", "w"], ["w"]) }), ["v"]);
  const train = products(["w"], ["w"]);
  const read = products(["v", "w"]);
  assert.deepEqual(frozen({ train, read }), ["v"]);
  assert.deepEqual(frozen({ read, train }), ["v"]);
  assert.deepEqual(frozen({ read, other: products([], ["v"], ["v"]) }), ["w"]);
  const g = new GraphWriter();
  const [whole, x] = [g.state("whole", shape, "int32"), g.input("x", shape, "int32")];
  g.output("y", g.node("BatchMatMul", { a: x, b: whole }, [{ shape, dtype: "int32" }], plain)[0]);
  assert.deepEqual(frozen({ step: { graph: g.finish() } }), [], "only float32 is kept in fewer bits");
});

test("programs share state by name, in the order of their first mention; shapes and types must agree", () => {
  const entry = (name: string, of: number[], dtype: GraphDtype = "float32") => {
    const g = new GraphWriter();
    g.output("y", g.state(name, of, dtype));
    return { graph: g.finish() };
  };
  const names = (programs: Programs) => commonState(programs).map(({ name }) => name);
  assert.deepEqual(names({ b: products(["w", "v"]), a: products(["u", "w"]) }), ["w", "v", "u"]);
  assert.deepEqual(names({ a: entry("w", []), b: entry("w", []) }), ["w"]);
  for (const [other, found] of [
    [entry("w", [2, 1]), "float32[2, 1]"],
    [entry("w", [1, 2], "int32"), "int32[1, 2]"],
    [entry("w", [2]), "float32[2]"],
  ] as const)
    assert.throws(
      () => commonState({ first: entry("w", [1, 2]), second: other }),
      isLuvitError("bad-argument", `w: ${found} in second, float32[1, 2] elsewhere`),
    );
});

test("results are the outputs that are no state, in their order; a guard is one of them", () => {
  const { graph } = products(["w"], ["w"]);
  assert.deepEqual(changedState(graph), ["w"]);
  assert.deepEqual(resultsOf({ graph }), ["y"]);
  assert.deepEqual(resultsOf({ graph, guard: "y" }), ["y"]);
  for (const guard of ["w", "loss"])
    assert.throws(
      () => resultsOf({ graph, guard }),
      isLuvitError("bad-argument", `guard: graph test has no result "${guard}"`),
    );
});

test("a graph that itself changes state, a scale that no engine divides by and a program nobody opened are named", () => {
  expectOnlyUpdates("holding", products(["w"]).graph);
  assert.throws(
    () => expectOnlyUpdates("holding gradients", products(["v", "w"], ["w", "v"]).graph),
    isLuvitError("engine", 'holding gradients, but the graph "test" itself changes w, v'),
  );
  const { graph } = products(["w"]);
  refuseLossScale("it", { a: { graph } });
  assert.throws(
    () => refuseLossScale("it", { a: { graph }, b: { graph, lossScale: "s" }, c: { graph, lossScale: "s" } }),
    isLuvitError("engine", "it does not scale losses, which b, c needs"),
  );
  const programs = new Map([
    ["a", 0],
    ["b", 1],
  ]);
  assert.equal(programNamed(programs, "a"), 0);
  assert.throws(
    () => programNamed(programs, "c"),
    isLuvitError("bad-argument", 'run: no program "c" is open; there are: a, b'),
  );
});

test("arrays are held against their entries: what is missing and what has another length, all of it", () => {
  const entries = [
    { name: "a", value: { id: 0, shape: [2, 3], dtype: "float32" } },
    { name: "b", value: { id: 1, shape: [], dtype: "int32" } },
    { name: "c", value: { id: 2, shape: [0], dtype: "bool" } },
  ] as const;
  const [a, b, c] = [new Float32Array(6), new Int32Array(1), new Uint8Array(0)];
  checkArrays("feeds", entries, { a, b, c });
  assert.throws(
    () => checkArrays("feeds", entries, { a: a.subarray(1), b: new Int32Array(2) }),
    isLuvitError(
      "bad-argument",
      "feeds: 3 entries",
      "a: 5 numbers, expected 6 = [2, 3]",
      "b: 2 numbers, expected 1 = []",
      "missing: c [0]",
    ),
  );
  const known = new Map([["a", 0]]);
  expectEntries(["a"], known);
  assert.throws(() => expectEntries(["a", "x"], known), isLuvitError("bad-argument", "no such entries", "x"));
  expectNoneEmpty([]);
  assert.throws(() => expectNoneEmpty(["a"]), isLuvitError("bad-argument", "not written yet", "a"));
});

test("turns come one after the other, also after one that failed; their results and errors are their own", async () => {
  const turns = new InTurn("it");
  const seen: string[] = [];
  const turn = (name: string, error?: Error) =>
    turns.do(async () => {
      seen.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(`${name} ends`);
      if (error) throw error;
      return name;
    });
  const [a, b, c] = [turn("a"), turn("b", new Error("b failed")), turn("c")];
  await assert.rejects(b, /^Error: b failed$/);
  assert.deepEqual([await a, await c], ["a", "c"]);
  assert.deepEqual(
    seen,
    ["a", "b", "c"].flatMap((name) => [`${name} begins`, `${name} ends`]),
  );
});

test("what was asked before the end is done, what is asked after it is refused, also before its turn has come", async () => {
  const turns = new InTurn("the engine");
  const seen: string[] = [];
  const note = (what: string) => () => void seen.push(what);
  const before = turns.do(note("before"));
  const closing = turns.close(note("closed"));
  const again = turns.close(note("closed twice"));
  const refused = () => turns.do(note("after"));
  await assertRejects(refused, "engine", "the engine: it was disposed");
  await Promise.all([before, closing, again]);
  await assertRejects(refused, "engine", "the engine: it was disposed");
  assert.deepEqual(seen, ["before", "closed"]);
});

test("an end that fails says so to everybody who asks for it", async () => {
  const turns = new InTurn("it");
  const close = () =>
    turns.close(() => {
      throw new Error("the device is gone");
    });
  for (let times = 0; times < 2; times++) await assert.rejects(close(), /the device is gone/);
});

test("of options those of the engine are taken, each under its name, and none that is undefined", () => {
  const all = {
    engine: "tensorflow",
    threads: 3,
    provider: "cuda",
    precision: "bfloat16",
    frozen: "int8",
    tf32: true,
  } as const;
  assert.deepEqual(engineOf({ ...all, batch: 7 } as never), all);
  assert.deepEqual(Object.keys(engineOf({ threads: undefined, tf32: false, engine: undefined })), ["tf32"]);
  assert.deepEqual(Object.keys(engineOptions.optional).sort(), Object.keys(all).sort());
});
