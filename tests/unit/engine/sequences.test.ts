import assert from "node:assert/strict";
import { before, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { startBackend, tf } from "../../../src/core/tf";
import type { Engine, Programs } from "../../../src/engine";
import type { GraphValue } from "../../../src/graph/ir";
import "../../../src/nn/ops";
import { assertClose } from "../nn/support";
import { DeviceImitation } from "./onnx/device/imitation";
import { engines, GraphWriter, type TestedEngine, withOnnxRuntime } from "./support";

/*
 * The same runs, one after the other, on every engine and by hand in doubles: results, and the state after each.
 */

before(() => startBackend({ backend: "cpu" }));

const sizes = { w: [2, 3], u: [2] } as const;
const rules = { beta1: 0.8, beta2: 0.9, eps: 0.01, weightDecay: 0.1, lrScale: 0.5 };
const otherRules = { ...rules, weightDecay: 0, lrScale: 1 };
const CLIP = 2;

/** A step for w and u with gradients x w and 3 u, guarded by their loss; the mean of w; and a program that changes nothing. */
function programs(clipGradNorm?: number): Programs {
  const step = new GraphWriter();
  const x = step.input("x", sizes.w);
  const schedule = step.input("schedule", [3]);
  const [w, u] = [step.state("w", sizes.w), step.state("u", sizes.u)];
  const update = (name: "w" | "u", parameter: GraphValue, gradient: GraphValue, attributes: object) => {
    const [average, squares] = [step.state(`${name}.m`, sizes[name]), step.state(`${name}.v`, sizes[name])];
    const like = [0, 1, 2].map(() => ({ shape: sizes[name] }));
    const operands = { parameter, gradient, average, squares, schedule };
    const results = step.node("LuvitAdamW", operands, like, attributes as never);
    for (const [i, entry] of [name, `${name}.m`, `${name}.v`].entries()) step.output(entry, results[i]);
  };
  const [gw] = step.node("Multiply", { a: x, b: w }, [{ shape: sizes.w }]);
  const [gu] = step.node("Multiply", { a: u, b: step.constant(Float32Array.of(3), []) }, [
    { shape: sizes.u },
  ]);
  step.output("loss", step.node("Sum", { x: gw }, [{ shape: [] }], { axis: [0, 1], keepDims: false })[0]);
  update("w", w, gw, rules);
  update("u", u, gu, otherRules);
  const average = new GraphWriter();
  const [mean, old] = [average.state("mean", sizes.w), average.state("w", sizes.w)];
  const [sum] = average.node("Add", { a: mean, b: old }, [{ shape: sizes.w }]);
  const share = average.input("share", [1]);
  const [next] = average.node("Multiply", { a: sum, b: share }, [{ shape: sizes.w }]);
  average.output("mean", next);
  const [difference] = average.node("Sub", { a: mean, b: old }, [{ shape: sizes.w }]);
  average.output("difference", difference);
  average.output("guarded", average.node("Neg", { x: share }, [{ shape: [1] }])[0]);
  const ask = new GraphWriter();
  const given = ask.input("n", sizes.u, "int32");
  const [floats] = ask.node("Cast", { x: given }, [{ shape: sizes.u }], { dtype: "float32" });
  ask.output("y", ask.node("Multiply", { a: floats, b: ask.state("u", sizes.u) }, [{ shape: sizes.u }])[0]);
  ask.output("frozen", ask.node("Neg", { x: ask.state("f", sizes.u) }, [{ shape: sizes.u }])[0]);
  return {
    step: { graph: step.finish("step"), guard: "loss", clipGradNorm },
    average: { graph: average.finish("average"), guard: "guarded" },
    ask: { graph: ask.finish("ask") },
  };
}

type Numbers = Record<string, number[]>;

/** What the programs do, by hand. */
class Plain {
  readonly state: Numbers = {};
  private held: Numbers = {};
  private good = true;

  constructor(private readonly clip?: number) {
    for (const name of ["w.m", "w.v"]) this.state[name] = Array(6).fill(0);
    for (const name of ["u.m", "u.v"]) this.state[name] = Array(2).fill(0);
  }

  step(x: number[], [rate, c1, c2]: number[], hold: boolean): Numbers {
    const { state } = this;
    const gradients: Numbers = {
      w: x.map((value, i) => value * state.w[i]),
      u: state.u.map((value) => 3 * value),
    };
    const loss = gradients.w.reduce((sum, value) => sum + value, 0);
    this.good &&= Number.isFinite(loss);
    for (const name of ["w", "u"])
      gradients[name] = gradients[name].map((value, i) => value + (this.held[name]?.[i] ?? 0));
    this.held = hold ? gradients : {};
    if (hold) return { loss: [loss] };
    if (this.good) {
      const norm = Math.sqrt([...gradients.w, ...gradients.u].reduce((sum, value) => sum + value * value, 0));
      const factor = this.clip === undefined ? 1 : Math.min(1, this.clip / (norm + 1e-6));
      for (const [name, { beta1, beta2, eps, weightDecay, lrScale }] of [
        ["w", rules],
        ["u", otherRules],
      ] as const)
        for (const [i, whole] of gradients[name].entries()) {
          const g = whole * factor;
          const [m, v] = [state[`${name}.m`], state[`${name}.v`]];
          m[i] = beta1 * m[i] + (1 - beta1) * g;
          v[i] = beta2 * v[i] + (1 - beta2) * g * g;
          const lr = rate * lrScale;
          state[name][i] =
            state[name][i] * (1 - lr * weightDecay) -
            ((lr / c1) * m[i]) / (Math.sqrt(v[i]) / Math.sqrt(c2) + eps);
        }
    }
    this.good = true;
    return { loss: [loss] };
  }

  average(): Numbers {
    const { mean, w } = this.state;
    const difference = mean.map((value, i) => value - w[i]);
    this.state.mean = mean.map((value, i) => (value + w[i]) / 2);
    return { difference };
  }

  ask(n: number[]): Numbers {
    return { y: n.map((value, i) => value * this.state.u[i]), frozen: this.state.f.map((value) => -value) };
  }
}

const floats = (...numbers: number[]) => Float32Array.from(numbers);
const x1 = [1, -2, 0.5, 3, -1, 0.25];
const x2 = [0.5, 1, -1, 2, 4, -3];
const bad = [1, 2, Number.NaN, 1, 1, 1];
const schedules = [
  [0.1, 0.2, 0.1],
  [0.05, 0.36, 0.19],
];

async function sameRuns(engine: Engine, plain: Plain, title: string): Promise<void> {
  const { state } = plain;
  const changing = ["w", "w.m", "w.v", "u", "u.m", "u.v", "mean"];
  const agree = (found: Record<string, Float32Array>, expected: Numbers, where: string) => {
    assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort(), `${title}, ${where}`);
    for (const [name, numbers] of Object.entries(expected)) {
      const finite = numbers.map((value) => (Number.isFinite(value) ? value : 0));
      const own = found[name].map((value, i) =>
        Object.is(value, numbers[i]) && Number.isNaN(value) ? 0 : value,
      );
      assertClose(own, Float32Array.from(finite), 2e-5, `${title}, ${where}: ${name}`);
    }
  };
  const of = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, [...state[name]]]));
  const check = async (where: string) =>
    agree(await engine.readState(), of(changing), `state after ${where}`);
  const refused = (what: Promise<unknown>, code: string, words: string) =>
    assert.rejects(what, (error: Error) => {
      assert.ok(error instanceof LuvitError, `${title}: ${error.stack}`);
      assert.equal(error.code, code);
      assert.ok(error.message.includes(words), `${title}: ${error.message}`);
      return true;
    });
  const step = (x: number[], nth: number, options: object = {}) =>
    engine.run("step", { x: floats(...x), schedule: floats(...schedules[nth]) }, options);
  const write = async (values: Numbers) => {
    Object.assign(state, values);
    for (const [name, numbers] of Object.entries(values))
      await engine.writeState({ [name]: floats(...numbers) });
  };

  await refused(step(x1, 0), "bad-argument", "state: not written yet");
  await write({ w: [1, 2, -1, 0.5, -0.5, 3], u: [0.5, -2], f: [7, 8] });
  await refused(engine.run("average", { share: floats(0.5) }), "bad-argument", "mean");
  await write({ mean: [0, 1, 2, 3, 4, 5] });
  await check("writing");
  agree(await engine.run("ask", { n: Int32Array.of(2, -3) }), plain.ask([2, -3]), "ask");
  agree(await step(x1, 0), plain.step(x1, schedules[0], false), "first step");
  await check("first step");
  const loss = plain.step(x2, schedules[1], false);
  agree(
    await step(x2, 1, { fetch: ["w", "loss", "u.m", "f"] }),
    { ...loss, ...of(["w", "u.m", "f"]) },
    "what a step has changed",
  );
  agree(await step(x1, 0, { hold: true }), plain.step(x1, schedules[0], true), "held");
  await check("holding");
  plain.step(x2, schedules[0], true);
  agree(await step(x2, 0, { hold: true, fetch: [] }), {}, "held again");
  const averaged = { fetch: ["mean", "difference"] };
  agree(
    await engine.run("average", { share: floats(0.5) }, averaged),
    { ...plain.average(), ...of(["mean"]) },
    "average between",
  );
  const bare = state.mean.map((value, i) => value - state.w[i]);
  agree(
    await engine.run("average", { share: floats(Number.NaN) }, averaged),
    { difference: bare, ...of(["mean"]) },
    "a bad average",
  );
  agree(await step(x1, 1), plain.step(x1, schedules[1], false), "released");
  await check("release");
  agree(await step(bad, 0), plain.step(bad, schedules[0], false), "a bad one");
  await check("a bad one");
  await step(bad, 0, { hold: true });
  plain.step(bad, schedules[0], true);
  await step(x1, 0, { hold: true });
  plain.step(x1, schedules[0], true);
  agree(await step(x2, 0), plain.step(x2, schedules[0], false), "after a bad one was held");
  await check("a bad one was held");
  agree(await step(x2, 0), plain.step(x2, schedules[0], false), "a good one");
  await check("a good one");

  await refused(
    step(x1, 0, { fetch: ["lost", "loss"] }),
    "bad-argument",
    "fetch: the graph has no output lost",
  );
  await refused(engine.run("step", { x: floats(...x1) }), "bad-argument", "missing: schedule [3]");
  await refused(
    engine.run("step", { x: floats(1), schedule: floats(1, 2, 3) }),
    "bad-argument",
    "x: 1 numbers, expected 6 = [2, 3]",
  );
  await refused(
    engine.run("stop", {}),
    "bad-argument",
    'no program "stop" is open; there are: step, average, ask',
  );
  await refused(engine.writeState({ z: floats(1) }), "bad-argument", "state: no such entries");
  await refused(
    engine.writeState({ w: floats(1), u: floats(1, 2) }),
    "bad-argument",
    "w: 1 numbers, expected 6 = [2, 3]",
  );
  await check("refusals");

  await write({ u: [1, 1.5], "w.m": [1, 2, 3, 4, 5, 6] });
  await check("writing again");
  const both = [step(x1, 1, { fetch: ["u"] }), step(x2, 0, { fetch: ["u", "w"] })];
  plain.step(x1, schedules[1], false);
  const between = of(["u"]);
  plain.step(x2, schedules[0], false);
  agree(await both[0], between, "the first of two at once");
  agree(await both[1], of(["u", "w"]), "the second of two at once");
  agree(await engine.readState(["f", "u.v"]), of(["f", "u.v"]), "named entries");
  const copy = (await engine.readState(["w"])).w;
  copy.fill(9);
  await check("a copy was written to");
  const fed = floats(...x1);
  const run = engine.run("step", { x: fed, schedule: floats(...schedules[0]) });
  await run;
  fed.fill(0);
  plain.step(x1, schedules[0], false);
  await check("what was fed has changed");
}

const device = new DeviceImitation();

const onDevice: TestedEngine = {
  engine: "onnxruntime",
  title: "onnxruntime with state on a device",
  open: (given, options) => device.open(given, options),
  options: withOnnxRuntime,
};

for (const { title, open, options } of [...engines, onDevice])
  for (const clip of [undefined, CLIP])
    test(`${title} runs as one does by hand, ${clip ? "clipped" : "as it is"}`, options, async () => {
      const tensors = tf.memory().numTensors;
      const engine = await open(programs(clip), { threads: 1 });
      await sameRuns(engine, new Plain(clip), title);
      assert.equal(engine.traffic.process, 0);
      assert.equal(
        engine.traffic.device > 0,
        title === onDevice.title,
        "only what goes to a device and back is counted",
      );
      await engine.dispose();
      await engine.dispose();
      await assert.rejects(engine.run("ask", { n: Int32Array.of(1, 1) }), /it was disposed/);
      assert.equal(tf.memory().numTensors, tensors);
      assert.match(device.since(), /; 0 alive, 0 sessions$/);
    });
