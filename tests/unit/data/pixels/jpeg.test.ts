import assert from "node:assert/strict";
import { describe, it } from "node:test";
import sharp from "sharp";
import { Rng } from "../../../../src/core/rng";
import { naturalOrder, readJpegHeader } from "../../../../src/data/pixels/jpeg/header";
import { huffmanTable } from "../../../../src/data/pixels/jpeg/huffman";
import { cropBox } from "../../../../src/data/pixels/resample";
import { decodeImage } from "../../../../src/data/reading/decode";
import { decodePart } from "../../../../src/data/reading/readPart";
import { paintedImage } from "../support";

const rng = new Rng(0);
const photograph = paintedImage(151, 117, (x, y) => [
  (90 + 60 * Math.sin(x / 9) + rng.integer(40)) & 255,
  (x + y) & 255,
  (y * 2 + rng.integer(30)) & 255,
]);
const raw = { raw: { width: 151, height: 117, channels: 3 } } as const;
const whole = { left: 0, top: 0, width: 151, height: 117 };

type Options = Parameters<ReturnType<typeof sharp>["jpeg"]>[0];
const jpegOf = (options: Options) => sharp(photograph.data, raw).jpeg(options).toBuffer();
const bySharp = async (file: Buffer) => ({ ...whole, data: await sharp(file).raw().toBuffer() });

/** A file in which the numbers 0 and 1 of some tables are exchanged. */
function renumbered(file: Buffer, { dc, ac, quantization }: Record<"dc" | "ac" | "quantization", number>) {
  const other = Buffer.from(file);
  for (let at = 2; ; at += 2 + other.readUInt16BE(at + 2)) {
    const [marker, body, end] = [other[at + 1], at + 4, at + 2 + other.readUInt16BE(at + 2)];
    if (marker === 0xdb) for (let i = body; i < end; i += 65) other[i] ^= quantization;
    if (marker === 0xc0) for (let i = 0; i < other[body + 5]; i++) other[body + 8 + 3 * i] ^= quantization;
    if (marker === 0xc4) {
      for (let i = body; i < end; ) {
        const symbols = other.subarray(i + 1, i + 17).reduce((sum, count) => sum + count, 0);
        other[i] ^= other[i] >> 4 === 0 ? dc : ac;
        i += 17 + symbols;
      }
    }
    if (marker !== 0xda) continue;
    for (let i = 0; i < other[body]; i++) other[body + 2 + 2 * i] ^= (dc << 4) | ac;
    return other;
  }
}

/** 44 x 36 pixels with a restart marker behind each of its nine MCUs, so that their numbers begin anew. */
const restarting = Buffer.from(
  [
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7",
    "gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8",
    "fHx8fHx8fHz/wAARCAAkACwDASIAAhEBAxEB/8QAGgAAAwEBAQEAAAAAAAAAAAAAAAECBAUDBv/EACUQAAICAgEDAwUAAAAAAAAA",
    "AAEDABECITEEEkFRYZETIjJxof/EABgBAAMBAQAAAAAAAAAAAAAAAAMEBQAB/8QAJhEAAgECBAUFAAAAAAAAAAAAAAECERIDEyEi",
    "IzEygfAzQ7HB4f/dAAQAAf/aAAwDAQACEQMRAD8A46V6lMVqaEL1PVi6xswGFC51ZczOGf/Q+banfEakAHc1OxJOtCJSgDvmHVlu",
    "iCZjzD//0eWpWNRleN8GaU4a1j8yjjR/L+Tjca+fZdjibUf/0o6dehKfhevAmjpsKxuPPCsCYpCW1Ifv2H//08DsKNAbiUsYkWLJ",
    "mlq+3xZMEro0OZnOq80/Ra/iH//US16+74EsrPjET3Uuh6n1jyXvi/eLOdHqUIz2I//V3oA+nKdiO0CEJNXLsvkMvTP/1qcB3n2E",
    "SgBvyTCEA+T7k33D/9foqxGh4qMi98fqEJPnoxiPQj//2Q==",
  ].join(""),
  "base64",
);

/** 23 x 17 pixels whose chroma is half as wide as their luma and as high (4:2:2), as cameras write them. */
const halfAsWide = Buffer.from(
  [
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7",
    "gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8",
    "fHx8fHx8fHz/wAARCAARABcDASEAAhEBAxEB/8QAGgAAAgIDAAAAAAAAAAAAAAAAAAEDBQIEBv/EACIQAAICAQIHAQAAAAAAAAAA",
    "AAEEABECEkEhIzEyMzRxUf/EABcBAAMBAAAAAAAAAAAAAAAAAAIDBAX/xAAnEQACAQIEBAcAAAAAAAAAAAABAgADBBEhIzESEzIz",
    "cYGRscHR8P/aAAwDAQACEQMRAD8Arina/SRJogZkkVBt0DoSdpoVa2qkbqeOrhiTCVoq8I4UxHpIbmtqnOdIFAFrI2mumpzDlkLO",
    "wmbSccoA7b/URUq6yTJ1Q66Is/ghHriwzXH9sJFc1tU5y2Ppn5IFPOPkhp9A8vcwqndSJvsMIluhPD5MkuO60//Z",
  ].join(""),
  "base64",
);

/** A file whose components have other names, and which says by the segments before them which colors these are. */
function saying(file: Buffer, names: string, ...segments: readonly Buffer[]): Buffer {
  const other = Buffer.from(file);
  const [frame, scan] = [0xc0, 0xda].map((marker) => file.indexOf(Buffer.of(0xff, marker)));
  for (const [i, name] of [...Buffer.from(names, "latin1")].entries()) {
    other[frame + 10 + 3 * i] = name;
    other[scan + 5 + 2 * i] = name;
  }
  return Buffer.concat([other.subarray(0, 2), ...segments, other.subarray(2)]);
}

const kinds: Options[] = [
  { quality: 92, chromaSubsampling: "4:2:0" },
  { quality: 75, chromaSubsampling: "4:4:4" },
  { quality: 30, chromaSubsampling: "4:2:0", optimizeCoding: false },
  { quality: 100, chromaSubsampling: "4:4:4", optimizeCoding: false },
  { quality: 3, chromaSubsampling: "4:2:0" },
];

describe("the decoder for baseline JPEG files", () => {
  it("gives sharp's pixels, whole and in every part", async () => {
    for (const options of kinds) {
      const file = await jpegOf(options);
      const expected = await bySharp(file);
      assert.deepEqual(Buffer.from(decodePart(file, whole)!.data), expected.data, JSON.stringify(options));
      for (let i = 0; i < 40; i++) {
        const [left, top] = [rng.integer(151), rng.integer(117)];
        const box = { left, top, width: 1 + rng.integer(151 - left), height: 1 + rng.integer(117 - top) };
        const part = decodePart(file, box)!;
        assert.deepEqual(
          Buffer.from(part.data),
          Buffer.from(cropBox(expected, box).data),
          JSON.stringify(box),
        );
      }
    }
  });

  it("finds each component's tables by their numbers, whichever those are", async () => {
    const file = await jpegOf({ quality: 60, optimizeCoding: true });
    for (const [dc, ac, quantization] of [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]) {
      const other = renumbered(file, { dc, ac, quantization });
      const expected = await bySharp(other);
      assert.deepEqual(expected.data, (await bySharp(file)).data, "it is the same image");
      assert.deepEqual(Buffer.from(decodePart(other, whole)!.data), expected.data);
    }
  });

  it("begins anew at restart markers, which come in their order", async () => {
    const size = { left: 0, top: 0, width: 44, height: 36 };
    assert.equal(readJpegHeader(restarting)!.restartInterval, 1);
    const expected = { ...size, data: await sharp(restarting).raw().toBuffer() };
    assert.deepEqual(Buffer.from(decodePart(restarting, size)!.data), expected.data);
    const box = { left: 20, top: 17, width: 9, height: 15 };
    assert.deepEqual(
      Buffer.from(decodePart(restarting, box)!.data),
      Buffer.from(cropBox(expected, box).data),
    );
    const swapped = Buffer.from(restarting);
    swapped[restarting.indexOf(Buffer.of(0xff, 0xd1)) + 1] = 0xd2;
    assert.equal(decodePart(swapped, size), undefined);
    assert.equal(decodePart(swapped, box), undefined);
  });

  it("passes over bytes that fill up before a marker, as many as there are", async () => {
    const file = await jpegOf({ quality: 60 });
    for (const count of [1, 2, 20]) {
      const filled = Buffer.concat([file.subarray(0, -2), Buffer.alloc(count, 255), file.subarray(-2)]);
      const expected = await bySharp(filled);
      assert.deepEqual(Buffer.from(decodePart(filled, whole)!.data), expected.data);
    }
  });

  it("widens chroma that is half as wide as luma, whole and in every part", async () => {
    const size = { left: 0, top: 0, width: 23, height: 17 };
    const expected = { ...size, data: await sharp(halfAsWide).raw().toBuffer() };
    for (let left = 0; left < 23; left++) {
      for (const top of [0, 7, 8, 16]) {
        const box = { left, top, width: 1 + ((23 - left - 1) >> (top % 3)), height: 17 - top };
        const part = decodePart(halfAsWide, box);
        assert.deepEqual(Buffer.from(part!.data), Buffer.from(cropBox(expected, box).data), `${left} ${top}`);
      }
    }
  });

  it("takes for luma and chroma what libjpeg takes for that, by JFIF, Adobe or names, and leaves other colors", async () => {
    const file = await jpegOf({ quality: 75, chromaSubsampling: "4:4:4" });
    assert.ok(!file.includes("JFIF"), "it says nothing by itself");
    const jfif = Buffer.from([0xff, 0xe0, 0, 16, ...Buffer.from("JFIF\0"), 1, 1, 0, 0, 1, 0, 1, 0, 0]);
    const adobe = (transform: number) =>
      Buffer.from([0xff, 0xee, 0, 14, ...Buffer.from("Adobe"), 0, 100, 0, 0, 0, 0, transform]);
    const [numbers, letters, fromZero] = ["\x01\x02\x03", "RGB", "\x00\x01\x02"];
    const cases: [names: string, segments: Buffer[], isRead: boolean][] = [
      [numbers, [jfif], true],
      [numbers, [], true],
      [numbers, [adobe(1)], true],
      [numbers, [adobe(0)], false],
      [letters, [], false],
      [letters, [jfif], true],
      [letters, [adobe(1)], true],
      [letters, [adobe(0)], false],
      [fromZero, [], false], // libjpeg guesses
      [fromZero, [jfif], true],
      [numbers, [jfif, adobe(0)], true],
      [numbers, [adobe(0), jfif], true],
    ];
    for (const [names, segments, isRead] of cases) {
      const other = saying(file, names, ...segments);
      const what = `${JSON.stringify(names)} ${segments.map((segment) => segment.toString("latin1", 4))}`;
      const part = decodePart(other, whole);
      assert.equal(part !== undefined, isRead, what);
      if (part) assert.deepEqual(Buffer.from(part.data), (await bySharp(other)).data, what);
      const { data } = await decodeImage(other);
      assert.deepEqual(Buffer.from(data), (await bySharp(other)).data, what);
    }
  });

  it("reads gray images", async () => {
    const file = await sharp(photograph.data, raw).grayscale().jpeg().toBuffer();
    const expected = await sharp(file).toColorspace("srgb").raw().toBuffer();
    assert.deepEqual(Buffer.from(decodePart(file, whole)!.data), expected);
  });

  it("leaves other files to others: progressive ones, four colors, other formats", async () => {
    const { data } = photograph;
    const others = await Promise.all([
      jpegOf({ progressive: true }),
      sharp(data, raw).toColorspace("cmyk").jpeg().toBuffer(),
      sharp(data, raw).png().toBuffer(),
    ]);
    for (const file of [...others, Buffer.alloc(0), Buffer.from([0xff, 0xd8])]) {
      assert.equal(decodePart(file, whole), undefined);
    }
  });

  it("leaves truncated files to others, wherever they end, also when the part lies before the end", async () => {
    const file = await jpegOf({ quality: 80 });
    const corner = { left: 0, top: 0, width: 8, height: 8 };
    for (let length = 0; length < file.length; length += 97) {
      assert.equal(decodePart(file.subarray(0, length), whole), undefined, `${length} bytes`);
      assert.equal(decodePart(file.subarray(0, length), corner), undefined, `${length} bytes`);
    }
  });

  it("survives files with any bytes changed, and claims of size that the data do not bear out", async () => {
    const file = await jpegOf({ quality: 60 });
    for (let i = 0; i < 3000; i++) {
      const broken = Buffer.from(file);
      for (let k = 0; k <= i % 3; k++) broken[rng.integer(i % 2 ? 700 : file.length)] = rng.integer(256);
      const header = readJpegHeader(broken);
      if (!header) continue;
      const { width, height } = header;
      const part = decodePart(broken, { left: 0, top: 0, width, height });
      if (part) assert.equal(part.data.length, 3 * width * height);
    }
    const frame = file.indexOf(Buffer.from([0xff, 0xc0]));
    const huge = Buffer.from(file);
    huge.writeUInt32BE(0xffffffff, frame + 5);
    assert.equal(decodePart(huge, { left: 0, top: 0, width: 65535, height: 65535 }), undefined);
  });

  it("knows the zigzag", () => {
    assert.deepEqual(naturalOrder.slice(0, 10), [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]);
    assert.deepEqual(naturalOrder.slice(-3), [55, 62, 63]);
  });
});

describe("Huffman tables", () => {
  const definition = (counts: readonly number[], symbols: readonly number[]) =>
    Uint8Array.from([...counts, ...Array<number>(16 - counts.length).fill(0), ...symbols]);

  it("are of codes that do not stand in each other's way, none longer than it may be", () => {
    assert.ok(huffmanTable(definition([0, 3, 1], [0, 1, 2, 3]), "dc"));
    assert.ok(huffmanTable(definition([1, 1], [0, 1]), "dc"));
    for (const counts of [
      [3],
      [2, 1],
      [1, 3],
      [0, 5],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 << 7, 0, 0, 0, 0, 255],
    ]) {
      const total = counts.reduce((a, b) => a + b);
      const built = huffmanTable(
        definition(
          counts,
          Array.from({ length: total }, (_, i) => i % 12),
        ),
        "dc",
      );
      const fits = counts.reduce((sum, count, i) => sum + count / 2 ** (i + 1), 0) <= 1;
      assert.equal(built !== undefined, fits, `${counts}`);
    }
  });

  it("of constant parts know no more than 15 bits, those of waves do", () => {
    const large = definition([1, 1], [0, 16]);
    assert.equal(huffmanTable(large, "dc"), undefined);
    assert.ok(huffmanTable(large, "ac"));
  });
});

describe("an image that ends within a block of samples", () => {
  it("has its last column and row repeated, not what the file holds beyond them", async () => {
    for (const chromaSubsampling of ["4:2:0", "4:4:4"]) {
      const file = await jpegOf({ quality: 90, chromaSubsampling });
      const frame = file.indexOf(Buffer.from([0xff, 0xc0]));
      // The same blocks under a smaller size: beyond it lies another image than its edge.
      for (const [width, height] of [
        [149, 115],
        [146, 114],
        [145, 113],
      ]) {
        const cut = Buffer.from(file);
        cut.writeUInt16BE(height, frame + 5);
        cut.writeUInt16BE(width, frame + 7);
        const expected = await sharp(cut).raw().toBuffer();
        for (const left of [0, 64]) {
          const box = { left, top: 0, width: width - left, height };
          const image = { width, height, data: expected };
          assert.deepEqual(
            Buffer.from(decodePart(cut, box)!.data),
            Buffer.from(cropBox(image, box).data),
            `${width} from ${left}`,
          );
        }
      }
    }
  });
});
