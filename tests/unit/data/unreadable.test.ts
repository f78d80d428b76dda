import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LuvitError } from "../../../src/core/errors";
import { Rng } from "../../../src/core/rng";
import { type ImageDataset, type Sample, SkipReport, spreadIndices } from "../../../src/data/dataset";
import { expectReadable, tooManyUnreadable } from "../../../src/data/expectReadable";
import { batches } from "../../../src/data/loader";
import { leavingOut, readOrReplace } from "../../../src/data/unreadable";

/** Images of `labels.length` positions, of which some cannot be read; `tried` are the positions that were read. */
class Positions implements ImageDataset {
  readonly tried: number[] = [];
  readonly report = new SkipReport();
  readonly size = 1;

  constructor(
    readonly classes: string[],
    readonly labels: readonly number[],
    readonly isReadable: (index: number) => boolean,
  ) {}

  get length(): number {
    return this.labels.length;
  }

  path(index: number): string {
    return `image-${index}`;
  }

  label(index: number): number {
    return this.labels[index];
  }

  load(index: number): Promise<Sample> {
    return readOrReplace(this, index, async (at) => {
      this.tried.push(at);
      if (!this.isReadable(at)) throw new LuvitError("bad-image", `${this.path(at)}: cannot be decoded`);
      return { image: new Float32Array(3).fill(at), label: this.label(at), path: this.path(at), index: at };
    });
  }

  take(): ImageDataset {
    return this;
  }

  subset(): ImageDataset {
    return this;
  }

  withTransform(): ImageDataset {
    return this;
  }
}

const count = (length: number, label: (i: number) => number) => Array.from({ length }, (_, i) => label(i));
const message = (promise: Promise<unknown>) =>
  promise.then(
    () => assert.fail("expected an error"),
    (error: unknown) => {
      assert.ok(error instanceof LuvitError && error.code === "bad-dataset", String(error));
      return error.message;
    },
  );

describe("an unreadable image", () => {
  it("is replaced by the next of its class, cyclically, wherever that lies", async () => {
    const set = new Positions(["a", "b"], [0, 1, 0, 1, 1, 0], (i) => ![2, 5].includes(i));
    assert.equal((await set.load(2)).index, 0);
    assert.equal((await set.load(5)).index, 0);
    assert.equal((await set.load(3)).index, 3);
    assert.deepEqual([set.report.count, set.report.replaced], [2, 2]);
    assert.match(String(set.report), /^2 unreadable images left out .* others of their class \(2 times\):\n/);
  });

  it("is replaced and named also where it is the last of its set, whose last batch is whole", async () => {
    const set = new Positions(["a", "b"], [0, 1, 1, 0, 0, 1, 1], (i) => i !== 6);
    const found: number[][] = [];
    for await (const { indices, images } of batches(set, { batchSize: 4, shuffle: false, dropLast: false })) {
      found.push([...indices]);
      assert.deepEqual(
        [...images],
        [...indices].flatMap((index) => [index, index, index]),
      );
    }
    assert.deepEqual(found, [
      [0, 1, 2, 3],
      [4, 5, 1],
    ]);
    assert.deepEqual([set.report.count, set.report.replaced], [1, 1]);
    assert.match(String(set.report), /image-6: cannot be decoded/);
  });

  it("is left out of what is judged, even where nothing of its class can be read", async () => {
    const set = new Positions(["a", "b"], [0, 0, 1, 0], (i) => i !== 1 && i !== 2);
    for (const _ of [1, 2]) {
      for await (const batch of batches(leavingOut(set), { batchSize: 4, shuffle: false })) {
        assert.deepEqual([...batch.indices], [0, -1, -1, 3]);
        assert.deepEqual([...batch.labels], [0, 0, 1, 0]);
      }
    }
    assert.equal(set.report.count, 2);
  });

  it("is not tried again for others that are read at the same time", async () => {
    const set = new Positions(
      ["a"],
      count(6, () => 0),
      (i) => i === 3,
    );
    const found = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => set.load(i)));
    assert.deepEqual(
      found.map(({ index }) => index),
      [3, 3, 3, 3, 3, 3],
    );
    assert.deepEqual(set.tried.filter((i) => i !== 3).sort(), [0, 1, 2, 4, 5]);
    assert.equal(set.report.ongoing.size, 0);
  });

  it("does not make a million others be tried one by one", async () => {
    const set = new Positions(
      ["a"],
      count(1e6, () => 0),
      () => false,
    );
    const text = await message(set.load(5));
    assert.match(text, /class a: 200 images, one after the other, cannot be read:\n {2}image-5: cannot/);
    assert.equal(set.tried.length, 200);
  });
});

describe("a set to train with", () => {
  it("is refused for classes of which nothing can be read, all named", async () => {
    const set = new Positions(
      ["a", "b", "c"],
      count(300, (i) => i % 3),
      (i) => i % 3 === 1,
    );
    const text = await message(expectReadable(set, 1));
    assert.match(text, /class a: none of the 100 images can be read\n {2}class c: none of the 100/);
    assert.doesNotMatch(text, /class b/);
    assert.match(text, /image-0: cannot be decoded/);
  });

  it("is refused for more than a share of unreadable images, counted in small sets", async () => {
    const set = () =>
      new Positions(
        ["a"],
        count(100, () => 0),
        (i) => i % 10 > 1,
      );
    const text = await message(expectReadable(set()));
    assert.match(text, /20 of 100 images cannot be read \(20 %\); at most 10 % may be \(maxUnreadable\)/);
    await expectReadable(set(), 0.2);
    assert.match(await message(expectReadable(set(), 0.19)), /at most 19 %/);
    await assert.rejects(expectReadable(set(), 2), /maxUnreadable is 2, expected a share of 0 … 1/);
  });

  it("is looked at in a few hundred images where it has a million", async () => {
    const rng = new Rng(1);
    const broken = (share: number) => {
      const dice = Float64Array.from({ length: 1e6 }, () => rng.uniform());
      return new Positions(
        ["a", "b"],
        count(1e6, (i) => i % 2),
        (i) => dice[i] >= share,
      );
    };
    const good = broken(0.08);
    await expectReadable(good);
    assert.ok(good.tried.length < 400, `${good.tried.length}`);
    assert.equal(good.report.replaced, 0);
    assert.match(await message(expectReadable(broken(0.5))), /of 256 images, spread over the set, cannot be/);
  });

  it("may by chance have a little more among those looked at, which three deviations allow for", async () => {
    const long = count(10_000, () => 0);
    const broken = (missing: number) => {
      const looked = new Set(spreadIndices(long.length, 256).slice(0, missing));
      return new Positions(["a"], long, (i) => !looked.has(i));
    };
    const most = Math.floor(256 * 0.1 + 3 * Math.sqrt(256 * 0.1 * 0.9));
    await expectReadable(broken(most));
    assert.match(await message(expectReadable(broken(most + 1))), new RegExp(`${most + 1} of 256 images`));
  });

  it("is stopped when it shows while training", async () => {
    const set = new Positions(
      ["a"],
      count(20, () => 0),
      (i) => ![5, 9, 14].includes(i),
    );
    for (const i of [5, 9]) await set.load(i);
    assert.equal(tooManyUnreadable(set), undefined);
    await set.load(14);
    assert.match(
      String(tooManyUnreadable(set)),
      /3 of 20 images could not be read so far \(15 %\); at most 10 %/,
    );
    assert.equal(tooManyUnreadable(set, 0.15), undefined);
  });
});
