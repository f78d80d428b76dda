import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Table } from "apache-arrow";
import { Faithfulness, type Row } from "../../../src/analysis/relevance/faithfulnessTable";
import { TokenNorms } from "../../../src/analysis/representations/tokenNorms";
import {
  barComparison,
  entropyScatter,
  entropyStrip,
  faithfulnessCurves,
  heatmapGrid,
  lossCurves,
  renderSvg,
  saveFigure,
  tokenNormCurves,
} from "../../../src/figures";
import { shareBelowDiagonal } from "../../../src/figures/entropyScatter";
import { formatBar, formatBytes, formatDuration, formatNumber } from "../../../src/figures/format";
import { movingMean, thin } from "../../../src/figures/lossCurves";
import { isFigure } from "../../../src/figures/spec";
import { placeFigure } from "../../../src/figures/svg/place";
import { makeScale, niceTicks } from "../../../src/figures/svg/scale";
import { temporaryFolder } from "../../support/temporaryFolder";

const models = [
  {
    name: "ViT",
    points: [
      { background: 3, foreground: 3.5 },
      { background: 4, foreground: 3 },
    ],
  },
  {
    name: "LUViT",
    points: [
      { background: 4, foreground: 3 },
      { background: 4.5, foreground: 3.2 },
    ],
  },
];

describe("what a reader takes from a figure", () => {
  const bars = (errors?: number[]) =>
    barComparison({
      categories: ["a", "b"],
      yTitle: "percent",
      series: [{ name: "ViT", values: [80, 85], errors }],
    });

  it("bars begin at zero, whatever their values, in the page's script and in SVG", () => {
    assert.equal(bars().layout.yaxis!.rangemode, "tozero");
    const scale = (mode: "tozero" | "normal") => makeScale({ rangemode: mode }, [80, 85], 5, false);
    assert.equal(scale("tozero").low, 0);
    assert.ok(scale("normal").low > 70);
    assert.equal(makeScale({ rangemode: "tozero" }, [-3, -1], 5, false).high, 0);
  });

  it("numbers on bars have as many decimals as one of them needs, three digits of the largest at most", () => {
    const labels = (...values: number[]) => {
      const series = [{ name: "a", values }];
      return barComparison({ categories: values.map(String), yTitle: "y", series }).data[0]!.text;
    };
    assert.deepEqual(labels(72.5, 60), ["72.5", "60.0"]);
    assert.deepEqual(labels(80, 85), ["80", "85"]);
    assert.deepEqual(labels(72.512, 8.25), ["72.5", "8.3"]);
    assert.deepEqual(labels(0.512, 0.25), ["0.512", "0.250"]);
    assert.deepEqual(labels(512.25, 3), ["512", "3"]);
    assert.deepEqual(labels(-80.5), ["−80.5"]);
    assert.deepEqual(labels(1234.5, 2), ["1,235", "2"]);
    assert.deepEqual(labels(0), ["0"]);
  });

  it("numbers stand above bars, within them where an error bar would cross them", () => {
    assert.equal(bars().data[0]!.textposition, "outside");
    assert.equal(bars([1, 2]).data[0]!.textposition, "inside");
    assert.deepEqual(bars([1, 2]).data[0]!.error_y, { type: "data", array: [1, 2], visible: true });
  });

  it("durations are written in two units, the smaller with two digits", () => {
    const written = [0, 0.0994, 0.0996, 59.94, 59.96, 61, 125.4, 3599.4, 3599.6, 3660, 86_399, Number.NaN];
    assert.deepEqual(written.map(formatDuration), [
      ...["0 ms", "99 ms", "0.1 s", "59.9 s", "1 min 00 s", "1 min 01 s", "2 min 05 s", "59 min 59 s"],
      ...["1 h 00 min", "1 h 01 min", "23 h 59 min", "–"],
    ]);
  });

  it("numbers keep four digits, sizes and shares their unit", () => {
    const values = [0, 5, 1234567, 0.5, 72.5, 13.33333, 1234.5, 9.14e-7, -0.25, 1e12, 2.5e9 + 0.5];
    assert.deepEqual(values.map(formatNumber), [
      ...["0", "5", "1,234,567", "0.5", "72.5", "13.33", "1,235", "9.14e-7", "-0.25", "1,000,000,000,000"],
      "2.50e+9",
    ]);
    assert.deepEqual([2 ** 20, 1023 * 2 ** 20, 1.5 * 2 ** 30].map(formatBytes), [
      "1 MiB",
      "1023 MiB",
      "1.5 GiB",
    ]);
    assert.equal(formatBar(0.5, 4), "[██░░]");
    assert.equal(formatBar(7, 4), "[████]");
  });
});

describe("figures are plain Plotly JSON", () => {
  it("loss curves: raw values faint, their mean strong, in one color per series", () => {
    const figure = lossCurves({
      title: "Loss",
      yTitle: "MSE",
      series: [{ name: "ViT", steps: [1, 2, 3], values: [3, 2, 1] }],
    });
    assert.ok(isFigure(figure));
    const [raw, mean] = figure.data;
    assert.deepEqual([raw!.y, raw!.showlegend, mean!.name], [[3, 2, 1], false, "ViT"]);
    assert.ok(
      raw!.opacity! < 0.5 && raw!.line!.color === mean!.line!.color && mean!.line!.width! > raw!.line!.width!,
    );
    assert.equal(figure.layout.yaxis?.title?.text, "MSE");
    assert.deepEqual(JSON.parse(JSON.stringify(figure)).layout.meta, { summary: "ViT 3 → 1 over 3 steps" });
  });

  it("the entropy scatter has equal axes, a diagonal and the share below it", () => {
    const figure = entropyScatter({ title: "Entropy", points: models[0]!.points });
    assert.equal(figure.layout.yaxis?.scaleanchor, "x");
    assert.deepEqual(figure.layout.xaxis?.range, figure.layout.yaxis?.range);
    assert.equal(figure.data[0]!.line!.dash, "dash");
    assert.deepEqual(figure.data[0]!.x, figure.data[0]!.y);
    assert.match(figure.layout.title!.text, /background > foreground in 50 % of 2 images/);
    assert.match(figure.layout.xaxis!.title!.text, /background entropy \(nats\)/);
    assert.equal(shareBelowDiagonal(models[1]!.points), 1);
  });

  it("of equal entropies none is above, gaps do not decide the range, and points without a name are numbered", () => {
    const points = [
      { background: 3, foreground: 3 },
      { background: 5, foreground: 4, label: "a.png" },
      { background: Number.NaN, foreground: 4 },
      { background: 4, foreground: 1 },
    ];
    assert.equal(shareBelowDiagonal(points), 0.5);
    const { data, layout } = entropyScatter({ points });
    const air = 0.06 * 4;
    for (const axis of [layout.xaxis, layout.yaxis]) assert.deepEqual(axis!.range, [1 - air, 5 + air]);
    const cloud = data.find(({ mode }) => mode === "markers")!;
    assert.deepEqual(
      [cloud.x, cloud.y],
      [
        [3, 5, Number.NaN, 4],
        [3, 4, 4, 1],
      ],
    );
    assert.deepEqual(cloud.text, ["image 1", "a.png", "image 3", "image 4"]);
    assert.deepEqual(entropyScatter({ points: [] }).layout.xaxis!.range, [0, 1]);
    const one = entropyScatter({ points: [{ background: 2, foreground: 2 }] });
    assert.deepEqual(one.layout.yaxis!.range, [1.98, 2.02]);
  });

  it("curves of faithfulness are percent, each in its panel, their bands between 0 and 100", () => {
    const of = (deletion: number[], insertion: number[]): Row => ({
      ...{ path: "a", method: "chefer", class: 0, deletion: 0.25, insertion: 0.5, accuracy: null, iou: null },
      curves: { deletion, insertion },
    });
    const rows = [of([0.9, 0.2], [0, 1]), of([0.7, 0.4], [0.2, 1])];
    const { data, layout } = faithfulnessCurves(
      new Faithfulness([...rows, { ...rows[0], method: "rollout" }], {}),
    );
    const told = data.map(({ name, xaxis, yaxis, x, y, fill, showlegend }) => [
      name,
      xaxis,
      yaxis,
      x,
      y,
      fill,
      showlegend,
    ]);
    const line = (name: string, panel: string, y: number[]) => [
      name,
      `x${panel}`,
      `y${panel}`,
      [0, 100],
      y,
      undefined,
      panel === "",
    ];
    const band = (panel: string, y: number[]) => [
      "chefer, 95 %",
      `x${panel}`,
      `y${panel}`,
      [0, 100, 100, 0],
      y,
      "toself",
      false,
    ];
    // Two images 20 points apart have an interval of 12.7 times 10 points on each side: all there is.
    assert.deepEqual(told, [
      band("", [100, 100, 0, 0]),
      line("chefer", "", [80, 30]),
      line("rollout", "", [90, 20]),
      band("2", [100, 100, 100, 0]),
      line("chefer", "2", [10, 100]),
      line("rollout", "2", [0, 100]),
    ]);
    const colors = new Map(data.map(({ legendgroup, line: of }) => [legendgroup, of!.color]));
    assert.equal(new Set(colors.values()).size, 2);
    assert.match(
      layout.meta!.summary!,
      /^area under the curves: chefer deletion 0\.250, chefer insertion 0\.500, rollout/,
    );
  });

  it("norms of tokens have their median, the largest and what nine in ten are between, place by place", () => {
    const norms = Float32Array.from({ length: 21 }, (_, i) => (i * 8) % 21); // 0 to 20 in another order
    const places = [
      "embed",
      ...Array.from({ length: 15 }, (_, i) => `blocks.${i}.out`),
      "fusion.mapper1",
      "llama.layers.0.out",
    ];
    const scaled = places.map((place, i): [string, Float32Array] => [place, norms.map((x) => x * (i + 1))]);
    const { data, layout } = tokenNormCurves(new TokenNorms(new Table() as never, new Map(scaled)));
    const [band, median, largest] = data;
    const of = (value: number) => places.map((_, i) => value * (i + 1));
    assert.deepEqual([median.y, largest.y], [of(10), of(20)]);
    assert.deepEqual(band.y, [...of(19), ...of(1).reverse()]);
    assert.deepEqual(band.x, [...places.keys(), ...[...places.keys()].reverse()]);
    const shown = places.map((_, i) => i).filter((i) => i % 2 === 0);
    assert.deepEqual(layout.xaxis!.tickvals, shown, "of more than 16 places every second is named");
    assert.deepEqual(layout.xaxis!.ticktext!.slice(0, 3), ["embed", "block 1", "block 3"]);
    assert.equal(layout.xaxis!.ticktext!.at(-1), "mapper1");
    assert.deepEqual([median.customdata, largest.name], [places, "largest"]);
    assert.equal(layout.meta!.summary, "at llama.layers.0.out: median 180, largest 360");
  });

  it("two models stand side by side with shared ranges, or together in two colors and shapes", () => {
    const beside = entropyScatter({ series: models });
    assert.deepEqual(beside.layout.xaxis?.range, beside.layout.xaxis2?.range);
    assert.deepEqual([...new Set(beside.data.map((trace) => trace.xaxis))], ["x", "x2"]);
    const together = entropyScatter({ series: models, layout: "together" });
    const clouds = together.data.filter((trace) => trace.mode === "markers");
    assert.equal(new Set(clouds.map((trace) => trace.marker!.color)).size, 2);
    assert.equal(new Set(clouds.map((trace) => trace.marker!.symbol)).size, 2);
  });

  it("bars carry their values and errors; heat maps share one color axis", () => {
    const bars = barComparison({
      categories: ["top-1"],
      yTitle: "percent",
      series: [{ name: "ViT", values: [61.2], errors: [1.5] }],
    });
    assert.deepEqual(bars.data[0]!.error_y?.array, [1.5]);
    assert.deepEqual(bars.data[0]!.text, ["61.2"]);
    const heat = heatmapGrid({
      zTitle: "entropy (nats)",
      maps: [
        {
          title: "a",
          values: [
            [1, 2],
            [3, 4],
          ],
        },
        { title: "b", values: [[0, 9]] },
      ],
    });
    assert.deepEqual([heat.layout.coloraxis!.cmin, heat.layout.coloraxis!.cmax], [0, 9]);
    assert.equal(heat.layout.yaxis2?.autorange, "reversed");
  });
});

describe("static images", () => {
  it("the SVG carries all labels, both themes and no NaN", () => {
    const figures = [
      lossCurves({
        title: "Loss",
        yTitle: "MSE",
        series: [
          { name: "a & b", steps: [1, 2], values: [3, Number.NaN] },
          { name: "c", steps: [1, 2], values: [1, 2] },
        ],
      }),
      entropyScatter({ series: models }),
      entropyScatter({ points: [] }),
      barComparison({ categories: ["top-1"], yTitle: "percent", series: [{ name: "ViT", values: [-3] }] }),
      entropyStrip({
        series: [
          {
            name: "ViT",
            blocks: [
              { block: "1", heads: [3, 4] },
              { block: "2", heads: [2] },
            ],
          },
        ],
      }),
      heatmapGrid({
        zTitle: "entropy (nats)",
        maps: [
          {
            title: "head 1",
            values: [
              [1, 2],
              [3, 4],
            ],
          },
        ],
      }),
    ];
    const svgs = figures.map((figure) => renderSvg(figure));
    for (const svg of svgs) {
      assert.doesNotMatch(svg.replace(/<title>.*?<\/title>/, ""), /NaN|undefined|Infinity/);
      assert.match(svg, /prefers-color-scheme:dark/);
      assert.doesNotMatch(svg, /https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
    }
    for (const label of [">Loss<", ">MSE<", ">a &amp; b<", ">optimizer step<"])
      assert.ok(svgs[0]!.includes(label), label);
    for (const label of [">ViT<", ">LUViT<", "mean background entropy (nats)", "100 % of 2 images"])
      assert.ok(svgs[1]!.includes(label), label);
    assert.ok(svgs[5]!.includes(">head 1<") && svgs[5]!.includes(">entropy (nats)<"));
  });

  it("long titles and legends break, crowded names slant, and the height grows by as much", () => {
    const names = ["a first series with a long name", "a second one that is longer", "and a third"];
    const long = lossCurves({
      title:
        "A title that is longer than the figure is wide, and says more than it has to, twice over and then some more",
      series: names.map((name) => ({ name, steps: [0, 1], values: [1, 2] })),
      width: 420,
    });
    const { layout } = placeFigure(long).figure;
    assert.ok(layout.title!.text.split("<br>").length >= 3);
    assert.ok(layout.height >= 400 + 2 * 22 + 2 * 20);
    assert.equal(layout.title!.text.replaceAll("</b><br><b>", " "), long.layout.title!.text);
    const categories = ["original", "mixed same class", "mixed random class", "no foreground"];
    const bars = barComparison({
      categories,
      yTitle: "%",
      series: [{ name: "a", values: [1, 2, 3, 4] }],
      width: 300,
    });
    const placed = placeFigure(bars);
    assert.ok(placed.figure.layout.xaxis!.tickangle! < 0 && placed.figure.layout.height > 400);
    assert.equal(placeFigure(bars, 900).figure.layout.xaxis!.tickangle, undefined);
  });

  it("square panels keep their shape when the figure becomes narrower", () => {
    const figure = entropyScatter({ points: models[0]!.points });
    for (const width of [560, 320]) {
      const [panel] = placeFigure(figure, width).panels;
      assert.ok(Math.abs(panel!.box.width - panel!.box.height) < 1);
      assert.ok(panel!.box.width > 0.7 * width - 60);
    }
  });

  it("saves by ending and refuses others", async () => {
    const folder = temporaryFolder("figure");
    const figure = entropyScatter({ series: models });
    const paths = await Promise.all(
      ["svg", "png", "html", "json"].map((ending) => figure.save(join(folder, `f.${ending}`))),
    );
    const [svg, png, page, json] = paths.map((path) => readFileSync(path));
    assert.match(String(svg), /^<svg/);
    assert.deepEqual([...png!.subarray(0, 4)], [137, 80, 78, 71]);
    assert.equal(png!.readUInt32BE(16), 2 * figure.layout.width!);
    assert.match(String(page), /^<!doctype html>/);
    assert.doesNotMatch(String(page), /(src|href)="?https?:/);
    assert.deepEqual(JSON.parse(String(json)), JSON.parse(JSON.stringify(figure)));
    await assert.rejects(saveFigure(figure, "f.gif"), /none of .svg, .pdf, .png, .html, .json/);
  });
});

describe("parts", () => {
  it("ticks are round numbers inside the range", () => {
    assert.deepEqual(
      niceTicks(0, 1, 5).map(({ label }) => label),
      ["0", "0.2", "0.4", "0.6", "0.8", "1.0"],
    );
    assert.deepEqual(
      niceTicks(-20, 130, 4).map(({ value }) => value),
      [0, 50, 100],
    );
  });

  it("the moving mean keeps constants and lines, and skips gaps", () => {
    assert.deepEqual(movingMean([2, 2, 2, 2], 3), [2, 2, 2, 2]);
    assert.deepEqual(movingMean([1, 2, 3, 4, 5], 3).slice(1, 4), [2, 3, 4]);
    assert.equal(movingMean([1, Number.NaN, 3], 3)[1], 2);
  });

  it("thinning keeps the first and the last", () => {
    assert.deepEqual(thin(3, 10), [0, 1, 2]);
    const kept = thin(1001, 11);
    assert.deepEqual([kept.length, kept[0], kept[10]], [11, 0, 1000]);
  });
});
