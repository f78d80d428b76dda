import { Float64, Int32, Table, Utf8, vectorFromArray } from "apache-arrow";
import { rleFromText, rleText } from "../../core/masks";
import type { CocoResult } from "../../data/coco";
import { readTable } from "../../io/tables";

/** A row per object that was found: image and class by their ids, score, box, and its mask where there is one. */
export function resultsTable(results: readonly CocoResult[]): Table {
  const number = (value: (result: CocoResult) => number) =>
    vectorFromArray(results.map(value), new Float64());
  const corner = (i: number) => number(({ box }) => box![i]);
  return new Table({
    imageId: number(({ imageId }) => imageId),
    categoryId: number(({ categoryId }) => categoryId),
    score: number(({ score }) => score),
    x: corner(0),
    y: corner(1),
    width: corner(2),
    height: corner(3),
    maskHeight: vectorFromArray(
      results.map(({ mask }) => mask?.height ?? null),
      new Int32(),
    ),
    maskWidth: vectorFromArray(
      results.map(({ mask }) => mask?.width ?? null),
      new Int32(),
    ),
    mask: vectorFromArray(
      results.map(({ mask }) => (mask ? rleText(mask) : null)),
      new Utf8(),
    ),
  });
}

interface Row {
  imageId: number;
  categoryId: number;
  score: number;
  x: number;
  y: number;
  width: number;
  height: number;
  maskHeight: number | null;
  maskWidth: number | null;
  mask: string | null;
}

/** What such a table holds. */
export async function readResultsTable(file: string): Promise<CocoResult[]> {
  const table = await readTable(file);
  return table.toArray().map((row) => {
    const { imageId, categoryId, score, mask, ...rest } = row.toJSON() as Row;
    const box = [rest.x, rest.y, rest.width, rest.height] as const;
    const result = { imageId, categoryId, score, box };
    return mask === null ? result : { ...result, mask: rleFromText(mask, rest.maskHeight!, rest.maskWidth!) };
  });
}
