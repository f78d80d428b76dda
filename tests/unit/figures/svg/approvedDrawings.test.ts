import { test } from "node:test";
import { panelsOf } from "../../../../src/figures/svg/panels";
import { placeFigure } from "../../../../src/figures/svg/place";
import { drawFigure, renderSvg } from "../../../../src/figures/svg/render";
import { barBox, barLabels, drawTrace } from "../../../../src/figures/svg/traces";
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
const coloraxis = {
  colorscale: [
    [0, "#000000"],
    [0.25, "#ff0000"],
    [1, "#ffffff"],
  ],
  cmin: 0,
  cmax: 4,
} as Given;
/** A drawing without what all have in common, an element after the other. */
const bare = (svg: string) =>
  svg
    .replace(/<style>.*?<\/style>/s, "")
    .replace(/font-family="[^"]*"/, "")
    .split(/(?=<)/)
    .filter((part) => !part.startsWith("</"));

test("drawn traces and figures are approved", async () => {
  const calls = new Calls();
  const drawn = (data: unknown[], layout: object = {}, at = 0) => {
    const [panel] = panelsOf({ data, layout } as Given, area);
    return bare(drawTrace(panel.traces[at], panel, coloraxis));
  };
  for (const [name, trace] of Object.entries({
    line: scatter(),
    gap: scatter({ y: [1, null, 3] }),
    "gap at first": scatter({ y: [null, 2, 3] }),
    nothing: scatter({ y: [] }),
    "no places": scatter({ x: undefined }),
    dash: scatter({ line: { dash: "dash", width: 3, color: "#123456" } }),
    dot: scatter({ line: { dash: "dot", width: 1 } }),
    solid: scatter({ line: { dash: "solid" } }),
    other: scatter({ line: { dash: "longdash" } }),
    filled: scatter({
      fill: "toself",
      fillcolor: "rgba(1, 2, 3, 0.25)",
      x: [1, 2, 2, null, 3, 4],
      y: [1, 1, 2, null, 1, 2],
    }),
    "filled plainly": scatter({ fill: "toself", fillcolor: "#abcdef" }),
    "filled without": scatter({ fill: "toself" }),
    markers: scatter({ mode: "markers", marker: { symbol: "diamond", size: 6, color: "red" } }),
    "markers over each other": scatter({ mode: "markers", x: [1, 1, 2], y: [1, 1.0001, 3] }),
    both: scatter({ mode: "lines+markers", opacity: 0.375 }),
    "no mode": scatter({ mode: undefined }),
  }))
    await calls.does(name, () => drawn([trace]));
  await calls.does("many points", () =>
    drawn([
      scatter({
        x: Array.from({ length: 4001 }, (_, i) => i),
        y: Array.from({ length: 4001 }, (_, i) => (i * 7919) % 101),
      }),
    ]).map((part) => `${part.length} ${part.slice(0, 200)}`),
  );
  await calls.does("almost many points", () =>
    drawn([
      scatter({
        x: Array.from({ length: 4000 }, (_, i) => i),
        y: Array.from({ length: 4000 }, (_, i) => (i * 7919) % 101),
      }),
    ]).map((part) => part.length),
  );
  const bars = [
    bar({ text: ["3", "−2"], marker: { color: "#112233" } }),
    bar({ y: [1, Number.NaN], text: ["a very long label", "x"] }),
    bar({ y: [2, 4], error_y: { type: "data", array: [0.5, 0] }, text: ["2", "4"] }),
  ];
  const [panel] = panelsOf({ data: bars, layout: {} } as Given, area);
  for (const at of [0, 1, 2]) {
    await calls.does(`bars ${at}`, () => drawn(bars, {}, at));
    await calls.does(`boxes ${at}`, () => [0, 1, 2].map((index) => barBox(bars[at], index, panel)));
    await calls.does(`labels ${at}`, () => bare(barLabels(bars[at], panel)));
  }
  await calls.does("labels of a range", () => {
    const [narrow] = panelsOf({ data: [bars[0]], layout: { yaxis: { range: [-1, 2] } } } as Given, area);
    return bare(barLabels(bars[0], narrow));
  });
  await calls.does("labels of no text", () => barLabels(bar({ text: "one" }), panel));
  await calls.does("cells", () => drawn([cells()]));
  await calls.does("cells of their own colors", () =>
    drawn(
      [
        cells({
          coloraxis: undefined,
          colorscale: [
            [0, "#000000"],
            [1, "#00ff00"],
          ],
          zmin: 1,
          zmax: 3,
        }),
      ],
      { yaxis: { autorange: "reversed" } },
    ),
  );
  const figure = (data: unknown[], layout: object = {}) =>
    ({ data, layout: { width: 400, height: 300, ...layout } }) as Given;
  const note = { text: "n<br>m", x: 1, y: 2, xref: "x", yref: "y", showarrow: false };
  const image = {
    source: "data:image/png;base64,AAAA",
    xref: "x",
    yref: "y",
    x: 1,
    y: 5,
    sizex: 2,
    sizey: 3,
    sizing: "stretch",
    layer: "below",
  };
  for (const [name, given] of Object.entries({
    plain: figure([scatter()]),
    titled: figure([scatter({ name: "a" })], {
      title: { text: "T<br>U" },
      showlegend: true,
      xaxis: { title: { text: "x (s)" } },
      yaxis: { title: { text: "y" } },
    }),
    slanted: figure([bar({ x: ["a very long name here", "another very long name", "c"], y: [1, 2, 3] })], {
      width: 260,
      xaxis: { title: { text: "names" }, showgrid: false },
    }),
    crowded: figure([scatter()], {
      width: 200,
      xaxis: {
        tickvals: [1, 1.5, 2, 2.5, 3, 3.5, 4],
        ticktext: ["aaaaaa", "bbbbbb", "cccccc", "dddddd", "eeeeee", "ffffff", "gggggg"],
      },
    }),
    quiet: figure([scatter()], {
      xaxis: { showticklabels: false, showgrid: false },
      yaxis: { showticklabels: false, showgrid: false },
    }),
    unseen: figure([scatter()], { xaxis: { visible: false }, yaxis: { visible: false } }),
    "half seen": figure([scatter()], { xaxis: { visible: false } }),
    colored: figure([cells()], {
      coloraxis: { ...(coloraxis as object), colorbar: { title: { text: "z (nats)" } } },
    }),
    "colors of nobody": figure([scatter()], { coloraxis }),
    notes: figure([scatter()], {
      annotations: [
        note,
        { ...note, yanchor: "top", xanchor: "left" },
        { ...note, yanchor: "bottom", xanchor: "right", font: { size: 9, color: "red" } },
        { ...note, x: 99 },
        { ...note, xref: "paper", yref: "paper", x: 0.5, y: 1 },
        { ...note, text: "tag", bgcolor: "#123456", yanchor: "bottom" },
        {
          ...note,
          text: "wide tag here",
          bgcolor: "#123456",
          x: 4,
          y: 5,
          yanchor: "top",
          font: { size: 20 },
        },
        { ...note, xref: "x9", yref: "y9" },
      ],
    }),
    images: figure([scatter()], {
      images: [
        image,
        { ...image, source: "https://a.b/c.png" },
        { ...image, xref: "x2", yref: "y2" },
        { ...image, xref: "paper", yref: "paper" },
      ],
    }),
    "images downwards": figure([scatter()], { images: [image], yaxis: { range: [6, 0] } }),
    nothing: figure([]),
  }))
    await calls.does(`figure ${name}`, () => bare(renderSvg(given, { theme: "light" })));
  for (const options of [{}, { theme: "dark" }, { theme: "auto", inline: true }, { width: 200 }])
    await calls.does(`svg ${JSON.stringify(options)}`, () => {
      const svg = renderSvg(figure([scatter()], { title: { text: "a & <b>" } }), options as Given);
      return [
        svg.slice(0, 130),
        /<style>.*<\/style>/.exec(svg)?.[0],
        /<title>.*<\/title>/.exec(svg)?.[0],
        svg.includes('class="bg"'),
      ];
    });
  await calls.does(
    "placed and drawn",
    () =>
      drawFigure(placeFigure(figure([scatter()]), 200), {}) ===
      renderSvg(figure([scatter()]), { width: 200 }),
  );
  calls.approve("figures/svg/drawn");
});
