import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { splitUpdates } from "../../../src/engine/adamw/splitUpdates";
import { type Graph, optimize, summarize } from "../../../src/graph";
import { randomBlock } from "../../../src/models/baselines";
import { create as createClassifier } from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import { llama7b } from "../../../src/models/llamaConfig";
import * as lora from "../../../src/models/lora";
import { decoder512x8, type MaeInputs, type MaeOptions, MaskedAutoencoder } from "../../../src/models/mae";
import { maskFromNoise } from "../../../src/models/masking";
import { base16, patchCount } from "../../../src/models/vit";
import { softTargetCrossEntropy } from "../../../src/nn/losses";
import { finetuneRules, pretrainRules } from "../../../src/optim/groups";
import { type CaseFile, readCaseFile } from "../../golden/harness";
import { atStep, load, luvitLlamaConfig, stateDict, tensor, vitConfig } from "../../golden/support";
import { tinyBlock, tinyDecoder, tinyViT } from "../models/support";
import { assertClose, assertNoLeak, maxDifference, repository } from "../nn/support";
import { eagerSteps, interpretSteps, type RunSpec, type StepSpec, traceStep } from "./support";

before(async () => {
  await startBackend();
});

interface Scenario {
  meta: CaseFile;
  /** A fresh model with the case's first weights, and its step. */
  make(): StepSpec;
  run: RunSpec;
  goldenLosses: ArrayLike<number>;
}

function openCase(name: string) {
  const folder = join(repository, "tests", "golden", "cases", name);
  const meta = readCaseFile(folder);
  const io = load(folder, "io.safetensors");
  return { meta, io, weights: stateDict(load(folder, "state.safetensors")) };
}

function goldenBlock(config: Record<string, number>) {
  const block = randomBlock(luvitLlamaConfig(config));
  const targets = config.lora_targets as unknown as string[];
  lora.attach(block, { rank: config.lora_r, alpha: config.lora_alpha, targets });
  return block;
}

/** The step of a masked auto-encoder on batches of one size. */
function maeStep(options: MaeOptions, batch: number): StepSpec & { model: MaskedAutoencoder } {
  const model = new MaskedAutoencoder(options);
  const { imageSize } = options.encoder;
  const patches = patchCount(options.encoder);
  const kept = Math.trunc(patches * (1 - model.maskRatio));
  return {
    model,
    rules: pretrainRules(model, 0.05),
    inputs: {
      images: { shape: [batch, 3, imageSize, imageSize] },
      keepRows: { shape: [batch * kept], dtype: "int32" },
      restoreRows: { shape: [batch * patches], dtype: "int32" },
      mask: { shape: [batch, patches] },
    },
    loss: (inputs) => model.loss(inputs as unknown as MaeInputs),
  };
}

function pretraining(): Scenario {
  const { meta, io, weights } = openCase("luvit_pretrain");
  const { config } = meta;
  const [dim, depth, heads] = [config.decoder_embed_dim, config.decoder_depth, config.decoder_num_heads];
  const make = () => {
    const decoder = { dim, depth, heads, mlpRatio: config.mlp_ratio };
    const step = maeStep({ encoder: vitConfig(config), fusion: goldenBlock(config), decoder }, config.batch);
    step.model.loadStateDict(weights);
    return step;
  };
  const { model } = make();
  const feedsAt = (step: number) => {
    const mask = maskFromNoise(atStep(io.get("noise")!, step).data, config.batch, config.mask_ratio);
    return { ...model.inputs(tensor(atStep(io.get("images")!, step)), mask) };
  };
  const run = { steps: config.steps, feedsAt, rateAt: (step: number) => io.get("lrs")!.data[step] };
  return { meta, make, run, goldenLosses: io.get("losses")!.data };
}

function finetuning(dropPath: boolean): Scenario {
  const { meta, io, weights } = openCase("luvit_finetune");
  const { config } = meta;
  const make = (): StepSpec => {
    const vit = vitConfig(config);
    const model = createClassifier({
      encoder: vit,
      fusion: through(goldenBlock(config)),
      classes: config.num_classes,
    });
    model.loadStateDict(weights);
    const { weight_decay: weightDecay, layer_decay: layerDecay, depth, batch } = config;
    return {
      model,
      betas: config.betas,
      rules: finetuneRules(model, { weightDecay, layerDecay, depth }),
      inputs: {
        images: { shape: [batch, 3, vit.imageSize, vit.imageSize] },
        targets: { shape: [batch, config.num_classes] },
        ...(dropPath ? { dropPath: { shape: [2 * depth, batch] } } : {}),
      },
      loss: ({ images, targets, dropPath: factors }) =>
        softTargetCrossEntropy(model.forward(images, { dropPath: factors }), targets),
    };
  };
  const feedsAt = (step: number) => ({
    images: tensor(atStep(io.get("mixed_images")!, step)),
    targets: tensor(atStep(io.get("soft_targets")!, step)),
    ...(dropPath
      ? { dropPath: tf.randomUniform([2 * config.depth, config.batch], 0, 2, "float32", step) }
      : {}),
  });
  const run = { steps: config.steps, feedsAt, rateAt: (step: number) => io.get("lrs")!.data[step] };
  return { meta, make, run, goldenLosses: io.get("losses")!.data };
}

/**
 * A parameter's values without the key third of fused biases, which have no true gradient: AdamW turns their rounding
 * noise into steps of any sign.
 */
function determined(path: string, values: Float32Array): number[] {
  const third = values.length / 3;
  const isKeyBias = (i: number) => path.endsWith("attn.qkv.bias") && i >= third && i < 2 * third;
  return Array.from(values).filter((_, i) => !isKeyBias(i));
}

function checkScenario({ meta, make, run, goldenLosses }: Scenario, golden: boolean): void {
  const raw = traceStep("step", make());
  const eager = eagerSteps(make(), run);
  for (const graph of [raw, optimize(raw), optimize(raw, { memory: "recompute" })]) {
    const traced = interpretSteps(graph, make(), run);
    assertClose(traced.losses, eager.losses, 1e-6, "losses against eager");
    if (golden) assert.ok(maxDifference(traced.losses, goldenLosses) <= meta.recommended_tolerance.loss_abs);
    for (const [path, values] of eager.state) {
      assertClose(determined(path, traced.state.get(path)!), determined(path, values), 1e-6, path);
    }
  }
}

/** Bytes of results at once up to the gradients. */
const peakBeforeUpdates = (graph: Graph) => summarize(splitUpdates(graph).graph).peakBytes;

describe("a training step as one graph", () => {
  test("pretraining: five steps equal eager and the reference", () => checkScenario(pretraining(), true));
  test("finetuning: five steps equal eager and the reference", () => checkScenario(finetuning(false), true));
  test("finetuning with drop path fed as an input", () => checkScenario(finetuning(true), false));

  test("tracing a step leaves no tensors; frozen weights are state without an update", () => {
    const step = pretraining().make();
    let graph: Graph | undefined;
    assertNoLeak(() => {
      graph = traceStep("step", step);
    });
    const updated = new Set(graph!.outputs.map(({ name }) => name));
    for (const [path, { trainable }] of step.model.namedParameters())
      assert.equal(updated.has(path), trainable, path);
  });

  test("recomputing blocks changes no number and holds less at once", () => {
    const { make, run } = pretraining();
    const raw = traceStep("step", make());
    const [kept, recomputed] = [optimize(raw), optimize(raw, { memory: "recompute" })];
    assert.deepEqual(interpretSteps(recomputed, make(), run), interpretSteps(kept, make(), run));
    assert.ok(peakBeforeUpdates(recomputed) < peakBeforeUpdates(kept));
  });

  test("the graph does not grow with the batch", () => {
    const atBatch = (batch: number) => {
      const fusion = tinyBlock();
      lora.attach(fusion, { rank: 2 });
      return optimize(traceStep("step", maeStep({ encoder: tinyViT, decoder: tinyDecoder, fusion }, batch)));
    };
    const [small, large] = [atBatch(2), atBatch(32)].map(summarize);
    assert.deepEqual(large.ops, small.ops);
    assert.equal(large.constantBytes, small.constantBytes);
  });
});

describe("LUViT-B at full size", () => {
  test("traces and optimizes in little time and memory, no weight made", (context) => {
    const fusion = randomBlock(llama7b);
    lora.attach(fusion, { rank: 16 });
    const step = maeStep({ encoder: base16, fusion, decoder: decoder512x8 }, 8);
    const tensors = tf.memory().numTensors;
    const memory = process.memoryUsage().rss;
    const started = performance.now();
    const raw = traceStep("pretrain", step);
    const traced = performance.now();
    const graph = optimize(raw);
    const optimized = performance.now();
    const grown = (process.memoryUsage().rss - memory) / 1e6;
    context.diagnostic(
      `${raw.nodes.length} nodes in ${(traced - started).toFixed()} ms, ${graph.nodes.length} after ` +
        `${(optimized - traced).toFixed()} ms of passes, ${grown.toFixed()} MB`,
    );
    assert.equal(tf.memory().numTensors, tensors);
    assert.ok(grown < 150, `${grown} MB`);
    assert.ok(graph.nodes.length < 2000, `${graph.nodes.length} nodes`);
    const summary = summarize(graph);
    assert.ok(summary.constantBytes < 1000, `${summary.constantBytes} bytes of constants`);
    assert.equal(summary.trainedBytes, 3 * 4 * step.model.counts().trainable);
    assert.equal(summary.frozenBytes, 4 * (step.model.counts().total - step.model.counts().trainable));
  });

  test("recomputing blocks takes a step of finetuning to less than half the memory at 1.4 times the nodes", () => {
    const fusion = randomBlock(llama7b);
    lora.attach(fusion, { rank: 16 });
    const model = createClassifier({ encoder: base16, fusion: through(fusion), classes: 1000 });
    const raw = traceStep("finetune", {
      model,
      rules: finetuneRules(model, { weightDecay: 0.05, layerDecay: 0.65, depth: 12 }),
      inputs: { images: { shape: [8, 3, 224, 224] }, dropPath: { shape: [24, 8] } },
      loss: ({ images, dropPath }) => tf.mean(tf.square(model.forward(images, { dropPath }))),
    });
    const [kept, recomputed] = [optimize(raw), optimize(raw, { memory: "recompute" })];
    const share = peakBeforeUpdates(recomputed) / peakBeforeUpdates(kept);
    assert.ok(share < 0.5, `${share} of the memory`);
    assert.ok(recomputed.nodes.length < 1.4 * kept.nodes.length, `${recomputed.nodes.length} nodes`);
  });
});
