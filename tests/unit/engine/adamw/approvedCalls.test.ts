import assert from "node:assert/strict";
import { test } from "node:test";
import { createAdamWMemory, LANES, MOST_BYTES } from "../../../../src/engine/adamw/kernel";
import { AdamWPool } from "../../../../src/engine/adamw/pool";
import { type AdamWUpdate, splitUpdates } from "../../../../src/engine/adamw/splitUpdates";
import type { GraphValue } from "../../../../src/graph/ir";
import { Calls } from "../../../support/calls";
import { assertClose } from "../../nn/support";
import { GraphWriter } from "../support";

const rules = { beta1: 0.8, beta2: 0.9, eps: 0.01, weightDecay: 0.1, lrScale: 0.5 };

const update = (
  parameter: string,
  shape: readonly number[],
  more: Partial<AdamWUpdate> = {},
): AdamWUpdate => ({
  parameter,
  average: `${parameter}.m`,
  squares: `${parameter}.v`,
  gradient: `gradient of ${parameter}`,
  schedule: "schedule",
  shape,
  ...rules,
  ...more,
});

/** torch's step, in doubles. */
function byHand(
  w: number,
  m: number,
  v: number,
  g: number,
  [rate, c1, c2]: number[],
  one: AdamWUpdate,
): number[] {
  const lr = rate * one.lrScale;
  const average = one.beta1 * m + (1 - one.beta1) * g;
  const squares = one.beta2 * v + (1 - one.beta2) * g * g;
  return [
    w * (1 - lr * one.weightDecay) - ((lr / c1) * average) / (Math.sqrt(squares) / Math.sqrt(c2) + one.eps),
    average,
    squares,
  ];
}

const wave = (length: number, seed: number) =>
  Float32Array.from({ length }, (_, i) => Math.sin(1.3 * i + seed));

test("parameters of any size, of several memories and schedules, are updated as by hand, several times", () => {
  const updates = [
    update("scalar", []),
    update("odd", [3, 7]),
    update("large", [2 ** 16 + 5], { weightDecay: 0, lrScale: 1 }),
    update("whole", [2 ** 17], { beta1: 0.5, schedule: "other" }),
    update("none", [0, 4]),
    update("lanes", [8], { eps: 0.5, beta2: 0.99 }),
  ];
  const pool = new AdamWPool(updates, 2 ** 20);
  const state = pool.state();
  const expected = new Map(
    updates.map((one) => {
      const size = state.get(one.parameter)!.length;
      state.get(one.parameter)!.set(wave(size, 1));
      return [
        one.parameter,
        { w: Array.from(wave(size, 1)), m: Array<number>(size).fill(0), v: Array<number>(size).fill(0) },
      ];
    }),
  );
  const schedules: Record<string, number[]>[] = [
    { schedule: [0.1, 0.2, 0.1], other: [0.03, 0.5, 0.1] },
    { schedule: [0.2, 0.36, 0.19], other: [0.01, 0.75, 0.19] },
  ];
  for (const [nth, factor] of [1, 0.25].entries()) {
    const gradients = new Map(
      updates.map((one) => [one.gradient, wave(state.get(one.parameter)!.length, 3 + nth)]),
    );
    const before = new Map([...gradients].map(([name, array]) => [name, array.slice()]));
    pool.step(
      (name) => schedules[nth][name],
      (name) => gradients.get(name)!,
      factor,
    );
    assert.deepEqual(gradients, before, "gradients stay as they are");
    for (const one of updates) {
      const { w, m, v } = expected.get(one.parameter)!;
      const g = gradients.get(one.gradient)!;
      for (let i = 0; i < w.length; i++)
        [w[i], m[i], v[i]] = byHand(w[i], m[i], v[i], factor * g[i], schedules[nth][one.schedule], one);
      for (const [name, numbers] of [
        [one.parameter, w],
        [one.average, m],
        [one.squares, v],
      ] as const)
        assertClose(state.get(name)!, Float32Array.from(numbers), 2e-6, `${name}, step ${nth}`);
    }
  }
});

test("memories, places and what is taken out of a graph are approved", async () => {
  const calls = new Calls();
  calls.note("constants", [LANES, MOST_BYTES]);
  const places = (updates: AdamWUpdate[], bytes?: number) => {
    const pool = new AdamWPool(updates, bytes);
    const memories = [...new Set(pool.slots.map(({ memory }) => memory))];
    return pool.slots.map(({ update: { parameter }, memory, places: starts, parameter: array }) => [
      parameter,
      memories.indexOf(memory),
      starts,
      array.length,
      array.byteOffset,
      memory.buffer.byteLength,
    ]);
  };
  await calls.does("no updates", () => places([]));
  await calls.does("one", () => places([update("a", [2, 3])]));
  await calls.does("several in one memory", () =>
    places([update("a", [5]), update("b", []), update("c", [4, 4]), update("d", [0])], 2 ** 16),
  );
  await calls.does("several memories", () =>
    places(
      [update("a", [8]), update("b", [8]), update("large", [40]), update("c", [1]), update("d", [2])],
      192,
    ),
  );
  await calls.does("just fitting", () => places([update("a", [8]), update("b", [8])], 191));
  await calls.does("state", () => [...new AdamWPool([update("a", [2]), update("b", [3])]).state()]);
  await calls.does("too large", () => places([update("a", [2]), update("huge", [2 ** 15, 2 ** 14])]));
  const memory = createAdamWMemory(1024);
  const floats = new Float32Array(memory.buffer);
  floats.set([1, 2, 3, 4, 99, 99, 99, 99], 0);
  floats.set([0.5, -1, 2, 0], 64);
  const numbers = { beta1: 0.5, beta2: 0.75, keep: 0.9, step: 0.1, inverseRoot: 2, eps: 0.25 };
  await calls.once("an update of nothing", () =>
    memory.update({ parameter: 0, average: 64, squares: 128, gradient: 256, length: 0 }, numbers),
  );
  calls.note("changes nothing", floats.slice(0, 8));
  await calls.once("an update", () =>
    memory.update({ parameter: 0, average: 64, squares: 128, gradient: 256, length: 4 }, numbers),
  );
  calls.note("parameter and its neighbors", floats.slice(0, 8));
  calls.note("average", floats.slice(16, 24));
  calls.note("squares", floats.slice(32, 40));
  calls.note("gradient", floats.slice(64, 72));
  const split = (
    title: string,
    write: (
      g: GraphWriter,
      adamw: (name: string, gradient: GraphValue, schedule: GraphValue, outputs?: string[]) => GraphValue[],
    ) => void,
  ) =>
    calls.does(title, () => {
      const g = new GraphWriter();
      write(g, (name, gradient, schedule, outputs = [name, `${name}.m`, `${name}.v`]) => {
        const like = [0, 1, 2].map(() => ({ shape: gradient.shape }));
        const [parameter, average, squares] = [name, `${name}.m`, `${name}.v`].map((entry) =>
          g.state(entry, gradient.shape),
        );
        const results = g.node(
          "LuvitAdamW",
          { parameter, gradient, average, squares, schedule },
          like,
          rules,
        );
        for (const [i, output] of outputs.entries()) if (output) g.output(output, results[i]);
        return results;
      });
      const { graph, updates } = splitUpdates(g.finish());
      return {
        ops: graph.nodes.map(({ op }) => op),
        outputs: graph.outputs.map(({ name }) => name),
        updates,
      };
    });
  await split("two updates", (g, adamw) => {
    const [x, schedule] = [g.input("x", [2, 3]), g.input("schedule", [3])];
    adamw("a", g.node("Neg", { x }, [{ shape: [2, 3] }])[0], schedule);
    g.output("loss", x);
    adamw("b", x, schedule);
  });
  await split("schedules that the graph computes", (g, adamw) => {
    const [x, rate] = [g.input("x", [2]), g.input("rate", [3])];
    const [own] = g.node("Neg", { x: rate }, [{ shape: [3] }]);
    adamw("a", x, own);
    adamw("b", x, own);
    adamw("c", x, g.node("Exp", { x: rate }, [{ shape: [3] }])[0]);
  });
  await split("a result that the graph uses", (g, adamw) => {
    const [x, schedule] = [g.input("x", [2]), g.input("schedule", [3])];
    g.output("y", g.node("Neg", { x: adamw("a", x, schedule)[0] }, [{ shape: [2] }])[0]);
  });
  for (const used of [1, 2])
    await split(`a new ${["", "average", "square"][used]} that the graph uses`, (g, adamw) => {
      const [x, schedule] = [g.input("x", [2]), g.input("schedule", [3])];
      g.output("y", g.node("Neg", { x: adamw("a", x, schedule)[used] }, [{ shape: [2] }])[0]);
      adamw("b", x, schedule);
    });
  await split("old state that the graph uses", (g, adamw) => {
    const [x, schedule] = [g.input("x", [2]), g.input("schedule", [3])];
    adamw("a", x, schedule);
    g.output("y", g.node("Neg", { x: g.state("other", [2]) }, [{ shape: [2] }])[0]);
  });
  await split(
    "a moment that is not given back",
    (g, adamw) => void adamw("a", g.input("x", [2]), g.input("schedule", [3]), ["a", "a.m"]),
  );
  await split(
    "results under other names",
    (g, adamw) => void adamw("a", g.input("x", [2]), g.input("schedule", [3]), ["a", "a.v", "a.m"]),
  );
  await split("no updates", (g) => g.output("y", g.input("x", [2])));
  calls.approve("engine/adamw");
});
