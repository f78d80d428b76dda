import { AdamWPool } from "../../adamw/pool";
import { splitUpdates } from "../../adamw/splitUpdates";
import { changedState, commonState, refuseLossScale } from "../../programs";
import { int8Entries } from "../int8/select";
import { Int8Weights } from "../int8/weights";
import { attachSessions, type Opened, type OpenParts, refuseTwoTrainers } from "../open";
import { OnnxProgram } from "../program";
import { HostMemory } from "./memory";
import { HostState } from "./state";

/** Programs whose state is in host memory: for the CPU, and for providers that take their operands from there. */
export async function openOnHost({ runtime, programs, settings }: OpenParts): Promise<Opened> {
  const { provider, frozen } = settings;
  refuseLossScale(`onnxruntime on ${provider}`, programs);
  const graphs = Object.values(programs).map(({ graph }) => graph);
  const int8 = frozen === "int8" ? int8Entries(graphs) : new Set<string>();
  const opened = Object.entries(programs).map(([name, program]) => {
    const { graph, updates } = splitUpdates(program.graph);
    const gradients = updates.map(({ gradient }) => gradient);
    return new OnnxProgram(name, program, { graph, updates, gradients }, { provider, int8 });
  });
  refuseTwoTrainers(opened);
  const pool = new AdamWPool(opened.flatMap(({ updates }) => updates));
  const written = new Set(graphs.flatMap(changedState));
  const inputs = commonState(programs);
  const needed = new Set(opened.flatMap(({ model }) => model.inputs.map((input) => input.name)));
  const eightBits = inputs.filter(({ name }) => int8.has(name));
  const weights = new Int8Weights(runtime, eightBits, needed);
  const state = new HostState({ runtime, inputs, written, pool, int8: weights });
  await attachSessions(runtime, opened, settings);
  return { opened, memory: new HostMemory(state, pool) };
}
