import { LuvitError } from "../../core/errors";

/** A label as it is stored, or none. */
export type StoredLabel = number | boolean | string | null;

/** Bytes that the labels of a group of rows may unpack to, and the different texts among all of a file. */
export const mostLabelBytes = 2 ** 27;
/** Different labels of a file. */
const mostValues = 2 ** 20;

/** Labels of rows in which each different value is there once. */
export class LabelColumn {
  /** Different labels in the order of their first rows. */
  readonly values: StoredLabel[] = [];
  /** For each row the position of its label in `values`, [rows]. */
  readonly codes: Int32Array;
  private readonly known = new Map<StoredLabel, number>();
  private characters = 0;
  private rows = 0;

  /** `what` is the file and column, for messages. */
  constructor(
    rows: number,
    readonly what: string,
  ) {
    this.codes = new Int32Array(rows);
  }

  /**
   * Labels of the next rows. NaN is no label, as pandas writes it. Texts that are not UTF-8 cannot be told apart: each
   * byte that is none was read as U+FFFD.
   *
   * @throws LuvitError("bad-dataset") for what can be no label, and for more of them than classes ever are.
   */
  add(labels: ArrayLike<unknown>): void {
    for (let i = 0; i < labels.length; i++) {
      const label = this.plain(labels[i]);
      this.codes[this.rows++] = this.known.get(label) ?? this.addValue(label);
    }
  }

  private plain(stored: unknown): StoredLabel {
    const value = typeof stored === "bigint" ? Number(stored) : stored;
    if (typeof value === "number") return Number.isNaN(value) ? null : value;
    if (typeof value === "boolean") return value;
    if (value === null || value === undefined) return null;
    if (typeof value === "string" || value instanceof Uint8Array) return this.readable(value);
    const kind = value instanceof Date ? "dates" : Array.isArray(value) ? "lists" : "structures";
    throw notLabels(this.what, `hold ${kind}`);
  }

  private readable(text: string | Uint8Array): string {
    const label = typeof text === "string" ? text : Buffer.from(text).toString("utf8");
    if (!label.includes("\ufffd")) return label;
    throw notLabels(this.what, `hold ${JSON.stringify(label)}, whose bytes are not UTF-8`);
  }

  private addValue(label: StoredLabel): number {
    const code = this.values.push(label) - 1;
    this.known.set(label, code);
    if (typeof label === "string") this.characters += label.length;
    if (code >= mostValues) throw notLabels(this.what, `have more than ${mostValues} different values`);
    if (this.characters > mostLabelBytes) throw tooLarge(this.what);
    return code;
  }
}

/** Labels that take more memory than names of classes ever do. */
export function tooLarge(what: string): LuvitError {
  return notLabels(what, `are texts of more than ${mostLabelBytes / 2 ** 20} MB`);
}

/** Labels that cannot stand for classes. */
export function notLabels(what: string, reason: string): LuvitError {
  const hint = "whole numbers, texts or booleans are; name another column with label, or give label: false";
  return new LuvitError("bad-dataset", `${what}: labels ${reason}, which are no classes; ${hint}`);
}
