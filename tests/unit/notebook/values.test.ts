import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { tableFromArrays } from "apache-arrow";
import { startBackend, tf } from "../../../src/core/tf";
import { mae, vit } from "../../../src/models";
import "../../../src/notebook";
import { mimeBundleOf, richBundleOf } from "../../../src/notebook/mime";
import { tensorStats } from "../../../src/notebook/tensorStats";

before(() => startBackend());

const textOf = async (value: unknown) => String((await mimeBundleOf(value))["text/plain"]);
const htmlOf = async (value: unknown) => String((await mimeBundleOf(value))["text/html"]);

describe("a model shows itself as a tree", () => {
  const model = mae.create({ encoder: vit.base16, decoder: mae.decoder512x8 });

  it("with parameters, what is trained of them, and equal blocks taken together", async () => {
    const text = await textOf(model);
    assert.match(text, /^MaskedAutoencoder\(111\.91 M parameters, 111\.66 M trainable\)/);
    assert.match(text, /blocks {2}12 × Block {2}85\.05 M, trainable/);
    assert.match(text, /pos_embed {2}\[1, 197, 768\] {2}0\.15 M, frozen/);
  });

  it("that opens down to the shape of every parameter", async () => {
    const html = await htmlOf(model);
    assert.match(html, /<details[^>]*><summary[^>]*>.*0 … 11.*12 × Block.*qkv.*\[2304, 768\]/s);
    assert.equal(html.match(/<details/g)?.length, html.match(/<\/details>/g)?.length);
    assert.equal(html.match(/\[2304, 768\]/g)?.length, 1);
  });

  it("and blocks that differ in what is trained stand apart", async () => {
    model.freeze("blocks.3");
    const html = await htmlOf(model);
    model.unfreeze("blocks.3");
    for (const text of ["0 … 2", ">3<", "4 … 11"]) assert.ok(html.includes(text), text);
  });
});

describe("a tensor shows itself", () => {
  it("with shape, type, range, moments and how many values are none", async () => {
    const tensor = tf.tensor([1, Number.NaN, 3, Number.POSITIVE_INFINITY, 0, 0]);
    assert.equal(
      await textOf(tensor),
      "float32 [6]: min 0, mean 1, max 3, std 1.225, NaN 1, infinite 1, zero 33.3 %",
    );
    assert.match(await htmlOf(tensor), /background:#d0404f[^>]*>NaN</);
    tensor.dispose();
  });

  it("also when it is disposed right after the call", async () => {
    const tensor = tf.randomUniform([20, 20]);
    const bundle = mimeBundleOf(tensor);
    tensor.dispose();
    assert.match(
      String((await bundle)["text/html"]),
      /<img src="data:image\/svg.*<img src="data:image\/png/s,
    );
  });

  it("as heat map where it is a matrix, as images where it has their shape, as numbers where they are few", async () => {
    assert.match(await htmlOf(tf.zeros([30, 50])), /rows down, columns across/);
    assert.match(await htmlOf(tf.randomUniform([10, 3, 16, 16])), /first 8 of 10, as 0 to 1/);
    assert.match(
      await htmlOf(tf.fill([3, 16, 16], -2)),
      /ImageNet&#39;s|ImageNet's mean and deviation put back/,
    );
    assert.match(await htmlOf(tf.tensor2d([[1, 2.5]])), />2\.5</);
    assert.doesNotMatch(await htmlOf(tf.zeros([4, 197, 768])), /<img/);
  });

  it("as a parameter says where it is from and whether it is trained; host tensors and images too", async () => {
    const model = mae.create({ encoder: vit.toy, decoder: mae.decoderToy });
    const [, parameter] = [...model.namedParameters()].at(-1)!;
    assert.match(await textOf(parameter), /^float32 \[\d+\], trainable: min/);
    assert.match(
      await textOf({ shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) }),
      /^float32 \[2, 2\]: min 1/,
    );
    const image = { width: 4, height: 2, data: new Uint8Array(24) };
    assert.ok("image/png" in (await richBundleOf(image)));
    assert.match(String((await richBundleOf([image, image]))["text/html"]), /<img .*<img /s);
  });

  it("counts every finite value in one interval", () => {
    const { histogram, std, mean } = tensorStats([0, 1, 2, 3, Number.NaN]);
    assert.equal(
      histogram.reduce((a, b) => a + b),
      4,
    );
    assert.deepEqual([histogram[0], histogram.at(-1)], [1, 1]);
    assert.ok(Math.abs(mean - 1.5) < 1e-12 && Math.abs(std - Math.sqrt(1.25)) < 1e-12);
    assert.ok(Number.isNaN(tensorStats([]).min));
  });
});

describe("an Arrow table shows itself", () => {
  it("with its columns, their types and its first rows", async () => {
    const arrow = tableFromArrays({
      layer: ["blocks.0", "blocks.1"],
      entropy: Float32Array.from([1.5, 2.5]),
    });
    assert.match(await textOf(arrow), /^2 rows: layer \(.*Utf8.*\), entropy \(Float32\)\nlayer +entropy\n/);
    assert.match(await htmlOf(arrow), /<td[^>]*>blocks\.1<\/td><td[^>]*>2\.5</);
    const long = tableFromArrays({ n: Float64Array.from({ length: 1000 }, (_, i) => i) });
    assert.match(await textOf(long), /^1,000 rows[\s\S]*… and 980 more rows$/);
  });
});

describe("bytes of images and charts of other libraries", () => {
  it("are shown as what they are by their first bytes, and as text where they are none", async () => {
    const typeOf = async (bytes: number[]) =>
      Object.keys(await mimeBundleOf(Uint8Array.from(bytes))).filter((mime) => mime.startsWith("image/"));
    assert.deepEqual(await typeOf([0x89, 0x50, 0x4e, 0x47]), ["image/png"]);
    assert.deepEqual(await typeOf([0xff, 0xd8, 0xff, 0xe0]), ["image/jpeg"]);
    for (const other of [[0x88, 0x50, 0x4e], [0x89, 0x51, 0x4e], [0x89, 0x50, 0x4f], [0xff, 0xd9, 0xff], []])
      assert.deepEqual(await typeOf(other), [], String(other));
  });

  it("that give a Vega-Lite chart are shown as one", async () => {
    const spec = { $schema: "https://vega.github.io/schema/vega-lite/v5.json", mark: "bar" };
    assert.deepEqual((await mimeBundleOf({ toSpec: () => spec }))["application/vnd.vegalite.v5+json"], spec);
  });
});
