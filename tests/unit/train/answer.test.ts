import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, mock, test } from "node:test";
import { startBackend, tf } from "../../../src/core/tf";
import { toy } from "../../../src/data";
import * as tracing from "../../../src/graph/trace";
import { classifier, llavit, vit } from "../../../src/models";
import { LlamaLanguageModel } from "../../../src/models/languageModel";
import type { LlavitOptions } from "../../../src/models/llavit/create";
import { promptOf } from "../../../src/models/llavit/prompt";
import { answer } from "../../../src/train/answer";
import * as answerRecipes from "../../../src/train/answerRecipes";
import { ask } from "../../../src/train/ask";
import { AnswerEvaluation, evaluateAnswers } from "../../../src/train/evaluateAnswers";
import { Reader } from "../../../src/train/reader";
import { assertClose, assertSameState, isLuvitError, valuesOf } from "../nn/support";

const folder = mkdtempSync(join(tmpdir(), "luvit-answer-"));
before(() => startBackend());
after(() => rmSync(folder, { recursive: true, force: true }));

const tinySize = 16;
const encoder = { ...vit.toy, imageSize: tinySize, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };

function makeModel(more: Partial<LlavitOptions> = {}, window?: number) {
  const tower = classifier.create({ encoder, classes: 2, seed: 4 });
  const shape = { dim: 24, heads: 4, hiddenDim: 32, normEps: 1e-6, ropeTheta: 10000 };
  const sizes = { ...shape, depth: 2, vocabulary: 256, causal: true, rope: true, rowOrder: "hf" } as const;
  const language = new LlamaLanguageModel({ ...sizes, ...(window && { slidingWindow: window }) }, 5);
  return llavit.create({
    tower,
    language,
    visionQkv: "full",
    visionMask: "bidirectional",
    layers: [1, 2],
    ...more,
  });
}

const set = toy.questions(1, 12, { size: tinySize });
const options = { epochs: 3, batchSize: 4, lr: 3e-3, seed: 7, engine: "eager" } as const;

test("the first stage trains connector and vision matrices, the second all but the tower", async () => {
  for (const [stage, isTrained] of [
    ["align", (path: string) => /^mm_projector|vision_w/.test(path)],
    ["instruct", (path: string) => !path.startsWith("vision_tower")],
  ] as const) {
    const model = await makeModel();
    const was = await model.stateDict();
    await answer(model, set, { ...options, epochs: 1, stage, out: false }).done;
    const now = await model.stateDict();
    for (const [path, { data }] of now) {
      const moved = data.some((x, i) => x !== was.get(path)!.data[i]);
      // The last block's queries of image tokens are read by nobody.
      if (path === "layers.1.attention.vision_wq.weight") continue;
      assert.equal(moved, isTrained(path), `${stage}: ${path}`);
    }
  }
});

test("a run that was stopped goes on to the same weights, bit for bit, and opens as the same model", async () => {
  const whole = await makeModel();
  const { history } = await answer(whole, set, { ...options, out: false }).done;
  assert.ok(history.at(-1)!.loss < history[0].loss, "the loss falls");
  const out = join(folder, "run");
  const first = answer(await makeModel(), set, { ...options, out });
  while (first.history.length < 4) await new Promise((done) => setTimeout(done, 5));
  first.stop();
  assert.ok((await first.done).stopped);
  const second = await makeModel();
  await answer(second, set, { ...options, out, resume: true }).done;
  assertSameState(await second.stateDict(), await whole.stateDict());
  const opened = await llavit.open(out);
  assertSameState(await opened.stateDict(), await whole.stateDict());
  const values = (await set.load(0, undefined as never)).image;
  assert.equal(await ask(opened, values, "what is it?"), await ask(whole, values, "what is it?"));
});

test("what was read is kept while it answers: the same tokens as reading everything anew each time", async () => {
  for (const [visionMask, window] of [
    ["bidirectional", undefined],
    ["causal", undefined],
    ["bidirectional", 5],
    ["causal", 9],
  ] as const) {
    const model = await makeModel({ visionMask }, window);
    await answer(model, set, { ...options, epochs: 2, stage: "instruct", out: false }).done;
    const { image } = await set.load(1, undefined as never);
    const { ids, start } = promptOf(model, set.question(1).question);
    const tokens = [...ids];
    for (let i = 0; i < 6; i++) {
      const logits = valuesOf(() => {
        const images = tf.tensor(image, [1, 3, tinySize, tinySize]);
        const all = model.forward({ images, ids: tf.tensor2d([tokens], [1, tokens.length], "int32") }, start);
        return tf.slice(all, [0, tokens.length - 1, 0], [1, 1, 256]);
      });
      tokens.push(logits.indexOf(Math.max(...logits)));
      if (tokens.at(-1) === 10) break;
    }
    const slow = tokens.slice(ids.length).filter((token) => token !== 10);
    const numTensors = tf.memory().numTensors;
    const fast = await ask(model, image, set.question(1).question, { maxTokens: 6 });
    assert.equal(tf.memory().numTensors, numTensors, "tensors left over");
    assert.equal(fast, Buffer.from(slow).toString("utf8"), `${visionMask}, window ${window}`);
  }
});

test("drawn answers follow from the seed, and may differ from the likeliest", async () => {
  const model = await makeModel();
  const say = (seed: number) =>
    ask(model, set.pixels(0), "what is it?", { temperature: 2, seed, maxTokens: 8 });
  assert.equal(await say(1), await say(1));
  assert.notEqual(await say(1), await say(2));
});

test("likelihoods of choices are those of their tokens and their end", async () => {
  const model = await makeModel();
  const part = set.subset([2, 4]);
  const { table, byKind } = await evaluateAnswers(model, part, { engine: "eager", batchSize: 3 });
  assert.equal(table.numRows, part.question(0).choices.length + part.question(1).choices.length);
  const rows = table.toArray().map((row) => row.toJSON() as Record<string, number & string>);
  for (const { index, question, choice, logLikelihood } of rows) {
    const { image } = await part.load(index, undefined as never);
    const { ids, start, answerFrom } = promptOf(model, question, choice);
    const byHand = valuesOf(() => {
      const images = tf.tensor(image, [1, 3, tinySize, tinySize]);
      const logits = model.forward({ images, ids: tf.tensor2d([[...ids]], [1, ids.length], "int32") }, start);
      const scores = tf.logSoftmax(tf.reshape(logits, [ids.length, 256]));
      const picked = ids
        .slice(answerFrom)
        .map((token, i) => tf.slice(scores, [answerFrom + i - 1, token], [1, 1]));
      return tf.addN(picked);
    });
    assertClose([logLikelihood], byHand, 1e-4, `${question} ${choice}`);
  }
  for (const index of [0, 1]) {
    const own = rows.filter((row) => row.index === index);
    const best = own.reduce((a, b) => (b.logLikelihood > a.logLikelihood ? b : a));
    assert.deepEqual(
      own.filter(({ said }) => said === 1).map(({ choice }) => choice),
      [best.choice],
    );
    assert.equal(byKind.get(best.kind)!.right, best.choice === best.answer ? 100 : 0);
  }
});

test("both stages of the published recipe are accepted, and those of the toy lower the loss", async () => {
  const model = await makeModel();
  for (const recipe of [answerRecipes.align, answerRecipes.instruct]) {
    const run = answer(model, set, {
      ...recipe,
      ...options,
      accumulate: 1,
      lr: recipe.lr,
      epochs: 1,
      out: false,
    });
    await run.done;
  }
  const rates = { batchSize: 4, engine: "eager", out: false } as const;
  const first = await answer(model, set, { ...answerRecipes.alignToy, ...rates }).done;
  const second = await answer(model, set, { ...answerRecipes.instructToy, ...rates }).done;
  assert.ok(second.history.at(-1)!.loss < first.history[0].loss);
});

test("what does not fit is refused by name", async () => {
  const model = await makeModel();
  const large = toy.questions(1, 8);
  assert.throws(
    () => answer(model, large, { ...options, out: false }),
    isLuvitError("bad-argument", "64 px", "16 px"),
  );
  assert.throws(
    () => answer(model, set, { ...options, stage: "all" as never }),
    isLuvitError("bad-argument", "stage"),
  );
  await assert.rejects(
    ask(model, "no-such-file.png", "what?"),
    isLuvitError("bad-image", "no-such-file.png"),
  );
  for (const question of ["", " \n", 7 as never])
    await assert.rejects(
      ask(model, set.pixels(0), question),
      isLuvitError("bad-argument", "a question in words"),
    );
  await assert.rejects(
    evaluateAnswers(model, {} as never),
    isLuvitError("bad-argument", "questions about images"),
  );
});

test("questions of all kinds count the same in what is right of all, which is printed below its kinds", () => {
  const kinds = new Map([
    ["what", { right: 50, questions: 2 }],
    ["where", { right: 100, questions: 6 }],
  ]);
  const evaluation = new AnswerEvaluation({} as never, kinds);
  assert.equal(evaluation.right, 87.5);
  const lines = String(evaluation)
    .split("\n")
    .map((line) => line.trim().split(/\s{2,}/));
  assert.deepEqual(
    lines.filter(([first]) => ["what", "where", "all"].includes(first)),
    [
      ["what", "50.0", "2"],
      ["where", "100.0", "6"],
      ["all", "87.5"],
    ],
  );
});

test("an answer that is told nothing has 64 tokens at most", async () => {
  const model = await makeModel();
  const { ids } = promptOf(model, "what is it?");
  Object.assign(model.language.config, { maxPositions: ids.length + 62 });
  await assert.rejects(
    ask(model, set.pixels(0), "what is it?"),
    isLuvitError("bad-argument", `${ids.length + 63} tokens`, `at most ${ids.length + 62}`),
  );
});

test("another engine, or the same one otherwise, reads the model anew; the same again does not", async () => {
  const model = await makeModel();
  const traced = mock.method(tracing, "trace");
  const graphs = async (engine: object) => {
    const before = traced.mock.callCount();
    await ask(model, set.pixels(0), "what is it?", { maxTokens: 2, ...engine });
    return traced.mock.callCount() - before;
  };
  const [eager, one, two] = [
    { engine: "eager" },
    { engine: "onnxruntime", threads: 1 },
    { engine: "onnxruntime", threads: 2 },
  ];
  const found: number[] = [];
  for (const engine of [eager, eager, one, one, two, eager]) found.push(await graphs(engine));
  traced.mock.restore();
  assert.deepEqual(found, [3, 0, 3, 0, 3, 3]);
});

test("what cannot answer is closed, and asked again it is opened anew", async () => {
  const model = await makeModel();
  const disposed = mock.method(Reader.prototype, "dispose");
  const opened = mock.method(Reader, "open");
  const say = () => ask(model, set.pixels(1), "what is it?", { maxTokens: 2, engine: "eager" });
  const generating = mock.method(Reader.prototype, "begin", async () =>
    Promise.reject(new Error("no engine")),
  );
  await assert.rejects(say(), /no engine/);
  const before = disposed.mock.callCount();
  assert.ok(before > 0, "the reader that failed, and one that was open before");
  await assert.rejects(say(), /no engine/);
  assert.deepEqual([disposed.mock.callCount(), opened.mock.callCount()], [before + 1, 2]);
  generating.mock.restore();
  await say();
  await say();
  assert.deepEqual([disposed.mock.callCount(), opened.mock.callCount()], [before + 1, 3]);
  mock.restoreAll();
});
