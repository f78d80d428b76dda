import { inspect } from "node:util";
import { formatShape, type StateDict } from "../core/hostTensor";
import { type LoadOptions, type LoadReport, loadStateDict } from "./loadStateDict";
import { Parameter } from "./parameter";

/** Parameters of a module: all, and those an optimizer would update. */
export interface ParameterCounts {
  total: number;
  trainable: number;
}

/** One line of `parts()`. */
export interface PartRow {
  part: string;
  tensors: number;
  parameters: number;
  trainable: number;
}

/** One line of `summary()`. */
export interface SummaryRow {
  path: string;
  shape: string;
  parameters: number;
  trainable: boolean;
}

/**
 * A piece of a model. Its fields are the tree: a `Parameter` is a leaf, a `Module` or an array of modules a branch,
 * everything else is configuration. The path of fields is the name in the official PyTorch state dict.
 */
export abstract class Module {
  /** Field names that do not appear in paths, so that composition can keep the official flat names. */
  protected transparentFields(): readonly string[] {
    return [];
  }

  /** Every parameter with its path, in field order. */
  *namedParameters(prefix = ""): IterableIterator<[string, Parameter]> {
    for (const [path, child] of this.children(prefix)) {
      if (child instanceof Parameter) yield [path, child];
      else yield* child.namedParameters(path);
    }
  }

  /** This module and every module below it, with paths. */
  *namedModules(prefix = ""): IterableIterator<[string, Module]> {
    yield [prefix, this];
    for (const [path, child] of this.children(prefix)) {
      if (child instanceof Module) yield* child.namedModules(path);
    }
  }

  /** Swaps the module at a path for another; used by `lora.attach`. */
  replaceModule(path: string, replacement: Module): void {
    for (const [parentPath, parent] of this.namedModules()) {
      for (const [childPath, child, put] of parent.children(parentPath)) {
        if (childPath !== path || !(child instanceof Module)) continue;
        put(replacement);
        return;
      }
    }
    throw new Error(`no module at "${path}"`);
  }

  /** All values by path, copied to the host. `prefix` limits it to paths that start so. */
  async stateDict(options: { prefix?: string; trainableOnly?: boolean } = {}): Promise<StateDict> {
    const state: StateDict = new Map();
    for (const [path, parameter] of this.namedParameters()) {
      if (options.prefix && !path.startsWith(options.prefix)) continue;
      if (options.trainableOnly && !parameter.trainable) continue;
      state.set(path, await parameter.read());
    }
    return state;
  }

  /**
   * Copies values in by path. Strict by default: one error names every missing, unexpected and misshapen key, and then
   * nothing has been changed.
   */
  loadStateDict(state: StateDict, options: LoadOptions = {}): LoadReport {
    return loadStateDict(this, state, options);
  }

  /** Stops training of everything at or below a path, e.g. "blocks.1"; default all. */
  freeze(at = ""): this {
    return this.setTrainable(at, false);
  }

  /** Trains everything at or below a path again; default all. */
  unfreeze(at = ""): this {
    return this.setTrainable(at, true);
  }

  private setTrainable(at: string, trainable: boolean): this {
    const branch = at.replace(/\.$/, "");
    for (const [path, parameter] of this.namedParameters()) {
      if (branch === "" || path === branch || path.startsWith(`${branch}.`)) parameter.trainable = trainable;
    }
    return this;
  }

  counts(): ParameterCounts {
    const counts = { total: 0, trainable: 0 };
    for (const [, parameter] of this.namedParameters()) {
      counts.total += parameter.size;
      if (parameter.trainable) counts.trainable += parameter.size;
    }
    return counts;
  }

  /** Parameters of each top-level part, e.g. `blocks`, `llama`, `head`; short enough to show. */
  parts(): PartRow[] {
    const rows = new Map<string, PartRow>();
    for (const [path, parameter] of this.namedParameters()) {
      const part = path.split(".")[0];
      const row = rows.get(part) ?? { part, tensors: 0, parameters: 0, trainable: 0 };
      row.tensors++;
      row.parameters += parameter.size;
      if (parameter.trainable) row.trainable += parameter.size;
      rows.set(part, row);
    }
    return [...rows.values()];
  }

  /** Every parameter. */
  summary(): SummaryRow[] {
    return [...this.namedParameters()].map(([path, parameter]) => ({
      path,
      shape: formatShape(parameter.shape),
      parameters: parameter.size,
      trainable: parameter.trainable,
    }));
  }

  /** A copy to train on its own; parameters `shared` names (default: the frozen ones) stay common to both. */
  async clone(shared: (parameter: Parameter) => boolean = (p) => !p.trainable): Promise<this> {
    const copy = Object.create(Object.getPrototypeOf(this)) as Record<string, unknown>;
    for (const [name, value] of Object.entries(this)) copy[name] = await cloneField(value, shared);
    return copy as unknown as this;
  }

  /** Frees every tensor of this model that no other model shares. */
  dispose(): void {
    for (const [, parameter] of this.namedParameters()) parameter.dispose();
  }

  /** One line: kind, parameters, trainable share. */
  toString(): string {
    const { total, trainable } = this.counts();
    return `${this.constructor.name}(${millions(total)} parameters, ${millions(trainable)} trainable)`;
  }

  [inspect.custom](): string {
    return this.toString();
  }

  private *children(
    prefix: string,
  ): IterableIterator<[string, Module | Parameter, (replacement: Module) => void]> {
    const join = (name: string) => (prefix ? `${prefix}.${name}` : name);
    const fields = this as unknown as Record<string, unknown>;
    for (const [name, value] of Object.entries(fields)) {
      const put = (replacement: Module) => {
        fields[name] = replacement;
      };
      const path = this.transparentFields().includes(name) ? prefix : join(name);
      if (value instanceof Parameter || value instanceof Module) yield [path, value, put];
      if (!Array.isArray(value)) continue;
      for (const [i, item] of value.entries()) {
        if (item instanceof Module) yield [`${path}.${i}`, item, (replacement) => (value[i] = replacement)];
      }
    }
  }
}

async function cloneField(value: unknown, shared: (parameter: Parameter) => boolean): Promise<unknown> {
  if (value instanceof Module) return value.clone(shared);
  if (value instanceof Parameter) return shared(value) ? value.share() : value.clone();
  if (!Array.isArray(value)) return value;
  return Promise.all(value.map((item) => cloneField(item, shared)));
}

/** 93121256 -> "93.12 M", 262144 -> "0.26 M", 512 -> "512". */
export function millions(count: number): string {
  return count < 1e4 ? `${count}` : `${(count / 1e6).toFixed(2)} M`;
}
