import assert from "node:assert/strict";
import { before, test } from "node:test";
import { chain, gateHeads, patchTokens, skip } from "../../../../src/analysis/interventions/edits";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import type { Mlp } from "../../../../src/models/branches";
import * as classifier from "../../../../src/models/classifier";
import { type FusionPlan, through } from "../../../../src/models/fusion";
import * as lora from "../../../../src/models/lora";
import type { Edit } from "../../../../src/nn/context";
import type { Linear } from "../../../../src/nn/layers";
import { perturb, tinyBlock, tinyImages, tinyViT } from "../../models/support";
import { assertClose, isLuvitError } from "../../nn/support";

before(() => startBackend());

const tokens = (tinyViT.imageSize / tinyViT.patchSize) ** 2 + 1;

function model(pooling: "cls" | "mean" = "mean", fusion?: FusionPlan) {
  const made = classifier.create({ encoder: tinyViT, fusion, classes: 3, pooling });
  perturb(made);
  return made;
}

function withBlock() {
  const block = tinyBlock();
  lora.attach(block, { rank: 2 });
  return model("mean", through(block));
}

const logits = (of: classifier.Classifier, images: Tensor, edit: Edit) =>
  Array.from(of.forward(images, { edit }).dataSync());

const receiver = () => tinyImages(1, 3);
const donor = () => tinyImages(1, 4);

/** The receiver's logits with the tokens that `taken` picks from the donor at one site. */
function patched(of: classifier.Classifier, site: string, taken: (token: number) => boolean): number[] {
  const donors = new Map<string, Tensor>();
  of.forward(donor(), { tap: (name, value) => void donors.set(name, value) });
  const take = tf.tensor([Array.from({ length: tokens }, (_, t) => Number(taken(t)))]);
  return logits(of, receiver(), patchTokens([site], donors, take));
}

test("an open gate changes no bit, for zeros and for a fill", () => {
  const of = withBlock();
  const layers = ["blocks.0", "blocks.1", "llama.layers.0"];
  const plain = Array.from(of.forward(receiver()).dataSync());
  const fill = new Map(layers.map((layer) => [layer, tf.scalar(7)]));
  assert.deepEqual(logits(of, receiver(), gateHeads(layers, tf.ones([3, 2]))), plain);
  assert.deepEqual(logits(of, receiver(), gateHeads(layers, tf.ones([3, 2]), fill)), plain);
});

test("a closed head is the same as its columns of the output projection at zero", () => {
  const of = model();
  const gate = tf.tensor([
    [1, 0],
    [1, 1],
  ]);
  const gated = logits(of, receiver(), gateHeads(["blocks.0", "blocks.1"], gate));
  const { weight } = of.encoder.blocks[0].attn.proj;
  const half = tinyViT.dim / 2;
  const mask = tf.tensor1d(Array.from({ length: tinyViT.dim }, (_, column) => Number(column < half)));
  weight.value.assign(tf.mul(weight.value, mask));
  const cut = Array.from(of.forward(receiver()).dataSync());
  for (const [i, value] of cut.entries()) assert.ok(Math.abs(value - gated[i]) < 1e-5);
});

test("all tokens of any place from the donor give the donor's logits, none the receiver's", () => {
  const of = withBlock();
  const plain = (images: Tensor) => Array.from(of.forward(images).dataSync());
  const sites = [
    "embed",
    "blocks.0.out",
    "blocks.1.out",
    "fusion.mapper1",
    "llama.layers.0.out",
    "fusion.mapper2",
  ];
  for (const site of sites) {
    assert.deepEqual(
      patched(of, site, () => true),
      plain(donor()),
      site,
    );
    assert.deepEqual(
      patched(of, site, () => false),
      plain(receiver()),
      site,
    );
  }
});

test("at the last place only what is pooled matters: the class token of one model, the patches of another", () => {
  for (const pooling of ["cls", "mean"] as const) {
    const of = model(pooling);
    const plain = Array.from(of.forward(receiver()).dataSync());
    for (let token = 0; token < tokens; token++) {
      const changed = patched(of, `blocks.${tinyViT.depth - 1}.out`, (t) => t === token);
      const matters = (pooling === "cls") === (token === 0);
      assert.equal(String(changed) !== String(plain), matters, `${pooling}, token ${token}`);
    }
  }
});

test("a donor without the place, or of another batch, is refused by name", () => {
  const of = model();
  const take = tf.zeros([1, tokens]);
  const edit = (donors: Map<string, Tensor>) => () =>
    logits(of, receiver(), patchTokens(["blocks.0.out"], donors, take));
  assert.throws(edit(new Map()), isLuvitError("bad-argument", "blocks.0.out", "none"));
  const two = new Map([["blocks.0.out", tf.zeros([2, tokens, tinyViT.dim])]]);
  assert.throws(edit(two), isLuvitError("bad-argument", "blocks.0.out", "[2, "));
});

test("skipping the path is the model without it; skipping LoRA is LoRA scaled by zero", () => {
  const of = withBlock();
  const tokensBefore: Tensor[] = [];
  of.forward(receiver(), {
    tap: (name, value) => {
      if (name === "fusion.in") tokensBefore.push(value);
    },
  });
  const patches = tf.slice(tokensBefore[0], [0, 1, 0], [1, tokens - 1, tinyViT.dim]);
  const direct = of.head.forward(of.fc_norm!.forward(tf.mean(patches, 1)));
  assert.deepEqual(logits(of, receiver(), skip("fusion")), Array.from(direct.dataSync()));
  const without = logits(of, receiver(), skip("lora"));
  for (const [, { lora_B }] of lora.adapters(of))
    lora_B.weight.value.assign(tf.zeros(lora_B.weight.shape as number[]));
  assert.deepEqual(without, Array.from(of.forward(receiver()).dataSync()));
});

test("a branch that is left out is one whose output projection is zero, in the ViT and in the language block", () => {
  const of = model("mean", through(tinyBlock()));
  const { blocks, fusion } = of.encoder;
  const block = fusion!.llama!.layers[0];
  const outputs = {
    "blocks.0": { attention: blocks[0].attn.proj, feedForward: (blocks[0].mlp as Mlp).fc2 },
    "blocks.1": { attention: blocks[1].attn.proj, feedForward: (blocks[1].mlp as Mlp).fc2 },
    "llama.layers.0": { attention: block.attention.wo, feedForward: block.feed_forward.w2 },
  };
  /** Logits with the output of some branches at zero. */
  const zeroed = (parts: readonly Linear[]) => {
    const parameters = parts.flatMap(({ weight, bias }) => (bias ? [weight, bias] : [weight]));
    const own = parameters.map(({ value }) => tf.clone(value));
    for (const { value } of parameters) value.assign(tf.zerosLike(value));
    const found = Array.from(of.forward(receiver()).dataSync());
    for (const [i, { value }] of parameters.entries()) value.assign(own[i] as never);
    return found;
  };
  const all = new Set<string>();
  for (const [layer, { attention, feedForward }] of Object.entries(outputs)) {
    for (const [one, parts] of [
      [{ attention: layer }, [attention]],
      [{ feedForward: layer }, [feedForward]],
      [{ layer }, [attention, feedForward]],
    ] as const) {
      const found = logits(of, receiver(), skip(one));
      assertClose(found, zeroed(parts), 1e-5, JSON.stringify(one));
      all.add(String(found));
    }
  }
  assert.equal(all.size, 9, "each of them matters");
  const two = skip({ attention: "blocks.0" }, { feedForward: "blocks.1" });
  const parts = [outputs["blocks.0"].attention, outputs["blocks.1"].feedForward];
  assertClose(logits(of, receiver(), two), zeroed(parts), 1e-5, "two of them");
});

test("edits in a row see each other's values", () => {
  const double: Edit = (name, value) => (name === "embed" ? tf.mul(value, 2) : value);
  const x = tf.tensor([1, 2]);
  assert.deepEqual(Array.from(chain(double, double)("embed", x).dataSync()), [4, 8]);
});
