import { open } from "node:fs/promises";
import { LuvitError } from "../../core/errors";

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
  /** Absent for pictures without labels. */
  readonly label?: string;
}

/** Chooses the columns of a table by its features. */
export type ColumnChoice = (features: Features) => ColumnNames;

/** One file of rows with a picture each. */
export interface PictureShard {
  readonly path: string;
  readonly rows: number;
  /** First row of each group of rows that are read together. */
  readonly groups: readonly number[];
  readonly features: Features;
  readonly columns: ColumnNames;
  /** Labels or class names of all rows; undefined where none were asked for. */
  readonly labels?: readonly (number | string | null)[];
  /** The picture file of a row: its bytes, or where it lies. Throws "bad-image" where there is none. */
  picture(row: number): Promise<Uint8Array | string>;
}

/** Bytes [start, end) of a file. */
export async function readStretch(path: string, start: number, end: number): Promise<Uint8Array> {
  const handle = await open(path, "r");
  try {
    const bytes = new Uint8Array(end - start);
    for (let done = 0; done < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
      if (bytesRead === 0)
        throw new LuvitError("bad-file", `${path}: ends at byte ${start + done}, before ${end}`);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}

/** Opens something of a table file; what goes wrong in it that is not this library's error becomes "bad-file". */
export async function reading<T>(path: string, kind: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    if (cause instanceof LuvitError) throw cause;
    throw new LuvitError("bad-file", `${path}: cannot be read as ${kind} (${reasonOf(cause)})`, { cause });
  }
}

/** What a decoder says; where it stumbled over what it did not expect, its own words mean nothing to a reader. */
function reasonOf(cause: unknown): string {
  if (cause instanceof TypeError || cause instanceof RangeError)
    return "its structure is damaged; copy it again";
  return (cause as Error).message;
}

/** The picture of a cell as `datasets` stores it: bytes, or a path where the picture was not embedded. */
export function pictureOf(
  name: string,
  bytes: Uint8Array | null | undefined,
  path: string | null | undefined,
): Uint8Array | string {
  if (bytes && bytes.length > 0) return bytes;
  if (path) return path;
  throw new LuvitError("bad-image", `${name}: the table holds no picture here`);
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
