import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { figurePdf } from "../../../../src/figures/pdf/figurePdf";
import { letterCode, lettersWidth } from "../../../../src/figures/pdf/letters";
import { imageName, opacityName, pdfFile } from "../../../../src/figures/pdf/pdfFile";
import { readSvg } from "../../../../src/figures/pdf/svgTree";
import { Calls } from "../../../support/calls";

/** The objects of a file, streams unpacked, and whether its table has where each begins. */
function objectsOf(pdf: Buffer): string[] {
  const text = pdf.toString("latin1");
  const starts = [...text.matchAll(/(\d{10}) 00000 n /g)].map(([, at]) => Number(at));
  const objects = starts.map((at, i) => {
    const own = text.slice(at, text.indexOf("endobj", at));
    const begins = own.startsWith(`${i + 1} 0 obj`);
    const stream = own.indexOf("stream\n");
    const length = Number(/\/Length (\d+)/.exec(own)?.[1]);
    const packed = stream < 0 ? undefined : pdf.subarray(at + stream + 7, at + stream + 7 + length);
    const shown =
      packed &&
      (own.includes("FlateDecode") ? inflateSync(packed).toString("latin1") : packed.toString("hex"));
    return `${begins} ${(stream < 0 ? own : own.slice(0, stream)).replace(/\/Length \d+/, "").trim()}${shown === undefined ? "" : ` | ${shown}`}`;
  });
  return [
    text.slice(0, 8),
    ...objects.flatMap((one) => one.split("\n")),
    text
      .slice(text.indexOf("trailer"))
      .replace(
        /startxref\n\d+/,
        `startxref ${text.slice(Number(/startxref\n(\d+)/.exec(text)?.[1])).slice(0, 4)}`,
      ),
  ];
}

test("letters, files and trees of PDF are approved", async () => {
  const calls = new Calls();
  for (const letter of [
    "a",
    " ",
    "~",
    "\u007f",
    "\n",
    "\u00a0",
    "é",
    "ÿ",
    "Ā",
    "€",
    "™",
    "−",
    "–",
    "\u2009",
    "\u202f",
    "\0",
    "😀",
    "ﬁ",
    "\u0081",
    "œ",
  ])
    await calls.of(letterCode, letter);
  for (const isBold of [false, true]) {
    calls.note(
      `widths ${isBold}`,
      Array.from({ length: 224 }, (_, i) => Math.round(1000 * lettersWidth([32 + i], isBold))),
    );
    await calls.of(lettersWidth, [72, 101, 108], isBold);
    await calls.of(lettersWidth, [], isBold);
  }
  for (const opacity of [0, 0.5, 0.375, 1, 0.004]) await calls.of(opacityName, opacity);
  await calls.of(imageName, 3);
  const jpeg = (marker: number, channels: number) =>
    Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, marker, 0, 11, 8, 0, 7, 1, 2, channels, 0, 0, 0]);
  const page = {
    width: 300,
    height: 150.5,
    content: "0 0 m\n1 1 l S",
    opacities: [],
    images: [],
    title: "A ü 😀",
  };
  for (const [name, more] of Object.entries({
    plain: {},
    opacities: { opacities: [0.5, 0.25, 0.5] },
    images: { images: [jpeg(0xc0, 3), jpeg(0xc2, 1)] },
  }))
    await calls.does(`file ${name}`, () => objectsOf(pdfFile({ ...page, ...more })));
  for (const svg of [
    '<svg width="3"><g a="1" b-c:d="x &amp; &quot;y&quot;"><rect/><text>a &lt; b</text></g>tail</svg>',
    "<a/>",
    "<a><b></b><b>x</b></a>",
    '<a b="">  </a>',
  ])
    await calls.of(readSvg, svg);
  calls.approve("figures/pdf/parts");
});

test("figures as PDF are approved, operator by operator", async () => {
  const calls = new Calls();
  const scatter = (more: object = {}) => ({
    type: "scatter",
    mode: "lines+markers",
    name: "a",
    x: [1, 2, 4],
    y: [3, 1, 5],
    ...more,
  });
  const pdf = (data: unknown[], layout: object = {}) =>
    objectsOf(figurePdf({ data, layout: { width: 300, height: 200, ...layout } } as never));
  for (const [name, data, layout] of [
    [
      "lines",
      [scatter({ opacity: 0.5, line: { dash: "dash", width: 3, color: "#f80" } })],
      {
        title: { text: "<b>T é</b><br><sub>small</sub>" },
        showlegend: true,
        yaxis: { title: { text: "y" } },
      },
    ],
    [
      "shapes",
      ["circle", "diamond", "square", "triangle-up"].map((symbol, i) =>
        scatter({ mode: "markers", x: [i], y: [i], marker: { symbol, size: 10, color: `rgb(${i}, 20,30)` } }),
      ),
      { xaxis: { showgrid: false }, yaxis: { showgrid: false } },
    ],
    ["filled", [scatter({ mode: "lines", fill: "toself", fillcolor: "rgba(1, 2, 3, 0.25)" })], {}],
    [
      "bars",
      [
        {
          type: "bar",
          x: ["one long name", "another long name"],
          y: [1, -2],
          text: ["1", "−2"],
          error_y: { type: "data", array: [0.5, 0] },
        },
      ],
      { width: 200 },
    ],
    [
      "cells",
      [{ type: "heatmap", z: [[0, 1]], coloraxis: "coloraxis" }],
      {
        coloraxis: {
          colorscale: [
            [0, "#000000"],
            [1, "#ffffff"],
          ],
          cmin: 0,
          cmax: 1,
        },
      },
    ],
    [
      "image",
      [scatter({ mode: "lines" })],
      {
        images: [
          {
            source: `data:image/jpeg;base64,${Buffer.from([0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 7, 1, 2, 3, 0, 0, 0]).toString("base64")}`,
            xref: "x",
            yref: "y",
            x: 1,
            y: 5,
            sizex: 2,
            sizey: 3,
            sizing: "stretch",
            layer: "below",
          },
        ],
      },
    ],
  ] as const)
    await calls.does(name, () => pdf(data as never, layout));
  await calls.does("letters that are not there", () =>
    pdf([scatter({ name: "日本日" })], { showlegend: true, title: { text: "Ω" } }),
  );
  await calls.does("a color by name", () => pdf([scatter({ line: { color: "red" } })]));
  await calls.does("a PNG", () =>
    pdf([scatter()], {
      images: [
        { source: "data:image/png;base64,AAAA", xref: "x", yref: "y", x: 1, y: 5, sizex: 2, sizey: 3 },
      ],
    }),
  );
  calls.approve("figures/pdf/figures");
});
