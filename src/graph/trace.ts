import { LuvitError } from "../core/errors";
import { checkOptions, named, shaped } from "../core/options";
import { onHost, type Tensor, tensorField, tf } from "../core/tf";
import { atCallSite, TRACE_STACK_DEPTH } from "./callSite";
import type { Graph, GraphDtype, GraphInput, GraphOutput, GraphValue } from "./ir";
import { withLeanGradients } from "./leanGradients";
import { tracedParts } from "./options";
import { Recorder } from "./recorder";
import { withBlockMarks } from "./scopes";
import { missingKernel, recordWith, symbolicTensor } from "./traceBackend";
import { formatValue, sameShape } from "./values";
import { recordAssignments } from "./variables";

/** Shape and element type of an input; float32 unless it says otherwise. */
export interface InputSpec {
  readonly shape: readonly number[];
  readonly dtype?: GraphDtype;
  /** Whether its float32 numbers are bytes, 0 to 255: a run is fed a Uint8Array, a quarter of what crosses otherwise. */
  readonly isBytes?: boolean;
}

/** A state entry: the shape alone (its numbers need not exist), or a live variable that the body uses directly. */
export type StateSpec = { readonly shape: readonly number[] } | tf.Variable;

/** What is traced: a body over named inputs and state. */
export interface TraceSpec {
  /** Fed at every run: batches, masks, drop-path factors, the optimizer's schedule. */
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** Kept between runs, float32: parameters by path, moments. */
  readonly state: Readonly<Record<string, StateSpec>>;
  /**
   * The step, in tfjs. Results named after a state entry are its new value, and so is what the body assigns to the
   * entry's variable; all other results are outputs. Randomness must come in as inputs: what is drawn in here is drawn
   * once and stays.
   */
  body(
    inputs: Readonly<Record<string, Tensor>>,
    state: Readonly<Record<string, tf.Variable>>,
  ): Record<string, Tensor>;
}

/**
 * Runs a step once without computing anything and gives back what it would do. The memory of parameters is not
 * touched, tfjs's backend and gradients are as before afterwards, and nothing of the trace is left in its memory.
 *
 * @throws LuvitError for kernels without a shape rule, tensors from outside, reads of values, and shapes that do not
 * fit, each with the place it happened at.
 */
export function trace(name: string, spec: TraceSpec): Graph {
  checkOptions(
    "graph.trace",
    shaped("what to trace: { inputs, state, body }", "inputs", "state", "body"),
    spec,
  );
  checkOptions("graph.trace", tracedParts, { inputs: spec.inputs, body: spec.body });
  const recorder = new Recorder(name);
  const depth = Error.stackTraceLimit;
  Error.stackTraceLimit = TRACE_STACK_DEPTH;
  try {
    return recordWith(recorder, () => withBlockMarks(() => withLeanGradients(() => record(recorder, spec))));
  } catch (error) {
    discardTape();
    throw withPlace(name, error);
  } finally {
    Error.stackTraceLimit = depth;
  }
}

/** A declared value with the tensor that stands for it in the body. */
interface Declared<T extends Tensor> {
  entry: GraphInput;
  tensor: T;
  /** Not made by the trace, and not to be disposed by it. */
  live?: boolean;
}

function record(recorder: Recorder, spec: TraceSpec): Graph {
  const state = Object.entries(spec.state).map(([key, entry]) => declareState(recorder, key, entry));
  try {
    return onHost(() => {
      const inputs = Object.entries(spec.inputs).map(([key, { shape, dtype = "float32", isBytes }]) => {
        const tensor = symbolicTensor(recorder, key, shape, dtype);
        const value = recorder.valueOf(tensor, key);
        return { entry: { name: key, value, ...(isBytes && { isBytes }) }, tensor };
      });
      const results = recordAssignments(recorder, new Set(state.map(({ tensor }) => tensor)), () =>
        synchronous(recorder.name, spec.body(byName(inputs), byName(state))),
      );
      return finishGraph(recorder, inputs, state, results);
    });
  } finally {
    for (const { tensor, live } of state) if (!live) tensor.dispose();
  }
}

function declareState(recorder: Recorder, name: string, spec: StateSpec): Declared<tf.Variable> {
  if (spec instanceof tf.Variable) {
    const value = recorder.declare(spec.dataId, spec as GraphValue, name);
    return { entry: { name, value }, tensor: spec, live: true };
  }
  const initial = symbolicTensor(recorder, name, spec.shape, "float32");
  const tensor = tf.variable(initial);
  const value = recorder.valueOf(tensor, name);
  initial.dispose();
  return { entry: { name, value }, tensor };
}

function byName<T extends Tensor>(declared: readonly Declared<T>[]): Record<string, T> {
  return Object.fromEntries(declared.map(({ entry, tensor }) => [entry.name, tensor]));
}

function synchronous(name: string, results: Record<string, Tensor>): Record<string, Tensor> {
  if (results instanceof Promise) {
    results.catch(() => {}); // reported here, once
    throw new LuvitError("bad-argument", `trace "${name}": the body is async; a step must run in one go`);
  }
  checkOptions(`trace "${name}": what the body returns`, named(tensorField), results);
  return results;
}

function finishGraph(
  recorder: Recorder,
  inputs: readonly Declared<Tensor>[],
  state: readonly Declared<tf.Variable>[],
  results: Record<string, Tensor>,
): Graph {
  const outputs = new Map<string, GraphValue>();
  for (const [key, tensor] of Object.entries(results))
    outputs.set(key, recorder.valueOf(tensor, `result "${key}"`));
  for (const { entry, tensor } of state) {
    const assigned = recorder.valueOf(tensor, entry.name);
    if (assigned !== entry.value) addUpdate(recorder, outputs, entry.name, assigned);
    const update = outputs.get(entry.name);
    if (update) requireLike(recorder, entry, update);
  }
  return {
    name: recorder.name,
    inputs: inputs.map(({ entry }) => entry),
    state: state.map(({ entry }) => entry),
    constants: recorder.constants,
    nodes: recorder.nodes,
    outputs: [...outputs].map(([key, { id }]): GraphOutput => ({ name: key, id })),
  };
}

function addUpdate(
  recorder: Recorder,
  outputs: Map<string, GraphValue>,
  name: string,
  assigned: GraphValue,
): void {
  const returned = outputs.get(name);
  if (returned && returned !== assigned) {
    const message = `trace "${recorder.name}": state "${name}" is both assigned and returned, with different values`;
    throw new LuvitError("bad-argument", message);
  }
  outputs.set(name, assigned);
}

function requireLike(recorder: Recorder, { name, value }: GraphInput, update: GraphValue): void {
  if (update.dtype === value.dtype && sameShape(update.shape, value.shape)) return;
  const message = `state "${name}" is ${formatValue(value)}, its new value ${formatValue(update)}`;
  throw new LuvitError("shape-mismatch", `trace "${recorder.name}": ${message}`);
}

/** What a body that failed inside a gradient leaves on tfjs's tape. */
function discardTape(): void {
  const { state } = tf.engine();
  if (state.gradientDepth > 0 || !state.activeTape) return;
  for (const node of state.activeTape) for (const tensor of node.saved ?? []) tensor.dispose();
  state.activeTape = null as never;
}

function withPlace(name: string, error: unknown): unknown {
  const kernel = missingKernel(error);
  if (!kernel) return error;
  const place = atCallSite((error as Error).stack);
  return new LuvitError("engine", `trace "${name}": no shape rule for the op ${kernel}${place}`, {
    cause: error,
  });
}
