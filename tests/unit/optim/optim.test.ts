import assert from "node:assert/strict";
import { before, test } from "node:test";
import type { StateDict } from "../../../src/core/hostTensor";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import * as classifier from "../../../src/models/classifier";
import { Detector } from "../../../src/models/detector/detector";
import { officialSettings } from "../../../src/models/detector/settings";
import { mlp, through } from "../../../src/models/fusion";
import * as lora from "../../../src/models/lora";
import * as mae from "../../../src/models/mae";
import { Module, Parameter, zeros } from "../../../src/nn";
import { Linear } from "../../../src/nn/layers";
import { softTargetCrossEntropy } from "../../../src/nn/losses";
import { trainableVariables } from "../../../src/nn/variables";
import {
  AdamW,
  accumulate,
  clipGradNorm,
  finetuneRules,
  lossAndGradients,
  pretrainRules,
  rateAt,
  scaledRate,
  warmupCosine,
} from "../../../src/optim";
import { detectorRules } from "../../../src/optim/detectorRules";
import { larsStep } from "../../../src/optim/lars";
import { stepRate } from "../../../src/optim/schedule";
import { tinyBlock, tinyDecoder, tinyImages, tinyViT } from "../models/support";
import {
  assertClose,
  assertNoLeak,
  assertSameState,
  isLuvitError,
  randomArray,
  randomTensor,
} from "../nn/support";

before(() => startBackend());

const schedule = { lr: 2.4e-3, minLr: 1e-6, warmupEpochs: 40, epochs: 800 };
const close = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-15, `${actual} ${expected}`);

test("the rate rises from exactly zero in a line, then falls by half a cosine to its least", () => {
  assert.equal(warmupCosine(schedule, 0), 0);
  close(warmupCosine(schedule, 10), 0.6e-3);
  close(warmupCosine(schedule, 40), 2.4e-3);
  close(warmupCosine(schedule, 420), (2.4e-3 + 1e-6) / 2);
  close(warmupCosine(schedule, 800), 1e-6);
  const rates = Array.from({ length: 761 }, (_, i) => warmupCosine(schedule, 40 + i));
  assert.ok(rates.every((rate, i) => i === 0 || rate < rates[i - 1]));
});

test("without warm-up the first step has the full rate", () => {
  assert.equal(warmupCosine({ ...schedule, warmupEpochs: 0 }, 0), 2.4e-3);
});

test("one rate per epoch: a line from the first rate, then the cosine counted from the beginning, an epoch late", () => {
  const perEpoch = { ...schedule, warmupEpochs: 20, epochs: 300, warmupLr: 1e-6 };
  close(rateAt(perEpoch, 0.9), 1e-6);
  close(rateAt(perEpoch, 1.5), 1e-6);
  close(rateAt(perEpoch, 11.2), (1e-6 + 2.4e-3) / 2);
  assert.equal(rateAt(perEpoch, 21), rateAt(perEpoch, 21.99));
  assert.ok(rateAt(perEpoch, 21) < perEpoch.lr);
  close(rateAt(perEpoch, 151), (2.4e-3 + 1e-6) / 2);
  close(rateAt(perEpoch, 305), 1e-6);
  assert.equal(rateAt(schedule, 10.5), warmupCosine(schedule, 10.5));
  assert.equal(warmupCosine(schedule, 805), schedule.minLr);
});

test("the base rate is for a batch of 256", () => {
  assert.ok(Math.abs(scaledRate(1.5e-4, 4096) - 2.4e-3) < 1e-18);
});

function luvit() {
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  return through(block);
}

test("when pretraining, weights and tokens decay, biases, norms and frozen parameters do not", () => {
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder, fusion: luvit() });
  const rules = pretrainRules(model, 0.05);
  const decays = (path: string) => rules.get(path)?.weightDecay;
  for (const path of ["cls_token", "mask_token", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"]) {
    assert.equal(decays(path), 0.05, path);
  }
  for (const path of ["llama_dim_mapper1.weight", "llama.layers.0.attention.wq.lora_A.weight"]) {
    assert.equal(decays(path), 0.05, path);
  }
  for (const path of ["norm.weight", "blocks.0.norm1.bias", "patch_embed.proj.bias"])
    assert.equal(decays(path), 0, path);
  for (const path of [
    "pos_embed",
    "decoder_pos_embed",
    "llama.norm.weight",
    "llama.layers.0.attention.wq.weight",
  ]) {
    assert.ok(!rules.has(path), path);
  }
  assert.ok([...rules.values()].every(({ lrScale }) => lrScale === 1));
  assert.deepEqual([...rules.keys()].sort(), [...trainableVariables(model).keys()].sort());
});

test("when finetuning, the rate falls by layer from the head to the embeddings; mappers and LoRA have the head's", () => {
  const model = classifier.create({ encoder: tinyViT, classes: 3, fusion: luvit() });
  const rules = finetuneRules(model, { weightDecay: 0.05, layerDecay: 0.75, depth: 2 });
  const expected: Record<string, [layer: number, scale: number, decay: number]> = {
    cls_token: [0, 0.75 ** 3, 0],
    pos_embed: [0, 0.75 ** 3, 0],
    "patch_embed.proj.weight": [0, 0.75 ** 3, 0.05],
    "patch_embed.proj.bias": [0, 0.75 ** 3, 0],
    "blocks.0.mlp.fc1.weight": [1, 0.75 ** 2, 0.05],
    "blocks.1.norm2.weight": [2, 0.75, 0],
    "fc_norm.weight": [3, 1, 0],
    "head.weight": [3, 1, 0.05],
    "head.bias": [3, 1, 0],
    "llama_dim_mapper2.weight": [3, 1, 0.05],
    "llama.layers.0.attention.wv.lora_B.weight": [3, 1, 0.05],
  };
  for (const [path, [layer, lrScale, weightDecay]] of Object.entries(expected)) {
    assert.deepEqual(rules.get(path), { layer, lrScale, weightDecay }, path);
  }
  assert.deepEqual([...rules.keys()].sort(), [...trainableVariables(model).keys()].sort());
  const flat = finetuneRules(model, { weightDecay: 0, layerDecay: 1, depth: 2 });
  assert.ok([...flat.values()].every(({ lrScale }) => lrScale === 1));
});

test("gradients accumulated over small batches are those of one large batch", () => {
  const model = classifier.create({ encoder: tinyViT, classes: 3, fusion: luvit() });
  const images = tinyImages(4);
  const targets = tf.softmax(randomTensor([4, 3], 5));
  const variables = trainableVariables(model);
  const part = (tensor: Tensor, first: number, count: number) =>
    tf.slice(tensor, [first, ...Array(tensor.rank - 1).fill(0)], [count, ...tensor.shape.slice(1)]);
  const gradientsOf = (first: number, count: number, share: number) =>
    lossAndGradients(
      () =>
        tf.mul(
          softTargetCrossEntropy(model.forward(part(images, first, count)), part(targets, first, count)),
          share,
        ),
      variables,
    ).gradients;
  const whole = gradientsOf(0, 4, 1);
  const total = new Map<string, Tensor>();
  for (const first of [0, 2]) accumulate(total, gradientsOf(first, 2, 0.5));
  assert.deepEqual([...total.keys()].sort(), [...whole.keys()].sort());
  for (const [path, gradient] of whole)
    assertClose(total.get(path)!.dataSync(), gradient.dataSync(), 1e-6, path);
});

test("accumulating disposes what it replaces", () => {
  const total = new Map<string, Tensor>();
  assertNoLeak(() => {
    for (let i = 0; i < 3; i++) accumulate(total, new Map([["a", tf.ones([2])]]));
    assert.deepEqual([...total.get("a")!.dataSync()], [3, 3]);
    total.get("a")!.dispose();
  });
});

test("a parameter the loss does not reach has no gradient and is not updated", async () => {
  const linear = new Linear(2, 2, new Rng(1));
  const { gradients } = lossAndGradients(() => tf.sum(linear.weight.value), trainableVariables(linear));
  assert.deepEqual([...gradients.keys()], ["weight"]);
  const optimizer = new AdamW(linear, pretrainRules(linear, 0.1));
  optimizer.update(gradients, 0.1);
  assert.deepEqual([...(await linear.bias!.read()).data], [0, 0]);
});

/** AdamW of one number in double precision, written from its definition. */
function reference(
  start: number,
  gradients: number[],
  lr: number,
  weightDecay: number,
  betas: [number, number],
): number {
  let [p, m, v] = [start, 0, 0];
  for (const [i, g] of gradients.entries()) {
    p -= lr * weightDecay * p;
    m = betas[0] * m + (1 - betas[0]) * g;
    v = betas[1] * v + (1 - betas[1]) * g * g;
    p -= (lr * (m / (1 - betas[0] ** (i + 1)))) / (Math.sqrt(v / (1 - betas[1] ** (i + 1))) + 1e-8);
  }
  return p;
}

test("AdamW follows its definition, with each parameter's own decay and rate", async () => {
  const linear = new Linear(2, 1, new Rng(1));
  linear.loadStateDict(
    new Map([
      ["weight", { shape: [1, 2], data: Float32Array.of(0.5, -2) }],
      ["bias", { shape: [1], data: Float32Array.of(1) }],
    ]),
  );
  const rules = new Map([
    ["weight", { weightDecay: 0.1, lrScale: 0.5 }],
    ["bias", { weightDecay: 0, lrScale: 1 }],
  ]);
  const optimizer = new AdamW(linear, rules, { betas: [0.9, 0.95] });
  optimizer.variables();
  for (const [, moment] of optimizer.moments()) assert.ok(moment.value);
  const steps = [
    [1, -3, 0.2],
    [0.5, 2, -1e-4],
    [-2, 0, 5],
  ];
  for (const [a, b, c] of steps) {
    const gradients = new Map<string, Tensor>([
      ["weight", tf.tensor([[a, b]])],
      ["bias", tf.tensor([c])],
    ]);
    assertNoLeak(() => optimizer.update(gradients, 0.1));
  }
  const state = await linear.stateDict();
  const column = (i: number) => steps.map((step) => step[i]);
  const expected = [
    reference(0.5, column(0), 0.05, 0.1, [0.9, 0.95]),
    reference(-2, column(1), 0.05, 0.1, [0.9, 0.95]),
  ];
  assertClose(state.get("weight")!.data, expected, 1e-6);
  assertClose(state.get("bias")!.data, [reference(1, column(2), 0.1, 0, [0.9, 0.95])], 1e-6);
});

const trained = (seed: number) => {
  const linear = new Linear(3, 2, new Rng(seed));
  return { linear, optimizer: new AdamW(linear, pretrainRules(linear, 0.05)) };
};

function step({ linear, optimizer }: ReturnType<typeof trained>, seed: number): void {
  const x = randomTensor([4, 3], seed);
  const { loss, gradients } = lossAndGradients(
    () => tf.mean(tf.square(linear.forward(x))),
    optimizer.variables(),
  );
  optimizer.update(gradients, 0.05);
  tf.dispose([x, loss, ...gradients.values()]);
}

test("training goes on from saved moments exactly as without saving", async () => {
  const straight = trained(1);
  for (let i = 0; i < 4; i++) step(straight, i);
  const first = trained(1);
  for (let i = 0; i < 2; i++) step(first, i);
  const resumed = trained(2);
  resumed.linear.loadStateDict(await first.linear.stateDict());
  const moments = await first.optimizer.state();
  assert.deepEqual(
    [...moments.keys()].sort(),
    ["bias", "weight"].flatMap((p) => [`${p}.exp_avg`, `${p}.exp_avg_sq`]),
  );
  resumed.optimizer.load(moments, first.optimizer.step);
  for (let i = 2; i < 4; i++) step(resumed, i);
  assert.equal(resumed.optimizer.step, 4);
  assertSameState(await resumed.linear.stateDict(), await straight.linear.stateDict());
  assertSameState(await resumed.optimizer.state(), await straight.optimizer.state());
});

test("moments that do not fit are one error with all names, and the optimizer is unchanged", async () => {
  const { optimizer } = trained(1);
  const before = await optimizer.state();
  const state = await optimizer.state();
  state.delete("bias.exp_avg");
  state.set("weight.exp_avg_sq", { shape: [3, 2], data: randomArray(6) });
  const texts = ["2 tensors", "missing: bias.exp_avg", "weight.exp_avg_sq", "[3, 2]", "[2, 3]"];
  assert.throws(() => optimizer.load(state, 7), isLuvitError("key-mismatch", ...texts));
  assert.equal(optimizer.step, 0);
  assertSameState(await optimizer.state(), before);
});

test("a single moment that is missing or of another shape is one too many", async () => {
  for (const spoil of [
    (state: StateDict) => void state.delete("weight.exp_avg_sq"),
    (state: StateDict) => void state.set("bias.exp_avg", { shape: [1, 2], data: randomArray(2) }),
  ]) {
    const { optimizer } = trained(1);
    const [before, state] = [await optimizer.state(), await optimizer.state()];
    spoil(state);
    assert.throws(() => optimizer.load(state, 7), isLuvitError("key-mismatch", "does not fit: 1 tensors"));
    assertSameState(await optimizer.state(), before);
  }
});

test("freezing a parameter between steps leaves the others' moments theirs", async () => {
  const [plain, frozen] = [trained(1), trained(1)];
  step(plain, 1);
  step(frozen, 1);
  frozen.linear.freeze("bias");
  const x = randomTensor([4, 3], 2);
  for (const { linear, optimizer } of [plain, frozen]) {
    const variables = linear === frozen.linear ? trainableVariables(linear) : optimizer.variables();
    optimizer.update(
      lossAndGradients(() => tf.mean(tf.square(linear.forward(x))), variables).gradients,
      0.05,
    );
  }
  assert.deepEqual((await frozen.linear.weight.read()).data, (await plain.linear.weight.read()).data);
  assert.notDeepEqual((await frozen.linear.bias!.read()).data, (await plain.linear.bias!.read()).data);
});

test("an optimizer gives its memory back", () => {
  const { linear } = trained(1);
  trainableVariables(linear);
  assertNoLeak(() => new AdamW(linear, pretrainRules(linear, 0)).dispose());
  const x = tf.ones([2, 3]);
  const step = () => {
    const optimizer = new AdamW(linear, pretrainRules(linear, 0));
    const { loss, gradients } = lossAndGradients(
      () => tf.mean(linear.forward(x)),
      trainableVariables(linear),
    );
    optimizer.update(gradients, 0.1);
    tf.dispose([loss, ...gradients.values()]);
    optimizer.dispose();
  };
  step(); // the weights exist now
  assertNoLeak(step);
  x.dispose();
});

test("AdamW finds the least squares solution", async () => {
  const linear = new Linear(3, 1, new Rng(3));
  const optimizer = new AdamW(linear, pretrainRules(linear, 0));
  const x = randomTensor([32, 3], 1);
  const y = tf.add(tf.matMul(x as tf.Tensor2D, tf.tensor2d([[1], [-2], [0.5]])), 0.25);
  for (let i = 0; i < 300; i++) {
    const { loss, gradients } = lossAndGradients(
      () => tf.mean(tf.square(tf.sub(linear.forward(x), y))),
      optimizer.variables(),
    );
    optimizer.update(gradients, 0.1 * (1 - i / 300));
    tf.dispose([loss, ...gradients.values()]);
  }
  assertClose((await linear.weight.read()).data, [1, -2, 0.5], 1e-3);
  assertClose((await linear.bias!.read()).data, [0.25], 1e-3);
});

test("gradients keep their direction and get the norm asked for; smaller ones stay as they are", async () => {
  const values = { a: [0.5, -1.5, 2, 0.25, 3, -0.125], b: [1e-3, -2, 0.75, 4] };
  const clipped = async (maxNorm: number) => {
    const gradients = new Map(Object.entries(values).map(([path, data]) => [path, tf.tensor(data)]));
    const norm = clipGradNorm(gradients, maxNorm);
    const [of] = await norm.data();
    const [a, b] = await Promise.all(["a", "b"].map((path) => gradients.get(path)!.data()));
    tf.dispose([norm, ...gradients.values()]);
    return { norm: of, a, b };
  };
  // torch 2.13.0, clip_grad_norm_
  const one = await clipped(1);
  assertClose([one.norm], [6.011707305908203], 1e-6, "norm");
  const a = [0.08317103236913681, -0.24951308965682983, 0.33268412947654724];
  assertClose(one.a, [...a, 0.041585516184568405, 0.49902617931365967, -0.020792758092284203], 1e-7, "a");
  const b = [0.00016634206986054778, -0.33268412947654724, 0.12475654482841492, 0.6653682589530945];
  assertClose(one.b, b, 1e-7, "b");
  const all = await clipped(100);
  assert.deepEqual([[...all.a], [...all.b]], [values.a, [Math.fround(1e-3), -2, 0.75, 4]]);
  assertNoLeak(() => {
    const gradients = new Map([["a", tf.tensor(values.a)]]);
    tf.dispose([clipGradNorm(gradients, 1), ...gradients.values()]);
  });
  for (const wrong of [0, -1, Number.NaN, undefined as unknown as number])
    assert.throws(() => clipGradNorm(new Map(), wrong), isLuvitError("bad-argument", "maxNorm"));
});

test("a detector's rate falls by layer too, of blocks with two digits as of others; norms of its encoder do not decay", () => {
  const settings = officialSettings(
    {
      imageSize: 32,
      patchSize: 16,
      dim: 8,
      depth: 12,
      heads: 2,
      mlpRatio: 2,
      windowSize: 2,
      globalBlocks: [11],
      pretrainImageSize: 32,
      normEps: 1e-6,
    },
    3,
    true,
  );
  const model = new Detector(settings, { fusion: mlp(6, { activation: "gelu-norm" }) });
  const rules = detectorRules(model, { weightDecay: 0.1, layerDecay: 0.7, depth: 12 });
  assert.deepEqual([...rules.keys()].sort(), [...trainableVariables(model).keys()].sort());
  const expected: Record<string, [layer: number, decay: number]> = {
    "backbone.net.pos_embed": [0, 0],
    "backbone.net.patch_embed.proj.bias": [0, 0.1],
    "backbone.net.blocks.0.norm1.weight": [1, 0],
    "backbone.net.blocks.9.norm2.bias": [10, 0],
    "backbone.net.blocks.10.norm1.bias": [11, 0],
    "backbone.net.blocks.11.norm2.weight": [12, 0],
    "backbone.net.blocks.11.attn.qkv.bias": [12, 0.1],
    "backbone.net.blocks.11.attn.rel_pos_h": [12, 0.1],
    "backbone.net.blocks.1.mlp.fc1.weight": [2, 0.1],
    "backbone.net.llama_dim_mapper1.weight": [13, 0.1],
    "backbone.net.mlp_norm.weight": [13, 0],
    "backbone.simfp_2.4.norm.weight": [13, 0.1],
    "roi_heads.mask_head.mask_fcn1.norm.bias": [13, 0.1],
    "proposal_generator.rpn_head.conv.conv1.bias": [13, 0.1],
  };
  for (const [path, [layer, weightDecay]] of Object.entries(expected))
    assert.deepEqual(rules.get(path), { layer, weightDecay, lrScale: 0.7 ** (13 - layer) }, path);
  const decaying = [...rules].filter(([, { weightDecay }]) => weightDecay > 0).map(([path]) => path);
  assert.ok(decaying.every((path) => !/net\..*norm/.test(path)));
  assert.equal(rules.size - decaying.length, 1 + 12 * 4 + 2);
});

test("rates by layer count from the number of a block, however many there are", () => {
  const model = classifier.create({ encoder: { ...tinyViT, dim: 4, depth: 12 }, classes: 2 });
  const rules = finetuneRules(model, { weightDecay: 0.05, layerDecay: 0.75, depth: 12 });
  for (const k of [0, 1, 9, 10, 11])
    for (const [part, weightDecay] of [
      ["norm1.weight", 0],
      ["attn.qkv.bias", 0],
      ["mlp.fc2.weight", 0.05],
    ] as const)
      assert.deepEqual(rules.get(`blocks.${k}.${part}`), {
        layer: k + 1,
        lrScale: 0.75 ** (12 - k),
        weightDecay,
      });
});

test("a detector's rate rises in a line, then falls at each milestone from that step on", () => {
  const schedule = { lr: 2, warmupSteps: 4, warmupFactor: 0.5, milestones: [6, 8], factor: 0.1 };
  const rates = Array.from({ length: 10 }, (_, step) => stepRate(schedule, step));
  assertClose(rates, [1, 1.25, 1.5, 1.75, 2, 2, 0.2, 0.2, 0.02, 0.02], 1e-12);
  assert.equal(stepRate({ ...schedule, warmupSteps: 0 }, 0), 2);
});

test("LARS scales a matrix's gradient by trust |w| / |g| and decays it, a bias has neither; the buffer holds what was scaled", () => {
  const run = (weight: Tensor, gradient: Tensor, options = {}) => {
    const step = larsStep(weight, gradient, tf.fill(weight.shape, 10), tf.scalar(0.5), options);
    return [[...step.weight.dataSync()], [...step.buffer.dataSync()]];
  };
  // |w| = 5, |g| = 13, the buffer was 10 and keeps 9 of it.
  const scaled = [9 + (0.001 * 5 * 5) / 13, 9 + (0.001 * 5 * 12) / 13];
  const [weight, buffer] = run(tf.tensor2d([[3, 4]]), tf.tensor2d([[5, 12]]));
  assertClose(buffer, scaled, 1e-6);
  assertClose(weight, [3 - scaled[0] / 2, 4 - scaled[1] / 2], 1e-6);
  // With a decay of 0.5 the gradient is [3.5, 10] + [1.5, 2].
  const own = { momentum: 0.5, trust: 0.1, weightDecay: 0.5 };
  assertClose(run(tf.tensor2d([[3, 4]]), tf.tensor2d([[3.5, 10]]), own)[1], [5 + 2.5 / 13, 5 + 6 / 13], 1e-6);
  assertClose(run(tf.tensor1d([3, 4]), tf.tensor1d([5, 12]), own)[1], [10, 17], 1e-6);
  for (const [w, g] of [
    [0, 2],
    [3, 0],
  ])
    assertClose(run(tf.tensor2d([[w]]), tf.tensor2d([[g]]))[1], [9 + g], 1e-6);
});

test("no rate of a schedule is above its peak, and its warm-up no longer than the whole; the borders may be reached", () => {
  const edge = { lr: 1, minLr: 1, warmupEpochs: 4, epochs: 4 };
  close(warmupCosine(edge, 2), 0.5);
  close(rateAt({ ...edge, warmupLr: 1 }, 3), 1);
  for (const [name, wrong] of [
    ["minLr", { minLr: 1.5 }],
    ["warmupEpochs", { warmupEpochs: 5 }],
  ] as const)
    assert.throws(() => warmupCosine({ ...edge, ...wrong }, 0), isLuvitError("bad-argument", name));
  assert.throws(() => rateAt({ ...edge, warmupLr: 1.5 }, 0), isLuvitError("bad-argument", "warmupLr"));
});

test("moments know what they belong to", () => {
  const linear = new Linear(2, 2, new Rng(1));
  const optimizer = new AdamW(linear, pretrainRules(linear, 0));
  assert.deepEqual(optimizer.betas, [0.9, 0.999]);
  assert.equal(optimizer.eps, 1e-8);
  const names = [...optimizer.moments()].map(([name, { shape }]) => `${name} ${shape}`);
  assert.deepEqual(names, [
    "weight.exp_avg 2,2",
    "weight.exp_avg_sq 2,2",
    "bias.exp_avg 2",
    "bias.exp_avg_sq 2",
  ]);
  assert.equal(new AdamW(linear, pretrainRules(linear, 0), { eps: 1e-3 }).eps, 1e-3);
});

test("register tokens are embeddings without decay when finetuning; a bias of two axes decays when finetuning alone", () => {
  class Wide extends Module {
    readonly bias = new Parameter([2, 2], zeros, 0);
  }
  class Odd extends Module {
    readonly register_tokens = new Parameter([1, 4, 8], zeros, 0);
    readonly mask_token = new Parameter([1, 1, 8], zeros, 0);
    readonly relative = new Wide();
    readonly blocks = [new Linear(2, 2, new Rng(1))];
  }
  const rules = finetuneRules(new Odd(), { weightDecay: 0.1, layerDecay: 0.5, depth: 1 });
  assert.deepEqual(rules.get("register_tokens"), { layer: 0, lrScale: 0.25, weightDecay: 0 });
  assert.deepEqual(rules.get("mask_token"), { layer: 2, lrScale: 1, weightDecay: 0.1 });
  assert.deepEqual(rules.get("blocks.0.weight"), { layer: 1, lrScale: 0.5, weightDecay: 0.1 });
  assert.equal(rules.get("relative.bias")!.weightDecay, 0.1);
  const plain = pretrainRules(new Odd(), 0.1);
  assert.deepEqual(plain.get("relative.bias"), { lrScale: 1, weightDecay: 0 });
  assert.equal(plain.get("register_tokens")!.weightDecay, 0.1);
});

test("gradients of what is not trained are passed over", async () => {
  const linear = new Linear(2, 1, new Rng(1));
  const before = await linear.stateDict();
  const rules = new Map([["bias", { weightDecay: 0, lrScale: 1 }]]);
  const optimizer = new AdamW(linear, rules);
  const gradients = new Map<string, Tensor>([
    ["weight", tf.ones([1, 2])],
    ["elsewhere", tf.ones([3])],
    ["bias", tf.ones([1])],
  ]);
  optimizer.update(gradients, 0.5);
  assert.deepEqual((await linear.weight.read()).data, before.get("weight")!.data);
  assertClose((await linear.bias!.read()).data, [before.get("bias")!.data[0] - 0.5], 1e-6);
  assert.equal(optimizer.step, 1);
});
