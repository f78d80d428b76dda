import { before, test } from "node:test";
import { inspect } from "node:util";
import { AnswerAttention, answerAttention } from "../../../../src/analysis/answers/answerAttention";
import { answeredPrompt, feedsOf, seenImage, wordsOf } from "../../../../src/analysis/answers/spoken";
import { VisualTokens, visualTokens } from "../../../../src/analysis/answers/visualTokens";
import { startBackend } from "../../../../src/core/tf";
import { llavaTemplate } from "../../../../src/models/llavit/prompt";
import { Calls } from "../../../support/calls";
import { tinyLlavit } from "../../models/llavit/support";

before(() => startBackend({ backend: "wasm" }));

const eager = { engine: "eager" } as const;
const image = { values: new Float32Array(3), side: 12, grid: { rows: 1, columns: 2 } };

test("where answers look and what patches say is approved", async () => {
  const calls = new Calls();
  for (const [name, options] of Object.entries({
    causal: { visionMask: "causal" },
    bidirectional: { visionMask: "bidirectional", visionQkv: "full", template: llavaTemplate },
  } as const)) {
    const model = await tinyLlavit(options as never);
    const side = model.vision_tower.config.imageSize;
    const values = Float32Array.from({ length: 3 * side * side }, (_, i) => Math.sin(0.37 * i));
    calls.title(name);
    const looked = async (given: unknown, question: unknown, more: object = {}) => {
      const found = await answerAttention(model, given as never, question as never, { ...eager, ...more });
      return {
        text: String(found),
        tokens: found.tokens,
        grid: found.grid,
        layers: found.layers,
        at: [found.at(0, "layers.1"), found.at(found.tokens.length - 1, "layers.2", 3)],
      };
    };
    for (const answer of ["red", "", "ü", "two words"])
      await calls.once(`answer ${answer}`, () => looked(values, "what is it?", { answer }));
    const said = async (answers: unknown, given: unknown = values) => {
      const found = await visualTokens(model, given as never, answers as never, eager);
      return {
        text: String(found),
        sites: found.sites,
        at: found.sites.map(({ site }) => found.at(site, 4)),
        of: found.of("layers.1.out", (answers as string[]).at(-1)!),
      };
    };
    for (const answers of [["red", "blue"], ["x"], ["a", "b", "ü", "d"]])
      await calls.once(`says ${answers}`, () => said(answers));
    for (const answers of [["red", "rose", "blue"], [], [""], ["", "a"], "red", [1]])
      await calls.once(`says ${JSON.stringify(answers)}`, () => said(answers));
    for (const given of [new Float32Array(5), {}]) {
      await calls.once("says of what is no image", () => said(["a", "b"], given));
      await calls.once("answers to what is no image", () => looked(given, "what?", { answer: "a" }));
    }
    for (const [question, more] of [
      [3, {}],
      ["", { answer: "a" }],
      ["x", { answer: 3 }],
      ["x", { layer: "a" }],
    ] as const)
      await calls.once(`question ${JSON.stringify([question, more])}`, () => looked(values, question, more));
    await calls.once("no model", () => answerAttention({} as never, values as never, "x"));
    await calls.once("no model that says", () => visualTokens({} as never, values as never, ["x"]));
    await calls.does("seen", async () => {
      const seen = await seenImage("here", model, values as never);
      return { ...seen, feeds: feedsOf(seen, [1, 2, 300]) };
    });
    for (const [question, answer] of [
      ["what?", "red"],
      ["", ""],
      ["ü\n", "a b"],
    ])
      await calls.does(`prompt ${JSON.stringify([question, answer])}`, () =>
        answeredPrompt("here", model, question, answer),
      );
    await calls.does("words", () => wordsOf(model, [72, 105, 1, 2, 255]));
  }
  calls.approve("analysis/answers/models");
});

test("what is found of answers prints and tells its parts", async () => {
  const calls = new Calls();
  const weights = (step: number) => Float32Array.from({ length: 2 * 3 * 2 }, (_, i) => i * step);
  const looked = new AnswerAttention("a\n?", "b\t", ["b", "</s>"], image, [
    { layer: "layers.0", heads: 3, weights: weights(1) },
    { layer: "layers.1", heads: 3, weights: weights(10) },
  ]);
  for (const [token, layer, head] of [
    [0, "layers.0"],
    [1, "layers.0"],
    [1, "layers.1", 2],
    [0, "layers.1", 0],
    [2, "layers.0"],
    [-1, "layers.0"],
    [0.5, "layers.0"],
    [0, "layers.2"],
    [0, "layers.0", 3],
    [0, "layers.0", -1],
  ] as const)
    await calls.does(`at ${token} ${layer} ${head}`, () => looked.at(token, layer, head));
  calls.note("text", [String(looked), inspect(looked)]);
  calls.note("grid", looked.grid);
  const tokens = new VisualTokens(["red", "ü", "c"], image, [
    { site: "embed", likelihood: Float32Array.of(0.1, 0.5, 0.4, 0.3, 0.3, 0.2) },
    { site: "layers.0.out", likelihood: Float32Array.of(1, 2, 3, 6, 5, 4) },
  ]);
  for (const [site, patch] of [
    ["embed", 0],
    ["embed", 1],
    ["layers.0.out", 0],
    ["layers.0.out", 1],
    ["x", 0],
  ] as const)
    await calls.does(`at ${site} ${patch}`, () => tokens.at(site, patch));
  for (const [site, answer] of [
    ["embed", "red"],
    ["layers.0.out", "c"],
    ["embed", "blue"],
    ["x", "red"],
  ] as const)
    await calls.does(`of ${site} ${answer}`, () => tokens.of(site, answer));
  calls.note("text", [String(tokens), inspect(tokens)]);
  calls.note("grid", tokens.grid);
  calls.approve("analysis/answers/parts");
});
