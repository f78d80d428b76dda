import assert from "node:assert/strict";
import { test } from "node:test";
import { barComparison } from "../../../src/figures/barComparison";
import { colormap, parseHex, plotlyColorscale } from "../../../src/figures/colormap";
import {
  formatBar,
  formatBytes,
  formatDuration,
  formatNumber,
  formatRate,
} from "../../../src/figures/format";
import { headGrid } from "../../../src/figures/headGrid";
import { heatmapGrid } from "../../../src/figures/heatmapGrid";
import { arrangePanels } from "../../../src/figures/svg/panelGrid";
import { makeScale, niceTicks } from "../../../src/figures/svg/scale";
import { tableOf } from "../../../src/io/tables";
import { isLuvitError } from "../nn/support";

test("an axis has air at its ends unless it is flush, and none where it begins at zero", () => {
  const ends = (values: number[], flush: boolean, axis = {}) => {
    const { low, high } = makeScale(axis, values, 5, flush);
    return [low, high];
  };
  assert.deepEqual(ends([10, 20], true), [10, 20]);
  assert.deepEqual(ends([10, 20], false), [9.4, 20.6]);
  assert.deepEqual(ends([10, 20], false, { rangemode: "tozero" }), [0, 21.2]);
  assert.deepEqual(ends([3, 3], false), [2.5, 3.5]);
  assert.deepEqual(ends([], false), [0, 1]);
  assert.deepEqual(ends([10, Number.NaN, 20], true, { autorange: "reversed" }), [20, 10]);
  assert.deepEqual(ends([10, 20], true, { range: [0, 99] }), [0, 99]);
});

test("ticks are at round numbers, about as many as asked for", () => {
  const labels = (low: number, high: number, count: number) =>
    niceTicks(low, high, count).map(({ label }) => label);
  assert.deepEqual(labels(0, 10, 5), ["0", "2", "4", "6", "8", "10"]);
  assert.deepEqual(labels(-1, 1, 4), ["−1.0", "−0.5", "0", "0.5", "1.0"]);
  assert.deepEqual(labels(0, 40_000, 4), ["0", "10k", "20k", "30k", "40k"]);
  assert.deepEqual(labels(0, 3e5, 3), ["0", "1e5", "2e5", "3e5"]);
  assert.deepEqual(labels(1.2e6, 1.215e6, 3), ["1.2e6", "1.205e6", "1.21e6", "1.215e6"]);
  assert.deepEqual(labels(0.5, 0.50004, 4), ["0.50000", "0.50001", "0.50002", "0.50003", "0.50004"]);
  assert.deepEqual(labels(-2e-5, 1e-5, 3), ["−2e-5", "−1e-5", "0", "1e-5"]);
});

test("categories lie at whole numbers, and a logarithmic axis at powers of ten", () => {
  const words = makeScale({}, ["a", "b", "a"], 5, false);
  assert.deepEqual([words.low, words.high, words.place("b"), words.place("c")], [-0.5, 1.5, 1, -1]);
  const log = makeScale({ type: "log" }, [1, 1000], 5, true);
  assert.deepEqual([log.low, log.high, log.place(100)], [0, 3, 2]);
  assert.deepEqual(
    log.ticks.map(({ label }) => label),
    ["1", "10", "100", "1000"],
  );
});

test("durations change their unit where the number would grow", () => {
  const said: readonly [number, string][] = [
    [0.0994, "99 ms"],
    [0.0996, "0.1 s"],
    [59.94, "59.9 s"],
    [59.96, "1 min 00 s"],
    [3599.4, "59 min 59 s"],
    [3600, "1 h 00 min"],
    [7384, "2 h 03 min"],
    [Number.NaN, "–"],
  ];
  for (const [seconds, text] of said) assert.equal(formatDuration(seconds), text);
});

test("numbers have four digits, thousands their commas, and only far ones powers of ten", () => {
  const said: readonly [number, string][] = [
    [0, "0"],
    [1_234_567, "1,234,567"],
    [12_345.678, "12,346"],
    [999.96, "1000"],
    [0.0012346, "0.001235"],
    [0.00099, "9.90e-4"],
    [1.5e9 + 0.5, "1.50e+9"],
    [-0.5, "-0.5"],
    [Number.POSITIVE_INFINITY, "Infinity"],
  ];
  for (const [number, text] of said) assert.equal(formatNumber(number), text);
  assert.deepEqual([formatRate(0), formatRate(0.0028333)], ["0", "2.83e-3"]);
  assert.deepEqual(
    [1023, 1024, 1536].map((size) => formatBytes(size * 2 ** 20)),
    ["1023 MiB", "1.0 GiB", "1.5 GiB"],
  );
  assert.deepEqual([formatBar(0.5, 4), formatBar(-1, 2), formatBar(9, 2)], ["[██░░]", "[░░]", "[██]"]);
});

test("a color map runs from its first color to its last, and what is no number is gray", () => {
  for (const name of ["viridis", "magma", "coolwarm"] as const) {
    const scale = plotlyColorscale(name);
    assert.deepEqual([scale[0][0], scale.at(-1)![0]], [0, 1]);
    assert.deepEqual(colormap(name, 0), parseHex(scale[0][1]));
    assert.deepEqual(colormap(name, 1), parseHex(scale.at(-1)![1]));
    assert.deepEqual(colormap(name, 2), colormap(name, 1));
    assert.deepEqual(colormap(name, Number.NaN), [128, 128, 128]);
  }
  assert.deepEqual(parseHex("#0a10ff"), [10, 16, 255]);
});

test("maps around zero have it in the middle of their colors, others run from end to end", () => {
  const axis = (values: number[][], more = {}) => {
    const { cmin, cmax, colorscale } = heatmapGrid({ maps: [{ title: "a", values }], zTitle: "z", ...more })
      .layout.coloraxis as { cmin: number; cmax: number; colorscale: [number, string][] };
    return [cmin, cmax, colorscale[0][1]];
  };
  const [viridis, coolwarm] = ["#440154", "#3b4cc0"];
  assert.deepEqual(axis([[-1, 3]]), [-3, 3, coolwarm]);
  assert.deepEqual(axis([[1, 3]]), [1, 3, viridis]);
  assert.deepEqual(axis([[-3, -1]]), [-3, -1, viridis]);
  assert.deepEqual(axis([[-1, Number.NaN]]), [-1, -1, viridis]);
  assert.deepEqual(axis([[1, 2]], { range: [-4, 2] }), [-4, 4, coolwarm]);
  assert.deepEqual(axis([[-1, 3]], { colormap: "magma" }), [-1, 3, "#000004"]);
});

test("bars begin at zero, are named by their values, and say their errors", () => {
  const figure = barComparison({
    categories: ["one", "two"],
    series: [
      { name: "a", values: [80.25, 81] },
      { name: "b", values: [-2, 999], errors: [0.5, 1] },
    ],
    yTitle: "percent",
  });
  assert.equal((figure.layout.yaxis as { rangemode?: string }).rangemode, "tozero");
  const [a, b] = figure.data as unknown as Record<string, unknown>[];
  assert.deepEqual([a.text, a.textposition, a.error_y], [["80", "81"], "outside", undefined]);
  assert.deepEqual([b.text, b.textposition], [["−2", "999"], "inside"]);
  assert.deepEqual((b.error_y as { array: number[] }).array, [0.5, 1]);
  const text = (values: number[]) => {
    const series = [{ name: "a", values }];
    const drawn = barComparison({ categories: values.map(String), series, yTitle: "y" });
    return (drawn.data[0] as unknown as { text: string[] }).text;
  };
  assert.deepEqual(text([0.125, 0.5]), ["0.125", "0.500"]);
  assert.deepEqual(text([1.25, 99]), ["1.3", "99.0"]);
  assert.deepEqual(text([1000, 2]), ["1,000", "2"]);
  assert.deepEqual(text([-25_000, -2]), ["−25,000", "−2"]);
  assert.deepEqual(text([999, -999]), ["999", "−999"]);
  assert.deepEqual(text([-1000, 0.5]), ["−1,000", "0.5"]);
  assert.deepEqual(text([1.25, Number.NaN]), ["1.25", "NaN"]);
  assert.deepEqual(text([Number.NEGATIVE_INFINITY, 3]), ["−Infinity", "3"]);
  assert.deepEqual(text([]), []);
  // Below a thousandth numbers are formatted with a power of ten.
  assert.deepEqual(text([4.2e-4]), ["0.00042"]);
  assert.deepEqual(text([4.236e-4, -1e-5]), ["0.000424", "−0.000010"]);
  assert.deepEqual(text([1.234e-5]), ["0.0000123"]);
  assert.deepEqual(text([1e-5, 0.5]), ["0.000", "0.500"]);
  assert.deepEqual(text([2e9, 1e12]), ["2,000,000,000", "1,000,000,000,000"]);
});

test("heads are ordered by number, not by letters, and layers and kinds as the table has them", () => {
  const heads = [10, 2, 11, 0, 9, 1, 3, 4, 5, 6, 7, 8];
  const layers = ["blocks.10", "llama.layers.0", "blocks.2"];
  const rows = layers.flatMap((layer, i) => heads.map((head) => ({ layer, head, value: 100 * i + head })));
  const column = <Key extends keyof (typeof rows)[0]>(key: Key) => rows.map((row) => row[key]);
  const { data, layout } = headGrid(
    tableOf({ layer: column("layer"), head: column("head"), value: column("value") }),
    { value: "value", title: "T" },
  );
  const row = (i: number) => Array.from({ length: 12 }, (_, head) => 100 * i + head);
  assert.deepEqual(
    data.map(({ name, z }) => [name, z]),
    [
      ["blocks", [row(0), row(2)]],
      ["llama.layers", [row(1)]],
    ],
  );
  assert.deepEqual(
    [layout.title!.text, layout.xaxis!.title!.text, layout.yaxis!.title!.text],
    ["<b>T</b>", "head", "layer"],
  );
});

test("heads are in their order, in a map for each kind of layer", () => {
  const rows = [
    { layer: "blocks.0", head: 1, marginDrop: 2 },
    { layer: "blocks.0", head: 0, marginDrop: 1 },
    { layer: "llama.layers.0", head: 0, marginDrop: null },
    { layer: "blocks.1", head: 0, marginDrop: 3 },
  ];
  const column = <Key extends keyof (typeof rows)[0]>(key: Key) => rows.map((row) => row[key]);
  const table = tableOf({
    layer: column("layer"),
    head: column("head"),
    marginDrop: column("marginDrop"),
    accuracyDrop: [9, 9, 9, 9],
  });
  const maps = headGrid(table).data as unknown as { name: string; z: number[][] }[];
  assert.deepEqual(
    maps.map(({ name, z }) => [name, z]),
    [
      ["blocks", [[1, 2], [3]]],
      ["llama.layers", [[Number.NaN]]],
    ],
  );
  assert.throws(() => headGrid(table, { value: "none" }), isLuvitError("bad-argument", "layer, head, none"));
});

test("panels stand in as many columns as fit, below the longest of their titles, the lowest with the axis' name", () => {
  const grid = {
    titles: ["short", "a title of so many words that it breaks into several lines", "c"],
    ...{ xTitle: "x", yTitle: "y", ratio: 0.5, gap: 20, columns: 3 },
    panelWidth: [100, 200] as const,
    margin: { l: 40, r: 10, t: 5, b: 30 },
  };
  const wide = arrangePanels({}, grid, 1000);
  // Three panels of 200, two gaps of 20, and the margins beside.
  assert.equal(wide.width, 3 * 200 + 2 * 20 + 50);
  const lines = Math.max(...wide.annotations!.map(({ text }) => text.split("<br>").length));
  assert.ok(lines > 1);
  assert.equal(wide.height, Math.round(100 + Math.round(lines * 17.25 + 6) + 5 + 30));
  const row = wide as unknown as Record<string, { domain: number[]; title: { text: string } }>;
  assert.deepEqual(row.xaxis.domain, [0, 200 / 640]);
  assert.deepEqual(row.xaxis2.domain, [220 / 640, 420 / 640]);
  assert.deepEqual(
    [row.xaxis, row.xaxis2, row.xaxis3].map(({ title }) => title.text),
    ["x", "x", "x"],
  );
  assert.deepEqual(
    [row.yaxis, row.yaxis2, row.yaxis3].map(({ title }) => title.text),
    ["y", "", ""],
  );

  const narrow = arrangePanels({}, grid, 290) as unknown as typeof row;
  // Two columns of 110: the third panel stands below the first.
  assert.deepEqual(narrow.xaxis3.domain, narrow.xaxis.domain);
  assert.ok(narrow.yaxis3.domain[1] < narrow.yaxis.domain[0]);
  assert.deepEqual(
    [narrow.xaxis, narrow.xaxis2, narrow.xaxis3].map(({ title }) => title.text),
    ["", "x", "x"],
  );
  assert.deepEqual(
    [narrow.yaxis, narrow.yaxis2, narrow.yaxis3].map(({ title }) => title.text),
    ["y", "", "y"],
  );
  const one = arrangePanels({}, grid, 60) as unknown as typeof row;
  assert.deepEqual(
    [one.xaxis, one.xaxis3].map(({ domain }) => domain),
    [
      [0, 1],
      [0, 1],
    ],
    "never none",
  );
});
