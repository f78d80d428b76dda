import { test } from "node:test";
import { pageAround } from "../../../../src/figures/browser/pageAround";
import { markAt, marksOf, wordsOf } from "../../../../src/figures/interactive/browser/marks";
import { withView, zoomable, zoomTo } from "../../../../src/figures/interactive/browser/zoom";
import { figureHtml } from "../../../../src/figures/interactive/figureHtml";
import { mapStart, movedPatch, percent } from "../../../../src/figures/patches/browser/header";
import { withEmbeddedImages } from "../../../../src/figures/plotly/embeddedImages";
import { plotlyHtml } from "../../../../src/figures/plotly/plotlyHtml";
import { plotlyTemplate } from "../../../../src/figures/plotly/template";
import { placeFigure } from "../../../../src/figures/svg/place";
import { Calls } from "../../../support/calls";

type Given = never;
const scatter = (more: object = {}) =>
  ({ type: "scatter", mode: "lines", name: "a & b", x: [1, 2, 4], y: [3, 1, 5], ...more }) as Given;
const figure = (data: unknown[], layout: object = {}) =>
  ({ data, layout: { width: 400, height: 300, ...layout } }) as Given;

test("marks and zooms of figures in pages are approved", async () => {
  const calls = new Calls();
  const marks = (...data: unknown[]) =>
    marksOf(
      placeFigure(
        figure(data, {
          coloraxis: {
            colorscale: [
              [0, "#000000"],
              [1, "#ffffff"],
            ],
            cmin: 0,
            cmax: 4,
          },
        }),
      ),
    );
  const told = (found: ReturnType<typeof marks>) =>
    found.map(({ trace: _, ...mark }, i) => ({ ...mark, words: wordsOf(found[i]) }));
  for (const [name, ...data] of [
    ["lines", scatter()],
    ["with gaps", scatter({ y: [1, null, Number.NaN] })],
    ["skipped", scatter({ hoverinfo: "skip" })],
    ["without places", scatter({ x: undefined })],
    [
      "templates",
      scatter({
        hovertemplate: "<b>%{text}</b><br>%{x:.2f} of %{y:.3g} %{customdata} %{none}",
        text: ["p", "q", "r"],
        customdata: ["1", "2"],
      }),
    ],
    ["one text", scatter({ text: "all", hovertemplate: "%{text}" })],
    ["a name told", scatter({ name: "step", hovertemplate: "step %{x}: %{y}" })],
    ["a name in words", scatter({ name: "step", hovertemplate: "steps %{x}: %{y}" })],
    ["no name", scatter({ name: undefined })],
    ["bars", { type: "bar", name: "b", x: ["u", "v"], y: [-1.5, 20_000] }],
    [
      "cells",
      {
        type: "heatmap",
        name: "h",
        z: [
          [1, null],
          [3, 4],
        ],
        coloraxis: "coloraxis",
        hovertemplate: "row %{y}: %{z:.4g} %{hovertext}",
        hovertext: [["a", "b"]],
      },
    ],
    [
      "shapes",
      scatter({ hoveron: "fills", text: "<b>cat</b><br>1 &lt; 2", x: [1, 2, null, 1.5], y: [1, 2, null, 4] }),
      scatter({ hoveron: "fills", text: undefined, x: [9, 9], y: [1, 1] }),
    ],
    ["zoomed out", scatter({ x: [1, 2, 400] })],
  ] as const)
    await calls.does(name, () => told(marks(...data)));
  await calls.does(
    "marks outside",
    () => marksOf(placeFigure(figure([scatter()], { xaxis: { range: [1.5, 3] } }))).length,
  );
  const some = marks(scatter(), scatter({ mode: "markers", y: [1, 4, 2] }));
  for (const [x, y] of [
    [64, 150],
    [100, 100],
    [376, 48],
    [376, 20],
    [0, 0],
    [180, 200],
    [215, 120],
  ])
    await calls.does(`mark at ${x} ${y}`, () => {
      const mark = markAt(some, x, y);
      return mark && [mark.x, mark.y, mark.trace.mode];
    });
  const bars = marks({ type: "bar", x: ["u", "v"], y: [1, 2] });
  for (const x of [70, 200, 250, 376, 390])
    await calls.does(`bar at ${x}`, () => markAt(bars, x, 100)?.values);
  const two = figure(
    [
      scatter(),
      scatter({ xaxis: "x2", yaxis: "y2" }),
      { type: "heatmap", z: [[1]], xaxis: "x3", yaxis: "y3" },
    ],
    {
      xaxis: { range: [0, 5], domain: [0, 0.3] },
      yaxis: { range: [6, 0] },
      xaxis2: { range: [0, 5], domain: [0.35, 0.65] },
      yaxis2: {},
      xaxis3: { domain: [0.7, 1] },
    },
  );
  const placed = placeFigure(two);
  for (const [x, y] of [
    [70, 100],
    [64, 48],
    [200, 100],
    [350, 100],
    [10, 10],
  ])
    await calls.does(`zoomable at ${x} ${y}`, () => zoomable(placed, x, y)?.xName);
  for (const [panel, box] of [
    [0, [70, 60, 120, 200]],
    [0, [120, 200, 70, 60]],
    [1, [200, 60, 240, 100]],
    [0, [70, 60, 77, 200]],
    [0, [70, 60, 78, 68]],
    [0, [0, 0, 999, 999]],
  ] as const)
    await calls.does(`zoom ${panel} ${box}`, () =>
      zoomTo(two, new Map([["yaxis9", [1, 2]]]) as Given, placed.panels[panel], box as Given),
    );
  await calls.does("view", () => withView(two, new Map([["xaxis", [1, 2]]]) as Given, new Set([1])));
  for (const [patch, key] of [
    [0, "ArrowLeft"],
    [0, "ArrowRight"],
    [4, "ArrowUp"],
    [4, "ArrowDown"],
    [2, "ArrowRight"],
    [2, "ArrowDown"],
    [5, "ArrowDown"],
    [1, "x"],
  ] as const)
    await calls.of(movedPatch, patch, key, { rows: 2, columns: 3 });
  for (const value of [0, 0.0004, 0.00099, 0.001, 0.0994, 0.0995, 0.5, 1]) await calls.of(percent, value);
  for (const chosen of [
    [0, 0],
    [1, 0],
    [0, 2],
    [1, 2],
  ])
    await calls.of(
      mapStart,
      {
        axes: [
          { name: "a", choices: ["x", "y"] },
          { name: "b", choices: ["p", "q", "r"] },
        ],
        grid: { rows: 2, columns: 3 },
      },
      chosen,
    );
  await calls.of(pageAround, "<p>x</p>", 'a & <b> "c"');
  calls.note("template", plotlyTemplate);
  const inside = "data:image/png;base64,AAAA";
  for (const layout of [
    {},
    {
      images: [
        { source: inside },
        { source: "https://a.b" },
        { source: "data:image/svg+xml;base64,AA" },
        null,
      ],
    },
    { images: "x" },
    {
      template: {
        layout: { images: [{ source: "http://a" }] },
        data: { image: [{ source: inside }, { source: "x" }], bar: [1] },
      },
    },
    { template: null },
    { template: { layout: null } },
  ])
    await calls.of(
      withEmbeddedImages,
      figure(
        [
          scatter(),
          { type: "image", source: "http://a" },
          { type: "image", source: inside },
          { type: "image", z: [[1]] },
        ],
        layout,
      ),
    );
  const parts = (html: string) =>
    html
      .replace(/<script>.*?<\/script>/gs, "<script>")
      .replace(/(luvit-plotly-library">)[^<]*/, "$1…")
      .replace(/base64,[\w+/=]+/g, "base64,…");
  await calls.does("HTML", () => parts(figureHtml(figure([scatter()], { title: { text: "</script><b>" } }))));
  await calls.does("HTML of Plotly's", () => [
    parts(plotlyHtml(figure([{ type: "pie", labels: ["</script>"], values: [1] }], { title: "Pie & <x>" }))),
    parts(plotlyHtml({ data: [], layout: {} })).slice(0, 60),
  ]);
  calls.approve("figures/interactive/parts");
});
