export { chooseEngine, type EngineChoice, setEngineDefaults } from "./choose";
export { openEagerEngine } from "./eager";
export {
  type ArraysByName,
  describeEngine,
  describeRunning,
  type Engine,
  type EngineDescription,
  type EngineName,
  GRADIENT_NORM,
  type OpenEngine,
  type OpenOptions,
  type Precision,
  type Program,
  type Programs,
  type RunOptions,
  type Traffic,
  type TypedArray,
} from "./executor";
export { openOnnxEngine } from "./onnx/executor";
export { onnxRuntimeProblem } from "./onnx/runtime";
export { openEngine, startEngine } from "./open";
export { type EngineOptions, engineChoices, engineOf } from "./options";
export { engineMemory, engineProcesses, openInEngineProcess, stopEngineProcesses } from "./process";
export { blamesMemory } from "./process/death";
export { EngineStatus, type ReadyOptions, ready } from "./ready";
export { saveState } from "./saveState";
export { tensorflowProblem } from "./tensorflow/binding";
export { joinWorkers, leaveWorkers, type Workers } from "./workers";
