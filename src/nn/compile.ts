import { inspect } from "node:util";
import { LuvitError } from "../core/errors";
import type { HostTensor } from "../core/hostTensor";
import { checkOptions, optionsOf, shaped, text } from "../core/options";
import { type Tensor, tf } from "../core/tf";
import {
  describeEngine,
  describeRunning,
  type Engine,
  type EngineOptions,
  openEngine,
  type TypedArray,
} from "../engine";
import { engineOptions } from "../engine/options";
import { type Graph, type GraphSummary, graphText, optimize, summarize, trace } from "../graph";
import { tracedParts } from "../graph/options";
import { type OptimizeOptions, optimizeOptions } from "../graph/passes";
import { summaryText } from "../graph/summary";
import type { InputSpec, StateSpec } from "../graph/trace";
import { fetchState, parameterShapes, sendParameters, withTracedParameters } from "./modelState";
import type { Module } from "./module";

/** A computation written in tfjs. */
export interface CompileSpec {
  /** Fed at every run. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** Its parameters become state of the compiled function, under their paths. */
  readonly model?: Module;
  /** Further variables that the body reads, and perhaps assigns to. */
  readonly state?: Readonly<Record<string, tf.Variable>>;
  /**
   * Runs once, with symbolic tensors. A result under the name of a state entry is its new value. Randomness must come in
   * as an input: what is drawn in here is drawn once and stays.
   */
  body(inputs: Readonly<Record<string, Tensor>>): Record<string, Tensor>;
}

export interface CompileOptions extends EngineOptions, OptimizeOptions {
  /** A result, "loss" say: a run in which it is not finite leaves the state as it was. */
  guard?: string;
}

export const compileOptions = optionsOf<CompileOptions>(
  {},
  { ...engineOptions.optional, ...optimizeOptions.optional, guard: text },
);

/** What a run is fed: flat row-major numbers, or tensors. */
export type CompiledFeeds = Readonly<Record<string, TypedArray | readonly number[] | number | Tensor>>;

const PROGRAM = "function";

/** A computation as one graph on an engine. Prints as one line; `text()` is the whole of it. */
export class Compiled {
  constructor(
    readonly graph: Graph,
    private readonly executor: Engine,
    private readonly spec: CompileSpec,
  ) {}

  /** "onnxruntime cpu (2 threads, float32)". */
  get engine(): string {
    return describeEngine(this.executor.description);
  }

  /** The same with how it runs: "onnxruntime cpu (2 threads, float32), one graph", "tfjs wasm, op by op (asked for)". */
  get runsOn(): string {
    return describeRunning(this.executor.description);
  }

  /** Whether it runs as one graph, not op by op. */
  get isGraph(): boolean {
    return this.executor.description.engine !== "eager";
  }

  /**
   * One run; gives back every result that is not state, on the host.
   *
   * @throws LuvitError("bad-argument")
   */
  async run(feeds: CompiledFeeds = {}): Promise<Record<string, HostTensor>> {
    const { graph } = this;
    const arrays: Record<string, TypedArray> = {};
    for (const { name, value } of graph.inputs) {
      if (name in feeds) arrays[name] = await hostArray(feeds[name], value.dtype);
    }
    const unknown = Object.keys(feeds).filter((name) => !graph.inputs.some((input) => input.name === name));
    if (unknown.length > 0) {
      const known = graph.inputs.map(({ name }) => name).join(", ");
      throw new LuvitError("bad-argument", `${graph.name}: no input ${unknown.join(", ")}; it has ${known}`);
    }
    const results = await this.executor.run(PROGRAM, arrays);
    const shapes = shapesOf(graph);
    return Object.fromEntries(
      Object.entries(results).map(([name, data]) => [name, { shape: shapes.get(name)!, data }]),
    );
  }

  /** Hands the model's parameters, and the variables, to the engine again after they were changed outside it. */
  async refresh(): Promise<void> {
    const { model, state = {} } = this.spec;
    const used = new Set(this.graph.state.map(({ name }) => name));
    const parameters = [...(model?.namedParameters() ?? [])].filter(([path]) => used.has(path));
    await sendParameters(this.executor, parameters);
    for (const [name, variable] of Object.entries(state)) {
      if (!used.has(name)) continue;
      await this.executor.writeState({ [name]: (await variable.data()) as TypedArray });
    }
  }

  /** Brings the model and the variables up to date with what the runs changed. */
  async sync(): Promise<void> {
    const { model, state = {} } = this.spec;
    const outputs = new Set(this.graph.outputs.map(({ name }) => name));
    const changed = [...(model?.namedParameters() ?? [])].filter(([path]) => outputs.has(path));
    await fetchState(this.executor, changed);
    for (const [name, variable] of Object.entries(state)) {
      if (!outputs.has(name)) continue;
      const { [name]: data } = await this.executor.readState([name]);
      tf.tidy(() => variable.assign(tf.tensor(data, variable.shape)));
    }
  }

  /** The graph as text, a line per node: what two versions of a step are compared by. */
  text(): string {
    return graphText(this.graph);
  }

  summary(): GraphSummary {
    return summarize(this.graph);
  }

  /** Gives the engine's memory back. */
  dispose(): Promise<void> {
    return this.executor.dispose();
  }

  toString(): string {
    return `${this.graph.name}: ${this.runsOn}\n${summaryText(this.graph)}`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Traces a computation once, without computing anything, and gives it to an engine that runs it as one graph.
 *
 * @throws LuvitError for ops without a rule, tensors from outside, reads of values and shapes that do not fit, each with
 * the place it happened at; LuvitError("engine") when the engine asked for cannot be had or cannot run the graph.
 * @example
 * const double = await luvit.compile("double", { inputs: { x: { shape: [3] } }, body: ({ x }) => ({ y: x.mul(2) }) });
 * const { y } = await double.run({ x: [1, 2, 3] });
 */
export async function compile(
  name: string,
  spec: CompileSpec,
  options: CompileOptions = {},
): Promise<Compiled> {
  checkOptions("compile", text, name);
  checkOptions("compile", shaped("what to compile: { inputs, body }", "inputs", "body"), spec);
  checkOptions("compile", tracedParts, { inputs: spec.inputs, body: spec.body });
  checkOptions("compile", compileOptions, options);
  const { guard, memory, ...engine } = options;
  const graph = withoutUnusedState(optimize(traceSpec(name, spec), { memory }));
  const executor = await openEngine({ [PROGRAM]: { graph, guard } }, engine);
  const compiled = new Compiled(graph, executor, spec);
  try {
    await compiled.refresh();
  } catch (error) {
    await executor.dispose();
    throw error;
  }
  return compiled;
}

function traceSpec(name: string, { inputs, model, state = {}, body }: CompileSpec): Graph {
  const parameters: Record<string, StateSpec> = model ? parameterShapes(model) : {};
  const twice = Object.keys(state).filter((key) => key in parameters);
  if (twice.length > 0) {
    throw new LuvitError(
      "bad-argument",
      `${name}: both state and parameter of the model: ${twice.join(", ")}`,
    );
  }
  return trace(name, {
    inputs,
    state: { ...parameters, ...state },
    body: (fed, entries) => (model ? withTracedParameters(model, entries, () => body(fed)) : body(fed)),
  });
}

/** Weights that a part of a model does not need are not handed to the engine. */
function withoutUnusedState(graph: Graph): Graph {
  const used = new Set([
    ...graph.nodes.flatMap(({ inputs }) => inputs),
    ...graph.outputs.map(({ id }) => id),
  ]);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return {
    ...graph,
    state: graph.state.filter(({ name, value }) => used.has(value.id) || outputs.has(name)),
  };
}

function shapesOf({ nodes, inputs, state, constants, outputs }: Graph): Map<string, readonly number[]> {
  const values = [
    ...[...inputs, ...state, ...constants].map(({ value }) => value),
    ...nodes.flatMap((node) => node.outputs),
  ];
  const shapes = new Map(values.map(({ id, shape }) => [id, shape]));
  return new Map(outputs.map(({ name, id }) => [name, shapes.get(id)!]));
}

async function hostArray(feed: CompiledFeeds[string], dtype: string): Promise<TypedArray> {
  if (feed instanceof tf.Tensor) return (await feed.data()) as TypedArray;
  if (ArrayBuffer.isView(feed)) return feed as TypedArray;
  const numbers = typeof feed === "number" ? [feed] : (feed as readonly number[]);
  return dtype === "float32" ? Float32Array.from(numbers) : Int32Array.from(numbers);
}
