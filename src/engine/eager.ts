import { LuvitError } from "../core/errors";
import { ensureBackend, type Tensor, tf } from "../core/tf";
import { interpret, type TensorsByName } from "../graph/interpret";
import type { Graph, GraphInput } from "../graph/ir";
import { type AdamWUpdate, splitUpdates } from "./adamw/splitUpdates";
import { checkArrays, expectEntries, expectNoneEmpty, expectOutputs } from "./arrays";
import { clipTensors } from "./clipTensors";
import type {
  ArraysByName,
  Engine,
  EngineDescription,
  OpenOptions,
  Program,
  Programs,
  RunOptions,
} from "./executor";
import { InTurn } from "./inTurn";
import { commonState, expectOnlyUpdates, programNamed, refuseLossScale, resultsOf } from "./programs";

/** A program that ends at the gradients; AdamW comes after it. */
interface EagerProgram {
  readonly graph: Graph;
  readonly updates: readonly AdamWUpdate[];
  readonly results: readonly string[];
  readonly guard?: string;
  readonly clipGradNorm?: number;
}

class EagerEngine implements Engine {
  /** All of it is in this process, and computed by the processor. */
  readonly traffic = { process: 0, device: 0 };
  private readonly turns = new InTurn("eager executor");
  private readonly programs: ReadonlyMap<string, EagerProgram>;
  private readonly entries: ReadonlyMap<string, GraphInput>;
  private readonly state = new Map<string, Tensor>();
  /** Sums of gradients that were held back. */
  private readonly held = new Map<string, Tensor>();
  private heldWereGood = true;

  constructor(
    readonly description: EngineDescription,
    programs: Programs,
  ) {
    this.programs = new Map(Object.entries(programs).map(([name, program]) => [name, prepare(program)]));
    this.entries = new Map(commonState(programs).map((entry) => [entry.name, entry]));
    for (const { updates } of this.programs.values()) {
      for (const { average, squares, shape } of updates) {
        for (const name of [average, squares]) this.put(name, tf.zeros([...shape]));
      }
    }
  }

  run(name: string, feeds: ArraysByName, options: RunOptions = {}): Promise<Record<string, Float32Array>> {
    return this.turns.do(() => this.runNow(programNamed(this.programs, name), feeds, options));
  }

  readState(names: readonly string[] = this.changing()): Promise<Record<string, Float32Array>> {
    return this.turns.do(async () => {
      this.requireEntries(names);
      return hostArrays(names.map((name) => [name, this.state.get(name)!]));
    });
  }

  writeState(values: ArraysByName): Promise<void> {
    return this.turns.do(() => {
      const names = Object.keys(values);
      expectEntries(names, this.entries);
      const entries = names.map((name) => this.entries.get(name)!);
      checkArrays("state", entries, values);
      for (const entry of entries) this.put(entry.name, tensorFor(entry, values[entry.name]));
    });
  }

  dispose(): Promise<void> {
    return this.turns.close(() => tf.dispose([...this.state.values(), ...this.held.values()]));
  }

  private async runNow(program: EagerProgram, feeds: ArraysByName, options: RunOptions) {
    const { graph, updates, guard } = program;
    const { fetch = program.results, hold } = options;
    checkArrays(`feeds of "${graph.name}"`, graph.inputs, feeds);
    const named = new Set(graph.outputs.map(({ name }) => name));
    expectOutputs(fetch, (name) => named.has(name) || this.state.has(name));
    this.requireEntries(graph.state.map(({ name }) => name));
    const inputs: TensorsByName = Object.fromEntries(
      graph.inputs.map((input) => [input.name, tensorFor(input, feeds[input.name])]),
    );
    const outputs = interpret(graph, { inputs, state: Object.fromEntries(this.state) });
    try {
      const good = guard === undefined || (await outputs[guard].data()).every(Number.isFinite);
      if (hold) this.hold(updates, outputs, good);
      else {
        const goodAltogether = good && (updates.length === 0 || this.heldWereGood);
        if (goodAltogether) this.commit(program, { ...inputs, ...outputs }, outputs);
        if (updates.length > 0) this.forgetHeld();
      }
      return await hostArrays(fetch.map((name) => [name, this.state.get(name) ?? outputs[name]]));
    } finally {
      tf.dispose([...Object.values(inputs), ...Object.values(outputs)]);
    }
  }

  private hold(updates: readonly AdamWUpdate[], outputs: TensorsByName, good: boolean): void {
    this.heldWereGood &&= good;
    for (const { gradient } of updates) {
      const sum = this.withHeld(gradient, outputs);
      this.held.get(gradient)?.dispose();
      this.held.set(gradient, sum);
    }
  }

  private forgetHeld(): void {
    tf.dispose([...this.held.values()]);
    this.held.clear();
    this.heldWereGood = true;
  }

  /** This run's gradient with what was held of it; the caller's to dispose. */
  private withHeld(gradient: string, outputs: TensorsByName): Tensor {
    const held = this.held.get(gradient);
    return held ? tf.add(held, outputs[gradient]) : tf.clone(outputs[gradient]);
  }

  private commit(program: EagerProgram, operands: TensorsByName, outputs: TensorsByName): void {
    const { graph, updates } = program;
    const gradients = this.gradientsOf(program, outputs);
    for (const [i, update] of updates.entries()) {
      const { parameter, average, squares, schedule } = update;
      const gradient = gradients[i];
      const state = { parameter, average, squares };
      const named = Object.entries(state).map(([key, name]) => [key, this.state.get(name)!]);
      const inputs = { ...Object.fromEntries(named), gradient, schedule: operands[schedule] };
      const fresh = tf.engine().runKernel("LuvitAdamW", inputs, update as never) as unknown as Tensor[];
      for (const [i, name] of [parameter, average, squares].entries()) this.put(name, fresh[i]);
      gradient.dispose();
    }
    for (const { name } of graph.state) if (outputs[name]) this.put(name, tf.clone(outputs[name]));
  }

  /** The gradients that AdamW sees; the caller's to dispose. */
  private gradientsOf({ updates, clipGradNorm }: EagerProgram, outputs: TensorsByName): Tensor[] {
    const whole = updates.map(({ gradient }) => this.withHeld(gradient, outputs));
    if (clipGradNorm === undefined) return whole;
    const { norm, factor } = clipTensors(whole, clipGradNorm);
    const clipped = whole.map((gradient) => tf.mul(gradient, factor));
    tf.dispose([...whole, norm, factor]);
    return clipped;
  }

  private put(name: string, tensor: Tensor): void {
    this.state.get(name)?.dispose();
    this.state.set(name, tf.keep(tensor));
  }

  private changing(): string[] {
    const graphs = [...this.programs.values()];
    const updated = graphs.flatMap(({ updates }) =>
      updates.flatMap(({ parameter, average, squares }) => [parameter, average, squares]),
    );
    const outputs = graphs.flatMap(({ graph }) => graph.outputs.map(({ name }) => name));
    return [...new Set([...updated, ...outputs.filter((name) => this.entries.has(name))])];
  }

  private requireEntries(names: readonly string[]): void {
    expectNoneEmpty(names.filter((name) => !this.state.has(name)));
  }
}

function prepare(program: Program): EagerProgram {
  const { guard, clipGradNorm, shared } = program;
  if (shared) throw new LuvitError("engine", "op by op there are no sums over workers; take an engine");
  const { graph, updates } = splitUpdates(program.graph);
  if (clipGradNorm !== undefined) expectOnlyUpdates("clipping gradients", graph);
  return { graph, updates, results: resultsOf(program), guard, clipGradNorm };
}

function tensorFor({ value: { shape, dtype } }: GraphInput, array: ArraysByName[string]): Tensor {
  return tf.tensor(array, [...shape], dtype);
}

async function hostArrays(entries: readonly (readonly [string, Tensor])[]) {
  const read = entries.map(async ([name, tensor]) => [name, Float32Array.from(await tensor.data())]);
  return Object.fromEntries(await Promise.all(read)) as Record<string, Float32Array>;
}

/**
 * Programs kernel by kernel on tfjs's current backend: what the other engines are compared with, and what is left where
 * none of them can be used. `reason` says why it is used.
 */
export async function openEagerEngine(
  programs: Programs,
  options: OpenOptions = {},
  reason?: string,
): Promise<Engine> {
  if ((options.precision && options.precision !== "float32") || options.frozen) {
    const message = "the eager engine computes in float32 with float32 weights only";
    throw new LuvitError("engine", `${message}; use tensorflow for bfloat16, onnxruntime for frozen int8`);
  }
  refuseLossScale("the eager engine", programs);
  await ensureBackend();
  const device = `tfjs ${tf.getBackend()}`;
  const description = { engine: "eager", device, precision: "float32", reason } as const;
  return new EagerEngine(description, programs);
}
