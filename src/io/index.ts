export * from "./huggingFaceCheckpoint";
export * from "./keymap";
export * from "./llamaWeights";
export * from "./maeCheckpoint";
export * from "./peft";
export * from "./safetensors";
export * from "./table";
export * from "./trainingCheckpoint";
