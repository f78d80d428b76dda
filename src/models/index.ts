export * as baselines from "./namespaces/baselines";
export * as classifier from "./namespaces/classifier";
export * as detector from "./namespaces/detector";
export * as fusion from "./namespaces/fusion";
export * as llama from "./namespaces/llama";
export * as lora from "./namespaces/lora";
export * as mae from "./namespaces/mae";
export * as vit from "./namespaces/vit";
