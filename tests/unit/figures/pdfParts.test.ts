import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import sharp from "sharp";
import { figure } from "../../../src/figures";
import { figurePdf } from "../../../src/figures/pdf/figurePdf";
import { letterCode, lettersWidth } from "../../../src/figures/pdf/letters";
import { imageName, opacityName, pdfFile } from "../../../src/figures/pdf/pdfFile";
import { readSvg } from "../../../src/figures/pdf/svgTree";
import { isLuvitError } from "../nn/support";

/** Code points of the codes from 128 to 159, of Unicode's table of Windows-1252; 0 where it has none. */
const upper =
  "20ac 0 201a 192 201e 2026 2020 2021 2c6 2030 160 2039 152 0 17d 0 " +
  "0 2018 2019 201c 201d 2022 2013 2014 2dc 2122 161 203a 153 0 17e 178";

test("letters have the codes of Windows-1252, and of what it has not, none", () => {
  const points = upper.split(" ").map((point) => Number.parseInt(point, 16));
  assert.equal(points.length, 32);
  for (const [i, point] of points.entries())
    if (point > 0) assert.equal(letterCode(String.fromCodePoint(point)), 128 + i, point.toString(16));
  for (let code = 0; code < 256; code++) {
    const isOwn = (code >= 32 && code < 127) || code >= 160;
    assert.equal(letterCode(String.fromCodePoint(code)), isOwn ? code : undefined, `${code}`);
  }
  for (const none of ["\0", "\n", "\x1f", "\x7f", "\x80", "Ā", "狐", "😀", "→"]) assert.equal(letterCode(none), undefined, none); // biome-ignore format: one line
  assert.equal(letterCode("−"), 0x96, "a minus is a dash");
  assert.deepEqual(["\u2009", "\u202f", "\u00a0"].map(letterCode), [32, 32, 160]);
});

test("letters are as wide as Helvetica has them, with their accents as without", () => {
  const widths = (letters: string, isBold: boolean) =>
    [...letters].map((letter) => Math.round(1000 * lettersWidth([letterCode(letter)!], isBold)));
  // Adobe's metrics of Helvetica and Helvetica-Bold.
  assert.deepEqual(widths(" !\"%'@Wim~", false), [278, 278, 355, 889, 191, 1015, 944, 222, 833, 584]);
  assert.deepEqual(widths(" !\"%'@Wim~", true), [278, 333, 474, 889, 238, 975, 944, 278, 889, 584]);
  assert.deepEqual(widths("€…—™ŒßÆÿ", false), [556, 1000, 1000, 1000, 1000, 611, 1000, 500]);
  assert.deepEqual(widths("€…—™ŒßÆÿ", true), [556, 1000, 1000, 1000, 1000, 611, 1000, 556]);
  for (const isBold of [false, true]) {
    assert.deepEqual(new Set(widths("0123456789+<=>", isBold)), new Set([556, 584]));
    const letters = Array.from({ length: 64 }, (_, i) => String.fromCodePoint(192 + i));
    for (const letter of [...letters, ..."ŠšŽžŸ"]) {
      const plain = letter.normalize("NFD")[0]!;
      // The dotless i below an accent is as wide in bold type, and wider by nothing in plain type.
      const same = plain === "i" && !isBold ? [278] : widths(plain, isBold);
      if (plain !== letter) assert.deepEqual(widths(letter, isBold), same, letter);
    }
  }
  assert.equal(lettersWidth([], false), 0);
  assert.ok(
    Math.abs(
      lettersWidth(
        [..."ab"].map((one) => letterCode(one)!),
        false,
      ) - 1.112,
    ) < 1e-12,
  );
});

const content = (pdf: Buffer) => {
  const latin = pdf.toString("latin1");
  const at = latin.indexOf("stream\n") + 7;
  return inflateSync(pdf.subarray(at, at + Number(/\/Length (\d+)>>\nstream\n/.exec(latin)![1]))).toString(
    "latin1",
  );
};

test("a file has its opacities once each, its images, and its title in UTF-16", async () => {
  const page = { width: 30, height: 20.5, content: "q Q", opacities: [0.5, 0.25, 0.5], title: "Ä狐" };
  const jpeg = (channels: 1 | 3, width: number, height: number) => {
    const raw = sharp(new Uint8Array(width * height * channels), { raw: { width, height, channels } });
    return (channels === 1 ? raw.toColorspace("b-w") : raw).jpeg({ progressive: channels === 1 }).toBuffer();
  };
  const images = [await jpeg(3, 7, 5), await jpeg(1, 4, 9)];
  const text = pdfFile({ ...page, images }).toString("latin1");
  assert.match(text, /\/MediaBox\[0 0 30 20\.5\]/);
  assert.ok(text.includes("/ExtGState<</O50<</ca 0.5/CA 0.5>>/O25<</ca 0.25/CA 0.25>>>>"));
  assert.ok(text.includes("/XObject<</I0 8 0 R/I1 9 0 R>>"));
  assert.ok(text.includes("/Title<feff00c472d0>"));
  assert.match(
    text,
    /8 0 obj\n<<[^>]*\/Width 7\/Height 5\/ColorSpace\/DeviceRGB\/BitsPerComponent 8\/Filter\/DCTDecode/,
  );
  assert.match(text, /9 0 obj\n<<[^>]*\/Width 4\/Height 9\/ColorSpace\/DeviceGray/);
  for (const [i, bytes] of images.entries()) {
    assert.ok(text.includes(bytes!.toString("latin1")), `image ${i}`);
    assert.ok(text.includes(`/Length ${bytes!.length}>>`));
  }
  assert.match(text, /xref\n0 10\n0000000000 65535 f \n[\s\S]*\/Size 10\/Root 1 0 R\/Info 7 0 R/);
  assert.equal(content(pdfFile({ ...page, images: [] })), "q Q");
  assert.deepEqual([opacityName(0.491), opacityName(1), imageName(3)], ["O49", "O100", "I3"]);
});

test("a drawing is read as it is written: elements within each other, attributes and words without entities", () => {
  const svg = `<svg width="5"><g a="1 &lt; 2" b-c="&quot;&amp;lt;"><path d="M0 0"/><text>x &gt; <tspan>y &amp;amp; z</tspan></text></g><rect x="1" /></svg>`;
  assert.deepEqual(readSvg(svg), {
    tag: "svg",
    attributes: { width: "5" },
    children: [
      {
        tag: "g",
        attributes: { a: "1 < 2", "b-c": '"&lt;' },
        children: [
          { tag: "path", attributes: { d: "M0 0" }, children: [] },
          {
            ...{ tag: "text", attributes: {} },
            children: ["x > ", { tag: "tspan", attributes: {}, children: ["y &amp; z"] }],
          },
        ],
      },
      { tag: "rect", attributes: { x: "1" }, children: [] },
    ],
  });
});

const drawn = (more: object, layout: object = {}) =>
  figure(
    [{ type: "scatter", mode: "lines", name: "n", x: [0, 1], y: [0, 1], ...more } as never],
    {
      width: 200,
      height: 100,
      margin: { l: 50, r: 50, t: 25, b: 25 },
      xaxis: { range: [0, 1] },
      yaxis: { range: [0, 1] },
      ...layout,
    },
    "s",
  );

test("lines, marks and what they enclose stand where the figure has them, as strong as there", () => {
  const operators = content(figurePdf(drawn({ opacity: 0.3, mode: "lines+markers" }))).split("\n");
  assert.equal(operators[0], "0.75 0 0 -0.75 0 75 cm");
  assert.ok(operators.some((line) => line.endsWith(" RG 50 75 m 150 25 l S")));
  assert.ok(operators.includes("/O30 gs"));
  // A circle of radius 3.5 around (50, 75).
  assert.ok(
    operators.some((line) =>
      line.includes("53.5 75 m 53.5 76.933 51.933 78.5 50 78.5 c 48.067 78.5 46.5 76.933 46.5 75 c"),
    ),
  );
  assert.ok(operators.includes("45 20 110 60 re W n"), "and end where their panel ends");
  const filled = content(
    figurePdf(drawn({ x: [0, 1, 1], y: [0, 0, 1], fill: "toself", fillcolor: "rgba(255,0,51,0.2)" })),
  );
  assert.match(filled, /\/O20 gs\n1 0 0\.2 rg 50 75 m 150 75 l 150 25 l h f/);
});

test("colors are read in each form that they are written in", () => {
  const lineOf = (color: string) =>
    / (\S+ \S+ \S+) RG 50 75 m 150 25 l S/.exec(content(figurePdf(drawn({ line: { color } }))))?.[1];
  assert.deepEqual(["#f06", "#FF0066", "rgb(255, 0, 102)"].map(lineOf), Array(3).fill("1 0 0.4"));
  for (const color of ["red", "#ff006680", "hsl(1 2% 3%)"])
    assert.throws(() => figurePdf(drawn({ line: { color } })), isLuvitError("bad-argument", `"${color}"`));
});

test("words stand upright or along their axis, bold in titles, each letter that is not there named once", () => {
  const text = content(
    figurePdf(drawn({}, { title: { text: "<b>T</b>" }, yaxis: { title: { text: "up" }, range: [0, 1] } })),
  );
  assert.match(text, /\/F2 15 Tf 1 0 0 -1 50 24 Tm <54> Tj/);
  // Turned by a right angle, its middle at the middle of the panel: it begins below that by half its width.
  const [, x, y] = /\/F1 12\.5 Tf 0 -1 -1 0 ([\d.]+) ([\d.]+) Tm <7570> Tj/.exec(text)!.map(Number);
  assert.deepEqual([x, y], [14, Math.round(1000 * (50 + (12.5 * 1.112) / 2)) / 1000]);
  assert.throws(
    () => figurePdf(drawn({}, { title: { text: "狐狐→" } })),
    isLuvitError("bad-argument", 'have no "狐", "→"; save'),
  );
});
