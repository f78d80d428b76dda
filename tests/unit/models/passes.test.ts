import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { openCheckpoint } from "../../../src/io/checkpoint";
import { writeSafetensors } from "../../../src/io/safetensors";
import { baselines, classifier, fusion, mae, segmenter } from "../../../src/models";
import { maskFromNoise } from "../../../src/models/masking";
import { addPixels, emptyPixelCounts, iousOf, sumOfCounts } from "../../../src/models/pixelCounts";
import { rotate } from "../../../src/models/rotary";
import { segmentTargets } from "../../../src/models/segmentTargets";
import { dropBranch } from "../../../src/models/vit";
import { RMSNorm } from "../../../src/nn";
import { temporaryFolder } from "../../support/temporaryFolder";
import { assertClose, isLuvitError, randomTensor, valuesOf } from "../nn/support";
import { perturb, tinyBlock, tinyDecoder, tinyImages, tinyLlama, tinyViT } from "./support";

before(() => startBackend());

test("a checkpoint is written in the type asked for, without what is left out by its beginning", async () => {
  const model = mae.create({ encoder: tinyViT, decoder: tinyDecoder });
  const folder = temporaryFolder("checkpoint");
  for (const [name, dtype] of [
    ["a.safetensors", "F16"],
    ["b.safetensors", "BF16"],
    ["c.safetensors", undefined],
  ] as const) {
    const path = join(folder, name);
    const keys = await mae.saveCheckpoint(model, path, { dtype, leaveOut: ["decoder_", "mask", "token"] });
    assert.ok(keys.includes("cls_token") && !keys.some((key) => /^(decoder_|mask)/.test(key)));
    const file = await openCheckpoint(path);
    const [info] = await file.infos(["cls_token"]).then((infos) => [...infos.values()]);
    await file.close();
    assert.equal((info as unknown as { dtype: string }).dtype, dtype ?? "F32");
    const bytes = readFileSync(path);
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE(0))));
    assert.deepEqual(header.__metadata__, { format: "pt" }, "as transformers wants it");
  }
});

test("a norm that a block has already is the path's own, and one that is made has the block's epsilon", () => {
  const block = tinyBlock();
  const norm = new RMSNorm(24, 0.5);
  const withNorm = block.withNorm(norm);
  const path = new fusion.FusionPath(16, fusion.through(withNorm));
  assert.equal(path.llama!.norm, norm);
  assert.equal(
    new fusion.FusionPath(16, fusion.through(withNorm, { rmsNorm: false })).llama!.norm,
    undefined,
  );
  const made = new fusion.FusionPath(
    16,
    fusion.through(baselines.randomBlock({ ...tinyLlama, normEps: 0.25 })),
  );
  assert.equal(made.llama!.norm!.eps, 0.25);
  assert.equal(made.llama!.layers, made.plan.block!.layers);
});

test("a factor of drop path is its sample's and its row's; without any a branch is itself", () => {
  const x = randomTensor([2, 3, 2], 1);
  assert.equal(dropBranch(x, {}, 0), x);
  const dropPath = tf.tensor2d([1, 1, 0, 2], [2, 2]);
  const [a, b] = tf.unstack(dropBranch(x, { dropPath }, 1)).map((part) => [...part.dataSync()]);
  const [, second] = tf.unstack(x);
  assert.deepEqual(a.map(Math.abs), [0, 0, 0, 0, 0, 0]);
  assertClose(b, [...tf.mul(second, 2).dataSync()], 1e-6);
});

test("a rotation turns the pairs of its order by position times frequency, at positions that are given too", () => {
  const x = randomTensor([1, 1, 3, 4], 2);
  const rows = (x.arraySync() as number[][][][])[0][0];
  const frequencies = [1, 100 ** -0.5];
  const turned = (
    row: readonly number[],
    position: number,
    pairs: readonly (readonly [number, number])[],
  ) => {
    const out = [...row];
    for (const [k, [i, j]] of pairs.entries()) {
      const angle = position * frequencies[k];
      out[i] = row[i] * Math.cos(angle) - row[j] * Math.sin(angle);
      out[j] = row[j] * Math.cos(angle) + row[i] * Math.sin(angle);
    }
    return out;
  };
  const orders = {
    hf: [
      [0, 2],
      [1, 3],
    ],
    meta: [
      [0, 1],
      [2, 3],
    ],
  } as const;
  for (const rowOrder of ["hf", "meta"] as const) {
    const config = { ropeTheta: 100, rowOrder };
    assertClose(
      rotate(x, config).dataSync(),
      rows.flatMap((row, t) => turned(row, t, orders[rowOrder])),
      1e-5,
    );
    const at = tf.tensor1d([5, 0, 2], "int32");
    const found = rotate(x, config, { at, most: 6 }).dataSync();
    assertClose(
      found,
      rows.flatMap((row, t) => turned(row, [5, 0, 2][t], orders[rowOrder])),
      1e-5,
    );
  }
  const scaled = rotate(x, {
    ropeTheta: 100,
    rowOrder: "hf",
    ropeScaling: { type: "linear", factor: 2 },
  }).dataSync();
  assertClose(
    scaled,
    rows.flatMap((row, t) => turned(row, t / 2, orders.hf)),
    1e-5,
  );
  const plain = rotate(x, { ropeTheta: 100, rowOrder: "hf" }).dataSync();
  assertClose(
    plain,
    rows.flatMap((row, t) => turned(row, t, orders.hf)),
    1e-5,
    "right behind as many tokens at another scale",
  );
});

test("one patch may be all that is kept, and all may be", () => {
  assert.deepEqual([...maskFromNoise([0.5, 0.1], 1, 0.5).keepRows], [1]);
  const all = maskFromNoise([0.5, 0.1], 1, 0);
  assert.deepEqual(
    [[...all.keepRows], [...all.mask], [...all.restoreRows]],
    [
      [1, 0],
      [0, 0],
      [1, 0],
    ],
  );
  assert.throws(
    () => maskFromNoise([0.5, 0.1], 1, 0.6),
    isLuvitError("bad-argument", "a ratio of 0.6 keeps 0 of 2 patches"),
  );
  const masked = maskFromNoise([0.3, 0.2, 0.1, 0.4], 2, 0.5);
  assert.deepEqual([masked.batch, masked.patches, masked.kept], [2, 2, 1]);
  assert.deepEqual([...masked.restoreRows], [2, 0, 1, 2]);
});

test("special characters of a pattern stand for themselves, and a pattern is for the whole of a name", async () => {
  const model = classifier.create({ encoder: tinyViT, classes: 2 });
  const kept = (keep: string[]) => model.trace(tinyImages(1), { keep, engine: "eager" });
  assert.deepEqual((await kept(["pooled", "blocks.0.attn.*"])).names, [
    ...[
      "blocks.0.attn.scores",
      "blocks.0.attn.pattern",
      "blocks.0.attn.heads",
      "blocks.0.attn.out",
      "pooled",
    ],
  ]);
  for (const keep of [
    ["blocks.0"],
    ["out"],
    ["blocks?0?out"],
    ["blocks.[01].out"],
    ["(logits)"],
    ["logits|pooled"],
    ["logit."],
  ])
    await assert.rejects(kept(keep), isLuvitError("bad-argument", `nothing is named ${keep}`));
  await assert.rejects(kept(["logit"]), isLuvitError("bad-argument", "this model has embed, blocks.*.norm1"));
  await assert.rejects(model.trace(tinyImages(1), { keep: [] }), isLuvitError("bad-argument", "keep"));
  await assert.rejects(
    model.trace(tinyImages(1), { keep: ["logits"], engine: "none" as never }),
    isLuvitError("bad-argument", "engine"),
  );
  const places = await kept(["embed"]);
  assert.throws(() => places.get("zzz"), isLuvitError("bad-argument", "no value zzz was kept; kept: embed"));
});

test("what an encoder is and has decides its states: head, middle or tail, norm before or behind, registers apart", () => {
  for (const after of [0, 1, 2]) {
    const encoder = { ...tinyViT, registers: 2 };
    const model = classifier.create({
      encoder,
      fusion: fusion.mlp(6, { after, residual: true }),
      classes: 2,
      pooling: "cls",
    });
    perturb(model);
    const seen = new Map<string, Tensor>();
    const images = tinyImages(1);
    const states = model.encoder.statesOf(images, { tap: (name, x) => void seen.set(name, x) });
    assert.deepEqual(
      states.map(({ shape }) => shape),
      new Array(3).fill([1, 10, 16]),
    );
    const names = ["embed", "blocks.0.out", "blocks.1.out"].map((name, i) =>
      i === after ? "fusion.out" : name,
    );
    for (const [i, name] of names.entries())
      assert.deepEqual(
        [...states[i].dataSync()],
        [...tf.slice(seen.get(name)!, [0, 0, 0], [1, 10, 16]).dataSync()],
        name,
      );
    const tokens = model.tokens(images);
    assertClose(tokens.dataSync(), [...model.encoder.norm!.forward(states[2]).dataSync()], 1e-6);
  }
});

test("a segmenter's loss is the cross entropy of logits at twice the patches, of the pixels that count", () => {
  const model = segmenter.create({ encoder: tinyViT, classes: 3 });
  perturb(model);
  const images = tinyImages(1);
  const ids = Int32Array.from({ length: 36 }, (_, i) => (i % 4 === 3 ? 1000 : i % 3));
  const targets = segmentTargets({ ids, height: 6, width: 6 }, { rows: 6, columns: 6, classes: 3 });
  const loss = model.loss({
    images,
    ids: tf.tensor1d(targets.ids, "int32"),
    weights: tf.tensor1d(targets.weights),
  });
  const planes = model.patchLogits(images).arraySync() as number[][][][];
  const value = (y: number, x: number, c: number) => {
    const [py, px] = [Math.max(0, (y + 0.5) / 2 - 0.5), Math.max(0, (x + 0.5) / 2 - 0.5)];
    const [y0, x0] = [Math.floor(py), Math.floor(px)];
    const at = (row: number, column: number) => planes[0][Math.min(2, row)][Math.min(2, column)][c];
    const mix = (a: number, b: number, share: number) => a + (b - a) * share;
    return mix(
      mix(at(y0, x0), at(y0, x0 + 1), px - x0),
      mix(at(y0 + 1, x0), at(y0 + 1, x0 + 1), px - x0),
      py - y0,
    );
  };
  let [sum, counted] = [0, 0];
  for (const [i, id] of ids.entries()) {
    if (id === 1000) continue;
    const logits = [0, 1, 2].map((c) => value(Math.floor(i / 6), i % 6, c));
    sum += Math.log(logits.reduce((total, x) => total + Math.exp(x), 0)) - logits[id];
    counted++;
  }
  assertClose(loss.dataSync(), [sum / counted], 1e-4);
  assert.deepEqual(model.positions, "dino");
  assert.deepEqual(
    valuesOf(() => model.forward(images)),
    valuesOf(() => tf.transpose(model.patchLogits(images), [0, 3, 1, 2])),
  );
});

test("a segmenter keeps the norm in front of a path that asks for it, and is told where it is to look", async () => {
  for (const normFirst of [true, false]) {
    const source = mae.create({
      encoder: tinyViT,
      decoder: tinyDecoder,
      fusion: fusion.mlp(6, { normFirst }),
    });
    const model = await segmenter.fromPretrained(source, { classes: 3, classNames: ["a", "b"], seed: 2 });
    assert.equal(model.encoder.norm !== undefined, normFirst);
    assert.deepEqual([model.classNames, model.classes], [["a", "b"], 3]);
  }
  const model = segmenter.create({ encoder: tinyViT, classes: 3, frozen: true, fusion: tinyBlock() });
  assert.ok(model.encoder.fusion?.llama);
  assert.deepEqual(
    [...model.namedParameters()].filter(([, p]) => p.trainable).map(([path]) => path),
    ["head.weight", "head.bias"],
  );
  perturb(model);
  const images = randomTensor([1, 3, 16, 20], 3);
  const by = (positions?: "mae" | "dino" | "sincos") =>
    valuesOf(() => model.patchLogits(images, positions && { positions }));
  assert.deepEqual(by(), by("dino"));
  assert.notDeepEqual(by("mae"), by("dino"));
  assert.deepEqual(model.patchLogits(images).shape, [1, 4, 5, 3]);
});

test("counts of several are added class by class, and leave those that were added as they are", () => {
  const [a, b] = [emptyPixelCounts(2), emptyPixelCounts(2)];
  addPixels(a, Int32Array.of(0, 1), Int32Array.of(0, 0), "a");
  addPixels(b, Int32Array.of(1, 1), Int32Array.of(1, 0), "b");
  const all = sumOfCounts([a, b]);
  assert.deepEqual(
    [[...all.both], [...all.target], [...all.prediction]],
    [
      [1, 1],
      [3, 1],
      [1, 3],
    ],
  );
  assert.deepEqual(
    [[...a.both], [...a.target], [...a.prediction]],
    [
      [1, 0],
      [2, 0],
      [1, 1],
    ],
  );
  assertClose(iousOf(all), [100 / 3, 100 / 3], 1e-6);
});

test("an image of a batch that has no name is called by its number", () => {
  assert.throws(
    () => segmentTargets({ ids: [0, 9], height: 1, width: 1 }, { rows: 1, columns: 1, classes: 2 }),
    isLuvitError(
      "bad-dataset",
      "image 1 of the batch: its mask has id 9",
      "0 (other) to 1 apart",
      "1000 is ignored",
    ),
  );
});

test("a file of a text tower too is told how much of it is no part of the ViT", async () => {
  const source = classifier.create({ encoder: tinyViT, classes: 2, pooling: "cls" });
  const path = join(temporaryFolder("passes"), "model.safetensors");
  await writeSafetensors(
    path,
    new Map([
      ...(await source.stateDict()),
      ["embeddings.mask_token", { shape: [1], data: new Float32Array(1) }],
    ]),
  );
  const report = await classifier.loadCheckpoint(source, path);
  assert.deepEqual(
    report.notes.filter((note) => note.includes("no part")),
    ["1 tensors are no part of the ViT"],
  );
});
