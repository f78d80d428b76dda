import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { Rng } from "../../../../src/core/rng";
import { startBackend, tf } from "../../../../src/core/tf";
import { classifier, llavit } from "../../../../src/models";
import { LlamaLanguageModel } from "../../../../src/models/languageModel";
import { tokenizerFrom } from "../../../../src/models/llavit/build";
import { Connector } from "../../../../src/models/llavit/connector";
import { towerFeatures } from "../../../../src/models/llavit/tower";
import { freshVisionQkv, VisionUpdate } from "../../../../src/models/visionQkv";
import { gelu } from "../../../../src/nn";
import { temporaryFolder } from "../../../support/temporaryFolder";
import { assertClose, isLuvitError, randomTensor, repository, valuesOf } from "../../nn/support";
import { perturb, tinyImages, tinyLlama, tinyViT } from "../support";
import { luvitTower, plainTower, qwenLanguage, tinyLanguage, tinyLlavit } from "./support";

before(() => startBackend());

test("projections for images start as copies that are trained and are no file's, or as updates of nothing", async () => {
  const language = qwenLanguage();
  for (const [, parameter] of language.namedParameters()) parameter.source = "a file";
  const full = await tinyLlavit({ language, visionQkv: "full" });
  const { attention } = full.language.layers[0];
  for (const name of ["wq", "wk", "wv"] as const) {
    const own = attention.vision![`vision_${name}`] as typeof attention.wq;
    for (const part of ["weight", "bias"] as const) {
      assert.deepEqual((await own[part]!.read()).data, (await attention[name][part]!.read()).data);
      assert.notEqual(own[part], attention[name][part]);
      assert.deepEqual([own[part]!.trainable, own[part]!.source], [true, undefined]);
    }
  }
  const lora = await tinyLlavit({ language, visionQkv: "lora" });
  const third = (await tinyLlavit({ visionQkv: "lora", rank: 3, visionBlocks: [2] })).describe().visionQkv;
  assert.deepEqual(third, { kind: "lora", blocks: [2], rank: 3, alpha: 3 });
  const { vision } = lora.language.layers[2].attention;
  const update = vision!.vision_wk as VisionUpdate;
  assert.deepEqual([update.rank, update.alpha], [4, 4], "rank 4, alpha the rank");
  assert.deepEqual(
    [update.lora_A.weight.shape, update.lora_B.weight.shape],
    [
      [4, 24],
      [12, 4],
    ],
  );
  assert.deepEqual(lora.describe().visionQkv, { kind: "lora", blocks: [1, 2, 3], rank: 4, alpha: 4 });
  const a = (await update.lora_A.weight.read()).data;
  const most = Math.max(...a.map(Math.abs));
  assert.ok(most <= 1 / Math.sqrt(24) && most > 0.9 / Math.sqrt(24));
  const scaled = new VisionUpdate([3, 2], 2, 6, new Rng(1));
  perturb(scaled);
  const x = randomTensor([1, 2, 2], 1);
  const [A, B] = [scaled.lora_A.weight.value, scaled.lora_B.weight.value] as tf.Tensor2D[];
  const expected = tf.mul(tf.matMul(tf.reshape(x, [2, 2]), tf.matMul(B, A), false, true), 3);
  assertClose(
    valuesOf(() => scaled.forward(x)),
    [...expected.dataSync()],
    1e-5,
  );
  const seeds = [1, 1, 2].map((seed) => tinyLlavit({ visionQkv: "lora", seed }));
  const [one, same, other] = await Promise.all(
    seeds.map(
      async (model) =>
        (await (await model).stateDict()).get("layers.0.attention.vision_wq.lora_A.weight")!.data[0],
    ),
  );
  assert.ok(one === same && one !== other);
  const fresh = freshVisionQkv(attention, undefined, new Rng(1)).vision_wv as typeof attention.wv;
  assert.deepEqual([fresh.weight.shape, fresh.bias?.shape], [[12, 24], [12]]);
  const plain = freshVisionQkv(tinyLanguage().layers[0].attention, undefined, new Rng(1))
    .vision_wv as typeof attention.wv;
  assert.equal(plain.bias, undefined);
});

test("a connector is two linears with exact GELU between them, that start as 0.02 by its seed", async () => {
  const connector = new Connector(40, 50, new Rng(1));
  const [first, , second] = connector.layers;
  assert.deepEqual([first.weight.shape, second.weight.shape, first.bias!.shape], [[50, 40], [50, 50], [50]]);
  const x = randomTensor([1, 3, 40], 2);
  assertClose(
    valuesOf(() => connector.forward(x)),
    valuesOf(() => second.forward(gelu(first.forward(x)))),
    1e-6,
  );
  for (const { weight, bias } of [first, second]) {
    const { data } = await weight.read();
    const deviation = Math.sqrt(data.reduce((sum, value) => sum + value * value, 0) / data.length);
    assert.ok(Math.abs(deviation / 0.02 - 1) < 0.06);
    assert.ok((await bias!.read()).data.every((value) => value === 0));
  }
  const weights = await Promise.all(
    [0, undefined, 5].map(
      async (seed) => (await (await tinyLlavit({ seed })).mm_projector.layers[0].weight.read()).data[0],
    ),
  );
  assert.ok(weights[0] === weights[1] && weights[0] !== weights[2]);
});

test("a tower's features are those of the layers that are named, in that order, without the class token", () => {
  const { encoder } = luvitTower();
  const images = tinyImages();
  const states = encoder.statesOf(images);
  assert.equal(states.length, 3);
  const features = towerFeatures(encoder, images, [2, 0], {});
  assert.deepEqual(features.shape, [2, 9, 32]);
  const expected = tf.concat(
    [states[2], states[0]].map((state) => tf.slice(state, [0, 1, 0], [2, 9, 16])),
    2,
  );
  assertClose(features.dataSync(), [...expected.dataSync()], 1e-6);
  const patches = classifier.create({ encoder: { ...tinyViT, classToken: false }, classes: 2 }).encoder;
  assert.deepEqual(towerFeatures(patches, images, [1], {}).shape, [2, 9, 16]);
});

test("a model that sees has its tower's preprocessing, the last layer, LLaVA's mask and plain words unless told otherwise", async () => {
  const tower = plainTower();
  tower.preprocessing = { ...tower.preprocessing, cropRatio: 0.5, mean: [9, 8, 7] };
  const model = await tinyLlavit({ tower });
  assert.deepEqual(model.preprocessing, tower.preprocessing);
  assert.deepEqual([model.layers, model.visionMask, model.tokenizer.source], [[2], "causal", "bytes"]);
  assert.deepEqual(model.template, { before: "", between: "", after: "\n", end: "\n" });
  assert.equal(model.describe().visionQkv, null);
  const template = { before: "a", between: "b", after: "c", end: "d" };
  const own = await tinyLlavit({ template, visionMask: "none", layers: [0, 2] });
  template.before = "changed";
  assert.deepEqual([own.template.before, own.visionMask, own.layers], ["a", "none", [0, 2]]);
  const clip = new llavit.ClipTower({
    imageSize: 12,
    patchSize: 4,
    dim: 8,
    depth: 2,
    heads: 2,
    hiddenDim: 16,
    normEps: 1e-5,
    activation: "gelu",
  });
  const seeing = await tinyLlavit({ tower: clip });
  assert.equal(seeing.mm_projector.layers[0].inputs, 8);
  assert.throws(
    () => seeing.see(tf.zeros([1, 3, 16, 16])),
    isLuvitError("shape-mismatch", "expected [B, 3, 12, 12], got [1, 3, 16, 16]"),
  );
});

test("CLIP's activations are those of its config, and its seed makes it", async () => {
  const config = { imageSize: 8, patchSize: 4, dim: 8, depth: 1, heads: 2, hiddenDim: 16, normEps: 1e-5 };
  const made = (activation: "gelu" | "quick-gelu", seed?: number) => {
    const tower = new llavit.ClipTower({ ...config, activation }, seed);
    return tower;
  };
  const [exact, quick] = [made("gelu"), made("quick-gelu")];
  const { mlp } = exact.layers[0];
  const x = randomTensor([1, 2, 8], 3);
  const wide = mlp.fc1.forward(tf.mul(x, 20));
  assertClose(
    valuesOf(() => mlp.forward(tf.mul(x, 20))),
    valuesOf(() => mlp.fc2.forward(gelu(wide))),
    1e-6,
  );
  const bent = tf.mul(wide, tf.sigmoid(tf.mul(wide, 1.702)));
  assertClose(
    valuesOf(() => quick.layers[0].mlp.forward(tf.mul(x, 20))),
    valuesOf(() => mlp.fc2.forward(bent)),
    1e-6,
  );
  const start = async (tower: typeof exact) => (await tower.class_embedding.read()).data[0];
  assert.equal(await start(made("gelu", 0)), await start(exact));
  assert.notEqual(await start(made("gelu", 1)), await start(exact));
});

test("a tokenizer whose file is gone is named when it is needed, and not before", async () => {
  const gone = join(temporaryFolder("tokenizer"), "tokenizer.json");
  const tokenizer = await tokenizerFrom(gone);
  assert.deepEqual([tokenizer.source, tokenizer.size, [...tokenizer.begin]], [gone, 0, []]);
  for (const use of [() => tokenizer.encode("a"), () => tokenizer.decode([1])])
    assert.throws(use, isLuvitError("missing-file", gone));
  assert.equal((await tokenizerFrom("bytes")).size, 256);
});

test("a whole language model is causal, turned by positions, and reads what its options say", async () => {
  const toy = join(repository, "data", "llama-toy");
  const model = await llavit.languageModel(toy);
  assert.deepEqual([model.config.causal, model.config.rope], [true, true]);
  const own = await llavit.languageModel(toy, { normEps: 1e-3, ropeTheta: 99 });
  assert.deepEqual([own.config.normEps, own.config.ropeTheta], [1e-3, 99]);
  assert.ok([...model.namedParameters()].every(([, { source }]) => source?.startsWith(toy)));
});

test("a language model's last layer is its table where it is tied, and it reads no more than it has positions for", () => {
  const ids = tf.tensor2d([[3, 1, 4]], [1, 3], "int32");
  const config = { ...tinyLlama, causal: true, depth: 1, vocabulary: 7 };
  const tied = new LlamaLanguageModel({ ...config, tiedEmbeddings: true });
  assert.equal(tied.output, undefined);
  const embedded = tied.tok_embeddings.forward(ids);
  const table = tied.tok_embeddings.weight.value as unknown as tf.Tensor2D;
  assert.deepEqual(
    [...tf.slice(embedded, [0, 1, 0], [1, 1, 24]).dataSync()],
    [...tf.slice(table, [1, 0], [1, 24]).dataSync()],
  );
  const hidden = tied.hidden(embedded);
  const expected = tf.matMul(tf.reshape(hidden, [3, 24]) as tf.Tensor2D, table, false, true);
  assertClose(
    valuesOf(() => tied.forward(ids)),
    [...expected.dataSync()],
    1e-5,
  );
  const short = new LlamaLanguageModel({ ...config, maxPositions: 3 });
  assert.deepEqual(short.forward(ids).shape, [1, 3, 7]);
  short.expectPositions("here", 3);
  assert.throws(
    () => short.expectPositions("here", 4),
    isLuvitError("bad-argument", "here: 4 tokens", "at most 3"),
  );
  assert.throws(() => short.hidden(tf.zeros([1, 4, 24])), isLuvitError("bad-argument", "4 tokens"));
});
