import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { AnswerAttention } from "../../../../src/analysis/answers/answerAttention";
import { VisualTokens } from "../../../../src/analysis/answers/visualTokens";
import { answerViewer, type PatchViewer, patchWords } from "../../../../src/figures";
import { escapeHtml } from "../../../../src/figures/html";
import {
  mapStart,
  movedPatch,
  type PatchHeader,
  percent,
  steps,
} from "../../../../src/figures/patches/browser/header";
import { isLuvitError } from "../../nn/support";
import { temporaryFolder } from "../../train/support";

const grid = { rows: 2, columns: 2 };
const image = { values: new Float32Array(3 * 16 * 16), side: 16, grid };
const weights = (seed: number) =>
  Float32Array.from({ length: 2 * 3 * 4 }, (_, i) => ((7 * i + seed) % 25) / 100);
const attention = new AnswerAttention("what <is> it?", "star", ["st", "ar"], image, [
  { layer: "layers.0", heads: 3, weights: weights(1) },
  { layer: "layers.1", heads: 3, weights: weights(2) },
]);
const said = new VisualTokens(["red", "blue"], image, [
  { site: "embed", likelihood: Float32Array.from([0.1, 0.2, 0.3, 0.4, 0, 1, 0.5, 0.25]) },
  { site: "layers.0.out", likelihood: Float32Array.from([0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4]) },
]);

/** What the page of a viewer carries. */
function carried({ html }: PatchViewer): { header: PatchHeader; numbers: Float32Array } {
  const between = (start: string) => html.split(start)[1].split("</script>")[0];
  const packed = gunzipSync(Buffer.from(between('class="luvit-patches-data">'), "base64"));
  const numbers = Float32Array.from(new Uint16Array(new Uint8Array(packed).buffer), (value) => value / steps);
  return { header: JSON.parse(between('class="luvit-patches-header">')), numbers };
}

test("a page carries the map of every token, layer and head, the mean of heads first", async () => {
  const { header, numbers } = carried(await answerViewer(attention));
  assert.deepEqual(
    header.axes.map(({ choices }) => choices),
    [
      ["st", "ar"],
      ["block 1", "block 2"],
      ["mean", "1", "2", "3"],
    ],
  );
  for (const token of [0, 1])
    for (const [i, layer] of ["layers.0", "layers.1"].entries())
      for (const head of [undefined, 0, 1, 2]) {
        const start = mapStart(header, [token, i, head === undefined ? 0 : head + 1]);
        const shown = numbers.subarray(start, start + 4);
        for (const [patch, value] of attention.at(token, layer, head).entries())
          assert.ok(Math.abs(shown[patch] - value) <= 1 / steps);
      }
});

test("a page carries the likelihood of every answer at every place", async () => {
  const viewer = await patchWords(said);
  const { header, numbers } = carried(viewer);
  for (const [i, answer] of said.answers.entries())
    for (const [j, { site }] of said.sites.entries()) {
      const start = mapStart(header, [i, j]);
      for (const [patch, value] of said.of(site, answer).entries())
        assert.ok(Math.abs(numbers[start + patch] - value) <= 1 / steps);
    }
  assert.deepEqual(header.start, [0, 1], "the strongest answer behind the last block comes first");
  assert.match(String(viewer), /red 0\.9/);
});

test("a viewer is called as it is told, by nothing if by an empty text, else by what it shows", async () => {
  for (const [make, usual] of [
    [(title?: string) => patchWords(said, { title }), "What each patch says"],
    [(title?: string) => answerViewer(attention, { title }), "what <is> it? star"],
  ] as const)
    for (const [given, expected] of [
      [undefined, usual],
      ["", ""],
      ["a <b>", "a <b>"],
    ] as const) {
      const viewer = await make(given);
      assert.deepEqual([viewer.title, carried(viewer).header.title], [expected, expected]);
      assert.ok(viewer.html.includes(`<p><b>${escapeHtml(expected)}</b></p>`));
    }
});

test("what a model says cannot move a terminal's cursor", async () => {
  const likelihood = Float32Array.of(0.1, 0.2, 0.3, 0.4);
  const viewer = await patchWords(new VisualTokens(["\u001b[2Jred"], image, [{ site: "embed", likelihood }]));
  const { header } = carried(viewer);
  for (const words of [String(viewer), viewer.html, header.axes[0].choices[0], await viewer.image.toSvg()]) {
    assert.ok(words.includes("[2Jred"), words.slice(0, 200));
    assert.ok(!words.includes("\u001b"));
  }
  const svg = await viewer.image.toSvg();
  assert.ok(svg.includes(`>${header.axes[0].choices[0]}<`), "the same words stand above the still image");
});

test("only the layers that are asked for go into a page, and what is not there is named", async () => {
  const { header, numbers } = carried(await answerViewer(attention, { layers: ["layers.1"] }));
  assert.deepEqual(header.axes[1].choices, ["block 2"]);
  for (const token of [0, 1])
    for (const head of [0, 1, 2]) {
      const start = mapStart(header, [token, 0, head + 1]);
      for (const [patch, value] of attention.at(token, "layers.1", head).entries())
        assert.ok(Math.abs(numbers[start + patch] - value) <= 1 / steps);
    }
  await assert.rejects(
    answerViewer(attention, { layers: ["layers.7"] }),
    isLuvitError("bad-argument", "layers.7", "layers.1"),
  );
});

test("words from outside are no markup", async () => {
  const { html } = await answerViewer(attention);
  assert.ok(!html.includes("<is>"));
});

test("a viewer is saved as a page or as an image, and as nothing else", async () => {
  const folder = temporaryFolder();
  const viewer = await patchWords(said);
  for (const name of ["a.html", "a.png", "a.svg"]) {
    await viewer.save(join(folder, name));
    assert.ok(existsSync(join(folder, name)));
  }
  await assert.rejects(viewer.save(join(folder, "a.gif")), isLuvitError("bad-argument", ".html, .png, .svg"));
});

test("arrow keys lead from patch to patch and stop at the border", () => {
  assert.equal(movedPatch(0, "ArrowRight", grid), 1);
  assert.equal(movedPatch(1, "ArrowRight", grid), 1);
  assert.equal(movedPatch(1, "ArrowDown", grid), 3);
  assert.equal(movedPatch(2, "ArrowLeft", grid), 2);
  assert.equal(movedPatch(2, "x", grid), undefined);
});

test("shares are told with as many digits as they need", () => {
  assert.deepEqual([1, 0.123, 0.012, 0.0004, 0].map(percent), ["100 %", "12 %", "1.2 %", "0.04 %", "0.0 %"]);
});
