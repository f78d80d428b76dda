import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { LayerNorm, Linear, Module, Parameter, zeros } from "../../../src/nn";
import { pretrainRules } from "../../../src/optim";
import { dropPathFactors } from "../../../src/train/dropPath";
import { arraysOf, imageFeed, normalizedImages, pixelFeed, specsOf } from "../../../src/train/feeds";
import { KeptSlot } from "../../../src/train/kept";
import { moved, WeightAverage } from "../../../src/train/weightAverage";
import { assertClose, isLuvitError } from "../nn/support";

before(() => startBackend());

class Sized extends Module {
  readonly norm = new LayerNorm(2);
  readonly table: Parameter;
  constructor(numbers = 1) {
    super();
    this.table = new Parameter([numbers], zeros, 0);
  }
}

/** What is opened, with a record of openings and closings. */
function opener() {
  const log: string[] = [];
  let count = 0;
  const open = async () => {
    const name = `${++count}`;
    log.push(`open ${name}`);
    return { name, dispose: async () => void log.push(`close ${name}`) };
  };
  return { log, open };
}

test("what was given back is taken again for the same question of the same weights, and for no other", async () => {
  const [slot, { log, open }, model] = [
    new KeptSlot<{ name: string; dispose(): Promise<void> }>(),
    opener(),
    new Sized(),
  ];
  const use = async (key: string, of = model) => {
    const taken = await slot.take(of, key, open);
    await taken.giveBack();
    return taken.value.name;
  };
  assert.deepEqual([await use("a"), await use("a")], ["1", "1"]);
  model.table.value.dataSync();
  assert.equal(await use("a"), "1", "weights that are used are the same weights");
  assert.equal(await use("b"), "2");
  assert.deepEqual(log, ["open 1", "close 1", "open 2"], "the one before is closed first");
  model.table.load({ shape: [1], data: Float32Array.of(5) });
  assert.equal(await use("b"), "3");
  assert.equal(await use("b", new Sized()), "4");
  await slot.release();
  await slot.release();
  assert.equal(log.at(-1), "close 4");
  assert.equal(log.filter((line) => line === "close 4").length, 1);
});

test("what is taken is nobody else's until it is given back; of two the later stays", async () => {
  const [slot, { log, open }, model] = [
    new KeptSlot<{ name: string; dispose(): Promise<void> }>(),
    opener(),
    new Sized(),
  ];
  const [first, second] = [await slot.take(model, "a", open), await slot.take(model, "a", open)];
  assert.notEqual(first.value, second.value);
  await first.giveBack();
  await second.giveBack();
  assert.deepEqual(log, ["open 1", "open 2", "close 1"]);
  assert.equal((await slot.take(model, "a", open)).value, second.value);
});

test("a small model is kept for an hour, one of 100 MB for ten minutes, a large one for one, from its last use on", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const after = 1 + 4 / 1e6; // its norm has four numbers too
  for (const [numbers, minutes] of [
    [1, 60],
    [25e6 - 4, 10],
    [500e6, 1],
  ] as const) {
    const [slot, { log, open }, model] = [
      new KeptSlot<{ name: string; dispose(): Promise<void> }>(),
      opener(),
      new Sized(numbers),
    ];
    const use = async () => (await slot.take(model, "a", open)).giveBack();
    await use();
    t.mock.timers.tick(59_000 * minutes);
    await use();
    t.mock.timers.tick(59_000 * minutes);
    assert.deepEqual(log, ["open 1"], `${numbers}`);
    t.mock.timers.tick(1_000 * minutes * after);
    assert.deepEqual(log, ["open 1", "close 1"], `${numbers}`);
    await use();
    assert.equal(log.at(-1), "open 2");
    await slot.release();
  }
});

test("a sample's branch is kept where its draw reaches the rate, at the rate's own too", () => {
  assertClose(dropPathFactors([0, 0.24, 0.25, 0.99], 0.25), [0, 0, 4 / 3, 4 / 3], 1e-7);
  assert.deepEqual([...dropPathFactors([0, 0.5, 0.999], 0)], [1, 1, 1]);
});

test("images are fed as they are, bytes as bytes, a batch that is too short with black ones behind", () => {
  const [images, bytes] = [
    Float32Array.from({ length: 24 }, (_, i) => i),
    Uint8Array.from({ length: 24 }, (_, i) => i),
  ];
  assert.deepEqual(imageFeed(images, 2), { data: images, shape: [2, 3, 2, 2] });
  assert.deepEqual(pixelFeed({ images } as never, 2), { data: images, shape: [2, 3, 2, 2] });
  const filled = pixelFeed({ images: new Float32Array(0), bytes } as never, 2, 3);
  assert.deepEqual(filled.shape, [3, 3, 2, 2]);
  assert.deepEqual(filled.data, Uint8Array.of(...bytes, ...new Uint8Array(12)));
  const fed = {
    a: { data: bytes, shape: [24] },
    b: { data: Int32Array.of(1), shape: [1], dtype: "int32" },
  } as const;
  assert.deepEqual(specsOf(fed), {
    a: { shape: [24], dtype: undefined, isBytes: true },
    b: { shape: [1], dtype: "int32", isBytes: false },
  });
  assert.equal(arraysOf(fed).a, bytes);
});

test("bytes become what ImageNet's mean and deviation make of them, channel by channel", () => {
  const fed = tf.tensor([0, 255, 51, 51, 255, 0], [1, 3, 1, 2]);
  // torchvision's 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225
  const expected = [
    -0.485 / 0.229,
    0.515 / 0.229,
    -0.256 / 0.224,
    -0.256 / 0.224,
    0.594 / 0.225,
    -0.406 / 0.225,
  ];
  assertClose(normalizedImages(fed, "bytes").dataSync(), expected, 1e-6);
  assert.equal(normalizedImages(fed, "normalized"), fed);
});

test("an average is of what is trained alone, is the weights until it has moved, and is refused where it does not fit", async () => {
  const model = new Linear(2, 1, new Rng(1));
  model.freeze("bias");
  const average = new WeightAverage(model, pretrainRules(model, 0), 0.75);
  assert.deepEqual(
    [...average.parameters()].map(([name]) => name),
    ["weight.ema"],
  );
  assert.equal([...average.values()][0][1], model.weight);
  const state = async () => [...(await average.state()).get("weight")!.data];
  assert.deepEqual(await state(), [...(await model.weight.read()).data]);
  assert.throws(
    () => average.load(new Map(), "a file"),
    isLuvitError("key-mismatch", "a file", "missing: weight"),
  );
  const turned = new Map([["weight", { shape: [2, 1], data: Float32Array.of(1, 2) }]]);
  assert.throws(
    () => average.load(turned, "a file"),
    isLuvitError("key-mismatch", "weight: is [2, 1], expected [1, 2]"),
  );
  average.load(new Map([["weight", { shape: [1, 2], data: Float32Array.of(4, -8) }]]), "a file");
  assert.deepEqual(await state(), [4, -8]);
  assert.equal([...average.values()][0][1], average.byPath().get("weight"));
  assertClose(moved(tf.tensor([4, -8]), tf.tensor([0, 4]), 0.75).dataSync(), [3, -5], 1e-7);
});
