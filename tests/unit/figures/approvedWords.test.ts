import { test } from "node:test";
import { checkOptions } from "../../../src/core/options";
import { colormap as checkedColormap } from "../../../src/figures/checkedColormap";
import { classColor } from "../../../src/figures/classColor";
import { colormap, colormapTable, parseHex, plotlyColorscale } from "../../../src/figures/colormap";
import {
  formatBar,
  formatBytes,
  formatDuration,
  formatNumber,
  formatRange,
  formatRate,
} from "../../../src/figures/format";
import { dataUrl, escapeHtml, scriptJson } from "../../../src/figures/html";
import {
  cell,
  cellOptions,
  colormapField,
  ends,
  figureField,
  label,
  labels,
  numbers,
  objects,
  sameLength,
  share,
  side,
} from "../../../src/figures/options";
import * as theme from "../../../src/figures/theme";
import { withStrength } from "../../../src/figures/withStrength";
import { Calls } from "../../support/calls";

test("numbers in words, colors and checks of figures are approved", async () => {
  const calls = new Calls();
  for (const seconds of [
    0,
    0.001,
    0.0994,
    0.0995,
    0.5,
    9.94,
    59.94,
    59.95,
    60,
    61.5,
    3599.4,
    3599.5,
    3600,
    7325,
    90_000,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ])
    await calls.of(formatDuration, seconds);
  for (const value of [
    0,
    -0,
    1,
    -1,
    999,
    1000,
    1234.5,
    -1234.56,
    0.001,
    0.00099,
    1e-9,
    12.3456,
    1e9,
    1.5e9,
    999_999_999.5,
    1e15,
    123_456_789,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
  ])
    await calls.of(formatNumber, value);
  for (const [low, high] of [
    [0, 1],
    [1, 1.001],
    [100, 101],
    [0, 0],
    [-3.24159, 2.81828],
    [1234.5678, 1234.5679],
    [5, 1],
    [1e-20, 1],
    [-1e6, 1e6],
  ])
    await calls.of(formatRange, low, high);
  for (const rate of [0, 1e-3, 1.5e-4, 12, Number.NaN, Number.POSITIVE_INFINITY])
    await calls.of(formatRate, rate);
  for (const bytes of [0, 2 ** 19, 2 ** 20, 1023.4 * 2 ** 20, 1023.9 * 2 ** 20, 2 ** 30, 1.44 * 2 ** 30])
    await calls.of(formatBytes, bytes);
  for (const [part, width] of [
    [0, undefined],
    [0.5, undefined],
    [1, undefined],
    [-1, 4],
    [2, 4],
    [0.124, 4],
    [0.126, 4],
  ])
    await calls.of(formatBar, part, width);
  for (const text of ["", "a<b>&\"c'", "&amp;", "ü\n"]) {
    await calls.of(escapeHtml, text);
    await calls.of(scriptJson, text);
  }
  await calls.of(scriptJson, { a: ["</script>", 1] });
  await calls.of(dataUrl, "image/png", Uint8Array.of(1, 2, 255));
  await calls.of(dataUrl, "text/plain", "ü");
  for (const name of ["viridis", "magma", "coolwarm"] as const) {
    for (const value of [-1, 0, 0.1, 0.25, 0.5, 0.501, 0.999, 1, 2, Number.NaN])
      await calls.of(colormap, name, value);
    calls.note(`${name} table`, colormapTable(name));
    await calls.of(plotlyColorscale, name);
  }
  await calls.of(checkedColormap, "magma", 0.3);
  await calls.does("no such map", () => checkedColormap("jet" as never, 0.3));
  for (const color of ["#000000", "#ffffff", "#12ab9F"]) {
    await calls.of(parseHex, color);
    await calls.of(withStrength, color, 0.25);
  }
  for (const id of [0, 1, 2, 3, 10, 919, 1000]) await calls.of(classColor, id);
  for (const [name, value] of Object.entries(theme)) if (typeof value !== "function") calls.note(name, value);
  for (const index of [0, 1, 5, 6, 7]) await calls.of(theme.seriesColor, index);
  for (const size of [undefined, { width: 3 }, { height: 4 }, { legend: true }, { colorbar: true }])
    for (const title of ["", "One", "One<br>two<br>three"]) await calls.of(theme.baseLayout, title, size);
  await calls.of(theme.axis, "x", { type: "log" });
  const fields = {
    side,
    cell,
    share,
    label,
    labels,
    ends,
    numbers,
    objects: objects("things"),
    cellOptions,
    colormapField,
    figureField,
  };
  const given = [
    undefined,
    null,
    0,
    0.5,
    1,
    15,
    16,
    8192,
    8193,
    20_000,
    20_001,
    -1,
    Number.NaN,
    "",
    "a",
    "viridis",
    [],
    [1],
    [1, 2],
    [1, Number.NaN],
    ["a"],
    ["a", ""],
    Float32Array.of(1),
    {},
    { length: 3 },
    { cell: 3 },
    { cell: 0 },
    { data: [], layout: {} },
    { data: [1], layout: {} },
    { data: [{}], layout: [] },
    { data: {}, layout: {} },
  ];
  for (const [name, field] of Object.entries(fields))
    for (const value of given)
      await calls.of(
        Object.defineProperty((one: unknown) => checkOptions("x", field as never, one), "name", {
          value: name,
        }) as never,
        value,
      );
  for (const one of [{ steps: [1, 2], values: [1, 2] }, { steps: [1, 2], values: [1] }, {}, { steps: [1] }])
    await calls.of(sameLength, one);
  calls.approve("figures/words");
});
