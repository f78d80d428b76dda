import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { gunzipSync } from "node:zlib";
import sharp from "sharp";
import {
  barComparison,
  entropyScatter,
  type Figure,
  figure,
  heatmapGrid,
  imageGrid,
  lossCurves,
  overlays,
  precisionRecall,
  renderSvg,
  saveFigure,
} from "../../../src/figures";
import { expectDrawable, isDrawable, isPlotlyDrawable } from "../../../src/figures/drawable";
import { figureBundle } from "../../../src/figures/figureBundle";
import { dataUrl, escapeHtml, scriptJson } from "../../../src/figures/html";
import { figureHtml } from "../../../src/figures/interactive/figureHtml";
import { plotlyHtml } from "../../../src/figures/plotly/plotlyHtml";
import { figurePng } from "../../../src/figures/saveFigure";
import { isFigure, type PlotlyFigure } from "../../../src/figures/spec";
import { figureSummary } from "../../../src/figures/summary";
import { baseLayout, seriesColor } from "../../../src/figures/theme";
import { withStrength } from "../../../src/figures/withStrength";
import { assertRejects, temporaryFolder } from "../io/support";
import { isLuvitError } from "../nn/support";

const bars = barComparison({
  categories: ["a"],
  yTitle: "%",
  series: [{ name: "s", values: [1] }],
  width: 200,
  height: 100,
});
const foreign = (type: string, layout: object = {}) =>
  ({ data: [{ type, y: [1] }], layout }) as unknown as PlotlyFigure;

describe("what a figure is", () => {
  it("is an object with a list of traces of a type and a layout", () => {
    assert.ok(isFigure(bars) && isFigure({ data: [], layout: {} }) && isFigure(foreign("pie")));
    for (const other of [
      null,
      undefined,
      3,
      {},
      { data: {}, layout: {} },
      { data: [], layout: null },
      { data: [] },
      { data: [null], layout: {} },
      { data: [{ type: 3 }], layout: {} },
      { data: [{ type: "bar" }, {}], layout: {} },
    ])
      assert.equal(isFigure(other), false, inspect(other));
  });

  it("says its numbers, else its title in any form, else what it is of", () => {
    assert.equal(
      figureSummary({ data: [], layout: { meta: { summary: "numbers" }, title: { text: "T" } } }),
      "numbers",
    );
    assert.equal(
      figureSummary({ data: [], layout: { title: { text: "<b>A <i>title</i></b><br>below" } } }),
      "A title",
    );
    assert.equal(figureSummary(foreign("pie", { title: "bare" })), "bare");
    const two = {
      data: [...foreign("pie").data, ...foreign("violin").data, ...foreign("pie").data],
      layout: {},
    };
    assert.equal(figureSummary(two), "Figure: pie, violin");
  });

  it("is drawn here, by the Plotly that comes along, or elsewhere, by the types of all its traces", () => {
    const both = (...types: string[]) => ({ data: types.flatMap((type) => foreign(type).data), layout: {} });
    for (const type of ["scatter", "bar"])
      assert.ok(isDrawable(both(type)) && isPlotlyDrawable(both(type)), type);
    for (const type of [
      "box",
      "contour",
      "histogram",
      "histogram2d",
      "histogram2dcontour",
      "image",
      "pie",
      "scatterternary",
      "violin",
    ])
      assert.ok(!isDrawable(both("bar", type)) && isPlotlyDrawable(both("bar", type)), type);
    for (const type of ["scatter3d", "choropleth", "sankey"])
      assert.ok(!isPlotlyDrawable(both("bar", type)), type);
    expectDrawable(both("bar", "scatter"), "a.png");
    assert.throws(
      () => expectDrawable(both("bar", "pie", "box", "pie"), "a.png"),
      isLuvitError(
        "bad-argument",
        "a.png: still images are made of scatter, bar, heatmap traces, this figure has pie, box; save it as .html",
      ),
    );
  });
});

describe("markup", () => {
  it("has all of its signs escaped, scripts no end within them, and bytes of a view alone", () => {
    assert.equal(
      escapeHtml(`<a href="b">&amp;</a><>""`),
      "&lt;a href=&quot;b&quot;&gt;&amp;amp;&lt;/a&gt;&lt;&gt;&quot;&quot;",
    );
    assert.equal(scriptJson({ a: "</script><!--" }), '{"a":"\\u003c/script>\\u003c!--"}');
    assert.deepEqual(JSON.parse(scriptJson({ a: "</script><!--" })), { a: "</script><!--" });
    const all = Uint8Array.of(1, 2, 3, 4);
    assert.equal(dataUrl("image/png", all.subarray(1, 3)), "data:image/png;base64,AgM=");
    assert.equal(dataUrl("text/plain", "é"), "data:text/plain;base64,w6k=");
  });
});

describe("a figure's forms", () => {
  const colorscale: [number, string][] = [
    [0, "#000000"],
    [1, "#ffffff"],
  ];

  it("in a notebook are an image from so many points on, those of maps among them", async () => {
    const map = (rows: number) =>
      figure([{ type: "heatmap", z: Array(rows).fill(Array(1000).fill(1)), colorscale }], {}, "map");
    assert.ok("text/html" in (await figureBundle(map(200))));
    const large = await figureBundle(map(201));
    assert.deepEqual(Object.keys(large), ["text/plain", "image/png"]);
    assert.match(String(large["text/plain"]), /^map\n201,000 points/);
  });

  it("as PNG are light and twice as large, unless it is asked otherwise", async () => {
    const pixel = async (options: object) => {
      const { data, info } = await sharp(await figurePng(bars, options)).removeAlpha().raw().toBuffer({ resolveWithObject: true }); // biome-ignore format: one line
      return [info.width, info.height, ...data.subarray(0, 3)];
    };
    assert.deepEqual(await pixel({}), [400, 200, 255, 255, 255]);
    assert.deepEqual(await pixel({ scale: 1, theme: "dark" }), [200, 100, 0x14, 0x17, 0x1c]);
  });

  it("are written by the file's ending in any case; what only Plotly draws as page or JSON", async () => {
    const folder = temporaryFolder();
    const saved = async (drawn: PlotlyFigure, name: string) =>
      readFileSync(await saveFigure(drawn, join(folder, name)), "utf8");
    assert.match(await saved(bars, "a.SVG"), /^<svg/);
    assert.match(await saved(bars, "a.Pdf"), /^%PDF/);
    const json = await saved(bars, "a.b.json");
    assert.ok(json.endsWith("}\n"));
    assert.match(await saved(bars, "a.html"), /<title>s a 1<\/title>[\s\S]*class="luvit-plot"/);
    assert.match(await saved(foreign("pie"), "b.html"), /class="luvit-plotly"/);
    assert.deepEqual(JSON.parse(await saved(foreign("pie"), "b.json")), foreign("pie"));
    for (const ending of ["svg", "png", "pdf"]) {
      const path = join(folder, `old.${ending}`);
      writeFileSync(path, "old");
      await assertRejects(() => saveFigure(foreign("pie"), path), "bad-argument", `old.${ending}`, "pie");
      assert.equal(readFileSync(path, "utf8"), "old");
    }
    for (const name of ["a", "a.svg.gz", "svg"]) await assertRejects(() => saveFigure(bars, join(folder, name)), "bad-argument", "none of"); // biome-ignore format: one line
    assert.equal(await bars.save(join(folder, "c.svg")), join(folder, "c.svg"));
    assert.equal(inspect(bars), "Figure: s a 1");
    assert.deepEqual(Object.keys(bars), ["data", "layout"], "its JSON is Plotly's");
  });

  it("in a page are an image of it, in words, and its numbers for the script, which end no element", () => {
    const evil = lossCurves({
      title: "</script>",
      series: [{ name: 'a "b"', steps: [1], values: [2] }],
      width: 300,
      height: 150,
    });
    const html = figureHtml(evil);
    assert.match(
      html,
      /^<div class="luvit-plot" style="max-width:300px;[^"]*"><img src="data:image\/svg\+xml;base64,[^"]+" alt="a &quot;b&quot; 2 → 2 over 1 steps" width="300" height="150"/,
    );
    const [, json] = /class="luvit-figure">([\s\S]*?)<\/script>/.exec(html)!;
    assert.deepEqual(JSON.parse(json!), JSON.parse(JSON.stringify(evil)));
    const [, image] = /base64,([^"]+)"/.exec(html)!;
    assert.equal(Buffer.from(image!, "base64").toString(), renderSvg(evil));
  });

  it("of Plotly's own kinds carry Plotly whole, a look for what brings none, and their words", () => {
    const html = plotlyHtml(foreign("pie", { title: "a & <b>pie</b>" }));
    assert.match(html.slice(0, 200), /min-height:450px"><p>a &amp; pie<\/p>/);
    const [, json] = /class="luvit-figure">([\s\S]*?)<\/script>/.exec(html)!;
    const { data, layout } = JSON.parse(json!);
    assert.deepEqual(
      [data, layout.title, layout.template.layout.paper_bgcolor],
      [foreign("pie").data, "a & <b>pie</b>", "rgba(0,0,0,0)"],
    );
    const own = plotlyHtml(foreign("pie", { template: { layout: { font: { size: 3 } } } }));
    assert.deepEqual(JSON.parse(/class="luvit-figure">([\s\S]*?)<\/script>/.exec(own)![1]!).layout.template, { layout: { font: { size: 3 } } }); // biome-ignore format: one line
    const [, packed] = /class="luvit-plotly-library">([^<]+)</.exec(html)!;
    const library = readFileSync(require.resolve("plotly.js-cartesian-dist-min"));
    assert.ok(gunzipSync(Buffer.from(packed!, "base64")).equals(library));
  });
});

describe("what figures have in common", () => {
  it("is their room: for lines of the title, for a legend, for a bar of colors", () => {
    const { margin, width, height, showlegend, title } = baseLayout("");
    assert.deepEqual(
      [margin, width, height, showlegend, title],
      [{ l: 64, r: 24, t: 22, b: 56 }, 720, 400, false, undefined],
    );
    const full = baseLayout("one<br><sub>two</sub>", {
      legend: true,
      colorbar: true,
      width: 300,
      height: 200,
    });
    assert.deepEqual(full.margin, { l: 64, r: 92, t: 22 + 44 + 26, b: 56 });
    assert.deepEqual(
      [full.title!.text, full.showlegend, full.width, full.height],
      ["<b>one</b><br><sub>two</sub>", true, 300, 200],
    );
  });

  it("are six colors, one after the other and from the beginning", () => {
    const colors = Array.from({ length: 7 }, (_, i) => seriesColor(i));
    assert.equal(new Set(colors).size, 6);
    assert.equal(colors[6], colors[0]);
    assert.equal(withStrength("#0a10ff", 0.25), "rgba(10,16,255,0.25)");
  });
});

describe("options that cannot be are refused by name", () => {
  const image = { width: 2, height: 2, data: new Uint8Array(12) };
  const map = { width: 1, height: 1, values: [1] };
  const curve = { name: "a", steps: [1, 2], values: [1, 2] };
  const maps = [{ title: "", values: [[1]] }];
  const of: Record<string, (options: object) => unknown> = {
    lossCurves: (o) => lossCurves({ series: [curve], ...o }),
    barComparison: (o) => barComparison({ categories: ["a"], series: [], yTitle: "", ...o }),
    heatmapGrid: (o) => heatmapGrid({ maps, zTitle: "", ...o }),
    entropyScatter: (o) => entropyScatter(o),
    imageGrid: (o) => imageGrid([[image]], o),
    overlays: (o) => overlays({ images: [image], maps: [map], zTitle: "", ...o }),
    precisionRecall: (o) => precisionRecall({ scores: {}, ...o }),
    renderSvg: (o) => renderSvg(bars as Figure, o),
    figurePng: (o) => figurePng(bars as Figure, o),
  };
  const wrong: readonly (readonly [
    name: string,
    option: string,
    refused: readonly unknown[],
    taken: readonly unknown[],
  ])[] = [
    ["lossCurves", "width", [15, 20_001, Number.NaN, "300"], [16, 300]],
    ["lossCurves", "height", [15, 20_001], [16, 300]],
    ["lossCurves", "smoothing", [0, 1.5, 1_000_001], [1, 1_000_000]],
    ["lossCurves", "maxPoints", [1, 100_001, 2.5], [2, 100_000]],
    ["lossCurves", "yScale", ["ln", ""], ["log", "linear"]],
    ["lossCurves", "title", [3, null], [""]],
    [
      "lossCurves",
      "series",
      [[{ ...curve, steps: [1] }], [{ ...curve, values: 3 }], [{ name: "a" }], "a"],
      [[]],
    ],
    ["barComparison", "series", [[{ name: "a", values: [1], errors: 3 }], [{ name: 3, values: [] }]], [[]]],
    ["heatmapGrid", "maps", [[], [{ title: "", values: [] }], [{ values: [[1]] }]], [maps]],
    ["heatmapGrid", "columns", [0, 1001, 1.5], [1, 1000]],
    ["heatmapGrid", "range", [[1], [1, Number.NaN], [1, 2, 3], [0, Number.POSITIVE_INFINITY]], [[0, 1]]],
    ["heatmapGrid", "colormap", ["jet", ""], ["viridis", "magma", "coolwarm"]],
    ["entropyScatter", "layout", ["below"], ["together", "side by side"]],
    ["imageGrid", "cell", [0.5, 8193], [1, 40]],
    ["imageGrid", "scale", [0, -1, 1001], [0.5, 4]],
    ["overlays", "alpha", [-0.1, 1.1, Number.NaN], [0, 1]],
    ["overlays", "cell", [0, 8193], [1, 30]],
    ["overlays", "columns", [0, 1001], [1, 2]],
    ["overlays", "lines", ["yes", 1], [true, false]],
    ["precisionRecall", "by", ["model"], []],
    ["precisionRecall", "columns", [0, 101], []],
    ["precisionRecall", "ious", [[1.1], [-0.1], 0.5], []],
    ["renderSvg", "theme", ["black"], ["auto", "dark", "light"]],
    ["renderSvg", "width", [15, 20_001], [16]],
    ["figurePng", "theme", ["auto"], ["dark"]],
    ["figurePng", "scale", [0, 21], [0.5]],
  ];
  for (const [name, option, refused, taken] of wrong)
    it(`${name}: ${option}`, async () => {
      for (const value of refused)
        await assert.rejects(async () => of[name]!({ [option]: value }), isLuvitError("bad-argument", name, option), inspect(value)); // biome-ignore format: one line
      for (const value of taken) await of[name]!({ [option]: value });
    });
});
