import assert from "node:assert/strict";
import { join, relative } from "node:path";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { baselines, classifier, fusion, llama, lora, mae, vit } from "../../../src/models";
import { stackFits } from "../../../src/models/options";
import { patchCount } from "../../../src/models/vit";
import { SavedFiles } from "../../../src/models/writeModel";
import { assertClose, isLuvitError, repository, valuesOf } from "../nn/support";
import { tinyBlock, tinyDecoder, tinyImages, tinyInputs, tinyLlama, tinyViT } from "./support";

before(() => startBackend());

test("baselines hand on what they are told: place, residual, biases, norm, activation, seed", () => {
  const options = { after: 1, normFirst: true, mapperBias: true, residual: true, rmsNorm: false, seed: 3 };
  const block = tinyBlock();
  assert.deepEqual(baselines.frozenBlock(block, options), { ...options, block, width: 24 });
  assert.deepEqual(fusion.through(block, options), { ...options, block, width: 24 });
  const own = { ...options, activation: "gelu" } as const;
  assert.deepEqual(baselines.mlpP(tinyLlama, own), { ...own, width: 24 });
  const { width, ...rest } = baselines.mlpL({ dim: 16 }, tinyLlama, {
    ...own,
    loraRank: 4,
    loraTargets: ["o_proj"],
  });
  assert.deepEqual(rest, own);
  assert.equal(width, Math.round((2 * 16 * 24 + 4 * (24 + 24)) / 32));
  const thawed = tinyBlock().unfreeze();
  assert.equal(baselines.frozenBlock(thawed).block!.counts().trainable, 0);
  const random = baselines.randomBlock(tinyLlama, { depth: 3 });
  assert.deepEqual([random.layers.length, random.counts().trainable, random.source.checkpoint], [3, 0, null]);
  assert.match(`${random}`, /from random numbers\)$/);
  assert.notEqual(random.config, tinyLlama);
});

test("LoRA's options have PEFT's names too, of which one may be given; alpha is the rank, the rank 16, q and v its targets", () => {
  const layersOf = (options: lora.LoraOptions) => {
    const block = tinyBlock();
    lora.attach(block, options);
    return lora
      .adapters(block)
      .map(([path, { rank, alpha, rankStabilized }]) => [path.slice(-2), rank, alpha, rankStabilized]);
  };
  const of = (rank: number, alpha: number, stable = false, names = ["wq", "wv"]) =>
    names.map((name) => [name, rank, alpha, stable]);
  assert.deepEqual(layersOf({}), of(16, 16));
  assert.deepEqual(layersOf({ rank: 4 }), of(4, 4));
  assert.deepEqual(
    layersOf({ r: 4, loraAlpha: 2, targetModules: ["o_proj"], useRslora: true, loraDropout: 0 }),
    of(4, 2, true, ["wo"]),
  );
  assert.deepEqual(
    layersOf({ rank: 4, alpha: 2, targets: ["wo"], rankStabilized: true }),
    of(4, 2, true, ["wo"]),
  );
  const pairs = {
    rank: [2, "r"],
    alpha: [2, "loraAlpha"],
    targets: [["wq"], "targetModules"],
    rankStabilized: [true, "useRslora"],
  } as const;
  for (const [own, [value, peft]] of Object.entries(pairs))
    assert.throws(
      () => layersOf({ [own]: value, [peft]: value }),
      isLuvitError("bad-argument", `${peft}: expected to be left out, because ${own} is given`),
    );
  for (const wrong of [{ loraDropout: 0.1 }, { targets: [] }, { rank: 0 }, { alpha: Number.NaN }])
    assert.throws(() => layersOf(wrong as never), isLuvitError("bad-argument", Object.keys(wrong)[0]));
  const block = tinyBlock();
  lora.attach(block, { targets: ["wq", "wk", "wv", "wo", "w1", "w2", "w3"] });
  assert.throws(
    () => lora.attach(block),
    isLuvitError("bad-argument", "no linear named q_proj, v_proj; this model has: none without LoRA"),
  );
});

test("a report of LoRA names its places, share and rest", () => {
  const parts = { paths: ["a", "b"], trainable: 250_000, total: 4_000_000 };
  const line = "LoRA on a, b: 0.25 M trainable of 4.00 M (6.25 %)";
  assert.equal(`${new lora.LoraReport(parts)}`, line);
  const name = (layer: number) => `model.layers.${layer}.self_attn.q_proj.lora_A.weight`;
  const leftOut = [
    name(10),
    name(2),
    name(2),
    "lm_head.lora_A.weight",
    "lm_head.lora_B.weight",
    "score.bias",
    "model.norm.weight",
  ];
  const report = new lora.LoraReport({ ...parts, replaced: ["norm.weight", "output.weight"], leftOut });
  assert.equal(
    `${report}`,
    `${line}; replaced: norm.weight, output.weight; left out, not of this block: 3 tensors of layers 2, 10, lm_head, score, model.norm`,
  );
  const outside = new lora.LoraReport({ ...parts, leftOut: ["lm_head.weight"] });
  assert.equal(`${outside}`, `${line}; left out, not of this block: lm_head`);
});

test("a masked auto-encoder removes three quarters, normalizes its targets and has MAE's decoder unless told otherwise", () => {
  const model = mae.create({ encoder: tinyViT });
  assert.deepEqual([model.maskRatio, model.normPixLoss, model.decoderIsFresh], [0.75, true, true]);
  assert.deepEqual(model.decoder, { dim: 512, depth: 8, heads: 16, mlpRatio: 4 });
  const images = tinyImages();
  const plain = mae.create({ encoder: tinyViT, decoder: tinyDecoder, normPixLoss: false });
  const [patch] = tf.unstack(tf.reshape(plain.target(images), [18, 48]));
  const [normed] = tf.unstack(
    tf.reshape(mae.create({ encoder: tinyViT, decoder: tinyDecoder }).target(images), [18, 48]),
  );
  const values = [...patch.dataSync()];
  const mean = values.reduce((a, b) => a + b) / 48;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 47;
  assertClose(
    normed.dataSync(),
    values.map((x) => (x - mean) / Math.sqrt(variance + 1e-6)),
    1e-5,
  );
  assert.deepEqual(
    plain.describe().preprocessing,
    classifier.create({ encoder: tinyViT, classes: 2 }).describe().preprocessing,
  );
});

test("a decoder is seen and edited like the encoder, and gets each class token and mask token its place", () => {
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  const inputs = tinyInputs(model);
  const seen: string[] = [];
  const loss = (context: object) => valuesOf(() => model.loss(inputs, context))[0];
  const plain = loss({ tap: (name: string) => void seen.push(name) });
  assert.ok(seen.includes("decoder_blocks.0.attn.pattern") && seen.includes("decoder_blocks.0.out"));
  const edit = (name: string, x: Tensor) => (name === "decoder_blocks.0.out" ? tf.mul(x, 2) : x);
  assert.notEqual(loss({ edit }), plain);
  const latent = model.encode(inputs);
  const embedded = model.decoder_embed.forward(latent);
  let entering: number[][] = [];
  const restore = [...inputs.restoreRows.dataSync()];
  const tap = (name: string, x: Tensor) => {
    if (name === "decoder_blocks.0.norm1") entering = tf.reshape(x, [-1, 8]).arraySync() as number[][];
  };
  tf.tidy(() => void model.decode(latent, inputs.restoreRows, { tap }));
  const rows = embedded.arraySync() as number[][][];
  const kept = rows.flatMap((own) => own.slice(1));
  const mask = (model.mask_token.value.arraySync() as number[][][])[0][0];
  const table = (model.decoder_pos_embed.value.arraySync() as number[][][])[0];
  const expected = rows.flatMap((own, image) =>
    [own[0], ...restore.slice(9 * image, 9 * image + 9).map((row) => kept[row] ?? mask)].map((token, t) =>
      token.map((v, c) => v + table[t][c]),
    ),
  );
  const normed = model.decoder_blocks[0].norm1.forward(tf.tensor2d(expected));
  assertClose(entering.flat(), [...normed.dataSync()], 1e-4);
});

test("sizes of a ViT that cannot be are refused by name: patches, heads, weights", () => {
  assert.equal(patchCount({ ...tinyViT, imageSize: 1024, patchSize: 4 }), 65536);
  const wrong: [object, string][] = [
    [{ imageSize: 13 }, "imageSize: expected a multiple of patchSize (4)"],
    [{ imageSize: 1028 }, "imageSize: expected at most 65536 patches (it makes 66049 with patchSize 4)"],
    [{ heads: 3 }, "dim: expected a multiple of heads (3)"],
    [{ depth: 10_000, dim: 1024 }, "depth: expected blocks of at most 2e+10 weights"],
    [{ mlpRatio: 0 }, "mlpRatio"],
    [{ layerScale: 0 }, "layerScale"],
    [{ normEps: 0 }, "normEps"],
    [{ registers: -1 }, "registers"],
    [{ mlp: "relu" }, "mlp"],
    [{ depth: 0 }, "depth"],
  ];
  for (const [more, text] of wrong)
    assert.throws(() => patchCount({ ...tinyViT, ...more }), isLuvitError("bad-argument", text));
  // 4 + 2 ratio matrices of width²: 5000² * 12 * 66 is below 2e10, of 67 above it.
  const blocks = (depth: number) => stackFits({ dim: 5000, heads: 1, mlpRatio: 4, depth }).length;
  assert.deepEqual([blocks(66), blocks(67)], [0, 1]);
  assert.deepEqual(vit.toy, { imageSize: 64, patchSize: 8, dim: 64, depth: 4, heads: 4, mlpRatio: 4 });
});

test("class names are as many as classes, copied, and told in the config", async () => {
  const names = ["a", "b"];
  const model = classifier.create({ encoder: tinyViT, classes: 2, classNames: names });
  names[0] = "changed";
  assert.deepEqual(
    [model.classNames, model.describe().classNames],
    [
      ["a", "b"],
      ["a", "b"],
    ],
  );
  for (const classNames of [["a"], ["a", "b", "c"]])
    assert.throws(
      () => classifier.create({ encoder: tinyViT, classes: 2, classNames }),
      isLuvitError("bad-argument", `${classNames.length} classNames for 2 classes`),
    );
  const preprocessing = { ...model.preprocessing, cropRatio: 0.5 };
  const own = classifier.create({ encoder: tinyViT, classes: 2, preprocessing });
  assert.deepEqual(own.describe().preprocessing.cropRatio, 0.5);
  assert.notEqual(own.describe().preprocessing.mean, own.preprocessing.mean);
  const pretrained = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  const tuned = await classifier.fromPretrained(pretrained, {
    classes: 2,
    classNames: ["x", "y"],
    preprocessing,
    pooling: "cls",
  });
  assert.deepEqual(
    [tuned.classNames, tuned.pooling, tuned.preprocessing.cropRatio],
    [["x", "y"], "cls", 0.5],
  );
  assert.ok(tuned.encoder.norm, "the class token is read behind the final norm");
  assert.equal(
    (await classifier.fromPretrained(pretrained, { classes: 2, pooling: "attention" })).encoder.norm?.dim,
    16,
  );
});

test("a block is read with what it is told, and remembers where from and how", async () => {
  const there = join(repository, "data", "llama-toy");
  const toy = relative(process.cwd(), there);
  const last = await llama.loadBlock(toy);
  assert.deepEqual(
    [last.layerIndices, last.config.causal, last.config.rope, last.counts().trainable],
    [[3], false, false, 0],
  );
  assert.ok(last.origin.startsWith(`${toy}, block 4 of 4, `));
  assert.match(last.origin, /, \d+\.\d\d MB read$/);
  const own = await llama.loadBlock(toy, {
    blocks: [2, 3],
    causal: true,
    rope: true,
    normEps: 1e-3,
    ropeTheta: 7,
  });
  assert.deepEqual(own.source, {
    checkpoint: there,
    blocks: [2, 3],
    options: { heads: undefined, normEps: 1e-3, ropeTheta: 7, revision: undefined },
    origin: own.origin,
  });
  assert.match(own.origin, /, block 2, 3 of 4,/);
  assert.deepEqual(
    [own.config.causal, own.config.rope, own.config.normEps, own.config.ropeTheta, own.layers.length],
    [true, true, 1e-3, 7, 2],
  );
  assert.ok([...own.namedParameters()].every(([, { source }]) => source?.includes("llama-toy")));
});

test("what a save left in other files is told by how many tensors these are, each file once, as they come", () => {
  const line = (...sources: string[]) => {
    const external = Object.fromEntries(sources.map((source, i) => [`p${i}`, { source, sha256: "" }]));
    return `${new SavedFiles("here", { external } as never, 7, 1_234_567)}`;
  };
  const written = "saved 7 tensors (1.23 MB) and config.json in here";
  assert.equal(line(), written);
  assert.equal(line("a.pth"), `${written}; 1 frozen tensors stay in a.pth`);
  assert.equal(line("b.pth", "a.pth", "b.pth"), `${written}; 3 frozen tensors stay in b.pth, a.pth`);
});
