import { type Tensor, tf } from "../../core/tf";
import type { Context } from "../../nn/context";

/** Named values of a forward pass, and the derivative of a score with respect to each. */
export interface ValuesAndGradients {
  readonly values: ReadonlyMap<string, Tensor>;
  readonly gradients: ReadonlyMap<string, Tensor>;
}

/**
 * Derivatives of the sum of `score` [any shape] with respect to the values at named places: each has a tensor of zeros
 * added to it, and the derivative is that with respect to the zeros. `score` runs twice; in a traced graph the first run
 * is the second's own.
 */
export function siteGradients(
  score: (context: Context) => Tensor,
  wanted: (name: string) => boolean,
): ValuesAndGradients {
  const values = new Map<string, Tensor>();
  score({ tap: (name, value) => void (wanted(name) && values.set(name, value)) });
  const names = [...values.keys()];
  const through = (...nudges: Tensor[]) => {
    const edit = (name: string, value: Tensor) => {
      const place = names.indexOf(name);
      return place < 0 ? value : tf.add(value, nudges[place]);
    };
    return tf.sum(score({ edit }));
  };
  const zeros = names.map((name) => tf.zeros(values.get(name)!.shape));
  const found = tf.grads(through)(zeros);
  return { values, gradients: new Map(names.map((name, i) => [name, found[i]])) };
}
