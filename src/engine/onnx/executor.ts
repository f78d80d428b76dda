import { LuvitError } from "../../core/errors";
import { AdamWPool } from "../adamw/pool";
import { splitUpdates } from "../adamw/splitUpdates";
import {
  type ArraysByName,
  describeEngine,
  type Engine,
  type EngineDescription,
  type OpenOptions,
  type Programs,
  type RunOptions,
  type Traffic,
} from "../executor";
import { InTurn } from "../inTurn";
import { withoutCopies } from "../lower";
import { changedState, commonState, programNamed } from "../programs";
import { freeArrays } from "./freeArrays";
import { HeldGradients } from "./heldGradients";
import { int8Entries } from "./int8/select";
import { Int8Weights } from "./int8/weights";
import { OnnxProgram } from "./program";
import { loadOnnxRuntime, type OnnxRuntime } from "./runtime";
import { createSession, refuseWrongGradients, settleOptions } from "./session";
import { GraphState } from "./state";

class OnnxEngine implements Engine {
  private readonly turns: InTurn;
  private readonly held = new HeldGradients();
  readonly description: EngineDescription;
  private readonly runtime: OnnxRuntime;
  private readonly programs: ReadonlyMap<string, OnnxProgram>;
  private readonly state: GraphState;
  private readonly pool: AdamWPool;

  constructor(parts: {
    description: EngineDescription;
    runtime: OnnxRuntime;
    programs: ReadonlyMap<string, OnnxProgram>;
    state: GraphState;
    pool: AdamWPool;
  }) {
    const { description, runtime, programs, state, pool } = parts;
    this.description = description;
    this.runtime = runtime;
    this.programs = programs;
    this.state = state;
    this.pool = pool;

    this.turns = new InTurn(describeEngine(description));
  }

  get traffic(): Traffic {
    if (this.description.device === "cpu") return { process: 0, device: 0 };
    const device = [...this.programs.values()].reduce((sum, { hostBytes }) => sum + hostBytes, 0);
    return { process: 0, device };
  }

  run(name: string, feeds: ArraysByName, { fetch, hold = false }: RunOptions = {}) {
    return this.turns.do(() => {
      const program = programNamed(this.programs, name);
      return this.runNow(program, feeds, fetch ?? program.results, hold);
    });
  }

  readState(names?: readonly string[]): Promise<Record<string, Float32Array>> {
    return this.turns.do(() => this.state.read(names));
  }

  viewState(names?: readonly string[]): Promise<Record<string, Float32Array>> {
    return this.turns.do(() => this.state.view(names));
  }

  writeState(values: ArraysByName): Promise<void> {
    return this.turns.do(() => this.state.write(values));
  }

  dispose(): Promise<void> {
    return this.turns.close(async () => {
      for (const program of this.programs.values()) await program.release();
    });
  }

  private async runNow(program: OnnxProgram, feeds: ArraysByName, fetch: readonly string[], hold: boolean) {
    if (hold) program.expectHoldable();
    const { state, runtime, pool, held } = this;
    const fromState = fetch.filter((name) => state.current(name) !== undefined);
    const fromRun = fetch.filter((name) => !fromState.includes(name));
    const results = await program.run(runtime, feeds, fromRun, state);
    const values = fromRun.map((name) => [name, Float32Array.from(results.get(name)!)]);
    const good = program.isGood(results);
    const gradients = program.gradients(results);
    if (hold) held.add(gradients, good);
    else {
      const heldWereGood = program.updates.length === 0 || held.release(gradients);
      if (heldWereGood && good) program.commit(results, feeds, state, pool);
      freeArrays(gradients.values());
    }
    return { ...Object.fromEntries(values), ...state.read(fromState) };
  }
}

/**
 * Compiles traced graphs with onnxruntime. The AdamW updates at the end of one run outside it, in WebAssembly over the
 * memory that onnxruntime reads weights from.
 *
 * @throws LuvitError("engine") when onnxruntime-node is missing, or when a graph has ops without a rule.
 */
export async function openOnnxEngine(programs: Programs, options: OpenOptions = {}): Promise<Engine> {
  const { threads, provider, frozen } = settleOptions(options);
  const runtime = loadOnnxRuntime();
  const graphs = Object.values(programs).map(({ graph }) => withoutCopies(graph));
  refuseWrongGradients(provider, graphs);
  const int8 = frozen === "int8" ? int8Entries(graphs) : new Set<string>();
  const opened = Object.entries(programs).map(([name, program], i) => {
    return new OnnxProgram(name, program, splitUpdates(graphs[i]), int8);
  });
  const updates = opened.flatMap((program) => program.updates);
  refuseTwoTrainers(opened);
  const pool = new AdamWPool(updates);
  const written = new Set(Object.values(programs).flatMap(({ graph }) => changedState(graph)));
  const entries = commonState(programs);
  const needed = new Set(opened.flatMap(({ model }) => model.inputs.map((input) => input.name)));
  const weights = new Int8Weights(
    runtime,
    entries.filter(({ name }) => int8.has(name)),
    needed,
  );
  const state = new GraphState({ runtime, inputs: entries, written, pool, int8: weights });
  for (const program of opened)
    program.attach(await createSession(runtime, program.model, { threads, provider }));
  const description: EngineDescription = {
    engine: "onnxruntime",
    device: provider,
    threads: provider === "cpu" ? threads : undefined,
    precision: "float32",
    frozen,
  };
  const byName = new Map(opened.map((program) => [program.name, program]));
  return new OnnxEngine({ description, runtime, programs: byName, state, pool });
}

/** Moments and gradients have one place each. */
function refuseTwoTrainers(programs: readonly OnnxProgram[]): void {
  const trainers = programs.filter(({ updates }) => updates.length > 0).map(({ name }) => name);
  if (trainers.length < 2) return;
  const message = `programs ${trainers.join(" and ")} both end with AdamW; open them apart`;
  throw new LuvitError("bad-argument", message);
}
