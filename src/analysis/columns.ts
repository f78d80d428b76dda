export { columnsOf, type ResultColumn, tableOf, vectorsOf } from "../io/tables";
