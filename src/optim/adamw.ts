import { LuvitError, listOffenders } from "../core/errors";
import { formatShape, type StateDict } from "../core/hostTensor";
import { checkOptions, instance, number, optionsOf, shaped } from "../core/options";
import { type Tensor, tf } from "../core/tf";
import type { Module } from "../nn/module";
import { adamW } from "../nn/ops";
import { Parameter } from "../nn/parameter";
import type { ParameterRules } from "./groups";
import { betas } from "./options";

/** Decay rates of the moments, epsilon and weight decay of AdamW. */
export interface AdamWOptions {
  betas?: readonly [number, number];
  eps?: number;
}

export const adamWOptions = optionsOf<AdamWOptions>({}, { betas, eps: number(0, 1, true) });

/** Moments begin at zero and take memory when they are first used. */
interface Slot {
  parameter: Parameter;
  average: Parameter;
  squares: Parameter;
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
    options: AdamWOptions = {},
  ) {
    checkOptions("AdamW", shaped("a model", "namedParameters"), model);
    checkOptions(
      "AdamW",
      instance(Map, "rules by parameter path, from finetuneRules or pretrainRules"),
      rules,
    );
    checkOptions("AdamW", adamWOptions, options);
    const { betas = [0.9, 0.999], eps = 1e-8 } = options;
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
          {
            parameter: parameter.value,
            gradient,
            average: average.value,
            squares: squares.value,
            schedule,
          },
          { beta1, beta2, eps: this.eps, weightDecay: rule.weightDecay, lrScale: rule.lrScale },
        );
        parameter.value.assign(fresh);
        average.value.assign(newAverage);
        squares.value.assign(newSquares);
      }
    });
  }

  /**
   * Moments by path, to be read only: `<path>.exp_avg`, `<path>.exp_avg_sq`, torch's names. The step count is kept by the
   * caller.
   */
  async state(): Promise<StateDict> {
    const state: StateDict = new Map();
    for (const [name, moment] of this.moments()) {
      state.set(name, { shape: moment.shape, data: await moment.peek() });
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
      const message = `optimizer state does not fit: ${problems.length} tensors\n${listOffenders(problems)}`;
      throw new LuvitError("key-mismatch", message);
    }
    this.step = step;
    for (const [name, moment] of this.moments()) moment.load(state.get(name)!);
  }

  /** Every moment by its name. */
  *moments(): IterableIterator<[string, Parameter]> {
    for (const [path, { average, squares }] of this.slots) {
      const [averageName, squaresName] = momentNames(path);
      yield [averageName, average];
      yield [squaresName, squares];
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

function zeros({ shape }: Parameter): Parameter {
  return new Parameter(shape, () => {}, 0);
}

/** Names of a parameter's two moments, torch's. */
export function momentNames(path: string): [average: string, squares: string] {
  return [`${path}.exp_avg`, `${path}.exp_avg_sq`];
}
