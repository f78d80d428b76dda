import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { inspect } from "node:util";
import { checkOptions } from "../../../src/core/options";
import { Rng } from "../../../src/core/rng";
import { startBackend, type Tensor, tf } from "../../../src/core/tf";
import { imageFolder, toy, transforms } from "../../../src/data";
import { classifier, llavit } from "../../../src/models";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { promptOf } from "../../../src/models/llavit/prompt";
import { Linear } from "../../../src/nn/layers";
import { AdamW } from "../../../src/optim/adamw";
import { pretrainRules } from "../../../src/optim/groups";
import { ask } from "../../../src/train/ask";
import { Classification, classify } from "../../../src/train/classify";
import { answersOf, Evaluation, evaluate, evaluateWith, logProbabilities } from "../../../src/train/evaluate";
import { AnswerEvaluation, evaluateAnswers } from "../../../src/train/evaluateAnswers";
import type { Feeds } from "../../../src/train/feeds";
import { openForward } from "../../../src/train/forward";
import { openForwards } from "../../../src/train/forwards";
import { generate } from "../../../src/train/generate";
import { languageModelLoss, trainLanguageModel } from "../../../src/train/languageModel";
import { imageArgument, preparedValues } from "../../../src/train/preparedImage";
import { answerFeeds, promptFeeds, roomFor } from "../../../src/train/questions";
import { capacityFor, Reader } from "../../../src/train/reader";
import { stepPrograms, traceFunction } from "../../../src/train/stepPrograms";
import { Stepper } from "../../../src/train/stepper";
import { traceStep } from "../../../src/train/traceStep";
import { WeightAverage } from "../../../src/train/weightAverage";
import { Calls } from "../../support/calls";
import { temporaryFolder, tinyClassifier, tinyViT, writeImages } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

/** To 4 digits: what engines compute differs a little. */
const rough = (values: ArrayLike<number>) => Array.from(values, (value) => Number(value.toPrecision(4)));

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

const questions = toy.questions(1, 6, { size: 16 });

async function speaker(more: object = {}) {
  const shape = {
    dim: 24,
    heads: 4,
    hiddenDim: 32,
    normEps: 1e-6,
    ropeTheta: 10000,
    depth: 1,
    vocabulary: 256,
    causal: true,
    rope: true,
    rowOrder: "hf",
    ...more,
  } as const;
  const tower = classifier.create({ encoder: tinyViT, classes: 2, seed: 4 });
  return llavit.create({ tower, language: new LlamaLanguageModel(shape, 5), visionQkv: "full", layers: [1] });
}

test("questions, what is fed of them, and answers token by token", async () => {
  const calls = new Calls();
  const model = await speaker();
  const room = roomFor(model, questions, "here");
  const images = new Float32Array(2 * 768).fill(0.25);
  const asked = [0, 4].map((index) => questions.question(index));
  calls.note("asked", asked);
  const fed = answerFeeds(model, images, asked as never, room);
  calls.note(
    "answerFeeds",
    Object.entries(fed).map(([name, { shape, dtype, data }]) => [
      name,
      shape,
      dtype,
      name === "targets"
        ? [...data].flatMap((value, i) => (value === 0 ? [] : [[i, Number(value.toFixed(6))]]))
        : data,
    ]),
  );
  const short = promptFeeds(
    model,
    images,
    asked.map(({ question }) => promptOf(model, question)),
    { ...room, tokens: 60 },
  );
  calls.note("promptFeeds", [short.ids.shape, short.ids.data]);
  for (const [prefix, tokens] of [
    [0, 1],
    [0, 256],
    [0, 257],
    [5, 261],
    [5, 262],
    [5, 600],
    [100, 2000],
  ])
    await calls.of(capacityFor, prefix, tokens);

  /** A reader that says tokens, and what it is given. */
  const saying = (tokens: readonly number[], atOnce: number) => {
    const log: string[] = [];
    let at = 0;
    const speech = (count: number, noise?: Float32Array) => {
      const said = tokens.slice(at, at + count);
      at += count;
      const logits = Float32Array.from({ length: said.length * 16 }, (_, i) =>
        said[i >> 4] === (i & 15) ? 2 : -1,
      );
      if (noise)
        log.push(`noise of ${noise.length}, ${noise.every((value) => value === 0) ? "none" : "some"}`);
      return { tokens: said, logits };
    };
    const reader = {
      atOnce,
      begin: async (image: Float32Array, ids: readonly number[]) => {
        log.push(`begin ${image.length} ${ids}`);
        return speech(1).logits;
      },
      say: async (token: number, noise: Float32Array) => {
        log.push(`say after ${token}`);
        return speech(atOnce, noise);
      },
    };
    return { reader, log };
  };
  const small = {
    language: { config: { vocabulary: 16 } },
    template: { end: "end" },
    tokenizer: { encode: () => [7, 8] },
  };
  for (const [tokens, atOnce, most, temperature] of [
    [[3, 4, 7, 8, 5], 1, 9, 0],
    [[3, 4, 7, 8, 5], 2, 9, 0],
    [[3, 4, 7, 8, 5], 4, 9, 0],
    [[3, 4, 7, 8, 5], 2, 2, 0],
    [[3, 4, 5, 6, 9], 2, 4, 0],
    [[7, 8], 1, 3, 0],
    [[7, 7, 8, 8], 1, 4, 0],
    [[3, 4, 5, 6], 2, 3, 0.5],
    [[3], 1, 1, 0],
  ] as const) {
    const { reader, log } = saying(tokens, atOnce);
    const choosing = { most, temperature, rng: new Rng(1) };
    await calls.once(`${tokens} by ${atOnce}, at most ${most}, temperature ${temperature}`, async () =>
      (
        await generate(
          small as never,
          reader as never,
          new Float32Array(2),
          { ids: [1, 2], start: 0, answerFrom: 2 },
          choosing,
        )
      ).slice(0, temperature === 0 ? most : 1),
    );
    calls.note("  asked", log);
  }
  const reader = await Reader.open(model, { start: 0, capacity: 60 }, { engine: "eager" });
  const image = (await questions.load(0, new Rng(0))).image;
  calls.note("reader", [reader.atOnce, reader.engine]);
  const { ids } = promptOf(model, "what is it?");
  const noise = new Float32Array(reader.atOnce * 256);
  const steps: [string, () => Promise<unknown>][] = [
    ["begin", async () => (await reader.begin(image, ids)).length],
    ["on", async () => (await reader.on([65, 66])).length],
    ["say", async () => (await reader.say(65, noise)).tokens.length],
    ["a long text", async () => (await reader.begin(image, [...ids, ...Array(30).fill(65)])).length],
    ["too long a text", () => reader.on(Array(40).fill(65))],
    ["begin again", async () => (await reader.begin(image, ids)).length],
    ["up to the end", async () => (await reader.on(Array(60 - ids.length).fill(65))).length],
    ["behind the end", () => reader.say(65, noise)],
  ];
  for (const [what, use] of steps) await calls.once(what, use);
  await reader.dispose();

  for (const [what, use] of [
    ["no model", () => ask({} as never, image, "what?")],
    ["no image", () => ask(model, 7 as never, "what?")],
    ["no question", () => ask(model, image, "")],
    ["blanks", () => ask(model, image, " \n")],
    ["too few values", () => ask(model, image.subarray(1), "what?")],
    ["no tokens", () => ask(model, image, "what?", { maxTokens: 0 })],
    ["another option", () => ask(model, image, "what?", { top: 3 } as never)],
  ] as const)
    await calls.once(`ask with ${what}`, use);
  const brief = await speaker({ maxPositions: 40 });
  await calls.once("ask beyond the positions", () =>
    ask(brief, image, "what is it, and where is it, and why?", { maxTokens: 20, engine: "eager" }),
  );
  const answers = [];
  for (const options of [{}, { temperature: 2 }, { temperature: 2 }, { temperature: 2, seed: 9 }])
    answers.push(await ask(model, image, "what is it?", { maxTokens: 5, engine: "eager", ...options }));
  calls.note("the same stream, the same answer", [
    answers[1] === answers[2],
    answers.every((one) => typeof one === "string"),
  ]);
  const two = await Promise.all(
    ["what is it?", "where is it?"].map((question) =>
      ask(model, image, question, { maxTokens: 3, engine: "eager" }),
    ),
  );
  calls.note("two at once", two.length);

  const evaluated = await evaluateAnswers(
    model,
    questions,
    { engine: "eager", batchSize: 4 },
    {
      recipe: "mine",
      seed: 4,
    },
  );
  const columns = evaluated.table.schema.fields.map(({ name }) => {
    const values = Array.from(evaluated.table.getChild(name)!.toArray() as ArrayLike<never>);
    return [name, name === "commit" ? "its" : name === "logLikelihood" ? rough(values) : values];
  });
  for (const column of columns) calls.note("evaluateAnswers", column);
  calls.note("by kind", evaluated.byKind);
  for (const [what, use] of [
    ["no model", () => evaluateAnswers({} as never, questions)],
    ["no questions", () => evaluateAnswers(model, [] as never)],
    ["another size", () => evaluateAnswers(model, toy.questions(1, 2, { size: 32 }))],
  ] as const)
    await calls.does(`evaluateAnswers with ${what}`, async () => (await use()).right);
  const table = new AnswerEvaluation(
    {} as never,
    new Map([
      ["what", { right: 50, questions: 4 }],
      ["where", { right: 100 / 3, questions: 6 }],
    ]),
  );
  calls.note("printed", [table.right, String(table), inspect(table)]);
  calls.approve("train/answers");
});

test("steps, functions and language models on an engine", async () => {
  const calls = new Calls();
  const row = (...numbers: number[]): Feeds => ({
    x: { data: Float32Array.from(numbers), shape: [numbers.length / 2, 2] },
  });
  const squareOf = ({
    batches = 1,
    decay,
    clip,
  }: {
    batches?: number;
    decay?: number;
    clip?: number;
  } = {}) => {
    const model = new Linear(2, 1, new Rng(0), { bias: false });
    model.weight.load({ shape: [1, 2], data: Float32Array.of(1, 2) });
    const rules = pretrainRules(model, 0.1);
    const optimizer = new AdamW(model, rules, { betas: [0.8, 0.9] });
    const average = decay === undefined ? undefined : new WeightAverage(model, rules, decay);
    const out = {
      inputs: { x: { shape: [1, 2] } },
      body: (fed: Readonly<Record<string, Tensor>>) => ({ y: model.forward(fed.x) }),
    };
    const task = {
      name: "square",
      model,
      rules,
      loss: ({ x }: Readonly<Record<string, Tensor>>) => tf.sum(tf.square(model.forward(x))) as Tensor,
      functions: { out },
    };
    const spec = { task, optimizer, average, batches, clipGradNorm: clip };
    return { model, optimizer, average, spec, stepper: new Stepper(spec, { engine: "eager" }) };
  };
  for (const [what, options, groups] of [
    ["plain", {}, [[row(1, 1)], [row(1, 0)], [row(0, 1)]]],
    [
      "of two batches",
      { batches: 2 },
      [
        [row(1, 1), row(1, 0)],
        [row(0, 1), row(2, 1)],
      ],
    ],
    ["clipped", { clip: 0.01 }, [[row(1, 1)], [row(3, 0)]]],
    ["averaged", { decay: 0.5 }, [[row(1, 1)], [row(1, 0)], [row(0, 1)]]],
    ["with one that is no number", {}, [[row(1, 1)], [row(Number.NaN, 0)], [row(0, 1)]]],
    [
      "with half of one that is none",
      { batches: 2 },
      [
        [row(1, 1), row(Number.POSITIVE_INFINITY, 0)],
        [row(0, 1), row(1, 1)],
      ],
    ],
  ] as const) {
    const { model, optimizer, average, stepper } = squareOf(options);
    calls.note(`before, ${what}`, [stepper.engine, optimizer.step]);
    for (const group of groups) {
      const loss = await stepper.step(group, 0.1);
      const { weight } = await stepper.stream(new Map([["weight", model.weight]])).read(["weight"]);
      calls.note(`  step, ${what}`, [
        loss,
        optimizer.step,
        weight,
        (await stepper.call("out", row(1, 1))).y,
        (await stepper.call("out", row(1, 1), { averaged: true })).y,
      ]);
    }
    calls.note("  behind", (await model.weight.read()).data);
    await stepper.sync();
    calls.note("  synced", [
      (await model.weight.read()).data,
      [...optimizer.moments()].map(([name]) => name),
      average && (await average.state()).get("weight")!.data,
    ]);
    await stepper.expectSame(3);
    await stepper.dispose();
    await stepper.dispose();
    calls.note("  disposed", stepper.engine);
  }
  const { spec, model, optimizer } = squareOf({ decay: 0.5, clip: 3 });
  for (const more of [
    {},
    { scaled: true },
    { shared: "bfloat16" },
    { memory: "recompute" },
    { average: undefined },
  ] as const) {
    const programs = stepPrograms({ ...spec, ...more }, row(1, 1, 2, 2));
    calls.note(
      `programs ${JSON.stringify(more)}`,
      Object.entries(programs).map(([name, { graph, ...rest }]) => [
        name,
        rest,
        Object.keys(graph).length > 0,
      ]),
    );
  }
  const kinds = (graph: object) =>
    JSON.parse(JSON.stringify(graph, (_, value) => (ArrayBuffer.isView(value) ? undefined : value)));
  const traced = traceStep("square", {
    model,
    rules: spec.task.rules,
    betas: optimizer.betas,
    inputs: { x: { shape: [1, 2] } },
    loss: spec.task.loss,
  });
  calls.note(
    "traceStep",
    Object.entries(kinds(traced)).map(([name, value]) => [
      name,
      typeof value === "object" && value !== null ? Object.keys(value).length : value,
    ]),
  );
  const scaled = traceStep("square", {
    model,
    rules: spec.task.rules,
    betas: optimizer.betas,
    inputs: { x: { shape: [1, 2] } },
    loss: spec.task.loss,
    scaled: true,
  });
  calls.note(
    "scaled",
    Object.entries(kinds(scaled)).map(([name, value]) => [
      name,
      typeof value === "object" && value !== null ? Object.keys(value).length : value,
    ]),
  );
  await calls.does("traceFunction", () =>
    Object.keys(traceFunction("out", model, spec.task.functions.out, (path) => `other.${path}`)),
  );

  const forward = await openForward("out", model, spec.task.functions.out, { engine: "eager" });
  calls.note("openForward", [
    forward.engine,
    forward.isGraph,
    await forward.run(row(3, 4)),
    await forward.run(row(0, 1)),
  ]);
  await forward.dispose();
  const forwards = await openForwards(
    model,
    {
      out: spec.task.functions.out,
      add: {
        inputs: { x: { shape: [1, 2] } },
        kept: { sum: [1, 2] },
        body: ({ x }, { sum }) => ({ sum: tf.add(sum, x), before: tf.clone(sum) }),
      },
      tell: { inputs: {}, kept: { sum: [1, 2] }, body: (_, { sum }) => ({ told: tf.mul(sum, 10) }) },
    },
    { engine: "eager" },
  );
  calls.note("openForwards", forwards.engine);
  for (const [name, fed] of [
    ["tell", {}],
    ["add", row(1, 2)],
    ["add", row(3, 4)],
    ["tell", {}],
    ["out", row(1, 1)],
  ] as const)
    calls.note(`  ${name}`, await forwards.run(name, fed));
  await forwards.dispose();

  const config = {
    dim: 16,
    heads: 2,
    hiddenDim: 24,
    normEps: 1e-6,
    ropeTheta: 10000,
    causal: true,
    rope: true,
    rowOrder: "hf",
    depth: 1,
    vocabulary: 256,
  } as const;
  const text = new TextEncoder().encode("to be or not to be, that is the question. é");
  const recipe = {
    steps: 4,
    batchSize: 2,
    length: 6,
    lr: 1e-2,
    minLr: 1e-3,
    warmupSteps: 2,
    weightDecay: 0.1,
    seed: 1,
    engine: "eager",
  } as const;
  for (const more of [{}, { seed: 2 }, { warmupSteps: 0 }, { weightDecay: 0 }, { length: 41 }]) {
    const learning = new LlamaLanguageModel(config, 3);
    const told: unknown[] = [];
    await trainLanguageModel(learning, text, {
      ...recipe,
      ...more,
      onStep: (step, loss, lr) => told.push([step, ...rough([loss]), lr]),
    });
    calls.note(`trained ${JSON.stringify(more)}`, told);
    calls.note(
      "  loss",
      rough([await languageModelLoss(learning, text, 5), await languageModelLoss(learning, text, 43)]),
    );
    learning.dispose();
  }
  const learning = new LlamaLanguageModel(config, 3);
  for (const length of [42, 43, 44])
    await calls.does(`trained on windows of ${length}`, () =>
      trainLanguageModel(learning, text, { ...recipe, length, steps: 1, warmupSteps: 0 }),
    );
  await languageModelLoss(learning, text, 5);
  for (const length of [43, 44])
    await calls.does(
      `loss of windows of ${length}`,
      async () => typeof (await languageModelLoss(learning, text, length)),
    );
  calls.approve("train/steps on an engine");
});
