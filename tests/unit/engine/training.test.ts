import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend } from "../../../src/core/tf";
import { describeEngine, openOnnxEngine } from "../../../src/engine";
import "../../../src/nn/ops";
import { splitUpdates } from "../../../src/engine/adamw/splitUpdates";
import { openOnDevice } from "../../../src/engine/onnx/device/open";
import type { Graph } from "../../../src/graph";
import { assertClose, isLuvitError, randomArray } from "../nn/support";
import {
  compilingEngines,
  engines,
  GraphWriter,
  openGraph,
  type TestedEngine,
  withOnnxRuntime,
} from "./support";
import { webgpu } from "./webgpu";

before(() => startBackend());

/** What keeps state on a GPU, computed by the CPU: so it is tested wherever there is no Vulkan. */
const asOnDevice: TestedEngine = {
  engine: "onnxruntime",
  title: "onnxruntime, state as on a device",
  open: (programs, options) => openOnnxEngine(programs, { ...options, provider: "cpu" }, openOnDevice),
  options: withOnnxRuntime,
};

const ROWS = 7;
const IN = 3;
const OUT = 5;
const rules = { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, lrScale: 0.5 };
const RATE = 0.02;

/**
 * mean((x wᵀ + b - target)²) with its gradients and AdamW, as a trace would write it. `seen` is asked for by name, so
 * that its update has to stay in the graph.
 */
function linearRegression({ seen = false } = {}) {
  const g = new GraphWriter();
  const [x, target] = [g.input("x", [ROWS, IN]), g.input("target", [ROWS, OUT])];
  const schedule = g.input("schedule", [3]);
  const [w, b] = [g.state("w", [OUT, IN]), g.state("b", [OUT])];
  const unused = g.state("frozen", [2]);
  const steps = g.state("steps", [], "int32");
  const one = (op: string, operands: Parameters<GraphWriter["node"]>[1], shape: number[], attributes = {}) =>
    g.node(op, operands, [{ shape }], attributes)[0];

  const product = one("BatchMatMul", { a: x, b: w }, [ROWS, OUT], { transposeA: false, transposeB: true });
  const y = one("LuvitAddRow", { x: product, row: b }, [ROWS, OUT]);
  const copy = one("Identity", { x: y }, [ROWS, OUT]);
  const error = one("Sub", { a: copy, b: target }, [ROWS, OUT]);
  const squares = one("Square", { x: error }, [ROWS, OUT]);
  const loss = one("Mean", { x: squares }, [], { axis: [0, 1], keepDims: false });
  const share = g.constant(Float32Array.of(2 / (ROWS * OUT)), [ROWS, OUT]);
  const dy = one("Multiply", { a: error, b: share }, [ROWS, OUT]);
  const dw = one("BatchMatMul", { a: dy, b: x }, [OUT, IN], { transposeA: true, transposeB: false });
  const db = one("LuvitSumRows", { x: dy }, [OUT]);
  g.output("loss", loss);
  for (const [name, parameter, gradient] of [
    ["w", w, dw],
    ["b", b, db],
  ] as const) {
    const { shape } = parameter;
    const [average, squared] = [g.state(`${name}.exp_avg`, shape), g.state(`${name}.exp_avg_sq`, shape)];
    const operands = { parameter, gradient, average, squares: squared, schedule };
    const results = g.node("LuvitAdamW", operands, [{ shape }, { shape }, { shape }], rules);
    g.output(name, results[0]);
    g.output(`${name}.exp_avg`, results[1]);
    g.output(`${name}.exp_avg_sq`, results[2]);
    if (seen)
      g.output(
        `${name} norm`,
        one("Sum", { x: results[0] }, [], { axis: [...shape.keys()], keepDims: false }),
      );
  }
  const more = g.constant(Int32Array.of(1), [], "int32");
  g.output("steps", g.node("Add", { a: steps, b: more }, [{ shape: [], dtype: "int32" }])[0]);
  g.output("frozen sum", one("Sum", { x: unused }, [], { axis: null, keepDims: false }));
  return g.finish("regression");
}

/** The same without the counter, so that AdamW alone changes the state. */
function updatesOnly(): Graph {
  const graph = linearRegression();
  return { ...graph, outputs: graph.outputs.filter(({ name }) => name !== "steps") };
}

const data = {
  x: randomArray(ROWS * IN, 1),
  target: randomArray(ROWS * OUT, 2),
  w: randomArray(OUT * IN, 3),
  b: randomArray(OUT, 4),
};

const scheduleAt = (step: number) => Float32Array.of(RATE, 1 - rules.beta1 ** step, 1 - rules.beta2 ** step);

/** The same in double precision: losses and parameters after each step. */
function reference(steps: number) {
  const parameters = { w: Float64Array.from(data.w), b: Float64Array.from(data.b) };
  const moments = {
    w: [new Float64Array(OUT * IN), new Float64Array(OUT * IN)],
    b: [new Float64Array(OUT), new Float64Array(OUT)],
  };
  const losses: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const gradients = { w: new Float64Array(OUT * IN), b: new Float64Array(OUT) };
    let loss = 0;
    for (let row = 0; row < ROWS; row++) {
      for (let out = 0; out < OUT; out++) {
        let y = parameters.b[out] - data.target[row * OUT + out];
        for (let i = 0; i < IN; i++) y += data.x[row * IN + i] * parameters.w[out * IN + i];
        loss += y ** 2 / (ROWS * OUT);
        const dy = (2 * y) / (ROWS * OUT);
        gradients.b[out] += dy;
        for (let i = 0; i < IN; i++) gradients.w[out * IN + i] += dy * data.x[row * IN + i];
      }
    }
    losses.push(loss);
    for (const name of ["w", "b"] as const) adamW(parameters[name], gradients[name], moments[name], step);
  }
  return { losses, ...parameters };
}

/** torch/optim/adamw.py, number by number. */
function adamW(p: Float64Array, g: Float64Array, [m, v]: Float64Array[], step: number): void {
  const lr = RATE * rules.lrScale;
  for (let i = 0; i < p.length; i++) {
    m[i] = rules.beta1 * m[i] + (1 - rules.beta1) * g[i];
    v[i] = rules.beta2 * v[i] + (1 - rules.beta2) * g[i] ** 2;
    const [mean, square] = [m[i] / (1 - rules.beta1 ** step), v[i] / (1 - rules.beta2 ** step)];
    p[i] = p[i] * (1 - lr * rules.weightDecay) - (lr * mean) / (Math.sqrt(square) + rules.eps);
  }
}

const initial = () => ({
  w: data.w.slice(),
  b: data.b.slice(),
  frozen: Float32Array.of(2, 3),
  steps: Int32Array.of(10),
});
const zeroMoments = Object.fromEntries(
  ["w", "b"].flatMap((name) => {
    const length = data[name as "w" | "b"].length;
    return [`${name}.exp_avg`, `${name}.exp_avg_sq`].map((key) => [key, new Float32Array(length)]);
  }),
);

test("AdamW is taken out of a graph where its results are only the new state", () => {
  const apart = splitUpdates(linearRegression());
  assert.deepEqual(
    apart.updates.map(({ parameter, average, squares, gradient, schedule, lrScale }) => ({
      parameter,
      average,
      squares,
      gradient,
      schedule,
      lrScale,
    })),
    ["w", "b"].map((name) => ({
      parameter: name,
      average: `${name}.exp_avg`,
      squares: `${name}.exp_avg_sq`,
      gradient: `gradient of ${name}`,
      schedule: "schedule",
      lrScale: 0.5,
    })),
  );
  assert.ok(!apart.graph.nodes.some(({ op }) => op === "LuvitAdamW"));
  assert.deepEqual(splitUpdates(linearRegression({ seen: true })).updates, []);
});

for (const { engine, title, open, options } of [...engines, asOnDevice, webgpu]) {
  for (const seen of [false, true]) {
    test(
      `${title}: three steps with AdamW ${seen ? "in the graph" : "behind the graph"} go where doubles go`,
      options,
      async () => {
        const expected = reference(3);
        const state = { ...initial(), ...(seen ? zeroMoments : {}) };
        const executor = await openGraph(linearRegression({ seen }), state, { open, threads: 1 });
        const { x, target } = data;
        for (let step = 1; step <= 3; step++) {
          const result = await executor.run("step", { x, target, schedule: scheduleAt(step) });
          assertClose(result.loss, [expected.losses[step - 1]], 2e-6, `loss ${step}`);
          assert.deepEqual(result["frozen sum"], Float32Array.of(5));
        }
        const after = await executor.readState();
        assertClose(after.w, expected.w, 2e-6, "w");
        assertClose(after.b, expected.b, 2e-6, "b");
        assert.deepEqual(after.steps, Float32Array.of(13));
        assert.deepEqual(Object.keys(after).includes("frozen"), false);
        assert.deepEqual(state.w, data.w, "the caller's array is not written to");
        await executor.dispose();
      },
    );
  }

  test(`${title}: state read and written back goes on as if nothing had happened`, options, async () => {
    const expected = reference(3);
    const first = await openGraph(linearRegression(), initial(), { open, threads: 1 });
    const { x, target } = data;
    for (const step of [1, 2]) await first.run("step", { x, target, schedule: scheduleAt(step) });
    const saved = await first.readState();
    const second = await openGraph(linearRegression(), initial(), { open, threads: 1 });
    await second.writeState(saved);
    const { loss, w } = await second.run(
      "step",
      { x, target, schedule: scheduleAt(3) },
      { fetch: ["loss", "w"] },
    );
    assertClose(loss, [expected.losses[2]], 2e-6, "loss");
    assertClose(w, expected.w, 2e-6, "w");
    assert.deepEqual(await second.readState(["steps"]), { steps: Float32Array.of(13) });
    await second.writeState({ frozen: Float32Array.of(1, 1) });
    const { "frozen sum": sum } = await second.run(
      "step",
      { x, target, schedule: scheduleAt(4) },
      { fetch: ["frozen sum"] },
    );
    assert.deepEqual(sum, Float32Array.of(2));
    await Promise.all([first.dispose(), second.dispose()]);
  });

  test(`${title}: a run whose guarded loss is not finite leaves the state as it was`, options, async () => {
    const executor = await openGraph(linearRegression(), initial(), { open, threads: 1, guard: "loss" });
    const { target } = data;
    const before = await executor.readState();
    for (const bad of [Number.NaN, 1e30, -1e30]) {
      const x = data.x.map((value, i) => (i === 4 ? bad : value));
      const { loss } = await executor.run("step", { x, target, schedule: scheduleAt(1) });
      assert.equal(loss[0], Number.isNaN(bad) ? Number.NaN : Number.POSITIVE_INFINITY);
      assert.deepEqual(await executor.readState(), before, `${bad}`);
    }
    const finite = await executor.run("step", { x: data.x, target, schedule: scheduleAt(1) });
    assertClose(finite.loss, [reference(1).losses[0]], 2e-6, "loss");
    assertClose((await executor.readState()).w, reference(1).w, 2e-6, "w");
    await executor.dispose();
    const unknown = openGraph(linearRegression(), initial(), { open, guard: "los" });
    await assert.rejects(unknown, isLuvitError("bad-argument", "los"));
  });

  test(`${title}: held gradients are added to those of the step that ends the wait`, options, async () => {
    const { x, target } = data;
    const feeds = { x, target, schedule: scheduleAt(1) };
    const [once, held] = [
      await openGraph(linearRegression(), initial(), { open, threads: 1 }),
      await openGraph(updatesOnly(), initial(), { open, threads: 1, guard: "loss" }),
    ];
    await once.run("step", feeds);
    const before = await held.readState();
    for (const _ of [1, 2]) await held.run("step", feeds, { hold: true });
    assert.deepEqual(await held.readState(), before);
    await held.run("step", feeds);
    const [single, triple] = [await once.readState(), await held.readState()];
    for (const name of ["w", "b"]) {
      const times = (factor: number, values: Float32Array) => values.map((value) => factor * value);
      assertClose(triple[`${name}.exp_avg`], times(3, single[`${name}.exp_avg`]), 2e-6, name);
      assertClose(triple[`${name}.exp_avg_sq`], times(9, single[`${name}.exp_avg_sq`]), 2e-6, name);
    }
    await held.run("step", { ...feeds, x: x.map(() => Number.NaN) }, { hold: true });
    await held.run("step", feeds);
    assert.deepEqual(
      await held.readState(),
      triple,
      "nothing is learnt from a group with a loss that is not finite",
    );
    for (const bad of [Number.NaN, 1e30]) {
      const broken = { ...feeds, x: x.map(() => bad) };
      await held.run("step", broken, { hold: true });
      await held.run("step", feeds, { hold: true });
      await held.run("step", feeds);
      assert.deepEqual(await held.readState(), triple, `a good one that is held after ${bad} mends nothing`);
      await held.run("step", feeds, { hold: true });
      await held.run("step", broken);
      assert.deepEqual(await held.readState(), triple, `nor do good ones before ${bad}`);
    }
    await held.run("step", feeds);
    assert.notDeepEqual(await held.readState(), triple);
    await Promise.all([once.dispose(), held.dispose()]);
  });

  test(`${title}: gradients are clipped together, held ones and the last as one`, options, async () => {
    const { x, target } = data;
    const feeds = { x, target, schedule: scheduleAt(1) };
    const gradientsOf = async (clipGradNorm: number | undefined, runs: number) => {
      const executor = await openGraph(updatesOnly(), initial(), { open, threads: 1, clipGradNorm });
      for (let i = 1; i < runs; i++) await executor.run("step", feeds, { hold: true });
      await executor.run("step", feeds);
      const state = await executor.readState();
      await executor.dispose();
      // The first average is the gradient's share of it.
      return ["w", "b"].map((name) => state[`${name}.exp_avg`].map((value) => value / (1 - rules.beta1)));
    };
    const whole = await gradientsOf(undefined, 1);
    const norm = Math.hypot(...whole.flatMap((values) => [...values]));
    const most = norm / 4;
    const expected = whole.map((values) => values.map((value) => value * (most / (norm + 1e-6))));
    for (const runs of [1, 3]) {
      const clipped = await gradientsOf(most, runs);
      for (const [i, name] of ["w", "b"].entries()) assertClose(clipped[i], expected[i], 2e-6, name);
    }
    assert.deepEqual(await gradientsOf(2 * norm, 1), whole, "smaller gradients stay as they are");
    const itself = openGraph(linearRegression(), initial(), { open, clipGradNorm: 1 });
    await assert.rejects(itself, isLuvitError("engine", "clipping gradients", "steps"));
  });

  test(`${title}: what does not fit is named`, options, async () => {
    const graph = linearRegression();
    await assert.rejects(
      openGraph(graph, { w: data.w.subarray(1), b: new Float32Array(4) }, { open }),
      isLuvitError("bad-argument", "b: 4 numbers, expected 5", "w: 14 numbers, expected 15"),
    );
    const half = await openGraph(graph, { w: data.w, b: data.b }, { open, threads: 1 });
    await assert.rejects(
      half.run("step", { x: data.x, target: data.target, schedule: scheduleAt(1) }),
      isLuvitError("bad-argument", "not written yet"),
    );
    await half.dispose();
    const executor = await openGraph(graph, initial(), { open, threads: 1 });
    const { x, target } = data;
    await assert.rejects(
      executor.run("step", { x, target }),
      isLuvitError("bad-argument", "missing: schedule"),
    );
    const feeds = { x, target, schedule: scheduleAt(1) };
    await assert.rejects(
      executor.run("step", feeds, { fetch: ["accuracy"] }),
      isLuvitError("bad-argument", "no output accuracy"),
    );
    await assert.rejects(executor.run("stop", feeds), isLuvitError("bad-argument", '"stop"', "step"));
    await assert.rejects(executor.readState(["v"]), isLuvitError("bad-argument", "v"));
    await assert.rejects(
      executor.writeState({ w: data.b }),
      isLuvitError("bad-argument", "w: 5 numbers, expected 15"),
    );
    assert.match(describeEngine(executor.description), new RegExp(`^${engine} .+\\((.+, )?float32\\)$`));
    await executor.dispose();
    await executor.dispose();
    await assert.rejects(executor.run("step", feeds), isLuvitError("engine", "disposed"));
  });
}

for (const { title, open, options } of [...compilingEngines, asOnDevice, webgpu]) {
  test(`${title}: gradients are not held where the graph itself changes state`, options, async () => {
    const executor = await openGraph(linearRegression(), initial(), { open, threads: 1 });
    const { x, target } = data;
    const run = executor.run("step", { x, target, schedule: scheduleAt(1) }, { hold: true });
    await assert.rejects(run, isLuvitError("engine", "holding gradients back", "steps"));
    await executor.dispose();
  });

  test(`${title}: ops without a rule are named, all of them`, options, async () => {
    const g = new GraphWriter();
    const x = g.input("x", [2]);
    const [y] = g.node("NoSuchOp", { x }, [{ shape: [2] }]);
    g.output("y", g.node("NorThisOne", { x: y }, [{ shape: [2] }])[0]);
    await assert.rejects(openGraph(g.finish(), {}, { open }), isLuvitError("engine", "NoSuchOp, NorThisOne"));
  });
}
