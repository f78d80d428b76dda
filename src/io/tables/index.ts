/** Arrow tables, and tables of results with where they come from. */
export {
  columnsOf,
  type Provenance,
  type ResultColumn,
  type ResultTable,
  resultTable,
  tableOf,
  vectorsOf,
} from "./resultTable";
export { readTable, textColumn, writeTable } from "./table";
