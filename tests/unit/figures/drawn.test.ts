import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { cka } from "../../../src/analysis";
import { AnswerAttention } from "../../../src/analysis/answers/answerAttention";
import { VisualTokens } from "../../../src/analysis/answers/visualTokens";
import { errorsByKind, evaluate } from "../../../src/analysis/detection";
import { LensMaps } from "../../../src/analysis/lens/lens";
import { Faithfulness, type Row } from "../../../src/analysis/relevance/faithfulnessTable";
import { RelevanceMap } from "../../../src/analysis/relevance/relevance";
import { TokenNorms } from "../../../src/analysis/representations/tokenNorms";
import {
  answerViewer,
  attentionMask,
  barComparison,
  ckaMatrix,
  detectionErrors,
  entropyMaps,
  entropyOverlays,
  entropyScatter,
  entropyStrip,
  type Figure,
  faithfulnessCurves,
  featureColors,
  figure,
  headGrid,
  heatmapGrid,
  historyCurves,
  type ImageFigure,
  imageGrid,
  lensMaps,
  lossCurves,
  mapGrid,
  overlays,
  patchSimilarity,
  patchWords,
  precisionRecall,
  reconstructionGrid,
  relevanceMaps,
  renderSvg,
  tokenNormCurves,
} from "../../../src/figures";
import { figureBundle } from "../../../src/figures/figureBundle";
import { figurePdf } from "../../../src/figures/pdf/figurePdf";
import { placeFigure } from "../../../src/figures/svg/place";
import { drawFigure } from "../../../src/figures/svg/render";
import { resultTable } from "../../../src/io/tables";
import { prefixMask } from "../../../src/nn";
import { approve, markupLines, valueLines } from "../../support/approved";
import { annotations, result } from "../analysis/detection/support";

/** The JSON of a figure, and what is drawn of it at two widths. */
async function expectDrawn(name: string, drawn: Figure): Promise<void> {
  const narrow = (await markupLines(drawFigure(placeFigure(drawn, 380), { theme: "dark" }))).filter((line) =>
    /<svg|<text|<path/.test(line),
  );
  const lines = [
    ...drawn.data.flatMap((trace, i) => [`trace ${i}`, ...valueLines(trace)]),
    ...valueLines(drawn.layout),
    ...(await markupLines(renderSvg(drawn))),
    ...narrow,
  ];
  approve(`figures/${name}`, lines);
}

async function expectImage(name: string, drawn: ImageFigure): Promise<void> {
  const shown = drawn as unknown as Record<symbol, () => Record<string, string>>;
  const html = shown[Symbol.for("Jupyter.display")]()["text/html"] ?? "";
  const size = `${drawn.width} x ${drawn.height}: ${drawn.alt}`;
  approve(`figures/${name}`, [
    size,
    ...(await markupLines(await drawn.toSvg())),
    ...(await markupLines(html)),
  ]);
}

/** Numbers that look like data and are the same everywhere. */
const wave = (length: number, step = 0.7, offset = 0) =>
  Array.from({ length }, (_, i) => Number((offset + Math.sin(step * i) + i / length).toFixed(3)));
const picture = (width: number, height: number, shift = 0) => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37 + shift * (i % 3)) % 256),
});
const grid = (width: number, height: number, shift = 0) => ({
  width,
  height,
  values: Array.from({ length: width * height }, (_, i) => (i * 7 + shift) % 11),
});
const normalized = (width: number, height: number) =>
  Float32Array.from({ length: 3 * width * height }, (_, i) => Math.sin(i / 5));
const sample = (path: string, width = 8, height = 8) => ({
  image: normalized(width, height),
  label: 1,
  path,
  index: 0,
  width,
  height,
});

test("bars, with and without intervals, below zero, and without a number", async () => {
  const series = [
    { name: "ViT & <b>", values: [72.5, -3, 0.25] },
    { name: "LUViT", values: [80, 85, 12], errors: [1, 2, 30] },
  ];
  await expectDrawn(
    "bars",
    barComparison({ title: "Top-1", yTitle: "%", categories: ["a", "b <c>", "d"], series }),
  );
  const single = {
    yTitle: "%",
    categories: ["only"],
    series: [{ name: "x", values: [1234.5] }],
    width: 300,
    height: 200,
  };
  await expectDrawn("bar", barComparison(single));
});

test("curves of losses: long, short, on a logarithmic axis, of runs that began elsewhere", async () => {
  const long = { name: "long", steps: Array.from({ length: 90 }, (_, i) => i + 1), values: wave(90, 0.3, 2) };
  const short = { name: "short", steps: [10, 20, 40], values: [3, Number.NaN, 1] };
  await expectDrawn("losses", lossCurves({ title: "Loss", yTitle: "MSE", series: [long, short] }));
  const history = wave(12, 1, 2).map((loss, i) => ({
    step: i + 1,
    loss,
    ...(i % 4 === 3 ? { top1: 10 * i } : {}),
  }));
  await expectDrawn(
    "history",
    historyCurves({ ViT: history, LUViT: history.slice(3) } as never, {
      metric: "top1",
      yTitle: "top-1 (%)",
    }),
  );
});

test("clouds of entropies beside each other and over each other", async () => {
  const points = (shift: number) =>
    wave(9, 1.1, 3).map((background, i) => ({
      background,
      foreground: background + shift * (i - 4),
      ...(i === 2 ? { label: "cat.png" } : {}),
    }));
  const series = [
    { name: "ViT", points: points(0.1) },
    { name: "LUViT", points: points(-0.2) },
    { name: "none", points: [] },
  ];
  await expectDrawn("scatter", entropyScatter({ title: "Entropy", series }));
  await expectDrawn("scatterTogether", entropyScatter({ series, layout: "together", height: 400 }));
  const many = wave(120, 0.9, 3).map((background, i) => ({ background, foreground: 3 + (i % 7) / 10 }));
  await expectDrawn("scatterOne", entropyScatter({ points: many }));
});

test("entropies of heads, block by block", async () => {
  const blocks = [
    { block: "0", heads: [3, 3.5, 4] },
    { block: "llama 0", heads: [2, 2.5] },
  ];
  await expectDrawn(
    "strip",
    entropyStrip({
      title: "Heads",
      series: [
        { name: "ViT", blocks: blocks.slice(0, 1) },
        { name: "LUViT", blocks },
      ],
    }),
  );
});

test("maps of cells: around zero, above it, with names, and heads of a table", async () => {
  const values = [
    [-1, 0.5, 2],
    [3, Number.NaN, 0],
  ];
  await expectDrawn(
    "cells",
    heatmapGrid({
      maps: [
        { title: "a", values },
        {
          title: "b <i>",
          values: [
            [1, 1, 1],
            [2, 2, 2],
          ],
        },
      ],
      zTitle: "cosine",
      columns: 1,
      title: "T",
    }),
  );
  await expectDrawn(
    "cellsPlain",
    heatmapGrid({
      maps: [
        {
          title: "",
          values: [
            [1, 2],
            [3, 4],
          ],
        },
      ],
      zTitle: "z",
      xTitle: "head",
      yTitle: "layer",
      colormap: "magma",
      range: [0, 5],
    }),
  );
  const [one, other] = [
    { values: Float32Array.of(1, 2, 3, 5), dim: 1 },
    { values: Float32Array.of(2, 1, 6, 9), dim: 1 },
  ];
  await expectDrawn(
    "cka",
    ckaMatrix(cka([one, other]), ["block 0", "a long name of a layer"], { title: "CKA" }),
  );
  const layers = ["blocks.0", "blocks.0", "blocks.1", "blocks.1", "llama.layers.0", "llama.layers.0"];
  const table = resultTable(
    { layer: layers, head: [1, 0, 0, 1, 0, 1], marginDrop: [0.5, 1, -2, 3, 4, 5] } as never,
    {} as never,
  );
  await expectDrawn("heads", headGrid(table as never));
});

test("which token sees which", async () => {
  const mask = prefixMask({ image: [[0, 1, 1, 1, 0, 0]] });
  const parts = [
    { name: "image", start: 1, end: 4 },
    { name: "question", start: 4, end: 6 },
  ];
  await expectDrawn(
    "mask",
    attentionMask(mask, { parts, tokens: ["<s>", "p", "q", "r", "is", "it"], title: "Mask" }),
  );
  await expectDrawn("maskPlain", attentionMask(mask));
});

test("precision over recall, and errors by kind", async () => {
  const truth = annotations([
    { box: [10, 10, 40, 40] },
    { box: [100, 10, 40, 40] },
    { box: [10, 100, 20, 20], label: 1 },
  ]);
  const found = [
    result([12, 10, 40, 40], 0.9),
    result([150, 150, 20, 20], 0.95),
    result([10, 100, 20, 20], 0.5, 1),
  ];
  const scores = {
    ViT: await evaluate(truth, found.slice(0, 2), { kind: "bbox" }),
    LUViT: await evaluate(truth, found, { kind: "bbox" }),
  };
  for (const by of ["iou", "class", "size"] as const) {
    const { data, layout } = precisionRecall({ scores, by, title: by });
    const thin = data.map((trace) => ({ ...trace, x: trace.x?.slice(0, 40), y: trace.y?.slice(0, 40) }));
    await expectDrawn(`precision-${by}`, figure(thin, layout, layout.meta!.summary, layout.meta!.panels));
  }
  await expectDrawn(
    "errors",
    detectionErrors({ errors: { ViT: await errorsByKind(truth, found) }, title: "Errors" }),
  );
});

test("deletion and insertion, and norms on the way through a model", async () => {
  const row = (method: string, shift: number): Row => ({
    ...{
      path: `${shift}`,
      method: method as never,
      class: 0,
      deletion: 0.2 + shift / 10,
      insertion: 0.5,
      accuracy: null,
      iou: null,
    },
    curves: { deletion: [1, 0.5 + shift / 10, 0], insertion: [0, 0.25 + shift / 5, 1] },
  });
  const rows = ["chefer", "rollout"].flatMap((method) => [0, 1, 2].map((shift) => row(method, shift)));
  await expectDrawn("faithfulness", faithfulnessCurves(new Faithfulness(rows, {}), { title: "F" }));
  const places = ["embed", "blocks.0.out", "blocks.1.out", "fusion.mapper1", "llama.layers.0.out"];
  const norms = new Map(places.map((place, i) => [place, Float32Array.from(wave(40, 0.5, 4 + i))]));
  await expectDrawn("norms", tokenNormCurves(new TokenNorms(undefined as never, norms), { title: "N" }));
});

test("images in rows, with titles, labels, words below and colors of classes", async () => {
  const rows = [[picture(8, 6), undefined, picture(4, 4, 9)], [picture(200, 100, 3)]];
  const captions = [["one", undefined, "three <3>"], [undefined]];
  const legend = ["cat", "dog & bone", "a class with a long name"].map((name, i) => ({
    name,
    color: [10 * i, 20, 30] as const,
  }));
  await expectImage(
    "images",
    await imageGrid(rows, {
      columnTitles: ["a", "b", "c"],
      rowLabels: ["first", "2"],
      captions,
      legend,
      cell: 90,
    }),
  );
  await expectImage("imagesPlain", await imageGrid([[picture(8, 6)]], {}));
  await expectImage(
    "imagesScaled",
    await imageGrid([[picture(8, 6), picture(6, 8)]], { scale: 3, alt: "two" }),
  );
});

test("maps over images, side by side, and reconstructions", async () => {
  const images = [picture(16, 16), picture(16, 12, 5)];
  const maps = [grid(4, 4), grid(4, 3, 2)];
  const mask = { width: 4, height: 4, values: [1, 1, 0, 0, ...new Array<number>(12).fill(0)] };
  await expectImage(
    "overlays",
    await overlays({
      images,
      maps,
      masks: [mask, undefined],
      zTitle: "share (%)",
      titles: ["one", "two"],
      columns: 1,
    }),
  );
  await expectImage(
    "overlaysPlain",
    await overlays({
      images,
      maps,
      zTitle: "z",
      range: [0, 5],
      colormap: "magma",
      alpha: 0.25,
      lines: false,
      cell: 60,
    }),
  );
  const columns = [
    { title: "image", images },
    { title: "entropy", maps, unit: "nats" },
    { title: "norm", maps, colormap: "magma" as const },
  ];
  await expectImage("maps", await mapGrid({ columns, cell: 64 }));
  const [original, masked] = images;
  const row = { original, masked, predicted: original, combined: masked };
  await expectImage(
    "reconstructions",
    await reconstructionGrid([{ ...row, label: "cat", note: "MSE 0.5" }, row]),
  );
});

test("entropies and norms of patches over their images", async () => {
  const maps = ["a.png", "b.png"].map((path, i) => ({
    sample: { ...sample(path), foreground: Uint8Array.of(0, 1, 1, 0) },
    shape: { width: 8, height: 8 },
    grid: { rows: 2, columns: 2 },
    entropy: Float32Array.of(1, 2, 3, 4 + i),
    norm: Float32Array.of(9, 8, 7 - i, 6),
  }));
  await expectImage("entropyMaps", await entropyMaps(maps as never, { cell: 48 }));
  await expectImage("entropyOverlays", await entropyOverlays(maps as never, { cell: 48 }));
});

test("evidence, what patches say, their features", async () => {
  const explainer = {
    patches: () => new Float32Array(4),
    pixels: () => Float32Array.from({ length: 64 }, (_, i) => i / 64),
  };
  const map = (path: string, method: string) =>
    new RelevanceMap(
      sample(path) as never,
      method as never,
      1,
      0.456,
      { rows: 2, columns: 2 },
      { rows: 8, columns: 8 },
      explainer as never,
      {},
    );
  await expectImage(
    "relevance",
    await relevanceMaps([map("a", "chefer"), map("a", "legrad"), map("b", "chefer"), map("b", "rollout")], {
      classNames: ["cat", "dog"],
      cell: 50,
    }),
  );
  const site = (name: string, shift: number) => ({
    site: name,
    logits: Float32Array.from(wave(15, 0.8 + shift)),
    pooled: Float32Array.of(1, shift, 0.5),
  });
  const lens = new LensMaps(
    sample("a") as never,
    3,
    { rows: 2, columns: 2 },
    [site("embed", 0), site("blocks.0.out", 2)],
    1,
  );
  await expectImage(
    "lens",
    await lensMaps(lens, { classNames: ["cat", "dog", "eel"], columns: 1, cell: 64 }),
  );
  const features = {
    ...{ values: Float32Array.from(wave(32, 1.3)), dim: 4, layer: "blocks.0.out" },
    ...{ grid: { rows: 2, columns: 2 }, size: { rows: 8, columns: 8 }, samples: [sample("a"), sample("b")] },
  };
  await expectImage("featureColors", await featureColors(features as never, { cell: 64 }));
  await expectImage(
    "similarity",
    await patchSimilarity(features as never, { image: 1, patch: 2, columns: 1 }),
  );
});

test("viewers of answers: their still images, headers and words", async () => {
  const image = { values: normalized(8, 8), side: 8, grid: { rows: 2, columns: 2 } };
  const shares = (count: number) => Float32Array.from({ length: count }, (_, i) => ((i * 7) % 10) / 40);
  const layers = [
    { layer: "layers.0", heads: 2, weights: shares(16) },
    { layer: "layers.1", heads: 2, weights: shares(16).reverse() },
  ];
  const attention = new AnswerAttention("what is it?", "a star", ["star", "</s>"], image as never, layers);
  const viewers = [
    await answerViewer(attention),
    await answerViewer(attention, { layers: ["layers.1"], title: "One" }),
  ];
  const sites = ["embed", "layers.0.out", "layers.1.out"].map((site, i) => ({
    site,
    likelihood: shares(8).map((x) => x * (i + 1)),
  }));
  const said = new VisualTokens(["red", "blue"], image as never, sites as never);
  for (const [i, viewer] of [...viewers, await patchWords(said)].entries()) {
    const html = viewer.html.replace(/<script[^>]*>(?!\{|\[)[\s\S]*?<\/script>/g, "<script>…</script>");
    const short = (await markupLines(html)).map((line) => (line.length > 4000 ? line.slice(0, 4000) : line));
    approve(`figures/patchViewer${i}`, [
      viewer.title,
      viewer.summary,
      String(viewer),
      ...(await markupLines(await viewer.image.toSvg())),
      ...short,
    ]);
  }
});

test("a figure in a notebook: its forms, its PDF, and that of many points", async () => {
  const drawn = barComparison({
    title: "T",
    yTitle: "%",
    categories: ["a", "b"],
    series: [{ name: "x", values: [1, 2] }],
  });
  const bundle = await figureBundle(drawn);
  const words = Object.entries(bundle).map(
    ([mime, value]) =>
      `${mime}: ${mime === "text/plain" || typeof value === "object" ? JSON.stringify(value) : "…"}`,
  );
  const pdf = figurePdf(drawn);
  const latin = pdf.toString("latin1");
  const at = latin.indexOf("stream\n") + 7;
  const content = inflateSync(
    pdf.subarray(at, at + Number(/\/Length (\d+)>>\nstream\n/.exec(latin)![1])),
  ).toString("latin1");
  const heads = latin
    .replace(/stream\n[\s\S]*?\nendstream/g, "stream")
    .split("\n")
    .filter((line) => !/^\d{10}|^\d+$|Length|CreationDate|xref/.test(line));
  const many = Array.from({ length: 200_001 }, (_, i) => i);
  const trace = (y: number[]) =>
    figure([{ type: "scatter", mode: "markers", x: y, y, name: "n" }], { xaxis: {}, yaxis: {} }, "many");
  const forms = [many, many.slice(1)].map(async (y) => Object.keys(await figureBundle(trace(y))).join());
  approve("figures/forms", [...words, ...heads, ...content.split("\n"), ...(await Promise.all(forms))]);
});
