import { LuvitError } from "../core/errors";
import { tf } from "../core/tf";
import { atCallSite } from "./callSite";
import type { Recorder } from "./recorder";

/**
 * Runs `body` with assignments to the state's variables written down instead of carried out (later reads see the new
 * value, the variable itself stays as it is), and with every other change to variables refused before it happens.
 */
export function recordAssignments<Result>(
  recorder: Recorder,
  state: ReadonlySet<tf.Variable>,
  body: () => Result,
): Result {
  const engine = tf.engine();
  const { assign } = tf.Variable.prototype;
  tf.Variable.prototype.assign = function (this: tf.Variable, value: tf.Tensor): void {
    if (!state.has(this)) throw refusal(recorder, "assign to a variable that is not named in its state");
    if (value.dtype !== this.dtype || value.shape.join() !== this.shape.join()) {
      throw refusal(recorder, `assign ${value.dtype}[${value.shape}] to ${this.dtype}[${this.shape}]`);
    }
    recorder.rebind(this.dataId, value);
  };
  engine.makeVariable = () => {
    throw refusal(recorder, "make variables (a parameter read here must be named in its state)");
  };
  try {
    return body();
  } finally {
    tf.Variable.prototype.assign = assign;
    // The method of the class comes back into view.
    Reflect.deleteProperty(engine, "makeVariable");
  }
}

function refusal(recorder: Recorder, what: string): LuvitError {
  return new LuvitError("bad-argument", `trace "${recorder.name}": a step must not ${what}${atCallSite()}`);
}
