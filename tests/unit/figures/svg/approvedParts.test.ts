import { test } from "node:test";
import { fraction } from "../../../../src/figures/svg/panels";
import { maskOutline, patchLines } from "../../../../src/figures/svg/patchPaths";
import { slantedHeight } from "../../../../src/figures/svg/place";
import { makeScale, niceTicks } from "../../../../src/figures/svg/scale";
import {
  decode,
  escapeXml,
  paint,
  px,
  textElement,
  textWidth,
  wrapText,
} from "../../../../src/figures/svg/text";
import {
  heatmapColors,
  markerColor,
  markerShape,
  scaleColor,
  traceColor,
} from "../../../../src/figures/svg/traces";
import { Calls } from "../../../support/calls";

type Given = never;
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

test("text, colors and scales of drawings are approved", async () => {
  const calls = new Calls();
  for (const value of [0, 1, -1, 1.005, 1 / 3, -0.004, 12345.678, Number.NaN]) await calls.of(px, value);
  for (const text of [
    'a<b>&"c"',
    "tab\tline\n",
    "\u0000\u0007\u000b\u001f",
    "\ud83d",
    "😀",
    "\uffff",
    12,
    null,
    undefined,
  ])
    await calls.of(escapeXml, text);
  for (const color of [
    "#fff",
    "#12345678",
    "#12",
    "red",
    "rgb(1, 2, 3)",
    "rgba(1,2,3,.5)",
    "hsl(10deg 20% 30%)",
    "url(#x)",
    "red;fill:blue",
    " blue ",
    "",
    undefined,
    3,
    "oklch(0.5 0.1 20)",
    "expression(1)",
  ])
    await calls.of(paint, color);
  for (const text of ["", "abc", "<b>abc</b>", "a<br>b", "&amp;", 123]) await calls.of(textWidth, text, 10);
  const place = { x: 10, y: 20.456, size: 12 };
  for (const more of [
    {},
    { className: "muted" },
    { anchor: "start" },
    { anchor: "middle" },
    { fill: "#123456" },
    { fill: "url(x)" },
    { rotate: -90 },
    { rotate: 0 },
  ])
    await calls.of(textElement, "Title", { ...place, ...more });
  for (const text of [
    "a<br>b<br/>c",
    "<b>bold</b><br><sub>small & &lt;</sub>",
    "<script>x</script>",
    "a<sup>2</sup>",
    7,
  ])
    await calls.of(textElement, text, place);
  for (const [text, width] of [
    ["one two three four", 50],
    ["one two", 500],
    ["unbreakableword two", 20],
    ["<b>one two three</b>", 50],
    ["<sub>one two three</sub><br>four five six", 50],
    ["", 10],
    ["a  b", 5],
  ])
    await calls.of(wrapText, text, 12, width);
  for (const text of ["&lt;&gt;&quot;&amp;", "&amp;lt;", "plain", "&copy;"]) await calls.of(decode, text);
  for (const [low, high, count] of [
    [0, 1, 5],
    [0, 1, 2],
    [-3, 7, 4],
    [0, 0.001, 4],
    [1000, 90_000, 5],
    [0, 1e6, 4],
    [0, 1e-6, 3],
    [5, 5, 3],
    [7, -3, 4],
    [0, 35, 5],
    [0.1, 0.35, 5],
    [9990, 10_010, 3],
  ])
    await calls.of(niceTicks, low, high, count);
  const scales: [object, unknown[], number, boolean][] = [
    [{}, [1, 3, null, Number.NaN], 4, false],
    [{}, [1, 3], 4, true],
    [{ rangemode: "tozero" }, [1, 3], 4, false],
    [{ rangemode: "tozero" }, [-1, -3], 4, false],
    [{ rangemode: "tozero" }, [-1, 3], 4, false],
    [{}, [5, 5], 4, false],
    [{}, [], 4, false],
    [{ range: [0, 10] }, [1], 4, false],
    [{ autorange: "reversed" }, [1, 3], 4, true],
    [{ type: "log" }, [1, 1000], 4, false],
    [{ type: "log" }, [1, 5], 4, true],
    [{ type: "log" }, [2, 3], 4, true],
    [{ type: "log" }, [-1, 0, 10], 4, true],
    [{ type: "log", tickvals: [1, 10] }, [1, 100], 4, true],
    [{ tickvals: [1, 2], ticktext: ["one"] }, [1, 3], 4, true],
    [{ type: "category" }, ["a", "b", "a", null], 4, false],
    [{}, ["x", 1, "y"], 4, false],
    [{}, [0, 1], 1, true],
  ];
  for (const [axis, values, count, flush] of scales)
    await calls.does(`makeScale ${JSON.stringify([axis, values, count, flush])}`, () => {
      const { place: at, ...scale } = makeScale(axis, values as Given, count, flush);
      return {
        ...scale,
        places: [0, 1, 10, -1, "a", "y", null].map((one) => at(one)),
        half: fraction({ ...scale, place: at }, 2),
      };
    });
  for (const tickangle of [undefined, 0, -32, 45, 90])
    await calls.of(
      slantedHeight,
      { tickangle },
      {
        low: 0,
        high: 1,
        ticks: [
          { value: 0, label: "long name" },
          { value: 1, label: "x" },
        ],
      },
    );
  for (const value of [-1, 0, 0.5, 1, 2, 4, 5, Number.NaN]) await calls.of(scaleColor, coloraxis, value);
  await calls.of(scaleColor, { ...(coloraxis as object), cmin: 3, cmax: 3 }, 3);
  for (const trace of [
    { coloraxis: "coloraxis" },
    {},
    { colorscale: [] },
    { colorscale: [], zmin: 1, zmax: 2 },
    { coloraxis: "c", colorscale: [] },
  ])
    await calls.of(heatmapColors, trace, coloraxis);
  for (const trace of [
    {},
    { line: { color: "red" } },
    { marker: { color: "blue" } },
    { line: { color: "red" }, marker: { color: "blue" } },
    { line: { color: "url(x)" } },
  ]) {
    await calls.of(traceColor, trace);
    await calls.of(markerColor, trace);
  }
  for (const symbol of [undefined, "circle", "diamond", "square", "triangle-up", "star"])
    await calls.of(markerShape, { marker: { symbol, size: 10 } }, 10.5, 20);
  await calls.of(markerShape, {}, 1, 2);
  for (const [columns, rows] of [
    [3, 2],
    [1, 1],
    [1, 3],
  ])
    await calls.of(patchLines, { width: columns, height: rows, values: [] }, 30, 25);
  for (const values of [
    [1, 0, 0, 1, 1, 0],
    [1, 1, 1, 1, 1, 1],
    [0, 0, 0, 0, 0, 0],
    [2, 1, 0, 0, 0.5, 1],
  ])
    await calls.of(maskOutline, { width: 3, height: 2, values }, 30, 25);
  calls.approve("figures/svg/parts");
});
