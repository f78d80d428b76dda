import { unreadable } from "../../pixels";

/** What the first directory of a TIFF file says of its pixels. */
export interface TiffLayout {
  /** PhotometricInterpretation, e.g. 1 for gray and 2 for RGB. */
  readonly photometric: number;
  /** Of each sample of a pixel. */
  readonly bits: readonly number[];
  /** 1 unsigned, 2 signed, 3 floating point. */
  readonly sampleFormat: number;
  /** What the samples behind the colors are: 1 and 2 are alpha, multiplied in and not. */
  readonly extra: readonly number[];
  readonly compression: number;
  /** Every sample of the pixels has a plane of its own. */
  readonly isPlanar: boolean;
  /** Where the less significant byte of the first of `extra` lies in the file. */
  readonly extraPlace?: number;
}

const tags = {
  bits: 258,
  compression: 259,
  photometric: 262,
  samples: 277,
  planes: 284,
  extra: 338,
  sampleFormat: 339,
} as const;

/** Bytes of a value of the types BYTE, SHORT, LONG and LONG8. */
const typeBytes: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 16: 8 };

/** Values of an entry that are looked at: no image has more samples. */
const mostValues = 16;

/**
 * Reads the first directory of a TIFF or BigTIFF file. Reference: TIFF 6.0, section 2.
 *
 * @throws LuvitError("bad-image")
 */
export function readTiffLayout(file: Buffer): TiffLayout {
  try {
    const entries = readDirectory(file);
    return { ...layoutOf(entries), extraPlace: entries.get(tags.extra)?.at };
  } catch (error) {
    if (error instanceof RangeError) throw unreadable("TIFF: its directory is cut off");
    throw error;
  }
}

/** Whole numbers of an entry, and where the less significant byte of the first one lies. */
interface Entry {
  readonly values: readonly number[];
  readonly at: number;
}

function layoutOf(entries: ReadonlyMap<number, Entry>): TiffLayout {
  const all = (tag: number) => entries.get(tag)?.values;
  const one = (tag: number, otherwise: number) => all(tag)?.[0] ?? otherwise;
  const samples = one(tags.samples, 1);
  const given = all(tags.bits) ?? [1];
  const isShared = given.length === 1 && samples <= mostValues;
  const formats = all(tags.sampleFormat) ?? [1];
  return {
    photometric: one(tags.photometric, 0),
    bits: isShared ? Array<number>(samples).fill(given[0]) : given.slice(0, samples),
    sampleFormat: formats.every((format) => format === formats[0]) ? formats[0] : 0,
    extra: all(tags.extra) ?? [],
    compression: one(tags.compression, 1),
    isPlanar: one(tags.planes, 1) === 2,
  };
}

/** The entries that matter. */
function readDirectory(file: Buffer): Map<number, Entry> {
  const little = file[0] === 0x49;
  const number = (at: number, bytes: number): number => {
    if (bytes === 8) {
      const wide = little ? file.readBigUInt64LE(at) : file.readBigUInt64BE(at);
      return Number(wide);
    }
    return little ? file.readUIntLE(at, bytes) : file.readUIntBE(at, bytes);
  };
  const isBig = number(2, 2) === 43;
  const [wide, countBytes, entryBytes] = isBig ? [8, 8, 20] : [4, 2, 12];
  const start = number(isBig ? 8 : 4, wide);
  const count = number(start, countBytes);
  const entries = new Map<number, Entry>();
  for (let i = 0, at = start + countBytes; i < count && at < file.length; i++, at += entryBytes) {
    const tag = number(at, 2);
    const bytes = typeBytes[number(at + 2, 2)];
    if (bytes === undefined || !Object.values<number>(tags).includes(tag)) continue;
    const length = Math.min(mostValues, number(at + 4, wide));
    const inPlace = at + 4 + wide;
    const from = number(at + 4, wide) * bytes <= wide ? inPlace : number(inPlace, wide);
    const values = Array.from({ length }, (_, j) => number(from + j * bytes, bytes));
    entries.set(tag, { values, at: little ? from : from + bytes - 1 });
  }
  return entries;
}
