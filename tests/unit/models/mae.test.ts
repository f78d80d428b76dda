import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import * as classifier from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import * as lora from "../../../src/models/lora";
import * as mae from "../../../src/models/mae";
import { maskFromNoise } from "../../../src/models/masking";
import { runBlocks, toy } from "../../../src/models/vit";
import { maskedPatchLoss, softTargetCrossEntropy } from "../../../src/nn/losses";
import { unpatchify } from "../../../src/nn/patches";
import { trainableVariables } from "../../../src/nn/variables";
import { AdamW } from "../../../src/optim/adamw";
import { lossAndGradients } from "../../../src/optim/gradients";
import { finetuneRules } from "../../../src/optim/groups";
import {
  assertClose,
  assertNoLeak,
  assertSameState,
  isLuvitError,
  maxDifference,
  randomTensor,
  valuesOf,
} from "../nn/support";
import { hostGradients, perturb, tinyBlock, tinyDecoder, tinyImages, tinyInputs, tinyViT } from "./support";

before(() => startBackend());

const build = (options: Partial<mae.MaeOptions> = {}) =>
  mae.create({ encoder: tinyViT, decoder: tinyDecoder, ...options });

/** The pixels of the patches a mask of 9 patches selects, as an image [B, 3, 12, 12] of zeros and ones. */
function pixelsOf(mask: tf.Tensor): tf.Tensor {
  const patches = tf.tile(tf.reshape(mask, [-1, 9, 1]), [1, 1, 48]);
  return unpatchify(patches, 4);
}

test("the encoder sees the class token and the kept patches, the decoder predicts every patch", () => {
  const model = build();
  const inputs = tinyInputs(model);
  const latent = model.encode(inputs);
  assert.deepEqual(latent.shape, [2, 3, 16]);
  assert.deepEqual(model.decode(latent, inputs.restoreRows).shape, [2, 9, 48]);
  assert.deepEqual(model.target(inputs.images).shape, [2, 9, 48]);
});

test("the latent does not depend on what was removed", () => {
  const model = build();
  const inputs = tinyInputs(model);
  const noise = tf.mul(tinyImages(2, 77), pixelsOf(inputs.mask));
  const changed = { ...inputs, images: tf.add(inputs.images, noise) };
  assert.deepEqual(
    valuesOf(() => model.encode(changed)),
    valuesOf(() => model.encode(inputs)),
  );
  const visible = tf.mul(tinyImages(2, 77), tf.sub(1, pixelsOf(inputs.mask)));
  const other = { ...inputs, images: tf.add(inputs.images, visible) };
  assert.ok(
    maxDifference(
      valuesOf(() => model.encode(other)),
      valuesOf(() => model.encode(inputs)),
    ) > 0.01,
  );
});

test("the loss is the error of removed patches; the pixels of visible ones are no target", () => {
  const model = build({ normPixLoss: false });
  const inputs = tinyInputs(model);
  const prediction = model.decode(model.encode(inputs), inputs.restoreRows);
  assertClose(
    maskedPatchLoss(prediction, model.target(inputs.images), inputs.mask).dataSync(),
    model.loss(inputs).dataSync(),
    1e-6,
  );
  const target = tf.grad((images) => maskedPatchLoss(prediction, model.target(images), inputs.mask))(
    inputs.images,
  );
  const moves = (where: tf.Tensor) => tf.sum(tf.mul(tf.abs(target), where)).dataSync()[0];
  assert.equal(moves(tf.sub(1, pixelsOf(inputs.mask))), 0);
  assert.ok(moves(pixelsOf(inputs.mask)) > 0);
});

test("keeping other patches in another order moves the prediction with them, not with their places", () => {
  const model = build();
  perturb(model);
  const images = tinyImages(1);
  const ordered = maskFromNoise([0, 1, 2, 3, 4, 5, 6, 7, 8], 1, 0.5);
  const shuffled = maskFromNoise([3, 2, 1, 0, 4, 5, 6, 7, 8], 1, 0.5);
  assert.deepEqual([...shuffled.keepRows], [3, 2, 1, 0]);
  const [a, b] = [ordered, shuffled].map((mask) => {
    const inputs = model.inputs(images, mask);
    return valuesOf(() => model.decode(model.encode(inputs), inputs.restoreRows));
  });
  assertClose(a, b, 1e-5);
});

test("each image of a batch is treated on its own", () => {
  const model = build({ fusion: tinyBlock() });
  const inputs = tinyInputs(model, 3);
  const noise = [0.5, 0.1, 0.3, 0.9, 0.2, 0.8, 0.7, 0.6, 0.4];
  const image = tf.slice(inputs.images, [1, 0, 0, 0], [1, 3, 12, 12]);
  const masks = [1, 3].map((count) => maskFromNoise(Array(count).fill(noise).flat(), count, 0.75));
  const [alone, three] = masks.map((mask, i) => {
    const own = model.inputs(i === 0 ? image : inputs.images, mask);
    return valuesOf(() => model.decode(model.encode(own), own.restoreRows));
  });
  assertClose(three.subarray(9 * 48, 2 * 9 * 48), alone, 1e-5);
});

test("a mask ratio other than MAE's is honored", () => {
  const model = build({ maskRatio: 0.4 });
  const inputs = tinyInputs(model);
  assert.equal(inputs.keepRows.size / 2, 5);
  assert.equal(tf.sum(inputs.mask).dataSync()[0], 8);
});

test("position tables are frozen when pretraining and have no gradient", () => {
  const model = build();
  const paths = [...hostGradients(() => model.loss(tinyInputs(model)), trainableVariables(model)).keys()];
  assert.ok(!paths.includes("pos_embed") && !paths.includes("decoder_pos_embed"));
  assert.ok(paths.includes("cls_token") && paths.includes("mask_token"));
});

test("a forward pass with taps or without leaks nothing once tidied", () => {
  const model = build({ fusion: tinyBlock() });
  const inputs = tinyInputs(model);
  model.loss(inputs).dispose();
  assertNoLeak(() => tf.tidy(() => void model.loss(inputs)));
  assertNoLeak(() => tf.tidy(() => void model.loss(inputs, { tap: () => {} })));
});

test("images of another size or layout are an error that names both", () => {
  const model = classifier.create({ encoder: toy, classes: 3 });
  for (const shape of [
    [1, 3, 32, 32],
    [1, 64, 64, 3],
    [1, 1, 64, 64],
    [3, 64, 64],
  ]) {
    const texts = ["expected [B, 3, 64, 64]", `got [${shape.join(", ")}]`];
    assert.throws(() => model.forward(tf.zeros(shape)), isLuvitError("shape-mismatch", ...texts), `${shape}`);
  }
});

test("drop-path factors of zero remove a branch of one sample, others scale it", () => {
  const model = classifier.create({ encoder: tinyViT, classes: 3 });
  perturb(model);
  const { blocks } = model.encoder;
  const x = randomTensor([2, 5, 16]);
  const run = (rows: number[][]) => valuesOf(() => runBlocks(x, blocks, { dropPath: tf.tensor(rows) }));
  const plain = valuesOf(() => runBlocks(x, blocks));
  const half = plain.length / 2;
  assert.deepEqual(run(Array(4).fill([1, 1])), plain);

  const second = run(Array(4).fill([1, 0]));
  assert.deepEqual(second.subarray(0, half), plain.subarray(0, half));
  assert.deepEqual(second.subarray(half), x.dataSync().slice(half));

  const [, block] = blocks;
  const expected = valuesOf(() => {
    const middle = tf.add(x, tf.mul(block.attn.forward(block.norm1.forward(x), {}, "a"), 2));
    return tf.add(middle, tf.mul(block.mlp.forward(block.norm2.forward(middle)), 3));
  });
  assertClose(
    run([
      [0, 0],
      [0, 0],
      [2, 2],
      [3, 3],
    ]),
    expected,
    1e-6,
  );
});

test("drop path follows the blocks' numbers across a fusion path in the middle, and spares the decoder", () => {
  const fusion = through(tinyBlock(), { after: 1 });
  const model = build({ fusion });
  const inputs = tinyInputs(model);
  const ones = tf.ones([4, 2]);
  const loss = (dropPath?: tf.Tensor) => valuesOf(() => model.loss(inputs, { dropPath }));
  assert.deepEqual(loss(ones), loss());
  const dropped = tf.tensor([
    [1, 1],
    [1, 1],
    [0, 0],
    [0, 0],
  ]);
  const taps = new Map<string, Float32Array>();
  tf.tidy(() => {
    model.encode(inputs, {
      dropPath: dropped,
      tap: (name, t) => void taps.set(name, t.dataSync<"float32">().slice()),
    });
  });
  assert.deepEqual(taps.get("blocks.1.out"), taps.get("fusion.mapper2"));
});

test("a classifier from a pretrained model has its encoder, trainable positions, and the pretrained model stays as it is", async () => {
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  const pretrained = build({ fusion: block });
  perturb(pretrained, (path) => !path.includes("pos_embed"));
  const before = await pretrained.stateDict();
  const model = await classifier.fromPretrained(pretrained, { classes: 3 });
  const start = await model.stateDict();
  for (const [path, { data }] of before) {
    if (path.startsWith("decoder_") || path.startsWith("norm.") || path === "mask_token")
      assert.ok(!start.has(path), path);
    else assert.deepEqual(start.get(path)!.data, data, path);
  }
  assert.equal(model.encoder.pos_embed.trainable, true);
  assert.equal(pretrained.encoder.pos_embed.trainable, false);
  const names = (m: typeof model | typeof pretrained) => new Map(m.namedParameters());
  const weight = "llama.layers.0.feed_forward.w1.weight";
  assert.equal(names(model).get(weight), names(pretrained).get(weight), "frozen weights are shared");

  const optimizer = new AdamW(model, finetuneRules(model, { weightDecay: 0.05, layerDecay: 0.75, depth: 2 }));
  const { loss, gradients } = lossAndGradients(
    () => softTargetCrossEntropy(model.forward(tinyImages()), tf.eye(2, 3)),
    optimizer.variables(),
  );
  optimizer.update(gradients, 0.1);
  tf.dispose([loss, ...gradients.values()]);
  assertSameState(await pretrained.stateDict(), before);
  for (const [path, { data }] of await model.stateDict()) {
    const trained = names(model).get(path)!.trainable;
    assert.equal(maxDifference(data, start.get(path)!.data) > 0, trained, path);
  }

  model.dispose();
  assertSameState(await pretrained.stateDict(), before);
  assert.ok(Number.isFinite(valuesOf(() => pretrained.loss(tinyInputs(pretrained)))[0]));
});

test("a classifier outlives the pretrained model it came from", async () => {
  const pretrained = build({ fusion: tinyBlock() });
  const model = await classifier.fromPretrained(pretrained, { classes: 3, pooling: "cls" });
  const logits = valuesOf(() => model.forward(tinyImages()));
  assert.deepEqual(valuesOf(() => model.pool(tinyImages())).length, 2 * 16);
  pretrained.dispose();
  assert.deepEqual(
    valuesOf(() => model.forward(tinyImages())),
    logits,
  );
  assert.throws(() => valuesOf(() => pretrained.loss(tinyInputs(model as never, 2))));
});

test("an impossible number of classes is an error before anything is copied", async () => {
  const pretrained = build();
  const { numTensors } = tf.memory();
  for (const classes of [1, 0, 2.5, Number.NaN]) {
    await assert.rejects(
      classifier.fromPretrained(pretrained, { classes }),
      isLuvitError("bad-argument", "classes: expected a whole number from 2", `got ${classes}`),
    );
  }
  assert.equal(tf.memory().numTensors, numTensors);
  pretrained.dispose();
});

test("a model's memory is given back whole", async () => {
  const { numTensors } = tf.memory();
  const pretrained = build({ fusion: tinyBlock() });
  const model = await classifier.fromPretrained(pretrained, { classes: 3 });
  tf.tidy(() => void model.forward(tinyImages()));
  for (const each of [pretrained, model]) {
    for (const [, parameter] of each.namedParameters()) parameter.value;
  }
  pretrained.dispose();
  model.dispose();
  assert.equal(tf.memory().numTensors, numTensors);
});
