import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import sharp from "sharp";
import { LuvitError } from "../../../src/core/errors";
import { imageNetMean, imageNetStd } from "../../../src/core/preprocessing";
import * as data from "../../../src/data";
import type { ImageDataset } from "../../../src/data/dataset";
import { imageFolder } from "../../../src/data/imageFolder";
import type { ImageTransform } from "../../../src/data/imageTransform";
import { type Batch, type BatchOptions, batches } from "../../../src/data/loader";
import * as transforms from "../../../src/data/transforms";
import { leavingOut } from "../../../src/data/unreadable";
import { paintedImage, put, shapesFolder, temporaryFolder } from "./support";

it("ImageNet's means and deviations are torchvision's, red, green and blue", () => {
  assert.deepEqual([...data.imageNetMean], [0.485, 0.456, 0.406]);
  assert.deepEqual([...data.imageNetStd], [0.229, 0.224, 0.225]);
});

it("a part of whole images keeps their patch and their shorter side", async () => {
  const whole = data.wholeImages(await drawn(transforms.none(64)), { patch: 24, shorterSide: 50 });
  assert.deepEqual([whole.size, whole.subset([3, 1]).size, whole.take(2).size], [48, 48, 48]);
});

const drawn = (transform: ImageTransform) => imageFolder(join(shapesFolder, "val"), { transform });

async function collect(dataset: ImageDataset, options: Partial<BatchOptions>): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches(dataset, { batchSize: 5, seed: 4, dropLast: false, ...options }))
    all.push({ ...batch, images: batch.images.slice(), ...(batch.bytes && { bytes: batch.bytes.slice() }) });
  return all;
}

/** (byte / 255 - mean) / std of planes [B, 3, S, S], each operation in single precision. */
function normalized(bytes: Uint8Array, size: number): Float32Array {
  const { fround } = Math;
  return Float32Array.from(bytes, (byte, i) => {
    const c = Math.floor(i / size ** 2) % 3;
    return fround(fround(fround(byte / 255) - fround(imageNetMean[c])) / fround(imageNetStd[c]));
  });
}

async function assertSamePixels(set: ImageDataset, options: Partial<BatchOptions>): Promise<void> {
  const [bytes, numbers] = [await collect(set, { ...options, pixels: "bytes" }), await collect(set, options)];
  assert.equal(bytes.length, numbers.length);
  for (const [i, batch] of bytes.entries()) {
    assert.equal(batch.images.length, 0);
    assert.deepEqual(batch.labels, numbers[i].labels);
    assert.deepEqual(batch.paths, numbers[i].paths);
    assert.deepEqual(normalized(batch.bytes!, set.size), numbers[i].images);
  }
}

const refused = (doing: Promise<unknown>, code: string, message: RegExp) =>
  assert.rejects(
    doing,
    (error) => error instanceof LuvitError && error.code === code && message.test(error.message),
  );

describe("batches of bytes", () => {
  for (const transform of [
    transforms.mae(32),
    transforms.evaluation(24, { cropRatio: 0.8 }),
    transforms.none(64),
  ])
    for (const workers of [0, 2])
      it(`${transform.name}, ${workers} workers: normalized they are the usual batches to the bit`, async () => {
        const set = (await drawn(transform)).take(13);
        await assertSamePixels(set, { workers });
        await assertSamePixels(set, { workers, reuse: 1 });
      });

  it("of photographs, whose parts threads decode, are those of the usual batches", async () => {
    const root = temporaryFolder();
    const { data, width, height } = paintedImage(90, 70, (x, y) => [x & 255, (x * y) & 255, y & 255]);
    for (const name of ["a/1.jpg", "a/2.jpg", "b/1.jpg"])
      await put(
        root,
        name,
        await sharp(data, { raw: { width, height, channels: 3 } })
          .jpeg()
          .toBuffer(),
      );
    const set = await imageFolder(root, { transform: transforms.mae(48), cache: false });
    for (const workers of [0, 1]) await assertSamePixels(set, { workers, batchSize: 2 });
  });

  it("stand for unreadable images too, which are left out by their index", async () => {
    const set = leavingOut((await drawn(transforms.none(64))).take(3));
    const [batch] = await collect(set, { pixels: "bytes", batchSize: 3 });
    assert.equal(batch.bytes!.length, 3 * 3 * 64 * 64);
    const broken = { ...set, hasBytes: true, load: async () => ({ ...standIn, index: -1 }) };
    const [black] = await collect(broken, { pixels: "bytes", batchSize: 3 });
    assert.deepEqual([...black.indices], [-1, -1, -1]);
    assert.ok(black.bytes!.every((byte) => byte === 0));
  });

  it("are refused of sets whose images do not end with their normalization, and of those that give numbers", async () => {
    const finetuning = await drawn(transforms.finetune(32));
    await refused(collect(finetuning, { pixels: "bytes" }), "bad-argument", /the set has no bytes/);
    const copy = { ...transforms.mae(32) };
    await refused(collect(await drawn(copy), { pixels: "bytes" }), "bad-argument", /no bytes/);
    const set = leavingOut(await drawn(transforms.none(64)));
    const own = { ...set, hasBytes: true, load: async () => ({ ...standIn, index: 0 }) };
    await refused(collect(own, { pixels: "bytes" }), "bad-dataset", /expected its bytes from the reader/);
  });
});

const standIn = { image: new Float32Array(3 * 64 * 64), label: 0, path: "x" };
