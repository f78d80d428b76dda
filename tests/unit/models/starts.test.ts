import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { baselines, classifier, fusion, lora, mae, segmenter } from "../../../src/models";
import { AttentionPool } from "../../../src/models/attentionPool";
import { LayerScale, Mlp, mlpOf, SwiGlu } from "../../../src/models/branches";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { positionParameter } from "../../../src/models/positions";
import { type Module, normal, ones } from "../../../src/nn";
import { assertClose, randomTensor, valuesOf } from "../nn/support";
import { tinyBlock, tinyDecoder, tinyLlama, tinyViT } from "./support";

before(() => startBackend());

const numbers = async (model: Module, path: string) =>
  (await new Map(model.namedParameters()).get(path)!.read()).data;
const deviation = (x: Float32Array) => Math.sqrt(x.reduce((sum, one) => sum + one * one, 0) / x.length);

/** Every path begins as normal numbers of its deviation. */
async function assertStarts(model: Module, starts: Record<string, number>): Promise<void> {
  for (const [path, std] of Object.entries(starts)) {
    const found = deviation(await numbers(model, path));
    assert.ok(Math.abs(found / std - 1) < 0.25, `${path}: ${found} against ${std}`);
  }
}

test("tokens, mappers, blocks of a language model and its table start as normal numbers of deviation 0.02", async () => {
  const wide = { ...tinyLlama, dim: 64, hiddenDim: 80 };
  const plan = fusion.through(baselines.randomBlock(wide));
  const encoder = { ...tinyViT, dim: 64, registers: 4 };
  const model = classifier.create({ encoder, fusion: plan, classes: 40 });
  const paths = [
    ...[
      "cls_token",
      "register_tokens",
      "pos_embed",
      "llama_dim_mapper1.weight",
      "llama_dim_mapper2.weight",
      "head.weight",
    ],
    ...["wq", "wk", "wv", "wo"].map((name) => `llama.layers.0.attention.${name}.weight`),
    ...["w1", "w2", "w3"].map((name) => `llama.layers.0.feed_forward.${name}.weight`),
    ...["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"].map((name) => `blocks.1.${name}.weight`),
  ];
  await assertStarts(model, Object.fromEntries(paths.map((path) => [path, 0.02])));
  const language = new LlamaLanguageModel({ ...wide, depth: 1, vocabulary: 50 });
  await assertStarts(language, { "tok_embeddings.weight": 0.02, "output.weight": 0.02 });
  const gated = classifier.create({ encoder: { ...tinyViT, dim: 64, mlp: "swiglu" }, classes: 2 });
  await assertStarts(gated, { "blocks.0.mlp.w12.weight": 0.02, "blocks.0.mlp.w3.weight": 0.02 });
});

test("a pool's query starts as its width says, its projections as 0.02, and a segmenter's head near zero", async () => {
  const model = classifier.create({ encoder: { ...tinyViT, dim: 64 }, classes: 2, pooling: "attention" });
  const parts = ["q", "kv", "proj", "mlp.fc1", "mlp.fc2"].map((name) => [`attn_pool.${name}.weight`, 0.02]);
  await assertStarts(model, { "attn_pool.latent": 64 ** -0.5, ...Object.fromEntries(parts) });
  const parts_ = segmenter.create({ encoder: { ...tinyViT, dim: 64 }, classes: 30 });
  await assertStarts(parts_, { "head.weight": 2e-5 });
  const bias = await numbers(parts_, "head.bias");
  const most = Math.max(...bias.map(Math.abs));
  assert.ok(most <= 1 / 8 && most > 0.8 / 8, "within 1 / sqrt(width)");
});

test("a layer scale starts at its number everywhere, and a table of positions as it is asked for", async () => {
  assert.deepEqual([...new Set(await numbers(new LayerScale(5, 0.25), "gamma"))], [0.25]);
  const model = classifier.create({ encoder: { ...tinyViT, layerScale: 0.5 }, classes: 2 });
  for (const name of ["ls1", "ls2"])
    assert.deepEqual([...new Set(await numbers(model, `blocks.1.${name}.gamma`))], [0.5]);
  const fixed = positionParameter(8, 9, new Rng(1), "sincos");
  assert.deepEqual([fixed.shape, fixed.trainable], [[1, 10, 8], false]);
  const learned = positionParameter(8, 9, new Rng(1), "learned", 0);
  assert.deepEqual([learned.shape, learned.trainable], [[1, 9, 8], true]);
  const bare = positionParameter(8, 9, new Rng(1), "sincos", 0);
  assert.deepEqual(
    (await bare.read()).data,
    (await fixed.read()).data.slice(8),
    "the class token's row is left out",
  );
});

test("every seed is its model's own: encoder, path, head, pool, block, decoder and updates", async () => {
  const first = async (model: Module, path: string) => (await numbers(model, path))[0];
  const adapted = (seed?: number) => {
    const block = tinyBlock();
    lora.attach(block, { seed });
    return block;
  };
  const makes: [(seed?: number) => Module, ...paths: string[]][] = [
    [(seed) => classifier.create({ encoder: tinyViT, classes: 2, seed }), "cls_token", "head.weight"],
    [
      (seed) => classifier.create({ encoder: tinyViT, classes: 2, seed, pooling: "attention" }),
      "attn_pool.latent",
    ],
    [(seed) => segmenter.create({ encoder: tinyViT, classes: 2, seed }), "cls_token", "head.weight"],
    [
      (seed) => mae.create({ encoder: tinyViT, decoder: tinyDecoder, seed }),
      "cls_token",
      "mask_token",
      "decoder_pred.weight",
    ],
    [(seed) => baselines.randomBlock(tinyLlama, { seed }), "layers.0.attention.wq.weight"],
    [
      (seed) => new LlamaLanguageModel({ ...tinyLlama, depth: 1, vocabulary: 5 }, seed),
      "tok_embeddings.weight",
    ],
    [(seed) => new fusion.FusionPath(16, fusion.mlp(6, { seed })), "llama_dim_mapper1.weight"],
    [(seed) => new fusion.FusionPath(16, fusion.through(tinyBlock(), { seed })), "llama_dim_mapper2.weight"],
    [adapted, "layers.0.attention.wv.lora_A.weight"],
  ];
  for (const [make, ...paths] of makes)
    for (const path of paths) {
      const [usual, zero, one, again] = await Promise.all(
        [undefined, 0, 1, 1].map((seed) => first(make(seed), path)),
      );
      assert.ok(usual === zero && one === again && one !== zero, path);
    }
  const pretrained = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  for (const from of [classifier, segmenter]) {
    const heads = await Promise.all(
      [3, 3, 4].map(async (seed) =>
        first(await from.fromPretrained(pretrained, { classes: 2, seed }), "head.weight"),
      ),
    );
    assert.ok(heads[0] === heads[1] && heads[0] !== heads[2]);
  }
});

test("SwiGLU is two thirds as wide, up to a multiple of eight; its gate is the first half", () => {
  const widthOf = (dim: number, asWideAs: number) =>
    new SwiGlu(dim, asWideAs, new Rng(0), ones).w3.weight.shape[1];
  // DINOv2's giant: 1536 * 4 -> 4096. 2/3 of 12 is 8, of 13 it is 8 (cut), of 14 it is 9.
  assert.deepEqual([widthOf(8, 6144), widthOf(8, 12), widthOf(8, 13), widthOf(8, 14)], [4096, 8, 8, 16]);
  const branch = new SwiGlu(4, 12, new Rng(1), normal(0.5));
  assert.deepEqual(
    [branch.w12.weight.shape, branch.w12.bias!.shape, branch.w3.bias!.shape],
    [[16, 4], [16], [4]],
  );
  const x = randomTensor([1, 2, 4], 1);
  const [gate, value] = tf.split(branch.w12.forward(x), 2, -1);
  const inner = tf.mul(tf.mul(gate, tf.sigmoid(gate)), value);
  assertClose(
    valuesOf(() => branch.forward(x)),
    valuesOf(() => branch.w3.forward(inner)),
    1e-5,
  );
  assert.ok(mlpOf("swiglu", 4, 12, new Rng(0), ones) instanceof SwiGlu);
  assert.ok(mlpOf(undefined, 4, 12, new Rng(0), ones) instanceof Mlp);
  const kinds = (["gelu", "quick-gelu", "gelu-tanh"] as const).map((kind) =>
    valuesOf(() => mlpOf(kind, 4, 12, new Rng(0), normal(1)).forward(x)).join(),
  );
  assert.equal(new Set(kinds).size, 3);
  assert.equal(valuesOf(() => mlpOf(undefined, 4, 12, new Rng(0), normal(1)).forward(x)).join(), kinds[0]);
});

test("hidden widths are rounded to the nearest number", () => {
  const model = classifier.create({ encoder: { ...tinyViT, dim: 10, mlpRatio: 1.26 }, classes: 2 });
  assert.deepEqual(new Map(model.namedParameters()).get("blocks.0.mlp.fc1.weight")!.shape, [13, 10]);
  const pool = new AttentionPool({ dim: 10, heads: 2, mlpRatio: 1.26 }, new Rng(1));
  assert.deepEqual(pool.mlp.fc1.weight.shape, [13, 10]);
});

test("an edit within a pool's attention changes what it gives", () => {
  const pool = new AttentionPool({ dim: 8, heads: 2, mlpRatio: 2 }, new Rng(1));
  const x = randomTensor([2, 5, 8], 1);
  const plain = valuesOf(() => pool.forward(x));
  const seen: string[] = [];
  const tap = (name: string) => void seen.push(name);
  assert.deepEqual(
    valuesOf(() => pool.forward(x, { tap })),
    plain,
  );
  assert.deepEqual(seen, ["attn_pool.scores", "attn_pool.pattern", "attn_pool.heads", "attn_pool.mlp.out"]);
  for (const name of seen) {
    const edit = (other: string, value: Tensor) => (other === name ? tf.mul(value, 2) : value);
    assert.notDeepEqual(
      valuesOf(() => pool.forward(x, { edit })),
      plain,
      name,
    );
  }
});
