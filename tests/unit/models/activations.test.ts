import assert from "node:assert/strict";
import { before, test } from "node:test";
import { Rng } from "../../../src/core/rng";
import { startBackend, tf } from "../../../src/core/tf";
import { type Activation, activationNames, Mlp } from "../../../src/models/branches";
import { inference } from "../../../src/nn/context";

before(() => startBackend({ backend: "cpu" }));

/** By their formulas, as transformers activations.py has them; Φ of gelu by torch's values. */
const formulas: Record<Activation, (x: number) => number> = {
  gelu: (x) => ({ "-2": -0.0455003, "-0.5": -0.1542688, "1": 0.8413447, "3": 2.9959502 })[String(x)]!,
  "quick-gelu": (x) => x / (1 + Math.exp(-1.702 * x)),
  "gelu-tanh": (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

test("an MLP's activation is the one it names, by its formula", () => {
  assert.deepEqual([...activationNames].sort(), Object.keys(formulas).sort());
  for (const name of activationNames) {
    const one = (values: Float32Array) => void values.fill(1);
    const mlp = new Mlp(1, 1, new Rng(0), one, name);
    for (const x of [-2, -0.5, 1, 3]) {
      const y = mlp.forward(tf.tensor3d([x], [1, 1, 1]), inference, "mlp").dataSync()[0];
      assert.ok(
        Math.abs(y - formulas[name](x)) < 2e-6,
        `${name}(${x}) is ${y}, expected ${formulas[name](x)}`,
      );
    }
  }
});
