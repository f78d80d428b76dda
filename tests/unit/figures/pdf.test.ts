import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { inflateSync } from "node:zlib";
import { barComparison, entropyScatter, figure, heatmapGrid, renderSvg } from "../../../src/figures";
import { assertRejects, temporaryFolder } from "../train/support";

/** The parts of a PDF of one page: what its table of objects points at, and the operators of the page. */
async function pdfOf(drawn: ReturnType<typeof figure>) {
  const path = await drawn.save(join(temporaryFolder(), "figure.pdf"));
  const bytes = readFileSync(path);
  const text = bytes.toString("latin1");
  const xref = Number(/startxref\n(\d+)\n%%EOF\n$/.exec(text)![1]);
  const offsets = [...text.slice(xref).matchAll(/^(\d{10}) 00000 n $/gm)].map(([, at]) => Number(at));
  const length = Number(/\/Length (\d+)>>\nstream\n/.exec(text)![1]);
  const start = text.indexOf("stream\n") + 7;
  const content = inflateSync(bytes.subarray(start, start + length)).toString("latin1");
  const operators = content.split("\n");
  const words = operators.flatMap((line) => {
    const hex = /<([\da-f]*)> Tj/.exec(line)?.[1];
    return hex === undefined ? [] : [Buffer.from(hex, "hex").toString("latin1")];
  });
  return { text, offsets, operators, words };
}

const bars = barComparison({
  ...{ categories: ["original", "mixed & <same>"], yTitle: "top-1 (%)", title: "Größe" },
  series: [{ name: "LUViT", values: [90, -80.5], errors: [1, 2] }],
});
const points = [
  { background: 3, foreground: 4 },
  { background: 4, foreground: 3 },
];
const clouds = entropyScatter({ series: ["a", "b"].map((name) => ({ name, points })) });
const maps = heatmapGrid({ maps: [{ title: "m", values: [[1, 2, 3]] }], zTitle: "z" });

describe("figures as PDF", () => {
  it("are files whose table of objects is true, of the figure's size in points", async () => {
    const { text, offsets } = await pdfOf(bars);
    assert.ok(text.startsWith("%PDF-1.4\n"));
    assert.equal(offsets.length, 7);
    for (const [index, offset] of offsets.entries())
      assert.ok(text.slice(offset).startsWith(`${index + 1} 0 obj\n`), `object ${index + 1}`);
    const { width, height } = bars.layout;
    assert.ok(text.includes(`/MediaBox[0 0 ${0.75 * width!} ${0.75 * height!}]`));
  });

  it("have every word of the drawing as letters", async () => {
    const { words } = await pdfOf(bars);
    for (const word of ["Größe", "original", "mixed & <same>", "top-1 (%)", "90.0"])
      assert.ok(words.includes(word), word);
    const entity = barComparison({
      ...{ categories: ["a &amp;lt; b &amp;amp;quot;"], yTitle: "y" },
      series: [{ name: "s", values: [1] }],
    });
    assert.ok((await pdfOf(entity)).words.includes("a &lt; b &amp;quot;"), "markup is read once");
    assert.ok(words.includes("\x9680.5"), "minus signs are the dash of the encoding");
  });

  it("draw what the SVG draws: as many shapes, in the same colors", async () => {
    for (const drawn of [bars, clouds, maps]) {
      const svg = renderSvg(drawn, { theme: "light" }).replace(/<clipPath.*?<\/clipPath>/g, "");
      const { operators } = await pdfOf(drawn);
      const shapes = svg.match(/<(rect|path|circle) /g)!.length;
      assert.equal(operators.filter((line) => / [fS]$/.test(line)).length, shapes);
      const count = (wanted: string) => operators.filter((line) => line === wanted).length;
      assert.equal(count("q"), count("Q"));
    }
    const { operators } = await pdfOf(bars);
    const blue = [0x2b, 0x7b, 0xba].map((channel) => Math.round((1000 * channel) / 255) / 1000).join(" ");
    assert.ok(operators.some((line) => line.startsWith(`${blue} rg`)));
  });

  it("set words in the middle and at the end by the widths of Helvetica's letters", async () => {
    const { operators } = await pdfOf(bars);
    const svg = renderSvg(bars, { theme: "light" });
    const [, middle] = /<text x="([\d.]+)"[^>]*text-anchor="middle"[^>]*><tspan[^>]*>original</.exec(svg)!;
    const line = operators.find((one) => one.includes(`<${Buffer.from("original").toString("hex")}>`))!;
    const left = Number(/1 0 0 -1 ([\d.]+) /.exec(line)![1]);
    const width = 11.5 * ((556 + 333 + 222 + 556 + 222 + 556 + 556 + 222) / 1000);
    assert.ok(Math.abs(left - (Number(middle) - width / 2)) < 0.01, line);
  });

  it("have the drawing's dashes, its widths of lines and its corners", async () => {
    for (const [dash, pattern] of [
      ["dash", "8 6"],
      ["dot", "2 4"],
      [undefined, ""],
    ] as const) {
      const line = { color: "#112233", width: 2, dash };
      const lines = figure(
        [{ type: "scatter", mode: "lines", name: "l", x: [0, 1], y: [0, 1], line }],
        {},
        "l",
      );
      const { operators } = await pdfOf(lines);
      assert.ok(!operators.some((operator) => operator.includes("undefined")));
      const drawn = operators.find((operator) => operator.includes("0.067 0.133 0.2 RG"))!;
      assert.ok(drawn.startsWith(`1 j 1 J 2 w [${pattern}] 0 d 0.067 0.133 0.2 RG`), drawn);
    }
  });

  it("refuse letters and colors that they cannot have, by name", async () => {
    const path = join(temporaryFolder(), "x.pdf");
    const foreign = barComparison({
      ...{ categories: ["狐"], yTitle: "count" },
      series: [{ name: "a", values: [1] }],
    });
    await assertRejects(foreign.save(path), "bad-argument", 'no "狐"', ".svg or .png");
    const red = figure([{ type: "bar", x: [1], y: [1], marker: { color: "red" } }], {}, "red");
    await assertRejects(red.save(path), "bad-argument", 'the color "red"');
    assert.throws(() => readFileSync(path), /ENOENT/);
  });
});
