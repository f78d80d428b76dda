import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Bool, Float32, Int32, Table, vectorFromArray } from "apache-arrow";
import { LuvitError } from "../../core/errors";
import { readTable, writeTable } from "../../io/table";
import type { Answer } from "../../train/evaluate";

/** Answers about one part, by the picture's position in it. */
export type PartAnswers = Map<number, Answer>;

const RANGE = /^(\d{6,})-(\d{6,})\.arrow$/;

/** Pictures start … end - 1 of a part, answered and written; the unreadable ones among them have no row. */
export interface AnsweredRange {
  readonly start: number;
  readonly end: number;
  readonly file: string;
}

/** Ranges that were written below `<folder>/answers/<part>`, in order. */
export function answeredRanges(folder: string, part: string): AnsweredRange[] {
  const place = join(folder, "answers", part);
  const names = existsSync(place) ? readdirSync(place) : [];
  const ranges = names.flatMap((name) => {
    const match = RANGE.exec(name);
    return match ? [{ start: Number(match[1]), end: Number(match[2]), file: join(place, name) }] : [];
  });
  return ranges.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** What of start … end - 1 no range covers. */
export function gapsIn(
  { start, end }: { start: number; end: number },
  ranges: readonly AnsweredRange[],
): { start: number; end: number }[] {
  const gaps: { start: number; end: number }[] = [];
  let at = start;
  for (const range of ranges) {
    if (range.start >= end) break;
    if (range.start > at) gaps.push({ start: at, end: range.start });
    at = Math.max(at, range.end);
  }
  if (at < end) gaps.push({ start: at, end });
  return gaps;
}

/** Writes the answers about pictures start … end - 1 of a part; the file appears when it is whole. */
export async function writeAnswers(
  folder: string,
  part: string,
  { start, end }: { start: number; end: number },
  answers: readonly Answer[],
): Promise<void> {
  const digits = (index: number) => String(index).padStart(6, "0");
  const path = join(folder, "answers", part, `${digits(start)}-${digits(end)}.arrow`);
  await writeTable(path, answersTable(answers));
}

/** A row per picture: index, label, prediction (-1: none of the set's), inTop5, loss (nats). */
export function answersTable(answers: readonly Answer[]): Table {
  const column = <Key extends keyof Answer>(key: Key) => answers.map((answer) => answer[key]);
  return new Table({
    index: vectorFromArray(column("index"), new Int32()),
    label: vectorFromArray(column("label"), new Int32()),
    prediction: vectorFromArray(column("prediction"), new Int32()),
    inTop5: vectorFromArray(column("inTop5"), new Bool()),
    loss: vectorFromArray(column("loss"), new Float32()),
  });
}

/**
 * Adds the answers of a written range.
 * @throws LuvitError("bad-file") where a picture was answered before and otherwise.
 */
export async function readAnswers({ file }: AnsweredRange, into: PartAnswers): Promise<void> {
  const table = await readTable(file);
  for (const row of table.toArray()) {
    const answer = row.toJSON() as Answer;
    const known = into.get(answer.index);
    if (known && (known.label !== answer.label || known.prediction !== answer.prediction)) {
      const values = `label ${answer.label} as ${answer.prediction}, elsewhere ${known.label} as ${known.prediction}`;
      throw new LuvitError("bad-file", `${file}: picture ${answer.index} is answered twice: ${values}`);
    }
    into.set(answer.index, answer);
  }
}
