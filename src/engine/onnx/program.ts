import type { Graph, GraphInput } from "../../graph/ir";
import type { AdamWUpdate } from "../adamw/splitUpdates";
import { checkArrays, expectOutputs } from "../arrays";
import type { ArraysByName, Program } from "../executor";
import { changedState, expectOnlyUpdates, resultsOf } from "../programs";
import { lowerGraph, type Target } from "./lower";
import type { OnnxModel } from "./model";
import { type OnnxRuntime, type OnnxSession, type OnnxTensor, tensorOf } from "./runtime";

/** What a run gave, by the graph's names. */
export type Results = ReadonlyMap<string, OnnxTensor>;

/** Where a run finds its state, and what it may write new state into. */
export interface Operands {
  /** Whether state is in a device's memory. */
  readonly onDevice: boolean;
  /** What a model's input is fed; undefined before it was written. */
  operand(input: string): OnnxTensor | undefined;
  /** Where an entry's new numbers go; undefined where the run makes room itself. */
  next(entry: string): OnnxTensor | undefined;
  /** @throws LuvitError("bad-argument") naming every entry behind these inputs that nobody has written. */
  requireWritten(inputs: readonly string[]): void;
}

/** A graph that ends at the gradients. */
export interface GradientGraph {
  readonly graph: Graph;
  /** The updates to do with them. */
  readonly updates: readonly AdamWUpdate[];
  /** Results of the graph that hold them. */
  readonly gradients: readonly string[];
}

/** One program as an ONNX model: what it is fed, what it gives, and which updates come after it. */
export class OnnxProgram {
  readonly model: OnnxModel;
  readonly updates: readonly AdamWUpdate[];
  readonly gradients: readonly string[];
  /** State that the graph itself replaces. */
  readonly changed: readonly string[];
  /** Given back unless others are asked for. */
  readonly results: readonly string[];
  readonly clipGradNorm: number | undefined;
  readonly lossScale: string | undefined;
  readonly shared: Program["shared"];
  private readonly graph: Graph;
  /** The model's inputs by name; those that nothing needs are not among them. */
  private readonly modelInputs: readonly string[];
  private readonly outputNames: ReadonlyMap<string, string>;
  private readonly guard: string | undefined;
  private session: OnnxSession | undefined;

  /** @throws LuvitError("engine") when the graph has ops without a rule. */
  constructor(
    readonly name: string,
    traced: Program,
    { graph, updates, gradients }: GradientGraph,
    target: Target,
  ) {
    const { model, outputNames } = lowerGraph(graph, target);
    this.model = model;
    this.updates = updates;
    this.gradients = gradients;
    this.graph = graph;
    this.modelInputs = model.inputs.map((input) => input.name);
    this.outputNames = outputNames;
    this.changed = changedState(graph);
    this.results = resultsOf(traced);
    this.guard = traced.guard;
    this.clipGradNorm = traced.clipGradNorm;
    this.lossScale = traced.lossScale;
    this.shared = traced.shared;
    if (this.clipGradNorm !== undefined) expectOnlyUpdates("clipping gradients", graph);
    if (this.lossScale !== undefined) expectOnlyUpdates("scaling the loss", graph);
    if (this.shared !== undefined) expectOnlyUpdates("summing gradients over workers", graph);
  }

  attach(session: OnnxSession): void {
    this.session = session;
  }

  async release(): Promise<void> {
    await this.session?.release();
    this.session = undefined;
  }

  /** The model's names of what stays where it was computed: gradients and new state. */
  get kept(): string[] {
    return [...this.gradients, ...this.changed].map((name) => this.outputNames.get(name)!);
  }

  /** @throws LuvitError("engine") where the graph itself changes state. */
  expectHoldable(): void {
    expectOnlyUpdates("holding gradients back", this.graph);
  }

  /** Runs the graph; gives what is asked for, and what `isGood`, `schedule` and the updates need. */
  async run(
    runtime: OnnxRuntime,
    feeds: ArraysByName,
    fetch: readonly string[],
    state: Operands,
  ): Promise<Results> {
    const { inputs } = this.graph;
    checkArrays(`feeds of "${this.name}"`, inputs, feeds);
    expectOutputs(fetch, (name) => this.outputNames.has(name));
    const fed = new Map(inputs.map((input) => [input.name, input]));
    const read = this.modelInputs.filter((name) => !fed.has(name));
    state.requireWritten([...new Set([...read, ...this.updates.map(({ parameter }) => parameter)])]);
    const operand = (name: string) => {
      const input: GraphInput | undefined = fed.get(name);
      return input ? tensorOf(runtime, input, feeds[name]) : state.operand(name)!;
    };
    const wanted = this.wanted(fetch, state);
    const outputs = await this.session!.run(
      Object.fromEntries(this.modelInputs.map((name) => [name, operand(name)])),
      Object.fromEntries([
        ...wanted.map((name) => [this.outputNames.get(name)!, null]),
        ...this.changed.map((name) => [this.outputNames.get(name)!, state.next(name) ?? null]),
      ]),
    );
    return new Map([...wanted, ...this.changed].map((name) => [name, outputs[this.outputNames.get(name)!]]));
  }

  /** Results to ask for. A session some of whose results stay on a device gives all of them or none. */
  private wanted(fetch: readonly string[], { onDevice }: Operands): readonly string[] {
    const changed = new Set(this.changed);
    if (onDevice && this.kept.length > 0)
      return [...this.outputNames.keys()].filter((name) => !changed.has(name));
    return [...fetch, ...this.guards(), ...this.schedules(), ...this.gradients];
  }

  /** Whether the results of a run may become state. */
  isGood(results: Results): boolean {
    return this.guards().every((name) => Array.from(numbersOf(results, name)).every(Number.isFinite));
  }

  /** (rate, 1 - beta1^t, 1 - beta2^t) by the name that an update has for it. */
  schedule(results: Results, feeds: ArraysByName): (name: string) => ArrayLike<number> {
    return (name) => (results.has(name) ? numbersOf(results, name) : feeds[name]);
  }

  private guards(): string[] {
    return this.guard === undefined ? [] : [this.guard];
  }

  /** Rates that the graph computes itself. */
  private schedules(): string[] {
    return [...new Set(this.updates.map(({ schedule }) => schedule))].filter((name) =>
      this.outputNames.has(name),
    );
  }
}

const numbersOf = (results: Results, name: string) => results.get(name)!.data as ArrayLike<number>;
