import assert from "node:assert/strict";
import { before, test } from "node:test";
import { answerAttention, visualTokens } from "../../../../src/analysis";
import { answeredPrompt } from "../../../../src/analysis/answers/spoken";
import { startBackend, type Tensor, tf } from "../../../../src/core/tf";
import type { Llavit } from "../../../../src/models/llavit/llavit";
import { llavaTemplate, promptOf } from "../../../../src/models/llavit/prompt";
import { ask } from "../../../../src/train/ask";
import { tinyLlavit } from "../../models/llavit/support";
import { assertClose, isLuvitError } from "../../nn/support";

before(() => startBackend());

/** A model whose image stands behind a text, and the values of one of its images. */
async function seeing(visionMask: "causal" | "bidirectional") {
  const model = await tinyLlavit({ visionMask, visionQkv: "full", template: llavaTemplate });
  const side = model.vision_tower.config.imageSize;
  const image = Float32Array.from({ length: 3 * side * side }, (_, i) => Math.sin(0.37 * i));
  return { model, image, side };
}

/** What a sequence gives when everything is read at once, op by op. */
function readAtOnce(model: Llavit, image: Float32Array, ids: readonly number[], start: number) {
  const side = model.vision_tower.config.imageSize;
  const found = new Map<string, Float32Array>();
  const hidden = tf.tidy(() => {
    const images = tf.tensor(image, [1, 3, side, side]);
    const tokens = tf.tensor(Int32Array.from(ids), [1, ids.length], "int32");
    const tap = (name: string, value: Tensor) => {
      found.set(name, value.dataSync<"float32">().slice());
    };
    const last = model.hidden({ images, ids: tokens }, start, { tap });
    return tf.softmax(model.language.logits(last)).dataSync<"float32">().slice();
  });
  return { found, chances: hidden };
}

for (const engine of ["eager", "onnxruntime"] as const)
  test(`where each token of an answer looks is the row of the token before it, ${engine}`, async () => {
    const { model, image } = await seeing("bidirectional");
    const looked = await answerAttention(model, image, "what?", { answer: "red", engine });
    const { ids, start, answerFrom } = promptOf(model, "what?", "red");
    const { found } = readAtOnce(model, image, ids, start);
    assert.deepEqual(looked.tokens, ["r", "e", "d", ..."</s>"]);
    assert.deepEqual(
      looked.layers.map(({ layer }) => layer),
      ["layers.0", "layers.1", "layers.2"],
    );
    const length = ids.length;
    for (const [token] of looked.tokens.entries())
      for (const head of [0, 3]) {
        const pattern = found.get("layers.1.attention.pattern")!;
        const from = (head * length + answerFrom + token - 1) * length + start;
        const expected = pattern.subarray(from, from + model.patches);
        assertClose(looked.at(token, "layers.1", head), expected, 1e-5);
      }
    const mean = [0, 1, 2, 3].map((head) => looked.at(0, "layers.2", head)[4]);
    assertClose([looked.at(0, "layers.2")[4]], [mean.reduce((a, b) => a + b) / 4], 1e-6);
  });

test("an answer that is not given is the model's own", async () => {
  const { model, image } = await seeing("causal");
  const said = await ask(model, image, "what?");
  const looked = await answerAttention(model, image, "what?", { engine: "eager" });
  assert.equal(looked.answer, said);
});

for (const engine of ["eager", "onnxruntime"] as const)
  test(`what patches say behind the last block is what the model would say there, ${engine}`, async () => {
    for (const mask of ["causal", "bidirectional"] as const) {
      const { model, image } = await seeing(mask);
      const said = await visualTokens(model, image, ["red", "blue", "green"], { engine });
      // Of a longer prompt the tokens of the image say the same: they do not see what comes later.
      const { ids, start } = promptOf(model, "quite another question?");
      const { chances } = readAtOnce(model, image, ids, start);
      for (const [answer, letter] of [["red", "r"], ["blue", "b"]] as const) // biome-ignore format: pairs
        for (let patch = 0; patch < model.patches; patch++) {
          const expected = chances[(start + patch) * 256 + letter.charCodeAt(0)];
          assertClose([said.of("layers.2.out", answer)[patch]], [expected], 1e-5);
        }
    }
  });

test("the likeliest answer of a patch is that of the greatest likelihood, at every place", async () => {
  const { model, image } = await seeing("causal");
  const said = await visualTokens(model, image, ["red", "blue"], { engine: "eager" });
  assert.deepEqual(
    said.sites.map(({ site }) => site),
    ["embed", "layers.0.out", "layers.1.out", "layers.2.out"],
  );
  for (const { site } of said.sites) {
    const [red, blue] = [said.of(site, "red")[5], said.of(site, "blue")[5]];
    const expected = { answer: red >= blue ? "red" : "blue", likelihood: Math.max(red, blue) };
    assert.deepEqual(said.at(site, 5), expected);
  }
});

test("what cannot be asked is refused by name", async () => {
  const { model, image } = await seeing("causal");
  const code = "bad-argument";
  await assert.rejects(
    visualTokens(model, image, ["purple", "red", "pink"]),
    isLuvitError(code, '"purple", "pink"', "the same first token"),
  );
  await assert.rejects(visualTokens(model, image, []), isLuvitError(code, "visualTokens"));
  const said = await visualTokens(model, image, ["red"], { engine: "eager" });
  assert.throws(() => said.of("layers.9.out", "red"), isLuvitError(code, "layers.9.out", "layers.2.out"));
  assert.throws(() => said.of("embed", "mauve"), isLuvitError(code, "mauve", "red"));
  const nothing = await answerAttention(model, image, "what?", { answer: "", engine: "eager" });
  assert.deepEqual(nothing.tokens, [..."</s>"], "the end alone");
  const looked = await answerAttention(model, image, "what?", { answer: "no", engine: "eager" });
  assert.throws(() => looked.at(99, "layers.0"), isLuvitError(code));
  assert.throws(() => looked.at(0, "layers.0", 4), isLuvitError(code));
  assert.throws(() => looked.at(0, "blocks.0"), isLuvitError(code, "blocks.0", "layers.0"));
});

test("an empty answer is its end alone, and refused where that has no token either", async () => {
  const { model } = await seeing("causal");
  const { ids, answerFrom } = answeredPrompt("here", model, "what?", "");
  assert.deepEqual(model.tokenizer.decode(ids.slice(answerFrom)), model.template.end);
  model.template = { ...model.template, end: "" };
  assert.throws(
    () => answeredPrompt("here", model, "what?", ""),
    isLuvitError("bad-argument", 'here: the answer "" has no token, and neither has its end'),
  );
  assert.equal(
    answeredPrompt("here", model, "what?", "no").ids.length,
    promptOf(model, "what?").ids.length + 2,
  );
});
