import assert from "node:assert/strict";
import { describe, it } from "node:test";
import sharp from "sharp";
import {
  barComparison,
  colormap,
  entropyScatter,
  figure,
  type ImageFigure,
  lossCurves,
  overlays,
  reconstructionGrid,
  renderSvg,
} from "../../../src/figures";
import type { RgbImage } from "../../../src/figures/image";
import { slantedHeight } from "../../../src/figures/svg/place";
import { makeScale } from "../../../src/figures/svg/scale";
import { textWidth } from "../../../src/figures/svg/text";
import { scaleColor } from "../../../src/figures/svg/traces";

type Color = readonly [number, number, number];

const plain = (color: Color, side = 16): RgbImage => ({
  width: side,
  height: side,
  data: Uint8Array.from({ length: 3 * side * side }, (_, i) => color[i % 3]!),
});

async function colorAt(shown: ImageFigure, x: number, y: number): Promise<number[]> {
  const { data, info } = await sharp(shown.png).raw().toBuffer({ resolveWithObject: true });
  const start = info.channels * (y * info.width + x);
  return [...data.subarray(start, start + 3)];
}

describe("series", () => {
  const points = [
    { background: 3, foreground: 4 },
    { background: 4, foreground: 3 },
  ];
  const names = ["first", "second", "third"];
  const drawn = {
    lossCurves: lossCurves({ series: names.map((name) => ({ name, steps: [1, 2], values: [3, 2] })) }),
    barComparison: barComparison({
      ...{ categories: ["a"], yTitle: "y" },
      series: names.map((name) => ({ name, values: [1] })),
    }),
    entropyScatter: entropyScatter({ series: names.map((name) => ({ name, points })), layout: "together" }),
  };
  for (const [name, { data }] of Object.entries(drawn)) {
    it(`have a color of their own, the same in all of their traces: ${name}`, () => {
      const colors = names.map((series) => {
        const own = data.filter((trace) => trace.name?.startsWith(series));
        assert.ok(own.length > 0);
        const used = new Set(own.map(({ line, marker }) => line?.color ?? marker?.color));
        assert.equal(used.size, 1, series);
        return [...used][0];
      });
      assert.ok(colors.every((color) => typeof color === "string"));
      assert.equal(new Set(colors).size, 3);
    });
  }
});

describe("images in a grid", () => {
  it("of reconstructions stand under their names, in each row", async () => {
    const colors: Record<string, Color> = {
      original: [200, 0, 0],
      masked: [90, 90, 90],
      predicted: [0, 200, 0],
      combined: [0, 0, 200],
    };
    const row = Object.fromEntries(Object.entries(colors).map(([name, color]) => [name, plain(color)]));
    const other = { ...row, original: plain([1, 2, 3]) };
    const shown = await reconstructionGrid([row, other] as never, { cell: 32 });
    const svg = await shown.toSvg();
    const titles = ["original", "masked", "predicted", "predicted + visible"].map((title) =>
      Number(
        new RegExp(`<text[^>]* x="([\\d.]+)"[^>]*>(?:<tspan[^>]*>)?${title.replace("+", "\\+")}<`).exec(
          svg,
        )![1],
      ),
    );
    const { info } = await sharp(shown.png).toBuffer({ resolveWithObject: true });
    const rowOf = (share: number) => Math.round(info.height * share);
    for (const [i, color] of Object.values(colors).entries()) {
      assert.deepEqual(await colorAt(shown, Math.round(titles[i]!), rowOf(0.4)), [...color], `column ${i}`);
    }
    assert.deepEqual(await colorAt(shown, Math.round(titles[0]!), rowOf(0.9)), [1, 2, 3]);
  });

  it("take the range that is given for their maps, not the maps' own", async () => {
    const map = { width: 4, height: 4, values: [0, ...new Array<number>(15).fill(5)] };
    const options = { images: [plain([100, 100, 100])], maps: [map], zTitle: "z", cell: 80, lines: false };
    const mixed = (at: number) => colormap("viridis", at).map((c) => Math.round(0.4 * 100 + 0.6 * c));
    const own = await overlays(options);
    const wide = await overlays({ ...options, range: [0, 10] });
    assert.deepEqual(await colorAt(own, 50, 50), mixed(1));
    assert.deepEqual(await colorAt(wide, 50, 50), mixed(0.5));
    assert.match(wide.alt, /0 to 10/);
  });
});

describe("what is drawn", () => {
  const scatter = (more: object) =>
    figure(
      [{ type: "scatter", mode: "lines", name: "l", x: [0, 1], y: [0, 1], ...more } as never],
      {},
      "drawn",
    );

  it("has dashes where they are asked for, and none elsewhere", () => {
    for (const [dash, pattern] of [
      ["dash", "8 6"],
      ["dot", "2 4"],
      [undefined, ""],
    ] as const) {
      const drawn = scatter({ line: { color: "#112233", width: 2, dash } });
      const svg = renderSvg(drawn, { theme: "light" });
      const own = /<path [^>]*stroke="#112233"[^>]*>/.exec(svg)![0];
      assert.equal(/stroke-dasharray="([^"]*)"/.exec(own)?.[1] ?? "", pattern);
    }
  });

  it("has a mark for every point that has a place, and for no other", () => {
    const y = [1, Number.NaN, null, 2, Number.POSITIVE_INFINITY, 3];
    for (const mode of ["markers", "lines", "lines+markers"]) {
      const svg = renderSvg(scatter({ mode, x: [0, 1, 2, 3, 4, 5], y, showlegend: false }), {
        theme: "light",
      });
      assert.doesNotMatch(svg, /NaN|Infinity/, mode);
      assert.equal(svg.match(/<circle /g)?.length ?? 0, mode === "lines" ? 0 : 3, mode);
    }
  });

  it("has colors also where all values are one", () => {
    const colorscale: [number, string][] = [
      [0, "#000000"],
      [0.5, "#808080"],
      [1, "#ffffff"],
    ];
    const flat = { colorscale, cmin: 3, cmax: 3 } as never;
    for (const value of [2, 3, 4]) assert.match(scaleColor(flat, value), /^rgb\(\d+,\d+,\d+\)$/, `${value}`);
    const wide = { colorscale, cmin: 0, cmax: 4 } as never;
    assert.deepEqual(
      [-1, 0, 1, 2, 3, 4, 9].map((value) => scaleColor(wide, value)),
      [0, 0, 64, 128, 192, 255, 255].map((level) => `rgb(${level},${level},${level})`),
    );
  });

  it("gives slanted names as much height as the longest one takes", () => {
    const axis = { type: "category", tickvals: [0, 1], ticktext: ["a", "a rather long name"] } as never;
    const scale = {
      ...makeScale({}, [0, 1], 2, false),
      ticks: ["a", "a rather long name"].map((label, value) => ({ value, label })),
    };
    const longest = textWidth("a rather long name", 12);
    const height = (tickangle: number) =>
      slantedHeight({ ...(axis as object), tickangle } as never, scale as never);
    assert.equal(height(0), 0);
    assert.ok(Math.abs(height(-90) - longest) < 8, `${height(-90)}, ${longest}`);
    assert.equal(height(-30), Math.round(height(-90) / 2));
    assert.ok(height(-10) < height(-30) && height(-30) < height(-60));
  });
});
