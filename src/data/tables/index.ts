/** Data sets in tables: Parquet and Arrow, by row group. */

export type { ColumnChoice, Features, ImageShard } from "./imageTable";
export { notLabels, type StoredLabel } from "./labelColumn";
export { openShard } from "./openShard";
export { RecentGroups } from "./recentGroups";
export { TableDataset, type TableRows } from "./tableDataset";
