import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { bytes } from "../../../src/io/tokenizer";
import { labelsOf, promptOf } from "../../../src/models/llavit/prompt";
import { answerTargets, NOT_COUNTED } from "../../../src/models/llavit/targets";
import { LayerNorm, Linear, Module, Parameter, zeros } from "../../../src/nn";
import { KeyValueCache } from "../../../src/nn/cache";
import { pretrainRules } from "../../../src/optim";
import { dropPathFactors } from "../../../src/train/dropPath";
import { arraysOf, imageFeed, normalizedImages, pixelFeed, specsOf } from "../../../src/train/feeds";
import { generate } from "../../../src/train/generate";
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

/** A reader that says these tokens, some at a time, whatever it has read; logits are 0 but for what is said. */
function saying(tokens: readonly number[], atOnce: number) {
  const [vocabulary, read]: [number, number[]] = [16, []];
  let next = 0;
  const speech = (count: number) => {
    const said = tokens.slice(next, next + count);
    next += count;
    return {
      tokens: said,
      logits: Float32Array.from(
        said.flatMap((token) =>
          Array.from({ length: vocabulary }, (_, i) => (i === token ? (token === 13 ? Number.NaN : 1) : 0)),
        ),
      ),
    };
  };
  const reader = {
    atOnce,
    begin: async () => speech(1).logits,
    say: async (token: number, noise: Float32Array) => {
      read.push(token);
      assert.equal(noise.length, atOnce * vocabulary);
      return speech(atOnce);
    },
  };
  const model = {
    language: { config: { vocabulary } },
    template: { end: "end" },
    tokenizer: { encode: () => [7, 8] },
  };
  const answer = (most: number) =>
    generate(
      model as never,
      reader as never,
      new Float32Array(0),
      { ids: [], start: 0, answerFrom: 0 },
      { most, temperature: 0, rng: new Rng(0) },
    );
  return { answer, read };
}

test("an answer ends before all tokens of its end have been said in their order, or after the most that are wanted", async () => {
  const said = [3, 8, 7, 7, 8, 5];
  for (const atOnce of [1, 2, 4]) {
    const { answer, read } = saying(said, atOnce);
    assert.deepEqual(await answer(9), [3, 8, 7], `${atOnce} at once`);
    assert.deepEqual(
      read,
      said.slice(0, 4).filter((_, i) => i % atOnce === 0),
      "each said last goes on",
    );
    for (const most of [1, 2, 3, 4])
      assert.deepEqual(await saying(said, atOnce).answer(most), said.slice(0, most));
  }
  assert.deepEqual(await saying([7, 8], 1).answer(2), [], "the end is the answer");
  await assert.rejects(saying([3, 13], 1).answer(4), isLuvitError("non-finite", "llavit"));
});

test("an answer at a temperature is drawn from the probabilities of logits / temperature, at none the likeliest", async () => {
  const model = {
    language: { config: { vocabulary: 2 } },
    template: { end: "end" },
    tokenizer: { encode: () => [9] },
  };
  /** Share of 1 among first tokens whose odds are 1 to 3, and the mean of the noise that later ones are drawn with. */
  const drawn = async (temperature: number) => {
    const [rng, first, noises] = [new Rng(5), [] as number[], [] as number[]];
    const reader = {
      atOnce: 2,
      begin: async () => Float32Array.of(0, Math.log(3)),
      say: async (_: number, noise: Float32Array) => {
        noises.push(...noise);
        return { tokens: [0], logits: new Float32Array(4) };
      },
    };
    for (let i = 0; i < 4000; i++) {
      const choosing = { most: 2, temperature, rng };
      const prompt = { ids: [], start: 0, answerFrom: 0 };
      const [token] = await generate(model as never, reader as never, new Float32Array(0), prompt, choosing);
      first.push(token);
    }
    const mean = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
    assert.equal(noises.length, 4000 * 4, "a number for each token that may be said at once");
    return [mean(first), mean(noises)];
  };
  // Odds at a temperature T are 1 to 3^(1/T); the mean of Gumbel's distribution is Euler's constant.
  for (const temperature of [1, 2, 0.5]) {
    const [share, noise] = await drawn(temperature);
    assert.ok(Math.abs(share - 1 / (1 + 3 ** (-1 / temperature))) < 0.03, `${temperature}: ${share}`);
    assert.ok(Math.abs(noise / temperature - 0.5772) < 0.05, `${temperature}: ${noise}`);
  }
  assert.deepEqual(await drawn(0), [1, 0]);
});

test("a cache puts each token in its place, leaves the others, and has no room for more than it has", () => {
  const of = (...numbers: number[]) => tf.tensor4d(numbers, [1, 1, numbers.length, 1]);
  const first = new KeyValueCache(4);
  assert.deepEqual([first.positions, first.capacity], [undefined, 4]);
  const alone = first.extend("a", of(1, 2), of(3, 4));
  assert.deepEqual(
    [alone.key, alone.value].map((x) => [...x.dataSync()]),
    [
      [1, 2],
      [3, 4],
    ],
    "what it has not read it does not see",
  );
  const kept = (cache: KeyValueCache, name: string) => [...cache.after[name].dataSync()];
  assert.deepEqual(
    [kept(first, "a.key"), kept(first, "a.value")],
    [
      [1, 2, 0, 0],
      [3, 4, 0, 0],
    ],
  );
  const positions = tf.tensor1d([3, 2], "int32");
  const places = tf.tensor2d([0, 0, 0, 0, 0, 1, 1, 0], [4, 2]);
  const next = new KeyValueCache(4, { kept: first.after, positions, places });
  assert.equal(next.positions, positions);
  const seen = next.extend("a", of(5, 6), of(7, 8));
  assert.deepEqual([...seen.key.dataSync()], [1, 2, 6, 5]);
  assert.deepEqual([...seen.value.dataSync()], [3, 4, 8, 7]);
  assert.deepEqual(kept(next, "a.key"), [1, 2, 6, 5]);
  const full = new KeyValueCache(2);
  full.extend("a", of(1, 2), of(3, 4));
  assert.deepEqual(kept(full, "a.key"), [1, 2]);
  assert.throws(
    () => full.extend("a", of(1, 2, 3), of(1, 2, 3)),
    isLuvitError("bad-argument", "3 tokens", "room of 2"),
  );
});

test("a prompt is its words around the image's places, its labels the answer with its end alone", () => {
  const tokenizer = {
    ...bytes,
    begin: [1],
    encode: (text: string) => [...text].map((letter) => letter.charCodeAt(0)),
  };
  const speaker = { tokenizer, template: { before: "<", between: "|", after: ">", end: "." }, patches: 3 };
  const [asked, answered] = [promptOf(speaker, "q"), promptOf(speaker, "q", "ab")];
  const words = (text: string) => tokenizer.encode(text);
  assert.deepEqual(asked, { ids: [1, ...words("<"), 0, 0, 0, ...words("|q>")], start: 2, answerFrom: 8 });
  assert.deepEqual(answered, { ids: [...asked.ids, ...words("ab.")], start: 2, answerFrom: 8 });
  assert.deepEqual([...labelsOf(answered, 13)].slice(6), [
    NOT_COUNTED,
    NOT_COUNTED,
    ...words("ab."),
    NOT_COUNTED,
    NOT_COUNTED,
  ]);
  assert.ok(labelsOf(asked, 13).every((label) => label === NOT_COUNTED));
  // Logits of a token answer the one behind it.
  const { rows, targets } = answerTargets(
    [labelsOf(answered, 13), labelsOf(asked, 13), labelsOf(answered, 13)],
    128,
    8,
  );
  assert.deepEqual([...rows], [7, 8, 9, 33, 34, 35, 0, 0]);
  assert.equal(targets[128 + "b".charCodeAt(0)], Math.fround(8 / 6));
  assertClose([targets.reduce((sum, x) => sum + x, 0)], [8], 1e-6);
});
