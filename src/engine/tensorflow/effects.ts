import type { AdamWUpdate } from "../adamw/splitUpdates";
import type { Program } from "../executor";
import { clipped } from "./clip";
import { type TfValue, waitFor } from "./lower/builder";
import type { TfOps } from "./lower/ops";
import { addUpdate } from "./updates";
import { addAssignment, addRead, addToken, addVariable, type Variable } from "./variables";

/** What is fetched to make a run change something. */
export interface Effects {
  /** New state. */
  readonly commit: string;
  /** Gradients kept: in place of older ones, and added to them. */
  readonly hold: string;
  readonly holdMore: string;
  /** New state with the gradients kept before. */
  readonly release: string;
}

/** Of a program whose gradients are summed over workers: what is kept until then, and new state with what it has become. */
export interface SharedEffects {
  readonly held: readonly Variable[];
  readonly apply: string;
}

/** Which nodes of a program take a value. */
export class Readers {
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

/** What the effects of a program are made of. */
interface EffectSources {
  readonly ops: TfOps;
  readonly variables: ReadonlyMap<string, Variable>;
  /** Inputs and state of the graph, as they are before a run. */
  readonly given: ReadonlyMap<string, TfValue>;
  /** What the graph computes. */
  readonly values: ReadonlyMap<string, TfValue>;
  readonly readers: Readers;
  readonly program: Pick<Program, "guard" | "clipGradNorm" | "shared">;
}

/** Adds the nodes that change the state after a run. */
export class EffectWriter {
  constructor(private readonly sources: EffectSources) {}

  write(
    program: string,
    updates: readonly AdamWUpdate[],
    changed: readonly string[],
  ): Effects & { shared?: SharedEffects } {
    const { ops, values } = this.sources;
    const gradients = updates.map(({ gradient }) => values.get(gradient)!);
    const kept = updates.map(({ parameter }, i) => {
      const value = { id: -1, shape: gradients[i].shape, dtype: "float32" } as const;
      return addVariable(ops, { name: `${program}: held gradient of ${parameter}`, value }, "float32");
    });
    const held = kept.map(({ handle }) => handle);
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
      ...(this.sources.program.shared && { shared: { held: kept, apply: this.apply(updates, kept) } }),
    };
  }

  /** All changes, or none where the guard is not finite. */
  private commit(
    updates: readonly AdamWUpdate[],
    gradients: readonly TfValue[],
    changed: readonly string[],
  ): string {
    const { ops, variables, readers, given, values } = this.sources;
    const gate = this.gate();
    const before = gate ? [waitFor(gate.open)] : [];
    const done = [
      ...this.clipped(gradients).map((gradient, i) => {
        const readersOfOld = readers.of(given.get(updates[i].parameter)!);
        return this.update(updates[i], gradient, [...before, ...readersOfOld]);
      }),
      ...changed.map((name) => {
        const { handle } = variables.get(name)!;
        const after = [...before, ...readers.of(given.get(name)!)];
        return addAssignment(ops, handle, this.kept(values.get(name)!), after);
      }),
    ];
    if (!gate) return addToken(ops, done);
    const type = { T: { type: "bool" } } as const;
    const opened = `${ops.addNode("Identity", [gate.open, ...done], type)}:0`;
    return `${ops.addNode("Merge", [opened, gate.shut], { ...type, N: { integer: 2 } })}:0`;
  }

  /** New state with what is in the held gradients, in a run of its own that reads nothing of the graph. */
  private apply(updates: readonly AdamWUpdate[], held: readonly Variable[]): string {
    const { ops } = this.sources;
    const gradients = held.map(({ handle, input: { value }, dtype }) =>
      addRead(ops, handle, { shape: value.shape, dtype }),
    );
    const done = this.clipped(gradients).map((gradient, i) => this.update(updates[i], gradient, []));
    return addToken(ops, done);
  }

  /** The gradients, their common norm no greater than the program says. */
  private clipped(gradients: readonly TfValue[]): readonly TfValue[] {
    const { ops, program } = this.sources;
    return program.clipGradNorm === undefined ? gradients : clipped(ops, gradients, program.clipGradNorm);
  }

  private update(update: AdamWUpdate, gradient: TfValue, after: readonly string[]): string {
    const { ops, variables, given, values } = this.sources;
    const [parameter, average, squares] = [update.parameter, update.average, update.squares].map(
      (name) => variables.get(name)!.handle,
    );
    const old = given.get(update.parameter)!;
    const schedule = given.get(update.schedule) ?? values.get(update.schedule)!;
    const place = { parameter, average, squares, before: old, gradient, schedule };
    return addUpdate(ops, update, place, after);
  }

  /** Two values of which one is there: `open` where the guard is finite, `shut` where it is not. */
  private gate(): { open: string; shut: string } | undefined {
    const { ops, values, program } = this.sources;
    if (program.guard === undefined) return undefined;
    const guard = values.get(program.guard)!;
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
    return this.sources.ops.make("DeepCopy", [value], value, { attributes });
  }
}
