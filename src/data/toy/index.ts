/** The drawn toy set. */
export { toyClasses, writeToySet } from "./toySet";
