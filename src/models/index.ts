export * as baselines from "./baselines";
export * as fusion from "./fusion";
export * as classifier from "./namespaces/classifier";
export * as llama from "./namespaces/llama";
export * as lora from "./namespaces/lora";
export * as mae from "./namespaces/mae";
export * as vit from "./vit";
