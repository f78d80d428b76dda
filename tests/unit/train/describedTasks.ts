import { mock } from "node:test";
import { tf } from "../../../src/core/tf";
import type { Feeds } from "../../../src/train/feeds";
import type * as Loop from "../../../src/train/loop";
import type { TrainingTask } from "../../../src/train/steps";
import type { Calls } from "../../support/calls";

export const loop = require("../../../src/train/loop") as typeof Loop;

/** The task that a call begins, which is not run. */
export function taskOf(begin: () => unknown): TrainingTask<never> {
  const begun = mock.method(loop, "startRun", () => undefined as never);
  try {
    begin();
    return begun.mock.calls[0].arguments[0] as unknown as TrainingTask<never>;
  } finally {
    begun.mock.restore();
  }
}

export const told = { epochs: 2, batchSize: 2, lr: 1e-3, seed: 5 };

export const rulesOf = ({ rules }: TrainingTask<never>) =>
  [...rules].map(
    ([path, { weightDecay, lrScale }]) => `${path} ${weightDecay} ${Number(lrScale.toFixed(5))}`,
  );

export const fedOf = (feeds: Feeds) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape, dtype }]) => [name, [shape.join(" x "), dtype, data]]),
  );

export const tensorsOf = (feeds: Feeds) =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, { data, shape, dtype }]) => [
      name,
      tf.tensor(data, [...shape], dtype ?? "float32"),
    ]),
  );

/** What a task is, without what its loss comes to. */
export function described(task: TrainingTask<never>) {
  const {
    name,
    settings,
    plan,
    repeats,
    emaDecay,
    pixels,
    functions = {},
    whole,
    frozen,
    validation,
    evaluate,
  } = task;
  return {
    ...{ name, settings, repeats, emaDecay, pixels },
    schedule: plan.schedule,
    decay: plan.weightDecay,
    betas: plan.betas,
    functions: Object.entries(functions).map(([key, { inputs }]) => [key, inputs]),
    whole: whole && [...whole.namedParameters()].length,
    frozen: frozen && [...frozen.keys()].slice(0, 3),
    validated: [validation?.length, evaluate !== undefined],
  };
}

/** What a task is fed for a batch, and what its loss comes to then. */
export async function step(calls: Calls, what: string, task: TrainingTask<never>, batch: object, micro = 3) {
  const feeds = task.feeds(batch as never, micro);
  calls.note(`  ${what}, fed`, fedOf(feeds));
  const other = task.feeds(batch as never, micro + 1);
  calls.note(
    `  ${what}, fed otherwise the next time`,
    Object.keys(feeds).filter((name) => feeds[name].data.some((value, i) => value !== other[name].data[i])),
  );
  const loss = tf.tidy(() => task.loss(tensorsOf(feeds)).dataSync()[0]);
  calls.note(`  ${what}, loss`, loss);
}

export const batchOf = (side: number, more: object = {}) => {
  const values = Float32Array.from({ length: 2 * 3 * side * side }, (_, i) => ((i * 37) % 101) / 50 - 1);
  return {
    images: values,
    labels: Int32Array.of(1, 0),
    indices: Int32Array.of(0, 1),
    paths: ["a", "b"],
    batch: 0,
    samples: [],
    ...more,
  };
};
