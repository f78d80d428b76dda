import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import * as classifier from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import * as lora from "../../../src/models/lora";
import { type Edit, site } from "../../../src/nn/context";
import { perturb, tinyBlock, tinyImages, tinyViT } from "../models/support";
import { isLuvitError, randomTensor } from "./support";

before(() => startBackend());

function luvit() {
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  const model = classifier.create({ encoder: tinyViT, fusion: through(block), classes: 3 });
  perturb(model);
  return model;
}

test("an edit's value goes on, and the tap sees it", () => {
  const seen: Tensor[] = [];
  const x = randomTensor([2, 3], 1);
  const context = {
    edit: (_: string, value: Tensor) => tf.mul(value, 2),
    tap: (_: string, t: Tensor) => void seen.push(t),
  };
  const going = site(context, "x", x);
  assert.deepEqual(Array.from(going.dataSync()), Array.from(tf.mul(x, 2).dataSync()));
  assert.deepEqual(seen, [going]);
});

test("without an edit, and with one that changes nothing, a pass gives the same bits", () => {
  const model = luvit();
  const images = tinyImages();
  const plain = model.forward(images).dataSync();
  assert.deepEqual(model.forward(images, { edit: (_, value) => value }).dataSync(), plain);
});

test("every named value takes part in the answer: changed a little, the logits change", () => {
  const model = luvit();
  const images = tinyImages();
  const plain = model.forward(images).dataSync();
  const names: string[] = [];
  model.forward(images, { tap: (name) => void names.push(name) });
  assert.equal(new Set(names).size, names.length, "no name twice");
  for (const name of names) {
    const bent: Edit = (other, value) => (other === name ? tf.mul(value, 1.5) : value);
    const changed = model.forward(images, { edit: bent }).dataSync();
    assert.notDeepEqual(changed, plain, name);
  }
});

test("an edit that gives back another shape, another type or nothing is told where", () => {
  const x = randomTensor([2, 3], 1);
  const giving = (made: unknown) => () => site({ edit: () => made as Tensor }, "blocks.3.out", x);
  assert.throws(giving(tf.zeros([3, 2])), isLuvitError("shape-mismatch", "blocks.3.out", "[2, 3]", "[3, 2]"));
  assert.throws(giving(tf.zeros([2, 3], "int32")), isLuvitError("shape-mismatch", "int32"));
  assert.throws(giving(undefined), isLuvitError("bad-argument", "blocks.3.out"));
});
