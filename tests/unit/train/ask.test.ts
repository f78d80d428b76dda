import assert from "node:assert/strict";
import { afterEach, before, describe, mock, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { toy } from "../../../src/data";
import * as tracing from "../../../src/graph/trace";
import { classifier, llavit, vit } from "../../../src/models";
import { type LanguageModelConfig, LlamaLanguageModel } from "../../../src/models/languageModel";
import type { LlavitOptions } from "../../../src/models/llavit/create";
import type { Llavit } from "../../../src/models/llavit/llavit";
import { endOf, promptOf } from "../../../src/models/llavit/prompt";
import { placesOf } from "../../../src/models/llavit/reading";
import * as train from "../../../src/train";
import { ask } from "../../../src/train/ask";
import { generate } from "../../../src/train/generate";
import { capacityFor, Reader } from "../../../src/train/reader";
import { assertClose, isLuvitError, valuesOf } from "../nn/support";

before(() => startBackend());
afterEach(() => mock.restoreAll());

const size = 16;
const encoder = { ...vit.toy, imageSize: size, dim: 16, depth: 2, heads: 2, mlpRatio: 2 };
const set = toy.questions(1, 6, { size });

async function makeModel(more: Partial<LlavitOptions> = {}, shape: Partial<LanguageModelConfig> = {}) {
  const tower = classifier.create({ encoder, classes: 2, seed: 4 });
  const sizes = {
    dim: 24,
    heads: 4,
    hiddenDim: 32,
    normEps: 1e-6,
    ropeTheta: 10000,
    depth: 2,
    vocabulary: 256,
  };
  const config = { ...sizes, causal: true, rope: true, rowOrder: "hf", ...shape } as const;
  const language = new LlamaLanguageModel(config, 5);
  for (const [, { value, shape }] of language.namedParameters())
    value.assign(tf.add(tf.mul(value, 3), tf.randomUniform([...shape], -0.02, 0.02, "float32", 3))); // tokens that differ
  return llavit.create({ tower, language, visionQkv: "full", layers: [1, 2], ...more });
}

/** Logits behind the last of these tokens, everything read anew: [V]. */
function readWhole(model: Llavit, image: Float32Array, ids: readonly number[], start: number): Float32Array {
  const { vocabulary } = model.language.config;
  return valuesOf(() => {
    const images = tf.tensor(image, [1, 3, size, size]);
    const logits = model.forward({ images, ids: tf.tensor([...ids], [1, ids.length], "int32") }, start);
    return tf.slice(logits, [0, ids.length - 1, 0], [1, 1, vocabulary]);
  });
}

const models: Record<string, () => Promise<Llavit>> = {
  "patches that see each other, projections of their own": () => makeModel({ visionMask: "bidirectional" }),
  "a causal model, text before its image, rows in Meta's order": () =>
    makeModel({ template: llavit.llavaTemplate }, { rowOrder: "meta" }),
  "grouped heads, biases, norms of heads, a sliding window": () =>
    makeModel(
      { visionMask: "bidirectional", visionQkv: "lora" },
      { kvHeads: 2, qkvBias: true, qkNorm: true, slidingWindow: 7 },
    ),
  "a token table that is the output layer, patches that see themselves alone": () =>
    makeModel({ visionMask: "none" }, { tiedEmbeddings: true }),
};

for (const engine of ["eager", "onnxruntime"] as const) {
  describe(`read on ${engine}, what was read being kept`, () => {
    for (const [name, make] of Object.entries(models)) {
      test(`every token has the logits of the whole sequence read anew: ${name}`, async () => {
        const model = await make();
        const { image } = await set.load(1, undefined as never);
        const text = "what is behind the yellow star that is left of the fish? ".repeat(2);
        // Fewer tokens than are read at a time, as many, one more, and several times as many.
        const reader = await Reader.open(
          model,
          { start: promptOf(model, "x").start, capacity: 260 },
          { engine },
        );
        for (const length of [1, 5, 31, 32, 33, 64, 97]) {
          const { ids, start } = promptOf(model, text.slice(0, length));
          const tokens = [...ids];
          let logits = await reader.begin(image, tokens);
          for (let i = 0; i < 4; i++) {
            const expected = readWhole(model, image, tokens, start);
            assertClose(logits, expected, 5e-5, `${length} letters, token ${i}`);
            tokens.push(expected.indexOf(Math.max(...expected)));
            logits = await reader.on([tokens.at(-1)!]);
          }
        }
        await reader.dispose();
      });
    }
  });
}

for (const engine of ["eager", "onnxruntime"] as const) {
  test(`tokens said together are those said one by one, drawn ones too, until there is no room: ${engine}`, async () => {
    const model = await makeModel({ visionMask: "bidirectional" }, { slidingWindow: 9 });
    const { vocabulary } = model.language.config;
    const { image } = await set.load(1, undefined as never);
    const { ids, start } = promptOf(model, "what is behind the yellow star?");
    const capacity = ids.length + 7;
    const reader = await Reader.open(model, { start, capacity }, { engine });
    const { atOnce } = reader;
    assert.ok(atOnce > 1 && 7 % atOnce > 0);
    const noise = new Float32Array(atOnce * vocabulary);
    noise[vocabulary + 65] = 1e3; // the second token is drawn
    const tokens = [...ids];
    const first = await reader.begin(image, ids);
    tokens.push(first.indexOf(Math.max(...first)));
    while (tokens.length < capacity + 1) {
      const { tokens: said, logits } = await reader.say(tokens.at(-1)!, noise);
      assert.equal(said.length, Math.min(atOnce, capacity + 1 - tokens.length));
      for (const [i, token] of said.entries()) {
        const expected = readWhole(model, image, tokens, start);
        assertClose(logits.subarray(i * vocabulary, (i + 1) * vocabulary), expected, 5e-5);
        assert.equal(token, i === 1 ? 65 : expected.indexOf(Math.max(...expected)));
        tokens.push(token);
      }
    }
    await assert.rejects(reader.say(65, noise), isLuvitError("bad-argument", `${capacity} tokens`));
    await reader.dispose();
  });
}

test("drawn tokens come as often as the probabilities of logits by temperature say", async () => {
  const model = await makeModel();
  const { image } = await set.load(1, undefined as never);
  const prompt = promptOf(model, "where is it?");
  const { ids, start } = prompt;
  const logits = readWhole(model, image, ids, start);
  const reader = await Reader.open(model, { start, capacity: 200 });
  const draws = 400;
  const mean = logits.reduce((a, b) => a + b) / logits.length;
  // So low that some tokens are far likelier than others.
  const temperature = Math.sqrt(logits.reduce((sum, x) => sum + (x - mean) ** 2, 0) / logits.length) / 4;
  const weights = Array.from(logits, (x) => Math.exp((x - Math.max(...logits)) / temperature));
  const sum = weights.reduce((a, b) => a + b, 0);
  const counts = new Float64Array(weights.length);
  const choosing = { most: 1, temperature, rng: new Rng(3) };
  const end = endOf(model)[0];
  for (let i = 0; i < draws; i++)
    counts[(await generate(model, reader, image, prompt, choosing))[0] ?? end]++;
  await reader.dispose();
  const expected = weights.map((weight) => (draws * weight) / sum);
  assert.ok(expected.filter((count) => count > 10).length >= 4);
  for (const [token, count] of expected.entries())
    assert.ok(Math.abs(counts[token] - count) < 4.5 * Math.sqrt(count) + 2, `token ${token}: ${count}`);
});

test("an answer is what reading everything anew for each token gives", async () => {
  const model = await makeModel({ visionMask: "bidirectional" });
  const { image } = await set.load(2, undefined as never);
  const { ids, start } = promptOf(model, "where is it?");
  const [end] = endOf(model);
  const slow: number[] = [];
  while (slow.length < 9) {
    const logits = readWhole(model, image, [...ids, ...slow], start);
    const token = logits.indexOf(Math.max(...logits));
    if (token === end) break;
    slow.push(token);
  }
  assert.ok(slow.length > 2);
  assert.equal(await ask(model, image, "where is it?", { maxTokens: 9 }), Buffer.from(slow).toString("utf8"));
});

/** Graphs that are made from here on. */
function countGraphs(): () => number {
  const traced = mock.method(tracing, "trace");
  return () => traced.mock.callCount();
}

test("the first question makes three graphs, and no other question any", async () => {
  const model = await makeModel({ visionMask: "bidirectional" });
  const count = countGraphs();
  for (let i = 0; i < 12; i++) {
    const question = "what is behind the star?".repeat(1 + (i % 3)).slice(i);
    await ask(model, set.pixels(i % set.length), question, { maxTokens: 1 + i });
    assert.equal(count(), 3, `question ${i}`);
  }
  await Promise.all([1, 2, 3].map((i) => ask(model, set.pixels(i), "what is it?", { maxTokens: 2 })));
  assert.equal(count(), 3, "asked at the same time");
  await ask(model, set.pixels(0), "drawn?", { temperature: 1, maxTokens: 3 });
  assert.equal(count(), 3, "drawn");
});

test("weights, mask or words around a question that changed are answered with", async () => {
  const model = await makeModel();
  const count = countGraphs();
  const say = () => ask(model, set.pixels(0), "what is it?", { maxTokens: 12 });
  const first = await say();
  const { value } = model.mm_projector.layers[2].weight;
  value.assign(tf.mul(value, -40));
  const second = await say();
  assert.notEqual(second, first);
  assert.equal(count(), 6);
  model.template = { ...model.template, before: "image: " };
  const third = await say();
  assert.equal(count(), 9);
  assert.equal(third, await say());
  assert.equal(count(), 9);
});

test("a question for which there is no room gets more, once", async () => {
  assert.deepEqual(
    [capacityFor(10, 5), capacityFor(10, 266), capacityFor(10, 267), capacityFor(10, 2000)],
    [266, 266, 522, 2058],
  );
  const model = await makeModel();
  const count = countGraphs();
  const long = "is the star left of the moon? ".repeat(12);
  await ask(model, set.pixels(0), long, { maxTokens: 2 });
  await ask(model, set.pixels(1), `${long} And the fish?`, { maxTokens: 2 });
  assert.equal(count(), 3);
});

test("tensors are not left over", async () => {
  const model = await makeModel();
  const say = (i: number) => ask(model, set.pixels(i), "what is it?", { maxTokens: 3, engine: "eager" });
  await say(0);
  const { numTensors } = tf.memory();
  await say(1);
  assert.equal(tf.memory().numTensors, numTensors);
});

test("each token sees what is before it, in a window only so much; what fills up stands nowhere", () => {
  const { positions, places, mask } = placesOf(2, 2, { width: 3, capacity: 5, window: 3 });
  assert.deepEqual([...positions], [2, 3, 0]);
  assert.deepEqual([...places], [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]);
  const seen = Array.from(mask, (x) => Number(x === 0));
  assert.deepEqual(
    [seen.slice(0, 5), seen.slice(5, 10)],
    [
      [1, 1, 1, 0, 0],
      [0, 1, 1, 1, 0],
    ],
  );
  assert.ok(mask.every(Number.isFinite));
});

test("a model whose numbers are none says so, and can be asked again when they are some", async () => {
  const model = await makeModel();
  const { value } = model.mm_projector.layers[2].bias!;
  const was = value.clone();
  value.assign(tf.fill(value.shape, Number.NaN));
  await assert.rejects(ask(model, set.pixels(0), "what?"), isLuvitError("non-finite"));
  value.assign(was);
  assert.equal(typeof (await ask(model, set.pixels(0), "what?", { maxTokens: 2 })), "string");
});

test("an engine that cannot be is refused by name", async () => {
  const model = await makeModel();
  await assert.rejects(
    ask(model, set.pixels(0), "what?", { engine: "cuda" as never }),
    isLuvitError("bad-argument", "engine"),
  );
});

test("a language model reads no more tokens than it has positions for", async () => {
  const model = await makeModel({}, { maxPositions: 40 });
  const { ids, start } = promptOf(model, "what is it?");
  const most = 41 - ids.length;
  assert.ok(most > 8 && ids.length < 40);
  const whole = await makeModel();
  const image = set.pixels(0);
  assert.equal(
    await ask(model, image, "what is it?", { maxTokens: most }),
    await ask(whole, image, "what is it?", { maxTokens: most }),
  );
  await assert.rejects(
    ask(model, image, "what is it?", { maxTokens: most + 1 }),
    isLuvitError("bad-argument", "maxTokens: 41 tokens", "at most 40 (max_position_embeddings"),
  );
  const values = new Float32Array(3 * size * size);
  assert.throws(
    () => readWhole(model, values, new Array(41).fill(1), start),
    isLuvitError("bad-argument", "41 tokens"),
  );
  await assert.rejects(
    train.evaluateAnswers(await makeModel({}, { maxPositions: 20 }), set),
    isLuvitError("bad-argument", "at most 20"),
  );
});
