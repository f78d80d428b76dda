import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { streamOf } from "../../../src/core/hostTensor";
import { startBackend } from "../../../src/core/tf";
import { listTrainingCheckpoints } from "../../../src/io/runs/trainingCheckpoint";
import { nonFiniteNames, nonFiniteState, onlyFinite } from "../../../src/train/nonFinite";
import { pretrain } from "../../../src/train/pretrain";
import { Run } from "../../../src/train/run";
import { Stepper } from "../../../src/train/stepper";
import { assertRejects, assertSameBits, images, pretraining, temporaryFolder, tinyMae } from "./support";

before(async () => void (await startBackend()));

const tensors = (...values: number[]) =>
  streamOf(
    new Map([
      ["good", { shape: [1], data: Float32Array.of(1) }],
      ["other", { shape: [values.length], data: Float32Array.from(values) }],
    ]),
  );

test("tensors that hold what is no number or without bound are all named, and refused when they are written", async () => {
  const file = join(temporaryFolder(), "numbers");
  const places = (count: number) =>
    new Map([
      ["good", { start: 0, end: 4 }],
      ["other", { start: 4, end: 4 + 4 * count }],
    ]);
  const write = async (values: readonly number[]) => {
    writeFileSync(file, "");
    const refuse = async () => new LuvitError("non-finite", "refused");
    await onlyFinite(tensors(...values), refuse).writeInto!(file, places(values.length));
    const bytes = readFileSync(file);
    return [...new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))];
  };
  const large = [0, -1, 3.4e38, 3.4e38, -3.4e38, 3.4e38, 3.4e38].map(Math.fround);
  assert.deepEqual(await write(large), [1, ...large]);
  assert.deepEqual(await nonFiniteNames(tensors(...large)), []);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    for (let at = 0; at < 7; at++) {
      const values = large.map((value, i) => (i === at ? bad : value));
      await assertRejects(write(values), "non-finite", "refused");
      assert.deepEqual(await nonFiniteNames(tensors(...values)), ["other"]);
    }
  }
  const opposites = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  await assertRejects(write(opposites), "non-finite", "refused");
});

test("a state that is not saved is told with step, rate, tensors and the last good checkpoint", () => {
  const { code, message } = nonFiniteState(["other"], 4, 0.5, "run/checkpoint-000003");
  assert.equal(code, "non-finite");
  for (const piece of ["step 4, learning rate 5.000e-1", "other", "run/checkpoint-000003"])
    assert.ok(message.includes(piece), message);
  assert.match(nonFiniteState(["other"], 1, 1, undefined).message, /none was written yet/);
});

test("weights that are lost are all named at the end of their epoch with the rate that the last step was made at", async (t) => {
  const { stream } = Stepper.prototype;
  t.mock.method(
    Stepper.prototype,
    "stream",
    function (this: Stepper<never>, ...asked: Parameters<typeof stream>) {
      const { shapes, read } = stream.apply(this, asked);
      const lost = ["norm.bias", "cls_token.exp_avg", "norm.bias.exp_avg_sq"];
      return {
        shapes,
        read: async (names: readonly string[]) => {
          const numbers = Object.entries(await read(names));
          const value = (name: string, data: Float32Array) =>
            lost.includes(name) ? data.map(() => Number.NaN) : data;
          return Object.fromEntries(numbers.map(([name, data]) => [name, value(name, data)]));
        },
      };
    },
  );
  const out = join(temporaryFolder(), "run");
  const options = { ...pretraining, minLr: 0, engine: "eager", out } as const;
  const run = pretrain(tinyMae(), await images(), options);
  // The third of three steps up to a peak of 1e-2 is made two thirds of the way.
  await assertRejects(
    run.done,
    "non-finite",
    "step 3, learning rate 6.667e-3",
    "\n  norm.bias\n",
    "\n  cls_token.exp_avg\n",
    "\n  norm.bias.exp_avg_sq\n",
  );
  assert.equal(run.latest!.lr.toExponential(3), "6.667e-3");
  assert.deepEqual(await listTrainingCheckpoints(out), []);
  assertSameBits(await run.model.stateDict(), await tinyMae().stateDict());
});

test("a listener hears every record until it is told off", async () => {
  const heard: string[] = [];
  const run = new Run({
    name: "a",
    model: tinyMae(),
    totalSteps: 2,
    out: undefined,
    report: { count: 0 } as never,
    body: async ({ record }) => {
      const entry = { step: 1, epoch: 0, loss: 1, lr: 1, imagesPerSecond: 1 };
      record(entry);
      off();
      record({ ...entry, step: 2 });
    },
  });
  const off = run.onRecord(({ step }) => heard.push(`first ${step}`));
  run.onRecord(({ step }) => heard.push(`second ${step}`));
  const { stopped, history } = await run.done;
  assert.deepEqual(heard, ["first 1", "second 1", "second 2"]);
  assert.deepEqual([stopped, history.length, run.state], [false, 2, "done"]);
});
