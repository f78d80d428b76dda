import { LuvitError } from "../../core/errors";
import type { GraphInput } from "../../graph/ir";
import { type AdamWUpdate, splitUpdates } from "../adamw/splitUpdates";
import type { Program } from "../executor";
import { withoutCopies } from "../lower";
import { changedState, resultsOf } from "../programs";
import { lowerGraph } from "./lower";
import { type TfValue, waitFor } from "./lower/builder";
import type { TfOps } from "./lower/ops";
import type { Products } from "./lower/scope";
import { addUpdate } from "./updates";
import { addAssignment, addHandle, addRead, addToken, type Variable } from "./variables";

/** What is fetched to make a run change something. */
interface Effects {
  /** New state. */
  readonly commit: string;
  /** Gradients kept: in place of older ones, and added to them. */
  readonly hold: string;
  readonly holdMore: string;
  /** New state with the gradients kept before. */
  readonly release: string;
}

/** One program in the common TensorFlow graph: what it is fed, what can be fetched. */
export class TfProgram {
  readonly inputs: readonly GraphInput[];
  /** Given back unless others are asked for. */
  readonly results: readonly string[];
  readonly guard: string | undefined;
  /** State it reads or changes, by name. */
  readonly state: readonly string[];
  readonly placeholders: ReadonlyMap<string, string>;
  private readonly outputs = new Map<string, string>();
  private readonly changed: readonly string[];
  private readonly updates: readonly AdamWUpdate[];
  private readonly effects: Effects | undefined;

  /**
   * Adds the program to the graph.
   *
   * @throws LuvitError("engine") when it has ops without a rule.
   */
  constructor(
    readonly name: string,
    program: Program,
    ops: TfOps,
    private readonly variables: ReadonlyMap<string, Variable>,
    products: Products,
  ) {
    const { graph, updates } = splitUpdates(withoutCopies(program.graph));
    this.inputs = graph.inputs;
    this.results = resultsOf(program);
    this.guard = program.guard;
    this.changed = changedState(graph);
    this.updates = updates;
    const given = new Map<string, TfValue>();
    for (const { name: input, value } of graph.inputs) given.set(input, addPlaceholder(ops, value));
    this.placeholders = new Map([...given].map(([input, { name: node }]) => [input, node]));
    for (const { name: entry, value } of graph.state) {
      const { handle, dtype } = variables.get(entry)!;
      given.set(entry, addRead(ops, handle, { shape: value.shape, dtype }));
    }
    const first = ops.nodes.length;
    const values = lowerGraph(ops, graph, (input) => given.get(input)!, products);
    const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
    const updated = updates.flatMap(({ parameter, average, squares }) => [parameter, average, squares]);
    const read = graph.state.filter(({ value }) => used.has(value.id)).map((entry) => entry.name);
    this.state = [...new Set([...read, ...updated])];
    for (const [output, value] of values) this.outputs.set(output, addResult(ops, value));
    if (updates.length + this.changed.length > 0) {
      const readers = new Readers(ops, first);
      this.effects = new EffectWriter(ops, variables, given, values, readers, this.guard).write(
        name,
        updates,
        this.changed,
      );
    }
  }

  get trains(): boolean {
    return this.updates.length > 0;
  }

  /**
   * Names to fetch for results.
   *
   * @throws LuvitError("bad-argument") for results the graph does not have.
   */
  fetches(names: readonly string[]): string[] {
    const unknown = names.filter((name) => !this.outputs.has(name));
    if (unknown.length === 0) return names.map((name) => this.outputs.get(name)!);
    throw new LuvitError("bad-argument", `fetch: the graph has no output ${unknown.join(", ")}`);
  }

  /** Name to fetch for an effect; undefined for a program that changes nothing. */
  effect(kind: keyof Effects): string | undefined {
    return this.effects?.[kind];
  }

  /** State entries that have values after a run. */
  changes(name: string): boolean {
    return this.variables.has(name);
  }

  /** Gradients can wait only where nothing but AdamW changes the state. */
  expectOnlyUpdates(): void {
    if (this.changed.length === 0) return;
    const message = `holding gradients back, but the graph "${this.name}" itself changes ${this.changed.join(", ")}`;
    throw new LuvitError("engine", message);
  }
}

function addPlaceholder(ops: TfOps, { shape, dtype }: GraphInput["value"]): TfValue {
  const node = ops.addNode("Placeholder", [], { dtype: { type: dtype }, shape: { shape } });
  return { name: `${node}:0`, shape, dtype };
}

/** What is fed cannot be fetched, so a result has a node of its own. */
function addResult(ops: TfOps, { name, dtype }: TfValue): string {
  return `${ops.addNode("Identity", [name], { T: { type: dtype } })}:0`;
}

/** Which nodes of a program take a value. */
class Readers {
  private readonly nodes = new Map<string, string[]>();

  constructor(ops: TfOps, first: number) {
    for (const { name, inputs } of ops.nodes.slice(first)) {
      for (const input of inputs) this.nodes.set(input, [...(this.nodes.get(input) ?? []), name]);
    }
  }

  /** What waits for all of them: a variable that nobody reads any more can change in place. */
  of({ name }: TfValue): string[] {
    return [waitFor(name), ...(this.nodes.get(name) ?? []).map(waitFor)];
  }
}

/** Adds the nodes that change the state after a run. */
class EffectWriter {
  constructor(
    private readonly ops: TfOps,
    private readonly variables: ReadonlyMap<string, Variable>,
    private readonly given: ReadonlyMap<string, TfValue>,
    private readonly values: ReadonlyMap<string, TfValue>,
    private readonly readers: Readers,
    private readonly guard: string | undefined,
  ) {}

  write(program: string, updates: readonly AdamWUpdate[], changed: readonly string[]): Effects {
    const { ops, values } = this;
    const gradients = updates.map(({ gradient }) => values.get(gradient)!);
    const held = updates.map(({ parameter }, i) => {
      return addHandle(ops, `${program}: held gradient of ${parameter}`, "float32", gradients[i].shape);
    });
    const sums = gradients.map((gradient, i) => {
      return ops.add(gradient, addRead(ops, held[i], gradient), { after: [gradient] });
    });
    const assign = gradients.map((gradient, i) => addAssignment(ops, held[i], gradient));
    const add = gradients.map((gradient, i) => {
      const attributes = { dtype: { type: "float32" } } as const;
      return waitFor(ops.addNode("AssignAddVariableOp", [held[i], gradient.name], attributes));
    });
    return {
      commit: this.commit(updates, gradients, changed),
      release: this.commit(updates, sums, changed),
      hold: addToken(ops, assign),
      holdMore: addToken(ops, add),
    };
  }

  /** All changes, or none where the guard is not finite. */
  private commit(
    updates: readonly AdamWUpdate[],
    gradients: readonly TfValue[],
    changed: readonly string[],
  ): string {
    const { ops } = this;
    const gate = this.gate();
    const before = gate ? [waitFor(gate.open)] : [];
    const done = [
      ...updates.map((update, i) => this.update(update, gradients[i], before)),
      ...changed.map((name) => {
        const { handle } = this.variables.get(name)!;
        const after = [...before, ...this.readers.of(this.given.get(name)!)];
        return addAssignment(ops, handle, this.kept(this.values.get(name)!), after);
      }),
    ];
    if (!gate) return addToken(ops, done);
    const type = { T: { type: "bool" } } as const;
    const opened = `${ops.addNode("Identity", [gate.open, ...done], type)}:0`;
    return `${ops.addNode("Merge", [opened, gate.shut], { ...type, N: { integer: 2 } })}:0`;
  }

  private update(update: AdamWUpdate, gradient: TfValue, before: readonly string[]): string {
    const [parameter, average, squares] = [update.parameter, update.average, update.squares].map(
      (name) => this.variables.get(name)!.handle,
    );
    const old = this.given.get(update.parameter)!;
    const schedule = this.given.get(update.schedule) ?? this.values.get(update.schedule)!;
    const place = { parameter, average, squares, before: old, gradient, schedule };
    return addUpdate(this.ops, update, place, [...before, ...this.readers.of(old)]);
  }

  /** Two values of which one is there: `open` where the guard is finite, `shut` where it is not. */
  private gate(): { open: string; shut: string } | undefined {
    if (this.guard === undefined) return undefined;
    const { ops } = this;
    const guard = this.values.get(this.guard)!;
    const attributes = { T: { type: guard.dtype } };
    const finite = ops.make("IsFinite", [guard], { shape: guard.shape, dtype: "bool" }, { attributes });
    const all = ops.reduce("All", finite, [...guard.shape.keys()], false);
    const type = { T: { type: "bool" } } as const;
    const node = ops.addNode("Switch", [all.name, all.name], type);
    // Waiting is for nodes, not for one of their outputs, so that the one that opens has a node of its own.
    return { open: `${ops.addNode("Identity", [`${node}:1`], type)}:0`, shut: `${node}:0` };
  }

  /** What a variable may keep: not memory that was fed. */
  private kept(value: TfValue): TfValue {
    const attributes = { T: { type: value.dtype } };
    return this.ops.make("DeepCopy", [value], value, { attributes });
  }
}
