import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { figure, renderSvg } from "../../../src/figures";
import type { PlotlyTrace } from "../../../src/figures/spec";
import { arrangePanels } from "../../../src/figures/svg/panelGrid";
import { panelsOf } from "../../../src/figures/svg/panels";
import { maskOutline, patchLines } from "../../../src/figures/svg/patchPaths";
import { placeFigure } from "../../../src/figures/svg/place";
import { makeScale, niceTicks } from "../../../src/figures/svg/scale";
import {
  decode,
  escapeXml,
  paint,
  px,
  textElement,
  textWidth,
  wrapText,
} from "../../../src/figures/svg/text";
import { barLabels, heatmapColors, markerShape } from "../../../src/figures/svg/traces";

describe("text in a drawing", () => {
  it("has its signs escaped once, each of them, and no letter that XML may not have", () => {
    assert.equal(escapeXml(`<a & "b">&amp;`), "&lt;a &amp; &quot;b&quot;&gt;&amp;amp;");
    assert.equal(escapeXml("\0\t\n\r\x1f\ud800\ufffe😀"), "\ufffd\t\n\r\ufffd\ufffd\ufffd😀");
    assert.equal(escapeXml(3), "3");
    assert.equal(decode("&lt;&gt;&quot;&amp;lt;&amp;&nbsp;"), `<>"&lt;&&nbsp;`);
  });

  it("has colors by name, number or function, and gray for all else", () => {
    for (const color of [
      "red",
      "#fff",
      "#a1B2c3",
      "#a1b2c3d4",
      "rgb(1, 2, 3)",
      "rgba(1,2,3,.5)",
      "HSL(1 2% 3%)",
    ])
      assert.equal(paint(color), color);
    assert.equal(paint(" blue "), "blue");
    for (const other of ["url(#a)", "#ff", "#123456789", "red;", "rgb(1,2,3", `a" b`, "", "x y"])
      assert.equal(paint(other), "#8a919e", `${other}`);
  });

  it("has lines, bold and small ones, at its place, turned where it is asked for", () => {
    const place = { x: 1.234, y: 5, size: 10 };
    assert.equal(
      textElement("a<br><b>b & c</b><br/><sub>d</sub>", { ...place, anchor: "end", rotate: -90 }),
      `<text x="1.23" y="5" font-size="10" class="text" text-anchor="end" transform="rotate(-90 1.23 5)">` +
        `<tspan x="1.23">a</tspan><tspan x="1.23" dy="13.8" font-weight="600">b &amp; c</tspan>` +
        `<tspan x="1.23" dy="13.8" class="muted" font-size="8.6" font-weight="400">d</tspan></text>`,
    );
    assert.match(
      textElement("a", { ...place, className: "muted", anchor: "start" }),
      /size="10" class="muted">/,
    );
    assert.match(
      textElement("a", { ...place, fill: "red", className: "muted" }),
      /size="10" fill="red"><tspan/,
    );
    assert.deepEqual([px(1.005), px(-0.004), px(2)], ["1", "0", "2"]);
  });

  it("is broken at spaces into lines that fit, each with the marking of the whole", () => {
    const width = textWidth("aaa bbb", 10);
    assert.equal(wrapText("aaa bbb ccc", 10, width), "aaa bbb<br>ccc");
    assert.equal(wrapText("aaa bbb ccc", 10, width - 0.1), "aaa<br>bbb<br>ccc");
    assert.equal(wrapText("aaabbbccc d", 10, 5), "aaabbbccc<br>d", "a word alone is not broken");
    assert.equal(
      wrapText("<sub>aaa bbb c</sub><br>d", 10, 0.86 * width),
      "<sub>aaa bbb</sub><br><sub>c</sub><br>d",
    );
    assert.equal(
      wrapText("<b>aaa bbb</b>", 10, 1.11 * width),
      "<b>aaa</b><br><b>bbb</b>",
      "bold letters are wider",
    );
    assert.equal(wrapText("<b>aaa bbb</b>", 10, 1.13 * width), "<b>aaa bbb</b>");
    assert.equal(textWidth("<b>abc</b>", 10), textWidth("abc", 10));
  });
});

describe("axes", () => {
  const labels = (low: number, high: number) =>
    makeScale({ type: "log" }, [10 ** low, 10 ** high], 5, true).ticks;
  it("by powers of ten have more numbers the fewer powers they span", () => {
    const shown = (low: number, high: number) => labels(low, high).map(({ label }) => label);
    assert.deepEqual(shown(0, 3), ["1", "10", "100", "1000"]);
    assert.deepEqual(shown(0, 2), ["1", "2", "5", "10", "20", "50", "100"]);
    assert.deepEqual(shown(0, 0.8), ["1", "1.5", "2", "3", "4", "5"]);
    assert.deepEqual(shown(-1, -0.3), ["0.1", "0.15", "0.2", "0.3", "0.4", "0.5"]);
    assert.deepEqual(shown(4, 4.5), ["10k", "15k", "20k", "30k"]);
    assert.deepEqual(labels(0, 2)[1]!.value, Math.log10(2));
    assert.deepEqual(shown(-2, 0.5), ["0.01", "0.1", "1"]);
  });

  it("have short numbers: thousands as k, large and tiny ones as powers", () => {
    const shown = (low: number, high: number, count = 5) =>
      niceTicks(low, high, count).map(({ label }) => label);
    assert.deepEqual(shown(10_000, 10_400, 4), ["10000", "10100", "10200", "10300", "10400"]);
    assert.deepEqual(shown(0, 12_000, 6), ["0", "2000", "4000", "6000", "8000", "10k", "12k"]);
    assert.deepEqual(shown(0, 250_000, 5), ["0", "50k", "1e5", "1.5e5", "2e5", "2.5e5"]);
    assert.deepEqual(shown(0, 0.0002, 4), ["0", "5e-5", "1e-4", "1.5e-4", "2e-4"]);
    assert.deepEqual(shown(5, 1, 4), ["1", "2", "3", "4", "5"], "ends may be in either order");
    assert.deepEqual(shown(0.11, 0.19, 1), []);
  });

  it("have the places and names that they are given, or the places' numbers", () => {
    const scale = makeScale({ tickvals: [1, 2.5], ticktext: ["one"] }, [0, 3], 5, true);
    assert.deepEqual(scale.ticks, [{ value: 1, label: "one" }, { value: 2.5, label: "2.5" }]); // biome-ignore format: one line
    const log = makeScale({ type: "log", tickvals: [100] }, [1, 1000], 5, true);
    assert.deepEqual(log.ticks, [{ value: 2, label: "100" }]);
    assert.ok(Number.isNaN(log.place("a")) && Number.isNaN(log.place(null)));
    assert.equal(makeScale({ type: "category" }, [], 5, true).high, -0.5);
    assert.deepEqual([makeScale({}, [1, 0, Number.NaN, 1], 5, true).low, makeScale({ type: "log" }, [0, 1, 10], 5, true).low], [0, 0]); // biome-ignore format: one line
  });
});

const scatter = (more: object = {}) =>
  ({ type: "scatter", mode: "markers", x: [0, 1], y: [0, 1], ...more }) as PlotlyTrace;
const area = { left: 0, top: 0, width: 100, height: 100 };
const unit = { xaxis: { range: [0, 1] as [number, number] }, yaxis: { range: [0, 1] as [number, number] } };

describe("panels", () => {
  it("hold the traces of their axes that are shown, within their part of the area", () => {
    const traces = [
      scatter({ name: "a" }),
      scatter({ name: "b", xaxis: "x2", yaxis: "y2" }),
      scatter({ name: "c", visible: false }),
      scatter({ name: "d", visible: "legendonly" }),
      scatter({ name: "e", visible: true, yaxis: "y" }),
    ];
    const layout = {
      ...unit,
      xaxis2: { domain: [0.5, 1] as [number, number] },
      yaxis2: { domain: [0.25, 0.5] as [number, number], range: [0, 2] as [number, number] },
    };
    const [one, two] = panelsOf({ data: traces, layout }, area);
    assert.deepEqual(
      one!.traces.map(({ name }) => name),
      ["a", "e"],
    );
    assert.deepEqual([one!.box, two!.box], [area, { left: 50, top: 50, width: 50, height: 25 }]);
    assert.deepEqual(
      [one!.x(0.25), one!.y(0.25), two!.y(2), two!.xName, two!.yName],
      [25, 75, 50, "xaxis2", "yaxis2"],
    );
  });

  it("have one unit as long across as up where they are square, in the middle of their place", () => {
    const yaxis = { range: [0, 2] as [number, number], scaleanchor: "x" };
    const [panel] = panelsOf({ data: [scatter()], layout: { xaxis: unit.xaxis, yaxis } }, area);
    assert.deepEqual(panel!.box, { left: 25, top: 0, width: 50, height: 100 });
  });

  it("reach to the ends of error bars", () => {
    const bars = { type: "bar", x: ["a"], y: [3], error_y: { type: "data", array: [2] } } as PlotlyTrace;
    const [panel] = panelsOf({ data: [bars], layout: { yaxis: { rangemode: "tozero" } } }, area);
    assert.ok(panel!.yScale.low === 0 && panel!.yScale.high >= 5);
    const negative = { ...bars, y: [-3] };
    assert.ok(panelsOf({ data: [negative], layout: {} }, area)[0]!.yScale.low <= -5);
  });

  it("of different shapes make rows as high as their highest", () => {
    const grid = {
      titles: ["a", "b", "c"],
      ...{ xTitle: "", yTitle: "", ratio: [0.5, 2, 1], gap: 0, columns: 2, below: 10 },
      panelWidth: [100, 100] as const,
      margin: { l: 0, r: 0, t: 0, b: 0 },
    };
    const paper = { text: "old", x: 0, y: 0, xref: "paper", yref: "paper", showarrow: false } as const;
    const own = { ...paper, text: "own", xref: "x2", yref: "y2" };
    const layout = arrangePanels({ annotations: [paper, own] }, grid, 200);
    const head = 17.25 + 6;
    const height = 200 + 100 + 10 + head;
    assert.equal(layout.height, Math.round(height + Math.round(head)));
    const low = layout.yaxis!.domain![0];
    assert.ok(Math.abs(low - (1 - 200 / height)) < 1e-12);
    assert.ok(Math.abs(layout.yaxis3!.domain![1] - 100 / height) < 1e-12);
    assert.deepEqual(
      layout.annotations!.map(({ text }) => text),
      ["own", "a", "b", "c"],
    );
  });
});

describe("marks", () => {
  it("are circles, diamonds, squares or triangles of their size", () => {
    const shape = (symbol?: string) => markerShape(scatter({ marker: { size: 10, symbol } }), 20, 30);
    assert.equal(shape(), '<circle cx="20" cy="30" r="5"/>');
    assert.equal(shape("square"), '<rect x="15.5" y="25.5" width="9" height="9"/>');
    assert.equal(shape("diamond"), '<path d="M20 23.75L26.25 30L20 36.25L13.75 30Z"/>');
    assert.equal(shape("triangle-up"), '<path d="M20 24L25.5 34L14.5 34Z"/>', "its tip is above");
    assert.equal(markerShape(scatter(), 0, 0), '<circle cx="0" cy="0" r="3.5"/>');
  });

  it("stand at their number where they have no place of their own", () => {
    const svg = renderSvg(
      figure(
        [scatter({ x: undefined, y: [0, 1, 1] })],
        {
          width: 100,
          height: 100,
          margin: { l: 0, r: 0, t: 0, b: 0 },
          xaxis: { range: [0, 2] },
          yaxis: { range: [0, 1] },
        },
        "",
      ),
    );
    assert.deepEqual([...svg.matchAll(/cx="(\d+)" cy="(\d+)"/g)].map(([, x, y]) => [x, y]), [["0", "100"], ["50", "0"], ["100", "0"]]); // biome-ignore format: one line
  });

  it("what lines enclose is filled line by line, half as strong as its color unless that says how strong", () => {
    const filled = (fillcolor: string | undefined) => {
      const trace = scatter({
        mode: "lines",
        x: [0, 1, 1, null, 0, 1, 1],
        y: [0, 0, 1, null, 0, 0, 1],
        fill: "toself",
        fillcolor,
        line: { color: "#123456" },
      });
      const layout = { ...unit, width: 10, height: 10, margin: { l: 0, r: 0, t: 0, b: 0 } };
      return /<g opacity="([^"]*)"><path d="([^"]*)" fill="([^"]*)"/
        .exec(renderSvg(figure([trace], layout, "")))!
        .slice(1);
    };
    const path = "M0 10L10 10L10 0ZM0 10L10 10L10 0Z";
    assert.deepEqual(filled("rgba(1, 2, 3, 0.25)"), ["0.25", path, "rgb(1,2,3)"]);
    assert.deepEqual(filled("#abcdef"), ["0.5", path, "#abcdef"]);
    assert.deepEqual(filled(undefined), ["0.5", path, "#123456"]);
  });

  it("lines of 4000 points have all of them, longer ones what can be seen", () => {
    const count = (points: number) => {
      const trace = scatter({
        mode: "lines",
        x: Array.from({ length: points }, (_, i) => i),
        y: Array.from({ length: points }, (_, i) => i % 2),
      });
      return renderSvg(
        figure([trace], { width: 200, height: 100, margin: { l: 0, r: 0, t: 0, b: 0 } }, ""),
      ).match(/[ML]-?[\d.]+ /g)!.length;
    };
    assert.ok(count(4000) >= 4000);
    assert.ok(count(4001) <= 4 * 202, `${count(4001)}`);
  });

  it("numbers stand beyond the ends of their bars, and none at all where one does not fit", () => {
    const bars = (y: number[], text: string[], more: object = {}) => {
      const trace = { type: "bar", x: y.map((_, i) => `c${i}`), y, text, ...more } as PlotlyTrace;
      const layout = { yaxis: { range: [-10, 10] as [number, number] } };
      return barLabels(trace, panelsOf({ data: [trace], layout }, area)[0]!);
    };
    const heights = (svg: string) => [...svg.matchAll(/ y="([\d.]+)" font/g)].map(([, y]) => Number(y));
    assert.deepEqual(heights(bars([5, -5], ["5", "-5"])), [20, 89]);
    assert.deepEqual(heights(bars([5, -5], ["5", "-5"], { error_y: { array: [2, 1] } })), [10, 94]);
    assert.deepEqual(heights(bars([5, Number.NaN], ["5", "n"])), [20]);
    assert.deepEqual(heights(bars([5, 11], ["5", "x"])), [20], "beyond the panel it is left out");
    assert.equal(bars([5, -5], ["5", "a number that does not fit"]), "");
    assert.equal(bars([5], "5" as never), "");
  });

  it("cells have the figure's colors, or their own, and nothing where there is no value", () => {
    const scale: [number, string][] = [[0, "#000000"], [1, "#ffffff"]]; // biome-ignore format: one line
    const shared = { colorscale: scale, cmin: 0, cmax: 8 };
    const own = { type: "heatmap", colorscale: scale, zmin: 2, zmax: 4 } as PlotlyTrace;
    assert.deepEqual(heatmapColors(own, shared), { colorscale: scale, cmin: 2, cmax: 4 });
    assert.equal(heatmapColors({ ...own, coloraxis: "coloraxis" }, shared), shared);
    assert.equal(heatmapColors({ type: "heatmap" }, shared), shared);
    assert.deepEqual(heatmapColors({ type: "heatmap", colorscale: scale }, undefined), {
      colorscale: scale,
      cmin: 0,
      cmax: 1,
    });
    const z = [
      [0, 0, 8, null],
      [8, Number.NaN, 4, 4],
    ];
    const layout = {
      width: 40,
      height: 20,
      margin: { l: 0, r: 0, t: 0, b: 0 },
      coloraxis: shared,
      yaxis: { autorange: "reversed" as const },
    };
    const svg = renderSvg(figure([{ type: "heatmap", z, coloraxis: "coloraxis" }], layout, ""), {
      theme: "light",
    });
    const cells = [
      ...svg
        .split("crispEdges")[1]!
        .split("</g>")[0]!
        .matchAll(/x="(\d+)" y="(\d+)" width="(\d+)" height="10" fill="([^"]+)"/g),
    ].map(([, ...all]) => all.join(" "));
    assert.deepEqual(cells, [
      ...["0 0 20 rgb(0,0,0)", "20 0 10 rgb(255,255,255)", "30 0 10 none"],
      ...["0 10 10 rgb(255,255,255)", "10 10 10 #808080", "20 10 20 rgb(128,128,128)"],
    ]);
  });

  it("lines between patches and around an object follow rows and columns, each its own number", () => {
    const map = { width: 3, height: 2, values: [0, 1, 1, 0, 0, 2] };
    assert.equal(patchLines(map, 30, 10), "M10 0V10M20 0V10M0 5H30");
    assert.equal(patchLines({ ...map, width: 1, height: 1 }, 30, 10), "");
    // The object is the two patches on the upper right; what is 2 is not the object.
    assert.equal(maskOutline(map, 30, 10), "M10 0V5M10 0H20M20 0H30M30 0V5M10 5H20M20 5H30");
  });
});

describe("words in a figure", () => {
  const at = (note: object) => {
    const layout = {
      ...unit,
      width: 100,
      height: 100,
      margin: { l: 10, r: 10, t: 10, b: 10 },
      annotations: [{ text: "a", x: 0.5, y: 0.25, xref: "paper", yref: "paper", showarrow: false, ...note }],
    };
    const svg = renderSvg(figure([scatter({ mode: "lines" })], layout as never, "s"), { theme: "light" });
    const found =
      /<text x="([\d.]+)" y="([\d.]+)" font-size="([\d.]+)" class="text"([^>]*)><tspan[^>]*>a</.exec(svg);
    return (
      found && [Number(found[1]), Number(found[2]), Number(found[3]), /anchor="(\w+)"/.exec(found[4]!)?.[1]]
    );
  };

  it("stand on the paper or at a value, in the middle, above or below, left or right of it", () => {
    // The area is 80 wide and high from 10 on; a quarter up from below.
    assert.deepEqual(at({}), [50, 70 + 12.5 * 0.35, 12.5, "middle"].map((one) => (typeof one === "number" ? Math.round(100 * one) / 100 : one))); // biome-ignore format: one line
    assert.deepEqual(at({ yanchor: "top", font: { size: 10 }, xanchor: "left" }), [50, 80, 10, undefined]);
    assert.deepEqual(at({ yanchor: "bottom", xanchor: "right" }), [50, 66, 12.5, "end"]);
    assert.deepEqual(at({ xref: "x", yref: "y", x: 0, y: 1, yanchor: "bottom" })?.slice(0, 2), [10, 6]);
    assert.equal(at({ xref: "x", yref: "y", x: 1.01 }), null, "beyond its panel it is not drawn");
  });

  it("with a ground stay within their panel", () => {
    const tag = (x: number, y: number, yanchor: string) => {
      const layout = {
        ...unit,
        width: 100,
        height: 100,
        margin: { l: 10, r: 10, t: 10, b: 10 },
        annotations: [
          {
            text: "tag",
            x,
            y,
            xref: "x",
            yref: "y",
            yanchor,
            bgcolor: "#123456",
            font: { size: 10, color: "#ffffff" },
            showarrow: false,
          },
        ],
      };
      const svg = renderSvg(figure([scatter()], layout as never, "s"));
      return /<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="#123456"/
        .exec(svg)!
        .slice(1)
        .map(Number);
    };
    const width = Math.round(100 * (1.1 * textWidth("tag", 10) + 7)) / 100;
    assert.deepEqual(tag(0, 0.5, "bottom"), [10, 36, width, 14]);
    assert.deepEqual(tag(0, 0.5, "top"), [10, 50, width, 14]);
    assert.deepEqual(tag(1, 1, "bottom"), [Math.round(100 * (90 - width)) / 100, 10, width, 14]);
  });

  it("of one figure are drawn in both themes, or in the one that is asked for; in a page without ground or title", () => {
    const drawn = figure([scatter()], {}, "what it shows");
    const svg = (options: object) => renderSvg(drawn, options);
    assert.match(
      svg({}),
      /role="img"[^>]*><title>what it shows<\/title>.*\.bg\{fill:#ffffff\}.*prefers-color-scheme:dark\)\{\.bg\{fill:#14171c\}/,
    );
    assert.match(svg({ theme: "dark" }), /<style>\.bg\{fill:#14171c\}/);
    assert.doesNotMatch(svg({ theme: "light" }), /prefers|#14171c/);
    assert.match(svg({ theme: "light" }), /<rect class="bg" width="720" height="400"\/>/);
    const inline = svg({ inline: true, width: 300 });
    assert.match(inline, /width="300"[^>]*aria-hidden="true"/);
    assert.doesNotMatch(inline, /<title>|class="bg"|role=/);
  });
});

describe("the place of a figure", () => {
  it("has its own size where it has a sound one, and the usual elsewhere", () => {
    const size = (layout: object, width?: number) => {
      const { layout: placed } = placeFigure(figure([scatter()], layout as never, ""), width).figure;
      return [placed.width, placed.height];
    };
    assert.deepEqual(size({}), [720, 400]);
    assert.deepEqual(size({ width: 300, height: 200 }), [300, 200]);
    for (const wrong of [0, -5, Number.NaN, "300", Number.POSITIVE_INFINITY]) assert.deepEqual(size({ width: wrong, height: wrong }), [720, 400]); // biome-ignore format: one line
    assert.deepEqual(size({ width: 300 }, 500), [500, 400]);
  });

  it("has its margins, or the usual ones, and becomes lower with its width where it is square", () => {
    const { area: own } = placeFigure(
      figure([scatter()], { width: 300, height: 200, margin: { l: 1, r: 2, t: 3, b: 4 } }, ""),
    );
    assert.deepEqual(own, { left: 1, top: 3, width: 297, height: 193 });
    const { area: usual } = placeFigure(figure([scatter()], { width: 300, height: 200 }, ""));
    assert.deepEqual(usual, { left: 64, top: 48, width: 212, height: 96 });
    const square = {
      width: 300,
      height: 200,
      margin: { l: 0, r: 0, t: 0, b: 0 },
      yaxis: { scaleanchor: "x" },
    };
    assert.equal(placeFigure(figure([scatter()], square, ""), 150).figure.layout.height, 100);
  });
});
