/* What stands before the coded images of a JPEG file, as far as the fast decoder takes it. ITU-T T.81, annex B. */

/** A Huffman table as the file gives it: codes per length (16), then the symbols. */
export type HuffmanDefinition = Uint8Array;

export interface JpegComponent {
  /** Sampling factors. */
  readonly h: number;
  readonly v: number;
  /** 64 steps in natural order. */
  readonly quantization: Int16Array;
  readonly dc: HuffmanDefinition;
  readonly ac: HuffmanDefinition;
}

export interface JpegHeader {
  readonly width: number;
  readonly height: number;
  /** One (gray) or three (luma, two of chroma). */
  readonly components: readonly JpegComponent[];
  /** MCUs between restart markers; 0 for none. */
  readonly restartInterval: number;
  /** Where the coded data begin. */
  readonly dataStart: number;
  /** As Exif has it: 1 is upright. */
  readonly orientation: number;
}

/** Natural positions of the coefficients in the order of the file. */
export const naturalOrder: readonly number[] = diagonals();

function diagonals(): number[] {
  const cells = Array.from({ length: 64 }, (_, i) => ({ row: i >> 3, column: i & 7 }));
  const along = ({ row, column }: { row: number; column: number }) =>
    (row + column) % 2 === 0 ? column : row;
  return cells
    .sort((a, b) => a.row + a.column - b.row - b.column || along(a) - along(b))
    .map(({ row, column }) => 8 * row + column);
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: readonly { id: number; h: number; v: number; table: number }[];
}

const [SOF0, SOF1, DHT, SOI, SOS, DQT, DRI] = [0xc0, 0xc1, 0xc4, 0xd8, 0xda, 0xdb, 0xdd];
const [APP0, APP1, APP14, APP15, COMMENT] = [0xe0, 0xe1, 0xee, 0xef, 0xfe];

/** Segments read one after the other; every `false` is something this decoder leaves to others. */
class HeaderReader {
  private readonly quantization: (Int16Array | undefined)[] = [];
  private readonly dc: (HuffmanDefinition | undefined)[] = [];
  private readonly ac: (HuffmanDefinition | undefined)[] = [];
  private frame: Frame | undefined;
  private restartInterval = 0;
  /** That of the first Exif segment; XMP, which stands in segments of the same marker, says nothing of it. */
  private orientation: number | undefined;
  private colors: "unsaid" | "ycc" | "other" = "unsaid";
  private result: JpegHeader | undefined;

  read(bytes: Buffer): JpegHeader | undefined {
    if (bytes.length < 4 || bytes.readUInt16BE(0) !== (0xff00 | SOI)) return undefined;
    let at = 2;
    while (at + 4 <= bytes.length && bytes[at] === 0xff) {
      const marker = bytes[at + 1];
      if (marker === 0xff) {
        at++; // fill byte
        continue;
      }
      const end = at + 2 + bytes.readUInt16BE(at + 2);
      if (end > bytes.length || !this.segment(marker, bytes.subarray(at + 4, end))) return undefined;
      if (marker === SOS) return this.result && { ...this.result, dataStart: end };
      at = end;
    }
    return undefined;
  }

  private segment(marker: number, body: Buffer): boolean {
    if (marker === DQT) return this.quantizationTables(body);
    if (marker === DHT) return this.huffmanTables(body);
    if (marker === SOF0 || marker === SOF1) return this.frameHeader(body);
    if (marker === SOS) return this.scanHeader(body);
    if (marker === DRI) {
      if (body.length >= 2) this.restartInterval = body.readUInt16BE(0);
      return body.length === 2;
    }
    if (marker === APP0 && body.toString("latin1", 0, 5) === "JFIF\0") this.colors = "ycc";
    if (marker === APP14 && body.toString("latin1", 0, 5) === "Adobe" && this.colors === "unsaid") {
      this.colors = body[11] === 1 ? "ycc" : "other";
    }
    if (marker === APP1) this.orientation ??= exifOrientation(body);
    return marker === COMMENT || (marker >= APP0 && marker <= APP15);
  }

  private quantizationTables(body: Buffer): boolean {
    for (let at = 0; at < body.length; ) {
      const [precision, slot] = [body[at] >> 4, body[at] & 15];
      const bytes = precision === 0 ? 64 : 128;
      if (precision > 1 || slot > 3 || at + 1 + bytes > body.length) return false;
      const table = new Int16Array(64);
      for (let i = 0; i < 64; i++) {
        table[naturalOrder[i]] = precision === 0 ? body[at + 1 + i] : body.readUInt16BE(at + 1 + 2 * i);
      }
      this.quantization[slot] = table;
      at += 1 + bytes;
    }
    return true;
  }

  private huffmanTables(body: Buffer): boolean {
    for (let at = 0; at < body.length; ) {
      const [kind, slot] = [body[at] >> 4, body[at] & 15];
      if (kind > 1 || slot > 3 || at + 17 > body.length) return false;
      const end = at + 17 + body.subarray(at + 1, at + 17).reduce((sum, count) => sum + count, 0);
      if (end > body.length || end - at - 17 > 256) return false;
      (kind === 0 ? this.dc : this.ac)[slot] = body.subarray(at + 1, end);
      at = end;
    }
    return true;
  }

  private frameHeader(body: Buffer): boolean {
    if (this.frame || body.length < 6 || body[0] !== 8 || body.length !== 6 + 3 * body[5]) return false;
    const components = Array.from({ length: body[5] }, (_, i) => {
      const [id, factors, table] = body.subarray(6 + 3 * i);
      return { id, h: factors >> 4, v: factors & 15, table };
    });
    this.frame = { height: body.readUInt16BE(1), width: body.readUInt16BE(3), components };
    return this.frame.width > 0 && this.frame.height > 0 && this.supported(this.frame);
  }

  /** Gray, or luma of 1x1, 2x1 or 2x2 samples for one of each chroma. */
  private supported({ components, width }: Frame): boolean {
    const [first, ...others] = components;
    if (others.length === 0) return true;
    if (others.length !== 2 || others.some(({ h, v }) => h !== 1 || v !== 1)) return false;
    const ids = components.map(({ id }) => id).join();
    if (this.colors === "other" || (this.colors === "unsaid" && ids !== "1,2,3")) return false;
    if (first.h === 2 && width <= 4) return false; // libjpeg repeats so few samples of chroma
    return ["1x1", "2x1", "2x2"].includes(`${first.h}x${first.v}`);
  }

  /** One scan that holds everything. */
  private scanHeader(body: Buffer): boolean {
    const { frame, restartInterval, orientation = 1 } = this;
    if (!frame || body[0] !== frame.components.length || body.length !== 4 + 2 * body[0]) return false;
    const [start, end, approximation] = body.subarray(body.length - 3);
    if (start !== 0 || end !== 63 || approximation !== 0) return false;
    const components = frame.components.flatMap(({ id, h, v, table }, i) => {
      const tables = body[2 + 2 * i];
      const [dc, ac, quantization] = [this.dc[tables >> 4], this.ac[tables & 15], this.quantization[table]];
      return body[1 + 2 * i] === id && dc && ac && quantization ? [{ h, v, quantization, dc, ac }] : [];
    });
    if (components.length !== frame.components.length) return false;
    const alone = components.length === 1; // a single component has blocks of its own, whatever its factors
    const used = alone ? components.map((component) => ({ ...component, h: 1, v: 1 })) : components;
    const { width, height } = frame;
    this.result = { width, height, components: used, restartInterval, orientation, dataStart: 0 };
    return true;
  }
}

/** The orientation tag of the first directory; 1 where there is none, undefined for a segment that is not Exif. */
function exifOrientation(body: Buffer): number | undefined {
  if (body.toString("latin1", 0, 6) !== "Exif\0\0") return undefined;
  if (body.length < 14) return 1;
  const tiff = body.subarray(6);
  const little = tiff.toString("latin1", 0, 2) === "II";
  const short = (at: number) => (little ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
  const directory = little ? tiff.readUInt32LE(4) : tiff.readUInt32BE(4);
  if (directory + 2 > tiff.length) return 1;
  for (let i = 0, at = directory + 2; i < short(directory) && at + 12 <= tiff.length; i++, at += 12) {
    if (short(at) === 0x0112) return short(at + 8);
  }
  return 1;
}

/** The header of a baseline JPEG file; undefined for every other file, broken ones among them. */
export function readJpegHeader(bytes: Buffer): JpegHeader | undefined {
  return new HeaderReader().read(bytes);
}
