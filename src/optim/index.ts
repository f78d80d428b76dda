export * from "./adamw";
export * from "./gradients";
export * from "./groups";
export * from "./schedule";
