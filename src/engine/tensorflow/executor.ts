import { availableParallelism } from "node:os";
import { LuvitError } from "../../core/errors";
import { splitUpdates } from "../adamw/splitUpdates";
import { checkArrays } from "../arrays";
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
import { changedState, commonState, frozenFactors, programNamed, refuseLossScale } from "../programs";
import { loadTensorflow, type TensorflowBinding } from "./binding";
import { applyEnvironment, multipliesBfloat16 } from "./environment";
import type { Feed } from "./feeds";
import { TfOps } from "./lower/ops";
import type { Products } from "./lower/scope";
import { TfProgram } from "./program";
import { TfSession } from "./session";
import { applyShared } from "./shared";
import { TfState } from "./state";
import { addVariable, addZeroing, type Variable } from "./variables";
import { addWriters, type WriterPlace } from "./writers";

/** What a program's held runs have come to. */
type Held = "nothing" | "finite" | "not finite";

class TensorflowEngine implements Engine {
  private readonly turns: InTurn;
  private readonly held = new Map<TfProgram, Held>();

  constructor(
    readonly description: EngineDescription,
    private readonly session: TfSession,
    private readonly programs: ReadonlyMap<string, TfProgram>,
    private readonly state: TfState,
    /** Of gradients that wait for those of other workers. */
    private readonly heldWriters: ReadonlyMap<string, WriterPlace>,
  ) {
    this.turns = new InTurn(describeEngine(description));
  }

  get traffic(): Traffic {
    return { process: 0, device: this.description.device === "cpu" ? 0 : this.session.moved };
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

  writeState(values: ArraysByName): Promise<void> {
    return this.turns.do(() => this.state.write(values));
  }

  dispose(): Promise<void> {
    return this.turns.close(() => {
      this.state.letGo();
      this.session.dispose();
    });
  }

  private async runNow(program: TfProgram, feeds: ArraysByName, fetch: readonly string[], hold: boolean) {
    checkArrays(`feeds of "${program.name}"`, program.inputs, feeds);
    if (hold) program.expectHoldable();
    const fromState = fetch.filter((name) => this.state.has(name));
    const guards = program.guard === undefined ? [] : [program.guard];
    const names = [...new Set([...fetch.filter((name) => !fromState.includes(name)), ...guards])];
    const fetches = program.fetches(names);
    this.state.requireWritten(program.state);
    this.state.letGo();
    const effect = this.effectOf(program, hold);
    const results = this.session.run(feedsOf(program, feeds), effect ? [...fetches, effect] : fetches);
    const values = new Map(names.map((name, i) => [name, Float32Array.from(results[i])]));
    const good = guards.every((name) => values.get(name)!.every(Number.isFinite));
    const isShared = program.shared !== undefined && !hold;
    const allGood = good && this.held.get(program) !== "not finite";
    if (isShared) await applyShared(this.session, program, this.heldWriters, feeds, allGood);
    this.noteHeld(program, hold, good);
    const own = fetch.flatMap((name) => (values.has(name) ? [[name, values.get(name)!] as const] : []));
    return { ...Object.fromEntries(own), ...this.state.read(fromState) };
  }

  /** What to fetch so that the run changes what it should. */
  private effectOf(program: TfProgram, hold: boolean): string | undefined {
    const held = this.held.get(program) ?? "nothing";
    if (hold || (program.shared && held !== "not finite"))
      return program.effect(held === "nothing" ? "hold" : "holdMore");
    if (held === "not finite") return undefined;
    return program.effect(held === "nothing" ? "commit" : "release");
  }

  private noteHeld(program: TfProgram, hold: boolean, good: boolean): void {
    const wasGood = this.held.get(program) !== "not finite";
    this.held.set(program, hold ? (good && wasGood ? "finite" : "not finite") : "nothing");
  }
}

function feedsOf(program: TfProgram, feeds: ArraysByName): Feed[] {
  return program.inputs.map(({ name, value: { shape } }) => {
    return { place: program.places.get(name)!, shape, array: feeds[name] };
  });
}

/**
 * Compiles traced graphs with TensorFlow: one graph with one set of variables for all programs, on a GPU where there is
 * one. With precision "bfloat16" weights that no program changes are kept in bfloat16; where the processor or GPU is
 * faster so, products, attention's too, are computed in it and what they take and give is kept in it. Sums, norms,
 * softmax, activations, loss and AdamW compute in float32.
 *
 * @throws LuvitError("engine") when TensorFlow is not installed, or when a graph has ops without a rule.
 */
export function openTensorflowEngine(programs: Programs, options: OpenOptions = {}): Promise<Engine> {
  return openTensorflow(programs, options);
}

/** The same with products computed as said. */
export async function openTensorflow(
  programs: Programs,
  options: OpenOptions,
  asked?: Products,
): Promise<Engine> {
  refuseOptions(options);
  refuseLossScale("the tensorflow engine", programs);
  applyEnvironment(options);
  const binding = loadTensorflow();
  const description = describe(binding, options);
  const { precision } = description;
  const fast = precision === "bfloat16" && (binding.isUsingGpuDevice() || multipliesBfloat16());
  const products = asked ?? (fast ? "bfloat16" : "float32");
  const ops = new TfOps();
  const halved = precision === "bfloat16" ? frozenFactors(programs) : new Set<string>();
  const variables = new Map<string, Variable>();
  for (const input of commonState(programs)) {
    const dtype = halved.has(input.name) ? "bfloat16" : input.value.dtype;
    variables.set(input.name, addVariable(ops, input, dtype));
  }
  const opened = Object.entries(programs).map(([name, program]) => {
    return [name, new TfProgram({ name, program, ops, variables, products })] as const;
  });
  const moments = momentsOf(programs);
  const held = opened.flatMap(([, program]) => program.shared?.held ?? []);
  const heldWriters = addWriters(ops, held);
  const entries = [...variables.values()];
  const stateParts = {
    variables,
    writers: addWriters(ops, entries),
    zeroing: addZeroing(
      ops,
      entries.filter(({ input }) => moments.has(input.name)),
    ),
    changing: changedNames(programs),
  };
  const session = new TfSession(binding, ops.nodes);
  const state = new TfState({ session, ...stateParts });
  return new TensorflowEngine(description, session, new Map(opened), state, heldWriters);
}

function refuseOptions({ provider, frozen, precision }: OpenOptions): void {
  const message = "the tensorflow engine";
  if (provider === "webgpu")
    throw new LuvitError("engine", `${message} has no WebGPU; use onnxruntime for it`);
  if (precision === "float16")
    throw new LuvitError("engine", `${message} has no float16; use bfloat16, or onnxruntime on WebGPU`);
  if (frozen !== undefined)
    throw new LuvitError("engine", `${message} keeps no weights in ${frozen}; use onnxruntime for it`);
}

function describe(
  binding: TensorflowBinding,
  { precision = "float32", provider, tf32 }: OpenOptions,
): EngineDescription {
  const gpu = binding.isUsingGpuDevice();
  if (provider === "cuda" && !gpu) {
    const message =
      "tensorflow: no CUDA GPU was found, or this TensorFlow is built without CUDA (npx luvit engine install --cuda)";
    throw new LuvitError("engine", message);
  }
  if (tf32 && !gpu)
    throw new LuvitError(
      "engine",
      "tensorflow: tf32 is for NVIDIA GPUs from Ampere on; this one runs on the CPU",
    );
  const threads = Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism();
  return {
    engine: "tensorflow",
    device: gpu ? "GPU" : "cpu",
    threads: gpu ? undefined : threads,
    precision,
    tf32,
  };
}

const changedNames = (programs: Programs): Set<string> =>
  new Set(Object.values(programs).flatMap(({ graph }) => changedState(graph)));

function momentsOf(programs: Programs): Set<string> {
  const updates = Object.values(programs).flatMap(({ graph }) => splitUpdates(graph).updates);
  return new Set(updates.flatMap(({ average, squares }) => [average, squares]));
}
