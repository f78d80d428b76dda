import { constants } from "node:fs";
import { appendFile, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { brief } from "../../core/brief";
import { LuvitError, listOffenders } from "../../core/errors";
import { makeFolder } from "../../core/makeFolder";
import { printable } from "../../core/printable";
import { readWholeText } from "../../core/readWhole";
import { writeFailure, writeFileAtomically } from "../../core/writeAtomically";

/** One line of a log: a step and what was measured there. NaN and infinities are written as null (JSON has neither). */
export interface MetricsRecord {
  step: number;
  [name: string]: number | null;
}

const NEWLINE = 0x0a;

/**
 * Appends one JSON line, making the folder and the file when needed. A torn last line left by a crash is cut first.
 *
 * @throws LuvitError("bad-file") when the disk refuses.
 */
export async function appendMetrics(path: string, record: MetricsRecord): Promise<void> {
  try {
    makeFolder(dirname(path));
    await cutTornLine(path);
    await appendFile(path, `${JSON.stringify(record)}\n`);
  } catch (cause) {
    throw writeFailure(path, cause);
  }
}

/**
 * Puts a record in the place of the last line.
 *
 * @throws LuvitError("bad-file") when the disk refuses.
 */
export async function replaceMetrics(path: string, record: MetricsRecord): Promise<void> {
  try {
    await cutTornLine(path);
    await cutLastLine(path);
  } catch (cause) {
    throw writeFailure(path, cause);
  }
  await appendMetrics(path, record);
}

/** Makes what was appended survive a power cut. */
export async function syncMetrics(path: string): Promise<void> {
  const handle = await open(path, "a");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Reads a log back; no file means no lines. A torn last line is left out.
 *
 * @throws LuvitError("bad-file") naming the line when one before the last is damaged.
 */
export async function readMetrics(path: string): Promise<MetricsRecord[]> {
  const lines = (await readText(path)).split("\n");
  const torn = lines.pop();
  if (torn) lines.push(torn);
  const records: MetricsRecord[] = [];
  for (const [i, line] of lines.entries()) {
    if (line.trim() === "") continue;
    const record = parseRecord(line);
    if (record) records.push(expectNumbers(record, `${path}: line ${i + 1}`));
    else if (i < lines.length - 1 || !torn)
      throw new LuvitError("bad-file", `${path}: line ${i + 1} is damaged`);
  }
  return records;
}

/** What is measured is a number; texts and lists in a log are nothing that a run has written. */
function expectNumbers(record: Readonly<Record<string, unknown>>, line: string): MetricsRecord {
  const wrong = Object.entries(record).filter(([, value]) => typeof value !== "number" && value !== null);
  if (wrong.length === 0) return record as MetricsRecord;
  const offenders = wrong.map(([name, value]) => `${printable(name)}: ${brief(value)}`);
  throw new LuvitError("bad-file", `${line}: expected numbers, got\n${listOffenders(offenders)}`);
}

/** Drops every record after `step`, so that a resumed run does not log steps twice. Returns how many were dropped. */
export async function truncateMetrics(path: string, step: number): Promise<number> {
  const records = await readMetrics(path);
  const kept = records.filter((record) => record.step <= step);
  if (records.length > 0) {
    const text = kept.map((record) => `${JSON.stringify(record)}\n`).join("");
    await writeFileAtomically(path, async (handle) => handle.writeFile(text));
  }
  return records.length - kept.length;
}

function parseRecord(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isRecord = typeof value === "object" && value !== null && "step" in value;
    return isRecord && typeof value.step === "number" ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

async function readText(path: string): Promise<string> {
  return readWholeText(path).catch((error: LuvitError) => {
    if (error.code === "missing-file") return "";
    throw error;
  });
}

/** A log that is a link would be written, and cut, where the link leads. */
const withoutLinks = constants.O_NOFOLLOW ?? 0;

async function cutTornLine(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | withoutLinks);
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new LuvitError("bad-file", `${path}: not a regular file`);
    const { size } = status;
    if (size === 0) return;
    const last = Buffer.alloc(1);
    await handle.read(last, 0, 1, size - 1);
    if (last[0] === NEWLINE) return;
    const bytes = await readFile(path);
    await handle.truncate(bytes.lastIndexOf(NEWLINE) + 1);
  } finally {
    await handle.close();
  }
}

/** How much of a file's end is looked at first for the line before the last; records are far shorter. */
const TAIL = 1 << 14;

async function cutLastLine(path: string): Promise<void> {
  const handle = await open(path, "r+");
  try {
    const { size } = await handle.stat();
    for (let length = Math.min(TAIL, size); ; length = Math.min(4 * length, size)) {
      const tail = Buffer.alloc(length);
      await handle.read(tail, 0, length, size - length);
      const before = length < 2 ? -1 : tail.lastIndexOf(NEWLINE, length - 2);
      if (before < 0 && length < size) continue;
      await handle.truncate(size - length + before + 1);
      return;
    }
  } finally {
    await handle.close();
  }
}
