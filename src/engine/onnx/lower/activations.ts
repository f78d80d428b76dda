import type { OnnxValue } from "./builder";
import type { Call, Rules } from "./call";

const INVERSE_SQRT_2PI = 0.3989422804014327;

/** dy (Φ(x) + x φ(x)), with Φ(x) = (1 + erf(x / √2)) / 2. */
function geluGradient(call: Call): OnnxValue {
  const { ops } = call;
  const [x, dy] = [call.input("x"), call.input("dy")];
  const distribution = ops.add(ops.mul(ops.unary("Erf", ops.mul(x, Math.SQRT1_2)), 0.5), 0.5);
  const density = ops.mul(ops.unary("Exp", ops.mul(ops.mul(x, x), -0.5)), INVERSE_SQRT_2PI);
  return ops.mul(dy, ops.add(distribution, ops.mul(x, density)));
}

/** gate sigmoid(gate) up. */
function gatedSilu(call: Call): OnnxValue {
  const { ops } = call;
  const [gate, up] = [call.input("gate"), call.input("up")];
  return ops.mul(ops.mul(gate, ops.unary("Sigmoid", gate)), up);
}

/** dy up s (1 + gate (1 - s)), s = sigmoid(gate). */
function gatedSiluGateGradient(call: Call): OnnxValue {
  const { ops } = call;
  const [gate, up, dy] = ["gate", "up", "dy"].map((name) => call.input(name));
  const sigmoid = ops.unary("Sigmoid", gate);
  const slope = ops.mul(sigmoid, ops.add(ops.mul(gate, ops.sub(ops.scalar(1), sigmoid)), 1));
  return ops.mul(ops.mul(dy, up), slope);
}

/** This library's activations. */
export const activations: Rules = {
  LuvitGatedSilu: gatedSilu,
  LuvitGatedSiluGateGradient: gatedSiluGateGradient,
  /** onnxruntime's Gelu is the exact one, with erf. */
  LuvitGelu: (call) => {
    const x = call.input("x");
    return call.ops.make("Gelu", [x], x, {}, "com.microsoft");
  },
  LuvitGeluGradient: geluGradient,
};
