import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  entropyScatter,
  figure,
  heatmapGrid,
  lossCurves,
  type PlotlyFigure,
  renderSvg,
} from "../../../src/figures";
import { parseHex } from "../../../src/figures/colormap";
import type { PlotlyTrace } from "../../../src/figures/spec";
import { placeFigure } from "../../../src/figures/svg/place";
import { textWidth } from "../../../src/figures/svg/text";
import { barBox, scaleColor } from "../../../src/figures/svg/traces";
import { seriesColor, themes } from "../../../src/figures/theme";

/** The rectangles of all bars of a figure with bars at these places, and the panel around them. */
function barsAt(x: (number | string)[][], type?: "log") {
  const traces = x.map((places): PlotlyTrace => ({ type: "bar", x: places, y: places.map((_, i) => i + 1) }));
  const [panel] = placeFigure(figure(traces, { xaxis: type ? { type } : {} }, "bars")).panels;
  const boxes = traces.flatMap((trace) => trace.x!.map((_, index) => barBox(trace, index, panel!)!));
  return { boxes, panel: panel!.box };
}

describe("bars", () => {
  for (const [name, places, type] of [
    ["whole numbers", [[1, 2, 3, 4]]],
    ["a single number", [[7]]],
    ["small steps", [[0.1, 0.2, 0.3]]],
    ["large steps, out of order", [[500, 100, 300]]],
    ["two series", [[1, 2, 3], [1, 2, 3]]], // biome-ignore format: one line
    ["powers of ten", [[1, 10, 100]], "log"],
    ["names", [["a", "b", "c"]]],
  ] as [string, (number | string)[][], "log"?][]) {
    it(`at ${name} are whole, of one width, and do not overlap`, () => {
      const { boxes, panel } = barsAt(places, type);
      const sorted = [...boxes].sort((a, b) => a.left - b.left);
      for (const [index, box] of sorted.entries()) {
        assert.ok(box.left >= panel.left && box.left + box.width <= panel.left + panel.width, name);
        assert.ok(box.width > 8 && Math.abs(box.width - boxes[0]!.width) < 1e-6);
        const next = sorted[index + 1];
        if (next) assert.ok(box.left + box.width <= next.left + 1e-6, "they overlap");
      }
    });
  }
});

const square = (size: number, value: (i: number, j: number) => number) =>
  Array.from({ length: size }, (_, i) => Array.from({ length: size }, (_, j) => value(i, j)));

const maps = (count: number, size = 8) =>
  Array.from({ length: count }, (_, index) => ({
    title: `added by a block with the number ${index + 1}`,
    values: square(size, (i, j) => i + j + index),
  }));

const clouds = ["LUViT", "ViT"].map((name) => ({
  name,
  points: [
    { background: 3, foreground: 4 },
    { background: 4, foreground: 3 },
  ],
}));

describe("names that slant", () => {
  const names = ["attention entropy of the last block", "b", "one with a rather long name", "d"];
  const made = figure([{ type: "bar", x: names, y: [1, 2, 3, 4] }], { xaxis: { type: "category" } }, "bars");
  for (const width of [720, 390, 260]) {
    it(`begin within a figure of ${width} pixels`, () => {
      const svg = renderSvg(made, { width });
      const slanted = [...svg.matchAll(/<text x="([\d.]+)"[^>]*rotate\(-32[^>]*><tspan[^>]*>([^<]*)/g)];
      assert.ok(slanted.length >= 2 && slanted[0]![2] === names[0]);
      for (const [, end, text] of slanted)
        assert.ok(Number(end) - textWidth(text!, 11.5) * Math.cos((32 * Math.PI) / 180) >= 3, text);
    });
  }
});

describe("panels", () => {
  const figures: [string, PlotlyFigure][] = [
    ["six maps", heatmapGrid({ maps: maps(6), zTitle: "entropy (nats)", title: "Heads" })],
    ["three maps of tokens", heatmapGrid({ maps: maps(3, 65), zTitle: "cosine" })],
    ["two clouds", entropyScatter({ title: "Entropy", series: clouds })],
  ];
  for (const [name, made] of figures) {
    for (const width of [1200, 600, 390, 260]) {
      it(`${name} stand within ${width} pixels, each square and apart from the others`, () => {
        const { figure: placed, panels, area } = placeFigure(made, width);
        assert.ok(placed.layout.width <= Math.max(width, made.layout.width!));
        assert.ok(placed.layout.width <= width);
        assert.equal(panels.length, new Set(made.data.map(({ xaxis }) => xaxis)).size);
        for (const [index, { box }] of panels.entries()) {
          assert.ok(box.left >= area.left - 0.5 && box.left + box.width <= area.left + area.width + 0.5);
          assert.ok(box.top >= area.top - 0.5 && box.top + box.height <= area.top + area.height + 0.5);
          assert.ok(Math.abs(box.width - box.height) < 1 && box.width >= 79, `${box.width}`);
          for (const { box: other } of panels.slice(index + 1)) {
            const isApart =
              other.left >= box.left + box.width + 20 ||
              other.top >= box.top + box.height + 40 ||
              box.left >= other.left + other.width + 20;
            assert.ok(isApart, "two panels overlap");
          }
        }
      });
    }
  }

  it("keep the size of their words: narrow pages have fewer columns, not smaller letters", () => {
    const made = heatmapGrid({ maps: maps(6), zTitle: "entropy (nats)" });
    const columns = (width: number) =>
      new Set(placeFigure(made, width).panels.map(({ box }) => Math.round(box.left))).size;
    assert.deepEqual([816, 600, 390, 260].map(columns), [4, 4, 2, 1]);
    for (const width of [816, 390]) {
      const svg = renderSvg(made, { width });
      const sizes = [...svg.matchAll(/font-size="([\d.]+)"/g)].map(([, size]) => Number(size));
      assert.ok(Math.min(...sizes) >= 10.5, String(Math.min(...sizes)));
    }
  });

  it("are named above, whole words in lines that fit", () => {
    const made = heatmapGrid({ maps: maps(4), zTitle: "entropy (nats)" });
    const { annotations } = placeFigure(made, 390).figure.layout;
    assert.equal(annotations!.length, 4);
    assert.match(annotations![3]!.text, /^added by a<br>.*number<br>4$|^added by.*<br>.*4$/);
  });

  it("say what rows and columns are, once at the edges", () => {
    const { layout } = heatmapGrid({ maps: maps(6), zTitle: "z", xTitle: "key", yTitle: "query" });
    const titles = (name: "xaxis" | "yaxis") =>
      ["", 2, 3, 4, 5, 6].map((suffix) => layout[`${name}${suffix}`]!.title!.text);
    assert.deepEqual(titles("xaxis"), ["", "", "key", "key", "key", "key"]);
    assert.deepEqual(titles("yaxis"), ["query", "", "", "", "query", ""]);
    const svg = renderSvg(heatmapGrid({ maps: maps(1, 65), zTitle: "z" }));
    for (const words of ["row", "column", "0", "20", "40", "60"])
      assert.ok(svg.includes(`>${words}<`), words);
  });
});

describe("values on both sides of zero", () => {
  const around = (low: number, high: number, options: object = {}) =>
    heatmapGrid({
      maps: [{ title: "", values: [[low, high]] }],
      zTitle: "cosine",
      ...options,
    }).layout.coloraxis!;

  it("have zero in the middle of blue and red, whichever side reaches farther", () => {
    for (const axis of [around(-0.2, 1), around(-3, 0.5), around(0, 0, { range: [-1, 1] })]) {
      assert.equal(axis.cmin, -axis.cmax);
      assert.equal(scaleColor(axis, 0), "rgb(221,221,221)");
      const channels = (value: number) => scaleColor(axis, value).match(/\d+/g)!.map(Number);
      const [low, high] = [channels(axis.cmin), channels(axis.cmax)];
      assert.ok(low[2]! > low[0]! && high[0]! > high[2]!);
    }
    assert.deepEqual([around(-0.2, 1).cmin, around(-0.2, 1).cmax], [-1, 1]);
  });

  it("values on one side, and whoever asks for another map, get a map that goes one way", () => {
    assert.equal(around(0, 2).colorscale[0]![1], "#440154");
    const asked = around(-1, 2, { colormap: "magma" });
    assert.deepEqual([asked.cmin, asked.cmax, asked.colorscale[0]![1]], [-1, 2, "#000004"]);
  });
});

describe("faint lines", () => {
  const luminance = (color: readonly number[]) => {
    const [r, g, b] = color.map((channel) => {
      const share = channel / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };

  it("stand out from white and from near-black, in every color", () => {
    const [raw] = lossCurves({ series: [{ name: "a", steps: [1, 2], values: [1, 2] }] }).data;
    for (const { background, series } of [themes.light, themes.dark]) {
      const brighter = Number(/brightness\((.*)\)/.exec(series)?.[1] ?? 1);
      for (let index = 0; index < 6; index++) {
        const ground = parseHex(background);
        const line = parseHex(seriesColor(index)).map((channel, i) => {
          const bright = Math.min(255, channel * brighter);
          return raw!.opacity! * bright + (1 - raw!.opacity!) * ground[i]!;
        });
        const [a, b] = [luminance(line), luminance(ground)];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        assert.ok(contrast > 1.6, `${seriesColor(index)} on ${background}: ${contrast.toFixed(2)}`);
      }
    }
  });
});
