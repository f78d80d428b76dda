import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import sharp from "sharp";
import { figure, lossCurves, type PlotlyFigure, renderSvg, saveFigure } from "../../../src/figures";
import { plotlyColorscale } from "../../../src/figures/colormap";
import { figureBundle } from "../../../src/figures/figureBundle";
import { withEmbeddedImages } from "../../../src/figures/plotly/embeddedImages";
import { plotlyHtml } from "../../../src/figures/plotly/plotlyHtml";
import { plotlyMime } from "../../../src/figures/spec";
import { isLuvitError } from "../../support/luvitError";
import { temporaryFolder } from "../../support/temporaryFolder";

/** A foreign figure with something other than it should be wherever a figure has text, a color or a number. */
function foreign(evil: string): PlotlyFigure {
  const trace = (type: string, more: object) => ({
    ...{ type, name: evil, x: [1, 2, evil], y: [3, 4, 5], text: [evil], opacity: evil, hovertemplate: evil },
    ...{ line: { color: evil, width: evil, dash: evil }, marker: { color: evil, size: evil, symbol: evil } },
    ...more,
  });
  return {
    data: [trace("scatter", { mode: "lines+markers" }), trace("bar", { error_y: { array: [evil] } })],
    layout: {
      ...{ title: { text: evil }, showlegend: true, width: evil, height: evil, margin: { l: evil, t: evil } },
      ...{ xaxis: { title: { text: evil }, tickangle: evil }, yaxis: { title: { text: evil } } },
      annotations: [
        { text: evil, x: 0, y: 0, xref: "paper", yref: "paper", font: { color: evil, size: evil } },
      ],
      meta: { summary: evil },
    },
  } as unknown as PlotlyFigure;
}

describe("foreign figures", () => {
  for (const evil of [
    `"><script>alert(1)</script>`,
    `" onload="alert(1)`,
    "</style><img src=x onerror=alert(1)>",
  ]) {
    it(`cannot leave the place of ${evil}`, async () => {
      const drawn = foreign(evil);
      const html = String((await figureBundle(drawn))["text/html"]);
      const image = Buffer.from(/svg\+xml;base64,([^"]+)/.exec(html)![1]!, "base64").toString();
      for (const svg of [renderSvg(drawn), renderSvg(drawn, { inline: true, theme: "dark" }), image]) {
        assert.doesNotMatch(svg, /<(script|img)|<[^>]*" on\w+=/);
        await sharp(Buffer.from(svg)).metadata();
      }
      const around = html.replace(/<script[^>]*>[\s\S]*?<\/script>/g, "");
      assert.doesNotMatch(around, /<script|<img src=x|" on\w+=/);
      assert.equal(html.match(/<script/g)!.length, 2);
      assert.match(plotlyHtml(drawn), /^<div class="luvit-plotly" style="min-height:450px"><p>/);
    });
  }

  it("with letters that XML may not have are drawn, and show where they were", async () => {
    const name = "a\0b\x1b[31m\ud800c\uffff";
    const drawn = lossCurves({ title: name, series: [{ name, steps: [1, 2], values: [1, 2] }] });
    const bundle = await figureBundle(drawn);
    assert.ok(String(bundle["image/png"]).length > 1000);
    assert.match(renderSvg(drawn), />a\ufffdb\ufffd\[31m\ufffdc\ufffd</);
  });
});

describe("what Plotly draws and a still image would not", () => {
  const bar = { type: "bar", x: [1, 2], y: [3, 4] };
  const heatmap = { type: "heatmap", z: [[1, 2]] };
  const shared = { coloraxis: { colorscale: plotlyColorscale("viridis"), cmin: 0, cmax: 1 } };
  const given = (trace: object, layout: object = {}) =>
    ({ data: [{ type: "scatter", x: [1], y: [2] }, trace], layout }) as unknown as PlotlyFigure;
  const packed = { dtype: "f8", bdata: "AAAAAAAA8D8=" };
  for (const [words, drawn] of Object.entries({
    "horizontal bars": given({ ...bar, orientation: "h" }),
    "bars that are not side by side (stack)": given(bar, { barmode: "stack" }),
    "a heatmap without a color scale in numbers": given({ ...heatmap, colorscale: "Viridis" }),
    "packed numbers (bdata)": given({ type: "scatter", x: [1], y: packed }),
  }))
    it(`is left to Plotly, and said: ${words}`, async () => {
      const bundle = await figureBundle(drawn);
      assert.deepEqual(Object.keys(bundle), ["text/plain", plotlyMime, "text/html"]);
      assert.match(String(bundle["text/html"]), /class="luvit-plotly"/);
      assert.deepEqual((bundle[plotlyMime] as PlotlyFigure).data, drawn.data);
      const folder = temporaryFolder();
      const refused = isLuvitError("bad-argument", `this figure has ${words}; save it as .html`);
      await assert.rejects(saveFigure(drawn, join(folder, "a.png")), refused);
      await saveFigure(drawn, join(folder, "a.html"));
    });

  it("is not what can be drawn: bars side by side, heatmaps with colors, of all or their own", async () => {
    for (const drawn of [
      given({ ...bar, orientation: "v" }),
      given(bar, { barmode: "group" }),
      given({ type: "scatter", x: [1], y: [2], orientation: "h" }, { barmode: "stack" }),
      given({ ...heatmap, coloraxis: "coloraxis" }, shared),
      given({ ...heatmap, colorscale: "Viridis", coloraxis: "coloraxis" }, shared),
      given({ ...heatmap, colorscale: plotlyColorscale("magma") }),
      given({ ...heatmap }, shared),
    ])
      assert.ok("image/png" in (await figureBundle(drawn)));
    const scales = [[], [[0, "#000000"]], [[0, "#000000"], 1], [["0", "#000000"], [1, "#ffffff"]]]; // biome-ignore format: one line
    const own = scales.map((colorscale) => given({ ...heatmap, colorscale }));
    for (const none of [given(heatmap), given({ ...heatmap, coloraxis: "coloraxis" }), ...own])
      assert.ok(!("image/png" in (await figureBundle(none))));
  });
});

describe("titles", () => {
  const drawn = (title: unknown, axis = title, bar = title) =>
    renderSvg({
      data: [{ type: "heatmap", z: [[1, 2]], coloraxis: "coloraxis" }],
      layout: {
        title,
        xaxis: { title: axis },
        yaxis: { title: axis },
        coloraxis: { colorscale: plotlyColorscale("viridis"), cmin: 1, cmax: 2, colorbar: { title: bar } },
      },
    } as unknown as PlotlyFigure);

  it("may be bare text, of the figure, of axes and of the color bar", () => {
    const bare = drawn("a <b>b</b>", "c", "d");
    assert.equal(bare, drawn({ text: "a <b>b</b>" }, { text: "c" }, { text: "d" }));
    for (const words of [">a b</tspan>", ">c</tspan>", ">d</tspan>"]) assert.ok(bare.includes(words), words);
    assert.match(drawn({ text: 5 }), />5<\/tspan>/);
  });

  it("of no words are none", () => {
    for (const none of [{}, { text: null }, null]) assert.equal(drawn(none), drawn(undefined), `${none}`);
    assert.doesNotMatch(drawn({}), /undefined|null/);
  });

  it("that are long break into lines, and the figure grows by as much, bare or not", () => {
    const long = "word ".repeat(40).trim();
    const heights = [drawn(long), drawn({ text: long }), drawn("word")].map((svg) =>
      Number(/height="(\d+)"/.exec(svg)![1]),
    );
    assert.equal(heights[0], heights[1]);
    assert.ok(heights[0]! > heights[2]!, `${heights}`);
  });
});

describe("a figure of nothing", () => {
  it("is a page and an image like any other, with its words", async () => {
    const bundle = await figureBundle({ data: [], layout: { title: { text: "empty" } } });
    assert.deepEqual(Object.keys(bundle), ["text/plain", plotlyMime, "text/html", "image/png"]);
    assert.match(renderSvg({ data: [], layout: { title: { text: "empty" } } }), />empty<\/tspan>/);
  });
});

describe("many points", () => {
  it("of a line are drawn as what can be seen of them: every peak is there", () => {
    const values = Array.from({ length: 100_000 }, (_, i) => Math.sin(i / 50));
    values[54_321] = 5;
    values[12_345] = -5;
    const drawn = figure(
      [{ type: "scatter", mode: "lines", x: values.map((_, i) => i), y: values }],
      { yaxis: { range: [-5, 5] } },
      "waves",
    );
    const svg = renderSvg(drawn);
    assert.ok(svg.length < 60_000, `${svg.length} characters`);
    const heights = [...svg.matchAll(/[ML]-?[\d.]+ (-?[\d.]+)/g)].map(([, y]) => Number(y));
    assert.deepEqual([Math.min(...heights), Math.max(...heights)], [48, 344]);
  });

  it("that lie on each other are drawn once", () => {
    const same = Array<number>(50_000).fill(1);
    const drawn = figure([{ type: "scatter", mode: "markers", x: same, y: same }], {}, "one place");
    assert.equal(renderSvg(drawn).match(/<circle/g)!.length, 1);
  });

  it("of two millions become an image, which says so", async () => {
    const x = Array.from({ length: 2_000_000 }, (_, i) => i);
    const y = x.map((i) => (i * 7919) % 1000);
    const drawn = figure([{ type: "scatter", mode: "lines", x, y }], {}, "a cloud");
    const bundle = await figureBundle(drawn);
    assert.deepEqual(Object.keys(bundle), ["text/plain", "image/png"]);
    assert.match(String(bundle["text/plain"]), /^a cloud\n2,000,000 points: shown as an image only/);
  });
});

describe("images of figures for Plotly", () => {
  const [here, there] = [
    { source: "data:image/png;base64,iVBORw0KGgo=" },
    { source: "https://example.com/seen.png" },
  ];
  const disguised = [
    { source: "data:image/svg+xml;base64,PHN2Zz4=" },
    { source: "data:image/png;base64,aaaa' onerror='x" },
    { source: "//example.com/data:image/png;base64,aaaa" },
    { source: 3 },
    {},
    null,
  ];

  it("stay where they come with the figure, and go where they would be fetched, wherever they are", () => {
    const images = [there, here, ...disguised];
    const bare = withEmbeddedImages({
      data: [
        { type: "image", ...here },
        { type: "image", ...there },
        { type: "image", z: [[[1, 2, 3]]] },
        { type: "scatter", source: "kept", y: [1] },
      ],
      layout: {
        images,
        title: { text: "t" },
        template: {
          layout: { images, font: { size: 9 }, template: { layout: { images } } },
          data: { image: images, bar: [{}] },
        },
      },
    } as unknown as PlotlyFigure);
    assert.deepEqual(bare, {
      data: [
        { type: "image", ...here },
        { type: "image", z: [[[1, 2, 3]]] },
        { type: "scatter", source: "kept", y: [1] },
      ],
      layout: {
        images: [here],
        title: { text: "t" },
        template: {
          layout: { images: [here], font: { size: 9 }, template: { layout: { images: [here] } } },
          data: { image: [here], bar: [{}] },
        },
      },
    });
  });

  it("that name no axes are the whole figure's, and words that name none the first axes', as in Plotly", async () => {
    const drawn = (images: object[], annotations: object[]) =>
      renderSvg({ data: [{ type: "scatter", y: [1, 2] }], layout: { images, annotations } } as never);
    const place = { x: 0.5, y: 1.5, sizex: 1, sizey: 1 };
    const on = { xref: "x", yref: "y" };
    assert.match(drawn([{ ...here, ...place, ...on }], []), /<image /);
    assert.doesNotMatch(drawn([{ ...here, ...place }, {}], []), /<image /);
    const word = { text: "there", x: 0.5, y: 1.5 };
    const named = drawn([], [{ ...word, ...on }]);
    assert.match(named, />there</);
    assert.equal(drawn([], [word]), named);
    assert.equal(drawn([], [{ ...word, xref: "x" }]), named);
    assert.notEqual(drawn([], [{ ...word, xref: "paper", yref: "paper" }]), named);
    assert.equal(drawn([], [{ x: 0.5, y: 1.5 }]), drawn([], [{ ...word, text: "", ...on }]));
  });

  it("are the same in a notebook's JSON, whether the figure is drawn here, by Plotly or elsewhere", async () => {
    const embedded = { ...here, xref: "x", yref: "y", x: 0, y: 1, sizex: 1, sizey: 1 };
    for (const type of ["scatter", "pie", "surface"]) {
      const images = [there, embedded, ...disguised.slice(0, -1)];
      const given = { data: [{ type, y: [1, 2] }], layout: { images, template: { layout: { images } } } };
      const { [plotlyMime]: json } = await figureBundle(given as unknown as PlotlyFigure);
      const { layout } = json as { layout: { images: object[]; template: { layout: { images: object[] } } } };
      assert.deepEqual([layout.images, layout.template.layout.images], [[embedded], [embedded]], type);
    }
  });

  it("are the same in Plotly's HTML", () => {
    const drawn = { data: [], layout: { images: [there, here], height: 321 } } as unknown as PlotlyFigure;
    const html = plotlyHtml(drawn);
    assert.doesNotMatch(html.slice(0, 4000), /example\.com/);
    assert.match(html, /^<div class="luvit-plotly" style="min-height:321px">/);
    assert.match(html.slice(0, 4000), /iVBORw0KGgo=/);
  });
});
