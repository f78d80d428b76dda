import assert from "node:assert/strict";
import { before, test } from "node:test";
import { attentionMaps, lens, relevance } from "../../../src/analysis";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import * as classifier from "../../../src/models/classifier";
import { through } from "../../../src/models/fusion";
import * as detector from "../../../src/models/namespaces/detector";
import { withOfficialNames } from "../../../src/models/officialNames";
import { loadClassifierFolder } from "../../../src/models/openClassifier";
import type { ViTConfig } from "../../../src/models/vit";
import { finetuneRules } from "../../../src/optim/groups";
import { isLuvitError } from "../nn/support";
import { temporaryFolder } from "../train/support";
import { perturb, tinyBlock, tinyImages, tinyViT } from "./support";

before(() => startBackend());

const encoder: ViTConfig = { ...tinyViT, registers: 3, layerScale: 0.5, mlp: "swiglu" };

function model(fusion?: ReturnType<typeof through>) {
  const made = classifier.create({ encoder, fusion, classes: 3 });
  perturb(made);
  return made;
}

const image = { data: new Uint8Array(3 * 144).map((_, i) => (7 * i) % 256), width: 12, height: 12 };

test("registers go through every block and the path, and are not given back", () => {
  const of = model(through(tinyBlock()));
  const shapes = new Map<string, readonly number[]>();
  const tokens = of.tokens(tinyImages(2), { tap: (name, value) => void shapes.set(name, value.shape) });
  assert.deepEqual(tokens.shape, [2, 10, 16]);
  for (const name of ["embed", "blocks.0.out", "fusion.out"]) assert.deepEqual(shapes.get(name), [2, 13, 16]);
  const plain = of.forward(tinyImages(2)).dataSync();
  const { value } = of.encoder.register_tokens!;
  value.assign(tf.mul(value, 2));
  assert.notDeepEqual(of.forward(tinyImages(2)).dataSync(), plain, "they take part");
});

test("a layer scale of zero leaves nothing of a branch", () => {
  const of = model();
  const [block] = of.encoder.blocks;
  for (const scale of [block.ls1!, block.ls2!]) scale.gamma.value.assign(tf.zerosLike(scale.gamma.value));
  const seen = new Map<string, Tensor>();
  of.tokens(tinyImages(1), { tap: (name, value) => void seen.set(name, value) });
  assert.deepEqual(seen.get("blocks.0.out")!.dataSync(), seen.get("embed")!.dataSync());
});

test("what was saved is opened with the same logits, bit for bit", async () => {
  const of = model();
  const folder = temporaryFolder();
  await of.save(folder);
  const again = await loadClassifierFolder(folder);
  assert.deepEqual(again.encoder.config, of.encoder.config);
  assert.deepEqual(again.forward(tinyImages(1)).dataSync(), of.forward(tinyImages(1)).dataSync());
});

test("analyses that know registers give what belongs to patches, others refuse the model by name", async () => {
  const of = model(through(tinyBlock()));
  const engine = { engine: "eager" } as const;
  for (const method of ["chefer", "legrad", "gradcam", "rollout", "gradient-rollout"] as const) {
    const [map] = await relevance(of, image, { method, ...engine });
    assert.equal(map.patches.length, 9, method);
  }
  const [maps] = await lens(of, image, engine);
  assert.equal(maps.labels("blocks.1.out").length, 9);
  await assert.rejects(
    attentionMaps(of, image, engine),
    isLuvitError("bad-argument", "3 registers", "relevance"),
  );
});

test("they are finetuned like the class token, and no detector takes them", () => {
  const rules = finetuneRules(model(), { weightDecay: 0.05, layerDecay: 0.5, depth: 2 });
  assert.deepEqual(rules.get("register_tokens"), rules.get("cls_token"));
  assert.throws(
    () => detector.create({ encoder, classes: 2 }),
    isLuvitError("bad-argument", "no registers", "no layerScale", "no mlp"),
  );
});

test("names of transformers and of timm become the official ones, q, k and v one tensor", () => {
  const row = (value: number) => ({ shape: [1, 2], data: Float32Array.of(value, value) });
  const part = (name: string) => `encoder.layer.4.attention.attention.${name}.weight`;
  const { tensors: found, fileNames } = withOfficialNames(
    new Map([
      [part("key"), row(2)],
      [part("query"), row(1)],
      [part("value"), row(3)],
      ["encoder.layer.4.layer_scale2.lambda1", row(4)],
      ["embeddings.mask_token", row(5)],
      ["reg_token", row(6)],
      ["blocks.0.norm1.weight", row(7)],
    ]),
  );
  assert.deepEqual(
    [...found.keys()],
    ["blocks.4.attn.qkv.weight", "blocks.4.ls2.gamma", "register_tokens", "blocks.0.norm1.weight"],
  );
  assert.deepEqual([...found.get("blocks.4.attn.qkv.weight")!.data], [1, 1, 2, 2, 3, 3]);
  assert.equal(fileNames.get("register_tokens"), "reg_token");
});
