import type { Table } from "apache-arrow";
import { columnsOf, tableOf } from "../../io/tables";
import type { PixelCounts } from "../../models/pixelCounts";
import { rowsOf } from "../provenance";
import { emptyCounts, type SegmentationCounts } from "./meter";

/** The counts of pixels by a name each. */
function partsOf({
  whole,
  bands,
  sizes,
  sizeBands,
}: SegmentationCounts): [name: string, counts: PixelCounts][] {
  const bySize = (prefix: string, counts: SegmentationCounts["sizes"]) =>
    Object.entries(counts).map(([size, one]): [string, PixelCounts] => [`${prefix}${size}`, one]);
  return [
    ["whole", whole],
    ["bands", bands],
    ...bySize("size ", sizes),
    ...bySize("bands of size ", sizeBands),
  ];
}

/** Sums over images stand in a row of their own. */
const IMAGES = "images: F, right, all";

/** Counts as a table to be kept: a row for each class of each part in which pixels were counted. */
export function countsTable(counts: SegmentationCounts): Table {
  const { f, right, count } = counts.images;
  const rows = [{ part: IMAGES, id: 0, both: f, target: right, prediction: count }];
  for (const [part, { both, target, prediction }] of partsOf(counts)) {
    for (const id of both.keys()) {
      if (target[id] === 0 && prediction[id] === 0) continue;
      rows.push({ part, id, both: both[id], target: target[id], prediction: prediction[id] });
    }
  }
  return tableOf(columnsOf(rows, ["part", "id", "both", "target", "prediction"]));
}

/** What `countsTable` wrote. */
export function countsFrom(table: Table, classes: number): SegmentationCounts {
  const counts = emptyCounts(classes);
  const parts = new Map(partsOf(counts));
  for (const { part, id, both, target, prediction } of rowsOf(table) as unknown as CountRow[]) {
    if (part === IMAGES) Object.assign(counts.images, { f: both, right: target, count: prediction });
    const of = parts.get(part);
    if (!of) continue;
    of.both[id] = both;
    of.target[id] = target;
    of.prediction[id] = prediction;
  }
  return counts;
}

interface CountRow {
  part: string;
  id: number;
  both: number;
  target: number;
  prediction: number;
}
