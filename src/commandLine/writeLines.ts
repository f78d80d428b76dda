import type { Table } from "apache-arrow";
import { rowsOf } from "../analysis/provenance";
import { writeFileAtomically } from "../core/writeAtomically";

/** A table as JSON lines. */
export function writeLines(path: string, table: Table): Promise<void> {
  const lines = rowsOf(table).map((row) => `${JSON.stringify(row)}\n`);
  return writeFileAtomically(path, async (handle) => {
    await handle.writeFile(lines.join(""));
  });
}
