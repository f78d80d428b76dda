import { LuvitError, listOffenders } from "../core/errors";
import { formatShape, type StateDict } from "../core/hostTensor";
import { type Tensor, tf } from "../core/tf";
import type { Module } from "../nn/module";
import { Parameter } from "../nn/parameter";
import type { ParameterRules } from "../optim/groups";

/** A trained weight and its average. */
interface Slot {
  readonly weight: Parameter;
  readonly average: Parameter;
}

/** Name of a weight's average among the state of an engine. */
export function averageName(path: string): string {
  return `${path}.ema`;
}

/** decay * average + (1 - decay) * weight. */
export function moved(average: Tensor, weight: Tensor, decay: number): Tensor {
  return tf.add(tf.mul(average, decay), tf.mul(weight, 1 - decay));
}

/**
 * Exponential moving average of the trained weights, which begins as a copy of them and moves after every step by
 * 1 - decay. What is frozen is the model's own. Reference: timm utils/model_ema.py, ModelEma.
 */
export class WeightAverage {
  private readonly slots = new Map<string, Slot>();

  constructor(
    model: Module,
    rules: ParameterRules,
    readonly decay: number,
  ) {
    for (const [path, weight] of model.namedParameters()) {
      if (rules.has(path))
        this.slots.set(path, { weight, average: new Parameter(weight.shape, () => {}, 0) });
    }
  }

  /** Every average by its name. */
  *parameters(): IterableIterator<[string, Parameter]> {
    for (const [path, { average }] of this.slots) yield [averageName(path), average];
  }

  /** What has their values, by their names: before the first step, the weights. */
  *values(): IterableIterator<[string, Parameter]> {
    for (const [path, slot] of this.slots) yield [averageName(path), valuesOf(slot)];
  }

  /** Every average by the path of its weight. */
  byPath(): Map<string, Parameter> {
    return new Map([...this.slots].map(([path, { average }]) => [path, average]));
  }

  /** The averages by the paths of their weights, to be read only; what lies in a file stays there. */
  async state(): Promise<StateDict> {
    const state: StateDict = new Map();
    for (const [path, slot] of this.slots) state.set(path, await valuesOf(slot).tensor());
    return state;
  }

  /** @throws LuvitError("key-mismatch") naming every average that is missing or misshapen; nothing has changed then. */
  load(state: StateDict, where: string): void {
    const problems = [...this.slots].flatMap(([path, { weight }]) => {
      const found = state.get(path)?.shape;
      if (!found) return [`missing: ${path}`];
      const [has, expected] = [formatShape(found), formatShape(weight.shape)];
      return has === expected ? [] : [`${path}: is ${has}, expected ${expected}`];
    });
    if (problems.length > 0) {
      throw new LuvitError("key-mismatch", `${where}: averages do not fit\n${listOffenders(problems)}`);
    }
    for (const [path, { average }] of this.slots) average.load(state.get(path)!);
  }

  dispose(): void {
    for (const { average } of this.slots.values()) average.dispose();
    this.slots.clear();
  }
}

function valuesOf({ weight, average }: Slot): Parameter {
  return average.isFresh ? weight : average;
}
