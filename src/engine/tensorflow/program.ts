import type { SumPrecision } from "../../distributed/group";
import type { Graph, GraphInput } from "../../graph/ir";
import { type AdamWUpdate, splitUpdates } from "../adamw/splitUpdates";
import { expectOutputs } from "../arrays";
import type { Program } from "../executor";
import { withoutCopies } from "../lower";
import { changedState, expectOnlyUpdates, resultsOf } from "../programs";
import { type Effects, EffectWriter, Readers, type SharedEffects } from "./effects";
import { addInput, type FeedPlace } from "./feeds";
import { lowerGraph } from "./lower";
import type { TfValue } from "./lower/builder";
import type { TfOps } from "./lower/ops";
import type { Products } from "./lower/scope";
import { addRead, type Variable } from "./variables";

/** One program in the common TensorFlow graph: what it is fed, what can be fetched. */
export class TfProgram {
  readonly inputs: readonly GraphInput[];
  /** Given back unless others are asked for. */
  readonly results: readonly string[];
  readonly guard: string | undefined;
  /** State it reads or changes, by name. */
  readonly state: readonly string[];
  /** Where inputs are fed, by name. */
  readonly places = new Map<string, FeedPlace>();
  private readonly outputs = new Map<string, string>();
  /** Without its updates. */
  private readonly graph: Graph;
  private readonly updates: readonly AdamWUpdate[];
  private readonly effects: Effects | undefined;
  /** Where its gradients are summed over workers. */
  readonly shared: (SharedEffects & { precision: SumPrecision }) | undefined;
  readonly name: string;
  private readonly variables: ReadonlyMap<string, Variable>;

  /**
   * Adds the program to the graph.
   *
   * @throws LuvitError("engine") when it has ops without a rule.
   */
  constructor(parts: {
    name: string;
    program: Program;
    ops: TfOps;
    variables: ReadonlyMap<string, Variable>;
    products: Products;
  }) {
    const { name, program, ops, variables, products } = parts;
    this.name = name;
    this.variables = variables;

    const { graph, updates } = splitUpdates(withoutCopies(program.graph));
    this.inputs = graph.inputs;
    this.results = resultsOf(program);
    this.guard = program.guard;
    this.graph = graph;
    this.updates = updates;
    const changed = changedState(graph);
    if (program.clipGradNorm !== undefined) expectOnlyUpdates("clipping gradients", graph);
    if (program.shared !== undefined) expectOnlyUpdates("summing gradients over workers", graph);
    const given = new Map<string, TfValue>();
    for (const input of graph.inputs) {
      const { place, value } = addInput(ops, input);
      given.set(input.name, value);
      this.places.set(input.name, place);
    }
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
    if (updates.length + changed.length > 0) {
      const readers = new Readers(ops, first);
      const writer = new EffectWriter({ ops, variables, given, values, readers, program });
      const { shared, ...effects } = writer.write(name, updates, changed);
      this.effects = effects;
      this.shared = shared && { ...shared, precision: program.shared! };
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
    expectOutputs(names, (name) => this.outputs.has(name));
    return names.map((name) => this.outputs.get(name)!);
  }

  /** Name to fetch for an effect; undefined for a program that changes nothing. */
  effect(kind: keyof Effects): string | undefined {
    return this.effects?.[kind];
  }

  /** What `shared.apply` is fed: the schedules of its updates. */
  get schedules(): string[] {
    return [...new Set(this.updates.map(({ schedule }) => schedule))];
  }

  /** State entries that have values after a run. */
  changes(name: string): boolean {
    return this.variables.has(name);
  }

  /** @throws LuvitError("engine") where the graph itself changes state. */
  expectHoldable(): void {
    expectOnlyUpdates("holding gradients back", this.graph);
  }
}

/** What is fed cannot be fetched, so a result has a node of its own. */
function addResult(ops: TfOps, { name, dtype }: TfValue): string {
  return `${ops.addNode("Identity", [name], { T: { type: dtype } })}:0`;
}
