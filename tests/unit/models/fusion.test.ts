import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import * as baselines from "../../../src/models/baselines";
import * as classifier from "../../../src/models/classifier";
import { FusionPath, type FusionPlan, mlp, through } from "../../../src/models/fusion";
import { type LlamaConfig, llama7b } from "../../../src/models/llamaConfig";
import * as lora from "../../../src/models/lora";
import * as mae from "../../../src/models/mae";
import { inference } from "../../../src/nn/context";
import { gelu, layerNorm, linear, rmsNorm } from "../../../src/nn/ops";
import { trainableVariables } from "../../../src/nn/variables";
import { AdamW } from "../../../src/optim/adamw";
import { lossAndGradients } from "../../../src/optim/gradients";
import { pretrainRules } from "../../../src/optim/groups";
import {
  assertClose,
  assertNoLeak,
  isLuvitError,
  maxDifference,
  randomTensor,
  valuesOf,
} from "../nn/support";
import {
  hostGradients,
  perturb,
  tinyBlock,
  tinyDecoder,
  tinyImages,
  tinyInputs,
  tinyLlama,
  tinyViT,
} from "./support";

before(() => startBackend());

const build = (fusion?: FusionPlan) => mae.create({ encoder: tinyViT, fusion, decoder: tinyDecoder });

/** The names of what a forward pass goes through, in order. */
function order(model: mae.MaskedAutoencoder): string[] {
  const names: string[] = [];
  tf.tidy(() => {
    model.encode(tinyInputs(model), { tap: (name) => void names.push(name) });
  });
  return names.filter((name) => /^(blocks\.\d+\.out|fusion\.block)$/.test(name));
}

const orders: [number, string[]][] = [
  [0, ["fusion.block", "blocks.0.out", "blocks.1.out"]],
  [1, ["blocks.0.out", "fusion.block", "blocks.1.out"]],
  [2, ["blocks.0.out", "blocks.1.out", "fusion.block"]],
];

for (const [after, expected] of orders) {
  test(`after ${after} of two blocks the tokens go through the language model`, () => {
    assert.deepEqual(order(build(through(tinyBlock(), { after }))), expected);
  });
}

test("the tail is the default place, and places outside the encoder are errors", () => {
  assert.deepEqual(order(build(through(tinyBlock()))), orders[2][1]);
  for (const after of [-1, 3, 0.5]) {
    assert.throws(
      () => build(through(tinyBlock(), { after })),
      isLuvitError("bad-argument", "after", `${after}`),
    );
  }
});

describe("the path", () => {
  const x = () => randomTensor([2, 5, tinyViT.dim], 3);
  const run = (path: FusionPath) => valuesOf(() => path.forward(x(), inference));

  test("is mapper, block, RMSNorm of ones, mapper", () => {
    const block = tinyBlock();
    const path = new FusionPath(tinyViT.dim, through(block));
    perturb(path, (name) => !name.includes("norm"));
    const [up, down] = [path.llama_dim_mapper1.weight.value, path.llama_dim_mapper2.weight.value];
    const expected = valuesOf(() => {
      const inside = path.llama!.layers[0].forward(linear(x(), up));
      return linear(rmsNorm(inside, tf.ones([tinyLlama.dim]), 1e-6), down);
    });
    assertClose(run(path), expected, 1e-6);
    const norm = new Map(path.namedParameters()).get("llama.norm.weight")!;
    assert.equal(norm.trainable, false);
  });

  test("without RMSNorm is mapper, block, mapper, also when another model on the same block has the norm", () => {
    const block = tinyBlock();
    const [without, withNorm] = [false, true].map(
      (rmsNorm) => new FusionPath(tinyViT.dim, through(block, { rmsNorm })),
    );
    const names = (path: FusionPath) => [...path.namedParameters()].map(([name]) => name);
    assert.ok(!names(without).includes("llama.norm.weight"));
    assert.ok(names(withNorm).includes("llama.norm.weight"));
    const expected = valuesOf(() => {
      const inside = block.layers[0].forward(linear(x(), without.llama_dim_mapper1.weight.value));
      return linear(inside, without.llama_dim_mapper2.weight.value);
    });
    assertClose(run(without), expected, 1e-6);
    assert.equal(block.norm, undefined);
  });

  test("with a residual adds its input", () => {
    const block = tinyBlock();
    const [plain, residual] = [false, true].map(
      (r) => new FusionPath(tinyViT.dim, through(block, { residual: r })),
    );
    assertClose(
      run(residual),
      valuesOf(() => tf.add(x(), plain.forward(x(), inference))),
      1e-6,
    );
  });

  test("with mapper biases has two of them, starting at zero", () => {
    const path = new FusionPath(tinyViT.dim, through(tinyBlock(), { mapperBias: true }));
    const biases = [...path.namedParameters()].filter(([name]) => name.endsWith("bias"));
    assert.deepEqual(
      biases.map(([name, { shape }]) => [name, ...shape]),
      [
        ["llama_dim_mapper1.bias", tinyLlama.dim],
        ["llama_dim_mapper2.bias", tinyViT.dim],
      ],
    );
    for (const [, bias] of biases) assert.ok(bias.value.dataSync().every((b) => b === 0));
  });

  test("of an MLP baseline has nothing, GELU, or GELU and LayerNorm between its mappers", () => {
    const between = {
      none: (t: tf.Tensor) => t,
      gelu,
      "gelu-norm": (t: tf.Tensor) => layerNorm(gelu(t), tf.ones([30]), tf.zeros([30]), 1e-6),
    };
    for (const [activation, middle] of Object.entries(between)) {
      const path = new FusionPath(tinyViT.dim, mlp(30, { activation: activation as keyof typeof between }));
      perturb(path, (name) => name.includes("mapper"));
      const [up, down] = [path.llama_dim_mapper1.weight.value, path.llama_dim_mapper2.weight.value];
      assertClose(
        run(path),
        valuesOf(() => linear(middle(linear(x(), up)), down)),
        1e-6,
        activation,
      );
    }
  });

  test("goes through every block of a deeper stack", () => {
    const block = tinyBlock({ depth: 3 });
    const path = new FusionPath(tinyViT.dim, through(block, { rmsNorm: false }));
    const taps: string[] = [];
    tf.tidy(() => void path.forward(x(), { tap: (name) => void taps.push(name) }));
    assert.deepEqual(
      taps.filter((name) => name.endsWith(".pattern")),
      [0, 1, 2].map((k) => `llama.layers.${k}.attention.pattern`),
    );
    const expected = valuesOf(() => {
      const inside = block.layers.reduce(
        (h, layer) => layer.forward(h),
        linear(x(), path.llama_dim_mapper1.weight.value),
      );
      return linear(inside, path.llama_dim_mapper2.weight.value);
    });
    assertClose(run(path), expected, 1e-6);
  });
});

test("normFirst puts the encoder's norm before the path instead of after it", () => {
  for (const normFirst of [false, true]) {
    const model = build(through(tinyBlock(), { normFirst }));
    perturb(model, (path) => path.startsWith("norm."));
    const taps = new Map<string, Float32Array>();
    const tap = (name: string, value: tf.Tensor) => void taps.set(name, value.dataSync<"float32">().slice());
    const latent = valuesOf(() => model.encode(tinyInputs(model), { tap }));
    const tensorOf = (values: Float32Array, width: number) =>
      tf.tensor(values, [values.length / width, width]);
    const norm = (values: Float32Array) =>
      valuesOf(() => model.encoder.norm!.forward(tensorOf(values, tinyViT.dim)));
    const entering = normFirst ? norm(taps.get("blocks.1.out")!) : taps.get("blocks.1.out")!;
    const mapped = valuesOf(() =>
      model.encoder.fusion!.llama_dim_mapper1.forward(tensorOf(entering, tinyViT.dim)),
    );
    assertClose(taps.get("fusion.mapper1")!, mapped, 1e-6);
    const leaving = taps.get("fusion.mapper2")!;
    assertClose(latent, normFirst ? leaving : norm(leaving), 1e-6);
  }
});

test("normFirst keeps the norm in mean-pooling classifiers, the default does not", async () => {
  for (const normFirst of [false, true]) {
    const fusion = through(tinyBlock(), { normFirst });
    const scratch = classifier.create({ encoder: tinyViT, fusion, classes: 3 });
    const tuned = await classifier.fromPretrained(build(fusion), { classes: 3 });
    for (const model of [scratch, tuned]) assert.equal(model.encoder.norm !== undefined, normFirst);
  }
});

const plans: Record<string, () => FusionPlan> = {
  "a frozen block": () => baselines.frozenBlock(tinyBlock()),
  "an adapted block": () => {
    const block = tinyBlock();
    lora.attach(block, { rank: 2 });
    return through(block);
  },
  "an adapted block in the middle": () => {
    const block = tinyBlock({ depth: 2 });
    lora.attach(block, { rank: 2 });
    return through(block, { after: 1, residual: true, mapperBias: true });
  },
  "MLP-P": () => baselines.mlpP(tinyLlama),
  "MLP-L": () => baselines.mlpL(tinyViT, tinyLlama, { loraRank: 2, activation: "gelu-norm" }),
};

for (const [name, plan] of Object.entries(plans)) {
  test(`with ${name} a training step reaches all trainable parameters, changes no frozen one and leaks nothing`, async () => {
    const model = build(plan());
    perturb(model, (path) => path.includes("lora_B"));
    const before = await model.stateDict();
    const trainable = trainableVariables(model);
    const inputs = tinyInputs(model);
    const gradients = hostGradients(() => model.loss(inputs), trainable);
    assert.deepEqual([...gradients.keys()].sort(), [...trainable.keys()].sort());
    for (const [path, values] of gradients) assert.ok(values.every(Number.isFinite), path);

    const optimizer = new AdamW(model, pretrainRules(model, 0.05));
    const step = () => {
      const { loss, gradients } = lossAndGradients(() => model.loss(inputs), optimizer.variables());
      optimizer.update(gradients, 1e-2);
      tf.dispose([loss, ...gradients.values()]);
    };
    step();
    assertNoLeak(step);
    for (const [path, { data }] of await model.stateDict()) {
      assert.equal(maxDifference(data, before.get(path)!.data) > 0, trainable.has(path), path);
    }
    optimizer.dispose();
  });
}

test("MLP-L is as wide as the mappers and LoRA it stands for", () => {
  const widthFor = (shape: Partial<LlamaConfig>, targets?: readonly string[]) =>
    baselines.mlpL({ dim: 768 }, { ...llama7b, ...shape }, { loraRank: 8, loraTargets: targets }).width;
  const equal = (lora: number) => Math.round((2 * 768 * 4096 + lora) / (2 * 768));
  assert.equal(widthFor({}), equal(8 * 2 * (4096 + 4096)));
  assert.equal(widthFor({}, ["q_proj", "k_proj", "v_proj", "o_proj"]), equal(8 * 4 * (4096 + 4096)));
  assert.equal(widthFor({}, ["down_proj"]), equal(8 * (11008 + 4096)));
  assert.equal(widthFor({ kvHeads: 8 }), equal(8 * (4096 + 4096 + 4096 + 1024)));
  assert.equal(widthFor({ headDim: 160, kvHeads: 4 }), equal(8 * (4096 + 5120 + 4096 + 640)));
});

test("a frozen block has no trainable weight, with or without an adapter on it", () => {
  const block = tinyBlock();
  lora.attach(block);
  const { block: frozen } = baselines.frozenBlock(block);
  assert.equal(frozen!.counts().trainable, 0);
  assert.equal(baselines.randomBlock(tinyLlama).counts().trainable, 0);
});

test("a random block differs by seed and is the same for the same one", async () => {
  const first = async (seed: number) =>
    (await tinyBlock({ seed }).stateDict()).get("layers.0.attention.wq.weight")!.data;
  assert.deepEqual(await first(1), await first(1));
  assert.notDeepEqual(await first(1), await first(2));
});

test("class-token pooling reads the first token after the final norm, mean pooling all others before fc_norm", () => {
  const images = tinyImages();
  for (const pooling of ["cls", "mean"] as const) {
    const model = classifier.create({ encoder: tinyViT, fusion: through(tinyBlock()), classes: 3, pooling });
    perturb(model, (path) => path.includes("norm."));
    let tapped: number[] = [];
    const tap = (name: string, value: tf.Tensor) => {
      if (name === "pooled") tapped = Array.from(value.dataSync());
    };
    const pooled = valuesOf(() => model.pool(images, { tap }));
    const tokens = tf.tidy(() => model.tokens(images).arraySync()) as number[][][];
    const expected = tokens.flatMap(([first, ...patches]) =>
      pooling === "cls"
        ? first
        : first.map((_, c) => patches.reduce((sum, token) => sum + token[c], 0) / patches.length),
    );
    assertClose(pooled, expected, 1e-6);
    assertClose(tapped, expected, 1e-6);
    const features = tf.tensor(expected, [2, tinyViT.dim]);
    const logits = valuesOf(() =>
      model.head.forward(model.fc_norm ? model.fc_norm.forward(features) : features),
    );
    assertClose(
      valuesOf(() => model.forward(images)),
      logits,
      1e-6,
    );
  }
});
