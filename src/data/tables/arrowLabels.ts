import { LuvitError } from "../../core/errors";
import { readBuffer } from "./arrowBuffers";
import { type ColumnPlace, isInteger, isText, readIntegers, valuesOf } from "./arrowLayout";
import type { ArrowMessages, BatchPlace } from "./arrowMessages";
import { openRuns, readValidity } from "./arrowRuns";

/** A label as it is stored: a number, a name, or none. */
export type StoredLabel = number | string | null;

/** Labels of a batch, of whole numbers or text, as they are or through a dictionary. Throws "bad-dataset" for others. */
export async function readLabels(
  path: string,
  { batches, dictionaries }: ArrowMessages,
  batch: number,
  column: ColumnPlace,
): Promise<StoredLabel[]> {
  const { dictionary } = column.field;
  if (!dictionary) return readValues(path, batches[batch], column);
  const values: StoredLabel[] = [];
  // A dictionary that comes again replaces the first, unless it only adds to it.
  for (const { id, isDelta, before, place } of dictionaries) {
    if (id !== dictionary.id || before > batch) continue;
    if (!isDelta) values.length = 0;
    for (const value of await readValues(path, place, valuesOf(column.field))) values.push(value);
  }
  const place = batches[batch];
  const present = await readValidity(path, place, column);
  const bytes = await readBuffer(path, place, column.buffer + 1, (place.rows * dictionary.bits) / 8);
  return readIntegers(dictionary, bytes, place.rows).map((index, row) => {
    if (!present(row)) return null;
    if (index >= 0 && index < values.length) return values[index];
    const found = `entry ${index} of a dictionary of ${values.length}`;
    throw new LuvitError("bad-file", `${path}: column ${column.field.name} asks for ${found}`);
  });
}

async function readValues(path: string, place: BatchPlace, column: ColumnPlace): Promise<StoredLabel[]> {
  const { field } = column;
  const { rows } = place;
  if (isText(field)) {
    const runs = await openRuns(path, place, column);
    const texts: (string | null)[] = [];
    for (let row = 0; row < rows; row++) {
      const run = await runs.read(row);
      texts.push(run ? Buffer.from(run).toString("utf8") : null);
    }
    return texts;
  }
  if (!isInteger(field)) {
    const found = `of Arrow's type ${field.type}`;
    throw new LuvitError(
      "bad-dataset",
      `${path}: labels in column ${field.name} are ${found}, expected whole numbers or text`,
    );
  }
  const present = await readValidity(path, place, column);
  const bytes = await readBuffer(path, place, column.buffer + 1, (rows * field.bits) / 8);
  return readIntegers(field, bytes, rows).map((value, row) => (present(row) ? value : null));
}
