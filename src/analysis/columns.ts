export { type ResultColumn, tableOf, vectorsOf } from "../io/tables";
