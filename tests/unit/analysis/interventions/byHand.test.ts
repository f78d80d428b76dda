import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { ablateHeads, patchActivations } from "../../../../src/analysis";
import {
  eachHeadOff,
  gateHeads,
  layerOfHeads,
  patchTokens,
  skip,
} from "../../../../src/analysis/interventions/edits";
import { headsOf } from "../../../../src/analysis/interventions/heads";
import { logitsWithoutEach } from "../../../../src/analysis/interventions/withoutEach";
import { rowsOf } from "../../../../src/analysis/provenance";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import { imageFolder } from "../../../../src/data/imageFolder";
import * as transforms from "../../../../src/data/transforms";
import * as classifier from "../../../../src/models/classifier";
import { perturb } from "../../models/support";
import { assertClose, isLuvitError } from "../../nn/support";
import { tinyViT } from "../../train/support";
import { pixelsOf, seenIn, smallSet, temporaryFolder, tinyClassifier, tinyLuvit } from "../support";

before(async () => void (await startBackend()));

const eager = { engine: "eager" } as const;
test("a head's mean is over the images of the set, not over what fills a batch up", async () => {
  const model = tinyLuvit();
  perturb(model);
  const set = (await smallSet(3)).subset([0, 1, 3, 4, 5]);
  const pixels = await pixelsOf(set);
  const means = new Map<string, Tensor>();
  for (const [name, value] of seenIn((context) => model.forward(pixels, context)))
    if (name.endsWith(".heads")) means.set(name, tf.mean(value, 0, true));
  const { table } = await ablateHeads(model, set, { replaceBy: "mean", layers: ["blocks.1"], ...eager });
  const rows = rowsOf(table);
  assert.deepEqual(rows.map(({ layer, head }) => [layer, head]), [["blocks.1", 0], ["blocks.1", 1]]); // biome-ignore format: one call
  const labels = [0, 0, 1, 1, 1];
  const margin = (edit?: (name: string, value: Tensor) => Tensor) => {
    const logits = model.forward(pixels, edit ? { edit } : {}).arraySync() as number[][];
    return logits.reduce((sum, row, i) => sum + (row[labels[i]] - row[1 - labels[i]]) / 5, 0);
  };
  for (const { head, marginDrop } of rows) {
    const gate = tf.tensor([head === 0 ? [0, 1] : [1, 0]]);
    const fill = new Map([["blocks.1", means.get("blocks.1.attn.heads")!]]);
    const drop = margin() - margin(gateHeads(["blocks.1"], gate, fill));
    assert.ok(Math.abs(Number(marginDrop) - drop) < 1e-5, `${head}: ${marginDrop}, expected ${drop}`);
    const zero = margin() - margin(gateHeads(["blocks.1"], gate));
    assert.ok(Math.abs(zero - drop) > 1e-5, "zero is something else");
  }
});

test("what is recovered is the donor's logit, of the tokens that are taken, registers left where they are", async () => {
  const model = classifier.create({ encoder: { ...tinyViT, registers: 1 }, classes: 3 });
  perturb(model);
  const set = await smallSet(2);
  const [receivers, donors] = [set.subset([0, 1, 2]), set.subset([3, 2, 1])];
  const [from, to] = [await pixelsOf(donors), await pixelsOf(receivers)];
  const seen = seenIn((context) => model.forward(from, context));
  const [plain, other] = [to, from].map((pixels) => model.forward(pixels).arraySync() as number[][]);
  const taken = { patches: [0, 1, 1, 1, 1, 0], class: [1, 0, 0, 0, 0, 0], all: [1, 1, 1, 1, 1, 1] };
  for (const [tokens, take] of Object.entries(taken)) {
    const options = { tokens: tokens as "all", sites: ["blocks.0.out"], ...eager };
    const { pairs } = await patchActivations(model, receivers, donors, options);
    const edit = patchTokens(["blocks.0.out"], seen, tf.tensor([take]));
    const patched = model.forward(to, { edit }).arraySync() as number[][];
    for (const [i, { index, site, token, recovered, flipped }] of rowsOf(pairs).entries()) {
      const top = other[i].indexOf(Math.max(...other[i]));
      const share = (patched[i][top] - plain[i][top]) / (other[i][top] - plain[i][top]);
      assertClose([Number(recovered)], [share], 1e-3, `${tokens} ${i}`);
      const isTop = patched[i].indexOf(Math.max(...patched[i])) === top;
      assert.deepEqual([index, site, token, flipped], [i, "blocks.0.out", -1, Number(isTop)]);
    }
  }
  const each = await patchActivations(model, receivers, donors, {
    tokens: "each",
    sites: ["embed"],
    ...eager,
  });
  assert.deepEqual(rowsOf(each.table).map(({ token, pairs }) => [token, pairs]), [0, 1, 2, 3, 4, 5].map((token) => [token, 3])); // biome-ignore format: one call
});

test("a pair of which the donor cannot be read is left out, and pairs are kept two by two", async () => {
  const set = await smallSet(2);
  const donors = await smallSet(2);
  writeFileSync(donors.path(1), "no image");
  const broken = await imageFolder(donors.root, { transform: transforms.evaluation(16) });
  const out = temporaryFolder();
  const options = { sites: ["embed"], out, model: "m", seed: 2, ...eager };
  const found = await patchActivations(tinyClassifier(), set, broken, options);
  assert.deepEqual(rowsOf(found.pairs).map(({ index }) => index), [0, 2, 3]); // biome-ignore format: one call
  assert.equal(found.unreadable, 1);
  const [{ model, seed }] = rowsOf(found.table);
  assert.deepEqual([model, seed], ["m", 2]);
  const kept = (name: string) => readdirSync(join(out, name, "kept")).sort();
  assert.deepEqual(kept("patching"), ["000000-000002.arrow", "000002-000004.arrow"]);
  await ablateHeads(tinyClassifier(), set.subset([0, 1, 2, 3, 0]), { layers: ["blocks.0"], out, ...eager });
  assert.deepEqual(kept("heads"), ["000000-000004.arrow", "000004-000005.arrow"], "heads four by four");
});

test("an edit leaves every other value as it is, and of a gate's row only the layer's own heads count", () => {
  const value = tf.tensor([1, 2, 3, 4], [1, 2, 2, 1]); // two heads of two tokens
  const gate = tf.tensor([
    [1, 1, 0],
    [0, 1, 0],
  ]);
  const fill = new Map([["llama.layers.0", tf.tensor([10, 20], [1, 2, 1, 1])]]);
  const edit = gateHeads(["blocks.0", "llama.layers.0"], gate, fill);
  for (const name of ["blocks.1.attn.heads", "blocks.0.attn.pattern", "embed", "fusion.out", "attn.heads"])
    assert.equal(edit(name, value), value, name);
  assert.deepEqual([...edit("blocks.0.attn.heads", value).dataSync()], [1, 2, 3, 4]);
  assert.deepEqual([...edit("llama.layers.0.attention.heads", value).dataSync()], [10, 10, 3, 4]);
  const plain = gateHeads(["llama.layers.0"], tf.tensor([[0, 1]]));
  assert.deepEqual([...plain("llama.layers.0.attention.heads", value).dataSync()], [0, 0, 3, 4]);
  const off = eachHeadOff("blocks.0", 2, tf.tensor([7, 8, 9, 6], [1, 2, 2, 1]));
  assert.deepEqual([...off("blocks.0.attn.heads", value).dataSync()], [7, 8, 3, 4, 1, 2, 9, 6]);
  assert.equal(off("blocks.1.attn.heads", value), value);
  assert.deepEqual(
    [...eachHeadOff("blocks.0", 2)("blocks.0.attn.heads", value).dataSync()],
    [0, 0, 3, 4, 1, 2, 0, 0],
  );
  const tokens = tf.tensor([1, 2, 3, 4], [2, 2, 1]);
  const donors = new Map([["embed", tf.tensor([5, 6, 7, 8], [2, 2, 1])]]);
  const patched = patchTokens(["blocks.0.out", "embed"], donors, tf.tensor([[0, 0], [0, 1]])); // biome-ignore format: a matrix
  assert.deepEqual([...patched("embed", tokens).dataSync()], [1, 6, 3, 8]);
  assert.equal(patched("blocks.1.out", tokens), tokens);
  assert.equal(skip("fusion")("fusion.out", tokens), tokens, "what has not entered cannot come out");
  assert.deepEqual(
    ["blocks.11.attn.heads", "llama.layers.0.attention.heads", "blocks.1.attn.pattern", "x.attn.heads.y"].map(
      layerOfHeads,
    ),
    ["blocks.11", "llama.layers.0", undefined, undefined],
  );
});

test("heads are those of the layers asked for, in the order of the model", () => {
  const model = tinyLuvit();
  const { layers, places } = headsOf(model, "test", ["llama.layers.0", "blocks.1"]);
  assert.deepEqual(layers, ["blocks.1", "llama.layers.0"]);
  assert.deepEqual(places, layers.flatMap((layer) => [0, 1].map((head) => ({ layer, head })))); // biome-ignore format: one call
  assert.throws(
    () => headsOf(model, "test", ["blocks.2"]),
    isLuvitError("bad-argument", "test", "blocks.2", "blocks.1"),
  );
});

test("an image of another shape keeps its positions while its heads are off", () => {
  const model = tinyClassifier();
  perturb(model);
  const image = tf.randomNormal([1, 3, 8, 24], 0, 1, "float32", 5);
  const heads = headsOf(model, "test", ["blocks.0"]);
  const answers = (["mae", "sincos"] as const).map((positions) => {
    const found = logitsWithoutEach(model, image, heads, { positions })["blocks.0"];
    const edit = eachHeadOff("blocks.0", 2);
    assertClose(found.dataSync(), model.forward(image, { positions, edit }).dataSync(), 1e-6);
    return String(found.dataSync());
  });
  assert.notEqual(answers[0], answers[1]);
});
