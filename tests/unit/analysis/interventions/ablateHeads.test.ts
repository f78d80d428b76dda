import assert from "node:assert/strict";
import { before, test } from "node:test";
import { ablateHeads, patchActivations } from "../../../../src/analysis";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { type ImageDataset, imageFolder, transforms } from "../../../../src/data";
import { headGrid } from "../../../../src/figures";
import type { Classifier } from "../../../../src/models/classifier";
import * as classifier from "../../../../src/models/classifier";
import { through } from "../../../../src/models/fusion";
import { perturb, tinyBlock } from "../../models/support";
import { isLuvitError } from "../../nn/support";
import { temporaryFolder, tinyClassifier, tinyViT, writeImages } from "../../train/support";
import { tinyLuvit } from "../support";

before(() => startBackend());

function luvit(): Classifier {
  const model = tinyLuvit();
  perturb(model);
  return model;
}

const set = async () =>
  imageFolder(await writeImages(temporaryFolder(), 3), { transform: transforms.evaluation(16) });
const engine = { engine: "eager" } as const;

/** Mean margin over a set, op by op. */
async function margin(model: Classifier, images: ImageDataset): Promise<number> {
  let sum = 0;
  for (let i = 0; i < images.length; i++) {
    const { image, label } = await images.load(i, undefined as never);
    const logits = tf.tidy(() =>
      model
        .forward(tf.tensor(image, [1, 3, 16, 16]))
        .dataSync()
        .slice(),
    );
    sum += (logits[label] - logits[1 - label]) / images.length;
  }
  return sum;
}

test("a head that is switched off costs what its columns of the projection at zero cost", async () => {
  const model = luvit();
  const images = await set();
  const found = await ablateHeads(model, images, engine);
  assert.equal(found.table.numRows, 6);
  const before = await margin(model, images);
  const { weight } = model.encoder.blocks[1].attn.proj;
  const mask = tf.tensor1d(Array.from({ length: 16 }, (_, column) => Number(column < 8)));
  weight.value.assign(tf.mul(weight.value, mask));
  const row = found.table.toArray().find(({ layer, head }) => layer === "blocks.1" && head === 1)!;
  assert.ok(Math.abs(row.marginDrop - (before - (await margin(model, images)))) < 1e-4);
  assert.ok(row.low <= row.marginDrop && row.marginDrop <= row.high);
});

test("the heads of an image go side by side, to the numbers of one at a time, registers and no class token too", async () => {
  const plans = [through(tinyBlock()), undefined];
  for (const [i, extras] of [{ registers: 3 }, { classToken: false }].entries()) {
    const model = classifier.create({ encoder: { ...tinyViT, ...extras }, fusion: plans[i], classes: 2 });
    perturb(model);
    const images = (await set()).subset([0]);
    const { image, label } = await images.load(0, undefined as never);
    const { table } = await ablateHeads(model, images, engine);
    const [layer, head] = i === 0 ? ["llama.layers.0", 1] : ["blocks.0", 1];
    const edit = (name: string, value: Tensor) =>
      name.startsWith(`${layer}.`) && name.endsWith(".heads")
        ? tf.mul(value, tf.tensor([1, 0], [1, 2, 1, 1]))
        : value;
    const margins = [{}, { edit }].map((context) => {
      const logits = model.forward(tf.tensor(image, [1, 3, 16, 16]), context).dataSync();
      return logits[label] - logits[1 - label];
    });
    const row = table.toArray().find((one) => one.layer === layer && one.head === head)!;
    assert.ok(Math.abs(row.marginDrop - (margins[0] - margins[1])) < 1e-5);
  }
});

test("a head that always says the same costs nothing when its mean stands for it", async () => {
  const model = luvit();
  const { qkv } = model.encoder.blocks[0].attn;
  const rows = tf.tensor2d(Array.from({ length: 48 }, (_, row) => [Number(row < 40)]));
  qkv.weight.value.assign(tf.mul(qkv.weight.value, rows));
  const of = async (replaceBy: "zero" | "mean") => {
    const { table } = await ablateHeads(model, await set(), { replaceBy, layers: ["blocks.0"], ...engine });
    return table.toArray().map(({ marginDrop }) => marginDrop);
  };
  const [, mean] = await of("mean");
  const [, zero] = await of("zero");
  assert.ok(Math.abs(mean) < 1e-5, `${mean}`);
  assert.ok(Math.abs(zero) > 1e-4, `${zero}`);
});

test("what was stopped goes on to the same numbers; another model is told from it", async () => {
  const model = luvit();
  const images = await set();
  const out = temporaryFolder();
  const options = { out, ...engine };
  const stop = new AbortController();
  stop.abort();
  const nothing = ablateHeads(model, images, { ...options, signal: stop.signal });
  assert.equal((await nothing).missing.length, 1);
  assert.match(String(await nothing), /not got to: images 0 to 5/);
  const half = await ablateHeads(model, images.subset([0, 1]), engine);
  assert.equal(half.table.get(0)!.images, 2);
  const whole = await ablateHeads(model, images, options);
  assert.deepEqual(whole.missing, []);
  assert.doesNotMatch(String(whole), /not got to/);
  const again = await ablateHeads(model, images, options);
  assert.deepEqual(again.table.toString(), whole.table.toString());
  const other = tinyLuvit();
  await assert.rejects(ablateHeads(other, images, options), isLuvitError("bad-argument", "weights"));
  await assert.rejects(
    ablateHeads(model, images, { ...options, replaceBy: "mean" }),
    isLuvitError("bad-argument", "replaceBy"),
  );
});

test("its table is a figure: a map of the ViT's heads and one of the block's", async () => {
  const { table } = await ablateHeads(luvit(), (await set()).subset([0]), engine);
  const { data } = headGrid(table);
  assert.deepEqual(
    data.map(({ name }) => name),
    ["blocks", "llama.layers"],
  );
  assert.throws(
    () => headGrid(table, { value: "entropy" }),
    isLuvitError("bad-argument", "entropy", "marginDrop"),
  );
});

test("all tokens bring the donor's whole answer, at every place; at the last only the pooled ones do", async () => {
  const images = await set();
  const [receivers, donors] = [images.subset([0, 1, 2]), images.subset([3, 4, 5])];
  const model = luvit();
  const all = (
    await patchActivations(model, receivers, donors, { tokens: "all", ...engine })
  ).pairs.toArray();
  assert.equal(all.length, 3 * 7);
  for (const { recovered, flipped } of all) {
    assert.ok(Math.abs(recovered - 1) < 1e-3, `${recovered}`);
    assert.equal(flipped, 1);
  }
  const mean = tinyClassifier();
  perturb(mean);
  const options = { tokens: "class", sites: ["blocks.1.out"], ...engine } as const;
  const [last] = (await patchActivations(mean, receivers, donors, options)).table.toArray();
  assert.equal(last.recovered, 0);
});

test("every token on its own has a row; pairs that do not pair are refused", async () => {
  const images = await set();
  const options = { tokens: "each", sites: ["embed"], ...engine } as const;
  const found = await patchActivations(luvit(), images.subset([0]), images.subset([4]), options);
  assert.deepEqual(
    found.table.toArray().map(({ token }) => token),
    [0, 1, 2, 3, 4],
  );
  await assert.rejects(
    patchActivations(luvit(), images, images.subset([0])),
    isLuvitError("bad-argument", `${images.length}`, "1 of 16"),
  );
});

for (const pooling of ["cls", "mean"] as const) {
  for (const replaceBy of ["zero", "mean"] as const) {
    test(`every head off by ${replaceBy} costs what it costs in a pass of all tokens: ${pooling}`, async () => {
      const fusion = through(tinyBlock(), { residual: true });
      const model = classifier.create({ encoder: tinyViT, fusion, classes: 2, pooling });
      perturb(model);
      const images = (await set()).subset([0, 1, 2]);
      const { table } = await ablateHeads(model, images, { replaceBy, ...engine });
      const fed = await Promise.all([0, 1, 2].map((i) => images.load(i, undefined as never)));
      const tensors = fed.map(({ image }) => tf.tensor(image, [1, 3, 16, 16]));
      const means = new Map<string, Tensor>();
      const tap = (name: string, value: Tensor) => {
        if (!name.endsWith(".heads")) return;
        const share = tf.div(value, 3);
        means.set(name, means.has(name) ? tf.add(means.get(name)!, share) : share);
      };
      for (const image of tensors) model.forward(image, { tap });
      for (const { layer, head, marginDrop } of table.toArray()) {
        const edit = (name: string, value: Tensor) => {
          if (!name.startsWith(`${layer}.`) || !name.endsWith(".heads")) return value;
          const open = tf.tensor([Number(head !== 0), Number(head !== 1)], [1, 2, 1, 1]);
          const kept = tf.mul(value, open);
          return replaceBy === "zero" ? kept : tf.add(kept, tf.mul(means.get(name)!, tf.sub(1, open)));
        };
        const margins = [{}, { edit }].map((context) =>
          tensors.reduce((sum, image, i) => {
            const logits = model.forward(image, context).dataSync();
            return sum + (logits[fed[i].label] - logits[1 - fed[i].label]) / 3;
          }, 0),
        );
        assert.ok(Math.abs(marginDrop - (margins[0] - margins[1])) < 1e-5, `${layer} ${head}: ${marginDrop}`);
      }
    });
  }
}
