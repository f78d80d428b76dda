import { LuvitError } from "../../core/errors";
import type { GraphInput } from "../../graph/ir";
import type { AdamWPool } from "../adamw/pool";
import type { AdamWUpdate, SplitGraph } from "../adamw/splitUpdates";
import { checkArrays } from "../arrays";
import { clipFactor, normOf } from "../clipGradNorm";
import type { ArraysByName, Program } from "../executor";
import { changedState, expectOnlyUpdates, resultsOf } from "../programs";
import type { Gradients } from "./heldGradients";
import { lowerGraph } from "./lower";
import type { OnnxModel } from "./model";
import type { OnnxRuntime, OnnxSession, OnnxTensor } from "./runtime";
import { type GraphState, tensorOf } from "./state";
import { hostBytes } from "./traffic";

type Results = ReadonlyMap<string, ArrayLike<number>>;

/** One program as an ONNX model: what it is fed, what it gives, and which updates come after it. */
export class OnnxProgram {
  readonly model: OnnxModel;
  readonly updates: readonly AdamWUpdate[];
  private readonly inputs: readonly GraphInput[];
  /** The model's inputs by name; those that nothing needs are not among them. */
  private readonly modelInputs: readonly string[];
  private readonly outputNames: ReadonlyMap<string, string>;
  /** State that the graph itself replaces. */
  private readonly changed: readonly string[];
  /** Given back unless others are asked for. */
  readonly results: readonly string[];
  private readonly guard: string | undefined;
  private readonly clipGradNorm: number | undefined;
  private session: OnnxSession | undefined;
  /** Bytes that its runs took from host memory and gave back to it. */
  hostBytes = 0;

  /** @throws LuvitError("engine") when the graph has ops without a rule. */
  constructor(
    readonly name: string,
    traced: Program,
    private readonly split: SplitGraph,
    int8: ReadonlySet<string>,
  ) {
    const { graph, updates } = split;
    const { model, outputNames } = lowerGraph(graph, int8);
    this.model = model;
    this.updates = updates;
    this.inputs = graph.inputs;
    this.modelInputs = model.inputs.map((input) => input.name);
    this.outputNames = outputNames;
    this.changed = changedState(graph);
    this.results = resultsOf(traced);
    this.guard = traced.guard;
    this.clipGradNorm = traced.clipGradNorm;
    if (this.clipGradNorm !== undefined) expectOnlyUpdates("clipping gradients", graph);
  }

  attach(session: OnnxSession): void {
    this.session = session;
  }

  async release(): Promise<void> {
    await this.session?.release();
    this.session = undefined;
  }

  /** @throws LuvitError("engine") where the graph itself changes state. */
  expectHoldable(): void {
    expectOnlyUpdates("holding gradients back", this.split.graph);
  }

  /** Runs the graph. New state is written beside the old. */
  async run(
    runtime: OnnxRuntime,
    feeds: ArraysByName,
    fetch: readonly string[],
    state: GraphState,
  ): Promise<Results> {
    checkArrays(`feeds of "${this.name}"`, this.inputs, feeds);
    this.refuseUnknown(fetch);
    const fed = new Map(this.inputs.map((input) => [input.name, input]));
    state.requireWritten(this.modelInputs.filter((name) => !fed.has(name)));
    const operand = (name: string) => {
      const input = fed.get(name);
      return input ? tensorOf(runtime, input, feeds[name]) : state.operand(name)!;
    };
    const into = this.changed.map((name): [string, OnnxTensor] => [name, state.next(name)!]);
    const gradients = this.updates.map(({ gradient }) => gradient);
    const wanted = [...fetch, ...this.guards(), ...this.schedules(), ...gradients];
    const operands = Object.fromEntries(this.modelInputs.map((name) => [name, operand(name)]));
    const outputs = await this.session!.run(
      operands,
      Object.fromEntries([
        ...wanted.map((name) => [this.outputNames.get(name)!, null]),
        ...into.map(([name, tensor]) => [this.outputNames.get(name)!, tensor]),
      ]),
    );
    this.hostBytes += hostBytes([...Object.values(operands), ...Object.values(outputs)]);
    return new Map(
      wanted.map((name) => [name, outputs[this.outputNames.get(name)!].data as ArrayLike<number>]),
    );
  }

  /** Whether the results of a run may become state. */
  isGood(results: Results): boolean {
    return this.guards().every((name) => Array.from(results.get(name)!).every(Number.isFinite));
  }

  /** The gradients among the results of a run. */
  gradients(results: Results): Gradients {
    return new Map(this.updates.map(({ gradient }) => [gradient, results.get(gradient) as Float32Array]));
  }

  /** Makes the results of a run the new state. */
  commit(results: Results, feeds: ArraysByName, state: GraphState, pool: AdamWPool): void {
    const { updates, clipGradNorm } = this;
    const gradients = this.gradients(results);
    const factor = clipGradNorm === undefined ? 1 : clipFactor(normOf(gradients.values()), clipGradNorm);
    const schedule = (name: string) => results.get(name) ?? feeds[name];
    if (updates.length > 0) pool.step(schedule, (name) => gradients.get(name)!, factor);
    state.advance(this.changed);
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

  private refuseUnknown(names: readonly string[]): void {
    const unknown = names.filter((name) => !this.outputNames.has(name));
    if (unknown.length === 0) return;
    throw new LuvitError("bad-argument", `fetch: the graph has no output ${unknown.join(", ")}`);
  }
}
