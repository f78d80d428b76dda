import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { AnswerAttention } from "../../../src/analysis/answers/answerAttention";
import { VisualTokens } from "../../../src/analysis/answers/visualTokens";
import { DetectionErrors } from "../../../src/analysis/detection";
import { LensMaps } from "../../../src/analysis/lens/lens";
import { Faithfulness } from "../../../src/analysis/relevance/faithfulnessTable";
import { RelevanceMap } from "../../../src/analysis/relevance/relevance";
import { TokenNorms } from "../../../src/analysis/representations/tokenNorms";
import { LuvitError } from "../../../src/core/errors";
import * as figures from "../../../src/figures";
import { figurePng } from "../../../src/figures/saveFigure";
import { tableOf } from "../../../src/io/tables";
import { classifier, segmenter } from "../../../src/models";
import { prefixMask } from "../../../src/nn";
import { tinyViT } from "../train/support";
import { syntheticMaps } from "./syntheticMaps";

const grid = { rows: 1, columns: 2 };
const sample = { image: new Float32Array(192), label: 0, path: "a", index: 0, width: 8, height: 8 };
const seen = { values: new Float32Array(192), side: 8, grid } as never;
const image = { width: 8, height: 8, data: new Uint8Array(192) };
const map = { width: 2, height: 1, values: [0, 1] };
const maps = [{ title: "", values: [[1]] }];
const patchMaps = {
  sample,
  shape: { width: 8, height: 8 },
  grid,
  entropy: new Float32Array(2),
  norm: new Float32Array(2),
};
const none = { classification: 0, localization: 0, both: 0, duplicate: 0, background: 0, missed: 0 };
const model = classifier.create({ encoder: tinyViT, classes: 2 });
const row = { path: "a", method: "chefer", class: 0, deletion: 0, insertion: 0, accuracy: null, iou: null, curves: { deletion: [1, 0], insertion: [0, 1] } } as const; // biome-ignore format: one line
const relevance = new RelevanceMap(
  sample as never,
  "chefer",
  0,
  0.5,
  grid,
  grid,
  { patches: () => [], pixels: () => [] } as never,
  {},
);
const features = { values: new Float32Array(4), dim: 2, layer: "l", grid, size: { rows: 8, columns: 8 }, samples: [sample] }; // biome-ignore format: one line
const lens = new LensMaps(sample as never, 2, grid, [{ site: "embed", logits: new Float32Array(6), pooled: new Float32Array(2) }], 1); // biome-ignore format: one line
const answer = new AnswerAttention("q", "a", ["t"], seen, [{ layer: "layers.0", heads: 1, weights: new Float32Array(2) }]); // biome-ignore format: one line
const said = new VisualTokens(["red"], seen, [{ site: "embed", likelihood: new Float32Array(2) }] as never);
const set = { take: () => set, classes: [] };

/** Every function: what it takes first, and which of its options it cannot do without. */
const functions: Record<string, readonly [first: unknown[], needed: object]> = {
  answerViewer: [[answer], {}],
  attentionMask: [[prefixMask({ image: [[0, 1]] })], {}],
  attentionViewer: [[syntheticMaps({ grid: 2, layers: { "blocks.0": 1 } })], {}],
  barComparison: [[], { categories: [], series: [], yTitle: "" }],
  ckaMatrix: [[[1], ["a"]], {}],
  detectionErrors: [[], { errors: { a: new DetectionErrors([], 0, none, [], []) } }],
  entropyMaps: [[[patchMaps]], {}],
  entropyOverlays: [[[patchMaps]], {}],
  entropyScatter: [[], {}],
  entropyStrip: [[], { series: [] }],
  faithfulnessCurves: [[new Faithfulness([row], {})], {}],
  featureColors: [[features], {}],
  headGrid: [[tableOf({ layer: ["blocks.0"], head: [0], marginDrop: [1] })], {}],
  heatmapGrid: [[], { maps, zTitle: "" }],
  historyCurves: [[{ a: [] }], {}],
  imageGrid: [[[[image]]], {}],
  lensMaps: [[lens], {}],
  lookInside: [[model, image], {}],
  lossCurves: [[], { series: [] }],
  mapGrid: [[], { columns: [{ title: "", images: [image] }] }],
  overlays: [[], { images: [image], maps: [map], zTitle: "" }],
  patchSimilarity: [[features], { image: 0, patch: 0 }],
  patchWords: [[said], {}],
  reconstructionGrid: [[[{ original: image, masked: image, predicted: image, combined: image }]], {}],
  relevanceMaps: [[[relevance]], {}],
  renderSvg: [[{ data: [], layout: {} }], {}],
  segmentation: [[segmenter.create({ encoder: tinyViT, classes: 2 }), set], {}],
  tokenNormCurves: [[new TokenNorms(undefined as never, new Map([["embed", Float32Array.of(1)]]))], {}],
};
const call = (name: string, ...given: unknown[]) =>
  (figures as unknown as Record<string, (...given: unknown[]) => unknown>)[name]!(...given);

/** The message of the refusal with which a call ends. */
async function refusal(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    assert.ok(error instanceof LuvitError && error.code === "bad-argument", inspect(error));
    return error.message;
  }
  return assert.fail("it was taken");
}

describe("every figure", () => {
  for (const [name, [first, needed]] of Object.entries(functions)) {
    it(`${name} names an option that it does not have, and one that is none`, async () => {
      const said = await refusal(() => call(name, ...first, { ...needed, colour: 1 }));
      assert.ok(said.includes("colour"), said);
      for (const wrong of ["title", 3, null]) await refusal(() => call(name, ...first, wrong));
    });

    it(`${name} names each thing that it needs`, async () => {
      for (const option of Object.keys(needed)) {
        const { [option as never]: _, ...rest } = needed;
        const message = await refusal(() => call(name, ...first, rest));
        assert.ok(message.includes(option), message);
      }
      for (const [at] of first.entries())
        for (const wrong of [undefined, null, 3, "text", ...(name === "historyCurves" ? [] : [{}])]) {
          const message = await refusal(() =>
            call(name, ...first.map((one, i) => (i === at ? wrong : one)), needed),
          );
          assert.ok(message.includes(name), message);
        }
    });
  }

  it("as PNG names its options, too", async () => {
    assert.match(await refusal(() => figurePng({ data: [], layout: {} }, { colour: 1 } as never)), /colour/);
    for (const wrong of [undefined, {}, { data: {}, layout: {} }, { data: [3], layout: {} }, { data: [], layout: 1 }]) await refusal(() => figurePng(wrong as never)); // biome-ignore format: one line
  });
});
