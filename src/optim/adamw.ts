import { LuvitError, listOffenders } from "../core/errors";
import { formatShape, type StateDict } from "../core/hostTensor";
import { type Tensor, tf } from "../core/tf";
import type { Module } from "../nn/module";
import { adamW } from "../nn/ops";
import type { Parameter } from "../nn/parameter";
import type { ParameterRules } from "./groups";

export interface AdamWOptions {
  betas?: readonly [number, number];
  eps?: number;
}

interface Slot {
  parameter: Parameter;
  average: tf.Variable;
  squares: tf.Variable;
}

/**
 * AdamW with decoupled weight decay and per-parameter rules, its moments keyed by parameter path (so freezing a
 * parameter between steps cannot shift another's state). Reference: torch/optim/adamw.py.
 */
export class AdamW {
  /** Updates made so far; the bias correction's t. */
  step = 0;
  private readonly slots = new Map<string, Slot>();
  readonly betas: readonly [number, number];
  readonly eps: number;

  constructor(
    model: Module,
    readonly rules: ParameterRules,
    { betas = [0.9, 0.999], eps = 1e-8 }: AdamWOptions = {},
  ) {
    this.betas = betas;
    this.eps = eps;
    for (const [path, parameter] of model.namedParameters()) {
      if (rules.has(path))
        this.slots.set(path, { parameter, average: zeros(parameter), squares: zeros(parameter) });
    }
  }

  /** The variables it trains, by path; pass these to `tf.variableGrads`. */
  variables(): Map<string, tf.Variable> {
    return new Map([...this.slots].map(([path, { parameter }]) => [path, parameter.value]));
  }

  /** One update. `gradients` by path; `lr` the scheduled rate before each parameter's scale. */
  update(gradients: ReadonlyMap<string, Tensor>, lr: number): void {
    this.step++;
    const [beta1, beta2] = this.betas;
    tf.tidy(() => {
      const schedule = tf.tensor1d([lr, 1 - beta1 ** this.step, 1 - beta2 ** this.step]);
      for (const [path, gradient] of gradients) {
        const slot = this.slots.get(path);
        const rule = this.rules.get(path);
        if (!slot || !rule) continue;
        const { parameter, average, squares } = slot;
        const [fresh, newAverage, newSquares] = adamW(
          { parameter: parameter.value, gradient, average, squares, schedule },
          { beta1, beta2, eps: this.eps, weightDecay: rule.weightDecay, lrScale: rule.lrScale },
        );
        parameter.value.assign(fresh);
        average.assign(newAverage);
        squares.assign(newSquares);
      }
    });
  }

  /** Moments by path: `<path>.exp_avg`, `<path>.exp_avg_sq`, torch's names. The step count is kept by the caller. */
  async state(): Promise<StateDict> {
    const state: StateDict = new Map();
    for (const [path, { parameter, average, squares }] of this.slots) {
      const { shape } = parameter;
      const [averageName, squaresName] = momentNames(path);
      state.set(averageName, { shape, data: (await average.data<"float32">()).slice() });
      state.set(squaresName, { shape, data: (await squares.data<"float32">()).slice() });
    }
    return state;
  }

  /** @throws LuvitError("key-mismatch") naming every slot the state lacks or misshapes; nothing has changed then. */
  load(state: StateDict, step: number): void {
    const problems = [...this.slots].flatMap(([path, { parameter }]) =>
      momentNames(path).flatMap((name) => {
        const [found, expected] = [state.get(name)?.shape, formatShape(parameter.shape)];
        if (!found) return [`missing: ${name}`];
        return formatShape(found) === expected
          ? []
          : [`${name}: state has ${formatShape(found)}, expected ${expected}`];
      }),
    );
    if (problems.length > 0) {
      const message = `optimiser state does not fit: ${problems.length} tensors\n${listOffenders(problems)}`;
      throw new LuvitError("key-mismatch", message);
    }
    this.step = step;
    for (const [path, { parameter, average, squares }] of this.slots) {
      tf.tidy(() => {
        const [averageName, squaresName] = momentNames(path);
        average.assign(tf.tensor(state.get(averageName)!.data, [...parameter.shape]));
        squares.assign(tf.tensor(state.get(squaresName)!.data, [...parameter.shape]));
      });
    }
  }

  dispose(): void {
    for (const { average, squares } of this.slots.values()) {
      average.dispose();
      squares.dispose();
    }
    this.slots.clear();
  }
}

function zeros(parameter: Parameter): tf.Variable {
  return tf.tidy(() => tf.variable(tf.zeros([...parameter.shape])));
}

/** Names of a parameter's two moments, torch's. */
export function momentNames(path: string): [average: string, squares: string] {
  return [`${path}.exp_avg`, `${path}.exp_avg_sq`];
}
