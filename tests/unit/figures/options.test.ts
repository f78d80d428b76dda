import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LensMaps } from "../../../src/analysis/lens/lens";
import { Faithfulness, type Row } from "../../../src/analysis/relevance/faithfulnessTable";
import { RelevanceMap } from "../../../src/analysis/relevance/relevance";
import { TokenNorms } from "../../../src/analysis/representations/tokenNorms";
import {
  attentionMask,
  barComparison,
  ckaMatrix,
  entropyMaps,
  entropyOverlays,
  entropyScatter,
  entropyStrip,
  type Figure,
  faithfulnessCurves,
  featureColors,
  headGrid,
  heatmapGrid,
  historyCurves,
  imageGrid,
  lensMaps,
  lossCurves,
  mapGrid,
  overlays,
  patchSimilarity,
  reconstructionGrid,
  relevanceMaps,
  tokenNormCurves,
} from "../../../src/figures";
import { tableOf } from "../../../src/io/tables";
import { prefixMask } from "../../../src/nn";

const curve = (length: number) => ({
  name: "ViT",
  steps: Array.from({ length }, (_, i) => 10 * i),
  values: Array.from({ length }, (_, i) => (i % 2 === 0 ? 4 : 2)),
});

describe("each option is seen in the figure", () => {
  const of = (more: object, length = 3) => lossCurves({ series: [curve(length)], ...more });

  it("of losses: titles, scale, size, smoothing and how many points", () => {
    const { layout } = of({
      title: "T",
      yTitle: "MSE",
      xTitle: "epoch",
      yScale: "log",
      width: 333,
      height: 222,
    });
    assert.deepEqual(
      [layout.title!.text, layout.yaxis!.title!.text, layout.xaxis!.title!.text, layout.yaxis!.type],
      ["<b>T</b>", "MSE", "epoch", "log"],
    );
    assert.deepEqual([layout.width, layout.height], [333, 222]);
    const plain = of({}).layout;
    assert.deepEqual(
      [plain.title, plain.yaxis!.title!.text, plain.xaxis!.title!.text, plain.yaxis!.type, plain.showlegend],
      [undefined, "loss", "optimizer step", "linear", false],
    );
    assert.deepEqual([plain.width, plain.height], [720, 400]);
    assert.deepEqual(
      of({ smoothing: 3 }).data[1]!.y,
      [3, 10 / 3, 3].map((x) => Number(x.toPrecision(6))),
    );
    const thinned = of({ maxPoints: 2 }, 5);
    for (const { x, y } of thinned.data) assert.deepEqual([x, y], [[0, 40], [4, 4]]); // biome-ignore format: one line
    assert.equal(of({}, 1001).data[0]!.x!.length, 1000);
    assert.equal(of({}, 1000).data[0]!.x!.at(-1), 9990);
  });

  it("of losses, from twenty values on: their mean, over a 25th of them", () => {
    assert.deepEqual(of({}, 19).data[1]!.y, of({}, 19).data[0]!.y);
    const strong = of({}, 20).data[1]!.y as number[];
    assert.equal(strong[10], (4 * 3 + 2 * 2) / 5);
    const wide = lossCurves({ series: [{ ...curve(250), values: [...Array(249).fill(0), 11] }] });
    assert.equal((wide.data[1]!.y as number[])[244], 1, "10 of 250, five on each side");
    assert.equal((wide.data[1]!.y as number[])[243], 0);
  });

  it("of losses without any, with one, or with numbers that are none", () => {
    assert.match(of({}, 0).layout.meta!.summary, /^ViT: no values yet$/);
    const one = of({}, 1);
    assert.deepEqual(
      [one.data[1]!.mode, one.layout.meta!.summary],
      ["lines+markers", "ViT 4 → 4 over 0 steps"],
    );
    const gaps = lossCurves({
      series: [{ name: "a", steps: [1, 2, 3], values: [1, Number.POSITIVE_INFINITY, 5] }],
      smoothing: 3,
    });
    assert.deepEqual(gaps.data[1]!.y, [1, 3, 5]);
  });

  it("of a run's history: its title, metric and unit; only losses are smoothed", () => {
    const history = Array.from({ length: 20 }, (_, i) => ({ step: i, loss: i % 2, top1: i % 2 }));
    const drawn = historyCurves({ run: history }, { title: "T", metric: "top1", yTitle: "%" });
    assert.deepEqual([drawn.layout.title!.text, drawn.layout.yaxis!.title!.text], ["<b>T</b>", "%"]);
    assert.deepEqual(drawn.data[1]!.y, drawn.data[0]!.y);
    const loss = historyCurves({ run: history });
    assert.equal(loss.layout.yaxis!.title!.text, "loss");
    assert.notDeepEqual(loss.data[1]!.y, loss.data[0]!.y);
    assert.equal(historyCurves({ run: history }, { metric: "top1" }).layout.yaxis!.title!.text, "top1");
  });

  it("of bars: title, unit, size; a legend where there are two series", () => {
    const series = [{ name: "a", values: [1] }];
    const given = { categories: ["c"], yTitle: "%", series };
    const { layout, data } = barComparison({ ...given, title: "T", width: 300, height: 200 });
    assert.deepEqual(
      [layout.title!.text, layout.yaxis!.title!.text, layout.width, layout.height, layout.showlegend],
      ["<b>T</b>", "%", 300, 200, false],
    );
    assert.deepEqual([data[0]!.x, layout.xaxis!.type, layout.barmode], [["c"], "category", "group"]);
    assert.deepEqual([barComparison(given).layout.width, barComparison(given).layout.height], [600, 400]);
    const two = barComparison({ ...given, series: [...series, { name: "b", values: [2] }] });
    assert.equal(two.layout.showlegend, true);
    assert.equal(two.layout.meta!.summary, "a c 1; b c 2");
    const gap = barComparison({
      ...given,
      categories: ["c", "d"],
      series: [{ name: "a", values: [Number.NaN, 2.5] }],
    });
    assert.equal((gap.data[0]!.text as string[])[1], "2.5", "what is none decides no decimals");
  });

  it("of clouds: height, size and strength of the marks by their number", () => {
    const points = (length: number) => Array.from({ length }, () => ({ background: 3, foreground: 2 }));
    const cloud = (length: number) => entropyScatter({ points: points(length) }).data[1]!;
    for (const [length, size, opacity] of [
      [80, 9, 0.9],
      [81, 7, 0.72],
      [400, 7, 0.72],
      [401, 5, 0.72],
    ] as const)
      assert.deepEqual([cloud(length).marker!.size, cloud(length).opacity], [size, opacity]);
    const tall = entropyScatter({ points: points(1), height: 444, title: "T" });
    assert.equal(tall.layout.height, 444);
    assert.match(tall.layout.title!.text, /^<b>T<\/b><br><sub>/);
    assert.equal(entropyScatter({ points: points(1) }).layout.height, 520);
    const third = [...points(1), { background: 1, foreground: 2 }, { background: 1, foreground: 2 }];
    assert.match(entropyScatter({ points: third }).layout.meta!.summary, /in 33\.3 % of 3 images/);
  });

  it("of clouds side by side: a panel for each model under its whole name", () => {
    const points = [{ background: 3, foreground: 2 }];
    const series = [
      { name: "LUViT: tuned", points },
      { name: "", points },
      { name: "none", points: [] },
    ];
    const share = "background > foreground in 100 % of 1 images";
    assert.deepEqual(entropyScatter({ series }).layout.meta!.panels!.titles, [
      `<b>LUViT: tuned</b><br><sub>${share}</sub>`,
      share,
      "<b>none</b><br><sub>no images</sub>",
    ]);
  });

  it("of heads by blocks: titles and size; heads are counted from 1, blocks stand where they first appear", () => {
    const series = [
      { name: "a", blocks: [{ block: "x", heads: [1, 2] }] },
      { name: "b", blocks: [{ block: "y", heads: [3] }, { block: "x", heads: [5] }] }, // biome-ignore format: one line
    ];
    const { data, layout } = entropyStrip({ series, title: "T", yTitle: "bits", width: 300, height: 200 });
    assert.deepEqual(
      [layout.title!.text, layout.yaxis!.title!.text, layout.width, layout.height],
      ["<b>T</b>", "bits", 300, 200],
    );
    assert.deepEqual(layout.xaxis!.ticktext, ["x", "y"]);
    assert.deepEqual(
      [data[0]!.text, data[0]!.x],
      [
        ["x, head 1", "x, head 2"],
        [-0.11, -0.11],
      ],
    );
    assert.deepEqual([data[3]!.x, data[3]!.y], [[1.11, 0.11], [3, 5]]); // biome-ignore format: one line
    assert.deepEqual(data[1]!.y, [1.5]);
    assert.equal(entropyStrip({ series }).layout.yaxis!.title!.text, "attention entropy (nats)");
    assert.equal(layout.meta!.summary, "a x 1.5 nats; b y 3, x 5 nats");
  });

  it("of maps: titles, axes, names of rows and columns, columns", () => {
    const maps = [0, 1, 2].map((i) => ({ title: `m${i}`, values: [[i, 1, 2], [3, 4, 5]] })); // biome-ignore format: one line
    const { layout, data } = heatmapGrid({
      maps,
      zTitle: "z",
      title: "T",
      xTitle: "key",
      yTitle: "query",
      columns: 2,
    });
    assert.deepEqual([layout.title!.text, layout.coloraxis!.colorbar!.title!.text], ["<b>T</b>", "z"]);
    assert.deepEqual(layout.xaxis3!.domain, layout.xaxis!.domain);
    assert.deepEqual([layout.xaxis3!.title!.text, layout.yaxis!.title!.text], ["key", "query"]);
    assert.deepEqual(data.map(({ name, xaxis, yaxis }) => [name, xaxis, yaxis]), [["m0", "x", "y"], ["m1", "x2", "y2"], ["m2", "x3", "y3"]]); // biome-ignore format: one line
    assert.equal(data[0]!.hovertemplate, "row %{y}, column %{x}: %{z:.4g}");
    const named = (count: number) => {
      const labels = Array.from({ length: count }, (_, i) => `n${i}`);
      return heatmapGrid({ maps, zTitle: "z", labels }).layout.xaxis2!;
    };
    assert.equal(named(16).ticktext!.length, 16);
    assert.deepEqual([named(17).tickvals!.slice(0, 3), named(17).ticktext!.at(-1)], [[0, 2, 4], "n16"]);
    assert.equal(heatmapGrid({ maps, zTitle: "z" }).layout.xaxis!.ticktext, undefined);
    assert.equal(
      heatmapGrid({ maps: maps.slice(1, 2), zTitle: "z" }).layout.meta!.summary,
      "1 map, z 1 to 5",
    );
  });

  it("of tables of heads: which column, its unit, title", () => {
    const table = tableOf({ layer: ["blocks.0"], head: [0], distance: [2.5] });
    const drawn = headGrid(table, { value: "distance", zTitle: "pixels", title: "T" });
    assert.deepEqual(
      [drawn.data[0]!.z, drawn.layout.coloraxis!.colorbar!.title!.text, drawn.layout.title!.text],
      [[[2.5]], "pixels", "<b>T</b>"],
    );
    assert.equal(headGrid(table, { value: "distance" }).layout.coloraxis!.colorbar!.title!.text, "distance");
    assert.deepEqual([drawn.layout.xaxis!.title!.text, drawn.layout.yaxis!.title!.text], ["head", "layer"]);
  });
});

describe("what a figure is given stays as it was, and is not looked at again", () => {
  const deepFrozen = <T>(value: T): T => {
    if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
      for (const one of Object.values(value)) deepFrozen(one);
      Object.freeze(value);
    }
    return value;
  };

  it("plain numbers: frozen ones are drawn, and the figure has numbers of its own", () => {
    const categories = ["b", "a"];
    const series = [{ name: "s", values: [3, 1], errors: [1, 2] }];
    const bars = barComparison({ categories, yTitle: "", series });
    const values = [[3, 1], [2, 9]]; // biome-ignore format: a matrix
    const maps = heatmapGrid({ maps: [{ title: "", values }], zTitle: "" });
    const before = JSON.stringify([bars, maps]);
    for (const list of [categories, series[0]!.values, series[0]!.errors, ...values])
      (list as unknown[]).reverse();
    assert.equal(JSON.stringify([bars, maps]), before);
    const points = [{ background: 3, foreground: 1 }, { background: 1, foreground: 2 }]; // biome-ignore format: one line
    const frozen: Figure[] = [
      lossCurves(deepFrozen({ series: [curve(30)] })),
      barComparison(deepFrozen({ categories, yTitle: "", series })),
      heatmapGrid(deepFrozen({ maps: [{ title: "", values }], zTitle: "", labels: ["x", "y"] })),
      entropyScatter(deepFrozen({ points })),
      entropyStrip(deepFrozen({ series: [{ name: "a", blocks: [{ block: "x", heads: [2, 1] }] }] })),
      ckaMatrix(deepFrozen([1, 0.5, 0.5, 1]), deepFrozen(["x", "y"])),
      attentionMask(
        prefixMask({ image: [[0, 1, 1]] }),
        deepFrozen({ parts: [{ name: "p", start: 1, end: 3 }], tokens: ["a", "b", "c"] }),
      ),
    ];
    assert.equal(frozen.length, 7);
  });

  it("numbers in typed arrays: of norms, logits, features, maps and images", async () => {
    const noise = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(7 * i));
    const picture = { width: 8, height: 8, data: Uint8Array.from({ length: 192 }, (_, i) => (37 * i) % 256) };
    const grid = { rows: 2, columns: 2 };
    const sample = { image: noise(192), label: 0, path: "a", index: 0, width: 8, height: 8 };
    const [norms, logits, pooled, values, map, patch, norm] = [9, 12, 3, 16, 4, 4, 4].map(
      noise,
    ) as Float32Array[];
    const masks = { width: 2, height: 2, values: Uint8Array.of(1, 0, 0, 1) };
    const given = [norms, logits, pooled, values, map, patch, norm, sample.image, picture.data, masks.values];
    const before = given.map((one) => [...one!]);
    tokenNormCurves(new TokenNorms(undefined as never, new Map([["embed", norms!]])));
    await lensMaps(
      new LensMaps(sample as never, 3, grid, [{ site: "embed", logits: logits!, pooled: pooled! }], 0),
    );
    const features = { values, dim: 4, layer: "l", grid, size: { rows: 8, columns: 8 }, samples: [sample] };
    await featureColors(features as never);
    await patchSimilarity(features as never, { image: 0, patch: 1 });
    const patchMaps = {
      sample: { ...sample, foreground: masks.values },
      shape: { width: 8, height: 8 },
      grid,
      entropy: patch,
      norm,
    };
    await entropyMaps([patchMaps] as never);
    await entropyOverlays([patchMaps] as never);
    const gridMap = { width: 2, height: 2, values: map! };
    await overlays({ images: [picture], maps: [gridMap], masks: [masks], zTitle: "" });
    await mapGrid({
      columns: [
        { title: "", images: [picture] },
        { title: "", maps: [gridMap] },
      ],
    });
    await imageGrid([[picture]]);
    await reconstructionGrid([{ original: picture, masked: picture, predicted: picture, combined: picture }]);
    const explainer = { patches: () => map, pixels: () => noise(64) };
    const relevance = [
      new RelevanceMap(
        sample as never,
        "chefer",
        0,
        0.5,
        grid,
        { rows: 8, columns: 8 },
        explainer as never,
        {},
      ),
    ];
    await relevanceMaps(relevance);
    assert.deepEqual(given.map((one) => [...one!]), before); // biome-ignore format: one line
  });
});

describe("titles are there where they are given, and no empty ones where they are not", () => {
  const row: Row = {
    ...{ path: "a", method: "chefer", class: 0, deletion: 0.1, insertion: 0.2, accuracy: null, iou: null },
    curves: { deletion: [1, 0], insertion: [0, 1] },
  };
  const norms = new TokenNorms(undefined as never, new Map([["embed", Float32Array.of(1, 2)]]));
  const made: Record<string, (options: { title?: string }) => Figure> = {
    ckaMatrix: (options) => ckaMatrix([1], ["a"], options),
    attentionMask: (options) => attentionMask(prefixMask({ image: [[0, 1]] }), options),
    faithfulnessCurves: (options) => faithfulnessCurves(new Faithfulness([row], {}), options),
    tokenNormCurves: (options) => tokenNormCurves(norms, options),
    entropyScatter: (options) =>
      entropyScatter({ ...options, series: ["a", "b"].map((name) => ({ name, points: [] })) }),
    historyCurves: (options) => historyCurves({ a: [] }, options),
  };
  for (const [name, make] of Object.entries(made))
    it(name, () => {
      assert.equal(make({ title: "A title" }).layout.title!.text, "<b>A title</b>");
      assert.equal(make({}).layout.title, undefined);
    });
});
