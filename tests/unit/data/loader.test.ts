import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { Rng } from "../../../src/core/rng";
import { type ImageDataset, shard } from "../../../src/data/dataset";
import { imageFolder } from "../../../src/data/imageFolder";
import {
  type Batch,
  type BatchOptions,
  batches,
  batchesPerEpoch,
  datasetOrder,
  epochOrder,
} from "../../../src/data/loader";
import { hereReader, type ImageJob } from "../../../src/data/reading/imageReader";
import * as transforms from "../../../src/data/transforms";
import { shapesFolder } from "./support";

async function shapes(): Promise<ImageDataset> {
  const set = await imageFolder(join(shapesFolder, "val"), { transform: transforms.mae(16) });
  return set.take(40);
}

async function collect(dataset: ImageDataset, options: BatchOptions): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches(dataset, options)) all.push(batch);
  return all;
}

describe("batches", () => {
  it("stacks images [B, 3, S, S] with labels, positions and paths", async () => {
    const set = await shapes();
    const [first] = await collect(set, { batchSize: 8 });
    assert.equal(first.images.length, 8 * 3 * 16 * 16);
    assert.deepEqual(
      [...first.labels],
      [...first.indices].map((i) => set.label(i)),
    );
    assert.deepEqual(
      first.paths,
      [...first.indices].map((i) => set.path(i)),
    );
  });

  it("begun at batch k gives exactly what a full epoch gives from k on", async () => {
    const set = await shapes();
    const full = await collect(set, { batchSize: 8, seed: 3, epoch: 2 });
    const resumed = await collect(set, { batchSize: 8, seed: 3, epoch: 2, start: 3, prefetch: 0 });
    assert.deepEqual(resumed, full.slice(3));
    assert.deepEqual(
      resumed.map(({ epoch, batch }) => [epoch, batch]),
      [
        [2, 3],
        [2, 4],
      ],
    );
    assert.deepEqual(await collect(set, { batchSize: 8, start: 5 }), []);
  });

  it("takes an option that is undefined for one that is not given", async () => {
    const set = await shapes();
    const given = { seed: 0, epoch: 0, start: 0, shuffle: true, repeats: 1, spread: 1, dropLast: true };
    const names = [...Object.keys(given), "share", "prefetch", "reuse", "pixels", "workers"];
    const plain = await collect(set, { batchSize: 12 });
    assert.equal(plain.length, 3, "the last batch, of 4, is left out");
    const nothing = Object.fromEntries(names.map((name) => [name, undefined]));
    assert.deepEqual(await collect(set, { batchSize: 12, ...nothing }), plain);
    assert.deepEqual(await collect(set, { batchSize: 12, ...given, share: { index: 0, count: 1 } }), plain);
  });

  it("may be shared out: each takes every so many-th, from where the epoch begins", async () => {
    const set = await shapes();
    const options = { batchSize: 4, seed: 3, start: 2 };
    const full = await collect(set, options);
    for (const count of [2, 3, 9]) {
      for (let index = 0; index < count; index++) {
        const part = await collect(set, { ...options, share: { index, count } });
        assert.deepEqual(
          part,
          full.filter((_, i) => i % count === index),
          `${index} of ${count}`,
        );
      }
    }
  });

  it("depends on seed and epoch, and on nothing else", async () => {
    const set = await shapes();
    const options = { batchSize: 8, seed: 3, epoch: 0 };
    assert.deepEqual(await collect(set, options), await collect(await shapes(), { ...options, prefetch: 5 }));
    const [first, nextEpoch, otherSeed] = await Promise.all([
      collect(set, options),
      collect(set, { ...options, epoch: 1 }),
      collect(set, { ...options, seed: 4 }),
    ]);
    assert.notDeepEqual([...first[0].indices], [...nextEpoch[0].indices]);
    assert.notDeepEqual([...first[0].indices], [...otherSeed[0].indices]);
  });

  it("augments an image differently in every epoch", async () => {
    const set = await shapes();
    const options = { batchSize: 40, shuffle: false };
    const [[a], [b]] = [await collect(set, options), await collect(set, { ...options, epoch: 1 })];
    assert.deepEqual(a.indices, b.indices);
    assert.notDeepEqual(a.images, b.images);
  });

  it("uses memory again where asked to, while the last few batches stay good", async () => {
    const options = { batchSize: 7, seed: 3, dropLast: false };
    const expected = await collect(await shapes(), options);
    const [kept, buffers] = [[] as Batch[], new Set<ArrayBufferLike>()];
    for await (const batch of batches(await shapes(), { ...options, prefetch: 1, reuse: 3 })) {
      kept.push(batch);
      buffers.add(batch.images.buffer);
      assert.deepEqual(kept.slice(-3), expected.slice(0, kept.length).slice(-3));
    }
    assert.equal(kept.length, expected.length);
    assert.ok(buffers.size <= 5, `${buffers.size} for ${kept.length} batches`);
  });

  it("visits every image once, in order when not shuffled", async () => {
    assert.deepEqual(
      [...epochOrder(50, 1, 2)].sort((a, b) => a - b),
      [...Array(50).keys()],
    );
    const ordered = await collect(await shapes(), { batchSize: 16, shuffle: false, dropLast: false });
    assert.deepEqual(
      ordered.flatMap((batch) => [...batch.indices]),
      [...Array(40).keys()],
    );
    assert.deepEqual(
      ordered.map((batch) => batch.labels.length),
      [16, 16, 8],
    );
    assert.deepEqual([batchesPerEpoch(40, 16), batchesPerEpoch(40, 16, false)], [2, 3]);
  });

  it("gives each of the first images several times, differently augmented, and goes on anywhere", async () => {
    const set = await shapes();
    const options = { batchSize: 4, repeats: 3, spread: 2, seed: 5, epoch: 2 };
    const all = await collect(set, options);
    const indices = all.flatMap((batch) => [...batch.indices]);
    const order = epochOrder(40, 5, 2);
    assert.deepEqual(new Set(indices), new Set(order.subarray(0, 14)));
    assert.equal(all.length, 10);
    const [first, second] = all;
    const [a, b, c] = [order[0], order[1], order[2]];
    assert.deepEqual([...first.indices], [a, a, b, c]);
    assert.deepEqual([...second.indices], [a, b, b, c]);
    const image = ({ images }: Batch, i: number) => Buffer.from(images.slice(i * 768, (i + 1) * 768).buffer);
    const three = [image(first, 0), image(first, 1), image(second, 0)];
    assert.ok(![0, 1, 2].some((i) => three[i].equals(three[(i + 1) % 3])), "three different crops");
    assert.deepEqual(await collect(set, { ...options, start: 7 }), all.slice(7));
    const [plain] = await collect(set, { ...options, repeats: 1 });
    assert.ok(image(plain, 0).equals(three[0]), "the first time as without repetitions");
  });

  it("repeats the images of a shard among themselves", async () => {
    const set = await shapes();
    const halves = [1, 2].map((index) => shard(set, { index, count: 2 }));
    const paths = await Promise.all(
      halves.map(async (half) => {
        const all = await collect(half, { batchSize: 5, repeats: 2, seed: 1 });
        return all.flatMap((batch) => batch.paths);
      }),
    );
    for (const [i, one] of paths.entries()) {
      assert.deepEqual([one.length, new Set(one).size], [20, 10]);
      assert.ok(one.every((path) => !paths[1 - i].includes(path)));
    }
  });

  it("reads ahead by the number of batches asked for, and stops when the consumer does", async () => {
    const set = await shapes();
    let loads = 0;
    const counting = {
      ...viewOf(set),
      load(...args: Parameters<ImageDataset["load"]>) {
        loads++;
        return set.load(...args);
      },
    };
    for await (const _ of batches(counting, { batchSize: 4, prefetch: 2 })) break;
    assert.equal(loads, 3 * 4);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(loads, 3 * 4);
  });

  it("tells those that read ahead for it when nobody wants it any more", async (t) => {
    const signals: (AbortSignal | undefined)[] = [];
    const { read } = hereReader;
    t.mock.method(hereReader, "read", (job: ImageJob) => {
      signals.push(job.signal);
      return read(job);
    });
    const aborted = () => signals.map((signal) => signal?.aborted);
    for await (const _ of batches(await shapes(), { batchSize: 4, prefetch: 2, workers: 0 })) {
      assert.deepEqual(aborted(), Array(12).fill(false));
      break;
    }
    assert.deepEqual(aborted(), Array(12).fill(true));
  });

  it("raises an error when its batch comes up, and never after an early end", async () => {
    const set = await shapes();
    const broken = {
      ...viewOf(set),
      load: (...args: Parameters<ImageDataset["load"]>) =>
        args[0] < 4 ? set.load(...args) : Promise.reject(new LuvitError("engine", "no more")),
    };
    const options = { batchSize: 4, shuffle: false };
    for await (const batch of batches(broken, options)) {
      assert.equal(batch.batch, 0);
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    await assert.rejects(collect(broken, options), /no more/);
  });

  it("refuses batches that can never be filled and positions behind the end, before reading", async () => {
    const set = await shapes();
    assert.throws(() => batches(set, { batchSize: 41 }), /40 images do not fill a batch of 41/);
    assert.throws(() => batches(set, { batchSize: 8, start: 6 }), /start 6 is behind the last of 5/);
    assert.throws(() => batches(set, { batchSize: 0 }), /batchSize: expected a whole number/);
  });
});

function viewOf(set: ImageDataset): ImageDataset {
  return {
    classes: set.classes,
    length: set.length,
    size: set.size,
    report: set.report,
    load: (index, rng) => set.load(index, rng),
    path: (index) => set.path(index),
    label: (index) => set.label(index),
    take: (count) => set.take(count),
    subset: (indices) => set.subset(indices),
    withTransform: (transform) => set.withTransform(transform),
  };
}

it("the order of an epoch is the set's own way of shuffling where it has one, and only where it is shuffled", () => {
  const own = (rng: Rng) => Int32Array.from({ length: 3 }, () => rng.integer(1000));
  const plain = { length: 3 } as unknown as ImageDataset;
  const set = { length: 3, shuffled: own } as unknown as ImageDataset;
  assert.deepEqual(datasetOrder(set, 5, 2), own(new Rng(5).fork("order", 2)));
  assert.notDeepEqual(datasetOrder(set, 5, 2), datasetOrder(set, 5, 3));
  assert.deepEqual([...datasetOrder(set, 5, 2, false)], [0, 1, 2]);
  assert.deepEqual(datasetOrder(plain, 5, 2), epochOrder(3, 5, 2));
});
