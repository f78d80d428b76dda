import { HeldGradients } from "./heldGradients";
import { availableParallelism } from "node:os";
import { LuvitError } from "../../core/errors";
import type { Graph, GraphInput } from "../../graph/ir";
import { AdamWPool } from "../adamw/pool";
import { splitUpdates } from "../adamw/splitUpdates";
import type { ArraysByName, Executor, RunOptions } from "../executor";
import { lowerGraph } from "./lower";
import { withoutCopies } from "./lower/withoutCopies";
import { encodeModel } from "./proto";
import { loadOnnxRuntime, type OnnxRuntime, type OnnxSession, type OnnxTensor } from "./runtime";
import { checkArrays, GraphState, tensorOf } from "./state";

export interface OnnxExecutorOptions {
  /** Threads of the CPU provider; default: as many as the machine has cores for this process. */
  threads?: number;
  /** What computes; default "cpu". Ops that another provider lacks run on the CPU. */
  provider?: "cpu" | "cuda" | "webgpu";
  /** A result, "loss" say: a run in which it is not finite gives its results but leaves the state as it was. */
  guard?: string;
}

/** What a run of one graph needs to know of its model. */
interface Program {
  readonly inputs: readonly GraphInput[];
  /** The model's inputs by name; those that nothing needs are not among them. */
  readonly modelInputs: readonly string[];
  readonly outputNames: ReadonlyMap<string, string>;
  /** Results that are neither state nor for AdamW. */
  readonly results: readonly string[];
  readonly guard?: string;
}

class OnnxExecutor implements Executor {
  private last: Promise<unknown> = Promise.resolve();
  private readonly held = new HeldGradients();

  constructor(
    readonly name: string,
    private readonly runtime: OnnxRuntime,
    private session: OnnxSession | undefined,
    private readonly program: Program,
    private readonly state: GraphState,
    private readonly pool: AdamWPool,
    /** Arrays that results are written into, by the graph's name of the result. */
    private readonly gradients: ReadonlyMap<string, OnnxTensor>,
  ) {}

  run(feeds: ArraysByName, fetch?: readonly string[], { hold = false }: RunOptions = {}) {
    return this.inTurn((session) => this.runNow(session, feeds, fetch ?? this.program.results, hold));
  }

  readState(names?: readonly string[]): Promise<Record<string, Float32Array>> {
    return this.inTurn(async () => this.state.read(names));
  }

  writeState(values: ArraysByName): Promise<void> {
    return this.inTurn(async () => this.state.write(values));
  }

  dispose(): Promise<void> {
    if (!this.session) return Promise.resolve();
    return this.inTurn(async (session) => {
      this.session = undefined;
      await session.release();
    });
  }

  /** One after the other: a run that has begun ends before state is read. */
  private inTurn<Result>(body: (session: OnnxSession) => Promise<Result>): Promise<Result> {
    const turn = this.last.then(() => {
      if (!this.session) throw new LuvitError("engine", `${this.name}: it was disposed`);
      return body(this.session);
    });
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private async runNow(session: OnnxSession, feeds: ArraysByName, fetch: readonly string[], hold: boolean) {
    const { program, state } = this;
    checkArrays("feeds", program.inputs, feeds);
    if (hold) this.expectOnlySplitUpdates();
    const fromState = fetch.filter((name) => state.current(name) !== undefined);
    const fromRun = fetch.filter((name) => !fromState.includes(name));
    this.refuseUnknown(fromRun);
    const written = [...state.next(), ...this.gradients];
    const schedules = this.pool.slots.map(({ update }) => update.schedule);
    const guards = program.guard === undefined ? [] : [program.guard];
    const wanted = [...fromRun, ...guards, ...schedules.filter((name) => program.outputNames.has(name))];
    const outputs = await session.run(this.operands(feeds), {
      ...Object.fromEntries(wanted.map((name) => [program.outputNames.get(name)!, null])),
      ...Object.fromEntries(written.map(([name, tensor]) => [program.outputNames.get(name)!, tensor])),
    });
    const result = (name: string) => outputs[program.outputNames.get(name)!].data as ArrayLike<number>;
    const finite = guards.every((name) => Array.from(result(name)).every(Number.isFinite));
    if (hold) this.held.add(this.gradients, finite);
    else if (this.held.release(this.gradients) && finite) {
      this.pool.step((name) => (program.outputNames.has(name) ? result(name) : feeds[name]));
      state.advance();
    }
    const values = fromRun.map((name) => [name, Float32Array.from(result(name))]);
    return { ...Object.fromEntries(values), ...state.read(fromState) };
  }

  private operands(feeds: ArraysByName): Record<string, OnnxTensor> {
    const fed = new Map(this.program.inputs.map((input) => [input.name, input]));
    const operand = (name: string) => {
      const input = fed.get(name);
      return input ? tensorOf(this.runtime, input, feeds[name]) : this.state.current(name)!;
    };
    return Object.fromEntries(this.program.modelInputs.map((name) => [name, operand(name)]));
  }

  /** Gradients can wait only where AdamW runs behind the graph and nothing else of the state changes in it. */
  private expectOnlySplitUpdates(): void {
    const others = [...this.state.next()].map(([name]) => name);
    if (others.length === 0) return;
    throw new LuvitError(
      "engine",
      `${this.name}: holding gradients back, but the graph itself changes ${others.join(", ")}`,
    );
  }

  private refuseUnknown(names: readonly string[]): void {
    const unknown = names.filter((name) => !this.program.outputNames.has(name));
    if (unknown.length === 0) return;
    throw new LuvitError("bad-argument", `fetch: the graph has no output ${unknown.join(", ")}`);
  }
}

/**
 * Compiles a traced graph with onnxruntime. The AdamW updates at its end run outside it, in WebAssembly over the memory
 * that onnxruntime reads weights from and writes gradients to.
 *
 * @param initialState every state entry; AdamW's moments may be left out and begin at zero. Arrays of entries the
 *   graph never changes (frozen weights) are used as they are, not copied.
 * @throws LuvitError("engine") when onnxruntime-node is missing, or when the graph has ops without a rule.
 */
export async function createOnnxExecutor(
  traced: Graph,
  initialState: ArraysByName,
  options: OnnxExecutorOptions = {},
): Promise<Executor> {
  const { threads = availableParallelism(), provider = "cpu", guard } = options;
  const runtime = loadOnnxRuntime();
  const { graph, updates } = splitUpdates(withoutCopies(traced));
  const { model, outputNames } = lowerGraph(graph);
  const modelInputs = model.inputs.map(({ name }) => name);
  const results = resultsOf(traced, guard);
  const pool = new AdamWPool(updates);
  const written = new Set(graph.outputs.map(({ name }) => name));
  const state = new GraphState(runtime, graph.state, written, initialState, pool);
  const gradients = pool.slots.map(({ update, gradient }): [string, OnnxTensor] => {
    return [update.gradient, new runtime.Tensor("float32", gradient, update.shape)];
  });
  const session = await createSession(runtime, encodeModel(model), threads, provider);
  const detail = provider === "cpu" ? `${threads} ${threads === 1 ? "thread" : "threads"}, ` : "";
  const name = `onnxruntime ${provider} (${detail}float32)`;
  const program = { inputs: graph.inputs, modelInputs, outputNames, results, guard };
  return new OnnxExecutor(name, runtime, session, program, state, pool, new Map(gradients));
}

/** Outputs that are not new state. @throws LuvitError("bad-argument") when the guard is none of them. */
function resultsOf(graph: Graph, guard: string | undefined): string[] {
  const state = new Set(graph.state.map(({ name }) => name));
  const results = graph.outputs.map(({ name }) => name).filter((name) => !state.has(name));
  if (guard === undefined || results.includes(guard)) return results;
  throw new LuvitError("bad-argument", `guard: graph ${graph.name} has no result "${guard}"`);
}

/** Sequential execution, no memory pattern: the fastest and the leanest of what was measured for training steps. */
async function createSession(
  runtime: OnnxRuntime,
  model: Uint8Array,
  threads: number,
  provider: string,
): Promise<OnnxSession> {
  try {
    return await runtime.InferenceSession.create(model, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      enableMemPattern: false,
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      extra: { session: { intra_op: { allow_spinning: "1" } } },
    });
  } catch (cause) {
    const message = `onnxruntime ${provider} did not accept the graph: ${(cause as Error).message}`;
    throw new LuvitError("engine", message, { cause });
  }
}
