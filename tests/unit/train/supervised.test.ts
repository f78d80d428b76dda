import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { StateDict } from "../../../src/core/hostTensor";
import { startBackend, tf } from "../../../src/core/tf";
import * as transforms from "../../../src/data/transforms";
import { engineProcesses, onnxRuntimeProblem, tensorflowProblem } from "../../../src/engine";
import { readTrainingCheckpoint } from "../../../src/io/runs/trainingCheckpoint";
import { classifier } from "../../../src/models";
import { evaluate } from "../../../src/train/evaluate";
import { type FinetuneOptions, finetune } from "../../../src/train/finetune";
import { supervised } from "../../../src/train/recipes";
import { loadRunWeights } from "../../../src/train/runWeights";
import {
  assertRejects,
  assertSameBits,
  assertSameCheckpoint,
  assertThrows,
  finetuning,
  images,
  losses,
  readLines,
  stopAfter,
  temporaryFolder,
  tinyClassifier,
  tinyViT,
} from "./support";

before(async () => void (await startBackend({ backend: "wasm" })));

const options: FinetuneOptions = {
  ...finetuning,
  repeatedAugmentation: 2,
  emaDecay: 0.8,
  cooldownEpochs: 1,
  warmupLr: 1e-3,
};
const problems = { eager: false, onnxruntime: onnxRuntimeProblem(), tensorflow: tensorflowProblem() };
const engines = (["eager", "onnxruntime", "tensorflow"] as const).filter((name) => !problems[name]);

async function weightsOf(folder: string): Promise<{ model: StateDict; average: StateDict }> {
  const { model, average } = await readTrainingCheckpoint(folder);
  return { model, average: average! };
}

for (const engine of engines) {
  // TensorFlow is opened anew for every step here, which takes it seconds.
  const skip = engine === "tensorflow";
  test(`${engine}: the average moves by 1 - decay towards the weights after every step`, {
    skip,
  }, async () => {
    const set = await images(transforms.finetune);
    const decay = 0.8;
    const out = join(temporaryFolder(), "run");
    const start = (resume: boolean) =>
      finetune(tinyClassifier(), set, { ...options, emaDecay: decay, engine, out, resume });
    let before = (await tinyClassifier().stateDict()) as StateDict;
    for (const step of [1, 2, 3]) {
      const { checkpoint } = await stopAfter(start(step > 1), step);
      const { model, average } = await weightsOf(checkpoint!);
      assert.deepEqual([...average.keys()].sort(), [...model.keys()].sort());
      for (const [path, { data }] of average) {
        const expected = before
          .get(path)!
          .data.map((x, i) => decay * x + (1 - decay) * model.get(path)!.data[i]);
        const worst = data.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i])), 0);
        assert.ok(worst < 1e-6, `${path} differs by ${worst}`);
      }
      before = average;
    }
  });

  test(`${engine}: a run with average, repetitions and cool-down that is stopped goes on bit for bit`, async () => {
    const set = await images(transforms.finetune);
    const folder = temporaryFolder();
    const start = (out: string, resume = false) =>
      finetune(tinyClassifier(), set, {
        ...options,
        engine,
        resume,
        validation: set,
        out: join(folder, out),
      });
    const whole = await start("whole").done;
    const stops = engine === "tensorflow" ? [4] : [2, 4, 7];
    for (const [i, step] of stops.entries()) await stopAfter(start("stopped", i > 0), step);
    const rest = await start("stopped", true).done;
    assert.deepEqual(losses(rest.history), losses(whole.history));
    const metrics = ({ history }: typeof rest) => history.map(({ lr, top1, emaTop1 }) => [lr, top1, emaTop1]);
    assert.deepEqual(metrics(rest), metrics(whole));
    await assertSameCheckpoint(rest.checkpoint, whole.checkpoint);
    assertSameBits((await weightsOf(rest.checkpoint!)).average, (await weightsOf(whole.checkpoint!)).average);
    assertSameBits(rest.averaged!, whole.averaged!);
  });
}

test("averages are the same op by op and as one graph", async () => {
  const set = await images(transforms.finetune);
  const run = (engine: (typeof engines)[number]) =>
    finetune(tinyClassifier(), set, { ...options, lr: 1e-3, engine, out: false, validation: set }).done;
  const eager = await run("eager");
  for (const engine of engines.slice(1)) {
    const other = await run(engine);
    assert.deepEqual(
      other.history.map(({ emaTop1 }) => emaTop1),
      eager.history.map(({ emaTop1 }) => emaTop1),
    );
    for (const [path, { data }] of eager.averaged!) {
      const worst = data.reduce(
        (most, x, i) => Math.max(most, Math.abs(x - other.averaged!.get(path)!.data[i])),
        0,
      );
      assert.ok(worst < 1e-3, `${engine}: ${path} differs by ${worst}`);
    }
  }
});

test("the averaged weights are evaluated beside the weights, and can be put into a model", async () => {
  const set = await images(transforms.finetune);
  const validation = await images();
  const out = join(temporaryFolder(), "run");
  // So slow an average that it still answers as the untrained model does.
  const run = finetune(tinyClassifier(3), set, { ...options, epochs: 6, emaDecay: 0.9999, validation, out });
  const { history, model, checkpoint, averaged } = await run.done;
  const last = history.at(-1)!;
  assert.equal(last.top1, (await evaluate(model, validation)).top1);
  assert.equal(last.emaTop1, (await evaluate(tinyClassifier(3), validation)).top1);
  assert.ok(last.top1 > last.emaTop1);
  const fresh = tinyClassifier(9);
  const found = await loadRunWeights(fresh, out, { averaged: true });
  assert.equal(found.folder, checkpoint);
  assert.equal((await evaluate(fresh, validation)).top1, last.emaTop1);
  const inMemory = tinyClassifier(9);
  inMemory.loadStateDict(averaged!);
  assertSameBits(await inMemory.stateDict(), await fresh.stateDict());
  assert.deepEqual(readLines(out).at(-1), last);
});

test("a run without an average has none to give", async () => {
  const set = await images(transforms.finetune);
  const out = join(temporaryFolder(), "run");
  const { checkpoint, averaged } = await stopAfter(
    finetune(tinyClassifier(), set, { ...finetuning, out }),
    1,
  );
  assert.deepEqual([averaged, existsSync(join(checkpoint!, "average.safetensors"))], [undefined, false]);
  const loaded = loadRunWeights(tinyClassifier(), out, { averaged: true });
  await assertRejects(loaded, "missing-file", "no averaged weights", "without emaDecay");
  const resumed = finetune(tinyClassifier(), set, { ...finetuning, emaDecay: 0.9, out, resume: true });
  await assertRejects(resumed.done, "bad-argument", "emaDecay: was not given, now 0.9");
});

test("an engine that dies costs no step of the average", {
  skip: problems.onnxruntime ?? false,
}, async () => {
  const set = await images(transforms.finetune);
  const start = () => finetune(tinyClassifier(), set, { ...options, engine: "onnxruntime", out: false });
  const undisturbed = await start().done;
  const run = start();
  run.onRecord(({ step }) => {
    if (step === 5 && run.notes.length === 0)
      for (const { pid } of engineProcesses()) process.kill(pid, "SIGKILL");
  });
  const { averaged } = await run.done;
  assert.equal(run.notes.length, 1);
  assertSameBits(averaged!, undisturbed.averaged!);
});

test("a cool-down adds epochs at the least rate, and the rate changes from epoch to epoch only", async () => {
  const set = await images(transforms.finetune);
  const run = finetune(tinyClassifier(), set, {
    ...options,
    epochs: 4,
    minLr: 1e-5,
    cooldownEpochs: 2,
    engine: "eager",
    out: false,
  });
  const { history } = await run.done;
  const rates = Array.from({ length: 6 }, (_, epoch) =>
    history.slice(3 * epoch, 3 * epoch + 3).map(({ lr }) => lr),
  );
  for (const [a, b, c] of rates) assert.ok(a === b && b === c);
  const half = (x: number) => 1e-5 + (1e-2 - 1e-5) * x;
  const expected = [1e-3, 1e-3, half((1 + Math.SQRT1_2) / 2), half(0.5), half((1 - Math.SQRT1_2) / 2), 1e-5];
  for (const [i, [rate]] of rates.entries()) assert.ok(Math.abs(rate - expected[i]) < 1e-12, `${i}: ${rate}`);
});

test("an epoch of repeated augmentation is as long as another and has half of the images, twice each", async () => {
  const set = await images(transforms.finetune);
  const drawn: number[] = [];
  const watched = Object.create(set, {
    load: {
      value: (...args: Parameters<typeof set.load>) => {
        drawn.push(args[0]);
        return set.load(...args);
      },
    },
  }) as typeof set;
  const once = { ...options, epochs: 1, cooldownEpochs: 0, engine: "eager", out: false } as const;
  const { history } = await finetune(tinyClassifier(), watched, once).done;
  assert.deepEqual([history.length, drawn.length], [3, 12]);
  const counts = new Map<number, number>();
  for (const index of drawn) counts.set(index, (counts.get(index) ?? 0) + 1);
  assert.deepEqual([...counts.values()], [2, 2, 2, 2, 2, 2]);
});

test("options that cannot be are refused together, and nothing is left in memory", async () => {
  const set = await images(transforms.finetune);
  const wrong = { emaDecay: 1, repeatedAugmentation: 0 };
  assertThrows(
    () => finetune(tinyClassifier(), set, { ...finetuning, ...wrong }),
    "bad-argument",
    "emaDecay: expected a number from 0, less than 1, got 1",
    "repeatedAugmentation: expected a whole number from 1",
  );
  assertThrows(
    () => finetune(tinyClassifier(), set, { ...finetuning, cooldownEpochs: 0.5 }),
    "bad-argument",
    "cooldownEpochs: expected a whole number from 0",
  );
  const model = tinyClassifier();
  const run = () => finetune(model, set, { ...options, engine: "eager", out: false }).done;
  await run();
  const { numTensors } = tf.memory();
  await run();
  assert.equal(tf.memory().numTensors, numTensors);
});

test("the supervised recipe has DeiT's repetitions and average", () => {
  assert.deepEqual(
    [supervised.repeatedAugmentation, supervised.emaDecay, supervised.warmupLr],
    [3, 0.99996, 1e-6],
  );
});

test("a model learns its classes' names from a set of as many, and keeps its own where the set has fewer", async () => {
  const set = await images(transforms.finetune);
  const namesAfter = async (classes: number, classNames?: string[]) => {
    const model = classifier.create({ encoder: tinyViT, classes, classNames });
    await stopAfter(finetune(model, set, { ...finetuning, engine: "eager", out: false }), 1);
    return model.classNames;
  };
  assert.deepEqual(await namesAfter(2), ["green", "red"]);
  assert.deepEqual(await namesAfter(3, ["green", "red", "blue"]), ["green", "red", "blue"]);
  assert.equal(await namesAfter(3), undefined);
});

test("a model learns how images are prepared from what it is evaluated on, else from what it is trained on where that says it", async () => {
  const set = await images(transforms.finetune);
  const [whole, half] = [0.9, 0.6].map((cropRatio) =>
    set.withTransform(transforms.evaluation(16, { cropRatio })),
  );
  assert.notDeepEqual(whole.preprocessing, half.preprocessing);
  const prepared = async (dataset: typeof set, validation?: typeof set) => {
    const model = tinyClassifier();
    await stopAfter(finetune(model, dataset, { ...finetuning, validation, engine: "eager", out: false }), 1);
    return model.preprocessing;
  };
  assert.deepEqual(await prepared(set), tinyClassifier().preprocessing);
  assert.deepEqual(await prepared(half), half.preprocessing);
  assert.deepEqual(await prepared(set, half), half.preprocessing);
  assert.deepEqual(await prepared(whole, half), half.preprocessing);
});
