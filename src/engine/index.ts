export type { ArraysByName, Executor, RunOptions, TypedArray } from "./executor";
export { createOnnxExecutor, type OnnxExecutorOptions } from "./onnx/executor";
export { onnxRuntimeProblem } from "./onnx/runtime";
