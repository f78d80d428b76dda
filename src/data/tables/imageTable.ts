import { LuvitError } from "../../core/errors";
import type { LabelColumn } from "./labelColumn";

/** What a column of a table says about itself, as the `datasets` package notes it. */
export interface Feature {
  readonly _type?: string;
  /** Of a ClassLabel: class names in label order. */
  readonly names?: readonly string[];
}

/** Columns by name. */
export type Features = Readonly<Record<string, Feature>>;

/** Which columns of a table to read. */
export interface ColumnNames {
  readonly image: string;
  /** Absent for images without labels. */
  readonly label?: string;
}

/** Chooses the columns of a table by its features. */
export type ColumnChoice = (features: Features) => ColumnNames;

/** One file of rows with an image each. */
export interface ImageShard {
  readonly path: string;
  readonly rows: number;
  /** First row of each group of rows that are read together. */
  readonly groups: readonly number[];
  readonly features: Features;
  readonly columns: ColumnNames;
  /** Labels or class names of all rows; undefined where none were asked for. */
  readonly labels?: LabelColumn;
  /**
   * The image file of a row: its bytes, or where it lies.
   *
   * @throws LuvitError("bad-image") where there is none.
   */
  image(row: number): Promise<Uint8Array | string>;
}

/** The image of a cell as `datasets` stores it: bytes, or a path where the image was not embedded. */
export function imageOf(
  name: string,
  bytes: Uint8Array | null | undefined,
  path: string | null | undefined,
): Uint8Array | string {
  if (bytes && bytes.length > 0) return bytes;
  if (path) return path;
  throw new LuvitError("bad-image", `${name}: the table holds no image here`);
}

/** `huggingface` metadata: {"info": {"features": {…}}}. */
export function featuresFrom(json: string | undefined): Features {
  if (!json) return {};
  try {
    return (JSON.parse(json) as { info?: { features?: Features } }).info?.features ?? {};
  } catch {
    return {};
  }
}

/** Rows that a file of any length may have, and bytes of file that each further one needs. */
const freeRows = 2 ** 20;
const leastRowBytes = 8;

/**
 * Every row takes some memory, but none of the file where it repeats the one before.
 *
 * @throws LuvitError("bad-file") where a file of this length cannot have so many rows.
 */
export function expectRowCount(path: string, rows: number, size: number): void {
  if (Number.isInteger(rows) && rows >= 0 && rows <= freeRows + size / leastRowBytes) return;
  throw new LuvitError("bad-file", `${path}: ${rows} rows in a file of ${size} bytes`);
}

/** The group that a row is in, of groups that begin at rows in ascending order. */
export function groupAt(starts: readonly number[], row: number): number {
  let [first, end] = [0, starts.length];
  while (end - first > 1) {
    const middle = (first + end) >> 1;
    if (starts[middle] <= row) first = middle;
    else end = middle;
  }
  return first;
}
