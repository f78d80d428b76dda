import assert from "node:assert/strict";
import { test } from "node:test";
import { type Field, problemsOf } from "../../../src/core/options";
import { fusion } from "../../../src/models";
import { answerOptions } from "../../../src/train/answer";
import { auxiliaryOptions } from "../../../src/train/auxiliary";
import { detectOptions } from "../../../src/train/detection/options";
import { distillOptions } from "../../../src/train/distill";
import { finetuneOptions } from "../../../src/train/finetune";
import { peakRate, trainOptions } from "../../../src/train/plan";
import { pretrainOptions } from "../../../src/train/pretrain";
import { segmentOptions } from "../../../src/train/segment";

/* What options say together. */

const plain = { epochs: 3, batchSize: 2, lr: 0.5 };
const byEpochs: [Field<never>, object][] = [
  [trainOptions, {}],
  [pretrainOptions, {}],
  [finetuneOptions, {}],
  [segmentOptions, {}],
  [answerOptions, {}],
  [distillOptions, { logits: {} }],
  [auxiliaryOptions, { branch: fusion.mlp(6) }],
].map(([options, more]) => [options as Field<never>, more as object]);

test("every training by epochs has one rate, none above its peak, and a warm-up within it; the borders may be reached", () => {
  for (const [options, more] of byEpochs) {
    const told = (change: object) => problemsOf(options, { ...plain, ...more, ...change }).join("\n");
    for (const fine of [
      {},
      { lr: undefined, baseLr: 0.5 },
      { minLr: 0.5, warmupLr: 0.5, warmupEpochs: 3, cooldownEpochs: 9 },
      { lr: undefined, baseLr: 64, accumulate: 4, minLr: 2, warmupLr: 2 }, // 64 of a batch of 8
    ])
      assert.equal(told(fine), "", JSON.stringify(fine));
    assert.match(told({ lr: undefined }), /^lr: missing, expected a number above 0, or baseLr/);
    assert.match(told({ baseLr: 1 }), /^baseLr: expected nothing, because lr is 0\.5 \(one of the two/);
    assert.equal(told({ minLr: 0.51 }), "minLr: expected at most the peak rate (0.5), got 0.51");
    assert.equal(told({ warmupLr: 0.51 }), "warmupLr: expected at most the peak rate (0.5), got 0.51");
    assert.equal(told({ warmupEpochs: 3.1 }), "warmupEpochs: expected at most epochs (3), got 3.1");
    const scaled = { lr: undefined, baseLr: 64, accumulate: 4, minLr: 2.1 };
    assert.equal(told(scaled), "minLr: expected at most the peak rate (2), got 2.1");
  }
  assert.deepEqual(
    [peakRate({ lr: 3, batchSize: 9 }), peakRate({ baseLr: 256, batchSize: 3, accumulate: 5 })],
    [3, 15],
  );
  assert.deepEqual([peakRate({ baseLr: 256 }), peakRate({})], [1, undefined]);
});

test("mixing takes even batches, in every training that mixes", () => {
  const mix = { mixupAlpha: 1, cutmixAlpha: 1 };
  for (const [options, more] of byEpochs.filter(
    ([one]) => "mix" in (one as unknown as typeof finetuneOptions).optional,
  )) {
    const told = (change: object) => problemsOf(options, { ...plain, ...more, ...change }).join("\n");
    assert.equal(told({ mix }), "");
    assert.equal(told({ mix: null, batchSize: 3 }), "");
    assert.match(
      told({ mix, batchSize: 3 }),
      /^batchSize: expected an even number, because mixing pairs images, got 3$/,
    );
  }
});

test("distillation has something to learn, and one answer for each image where answers are kept", () => {
  const told = (change: object) => problemsOf(distillOptions, { ...plain, ...change }).join("\n");
  const pair = { teacher: "a", student: "b" };
  const nothing = { labels: { weight: 0 } };
  for (const fine of [
    { features: [pair] },
    { logits: {}, ...nothing },
    { features: [{ ...pair, weight: 0 }], logits: { weight: 0 } },
    { features: [{ ...pair, weight: 0 }, pair], logits: { weight: 0 }, ...nothing },
    { logits: {}, cache: true, mix: null, repeatedAugmentation: 1 },
    { logits: { targets: "hard" } },
    { logits: { targets: "soft", temperature: 2, reduction: "deit" } },
  ])
    assert.equal(told(fine), "", JSON.stringify(fine));
  for (const none of [{}, { features: [] }])
    assert.match(told(none), /^features: .*layers to match, or logits to match/);
  for (const zero of [
    { logits: { weight: 0 }, ...nothing },
    { features: [{ ...pair, weight: 0 }], ...nothing },
    { features: [{ ...pair, weight: 0 }], logits: { weight: 0 }, ...nothing },
  ])
    assert.match(told(zero), /^labels: expected a weight above 0, because all others are 0/);
  const mix = { mixupAlpha: 1, cutmixAlpha: 1 };
  for (const [name, value] of [
    ["mix", mix],
    ["augment", {}],
    ["repeatedAugmentation", 2],
  ] as const) {
    assert.equal(told({ logits: {}, [name]: value }), "");
    const says = new RegExp(`^${name}: expected nothing, because cache keeps one answer for each image`);
    assert.match(told({ logits: {}, cache: true, [name]: value }), says);
  }
  const hard = { targets: "hard", temperature: 1, reduction: "batch" };
  const says = 'expected nothing, because targets is "hard"';
  assert.match(told({ logits: hard }), new RegExp(`temperature: ${says}.*\nlogits\\.reduction: ${says}`));
});

test("detection's milestones rise, and its schedule is not by epochs", () => {
  const told = (change: object) => problemsOf(detectOptions, { ...plain, ...change }).join("\n");
  for (const milestones of [[], [0.5], [0, 0.5, 1]]) assert.equal(told({ milestones }), "");
  for (const milestones of [
    [0.5, 0.5],
    [0.1, 0.9, 0.8],
  ])
    assert.match(told({ milestones }), /^milestones: expected rising shares/);
  assert.match(told({ lr: undefined }), /^lr: missing/);
  for (const name of ["baseLr", "minLr", "warmupEpochs", "warmupLr", "cooldownEpochs"])
    assert.match(told({ [name]: 1 }), new RegExp(`^${name}: unknown`));
});

test("numbers of detection may be at both ends of their ranges, and not beyond", () => {
  const told = (change: object) => problemsOf(detectOptions, { ...plain, ...change }).join("\n");
  for (const [name, least, most, beyond] of [
    ["warmupSteps", 0, 1_000_000_000, [-1, 0.5, 1_000_000_001]],
    ["warmupFactor", 0, 1, [-0.1, 1.1]],
    ["factor", 0, 1, [-0.1, 1.1]],
    ["dropPath", 0, 0.999, [-0.1, 1]],
    ["layerDecay", 0.001, 1, [0, 1.1]],
    ["epochs", 1, 10, [0, 1.5]],
    ["batchSize", 1, 10, [0, 1.5]],
    ["maxUnreadable", 0, 1, [-0.1, 1.1]],
  ] as const) {
    for (const value of [least, most]) assert.equal(told({ [name]: value }), "", `${name} ${value}`);
    for (const value of beyond)
      assert.match(told({ [name]: value }), new RegExp(`^${name}: `), `${name} ${value}`);
  }
  for (const normalize of ["image", "batch"]) assert.equal(told({ normalize }), "");
  assert.match(told({ normalize: "sample" }), /^normalize: /);
});
