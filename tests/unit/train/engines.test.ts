import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import type { HostTensor } from "../../../src/core/hostTensor";
import { startBackend, tf } from "../../../src/core/tf";
import * as transforms from "../../../src/data/transforms";
import { onnxRuntimeProblem, tensorflowProblem } from "../../../src/engine";
import { baselines, classifier, fusion, lora } from "../../../src/models";
import type { ClassifierOptions } from "../../../src/models/classifier";
import type { LlamaBlocks } from "../../../src/models/llamaBlock";
import type { LlamaConfig } from "../../../src/models/llamaConfig";
import type { Module } from "../../../src/nn/module";
import { type FinetuneOptions, finetune } from "../../../src/train/finetune";
import type { TrainOptions } from "../../../src/train/plan";
import { pretrain } from "../../../src/train/pretrain";
import type { Run } from "../../../src/train/run";
import {
  assertRejects,
  assertSameCheckpoint,
  finetuning,
  images,
  losses,
  pretraining,
  stopAfter,
  temporaryFolder,
  tinyClassifier,
  tinyMae,
  tinyViT,
} from "./support";

const problem = onnxRuntimeProblem();
if (problem) console.log(`SKIPPED: training as one compiled graph: ${problem}`);
const compiled = { skip: problem ?? false };

/** Engines that run a step as one graph. */
const graphEngines = [
  ["onnxruntime", problem],
  ["tensorflow", tensorflowProblem()],
] as const;

before(async () => void (await startBackend({ backend: "wasm" })));

/** float32 rounding, grown over twenty AdamW steps. */
const LOSS_TOLERANCE = 2e-4;
const PARAMETER_TOLERANCE = 5e-3;

type Start = (engine: "eager" | "onnxruntime" | "tensorflow") => Run<Module>;

async function assertSameTrajectory(engine: "onnxruntime" | "tensorflow", start: Start): Promise<void> {
  const [eager, graph] = [start("eager"), start(engine)];
  const [a, b] = [(await eager.done).history, (await graph.done).history];
  assert.ok(a.length >= 20);
  const worstLoss = Math.max(...losses(a).map((loss, i) => Math.abs(loss - losses(b)[i])));
  assert.ok(worstLoss < LOSS_TOLERANCE, `losses differ by ${worstLoss}`);
  assert.ok(losses(a).at(-1)! < losses(a)[0], "the loss falls");
  const [left, right] = [await eager.model.stateDict(), await graph.model.stateDict()];
  for (const [path, tensor] of left) {
    const worst = largestDifference(path, tensor, right.get(path)!);
    assert.ok(worst < PARAMETER_TOLERANCE, `${path} differs by ${worst}`);
  }
}

/** The key third of a qkv bias has no true gradient: Adam turns its rounding into steps. */
function largestDifference(path: string, a: HostTensor, b: HostTensor): number {
  const third = a.data.length / 3;
  const isKeyBias = (i: number) => path.endsWith("qkv.bias") && i >= third && i < 2 * third;
  return a.data.reduce((worst, x, i) => (isKeyBias(i) ? worst : Math.max(worst, Math.abs(x - b.data[i]))), 0);
}

for (const [graph, problem] of graphEngines) {
  test(`${graph}: twenty steps of pretraining are the same op by op and as one graph`, {
    skip: problem ?? false,
  }, async () => {
    const set = await images();
    const options: TrainOptions = { ...pretraining, batchSize: 3, epochs: 5, lr: 1e-3, out: false };
    await assertSameTrajectory(
      graph,
      (engine) => pretrain(tinyMae(), set, { ...options, engine }) as Run<Module>,
    );
  });
}

test("computing blocks again instead of keeping them changes no loss", compiled, async () => {
  const set = await images();
  const options = { ...pretraining, engine: "onnxruntime", out: false } as const;
  const [kept, again] = [{}, { memory: "recompute" } as const].map((memory) =>
    pretrain(tinyMae(), set, { ...options, ...memory }),
  );
  assert.deepEqual(losses((await again.done).history), losses((await kept.done).history));
});

for (const [graph, problem] of graphEngines) {
  test(`${graph}: so are twenty steps of finetuning with drop path, mixing and smoothing`, {
    skip: problem ?? false,
  }, async () => {
    const set = await images(transforms.finetune);
    const options: FinetuneOptions = {
      ...finetuning,
      batchSize: 2,
      epochs: 4,
      accumulate: 1,
      lr: 1e-3,
      dropPath: 0.2,
      out: false,
    };
    await assertSameTrajectory(
      graph,
      (engine) => finetune(tinyClassifier(), set, { ...options, engine }) as Run<Module>,
    );
  });
}

for (const [graph, problem] of graphEngines) {
  test(`${graph}: so are twenty steps whose gradients are averaged over three batches and clipped`, {
    skip: problem ?? false,
  }, async () => {
    const set = await images();
    const options: TrainOptions = {
      ...pretraining,
      batchSize: 2,
      accumulate: 3,
      epochs: 10,
      lr: 1e-3,
      clipGradNorm: 0.05,
      out: false,
    };
    await assertSameTrajectory(
      graph,
      (engine) => pretrain(tinyMae(), set, { ...options, engine }) as Run<Module>,
    );
  });
}

test("each engine goes on after a stop bit for bit", async () => {
  const set = await images();
  const here = graphEngines.flatMap(([engine, problem]) => (problem ? [] : [engine]));
  for (const engine of ["eager", ...here] as const) {
    const folder = temporaryFolder();
    const start = (out: string, resume = false) =>
      pretrain(tinyMae(), set, { ...pretraining, engine, resume, out: join(folder, out) });
    const whole = await start("whole").done;
    await stopAfter(start("stopped"), 2);
    const rest = await start("stopped", true).done;
    assert.deepEqual(losses(rest.history), losses(whole.history));
    await assertSameCheckpoint(rest.checkpoint, whole.checkpoint);
  }
});

test("a run says what it runs on, and why not on something faster", async () => {
  const set = await images();
  const options = { ...pretraining, epochs: 1, warmupEpochs: 0, batchSize: 3, out: false as const };
  const eager = pretrain(tinyMae(), set, { ...options, engine: "eager" });
  await eager.done;
  assert.equal(eager.engine, "tfjs wasm, op by op (asked for)");
  assert.match(String(eager), /step 4\/4 · loss \d\.\d+ · tfjs wasm, op by op \(asked for\)/);
  const automatic = pretrain(tinyMae(), set, options);
  await automatic.done;
  assert.match(
    automatic.engine!,
    problem ? /op by op \(onnxruntime-node is not installed/ : /^onnxruntime cpu .*one graph$/,
  );
});

test(
  "one graph: the model is up to date when the run is done, and nothing is left behind",
  compiled,
  async () => {
    const set = await images();
    const model = tinyMae();
    const before = await model.stateDict();
    const tensors = () => tf.memory().numTensors;
    await pretrain(model, set, { ...pretraining, out: false, engine: "onnxruntime" }).done;
    const settled = tensors();
    await pretrain(model, set, { ...pretraining, out: false, engine: "onnxruntime" }).done;
    assert.equal(tensors(), settled);
    const after = await model.stateDict();
    const changed = [...after].filter(([path, { data }]) =>
      data.some((x, i) => x !== before.get(path)!.data[i]),
    );
    assert.ok(changed.length > 20, `${changed.length} tensors changed`);
  },
);

test(
  "one graph: a loss that is not finite leaves the model as it was last brought up to date",
  compiled,
  async () => {
    const set = await images();
    const model = tinyMae();
    const run = pretrain(model, set, { ...pretraining, lr: 1e30, out: false, engine: "onnxruntime" });
    await assertRejects(run.done, "non-finite", "learning rate");
    for (const [path, { data }] of await model.stateDict()) assert.ok(data.every(Number.isFinite), path);
  },
);

const llama = { dim: 16, heads: 2, hiddenDim: 24, normEps: 1e-6, ropeTheta: 1e4, rowOrder: "meta" as const };
const plainLlama = { ...llama, causal: false, rope: false };

function adapted(config: LlamaConfig, depth = 1): LlamaBlocks {
  const block = baselines.randomBlock(config, { depth });
  lora.attach(block, { rank: 2 });
  return block;
}

const variants: Record<string, () => Partial<ClassifierOptions>> = {
  "class-token pooling": () => ({ pooling: "cls" }),
  LUViT: () => ({ fusion: adapted(plainLlama) }),
  "two LLaMA blocks, causal, rotary": () => ({ fusion: adapted({ ...llama, causal: true, rope: true }, 2) }),
  "rotary in Hugging Face order": () => ({
    fusion: adapted({ ...llama, rowOrder: "hf", causal: false, rope: true }),
  }),
  "fusion in the middle, norm first, no RMSNorm, biases, residual": () => ({
    fusion: fusion.through(adapted(plainLlama), {
      after: 1,
      normFirst: true,
      rmsNorm: false,
      mapperBias: true,
      residual: true,
    }),
  }),
  "frozen block": () => ({ fusion: baselines.frozenBlock(baselines.randomBlock(plainLlama)) }),
  "MLP-P with GELU and norm": () => ({ fusion: baselines.mlpP(plainLlama, { activation: "gelu-norm" }) }),
  "MLP-L": () => ({ fusion: baselines.mlpL(tinyViT, plainLlama) }),
};

for (const [name, options] of Object.entries(variants)) {
  test(`one graph gives the eager losses: ${name}`, compiled, async () => {
    const set = await images();
    const build = () => classifier.create({ encoder: tinyViT, classes: 2, ...options() });
    const train = {
      ...finetuning,
      accumulate: 1,
      batchSize: 6,
      epochs: 3,
      warmupEpochs: 0,
      lr: 1e-3,
      out: false as const,
    };
    const eager = await finetune(build(), set, { ...train, engine: "eager" }).done;
    const graph = finetune(build(), set, { ...train, engine: "auto" });
    await graph.done;
    assert.match(graph.engine!, /^onnxruntime/);
    const worst = Math.max(...losses(eager.history).map((loss, i) => Math.abs(loss - graph.history[i].loss)));
    assert.ok(worst < LOSS_TOLERANCE, `losses differ by ${worst}`);
  });
}
