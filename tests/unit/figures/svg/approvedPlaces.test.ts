import { test } from "node:test";
import { drawLegend, legendRowHeight, legendRows } from "../../../../src/figures/svg/legend";
import { arrangePanels } from "../../../../src/figures/svg/panelGrid";
import { panelsOf } from "../../../../src/figures/svg/panels";
import { placeFigure } from "../../../../src/figures/svg/place";
import { Calls } from "../../../support/calls";

type Given = never;
const scatter = (more: object = {}) =>
  ({ type: "scatter", mode: "lines", x: [1, 2, 4], y: [3, 1, 5], ...more }) as Given;
const bar = (more: object = {}) => ({ type: "bar", x: ["a", "b"], y: [3, -2], ...more }) as Given;
const cells = (more: object = {}) =>
  ({
    type: "heatmap",
    z: [
      [0, 1, 1],
      [2, null, 3],
    ],
    coloraxis: "coloraxis",
    ...more,
  }) as Given;
const area = { left: 50, top: 20, width: 300, height: 200 };
/** A drawing without what all have in common, an element after the other. */
const bare = (svg: string) =>
  svg
    .replace(/<style>.*?<\/style>/s, "")
    .replace(/font-family="[^"]*"/, "")
    .split(/(?=<)/)
    .filter((part) => !part.startsWith("</"));

test("legends, panels and places of drawings are approved", async () => {
  const calls = new Calls();
  const named = ["one", "a longer name", "two", "", "the last name of all"].map((name) => scatter({ name }));
  for (const width of [1000, 250, 120, 40])
    await calls.does(`legend ${width}`, () => [
      legendRows(named, width),
      bare(drawLegend(named, { left: 10, width, y: 30 })),
    ]);
  calls.note("row", legendRowHeight);
  for (const trace of [
    bar({ name: "bars", marker: { color: "#123456" } }),
    scatter({ name: "m", mode: "markers", marker: { symbol: "square", size: 9 } }),
    scatter({ name: "lm", mode: "lines+markers", line: { width: 3.5, color: "red" } }),
    scatter({ name: "off", visible: "legendonly" }),
    scatter({ name: "none", showlegend: false }),
    scatter(),
    { type: "scatter", name: "no mode" } as Given,
  ])
    await calls.does(`entry ${JSON.stringify(trace)}`, () =>
      bare(drawLegend([trace], { left: 0, width: 200, y: 10 })),
    );
  const grid = {
    titles: ["one", "two words and more of them", "three"],
    xTitle: "x",
    yTitle: "y",
    ratio: 0.5,
    panelWidth: [100, 300],
    gap: 20,
    columns: 3,
    margin: { l: 10, r: 20, t: 30, b: 40 },
  };
  const layout = {
    width: 700,
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yanchor: "bottom" },
    annotations: [
      { text: "old", xref: "paper" },
      { text: "kept", xref: "x" },
    ],
    xaxis: { range: [0, 1] },
  };
  for (const [width, more] of [
    [700, {}],
    [340, {}],
    [200, {}],
    [90, {}],
    [2000, {}],
    [700, { columns: 2 }],
    [700, { columns: 2, below: 5 }],
    [340, { ratio: [0.5, 1, 2] }],
    [700, { titles: ["only"] }],
  ] as const)
    await calls.does(`arrange ${width} ${JSON.stringify(more)}`, () =>
      arrangePanels(layout as Given, { ...grid, ...more } as Given, width),
    );
  await calls.does("arrange without a legend", () => arrangePanels({} as Given, grid as Given, 500));
  const panels = (data: unknown[], given: object = {}) =>
    panelsOf({ data, layout: given } as Given, area).map(({ x, y, traces, xScale, yScale, ...panel }) => ({
      ...panel,
      traces: traces.length,
      x: [xScale.low, xScale.high, x(1), x("b")],
      y: [yScale.low, yScale.high, y(2)],
      ticks: [xScale.ticks.length, yScale.ticks.length],
    }));
  for (const [name, data, given] of [
    ["lines", [scatter()], {}],
    ["markers", [scatter({ mode: "markers" })], {}],
    ["bars", [bar(), bar({ y: [1, 1] })], {}],
    ["bars of numbers", [bar({ x: [1, 3, 8] })], {}],
    ["bars on a log axis", [bar({ x: [1, 10, 1000], y: [1, 2, 3] })], { xaxis: { type: "log" } }],
    ["bars without places", [bar({ x: undefined })], {}],
    ["one bar", [bar({ x: [5], y: [1] })], {}],
    ["bars with errors", [bar({ error_y: { type: "data", array: [1, 4] } })], {}],
    ["cells", [cells()], { yaxis: { autorange: "reversed" } }],
    ["square cells", [cells()], { yaxis: { scaleanchor: "x" } }],
    ["cells and a line", [cells(), scatter()], {}],
    [
      "two panels",
      [scatter(), scatter({ xaxis: "x2", yaxis: "y2" }), scatter({ xaxis: "x2", yaxis: "y2" })],
      { xaxis: { domain: [0, 0.4] }, xaxis2: { domain: [0.6, 1] }, yaxis2: { domain: [0.5, 1] } },
    ],
    ["hidden", [scatter({ visible: false }), scatter({ visible: "legendonly" })], {}],
    ["empty", [scatter({ x: [], y: [] }), { type: "scatter" }], {}],
    ["empty cells", [cells({ z: undefined })], {}],
  ] as const)
    await calls.does(`panels of ${name}`, () => panels(data as Given, given));
  const placed = (figure: unknown, width?: number) => {
    const { figure: made, area: within, panels: all } = placeFigure(figure as Given, width);
    return { layout: made.layout, within, boxes: all.map(({ box }) => box) };
  };
  const long = {
    title: { text: "<b>A long title that has to be broken somewhere</b><br><sub>and more</sub>" },
    width: 600,
    height: 300,
    margin: { l: 60, r: 20, t: 40, b: 30 },
    showlegend: true,
  };
  for (const width of [undefined, 300, 200, 900])
    await calls.does(`place at ${width}`, () =>
      placed(
        { data: [scatter({ name: "a name" }), scatter({ name: "another name of a trace" })], layout: long },
        width,
      ),
    );
  for (const [name, figure] of Object.entries({
    square: { data: [scatter()], layout: { width: 500, height: 500, yaxis: { scaleanchor: "x" } } },
    names: {
      data: [bar({ x: ["a long name", "another long name", "c"], y: [1, 2, 3] })],
      layout: { width: 300 },
    },
    "names on an axis of names": {
      data: [bar({ x: ["a long name", "another long name", "c"], y: [1, 2, 3] })],
      layout: { width: 300, xaxis: { type: "category" } },
    },
    "names without labels": {
      data: [bar({ x: ["a long name", "another long name", "c"], y: [1, 2, 3] })],
      layout: { width: 300, xaxis: { showticklabels: false } },
    },
    "tick texts without labels": {
      data: [scatter()],
      layout: {
        width: 200,
        xaxis: { tickvals: [1, 2], ticktext: ["a very long text indeed", "b"], showticklabels: false },
      },
    },
    "names beside names without labels": {
      data: [
        bar({ x: ["a long name", "another long name", "c"], y: [1, 2, 3] }),
        bar({ x: ["a far longer name than those", "and another one of these"], y: [1, 2], xaxis: "x2" }),
      ],
      layout: {
        width: 300,
        xaxis: { type: "category", domain: [0, 0.5] },
        xaxis2: { type: "category", domain: [0.5, 1], showticklabels: false },
      },
    },
    "tick texts": {
      data: [scatter()],
      layout: { width: 200, xaxis: { tickvals: [1, 2], ticktext: ["a very long text indeed", "b"] } },
    },
    grid: {
      data: [scatter(), scatter({ xaxis: "x2", yaxis: "y2" }), scatter({ xaxis: "x3", yaxis: "y3" })],
      layout: { meta: { summary: "", panels: grid } },
    },
    foreign: { data: [scatter()], layout: { width: "wide", height: -3, margin: { l: "a" } } },
    nothing: { data: [], layout: {} },
  }))
    for (const width of [undefined, 250])
      await calls.does(`place ${name} at ${width}`, () => placed(figure, width));
  calls.approve("figures/svg/places");
});
