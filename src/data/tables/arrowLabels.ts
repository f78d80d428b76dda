import { LuvitError } from "../../core/errors";
import { readBuffer, wholeBuffer } from "./arrowBuffers";
import { isNumber, isVariable } from "./arrowFields";
import { type ColumnPlace, valuesOf } from "./arrowLayout";
import type { ArrowMessages, BatchPlace } from "./arrowMessages";
import { bitAt, readNumbers } from "./arrowNumbers";
import { placesOf, type Run, readValidity } from "./arrowRuns";
import { mostLabelBytes, notLabels, type StoredLabel, tooLarge } from "./labelColumn";
import type { TableFile } from "./tableFile";

/** Reads the labels of an Arrow file, batch after batch in their order: as they are, or through a dictionary. */
export class ArrowLabels {
  /** Values of the dictionary up to the one of `read` messages. */
  private values: StoredLabel[] = [];
  private read = 0;

  constructor(
    private readonly file: TableFile,
    private readonly messages: ArrowMessages,
  ) {}

  /**
   * Labels of the next batch.
   *
   * @throws LuvitError("bad-dataset") for columns that hold no labels.
   */
  async next(batch: number, column: ColumnPlace): Promise<StoredLabel[]> {
    const { field } = column;
    const { dictionary } = field;
    const place = this.messages.batches[batch];
    if (!dictionary) return readValues(this.file, place, column);
    const values = await this.valuesFor(batch, column);
    const present = await readValidity(this.file, place, column);
    const bytes = await readBuffer(this.file, place, column.buffer + 1, (place.rows * dictionary.bits) / 8);
    return readNumbers({ type: "int", ...dictionary }, bytes, place.rows).map((index, row) => {
      if (!present(row)) return null;
      if (index >= 0 && index < values.length) return values[index];
      const found = `entry ${index} of a dictionary of ${values.length}`;
      throw new LuvitError("bad-file", `${this.file.path}: column ${field.name} asks for ${found}`);
    });
  }

  /** A dictionary that comes again replaces the first, unless it only adds to it. */
  private async valuesFor(batch: number, { field }: ColumnPlace): Promise<StoredLabel[]> {
    const { dictionaries } = this.messages;
    for (; this.read < dictionaries.length && dictionaries[this.read].before <= batch; this.read++) {
      const { id, isDelta, place } = dictionaries[this.read];
      if (id !== field.dictionary!.id) continue;
      const values = await readValues(this.file, place, valuesOf(field, place));
      if (!isDelta) this.values = values;
      else for (const value of values) this.values.push(value);
    }
    return this.values;
  }
}

async function readValues(file: TableFile, place: BatchPlace, column: ColumnPlace): Promise<StoredLabel[]> {
  const { field, buffer } = column;
  const { rows } = place;
  if (field.type === "null") return new Array<null>(rows).fill(null);
  if (isVariable(field)) return readTexts(file, place, column);
  const what = `${file.path}, column ${field.name}`;
  if (!isNumber(field) && field.type !== "bool") throw notLabels(what, `are of Arrow's type ${field.type}`);
  const present = await readValidity(file, place, column);
  if (field.type === "bool") {
    const bits = await readBuffer(file, place, buffer + 1, Math.ceil(rows / 8));
    return Array.from({ length: rows }, (_, row) => (present(row) ? bitAt(bits, row) : null));
  }
  const bytes = await readBuffer(file, place, buffer + 1, (rows * field.bits) / 8);
  return readNumbers(field, bytes, rows).map((value, row) => (present(row) ? value : null));
}

/** Texts of a batch, from buffers that are read whole; views may mean the same bytes many times. */
async function readTexts(file: TableFile, place: BatchPlace, column: ColumnPlace): Promise<StoredLabel[]> {
  const { rows } = place;
  const what = `${file.path}, column ${column.field.name}`;
  const find = await placesOf(file, place, column);
  const runs = Array.from({ length: rows }, (_, row) => find(row));
  const buffers = new Map<number, Buffer>();
  for (const number of new Set(runs.map((run) => run?.buffer))) {
    if (number !== undefined) buffers.set(number, asBuffer(await wholeBuffer(file, place, number)));
  }
  let sum = 0;
  const textOf = ({ buffer, start, end }: Run) => {
    const bytes = buffers.get(buffer)!;
    sum += end - start;
    if (sum > mostLabelBytes) throw tooLarge(what);
    if (start >= 0 && end >= start && end <= bytes.length) return bytes.toString("utf8", start, end);
    throw new LuvitError("bad-file", `${what}: a label at bytes ${start} … ${end} of ${bytes.length}`);
  };
  return runs.map((run) => (run ? textOf(run) : null));
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
