import assert from "node:assert/strict";
import { test } from "node:test";
import { simplified } from "../../../src/figures/detections/simplify";
import type { PlotlyTrace } from "../../../src/figures/spec";
import { drawLegend, legendRowHeight, legendRows } from "../../../src/figures/svg/legend";
import { textWidth } from "../../../src/figures/svg/text";

const line = (name: string, more: object = {}) =>
  ({ type: "scatter", name, mode: "lines", ...more }) as PlotlyTrace;
const entry = (name: string) => 26 + textWidth(name, 12);

test("a legend takes as many rows as its entries need beside each other, and one at least", () => {
  const traces = ["a", "b", "c"].map((name) => line(name));
  const row = entry("a") + 20 + entry("b") + 20 + entry("c");
  assert.equal(legendRows(traces, row), 1);
  assert.equal(legendRows(traces, row - 1), 2);
  assert.equal(legendRows(traces, 1), 3, "an entry that does not fit has a row of its own");
  assert.equal(legendRows([], 100), 1);
  assert.equal(legendRows([line("hidden", { showlegend: false }), line("")], 1), 1);
});

test("entries stand in rows from the left, with a line, a marker or a bar of their trace", () => {
  const traces = [
    line("a"),
    line("b", { mode: "markers" }),
    line("c", { mode: "lines+markers" }),
    line("d", { type: "bar" }),
  ];
  const svg = drawLegend(traces, { left: 10, width: entry("a") + 1, y: 50 });
  const entries = svg.split('<g class="entry"').slice(1);
  assert.equal(entries.length, 4);
  assert.deepEqual(
    entries.map((one) => /data-trace="(\d)"/.exec(one)![1]),
    ["0", "1", "2", "3"],
  );
  assert.deepEqual(
    entries.map((one) => one.includes("h20")),
    [true, false, true, false],
  );
  assert.deepEqual(
    entries.map((one) => one.includes("<rect")),
    [false, false, false, true],
  );
  assert.deepEqual(
    entries.map((one) => /<g fill=/.test(one)),
    [false, true, true, false],
  );
  assert.match(entries[0], /M10 50h20/);
  assert.match(entries[2], new RegExp(`M10 ${50 + 2 * legendRowHeight}h20`));
  assert.match(entries[3], new RegExp(`x="14" y="${50 + 3 * legendRowHeight - 6}"`));
});

test("names that are too long end in a point, traces that are not shown are faint, those without a name are left out", () => {
  const long = "a name that is much too long for the legend of a small figure";
  const svg = drawLegend([line("", {}), line(long, { visible: "legendonly" })], {
    left: 0,
    width: 120,
    y: 0,
  });
  const [, shown] = />([^<]*…)</.exec(svg)!;
  assert.ok(long.startsWith(shown.slice(0, -1)) && textWidth(shown, 12) <= 120 - 26 + 12, shown);
  assert.match(svg, /data-trace="1" opacity="0.4"/);
  assert.equal(svg.split('class="entry"').length, 2);
  assert.ok(!drawLegend([line("short")], { left: 0, width: 200, y: 0 }).includes("…"));
});

test("a closed line keeps the corners that are farther off than is allowed", () => {
  const square = [0, 0, 5, 0.1, 10, 0, 10, 10, 5, 10, 0, 10, 0, 5];
  assert.deepEqual(simplified(square, 0.5), [0, 0, 10, 0, 10, 10, 0, 10]);
  assert.deepEqual(simplified(square, 0.05), [0, 0, 5, 0.1, 10, 0, 10, 10, 0, 10]);
  assert.deepEqual(
    simplified(square, 0.1),
    [0, 0, 10, 0, 10, 10, 0, 10],
    "as far as is allowed is not farther",
  );
  assert.deepEqual(
    simplified(square, 100),
    [0, 0, 10, 10],
    "never fewer than the two farthest from each other",
  );
  const back = [0, 0, 10, 0, 10, 10, 8, 5, 0, 10];
  assert.deepEqual(simplified(back, 1), back);
});
