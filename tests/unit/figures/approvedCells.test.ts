import { test } from "node:test";
import { cka } from "../../../src/analysis";
import { attentionMask } from "../../../src/figures/attentionMask";
import { ckaMatrix } from "../../../src/figures/ckaMatrix";
import { entropyScatter, shareBelowDiagonal } from "../../../src/figures/entropyScatter";
import { headGrid } from "../../../src/figures/headGrid";
import { heatmapGrid } from "../../../src/figures/heatmapGrid";
import { resultTable } from "../../../src/io/tables";
import { prefixMask } from "../../../src/nn";
import { Calls } from "../../support/calls";

const wave = (length: number, step = 0.7, offset = 0) =>
  Array.from({ length }, (_, i) => Number((offset + Math.sin(step * i) + i / length).toFixed(3)));

test("clouds, maps of cells and masks are approved, with each of their options", async () => {
  const calls = new Calls();
  const points = (count: number, shift: number) =>
    wave(count, 1.1, 3).map((background, i) => ({
      background,
      foreground: Number((background + shift * (i - 4)).toFixed(3)),
      ...(i === 2 ? { label: "cat.png" } : {}),
    }));
  const series = [
    { name: "ViT", points: points(9, 0.1) },
    { name: "LUViT", points: points(7, -0.2) },
    { name: "none", points: [] },
  ];
  for (const given of [
    {},
    { points: points(3, 0.1) },
    { series },
    { series, layout: "together", height: 300, title: "T<br>U" },
    { series: series.slice(0, 2), title: "T" },
    { series: series.slice(2) },
    { series: [{ name: "a", points: [{ background: Number.NaN, foreground: 1 }] }, series[1]] },
    { points: [{ background: 2, foreground: 2 }] },
    { points: 3 },
    { series: [{ name: "x" }] },
    { layout: "over" },
    { height: 3 },
  ])
    await calls.of(entropyScatter, given);
  for (const count of [80, 81, 400, 401])
    await calls.does(`entropyScatter of ${count}`, () => {
      const { marker, opacity } = entropyScatter({ points: points(count, 0.01) }).data[1];
      return { marker, opacity };
    });
  await calls.does("entropyScatter of six models", () =>
    entropyScatter({
      series: Array.from({ length: 7 }, (_, i) => ({ name: `m${i}`, points: points(2, i / 9) })),
    }).data.map(({ marker, xaxis }) => [marker, xaxis]),
  );
  for (const some of [[], points(5, 0.1), points(5, -0.1), [{ background: 1, foreground: 1 }]])
    await calls.of(shareBelowDiagonal, some);
  const values = [
    [-1, 0.5, 2],
    [3, Number.NaN, 0],
  ];
  const positive = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  for (const given of [
    { maps: [{ title: "a", values }], zTitle: "z" },
    { maps: [{ title: "a", values: positive }], zTitle: "z" },
    { maps: [{ title: "a", values: [[-5, -2]] }], zTitle: "z" },
    { maps: [{ title: "a", values: [[-5, 2]] }], zTitle: "z" },
    {
      maps: [
        { title: "a", values: positive },
        { title: "b", values },
      ],
      zTitle: "z",
      title: "T",
      columns: 1,
      xTitle: "head",
      yTitle: "layer",
    },
    { maps: [{ title: "a", values }], zTitle: "z", colormap: "magma" },
    { maps: [{ title: "a", values }], zTitle: "z", colormap: "coolwarm", range: [-1, 9] },
    { maps: [{ title: "a", values: positive }], zTitle: "z", colormap: "coolwarm" },
    { maps: [{ title: "a", values: positive }], zTitle: "z", range: [0, 100] },
    { maps: [{ title: "a", values: [[Number.NaN]] }], zTitle: "z" },
    { maps: [{ title: "a", values: [[2, 2]] }], zTitle: "z", labels: ["one", "another"] },
    { maps: [], zTitle: "z" },
    { maps: [{ title: "a", values: [] }], zTitle: "z" },
    { maps: [{ title: "a", values }], zTitle: "z", colormap: "jet" },
    { maps: [{ title: "a", values }], zTitle: "z", range: [1] },
    { maps: [{ title: "a", values }], zTitle: "z", range: [1, Number.NaN] },
    { maps: [{ title: "a", values }], zTitle: "z", columns: 0 },
  ])
    await calls.of(heatmapGrid, given);
  for (const count of [16, 17, 40])
    await calls.does(
      `names of ${count}`,
      () =>
        heatmapGrid({
          maps: [{ title: "", values: [wave(count)] }],
          zTitle: "z",
          labels: Array.from({ length: count }, (_, i) => `name ${i}`),
        }).layout,
    );
  for (const options of [undefined, { title: "T" }, { width: 3 }])
    await calls.of(ckaMatrix, [1, 0.5, 0.25, 1], ["a", "block 1"], options);
  await calls.of(ckaMatrix, [1, -0.5, 0.25, 1], ["a", "b"]);
  await calls.of(
    ckaMatrix,
    cka([
      { values: Float32Array.of(1, 2, 3, 5), dim: 1 },
      { values: Float32Array.of(2, 1, 6, 9), dim: 1 },
    ]),
    ["x", "y"],
  );
  await calls.of(ckaMatrix, [1, 2, 3], ["a", "b"]);
  await calls.of(ckaMatrix, [], []);
  const table = resultTable(
    {
      layer: ["blocks.1", "blocks.1", "blocks.0", "blocks.0", "llama.layers.0", "llama.layers.0"],
      head: [1, 0, 0, 1, 1, 0],
      marginDrop: [1, 2, 3, null, 5, -6],
      distance: [9, 8, 7, 6, 5, 4],
    },
    {},
  );
  for (const options of [
    undefined,
    { value: "distance" },
    { value: "distance", zTitle: "pixels", title: "T" },
    { value: "none" },
    { value: "" },
  ])
    await calls.does(`headGrid ${JSON.stringify(options)}`, () => headGrid(table, options));
  await calls.does("headGrid without heads", () =>
    headGrid(resultTable({ layer: ["a"], marginDrop: [1] }, {})),
  );
  await calls.does("headGrid without rows", () =>
    headGrid(resultTable({ layer: [], head: [], marginDrop: [] }, {})),
  );
  await calls.does("headGrid of no table", () => headGrid({} as never));
  const mask = prefixMask({
    image: [
      [0, 1, 1, 1, 0, 0],
      [1, 1, 0, 0, 0, 0],
    ],
  });
  const part = (name: string, start: number, end: number) => ({ name, start, end });
  for (const [i, options] of [
    undefined,
    { sequence: 1, title: "T" },
    { parts: [part("image", 1, 4), part("<q>", 4, 6)] },
    { parts: [part("image", 1, 4)], tokens: ["a", "b\n", "<", "d", "e", "f"] },
    { tokens: ["a", "b", "c", "d", "e", "f"] },
    { sequence: 2 },
    { parts: [part("a", 1, 7)] },
    { tokens: ["a"], parts: [part("z", 0, 9)], sequence: 3 },
    { parts: [part("a", 3, 3)] },
    { parts: [part("", 0, 1)] },
    { sequence: -1 },
    { sequence: 0.5 },
  ].entries())
    await calls.does(`attentionMask ${i} ${JSON.stringify(options)}`, () =>
      attentionMask(mask, options as never),
    );
  const wide = prefixMask({ image: [Array.from({ length: 97 }, (_, i) => Number(i > 10 && i < 50))] });
  await calls.does("attentionMask of 97", () => {
    const made = attentionMask(wide, {
      parts: [part("image", 11, 50), part("a very long name indeed", 50, 60), part("after", 60, 97)],
    });
    return {
      rows: made.data[0].z?.length,
      z: made.data[0].z?.map((row) => row.map((x) => x ?? "-").join("")).slice(3, 8),
      said: made.data[0].hovertext?.[5].slice(3, 8),
      lines: made.data[1],
      layout: made.layout,
    };
  });
  await calls.does("attentionMask of 96", () => {
    const { data, layout } = attentionMask(prefixMask({ image: [new Array(96).fill(0)] }));
    return [data[0].z?.length, layout.xaxis, layout.meta];
  });
  await calls.does("attentionMask of none", () => attentionMask({} as never));
  calls.approve("figures/cells");
});
