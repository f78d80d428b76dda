import assert from "node:assert/strict";
import { test } from "node:test";
import { attentionMask, renderSvg } from "../../../src/figures";
import { marksOf, wordsOf } from "../../../src/figures/interactive/browser/marks";
import { placeFigure } from "../../../src/figures/svg/place";
import { AttentionMask, prefixMask } from "../../../src/nn/attentionMask";
import { isLuvitError } from "../nn/support";

const flags = [0, 1, 1, 1, 0, 0];
const mask = prefixMask({ image: [flags] });
const parts = [
  { name: "image", start: 1, end: 4 },
  { name: "question", start: 4, end: 6 },
];

test("a cell tells what comes before from what comes later, and is blank where nothing is seen", () => {
  const [{ z }] = attentionMask(mask).data;
  for (let query = 0; query < 6; query++)
    for (let key = 0; key < 6; key++) {
      const expected = mask.sees(0, query, key) ? Number(key > query) : null;
      assert.equal(z![query][key], expected, `${query} ${key}`);
    }
});

test("pointing at a cell names both tokens, their parts and their words, and says whether one sees the other", () => {
  const tokens = ["<s>", "p", "q", "r", "is", "<it>"];
  const figure = attentionMask(mask, { parts, tokens });
  const marks = marksOf(placeFigure(figure)).filter(({ trace }) => trace.type === "heatmap");
  const said = (query: number, key: number) => wordsOf(marks[6 * query + key]);
  assert.deepEqual(said(1, 3), ["image 1 “p”", "sees, though it comes later,", "image 3 “r”"]);
  assert.deepEqual(said(5, 0), ["question 2 “<it>”", "sees", "token 0 “<s>”"]);
  assert.deepEqual(said(0, 5), ["token 0 “<s>”", "does not see", "question 2 “<it>”"]);
});

test("names of parts stand along both axes, and lines between them", () => {
  const { layout, data } = attentionMask(mask, { parts });
  assert.deepEqual(layout.xaxis!.ticktext, ["image", "question"]);
  assert.deepEqual(layout.yaxis!.tickvals, [2, 4.5]);
  const lines = data.find(({ mode }) => mode === "lines")!;
  for (const border of [-0.5, 0.5, 3.5, 5.5]) assert.ok(lines.x!.includes(border), String(border));
});

test("tokens of a long sequence share cells, which say how many of their pairs see", () => {
  const long = prefixMask({ image: [Array.from({ length: 640 }, (_, i) => Number(i >= 35 && i < 611))] });
  const figure = attentionMask(long, { parts: [{ name: "image", start: 35, end: 611 }] });
  const [{ z, hovertext }] = figure.data;
  assert.ok(z!.length <= 96);
  assert.equal(hovertext![0][0], "token 0 to token 6<br>28 of 49 pairs see<br>token 0 to token 6");
  assert.equal(z![10][50], 1);
  assert.match(
    String(figure.layout.meta!.summary),
    /370720 of 409600 pairs see, 165600 of them a later token/,
  );
  assert.ok(renderSvg(figure).length < 200_000, "neighbors of one color are one rectangle");
});

test("another sequence of a mask is drawn as it is", () => {
  const two = new AttentionMask(Uint8Array.from([1, 0, 0, 1, 1, 1, 1, 1]), 2, 2);
  const drawn = (sequence: number) => attentionMask(two, { sequence }).data[0].z;
  assert.deepEqual(drawn(0), [[0, null], [null, 0]]); // biome-ignore format: a matrix
  assert.deepEqual(drawn(1), [[0, 1], [0, 0]]); // biome-ignore format: a matrix
});

test("what does not fit the mask is named, all of it", () => {
  const wrong = { sequence: 1, parts: [{ name: "answer", start: 5, end: 7 }], tokens: ["a"] };
  assert.throws(
    () => attentionMask(mask, wrong),
    isLuvitError("bad-argument", "6 tokens", "sequence 1", `part "answer" ends at 7`, "1 words"),
  );
  const backwards = { parts: [{ name: "image", start: 4, end: 4 }] };
  assert.throws(() => attentionMask(mask, backwards), isLuvitError("bad-argument", "a start below its end"));
});

test("a shared cell has a color where half of its pairs see, that of later ones where most of those do", () => {
  const tokens = 97; // two tokens a cell, the last cell has one
  const visible = new Uint8Array(tokens * tokens);
  const see = (...pairs: [query: number, key: number][]) => {
    for (const [query, key] of pairs) visible[query * tokens + key] = 1;
  };
  see([4, 0]); // a quarter
  see([6, 0], [7, 1]); // half, both earlier
  see([8, 8], [8, 9]); // half, one of two later
  see([10, 10], [10, 11], [11, 11]); // three quarters, one later
  see([0, 12], [1, 13]); // half, both later
  see([96, 96]);
  see([96, 0]); // half of two
  const { data, layout } = attentionMask(new AttentionMask(visible, 1, tokens));
  const [{ z, hovertext }] = data;
  assert.deepEqual([z!.length, z![0]!.length], [49, 49]);
  assert.deepEqual([z![2]![0], z![3]![0], z![4]![4], z![5]![5], z![0]![6], z![48]![48], z![48]![0]], [null, 0, 0, 0, 1, 0, 0]); // biome-ignore format: one line
  assert.equal(hovertext![4]![4], "token 8 to token 9<br>2 of 4 pairs see<br>token 8 to token 9");
  assert.equal(hovertext![48]![0], "token 96<br>1 of 2 pairs see<br>token 0 to token 1");
  assert.match(
    layout.meta!.summary,
    /^attention mask of 97 tokens: 12 of 9409 pairs see, 4 of them a later token, 2 tokens a cell$/,
  );
  assert.equal(layout.xaxis!.showticklabels, false, "numbers of cells are no numbers of tokens");
  const whole = attentionMask(new AttentionMask(new Uint8Array(96 * 96), 1, 96));
  assert.deepEqual([whole.data[0]!.z!.length, whole.layout.xaxis!.showticklabels], [96, true]);
});

test("names from outside are escaped, slant where they would touch, in whatever order parts come", () => {
  const named = (...names: [string, number, number][]) => attentionMask(mask, { parts: names.map(([name, start, end]) => ({ name, start, end })), tokens: ["\u001b", "<b>", "c", "d", "e", "f"] }); // biome-ignore format: one line
  const { layout, data } = named(["<i>", 0, 2]);
  assert.deepEqual(layout.xaxis!.ticktext, ["&lt;i&gt;"]);
  assert.ok(
    !JSON.stringify(data[0]!.hovertext).includes("\u001b") &&
      !JSON.stringify(data[0]!.hovertext).includes("<b>"),
  );
  const long = "a part with a long name";
  for (const parts of [[[long, 0, 1], [long, 1, 2]], [[long, 1, 2], ["b", 5, 6], [long, 0, 1]]] as [string, number, number][][]) assert.equal(named(...parts).layout.xaxis!.tickangle, -32); // biome-ignore format: one line
  assert.equal(named(["a", 0, 3], ["b", 3, 6]).layout.xaxis!.tickangle, undefined);
  assert.deepEqual(named(["a", 0, 3]).layout.yaxis!.range, [5.5, -0.5], "the first token stands above");
  const two = new AttentionMask(Uint8Array.from([1, 0, 0, 1, 1, 1, 1, 1]), 2, 2);
  assert.match(attentionMask(two, { sequence: 1 }).layout.meta!.summary, /4 of 4 pairs see, 1 of them/);
});
