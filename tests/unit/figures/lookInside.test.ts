import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { relevance } from "../../../src/analysis";
import { AttentionMaps, attentionMaps } from "../../../src/analysis/attentionMaps";
import { lens } from "../../../src/analysis/lens";
import { quantizeRows, rowWeights } from "../../../src/analysis/quantizedRows";
import { minMax } from "../../../src/analysis/relevance/display";
import { tokenNorms } from "../../../src/analysis/representations";
import { softmaxOf } from "../../../src/analysis/softmax";
import { tf } from "../../../src/core/tf";
import { wholeImages } from "../../../src/data";
import type { RgbImage } from "../../../src/data/pixels";
import { ready } from "../../../src/engine";
import { lookInside } from "../../../src/figures";
import { fromAddress, toAddress } from "../../../src/figures/attention/browser/address";
import { Evidence } from "../../../src/figures/attention/browser/evidence";
import { readModels, type ViewerHeader } from "../../../src/figures/attention/browser/payload";
import { startState } from "../../../src/figures/attention/browser/state";
import { coarseRows } from "../../../src/figures/attention/coarseRows";
import { viewerPage } from "../../../src/figures/attention/page";
import { classifier } from "../../../src/models";
import { assertRejects } from "../train/support";
import { syntheticMaps } from "./syntheticMaps";
import { syntheticNumbers } from "./syntheticNumbers";

const encoder = { imageSize: 16, patchSize: 4, dim: 24, depth: 3, heads: 3, mlpRatio: 2 };
const names = ["cat", "<b>dog</b>", "</script><script>alert(1)</script>", "fox", "owl", "hen", "cow"];
const model = classifier.create({ encoder, classes: 7, classNames: names, seed: 5 });
const other = classifier.create({ encoder, classes: 7, seed: 6 });
const options = { engine: "eager" } as const;
const image: RgbImage = {
  data: Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => (i * 37 + ((i * i) % 91)) % 256),
  width: 16,
  height: 16,
};

/** What a page carries, as it reads it. */
function contentsOf(html: string) {
  const part = (name: string) => new RegExp(`class="luvit-attention-${name}">([^<]*)<`).exec(html)![1]!;
  const header = JSON.parse(part("header")) as ViewerHeader;
  const bytes = gunzipSync(Buffer.from(part("data"), "base64"));
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const models = readModels(header, buffer);
  return {
    header,
    evidence: models.map(({ numbers }, i) => new Evidence(header, header.models[i]!, numbers)),
  };
}

const near = (a: ArrayLike<number>, b: ArrayLike<number>, by: number) => {
  assert.equal(a.length, b.length);
  for (let i = 0; i < a.length; i++) assert.ok(Math.abs(a[i]! - b[i]!) <= by, `${i}: ${a[i]} and ${b[i]}`);
};

before(() => ready());

describe("what lookInside writes into its page", () => {
  it("is the answer, and for each chosen class the very maps of the analyses", async () => {
    const methods = ["chefer", "legrad", "gradcam", "gradient-rollout"] as const;
    const page = await lookInside(model, image, { ...options, classes: [4, 1], relevance: methods, lens: true, norms: true }); // biome-ignore format: one line
    const { header, evidence } = contentsOf(page.html);
    assert.deepEqual(
      header.choices.map((choice) => header.labels[choice]),
      ["owl", "<b>dog</b>"],
    );
    const { sample } = await attentionMaps(model, image, options);
    const input = tf.tensor(sample.image, [1, 3, 16, 16]);
    const chances = softmaxOf(model.forward(input).dataSync());
    near(evidence[0]!.chances()!, [chances[4]!, chances[1]!], 1e-5);
    assert.equal(evidence[0]!.top!.label, names[chances.indexOf(Math.max(...chances))]);
    for (const method of methods) {
      for (const [choice, label] of [4, 1].entries()) {
        const [map] = await relevance(model, image, { ...options, method, class: label });
        near(evidence[0]!.relevance(method, choice)!.subarray(1), minMax(map!.patches), 1 / 255);
      }
    }
    const [says] = await lens(model, image, options);
    const { norms } = await tokenNorms(model, image, options);
    for (const layer of ["blocks.0", "blocks.2"]) {
      for (const patch of [0, 7, 15]) {
        const { label, probability } = says!.at(`${layer}.out`, patch);
        const said = evidence[0]!.says(layer, patch + 1)!;
        assert.equal(said.label, names[label]);
        assert.ok(Math.abs(said.chance - probability) < 1 / 255);
      }
      const { logits } = says!.sites.find(({ site }) => site === `${layer}.out`)!;
      const tokens = Array.from({ length: 17 }, (_, token) =>
        softmaxOf(logits.subarray(7 * token, 7 * token + 7)),
      );
      for (const [choice, label] of [4, 1].entries())
        near(evidence[0]!.lens(layer, choice)!, tokens.map((chances) => chances[label]!), 0.51 / 255); // biome-ignore format: one line
    }
    near(evidence[0]!.norms("blocks.1")!.subarray(1), norms.get("blocks.0.out")!, 1e-6);
    near(evidence[0]!.norms("blocks.0")!.subarray(1), norms.get("embed")!, 1e-6);
  });

  it("is, for every head, what the model answers with the head's values zero", async () => {
    const page = await lookInside(model, image, { ...options, classes: [0, 3], ablate: true });
    const { evidence } = contentsOf(page.html);
    const { sample } = await attentionMaps(model, image, options);
    const input = tf.tensor(sample.image, [1, 3, 16, 16]);
    const whole = softmaxOf(model.forward(input).dataSync());
    for (const [layer, head] of [
      ["blocks.0", 1],
      ["blocks.2", 2],
    ] as const) {
      // biome-ignore format: one line
      const open = tf.tensor([0, 1, 2].map((h) => Number(h !== head)), [1, 3, 1, 1]);
      const edit = (name: string, value: tf.Tensor) =>
        name === `${layer}.attn.heads` ? tf.mul(value, open) : value;
      const without = softmaxOf(model.forward(input, { edit }).dataSync());
      near(evidence[0]!.chances({ layer, head })!, [without[0]!, without[3]!], 1e-5);
      const effect = evidence[0]!.ofHeads("effect", 1).find((one) => one.layer === layer)!.values[head]!;
      assert.ok(Math.abs(effect - (Math.log(whole[3]!) - Math.log(without[3]!))) < 1e-4);
      const top = names[without.indexOf(Math.max(...without))];
      assert.equal(evidence[0]!.topWithout({ layer, head })!.label, top);
    }
  });

  it("colors heads by the mean of their entropies and by how far they look, in patches", async () => {
    const page = await lookInside(model, image, { ...options, heads: true });
    const { evidence } = contentsOf(page.html);
    const { layers } = await attentionMaps(model, image, options);
    const { pattern, entropy } = layers[1]!;
    near([evidence[0]!.ofHeads("entropy", 0)[1]!.values[2]!], [entropy.subarray(34).reduce((a, b) => a + b / 17, 0)], 1e-6); // biome-ignore format: one line
    let distance = 0;
    for (let q = 0; q < 16; q++) {
      const weights = rowWeights(pattern, 2 * 17 + q + 1);
      for (let k = 0; k < 16; k++)
        distance +=
          (weights[k + 1]! * Math.hypot((q % 4) - (k % 4), Math.floor(q / 4) - Math.floor(k / 4))) / 16;
    }
    near([evidence[0]!.ofHeads("distance", 0)[1]!.values[2]!], [distance], 1e-5);
    assert.deepEqual(evidence[0]!.ofHeads("effect", 0)[0]!.values.length, 0, "nothing was switched off");
  });

  it("is nothing beyond attention and the answer where nothing else was asked for", async () => {
    const page = await lookInside(model, image, options);
    const { header } = contentsOf(page.html);
    assert.deepEqual(header.models[0]!.sections.map(({ name }) => name), ["answer", "answer.label", "answer.chance"]); // biome-ignore format: one line
    assert.equal(header.choices.length, 5, "the five likeliest classes");
  });

  it("has names of classes as text, whatever they hold", async () => {
    const page = await lookInside(model, image, { ...options, classes: [1, 2], lens: true });
    assert.equal(page.html.match(/<script/g)!.length, 3);
    assert.ok(!page.html.includes("<b>dog"));
    assert.ok(contentsOf(page.html).header.labels.includes(names[2]!));
  });

  it("stands two models beside each other with the likeliest classes of both, or two images", async () => {
    const pair = await lookInside([model, other], image, { ...options, lens: true });
    const { header, evidence } = contentsOf(pair.html);
    assert.deepEqual(
      header.models.map(({ title }) => title),
      ["model A", "model B"],
    );
    assert.ok(header.choices.length >= 5 && header.choices.length <= 7);
    assert.notDeepEqual(evidence[0]!.chances(), evidence[1]!.chances());
    const dark = { ...image, data: image.data.map((x) => x / 3) };
    const images = contentsOf((await lookInside(model, [image, dark], options)).html);
    assert.deepEqual(
      images.header.models.map(({ title }) => title),
      ["image 1", "image 2"],
    );
    assert.notDeepEqual(images.evidence[0]!.chances(), images.evidence[1]!.chances());
  });

  it("shows an image of a set that keeps shapes in its own, with all that was asked for", async () => {
    const data = Uint8Array.from({ length: 24 * 16 * 3 }, (_, i) => (i * 29 + ((i * i) % 83)) % 256);
    const whole = wholeImages({ data, width: 24, height: 16 }, { patch: 4, shorterSide: 16 });
    const all = { relevance: ["chefer"], lens: true, norms: true, ablate: true, classes: [2, 5] } as const;
    const page = await lookInside(model, whole, { ...options, ...all });
    const { header, evidence } = contentsOf(page.html);
    assert.deepEqual(header.models[0]!.grid, { rows: 4, columns: 6 });
    const [map] = await relevance(model, whole, { ...options, class: 5 });
    near(evidence[0]!.relevance("chefer", 1)!.subarray(1), minMax(map!.patches), 1 / 255);
    assert.equal(evidence[0]!.norms("blocks.1")!.length, 25);
    const { sample } = await attentionMaps(model, whole, options);
    const open = tf.tensor([1, 0, 1], [1, 3, 1, 1]);
    const edit = (name: string, value: tf.Tensor) =>
      name === "blocks.1.attn.heads" ? tf.mul(value, open) : value;
    const input = tf.tensor(sample.image, [1, 3, 16, 24]);
    const without = softmaxOf(model.forward(input, { edit, positions: "mae" }).dataSync());
    near(evidence[0]!.chances({ layer: "blocks.1", head: 1 })!, [without[2]!, without[5]!], 1e-5);
  });

  it("refuses three of anything, models with other classes, and classes that are not there", async () => {
    const few = classifier.create({ encoder, classes: 3 });
    await assertRejects(
      lookInside([model, other], [image, image], options),
      "bad-argument",
      "2 models and 2 images",
    );
    await assertRejects(lookInside([model, few], image, options), "bad-argument", "7 and 3 classes");
    await assertRejects(
      lookInside(model, image, { ...options, classNames: ["a"] }),
      "bad-argument",
      "1 names",
      "7 classes",
    );
    await assertRejects(
      lookInside(model, image, { ...options, classes: [7] }),
      "bad-argument",
      "7",
      "0 to 6",
    );
    await assertRejects(lookInside(model, image, { ...options, relevance: ["rollout" as "chefer"] }), "bad-argument", "relevance", "chefer"); // biome-ignore format: one line
  });
});

describe("layers in a page of limited size", () => {
  it("keep the class token's row and the mean of every block of queries", () => {
    const weights = Float32Array.from({ length: 2 * 13 * 13 }, (_, i) => ((i * 7919) % 101) / 101);
    const rows = quantizeRows(weights, 13);
    const coarse = coarseRows(rows, 4, 2); // 3 × 4 patches: blocks of 2 × 2, the lower ones of 1 × 2
    assert.equal(coarse.greatest.length, 2 * 5);
    const mean = (head: number, patches: readonly number[]) =>
      Float32Array.from({ length: 13 }, (_, key) =>
        patches.reduce((sum, p) => sum + rowWeights(rows, head * 13 + p + 1)[key]! / patches.length, 0),
      );
    near(rowWeights(coarse, 5), rowWeights(rows, 13), 1 / 255);
    near(rowWeights(coarse, 6), mean(1, [0, 1, 4, 5]), 1 / 255);
    near(rowWeights(coarse, 4), mean(0, [10, 11]), 1 / 255);
    assert.equal(coarseRows(rows, 4, 1), rows);
  });

  it("are all there in blocks: ViT-B/16 at 224 with a block of 32 heads and all numbers under 2.5 MB", async () => {
    const blocks = Object.fromEntries(Array.from({ length: 12 }, (_, k) => [`blocks.${k}`, 12]));
    const maps = syntheticMaps({
      grid: 14,
      side: 224,
      layers: { ...blocks, "llama.layers.0": 32 },
      sharpness: 3,
    });
    assert.ok(maps instanceof AttentionMaps);
    const labels = Array.from({ length: 1000 }, (_, k) => `a class with a name of its own ${k}`);
    const numbers = syntheticNumbers(maps, { classes: 10, labels: 1000 });
    const about = { labels, choices: [...labels.keys()].slice(0, 10), methods: ["chefer", "legrad"] };
    const shown = [{ title: "LUViT-B/16", maps, numbers }];
    const page = await viewerPage(shown, about, { title: "", maxBytes: 2_400_000 });
    assert.ok(Buffer.byteLength(page.html) <= 2_400_000, `${Buffer.byteLength(page.html)} bytes`);
    const { header } = contentsOf(page.html);
    assert.deepEqual(header.models[0]!.leftOut, []);
    assert.equal(header.models[0]!.layers.length, 13);
  });
});

describe("the address of a saved page", () => {
  const maps = syntheticMaps({ grid: 4, layers: { "blocks.0": 3, "llama.layers.0": 2 } });
  const headerOf = async () => {
    const shown = [{ title: "", maps, numbers: syntheticNumbers(maps, { classes: 2 }) }];
    const about = { labels: ["a", "b"], choices: [0, 1], methods: ["chefer", "legrad"] };
    return contentsOf((await viewerPage(shown, about, { title: "", maxBytes: 1e7 })).html).header;
  };

  it("says all that is looked at and is read back", async () => {
    const header = await headerOf();
    const state = {
      ...startState(header),
      ...{
        query: 9,
        pinned: true,
        layer: "llama.layers.0",
        view: "lens" as const,
        heads: [1],
        strength: 0.25,
      },
      ...{ lines: false, outline: false, sameScale: true, choice: 1, method: "legrad" },
      ...{ color: "distance" as const, off: [[{ layer: "blocks.0", head: 2 }]] },
    };
    assert.deepEqual({ ...startState(header), ...fromAddress(`#${toAddress(state)}`, header) }, state);
    const start = startState(header);
    assert.deepEqual({ ...start, ...fromAddress(toAddress(start), header) }, start);
  });

  it("is not believed where it names what the page does not have", async () => {
    const header = await headerOf();
    for (const address of [
      "#query=17&layer=blocks.9&view=x&class=2&method=__proto__&strength=9&pinned=2&heads=1,2&color=red",
      "#query=-1&query=1e9&heads=a&strength=NaN&off=blocks.0:1;blocks.0:2",
      "#%E0%A4%A&=&&&class=1e1",
    ])
      assert.deepEqual(fromAddress(address, header), {}, address);
    assert.deepEqual(fromAddress("#off=blocks.0:7,constructor:0,blocks.0:1", header), {
      off: [[{ layer: "blocks.0", head: 1 }]],
    });
  });
});
