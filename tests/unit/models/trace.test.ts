import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import * as classifier from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import * as lora from "../../../src/models/lora";
import * as mae from "../../../src/models/mae";
import { assertClose, isLuvitError } from "../nn/support";
import { perturb, tinyBlock, tinyDecoder, tinyImages, tinyViT } from "./support";

before(() => startBackend());

function luvit() {
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  const model = classifier.create({ encoder: tinyViT, fusion: through(block), classes: 3 });
  perturb(model);
  return model;
}

test("every place of a model has axes as many as it has, and a unit", () => {
  const models = [luvit(), mae.create({ encoder: tinyViT, decoder: tinyDecoder })];
  for (const model of models) {
    const places = model.places();
    assert.ok(places.length > 15);
    for (const { name, shape, axes, unit } of places) {
      assert.equal(axes.length, shape.length, name);
      assert.notEqual(unit, "", name);
    }
  }
});

for (const engine of ["eager", "onnxruntime"] as const) {
  test(`on ${engine}, what is kept is what a tap sees`, async () => {
    const model = luvit();
    const images = tinyImages();
    const seen = new Map<string, Tensor>();
    model.forward(images, { tap: (name, value) => void seen.set(name, value) });
    const kept = await model.trace(images, { keep: ["**"], engine });
    assert.deepEqual(kept.names.sort(), [...seen.keys()].sort());
    for (const { name, shape, data } of kept) {
      assert.deepEqual(shape, seen.get(name)!.shape, name);
      assertClose(data, seen.get(name)!.dataSync(), 1e-4, name);
    }
  });
}

test("a star stands for one part of a name, two for any number", async () => {
  const names = async (...keep: string[]) =>
    (await luvit().trace(tinyImages(1), { keep, engine: "eager" })).names.sort();
  assert.deepEqual(await names("blocks.*.attn.pattern"), ["blocks.0.attn.pattern", "blocks.1.attn.pattern"]);
  assert.deepEqual(await names("blocks.*.out"), ["blocks.0.out", "blocks.1.out"]);
  assert.equal((await names("blocks.**.out")).length, 6);
  assert.equal((await names("fusion.*")).length, 5);
});

test("the kept can be indexed, looked through and made tensors of", async () => {
  const kept = await luvit().trace(tinyImages(2), { keep: ["logits", "blocks.*.out"], engine: "eager" });
  assert.deepEqual(kept.get("logits").shape, [2, 3]);
  assert.deepEqual(kept.get("logits").axes, ["images", "classes"]);
  assert.equal(kept.matching("blocks.*.out").length, 2);
  assert.deepEqual(
    tf.tidy(() => kept.tensor("logits").shape),
    [2, 3],
  );
  assert.match(String(kept), /blocks\.1\.out\s+\[2, 10, 16\]/);
  assert.throws(() => kept.get("logit"), isLuvitError("bad-argument", "did you mean logits?"));
});

test("names that no place has are refused together, with those there are", async () => {
  const keep = ["blocks.9.out", "logits", "heads.*"];
  await assert.rejects(
    luvit().trace(tinyImages(1), { keep }),
    isLuvitError("bad-argument", "blocks.9.out, heads.*", "blocks.*.attn.pattern"),
  );
});

test("numbers of a data set are taken as images of the model's size", async () => {
  const model = luvit();
  const images = tinyImages(2);
  const [one, other] = await Promise.all(
    [images, images.dataSync<"float32">().slice()].map((given) =>
      model.trace(given, { keep: ["logits"], engine: "eager" }),
    ),
  );
  assert.deepEqual(one.get("logits").data, other.get("logits").data);
});
