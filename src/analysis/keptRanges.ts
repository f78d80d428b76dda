import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Table } from "apache-arrow";
import { writeTable } from "../io/tables";

/** Images start … end - 1 of a set. */
export interface ImageRange {
  readonly start: number;
  readonly end: number;
}

/** A range whose results were written; unreadable images among it have no row. */
export interface KeptRange extends ImageRange {
  readonly file: string;
}

const RANGE = /^(\d{6,})-(\d{6,})\.arrow$/;

/** Ranges that were written to a folder, in order. */
export function keptRanges(folder: string): KeptRange[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const ranges = names.flatMap((name) => {
    const match = RANGE.exec(name);
    return match ? [{ start: Number(match[1]), end: Number(match[2]), file: join(folder, name) }] : [];
  });
  return ranges.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** Writes the results about a range; the file appears when it is whole. */
export async function keepRange(folder: string, { start, end }: ImageRange, table: Table): Promise<void> {
  const digits = (index: number) => String(index).padStart(6, "0");
  await writeTable(join(folder, `${digits(start)}-${digits(end)}.arrow`), table);
}

/** What of start … end - 1 no range covers; ranges in any order. */
export function gapsIn({ start, end }: ImageRange, ranges: readonly ImageRange[]): ImageRange[] {
  const gaps: ImageRange[] = [];
  let at = start;
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    if (range.start >= end) break;
    if (range.start > at) gaps.push({ start: at, end: range.start });
    at = Math.max(at, range.end);
  }
  if (at < end) gaps.push({ start: at, end });
  return gaps;
}

/** Ranges in order, those that touch each other as one. */
export function joined(ranges: readonly ImageRange[]): ImageRange[] {
  const whole: ImageRange[] = [];
  for (const { start, end } of ranges) {
    const last = whole.at(-1);
    if (last?.end === start) whole[whole.length - 1] = { start: last.start, end };
    else whole.push({ start, end });
  }
  return whole;
}

/** A range in pieces of a length. */
export function* piecesOf({ start, end }: ImageRange, length: number): Generator<ImageRange> {
  for (let at = start; at < end; at += length) yield { start: at, end: Math.min(end, at + length) };
}
