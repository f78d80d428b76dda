import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { type Engine, openEngine, type Programs, type Workers } from "../../../src/engine";
import { Linear } from "../../../src/nn/layers";
import { AdamW } from "../../../src/optim/adamw";
import { pretrainRules } from "../../../src/optim/groups";
import { Agreement, expectShares, unshared } from "../../../src/train/agreement";
import type { Feeds } from "../../../src/train/feeds";
import { stepPrograms } from "../../../src/train/stepPrograms";
import { Stepper } from "../../../src/train/stepper";
import { WeightAverage } from "../../../src/train/weightAverage";
import { assertRejects, assertThrows } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

const row = (...numbers: number[]): Feeds => ({ x: { data: Float32Array.from(numbers), shape: [1, 2] } });

/** y = x w with w = [1, 2]; the loss is y^2. */
function task() {
  const model = new Linear(2, 1, new Rng(0), { bias: false });
  model.weight.load({ shape: [1, 2], data: Float32Array.of(1, 2) });
  const rules = pretrainRules(model, 0);
  const loss = ({ x }: Readonly<Record<string, Tensor>>) => tf.sum(tf.square(model.forward(x))) as Tensor;
  const out = {
    inputs: { x: { shape: [1, 2] } },
    body: (fed: Record<string, Tensor>) => ({ y: model.forward(fed.x) }),
  };
  return { name: "square", model, rules, loss, functions: { out } };
}

/** One worker of two, whose peer always has the same loss; its engine is in this process. */
function workersOf(change: Partial<Engine> = {}) {
  const asked: { sums: number[][]; programs?: Programs; closed: number; runs: number } = {
    ...{ sums: [], closed: 0, runs: 0 },
  };
  const workers = {
    ...{ rank: 0, size: 2, mpi: "none", engine: "eager" },
    sum: async (numbers: readonly number[]) => {
      asked.sums.push([...numbers]);
      return numbers.map((x) => 2 * x);
    },
    gather: async (own: unknown) => [own, own],
    failed: () => {},
    async open(programs: Programs): Promise<Engine> {
      asked.programs = programs;
      const alone = Object.fromEntries(
        Object.entries(programs).map(([name, { shared: _, ...program }]) => [name, program]),
      );
      const engine = await openEngine(alone, { engine: "eager" });
      const own = {
        alignState: async () => [],
        sameState: async () => true,
        dispose: () => {
          asked.closed++;
          return engine.dispose();
        },
        run: (...given: Parameters<Engine["run"]>) => {
          asked.runs++;
          return engine.run(...given);
        },
      };
      return Object.assign(Object.create(engine), own, change);
    },
  };
  return { asked, workers: workers as unknown as Workers };
}

test("workers' losses are summed and their gradients shared, in what is asked for; alone nothing is", async () => {
  for (const [sums, expected] of [
    [undefined, "float32"],
    ["bfloat16", "bfloat16"],
  ] as const) {
    const { asked, workers } = workersOf();
    const own = task();
    const optimizer = new AdamW(own.model, own.rules);
    const steps = { task: own, optimizer, average: undefined, batches: 2 };
    const stepper = new Stepper(steps, { engine: "eager", sums }, workers);
    assert.equal(await stepper.step([row(1, 1)], 0.1), 9, "half of a step here, and as much at the other");
    assert.deepEqual(asked.sums, [[4.5]]);
    assert.equal(asked.programs!.step.shared, expected);
    await stepper.expectSame(1);
    await stepper.dispose();
    assert.equal(asked.closed, 1);
  }
});

test("a worker with a loss that is not finite makes its other batches too, for which the others wait; one alone does not", async () => {
  const { asked, workers } = workersOf();
  for (const [peers, runs] of [
    [workers, 2],
    [undefined, 1],
  ] as const) {
    const own = task();
    const optimizer = new AdamW(own.model, own.rules);
    const stepper = new Stepper(
      { task: own, optimizer, average: undefined, batches: 2 },
      { engine: "eager" },
      peers,
    );
    await stepper.prepare(row(1, 1));
    const [before, sums] = [asked.runs, asked.sums.length];
    assert.ok(Number.isNaN(await stepper.step([row(Number.NaN, 1), row(1, 1)], 0.1)));
    if (peers) assert.deepEqual([asked.runs - before, asked.sums.length - sums], [runs, 1]);
    assert.equal(optimizer.step, 0);
    await stepper.dispose();
  }
});

test("workers whose frozen weights differ, or whose weights have come apart, are told so, and the engine is closed", async () => {
  const differing = workersOf({ alignState: async () => ["blocks.0.weight"] });
  const own = task();
  const steps = () => ({
    task: own,
    optimizer: new AdamW(own.model, own.rules),
    average: undefined,
    batches: 1,
  });
  const stepper = new Stepper(steps(), { engine: "eager" }, differing.workers);
  await assertRejects(
    stepper.prepare(row(1, 1)),
    "key-mismatch",
    "other frozen weights",
    "\n  blocks.0.weight\n",
  );
  assert.equal(differing.asked.closed, 1);
  const apart = workersOf({ sameState: async () => false });
  const other = new Stepper(steps(), { engine: "eager" }, apart.workers);
  await other.expectSame(3);
  await other.prepare(row(1, 1));
  await assertRejects(
    other.expectSame(3),
    "engine",
    "after step 3 the workers' weights are no longer the same",
  );
  await other.dispose();
});

test("programs have the step's guard, clipping, scale and sharing, and a function with averages where they are kept", () => {
  const own = task();
  const optimizer = new AdamW(own.model, own.rules, { betas: [0.5, 0.25], eps: 0.125 });
  const average = new WeightAverage(own.model, own.rules, 0.75);
  const common = { task: own, optimizer, batches: 4 };
  const plain = stepPrograms({ ...common, average: undefined }, row(1, 1));
  assert.deepEqual(Object.keys(plain), ["step", "out"]);
  const { graph, ...others } = plain.step;
  assert.deepEqual(others, {
    guard: "loss",
    clipGradNorm: undefined,
    lossScale: undefined,
    shared: undefined,
  });
  const inputsOf = ({ inputs }: typeof graph) => inputs.map(({ name }) => name).sort();
  assert.deepEqual(inputsOf(graph), ["schedule", "x"]);
  const rich = stepPrograms(
    { ...common, average, clipGradNorm: 2, scaled: true, shared: "bfloat16" },
    row(1, 1),
  );
  assert.deepEqual(Object.keys(rich), ["step", "out", "average", "out, averaged"]);
  const { graph: scaled, ...more } = rich.step;
  assert.deepEqual(more, { guard: "loss", clipGradNorm: 2, lossScale: "lossScale", shared: "bfloat16" });
  assert.deepEqual(inputsOf(scaled), ["lossScale", "schedule", "x"]);
  const text = JSON.stringify(graph, (_, value) =>
    ArrayBuffer.isView(value) ? [...(value as Float32Array)] : value,
  );
  for (const attribute of ['"beta1":0.5', '"beta2":0.25', '"eps":0.125'])
    assert.ok(text.includes(attribute), attribute);
});

test("a scaled step gives the loss as it is, and gradients as many times as large", async () => {
  const gradientOf = async (scale?: number) => {
    const own = task();
    const optimizer = new AdamW(own.model, own.rules, { betas: [0, 0] });
    const programs = stepPrograms(
      { task: own, optimizer, average: undefined, batches: 1, scaled: scale !== undefined },
      row(1, 1),
    );
    // An engine in float32 leaves the scale in.
    const { lossScale: _, ...step } = programs.step;
    const engine = await openEngine({ step }, { engine: "eager" });
    const zeros = { "weight.exp_avg": new Float32Array(2), "weight.exp_avg_sq": new Float32Array(2) };
    await engine.writeState({ weight: Float32Array.of(1, 2), ...zeros });
    const fed = { x: Float32Array.of(1, 1), schedule: Float32Array.of(0.1, 1, 1) };
    const { loss } = await engine.run("step", {
      ...fed,
      ...(scale !== undefined && { lossScale: Float32Array.of(scale) }),
    });
    const state = await engine.readState(["weight.exp_avg"]);
    await engine.dispose();
    return [loss[0], ...state["weight.exp_avg"]];
  };
  assert.deepEqual(await gradientOf(), [9, 6, 6]);
  assert.deepEqual(await gradientOf(8), [9, 48, 48]);
});

test("workers agree where any of them says so; one alone agrees with itself", async () => {
  const { asked, workers } = workersOf();
  const [both, alone] = [new Agreement(workers), new Agreement(undefined)];
  assert.deepEqual([both.rank, both.size, alone.rank, alone.size], [0, 2, 0, 1]);
  assert.deepEqual(
    [await both.any(false), await both.any(true), await alone.any(false), await alone.any(true)],
    [...[false, true], ...[false, true]],
  );
  assert.deepEqual(asked.sums, [[0], [1]]);
  assert.deepEqual(
    [await both.gather(7), await alone.gather(7), await unshared.gather(7)],
    [[7, 7], [7], [7]],
  );
  await alone.expectAlike({ a: 1 });
  await alone.shareReports([{} as never]);
});

test("a step that cannot be shared out evenly is refused with the numbers of workers that can, and how else", () => {
  const plan = (accumulate: number, batchSize: number) => ({ accumulate, batchSize }) as never;
  for (const size of [1, 2, 3, 6]) expectShares(plan(6, 5), { rank: 0, size });
  assertThrows(
    () => expectShares(plan(6, 8), { rank: 0, size: 4 }),
    "bad-argument",
    "a step of 6 batches (accumulate) cannot be shared out evenly among 4 workers; 1, 2, 3, 6 can; " +
      "accumulate: 4 with batchSize: 12 has as many images in a step",
  );
  assertThrows(() => expectShares(plan(6, 5), { rank: 0, size: 4 }), "bad-argument", /1, 2, 3, 6 can$/);
});
