import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { openEagerEngine, type Program } from "../../../src/engine";
import "../../../src/nn/ops";
import { isLuvitError } from "../nn/support";
import { GraphWriter } from "./support";

before(() => startBackend({ backend: "wasm" }));

test("the eager engine refuses what tfjs cannot do", async () => {
  await assert.rejects(openEagerEngine({}, { precision: "bfloat16" }), isLuvitError("engine", "bfloat16"));
  await assert.rejects(openEagerEngine({}, { frozen: "int8" }), isLuvitError("engine", "int8"));
});

test("an executor without programs opens and closes", async () => {
  const { numTensors } = tf.memory();
  const executor = await openEagerEngine({});
  assert.equal(executor.description.device, "tfjs wasm");
  await executor.dispose();
  assert.equal(tf.memory().numTensors, numTensors);
});

/** A step of AdamW for w [2] with gradient x, and its sum. */
function step(more: Partial<Program> = {}): Program {
  const g = new GraphWriter();
  const like = { shape: [2] };
  const [x, schedule] = [g.input("x", [2]), g.input("schedule", [3])];
  const names = ["w", "w.m", "w.v"];
  const [parameter, average, squares] = names.map((name) => g.state(name, [2]));
  const rules = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0, lrScale: 1 };
  const [gradient] = g.node("Neg", { x }, [like]);
  const operands = { parameter, gradient, average, squares, schedule };
  for (const [i, value] of g.node("LuvitAdamW", operands, [like, like, like], rules).entries())
    g.output(names[i], value);
  g.output("sum", g.node("Sum", { x }, [{ shape: [] }], { axis: [0], keepDims: false })[0]);
  return { graph: g.finish(), ...more };
}

test("it neither scales losses nor sums over workers, and says so", async () => {
  const cases = [
    [{ shared: "float32" }, "op by op there are no sums over workers"],
    [{ lossScale: "x" }, "the eager engine does not scale losses, which step needs"],
  ] as const;
  for (const [more, words] of cases)
    await assert.rejects(openEagerEngine({ step: step(more) }), isLuvitError("engine", words));
  const engine = await openEagerEngine({}, { precision: "float32", threads: 2 }, "why");
  assert.deepEqual(engine.description, {
    engine: "eager",
    device: "tfjs wasm",
    precision: "float32",
    reason: "why",
  });
});

test("runs of every kind, and those that fail, leave no tensors but the state; its end leaves none", async () => {
  const before = tf.memory().numTensors;
  const engine = await openEagerEngine({ step: step({ guard: "sum", clipGradNorm: 1 }) });
  await engine.writeState({ w: Float32Array.of(1, 2) });
  const held = () => tf.memory().numTensors - before;
  const feeds = (x: number) => ({ x: Float32Array.of(x, 1), schedule: Float32Array.of(0.1, 0.1, 0.05) });
  const state = held();
  assert.equal(state, 3);
  await engine.run("step", feeds(1));
  await engine.run("step", feeds(Number.NaN));
  await engine.run("step", feeds(1), { fetch: ["w", "sum"] });
  await engine.writeState({ w: Float32Array.of(3, 4) });
  await assert.rejects(
    engine.run("step", feeds(1), { fetch: ["none"] }),
    isLuvitError("bad-argument", "none"),
  );
  assert.equal(held(), state);
  for (const x of [1, 2, Number.NaN]) await engine.run("step", feeds(x), { hold: true });
  assert.equal(held(), state + 1, "the sum of what is held");
  await engine.run("step", feeds(1));
  assert.equal(held(), state);
  await engine.run("step", feeds(1), { hold: true });
  await engine.dispose();
  assert.equal(held(), 0);
});

test("what is read is a copy; entries that no program changes are read by name alone", async () => {
  const g = new GraphWriter();
  const frozen = g.state("frozen", [2]);
  g.output("y", g.node("Neg", { x: frozen }, [{ shape: [2] }])[0]);
  const engine = await openEagerEngine({ step: step(), look: { graph: g.finish() } });
  await engine.writeState({ w: Float32Array.of(1, 2), frozen: Float32Array.of(3, 4) });
  const read = await engine.readState();
  assert.deepEqual(Object.keys(read), ["w", "w.m", "w.v"]);
  read.w.fill(9);
  assert.deepEqual(await engine.readState(["frozen", "w"]), {
    frozen: Float32Array.of(3, 4),
    w: Float32Array.of(1, 2),
  });
  assert.deepEqual(await engine.run("look", {}), { y: Float32Array.of(-3, -4) });
  await engine.dispose();
});

test("feeds and state have the element type that the graph says, bool among them", async () => {
  const g = new GraphWriter();
  const [flags, counts, x] = [
    g.input("flags", [2], "bool"),
    g.state("counts", [2], "int32"),
    g.input("x", [2]),
  ];
  g.output("not", g.node("LogicalNot", { x: flags }, [{ shape: [2], dtype: "bool" }])[0]);
  g.output("twice", g.node("Add", { a: counts, b: counts }, [{ shape: [2], dtype: "int32" }])[0]);
  g.output("root", g.node("Sqrt", { x }, [{ shape: [2] }])[0]);
  const engine = await openEagerEngine({ step: { graph: g.finish() } });
  await engine.writeState({ counts: Int32Array.of(3, 4) });
  const results = await engine.run("step", { flags: Uint8Array.of(1, 0), x: Uint8Array.of(4, 9) });
  assert.deepEqual(results, {
    not: Float32Array.of(0, 1),
    twice: Float32Array.of(6, 8),
    root: Float32Array.of(2, 3),
  });
  await engine.dispose();
});

test("a guard that is not finite, in a held run or the last, leaves the state as it was", async () => {
  const engine = await openEagerEngine({ step: step({ guard: "sum" }) });
  const w = Float32Array.of(1, 2);
  await engine.writeState({ w });
  const run = (x: number, hold = false) =>
    engine.run("step", { x: Float32Array.of(x, 1), schedule: Float32Array.of(0.1, 0.1, 0.05) }, { hold });
  await run(Number.NaN, true);
  await run(1);
  await run(1, true);
  await run(Number.POSITIVE_INFINITY);
  assert.deepEqual((await engine.readState(["w"])).w, w);
  await run(1, true);
  await run(2);
  assert.deepEqual(
    [...(await engine.readState(["w.m"]))["w.m"]].map((m) => Math.round(10 * m)),
    [-3, -2],
  );
  await engine.dispose();
});

test("tfjs is started where nobody has done so before", () => {
  const path = JSON.stringify(join(__dirname, "../../../src/engine/eager.js"));
  const script = `require(${path}).openEagerEngine({}).then(({ description }) => console.log(description.device))`;
  assert.match(
    execFileSync(process.execPath, ["-e", script], { encoding: "utf8" }),
    /^tfjs (wasm|cpu|tensorflow)$/m,
  );
});
