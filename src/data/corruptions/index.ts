export * from "./apply";
export type { Draws } from "./draws";
export { drawsFrom } from "./draws";
