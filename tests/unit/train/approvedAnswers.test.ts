import { before, test } from "node:test";
import { inspect } from "node:util";
import { Rng } from "../../../src/core/rng";
import { startBackend } from "../../../src/core/tf";
import { toy } from "../../../src/data";
import { classifier, llavit } from "../../../src/models";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import { promptOf } from "../../../src/models/llavit/prompt";
import { ask } from "../../../src/train/ask";
import { AnswerEvaluation, evaluateAnswers } from "../../../src/train/evaluateAnswers";
import { generate } from "../../../src/train/generate";
import { answerFeeds, promptFeeds, roomFor } from "../../../src/train/questions";
import { capacityFor, Reader } from "../../../src/train/reader";
import { Calls } from "../../support/calls";
import { rough, tinyViT } from "./support";

before(async () => void (await startBackend({ backend: "cpu" })));

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
    ["begin once more", async () => (await reader.begin(image, ids)).length],
    ["one", async () => (await reader.on([65])).length],
    ["and the rest", async () => (await reader.on(Array(59 - ids.length).fill(65))).length],
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
