import {
  type DataType,
  Dictionary,
  Int32,
  type Table,
  tableFromIPC,
  tableToIPC,
  Utf8,
  type Vector,
  vectorFromArray,
} from "apache-arrow";
import { LuvitError } from "../../core/errors";
import { checkOptions } from "../../core/options";
import { writeFileAtomically } from "../../core/writeAtomically";
import { fileSource } from "../bytes";
import { arrowTable, source } from "../options";

/** Text column that stores each different text once (Arrow dictionary<utf8, int32>). */
export type TextColumn = Vector<Dictionary<Utf8, Int32>>;

/** A dictionary-encoded text column, for columns that repeat a few values (class names, split names). */
export function textColumn(values: readonly (string | null)[]): TextColumn {
  return vectorFromArray(values.slice(), new Dictionary(new Utf8(), new Int32()));
}

/** Columns of a table by name. */
export type TableColumns = Record<string, DataType>;

/** Writes an Arrow IPC file (.arrow, uncompressed), readable by pyarrow, polars, pandas and duckdb. */
export async function writeTable<Columns extends TableColumns>(
  path: string,
  table: Table<Columns>,
): Promise<void> {
  checkOptions("writeTable", source, { path });
  checkOptions("writeTable", arrowTable, table);
  const bytes = tableToIPC(table, "file");
  await writeFileAtomically(path, async (handle) => handle.writeFile(bytes));
}

/**
 * Reads an Arrow IPC file or stream without compression.
 *
 * @throws LuvitError("missing-file" | "bad-file")
 */
export async function readTable<Columns extends TableColumns = TableColumns>(
  path: string,
): Promise<Table<Columns>> {
  const source = await fileSource(path);
  try {
    const bytes = await source.read(0, source.size);
    return parseTable<Columns>(path, bytes);
  } finally {
    await source.close();
  }
}

function parseTable<Columns extends TableColumns>(path: string, bytes: Uint8Array): Table<Columns> {
  let table: Table<Columns>;
  try {
    table = tableFromIPC<Columns>(bytes);
  } catch (cause) {
    throw new LuvitError("bad-file", `${path}: not an Arrow file (${(cause as Error).message})`, { cause });
  }
  if (table.schema.fields.length === 0 && bytes.length < 8) {
    throw new LuvitError("bad-file", `${path}: not an Arrow file (${bytes.length} bytes)`);
  }
  return table;
}
