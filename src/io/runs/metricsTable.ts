import { type Provenance, resultTable, writeTable } from "../tables";
import type { MetricsRecord } from "./metricsLog";

/** A log as an Arrow table: a row per step, every metric a column (null where a step has none), and the provenance. */
export async function writeMetricsTable(
  path: string,
  records: readonly MetricsRecord[],
  provenance: Provenance,
): Promise<void> {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const columns = names.map((name) => [
    name,
    records.map((record) => (record[name] ?? null) as number | null),
  ]);
  await writeTable(path, resultTable(Object.fromEntries(columns), provenance));
}
