import { join } from "node:path";
import { Table as ArrowTable, type Table } from "apache-arrow";
import { differences } from "../core/differences";
import { LuvitError, listOffenders } from "../core/errors";
import { optionsOf, signal, text } from "../core/options";
import { beginWork, type WorkView } from "../core/progress";
import { type StopRequest, withStopRequest } from "../core/stopRequest";
import { writeJsonAtomically } from "../core/writeAtomically";
import { type ImageDataset, shardRange } from "../data/dataset";
import { type Shard, shardOptions } from "../data/options";
import { readJsonObject } from "../io/bytes";
import { readTable } from "../io/tables";
import { modelDigest } from "../nn/digest";
import { tableOf } from "./columns";
import {
  type Body,
  batchLength,
  type ForwardBatch,
  type ForwardBatchOptions,
  forwardBatches,
  type LookedAt,
} from "./forwardBatches";
import { gapsIn, type ImageRange, joined, keepRange, keptRanges, piecesOf } from "./keptRanges";
import { count } from "./options";
import { rowsOf } from "./provenance";
import { windowLength } from "./wholeBatches";

/** How results about every image of a set are computed, kept and given up. */
export interface KeepingOptions {
  /**
   * Folder that keeps the results while they are computed; with it an analysis that was stopped or killed goes on where
   * it was, to the same numbers. Default none.
   */
  out?: string;
  /** Images per file of results, which is what a killed analysis has to do again; default 2048. */
  keepEvery?: number;
  /** Ends it after the current batch; what was computed is kept and given back. SIGINT does the same. */
  signal?: AbortSignal;
}

export const keeping = optionsOf<KeepingOptions>({}, { out: text, keepEvery: count, signal });

/** A share of the images; those who share the work keep their results in one folder, or in folders that are copied together. */
export interface SharedOptions {
  /** Only this share of the images, so that several machines can work at once; default all. */
  shard?: Shard;
}

export const shared = optionsOf<SharedOptions>({}, { shard: shardOptions });

/** A value of a row. */
type Cell = string | number | null;

/** A row about the image at `index`. */
type ImageRow<Row> = { readonly index: number } & Readonly<Record<keyof Row, Cell>>;

/** What is computed for every image of a set. */
export interface RowWork<Row> extends KeepingOptions, SharedOptions {
  readonly model: LookedAt;
  readonly dataset: ImageDataset;
  /** What people see, and the name of the folder with the kept rows: "entropy", "pseudo-masks". */
  readonly label: string;
  /** The name of the set. */
  readonly data?: string;
  readonly body: Body;
  /** The rows that a batch gives. */
  rows(batch: ForwardBatch): Row[];
  /** What else decides the rows, by name; kept ones must have been made with the same. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly forward: ForwardBatchOptions;
}

/** Rows in the order of the images, and ranges of images that were not got to. */
export interface GatheredRows<Row> {
  readonly rows: Row[];
  readonly missing: readonly ImageRange[];
  /** Images that were got to and cannot be read. */
  readonly unreadable: number;
}

/**
 * Computes rows for every image, those that were kept before excepted. Images that could not be read are tried again.
 * @throws LuvitError("bad-argument") where the kept ones are about another model or other settings, or the set is empty;
 * ("bad-dataset") where none of its images can be read.
 */
export async function gatherRows<Row extends ImageRow<Row>>(work: RowWork<Row>): Promise<GatheredRows<Row>> {
  const { dataset, label, data } = work;
  const { folder, rows, share, pieces } = await openWork(work);
  const total = share.end - share.start;
  const activity = beginWork({
    label: data === undefined ? label : `${label}, ${data}`,
    total,
    kept: total - lengthOf(pieces),
  });
  try {
    const missing = await withStopRequest(work.signal, (request) =>
      computePieces(work, pieces, request, activity, async (range, fresh) => {
        if (folder !== undefined) await keepRange(folder, range, rowTable(fresh));
        for (const row of fresh) rows.push(row);
      }),
    );
    const unreadable = total - lengthOf(missing) - new Set(rows.map(({ index }) => index)).size;
    if (rows.length === 0 && missing.length === 0 && (total > 0 || dataset.length === 0))
      throw nothingRead(work);
    activity.end(missing.length > 0 ? "stopped" : "done");
    return { rows: rows.sort((a, b) => a.index - b.index), missing: joined(missing), unreadable };
  } catch (error) {
    activity.end("failed");
    throw error;
  }
}

/** Rows that were kept, and what is left to do in pieces that are kept one by one. */
async function openWork<Row extends ImageRow<Row>>(work: RowWork<Row>) {
  const { dataset, out, label, keepEvery = 2048, forward } = work;
  expectKeepEvery(label, keepEvery);
  const folder = out === undefined ? undefined : join(out, label, "kept");
  const facts = {
    ...work.facts,
    ...(dataset.ownShapes && { whole: dataset.size, positions: forward.positions }),
  };
  if (folder !== undefined) await expectSameWork(join(out!, label, "facts.json"), { ...work, facts });
  // Whole batches, so that what goes on computes the very batches that a run without a stop computes.
  const { batchSize } = forward;
  const size = dataset.ownShapes ? windowLength(batchSize) : Math.max(1, batchLength(batchSize, dataset));
  const share = shareOf(dataset.length, size, work.shard);
  const isWithin = ({ start, end }: ImageRange) => start >= share.start && end <= share.end;
  const kept = folder === undefined ? [] : keptRanges(folder).filter(isWithin);
  const rows: Row[] = [];
  const had = new Set<number>();
  for (const { file } of kept) {
    const found = rowsOf(await readTable(file)) as unknown as Row[];
    const fresh = found.filter(({ index }) => !had.has(index)); // two processes may have kept the same
    for (const row of fresh) rows.push(row);
    for (const { index } of fresh) had.add(index);
  }
  const length = Math.ceil(keepEvery / size) * size;
  const todo = [...withoutRows(kept, had), ...gapsIn(share, kept)];
  return { folder, rows, share, pieces: todo.flatMap((range) => [...piecesOf(range, length)]) };
}

/** A shard's images: as many batches as the others have, or one more or less. */
function shareOf(images: number, size: number, shard: Shard = { index: 1, count: 1 }): ImageRange {
  const { start, end } = shardRange(Math.ceil(images / size), shard);
  return { start: Math.min(images, start * size), end: Math.min(images, end * size) };
}

/** Images of kept ranges that could not be read. */
function withoutRows(kept: readonly ImageRange[], had: ReadonlySet<number>): ImageRange[] {
  const places = new Set(kept.flatMap((range) => [...piecesOf(range, 1)].map(({ start }) => start)));
  const left = [...places].filter((index) => !had.has(index)).sort((a, b) => a - b);
  return joined(left.map((start) => ({ start, end: start + 1 })));
}

const lengthOf = (ranges: readonly ImageRange[]) =>
  ranges.reduce((sum, { start, end }) => sum + end - start, 0);

function nothingRead<Row>({ dataset, label, data }: RowWork<Row>): LuvitError {
  const what = data === undefined ? label : `${label}, ${data}`;
  if (dataset.length === 0) return new LuvitError("bad-argument", `${what}: the set is empty`);
  const none = `none of the ${dataset.length} images can be read`;
  return new LuvitError("bad-dataset", `${what}: ${none}; ${dataset.report}`);
}

/** "4 images": what could not be read, for people; nothing where all could. */
export function describeUnreadable(count: number): string[] {
  return count === 0 ? [] : [`could not be read, and left out: ${count} image${count === 1 ? "" : "s"}`];
}

/** Computes pieces until all are done or it is to stop; gives back what is left. */
async function computePieces<Row extends ImageRow<Row>>(
  { model, dataset, body, rows, forward }: RowWork<Row>,
  pieces: readonly ImageRange[],
  request: StopRequest,
  activity: WorkView,
  keep: (range: ImageRange, fresh: readonly Row[]) => Promise<void>,
): Promise<ImageRange[]> {
  const left = pieces.slice();
  if (request.stopped) return left;
  let fresh: Row[] = [];
  let done = 0;
  for await (const batch of forwardBatches(model, dataset, body, { ...forward, ranges: pieces })) {
    const { start, end } = left[0];
    for (const row of rows(batch)) fresh.push(row);
    done += batch.end - batch.start;
    activity.advance(done);
    if (!batch.canStop || (batch.end < end && !request.stopped)) continue;
    await keep({ start, end: batch.end }, fresh);
    fresh = [];
    left.shift();
    if (batch.end < end) left.unshift({ start: batch.end, end });
    if (request.stopped) break;
  }
  return left;
}

/** "images 512 to 1023". */
export function describeMissing({ start, end }: ImageRange): string {
  return `images ${start} to ${end - 1}`;
}

function rowTable(rows: readonly Readonly<Record<string, Cell>>[]): Table {
  if (rows.length === 0) return new ArrowTable();
  const names = Object.keys(rows[0]);
  return tableOf(Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name]) as string[]])));
}

function expectKeepEvery(label: string, keepEvery: number): void {
  if (Number.isInteger(keepEvery) && keepEvery > 0) return;
  throw new LuvitError("bad-argument", `${label}: keepEvery is ${keepEvery}, expected a whole number from 1`);
}

/** Notes what the kept rows are about, or compares it. */
export async function expectSameWork<Row>(
  path: string,
  { model, dataset, data, facts }: Pick<RowWork<Row>, "model" | "dataset" | "data" | "facts">,
): Promise<void> {
  const now: Record<string, unknown> = {
    "the model's weights (sha256)": await modelDigest(model),
    data,
    images: dataset.length,
    ...facts,
  };
  const known = await readJsonObject(path).catch((error) => {
    if (error instanceof LuvitError && error.code === "missing-file") return undefined;
    throw error;
  });
  if (!known) return writeJsonAtomically(path, JSON.parse(JSON.stringify(now)));
  const changed = differences(known.value, now);
  if (changed.length === 0) return;
  throw new LuvitError(
    "bad-argument",
    `${path}: the results there are about something else\n${listOffenders(changed)}\nGive another \`out\`.`,
  );
}
