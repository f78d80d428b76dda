import type { Position } from "./cellCompiler";

/** Text put into a cell, or taken out and replaced, before a compiler sees it; offsets in UTF-16 units. */
export interface Edit {
  at: number;
  remove: number;
  insert: string;
  /** The place that the inserted text comes from, where it is not `at`. */
  from?: number;
}

/** Numbers that are kept of an edit: `at`, `remove`, the length of `insert`, and `from`. */
const kept = 4;

/** A cell as a compiler gets it, and where each place of it is in the cell as written. */
export class EditedText {
  readonly text: string;
  /** The edits by their places, in few bytes: they are kept as long as the cell's code can fail. */
  private readonly places: Int32Array;

  constructor(
    readonly source: string,
    edits: readonly Edit[],
  ) {
    const sorted = [...edits].sort((one, other) => one.at - other.at);
    this.places = Int32Array.from(
      sorted.flatMap(({ at, remove, insert, from = at }) => [at, remove, insert.length, from]),
    );
    let text = "";
    let from = 0;
    for (const { at, remove, insert } of sorted) {
      text += source.slice(from, at) + insert;
      from = at + remove;
    }
    this.text = text + source.slice(from);
  }

  /** The place in the cell as written, for a place in `text`. */
  original(offset: number): number {
    let shift = 0;
    for (let i = 0; i < this.places.length; i += kept) {
      const { at, remove, length, from } = this.place(i);
      if (offset < at + shift || (offset === at + shift && from === at)) break;
      if (offset < at + shift + length) return from;
      shift += length - remove;
    }
    return offset - shift;
  }

  /** The place in `text`, for a place in the cell as written; places in what was taken out are behind what came for it. */
  edited(offset: number): number {
    let shift = 0;
    for (let i = 0; i < this.places.length; i += kept) {
      const { at, remove, length } = this.place(i);
      if (offset <= at) break;
      if (offset < at + remove) return at + shift + length;
      shift += length - remove;
    }
    return offset + shift;
  }

  private place(i: number): { at: number; remove: number; length: number; from: number } {
    const { places } = this;
    return { at: places[i]!, remove: places[i + 1]!, length: places[i + 2]!, from: places[i + 3]! };
  }

  /** A finding's place in the cell as written. */
  position({ offset }: Position): Position {
    return positionOf(this.source, this.original(offset));
  }

  /** A place in `text` as one in the cell as written; lines and columns from 1. */
  locate({ line, column }: { line: number; column: number }): { line: number; column: number } {
    const offset = offsetOf(this.text, line - 1, column - 1);
    const place = positionOf(this.source, this.original(offset));
    return { line: place.line + 1, column: place.character + 1 };
  }
}

/** Line and character of an offset. */
export function positionOf(text: string, offset: number): Position {
  const before = text.slice(0, offset).split("\n");
  return { offset, line: before.length - 1, character: before[before.length - 1]!.length };
}

function offsetOf(text: string, line: number, character: number): number {
  const lines = text.split("\n").slice(0, line);
  return lines.reduce((length, one) => length + one.length + 1, 0) + character;
}
