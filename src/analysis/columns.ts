export { type ResultColumn, tableOf, vectorsOf } from "../io/resultTable";
