import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { barComparison, colormap, heatmapGrid } from "../../../src/figures";
import { type ColormapName, parseHex, plotlyColorscale } from "../../../src/figures/colormap";
import { renderSvg } from "../../../src/figures/renderSvg";
import { placeFigure } from "../../../src/figures/svg/place";
import { barBox, scaleColor } from "../../../src/figures/svg/traces";

const names: ColormapName[] = ["viridis", "magma", "coolwarm"];
const lightness = ([r, g, b]: readonly number[]) => 0.299 * r! + 0.587 * g! + 0.114 * b!;
const channels = (color: string) => color.match(/\d+/g)!.map(Number);

describe("a color scale", () => {
  it("goes from dark to light, and coolwarm from blue to red", () => {
    for (const name of ["viridis", "magma"] as const)
      for (let step = 1; step <= 10; step++)
        assert.ok(lightness(colormap(name, step / 10)) > lightness(colormap(name, (step - 1) / 10)), name);
    const [cool, warm] = [colormap("coolwarm", 0), colormap("coolwarm", 1)];
    assert.ok(cool[2] > cool[0] && warm[0] > warm[2]);
  });

  it("is the same for images, for Plotly and for what is drawn", () => {
    for (const name of names) {
      const colorscale = plotlyColorscale(name);
      for (const [at, color] of colorscale) {
        const drawn = channels(scaleColor({ colorscale, cmin: -2, cmax: 6 } as never, -2 + 8 * at));
        assert.deepEqual(drawn, parseHex(color));
        for (const [channel, value] of colormap(name, at).entries())
          assert.ok(Math.abs(value - parseHex(color)[channel]!) <= 4, `${name} at ${at}`);
      }
    }
  });

  it("has its largest value on top of the drawn bar of colors, beside its label", () => {
    const values = [
      [1, 2],
      [3, 9],
    ];
    const svg = renderSvg(heatmapGrid({ maps: [{ title: "a", values }], colormap: "viridis", zTitle: "z" }));
    const cells = [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)"[^>]*fill="(rgb\([^"]*\))"/g)];
    const bar = cells.filter(([, x]) => cells.filter(([, other]) => other === x).length > 10);
    const byHeight = bar
      .sort((a, b) => Number(a[2]) - Number(b[2]))
      .map(([, , , color]) => lightness(channels(color!)));
    assert.ok(byHeight.length > 10);
    assert.ok(byHeight.every((value, index) => index === 0 || value <= byHeight[index - 1]!));
  });
});

describe("bars", () => {
  it("stand in the order of their categories and series, and higher values reach higher", () => {
    const bars = barComparison({
      categories: ["a", "b"],
      yTitle: "y",
      series: [
        { name: "one", values: [1, 3] },
        { name: "two", values: [2, -1] },
      ],
    });
    const { figure, panels } = placeFigure(bars);
    const [a1, b1, a2, b2] = figure.data.flatMap((trace) =>
      [0, 1].map((at) => barBox(trace, at, panels[0]!)!),
    );
    assert.ok(a1!.left < a2!.left && a2!.left < b1!.left && b1!.left < b2!.left);
    assert.ok(b1!.top < a2!.top && a2!.top < a1!.top && a1!.top < b2!.top);
    for (const box of [a1, a2]) assert.ok(Math.abs(box!.top + box!.height - b2!.top) < 1e-6, "from zero");
  });
});
