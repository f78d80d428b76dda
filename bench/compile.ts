import { describeEngine, stopEngineProcesses } from "../src/engine";
import { splitUpdates } from "../src/engine/adamw/splitUpdates";
import { withoutCopies } from "../src/engine/lower";
import { lowerGraph } from "../src/engine/onnx/lower";
import { encodeModel } from "../src/engine/onnx/proto";
import { type Graph, optimize, summarize } from "../src/graph";
import { openPrograms } from "./core/engines";
import { type Heading, headingOf, headingText, noFigures } from "./core/heading";
import { memoryOfTree } from "./core/memory";
import type { BenchOptions } from "./core/options";
import type { Report } from "./core/report";
import { type Spread, spreadOf } from "./core/statistics";
import { traceTraining } from "./core/work";
import { pretraining } from "./pretrainStep";

/** Milliseconds. `lower` (graph to ONNX bytes, 0 on other engines) is a part of `open`, measured once more alone. */
interface Phases {
  trace: number;
  optimize: number;
  open: number;
  /** trace + optimize + open. */
  total: number;
  lower: number;
}
const phases = ["trace", "optimize", "open", "total", "lower"] as const;

/** What it takes from a step written in tfjs to a session that can run it. */
export interface CompileResult extends Heading {
  /** The first time in this process, starting the engine's process included: what a user waits for. */
  first_ms: Phases;
  /** Of the times after the first. */
  ms: Record<keyof Phases, Spread>;
  nodes_traced: number;
  nodes: number;
  constants: number;
  /** Bytes of the ONNX model, 1e6; 0 on other engines. */
  lowered_mb: number;
  trained_mb: number;
  frozen_mb: number;
  peak_rss_mb: number;
  /** Resident memory of all processes with the program first opened, less that before the first trace. */
  rss_growth_mb: number;
}

/** Traces, optimizes and opens the pretraining step again and again; no weight is made. */
export async function compile(options: BenchOptions): Promise<Report> {
  const batch = options.batch ?? 8;
  const training = pretraining(options.preset, batch);
  const before = memoryOfTree(process.pid).now;
  const once = async () => {
    const laps = [performance.now()];
    const lap = () => laps.push(performance.now());
    const traced = traceTraining(training);
    lap();
    const graph = optimize(traced, { memory: options.memory });
    lap();
    const programs = { train: { graph, guard: "loss" } };
    const executor = await openPrograms(programs, options);
    lap();
    const resident = memoryOfTree(process.pid).now;
    await executor.dispose();
    const [trace, optimized, open] = laps.slice(1).map((time, i) => time - laps[i]);
    const { lower, bytes } = options.engine === "onnxruntime" ? lowerAlone(graph) : { lower: 0, bytes: 0 };
    const times: Phases = { trace, optimize: optimized, open, total: laps[3] - laps[0], lower };
    return { traced, graph, times, bytes, resident, description: describeEngine(executor.description) };
  };
  const first = await once();
  const later: Phases[] = [];
  for (let round = 0; round < options.steps; round++) later.push((await once()).times);
  const peak = memoryOfTree(process.pid).peak;
  await stopEngineProcesses();
  const { trainedBytes, frozenBytes } = summarize(first.graph);
  const result: CompileResult = {
    ...headingOf(options, batch, first.description),
    first_ms: first.times,
    ms: Object.fromEntries(
      phases.map((phase) => [phase, spreadOf(later.map((times) => times[phase]))]),
    ) as CompileResult["ms"],
    nodes_traced: first.traced.nodes.length,
    nodes: first.graph.nodes.length,
    constants: first.graph.constants.length,
    lowered_mb: first.bytes / 1e6,
    trained_mb: trainedBytes / 1e6,
    frozen_mb: frozenBytes / 1e6,
    peak_rss_mb: peak,
    rss_growth_mb: first.resident - before,
  };
  return { json: { ...result, ...noFigures }, text: compileText(result) };
}

function lowerAlone(graph: Graph): { lower: number; bytes: number } {
  const started = performance.now();
  const { model } = lowerGraph(splitUpdates(withoutCopies(graph)).graph);
  const bytes = encodeModel(model).length;
  return { lower: performance.now() - started, bytes };
}

function compileText(result: CompileResult): string {
  const { first_ms, ms } = result;
  const line = (phase: keyof Phases) =>
    `  ${phase.padEnd(9)} ${first_ms[phase].toFixed(0).padStart(6)} ms first, ${ms[phase].median.toFixed(0)} ms later ` +
    `(${ms[phase].min.toFixed(0)} to ${ms[phase].max.toFixed(0)})`;
  return [
    ...headingText(result),
    result.engine_description,
    ...phases.map(line),
    `  ${result.nodes_traced} nodes traced, ${result.nodes} left, ${result.constants} constants, ` +
      `lowered ${result.lowered_mb.toFixed(2)} MB`,
    `  state ${result.trained_mb.toFixed(0)} MB trained, ${result.frozen_mb.toFixed(0)} MB frozen`,
    `  memory grew by ${result.rss_growth_mb.toFixed(0)} MB to open it, peak ${result.peak_rss_mb.toFixed(0)} MB`,
  ].join("\n");
}
