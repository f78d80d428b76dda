import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { checkOptions } from "../../../src/core/options";
import { startBackend } from "../../../src/core/tf";
import { imageFolder, transforms } from "../../../src/data";
import { classifier } from "../../../src/models";
import { Classification, classify } from "../../../src/train/classify";
import { answersOf, Evaluation, evaluate, evaluateWith, logProbabilities } from "../../../src/train/evaluate";
import type { Feeds } from "../../../src/train/feeds";
import { imageArgument, preparedValues } from "../../../src/train/preparedImage";
import { Calls } from "../../support/calls";
import { temporaryFolder, tinyClassifier, tinyViT, writeImages } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

test("evaluating: which images are asked for, and what is said of the answers", async () => {
  const folder = await writeImages(temporaryFolder(), 4);
  writeFileSync(join(folder, "green", "2.png"), "no image");
  const calls = new Calls({ folder });
  const transform = transforms.evaluation(16);
  const set = await imageFolder(folder, { transform });
  const model = tinyClassifier(3);
  const asked: unknown[] = [];
  const scores = async ({ images }: Feeds) => {
    asked.push([images.shape.join(" x "), images.data.constructor.name]);
    return {
      scores: Float32Array.from(
        { length: images.shape[0] * 2 },
        (_, i) => [-0.1, -2, -3, -0.05, -1, -1][(i + asked.length) % 6],
      ),
    };
  };
  for (const size of [1, 3, 8, 9]) {
    await calls.once(`evaluateWith ${size}`, () => evaluateWith(scores, model, set, size));
    calls.note("  asked", asked.splice(0));
  }
  for (const [rank, size] of [
    [0, 2],
    [1, 2],
    [2, 3],
  ]) {
    const own: unknown[] = [];
    for await (const answers of answersOf(scores, model, set, 2, "normalized", { rank, size }))
      own.push(answers);
    calls.note(`answersOf ${rank} of ${size}`, own);
    asked.splice(0);
  }
  await calls.once("evaluateWith others", () =>
    evaluateWith(scores, model, set, 3, {
      rank: 0,
      size: 2,
      gather: async (own) => [own, (own as object[]).map((one) => ({ ...one, index: -1 })) as never],
    }),
  );
  await calls.once("evaluateWith nothing", () =>
    evaluateWith(scores, model, set, 3, { rank: 0, size: 2, gather: async () => [[] as never] }),
  );
  await calls.once("evaluateWith no numbers", () =>
    evaluateWith(async () => ({ scores: new Float32Array(16).fill(Number.NaN) }), model, set, 8),
  );
  const half: unknown[] = [];
  const second = { rank: 1, size: 2 };
  for await (const answers of answersOf(scores, model, set, 2, "bytes", second)) half.push(...answers);
  const both = { rank: 0, size: 2, gather: async <T>(own: T) => [half as T, own] };
  await calls.once("evaluateWith both halves", () => evaluateWith(scores, model, set, 2, both));
  asked.splice(0);
  calls.note("logProbabilities", [
    logProbabilities(model, 3, "bytes").inputs,
    logProbabilities(model, 3, "normalized").inputs,
  ]);
  await calls.once("evaluate", async () => {
    const { top1, top5, loss, labels, predictions } = await evaluate(model, set, {
      engine: "eager",
      batchSize: 3,
    });
    return [top1, top5, Number(loss.toPrecision(4)), labels, predictions];
  });
  for (const [what, use] of [
    ["no model", () => evaluate({} as never, set)],
    ["no set", () => evaluate(model, [] as never)],
    ["another size", () => evaluate(model, set.withTransform(transforms.evaluation(24)))],
    [
      "classes in another order",
      () => evaluate(Object.assign(tinyClassifier(), { classNames: ["red", "green"] }), set),
    ],
    [
      "too many classes",
      () => evaluate(model, Object.assign(Object.create(set), { classes: ["a", "b", "c"] })),
    ],
  ] as const)
    await calls.does(`evaluate with ${what}`, async () => (await use()).top1);
  const parts = {
    top1: 33.333,
    top5: 66.66,
    loss: 0.98765,
    labels: Int32Array.of(1, 2, 3),
    predictions: Int32Array.of(1, 1, 1),
  };
  for (const more of [
    {},
    { top5: 100 },
    { top5: null },
    { loss: Number.NaN },
    { top5: null, loss: Number.NaN },
  ]) {
    const one = new Evaluation({ ...parts, ...more });
    calls.note(`printed ${JSON.stringify(more)}`, [String(one), inspect(one)]);
  }
  await calls.does("Evaluation of parts", () => new Evaluation({ top1: 3 } as never));

  const path = join(folder, "red", "1.png");
  const side = 16;
  const preprocessing = transform.preprocessing!;
  const pixels = {
    data: Uint8Array.from({ length: 3 * 16 * 16 }, (_, i) => (i * 7) % 256),
    width: 16,
    height: 16,
  };
  const none = transforms.none(16).preprocessing!;
  for (const [what, image, how] of [
    ["pixels as they are", pixels, none],
    ["pixels resized", { data: new Uint8Array(3 * 20 * 30).fill(99), width: 20, height: 30 }, preprocessing],
    ["pixels of another size as they are", { data: new Uint8Array(12), width: 2, height: 2 }, none],
    ["another mean", pixels, { ...none, mean: [0, 0.5, 1] as const }],
    ["another deviation", pixels, { ...none, std: [1, 2, 4] as const }],
    ["values", new Float32Array(768).fill(0.5), none],
    ["too few values", new Float32Array(767), none],
    ["no image", Buffer.from("text"), none],
    ["no file", join(folder, "none.png"), none],
    ["a preprocessing of another size", pixels, { ...none, size: 24 }],
  ] as const)
    await calls.does(`preparedValues of ${what}`, () => preparedValues("here", image, how, side));
  for (const value of [
    "a",
    new Uint8Array(1),
    pixels,
    { ...pixels, width: 15 },
    { data: [], width: 0, height: 0 },
    new Float32Array(3),
    null,
    7,
    {},
    [],
  ]) {
    await calls.does(`an image? ${inspect(value).slice(0, 30).split("\n")[0]}`, () =>
      checkOptions("here", imageArgument, value),
    );
  }
  const many = classifier.create({ encoder: tinyViT, classes: 7, seed: 2 });
  const told = Object.assign(tinyClassifier(3), { classNames: ["green", "red"] });
  for (const one of [told, many]) await classify(one, path); // its weights are drawn now
  for (const topK of [undefined, 1, 2])
    await calls.does(`classify, topK ${topK}`, async () =>
      (await classify(told, path, { topK })).classes.map(({ name, label, probability }) => [
        name,
        label,
        Number(probability.toFixed(4)),
      ]),
    );
  for (const topK of [0, 3, 1.5, Number.NaN, "2"])
    await calls.does(`classify, topK ${topK}`, () => classify(told, path, { topK } as never));
  for (const image of [7, null, {}])
    await calls.does(`classify ${JSON.stringify(image)}`, () => classify(told, image as never));
  await calls.does("classify with no model", () => classify({} as never, path));
  await calls.does("seven classes", async () => (await classify(many, pixels)).classes.length);
  const said = new Classification([
    { name: "a", label: 3, probability: 0.98765 },
    { name: "b c", label: 0, probability: 0.01 },
  ]);
  calls.note("printed", [String(said), inspect(said), said.best]);
  calls.approve("train/evaluations");
});
