import { type LiveRecord, metricsOf } from "./liveRun";
import { aside } from "./styles";
import { table } from "./table";

const mostRows = 10;

/**
 * The last epochs of a run as a table, one row each; where it is known how many there will be, those that are still to
 * come have theirs from the beginning. Nothing for a run of one epoch.
 */
export function epochTable(records: readonly LiveRecord[], expected: number | undefined): string {
  const epochs = new Map<number, LiveRecord[]>();
  for (const record of records) {
    const epoch = Math.floor(record.epoch);
    const own = epochs.get(epoch);
    if (own) own.push(record);
    else epochs.set(epoch, [record]);
  }
  const rows = [...epochs].map(([epoch, own]) => epochRow(epoch, own));
  const all = Math.max(expected ?? 0, rows.length);
  if (all < 2) return "";
  const left = Math.max(0, rows.length - mostRows);
  const shown: Record<string, number>[] = rows.slice(left);
  for (let epoch = rows.length; epoch < Math.min(all, mostRows); epoch++) shown.push({ epoch: epoch + 1 });
  const more =
    left > 0
      ? `… ${left} earlier ${left === 1 ? "epoch" : "epochs"}`
      : `the first ${mostRows} of ${all} epochs`;
  const columns = ["epoch", "meanLoss", ...metrics(records), "lr"];
  return (all > mostRows ? aside(more) : "") + table(shown, { columns }).toHtml();
}

/** Mean loss of an epoch and the last value of every other number. */
function epochRow(epoch: number, records: readonly LiveRecord[]): Record<string, number> {
  const row: Record<string, number> = {
    epoch: epoch + 1,
    meanLoss: records.reduce((sum, record) => sum + record.loss, 0) / records.length,
  };
  for (const record of records) for (const name of metricsOf(record)) row[name] = record[name]!;
  return { ...row, lr: records[records.length - 1]!.lr };
}

function metrics(records: readonly LiveRecord[]): string[] {
  return [...new Set(records.flatMap(metricsOf))];
}
