export { loadAdapter, saveAdapter } from "../adapter";
export * from "../lora";
