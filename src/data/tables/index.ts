/** Data sets in tables: Parquet and Arrow, by row group. */
export { notLabels, type StoredLabel } from "./labelColumn";
export { openShard } from "./openShard";
export type { ColumnChoice, Features, PictureShard } from "./pictureTable";
export { RecentGroups } from "./recentGroups";
export { TableDataset, type TableRows } from "./tableDataset";
